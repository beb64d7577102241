/** The bridge from client-side apply: the annotation in which `kubectl apply` keeps what it sent last. */
import type { Draft, KubeObject } from "../object.js";
import { compareObjects, everyDifference, ownedFields } from "./compare.js";
import { difference, type MaybeFieldSet } from "./field-set.js";
import { isObject } from "./json.js";
import { withoutManagedFields } from "./managers.js";
import type { Shape } from "./shape.js";

const ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration";

/** Fields that client-side apply set and that still have the value it gave them. */
export function lastAppliedFields(shape: Shape, live: KubeObject): MaybeFieldSet {
  const lastApplied = parse(live.metadata.annotations?.[ANNOTATION]);
  if (!lastApplied) return undefined;
  const changes = compareObjects(shape, lastApplied, withoutManagedFields(live));
  return difference(ownedFields(shape, lastApplied), everyDifference(changes));
}

/** Keeps the annotation in step when server-side apply of kubectl meets an object that has it. */
export function withLastApplied(object: KubeObject, applied: Draft<KubeObject>): KubeObject {
  if (!object.metadata.annotations?.[ANNOTATION]) return object;
  const annotations = {
    ...object.metadata.annotations,
    [ANNOTATION]: `${sortedJson(withoutAnnotation(applied))}\n`,
  };
  return { ...object, metadata: { ...object.metadata, annotations } };
}

function withoutAnnotation(applied: Draft<KubeObject>): Draft<KubeObject> {
  const { [ANNOTATION]: _, ...annotations } = applied.metadata?.annotations ?? {};
  return { ...applied, metadata: { ...applied.metadata, annotations } };
}

/** JSON with members in order of their names, as Go writes maps. */
const sortedJson = (value: unknown): string =>
  JSON.stringify(value, (_, member: unknown) =>
    isObject(member) ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1))) : member,
  );

function parse(text: string | undefined): Record<string, unknown> | undefined {
  if (!text) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // The annotation is the user's to spoil; a broken one proves nothing.
    return undefined;
  }
}
