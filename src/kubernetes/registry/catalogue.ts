import type { KubeObject } from "../object.js";
import { type ResourceInfo, resourceName } from "../schema/resource-info.js";
import { typeOf } from "../schema/schema.js";
import { fromStoredVersion, storedResource, toStoredVersion } from "./strategies/conversion.js";
import type { Strategy } from "./strategy.js";

/** A resource as the registry handles it: its description, its rules, and the name under which the store keeps it. */
export interface ResourceEntry {
  readonly info: ResourceInfo;
  /** `apps/v1`, `v1`: what its objects carry. */
  readonly apiVersion: string;
  /** `pods`, `deployments.apps`: the name in the store, shared by every version. */
  readonly storage: string;
  readonly strategy: Strategy;
  /** True where status is written through a subresource only. */
  readonly hasStatus: boolean;
  /** True where changes of the desired state raise metadata.generation. */
  readonly hasGeneration: boolean;
  /** True for resources that are added at run time. */
  readonly custom: boolean;
  /** Where this version is not the one that is stored: how to come from one to the other, never changing what is given. */
  readonly conversion?: Conversion;
}

export interface Conversion {
  toStorage(object: KubeObject): KubeObject;
  fromStorage(object: KubeObject): KubeObject;
}

/** Core kinds with spec and status that have never counted generations; elsewhere both together mean that they do. */
const CORE_WITH_GENERATION = new Set(["pods", "replicationcontrollers"]);
/** Kinds that count generations without having a status, or do not although they have one. */
const GENERATION_EXCEPTIONS: Readonly<Record<string, boolean>> = {
  "networkpolicies.networking.k8s.io": true,
  "validatingwebhookconfigurations.admissionregistration.k8s.io": true,
  "mutatingwebhookconfigurations.admissionregistration.k8s.io": true,
  "horizontalpodautoscalers.autoscaling": false,
  "certificatesigningrequests.certificates.k8s.io": false,
  "volumeattachments.storage.k8s.io": false,
};

function countsGenerations(info: ResourceInfo, hasStatus: boolean, custom: boolean): boolean {
  const exception = GENERATION_EXCEPTIONS[resourceName(info)];
  if (exception !== undefined) return exception;
  if (custom) return true;
  if (info.group === "") return CORE_WITH_GENERATION.has(info.resource);
  return hasStatus && (typeOf(info.type)?.fields.has("spec") ?? false);
}

/** Versions of a custom resource differ in their name alone (conversion strategy None). */
function conversionBetween(storedVersion: string, apiVersion: string, storage: string, custom: boolean): Conversion {
  if (custom) {
    return {
      toStorage: (object) => ({ ...object, apiVersion: storedVersion }),
      fromStorage: (object) => ({ ...object, apiVersion }),
    };
  }
  return {
    toStorage: (object) => toStoredVersion(storage, object),
    fromStorage: (object) => fromStoredVersion(storage, object, apiVersion),
  };
}

const NO_RULES: Strategy = {};
const pathOf = (group: string, version: string, plural: string): string => `${group}/${version}/${plural}`;
const apiVersionOf = (info: ResourceInfo): string => (info.group ? `${info.group}/${info.version}` : info.version);

/** Every resource that is served now. Custom resources come and go; who caches anything made from it compares `generation`. */
export class ResourceCatalogue {
  readonly #byPath = new Map<string, ResourceEntry>();
  readonly #byName = new Map<string, ResourceEntry>();
  readonly #strategyFor: (resource: string) => Strategy | undefined;
  readonly #listeners = new Set<() => void>();
  #generation = 1;

  constructor({
    infos,
    strategyFor,
  }: {
    /** Preferred versions first: the first version of a resource is the one that is stored. */
    infos: readonly ResourceInfo[];
    strategyFor: (resource: string) => Strategy | undefined;
  }) {
    this.#strategyFor = strategyFor;
    for (const info of infos) this.#register(info, false);
  }

  /** Raised whenever a resource is added or removed. */
  get generation(): number {
    return this.#generation;
  }

  /** What is stored under a name such as `deployments.apps`. */
  byName(resource: string): ResourceEntry | undefined {
    return this.#byName.get(resource);
  }

  /** What is served at `/apis/<group>/<version>/<plural>`. */
  byPath(group: string, version: string, plural: string): ResourceEntry | undefined {
    return this.#byPath.get(pathOf(group, version, plural));
  }

  byKind(apiVersion: string, kind: string): ResourceEntry | undefined {
    for (const entry of this.#byPath.values())
      if (entry.info.kind === kind && entry.apiVersion === apiVersion) return entry;
    return undefined;
  }

  infos(): readonly ResourceInfo[] {
    return [...this.#byPath.values()].map((entry) => entry.info);
  }

  hasGroupVersion(group: string, version: string): boolean {
    const prefix = `${group}/${version}/`;
    for (const path of this.#byPath.keys()) if (path.startsWith(prefix)) return true;
    return false;
  }

  /** Serves a custom resource from now on, or serves it differently: `infos` are its versions, the stored one first; none of them withdraws it. */
  setCustom(name: string, infos: readonly ResourceInfo[]): void {
    this.#generation++;
    for (const [path, entry] of this.#byPath) if (entry.custom && entry.storage === name) this.#byPath.delete(path);
    this.#byName.delete(name);
    for (const info of infos) this.#register(info, true);
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after every change of what is served. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #register(info: ResourceInfo, custom: boolean): ResourceEntry {
    const path = pathOf(info.group, info.version, info.resource);
    const name = resourceName(info);
    const storage = storedResource(name);
    const strategyFor = this.#strategyFor;
    const apiVersion = apiVersionOf(info);
    const stored = this.#byName.get(storage);
    const conversion =
      stored && stored.apiVersion !== apiVersion
        ? conversionBetween(stored.apiVersion, apiVersion, storage, custom)
        : undefined;
    const subresourceStatus = info.subresources.some((subresource) => subresource.name === "status");
    let strategy: Strategy | undefined;
    let generation: boolean | undefined;
    const entry: ResourceEntry = {
      info,
      apiVersion,
      storage,
      custom,
      conversion,
      // Looked up on first use: most clusters never touch most resources.
      get strategy() {
        strategy ??= strategyFor(storage) ?? NO_RULES;
        return strategy;
      },
      get hasStatus() {
        return this.strategy.hasStatusSubresource ?? subresourceStatus;
      },
      get hasGeneration() {
        generation ??= this.strategy.hasGeneration ?? countsGenerations(info, this.hasStatus, custom);
        return generation;
      },
    };
    this.#byPath.set(path, entry);
    // A view (events.events.k8s.io) is, under its own name, what it is a view of.
    if (!conversion) this.#byName.set(name, entry);
    else if (stored && name !== storage) this.#byName.set(name, stored);
    return entry;
  }
}
