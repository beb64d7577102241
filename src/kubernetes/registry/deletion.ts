import { formatSeconds } from "../../clock/clock.js";
import type { DeleteOptions } from "../api.js";
import { conflict, notFound } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import type { ResourceEntry } from "./catalogue.js";
import { admit, type Caller, find, type Machinery } from "./machinery.js";

const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";

/** Kinds whose dependents stay when nobody says otherwise, for compatibility with old clients. All others delete in the background. */
const ORPHAN_BY_DEFAULT = new Set(["replicationcontrollers", "jobs.batch"]);

export interface Deletion {
  /** The last state when it is gone, else the present one, marked for deletion. */
  object: KubeObject;
  gone: boolean;
}

/** True for an object on its way out that nothing holds any more: no finalizer, and no grace that its kubelet has yet to end. */
export function endsWithThisWrite(entry: ResourceEntry, object: KubeObject): boolean {
  const { metadata } = object;
  return (
    metadata.deletionTimestamp !== undefined &&
    (metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
    !isHeld(entry, object)
  );
}

function isHeld(entry: ResourceEntry, object: KubeObject): boolean {
  if (object.metadata.finalizers?.length) return true;
  // A namespace has finalizers of its own kind in its spec: the namespace controller empties them when everything inside is gone.
  if (entry.storage !== "namespaces") return false;
  return ((object.spec as { finalizers?: string[] } | undefined)?.finalizers?.length ?? 0) > 0;
}

/** Deletes, or marks for deletion while finalizers or a grace period hold the object. */
export async function deleteObject(
  machinery: Machinery,
  entry: ResourceEntry,
  caller: Caller,
  key: ObjectKey,
  options: DeleteOptions,
): Promise<Deletion> {
  machinery.assertAvailable();
  const { info } = entry;
  let current = find(machinery, entry, key);
  if (!current) throw notFound(info.group, info.resource, key.name);
  checkPreconditions(entry, current, options);
  const admitting = admit(machinery, "validate", {
    operation: "DELETE",
    info,
    namespace: current.metadata.namespace,
    name: current.metadata.name,
    user: caller.user,
    dryRun: options.dryRun ?? false,
    patient: caller.patient,
    previous: current,
  });
  if (admitting) {
    await admitting;
    current = find(machinery, entry, key);
    if (!current) throw notFound(info.group, info.resource, key.name);
    checkPreconditions(entry, current, options);
  }

  const marked = mark(machinery, entry, current, options);
  const gone = endsWithThisWrite(entry, marked);
  if (options.dryRun) return { object: marked, gone };
  if (gone) return { object: machinery.store.remove(entry.storage, current), gone };
  if (marked === current) return { object: current, gone };
  return { object: machinery.store.put(entry.storage, marked), gone };
}

function checkPreconditions(entry: ResourceEntry, current: KubeObject, { preconditions }: DeleteOptions): void {
  const { info } = entry;
  const { uid, resourceVersion, name } = current.metadata;
  const refuse = (what: string, wanted: string, found: string, perhaps: string): never => {
    const why = `the ${what} in the precondition (${wanted}) does not match the ${what} in record (${found}). The object might have been ${perhaps}`;
    // Here, and only here, it is the kind that goes by the name of a resource.
    throw conflict(info.group, info.kind, name, why);
  };
  if (preconditions?.uid && preconditions.uid !== uid)
    refuse("UID", preconditions.uid, uid, "deleted and then recreated");
  if (preconditions?.resourceVersion && preconditions.resourceVersion !== resourceVersion)
    refuse("ResourceVersion", preconditions.resourceVersion, resourceVersion, "modified");
}

/** The object with the marks of this deletion; itself when they are all there already. */
function mark(machinery: Machinery, entry: ResourceEntry, current: KubeObject, options: DeleteOptions): KubeObject {
  const { metadata } = current;
  const nowMs = machinery.clock.now();
  const wantedGrace = Math.max(0, entry.strategy.deleteGracePeriodSeconds?.(current, options.gracePeriodSeconds) ?? 0);
  const finalizers = finalizersAfter(entry, metadata.finalizers, options.propagationPolicy);
  const next: KubeObject = { ...current, metadata: { ...metadata } };
  if (finalizers.length > 0) next.metadata.finalizers = finalizers;
  else delete next.metadata.finalizers;

  if (metadata.deletionTimestamp === undefined) {
    next.metadata.deletionTimestamp = formatSeconds(nowMs + wantedGrace * 1000);
    next.metadata.deletionGracePeriodSeconds = wantedGrace;
    if (metadata.generation) next.metadata.generation = metadata.generation + 1;
    entry.strategy.prepareForDelete?.(next, nowMs);
    if (entry.storage === "namespaces") next.status = { ...(current.status as object), phase: "Terminating" };
    return next;
  }
  // A second deletion can only shorten the grace period; it counts from when the first one began.
  const presentGrace = metadata.deletionGracePeriodSeconds ?? 0;
  const shortens =
    wantedGrace < presentGrace &&
    (options.gracePeriodSeconds !== undefined || entry.strategy.deleteGracePeriodSeconds === undefined);
  if (shortens) {
    const begunMs = Date.parse(metadata.deletionTimestamp) - presentGrace * 1000;
    next.metadata.deletionTimestamp = formatSeconds(begunMs + wantedGrace * 1000);
    next.metadata.deletionGracePeriodSeconds = wantedGrace;
    return next;
  }
  return sameList(finalizers, metadata.finalizers ?? []) ? current : next;
}

function finalizersAfter(
  entry: ResourceEntry,
  present: readonly string[] | undefined,
  policy: DeleteOptions["propagationPolicy"],
): string[] {
  const others = (present ?? []).filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  if (policy === "Orphan") return [...others, ORPHAN];
  if (policy === "Foreground") return [...others, FOREGROUND];
  if (policy === "Background") return others;
  // Without a word from the caller, what an earlier deletion or the object itself asked for stands.
  if (present?.includes(ORPHAN) || present?.includes(FOREGROUND)) return [...present];
  return ORPHAN_BY_DEFAULT.has(entry.storage) ? [...others, ORPHAN] : others;
}

const sameList = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((item, index) => item === b[index]);
