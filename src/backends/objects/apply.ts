/** Applying the objects that EKS keeps in a cluster, on any backend: in order, with conflicts of field ownership told rather than thrown. */
import { withoutField } from "../../domain/field-path.js";
import { fieldConflicts, isWrittenOtherwise, type ObservedObject } from "../../domain/kubernetes-objects.js";
import type { ApplyMode, ClusterObject, FieldConflict } from "../contract/objects.js";

/** One object at a time, written under the name of the manager in a backend's own way. */
export interface ObjectWriter<Live extends ObservedObject> {
  find(entry: ClusterObject): Promise<Live | undefined> | Live | undefined;
  /** Server-side apply. */
  apply(entry: ClusterObject, how: "try" | "apply" | "force"): Promise<unknown>;
  replace(entry: ClusterObject, object: Live): Promise<unknown>;
  /** What a refusal by reason of conflicts gives as its causes; none of any other error. */
  causesOf(error: unknown): readonly { reason?: string; field?: string }[];
}

/** Fields are left to others at most this many times over: each time the conflicts that remain are left too. */
const ATTEMPTS = 3;

/** As `ClusterObjects.apply` says. Rejects with what the writer rejects with, but for conflicts. */
export async function applyObjects<Live extends ObservedObject>(
  writer: ObjectWriter<Live>,
  objects: readonly ClusterObject[],
  { manager, mode }: { manager: string; mode: ApplyMode },
): Promise<FieldConflict[]> {
  if (mode === "refuse") {
    const conflicts = await eachConflict(objects, (entry) => tryOut(writer, entry));
    if (conflicts.length > 0) return conflicts;
  }
  const left = await eachConflict(objects, (entry) => applyOne(writer, entry, mode));
  if (left.length === 0) for (const entry of objects) await takeOver(writer, entry, manager);
  return left;
}

async function eachConflict(
  objects: readonly ClusterObject[],
  work: (entry: ClusterObject) => Promise<FieldConflict[]>,
): Promise<FieldConflict[]> {
  const conflicts: FieldConflict[] = [];
  for (const entry of objects) conflicts.push(...(await work(entry)));
  return conflicts;
}

/** What is not there yet cannot be in conflict, and its namespace may not be there either. */
async function tryOut<Live extends ObservedObject>(
  writer: ObjectWriter<Live>,
  entry: ClusterObject,
): Promise<FieldConflict[]> {
  return (await writer.find(entry)) ? conflictsOf(writer, entry, "try") : [];
}

async function applyOne<Live extends ObservedObject>(
  writer: ObjectWriter<Live>,
  entry: ClusterObject,
  mode: ApplyMode,
): Promise<FieldConflict[]> {
  let { object } = entry;
  for (let attempt = 1; ; attempt++) {
    const conflicts = await conflictsOf(writer, { ...entry, object }, mode === "take" ? "force" : "apply");
    if (mode !== "leave" || conflicts.length === 0 || attempt === ATTEMPTS) return conflicts;
    object = conflicts.reduce((kept, { field }) => withoutField(kept, field), object);
  }
}

async function conflictsOf<Live extends ObservedObject>(
  writer: ObjectWriter<Live>,
  entry: ClusterObject,
  how: "try" | "apply" | "force",
): Promise<FieldConflict[]> {
  try {
    await writer.apply(entry, how);
    return [];
  } catch (error) {
    const conflicts = fieldConflicts(entry.object, writer.causesOf(error));
    if (conflicts.length === 0) throw error;
    return conflicts;
  }
}

/**
 * What the manager once wrote in another way than by apply is applied now: were it left as a second owner, later changes would be in conflict with
 * their own past.
 */
async function takeOver<Live extends ObservedObject>(
  writer: ObjectWriter<Live>,
  entry: ClusterObject,
  manager: string,
): Promise<void> {
  const live = await writer.find(entry);
  const owners = live?.metadata.managedFields ?? [];
  const kept = owners.filter((owner) => !isWrittenOtherwise(owner, manager));
  if (!live || kept.length === owners.length) return;
  await writer.replace(entry, { ...live, metadata: { ...live.metadata, managedFields: kept } });
}
