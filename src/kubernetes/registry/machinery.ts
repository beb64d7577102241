import type { Clock } from "../../clock/clock.js";
import type { Random } from "../../clock/random.js";
import type { AdmissionPlugin, AdmissionReader, AdmissionRequest } from "../admission/plugin.js";
import type { UserInfo } from "../api.js";
import { internalError } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import type { Store } from "../store/store.js";
import type { ResourceCatalogue, ResourceEntry } from "./catalogue.js";
import type { WriteContext } from "./strategy.js";

/** What every operation of the registry works with. */
export interface Machinery {
  readonly store: Store;
  readonly catalogue: ResourceCatalogue;
  readonly clock: Clock;
  /** Names and uids come from here, so that a seed repeats them. */
  readonly random: Random;
  readonly admission: readonly AdmissionPlugin[];
  /** Throws while the control plane has no quorum. */
  assertAvailable(): void;
  /** Changes what a read shows, for fields that are computed and not stored (lease renewals). Gives back the object itself when there is nothing to change. */
  readonly readHooks: ReadonlyMap<string, (object: KubeObject) => KubeObject>;
}

/** Who writes, and how ownership of fields is recorded for them. */
export interface Caller {
  readonly user: UserInfo;
  readonly fieldManager: string;
  /**
   * True for clients over HTTP. The cluster's own components write without: nobody reads their managedFields entries, and tracking would double the
   * cost of every status write.
   */
  readonly tracksOwnership: boolean;
  /** As of AdmissionRequest: a client over the network. */
  readonly patient?: boolean;
  /** Where admission's warnings go (`Warning: 299`); absent where nobody listens. */
  warn?(message: string): void;
}

export function writeContext(machinery: Machinery, user: UserInfo): WriteContext {
  const { store } = machinery;
  return {
    user,
    nowMs: machinery.clock.now(),
    get: (resource, key) => store.get(resource, key.namespace, key.name),
    list: (resource, namespace) => store.list(resource, namespace),
  };
}

function admissionReader({ store, clock }: Machinery): AdmissionReader {
  return {
    nowMs: () => clock.now(),
    get: (resource, key) => store.get(resource, key.namespace, key.name),
    list: (resource, namespace) => store.list(resource, namespace),
  };
}

/** For what follows from a request that has been admitted: a binding's change of its pod, an eviction's deletion. */
export const pastAdmission = (machinery: Machinery): Machinery => ({ ...machinery, admission: [] });

/** Runs one stage of admission. Stays synchronous (returns nothing) as long as the plugins do, so that a write is done when the call returns. */
export function admit(
  machinery: Machinery,
  stage: "admit" | "validate",
  request: AdmissionRequest,
): Promise<void> | undefined {
  const { admission } = machinery;
  if (admission.length === 0) return undefined;
  const reader = admissionReader(machinery);
  for (let i = 0; i < admission.length; i++) {
    const pending = admission[i]?.[stage]?.(request, reader);
    if (pending) return admitRest(machinery, i + 1, stage, request, reader, pending);
  }
  return admitAgain(machinery, stage, request);
}

/** The second round of mutation, where a policy or webhook has changed the object. */
function admitAgain(
  machinery: Machinery,
  stage: "admit" | "validate",
  request: AdmissionRequest,
): Promise<void> | undefined {
  const { reinvocation } = request;
  if (stage !== "admit" || !reinvocation?.wanted || reinvocation.round === 1) return undefined;
  reinvocation.round = 1;
  return admit(machinery, stage, request);
}

async function admitRest(
  machinery: Machinery,
  from: number,
  stage: "admit" | "validate",
  request: AdmissionRequest,
  reader: AdmissionReader,
  pending: Promise<void>,
): Promise<void> {
  await pending;
  for (const plugin of machinery.admission.slice(from)) await plugin[stage]?.(request, reader);
  await admitAgain(machinery, stage, request);
}

/** The entry of a resource named as in the store. An unknown name inside the process is a bug, not a 404. */
export function entryOf(machinery: Machinery, resource: string): ResourceEntry {
  const entry = machinery.catalogue.byName(resource);
  if (!entry) throw internalError(`no resource is named ${resource}`);
  return entry;
}

/** The present object as a read shows it. */
export function shown(machinery: Machinery, entry: ResourceEntry, object: KubeObject): KubeObject {
  const hook = machinery.readHooks.get(entry.storage);
  return hook ? hook(object) : object;
}

export function find(machinery: Machinery, entry: ResourceEntry, key: ObjectKey): KubeObject | undefined {
  if (entry.source) return entry.source.get(key);
  return machinery.store.get(entry.storage, entry.info.namespaced ? (key.namespace ?? "") : undefined, key.name);
}

/** The entry of the version that is stored: its rules and its apiVersion are those of the stored object. */
export const storedEntry = (machinery: Machinery, entry: ResourceEntry): ResourceEntry =>
  entry.conversion ? entryOf(machinery, entry.storage) : entry;
