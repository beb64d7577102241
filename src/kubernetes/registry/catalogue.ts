import type { KubeObject, ObjectKey } from "../object.js";
import type { Shape } from "../patch/shape.js";
import { type ResourceInfo, resourceName } from "../schema/resource-info.js";
import { typeOf } from "../schema/schema.js";
import type { Pruned } from "../wire/prune.js";
import type { ScalePaths } from "./scale.js";
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
  /** What a definition says of a custom resource's version: requests are handled in the version they are made in, and converted at the store's door. */
  readonly definition?: CustomVersion;
  /** What whoever reads is warned of. */
  readonly deprecation?: string;
  /** Where objects come from that are computed at each read and never stored. */
  readonly source?: ComputedSource;
}

export interface ComputedSource {
  get(key: ObjectKey): KubeObject | undefined;
  /** In key order; of all namespaces when absent. */
  list(namespace: string | undefined): readonly KubeObject[];
}

/** One version of a custom resource, as its definition has it at present; a changed definition brings new ones. */
export interface CustomVersion {
  readonly info: ResourceInfo;
  readonly served: boolean;
  /** True for the version that objects are stored in. */
  readonly stored: boolean;
  readonly strategy: Strategy;
  /** What every request for a deprecated version is warned of. */
  readonly deprecation?: string;
  /** Drops what the schema does not know. Throws DecodeError for metadata of a wrong type. */
  prune(object: Record<string, unknown>): Pruned;
  /** How patches see objects. */
  shape(): Shape;
  /** Readers of the fields that objects can be selected by, beside their names. */
  readonly selectable: Readonly<Record<string, (object: KubeObject) => string>>;
  /** Where the scale subresource finds replicas; absent without one. */
  readonly scale?: ScalePaths;
  /** A stored object as this version shows it. Throws when `prepare` should have been awaited. */
  view(object: KubeObject): KubeObject;
  /** To be awaited before `view` of these objects; undefined when there is nothing to wait for. */
  prepare(objects: readonly KubeObject[]): Promise<void> | undefined;
  /** The object as it is stored. */
  toStorage(object: KubeObject): KubeObject | Promise<KubeObject>;
  /** Calls `listener` once the definition says something else or has gone. Returns how to stop. */
  onReplaced(listener: () => void): () => void;
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

function countsGenerations(info: ResourceInfo, hasStatus: boolean): boolean {
  const exception = GENERATION_EXCEPTIONS[resourceName(info)];
  if (exception !== undefined) return exception;
  if (info.group === "") return CORE_WITH_GENERATION.has(info.resource);
  return hasStatus && (typeOf(info.type)?.fields.has("spec") ?? false);
}

const conversionBetween = (apiVersion: string, storage: string): Conversion => ({
  toStorage: (object) => toStoredVersion(storage, object),
  fromStorage: (object) => fromStoredVersion(storage, object, apiVersion),
});

const NO_RULES: Strategy = {};
/** Kinds that requests are warned of, by the name in the store. */
const DEPRECATIONS: Readonly<Record<string, string>> = {
  componentstatuses: "v1 ComponentStatus is deprecated in v1.19+",
  endpoints: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
};
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
    for (const info of infos) this.#register(info);
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

  /** Serves a custom resource from now on, or serves it differently; no versions withdraw it. */
  setCustom(name: string, versions: readonly CustomVersion[]): void {
    this.#generation++;
    for (const [path, entry] of this.#byPath) if (entry.custom && entry.storage === name) this.#byPath.delete(path);
    this.#byName.delete(name);
    for (const version of versions) this.#registerCustom(version);
    for (const listener of this.#listeners) listener();
  }

  /** Serves a resource whose objects are computed from now on; without a source, no longer. */
  setComputed(info: ResourceInfo, source: ComputedSource | undefined): void {
    const path = pathOf(info.group, info.version, info.resource);
    if (this.#byPath.has(path) === (source !== undefined)) return;
    this.#generation++;
    const storage = resourceName(info);
    const common = { custom: false, strategy: NO_RULES, hasStatus: false, hasGeneration: false };
    if (source) {
      const deprecation = DEPRECATIONS[storage];
      const entry: ResourceEntry = { info, apiVersion: apiVersionOf(info), storage, source, deprecation, ...common };
      this.#byPath.set(path, entry);
      this.#byName.set(storage, entry);
    } else {
      this.#byPath.delete(path);
      this.#byName.delete(storage);
    }
    for (const listener of this.#listeners) listener();
  }

  /** Calls `listener` after every change of what is served. Returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #registerCustom(definition: CustomVersion): void {
    const { info, strategy, served, stored } = definition;
    const name = resourceName(info);
    const hasStatus = info.subresources.some((subresource) => subresource.name === "status");
    const entry: ResourceEntry = {
      info,
      apiVersion: apiVersionOf(info),
      storage: name,
      custom: true,
      definition,
      strategy,
      hasStatus,
      hasGeneration: true,
    };
    if (served) this.#byPath.set(pathOf(info.group, info.version, info.resource), entry);
    if (stored) this.#byName.set(name, entry);
  }

  #register(info: ResourceInfo): ResourceEntry {
    const path = pathOf(info.group, info.version, info.resource);
    const name = resourceName(info);
    const storage = storedResource(name);
    const strategyFor = this.#strategyFor;
    const apiVersion = apiVersionOf(info);
    const stored = this.#byName.get(storage);
    const conversion = stored && stored.apiVersion !== apiVersion ? conversionBetween(apiVersion, storage) : undefined;
    const subresourceStatus = info.subresources.some((subresource) => subresource.name === "status");
    let strategy: Strategy | undefined;
    let generation: boolean | undefined;
    const entry: ResourceEntry = {
      info,
      apiVersion,
      storage,
      custom: false,
      conversion,
      deprecation: DEPRECATIONS[storage],
      // Looked up on first use: most clusters never touch most resources.
      get strategy() {
        strategy ??= strategyFor(storage) ?? NO_RULES;
        return strategy;
      },
      get hasStatus() {
        return this.strategy.hasStatusSubresource ?? subresourceStatus;
      },
      get hasGeneration() {
        generation ??= this.strategy.hasGeneration ?? countsGenerations(info, this.hasStatus);
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
