/**
 * Server-side apply: an applied object says what its manager wants and owns. Fields it applied before and no longer applies go away unless somebody
 * else owns them; changing what another manager owns is a conflict unless forced. The rules are those of Kubernetes' structured merge.
 */
import { badRequest, foreignError, type StatusCause, StatusError } from "../errors.js";
import type { Draft, KubeObject } from "../object.js";
import { appliedProblems } from "./apply-check.js";
import { compareObjects, ownedFields, withNamedContainers } from "./compare.js";
import { difference, intersection, type MaybeFieldSet, pathsOf, recursiveDifference, union } from "./field-set.js";
import { deepEqual, type JsonObject } from "./json.js";
import { lastAppliedFields, withLastApplied } from "./last-applied.js";
import { type Conflict, conflictsOf, dispossess, exclude } from "./managed-fields.js";
import {
  identityOf,
  ignoredFields,
  type Manager,
  type Managers,
  type Ownership,
  type PatchSchema,
  readManagers,
  timeOf,
  withoutManagedFields,
  withoutServerFields,
  writeManagers,
} from "./managers.js";
import { type Shape, shapeOf } from "./shape.js";
import { overlay, withoutFields } from "./structured-merge.js";

export interface ApplyRequest {
  /** Name of the object's type in the schema tables; an unknown one is taken as a custom resource. */
  typeName: string;
  /** For types that are not in the tables; without it, objects are taken as they come. */
  schema?: PatchSchema | undefined;
  /** The stored object; absent when the apply creates it. */
  live?: KubeObject;
  /** Exactly what the client sent: nothing defaulted, nothing pruned. */
  applied: Draft<KubeObject>;
  /** What the client itself called it; absent: what `applied` says. */
  stated?: { namespace?: string; name?: string };
  manager: string;
  /** Takes fields from other managers instead of refusing. */
  force?: boolean;
  /** Version that the request is made in, e.g. `apps/v1`. */
  apiVersion: string;
  /** What the applied object must be; absent: anything. */
  kind?: string;
  subresource?: string;
  nowMs: number;
}

export interface ApplyResult {
  /** Merged object with its new managedFields, not yet defaulted. The very `live` object when the apply changes nothing at all. */
  object: KubeObject;
  changed: boolean;
}

/** The only manager whose client-side apply past is taken over. */
const KUBECTL = "kubectl";

/**
 * Applies under `manager`.
 * @throws StatusError 409 Conflict with one FieldManagerConflict cause a field; 400 for another apiVersion and for managedFields in the applied object;
 * 500 for one that does not fit its schema: upstream passes on what its merge says, without a reason.
 */
export function applyServerSide(request: ApplyRequest): ApplyResult {
  const shape = request.schema?.shape ?? shapeOf(request.typeName);
  checkApplied(shape, request);
  const attempt = applyOnce(shape, request, request.force === true);
  if (attempt.conflicts.length === 0) return attempt.result;
  // kubectl taking its own client-side apply over: what the last-applied annotation put there and nobody changed since is its own.
  if (request.manager === KUBECTL && request.live) {
    const own = lastAppliedFields(shape, request.live);
    const foreign = attempt.conflicts.flatMap(({ manager, fields }) => {
      const rest = difference(fields, own);
      return rest === undefined ? [] : [{ manager, fields: rest }];
    });
    if (foreign.length === 0) return applyOnce(shape, request, true).result;
    throw conflictError(foreign);
  }
  throw conflictError(attempt.conflicts);
}

function applyOnce(
  shape: Shape,
  request: ApplyRequest,
  force: boolean,
): { result: ApplyResult; conflicts: Conflict[] } {
  const { typeName, schema, live, applied, apiVersion, subresource = "" } = request;
  const liveObject = live && withoutManagedFields(live);
  const ignored = ignoredFields(typeName, subresource, schema);
  const managers = readManagers(live?.metadata.managedFields);
  const applier: Manager = { name: request.manager, operation: "Apply", apiVersion, subresource };
  const identity = identityOf(applier);
  const last = managers.get(identity);

  const claimed = recursiveDifference(ownedFields(shape, applied), ignored);
  const claims = new Map<string, MaybeFieldSet>([...managers].map(([id, ownership]) => [id, ownership.fields]));
  claims.set(identity, claimed);
  const merged = overlay(shape, liveObject ?? {}, applied) as KubeObject;
  const pruned = prune(shape, merged, last?.fields, claims, identity);

  const changes = exclude(compareObjects(shape, liveObject as JsonObject | undefined, pruned as JsonObject), ignored);
  const conflicts = conflictsOf(managers, changes, identity);
  if (conflicts.length > 0 && !force) return { result: { object: pruned, changed: true }, conflicts };

  dispossess(managers, changes, identity);
  const own = withoutServerFields(difference(claimed, changes.removed));
  const unchanged = liveObject !== undefined && deepEqual(liveObject, pruned);
  if (own === undefined) managers.delete(identity);
  else managers.set(identity, ownershipAfter(applier, own, last, unchanged, request.nowMs));
  if (live && unchanged && sameManagers(managers, live))
    return { result: { object: live, changed: false }, conflicts: [] };

  const synced = request.manager === KUBECTL && !unchanged ? withLastApplied(pruned, applied) : pruned;
  const managedFields = writeManagers(managers);
  // An object that says nothing but its name owns nothing.
  const object = { ...synced, metadata: { ...synced.metadata, ...(managedFields ? { managedFields } : {}) } };
  return { result: { object, changed: true }, conflicts: [] };
}

/** An apply that changes nothing keeps its time, so that it does not become a write. */
function ownershipAfter(
  applier: Manager,
  fields: NonNullable<MaybeFieldSet>,
  last: Ownership | undefined,
  unchanged: boolean,
  nowMs: number,
): Ownership {
  const quiet = unchanged && last?.apiVersion === applier.apiVersion && deepEqual(last.fields, fields);
  return { ...applier, fields, time: quiet && last?.time ? last.time : timeOf(nowMs) };
}

const sameManagers = (managers: Managers, live: KubeObject): boolean =>
  deepEqual(writeManagers(managers) ?? [], live.metadata.managedFields ?? []);

/** Removes what the applier applied last time but not now, and nobody else claims. */
function prune(
  shape: Shape,
  merged: KubeObject,
  last: MaybeFieldSet,
  claims: ReadonlyMap<string, MaybeFieldSet>,
  identity: string,
): KubeObject {
  if (difference(last, claims.get(identity)) === undefined) return merged;
  const removable = withNamedContainers(shape, last);
  let stripped = (withoutFields(shape, merged, removable) ?? {}) as KubeObject;

  const inMerged = withNamedContainers(shape, ownedFields(shape, merged));
  let claimed: MaybeFieldSet;
  for (const set of claims.values()) claimed = union(claimed, set);
  const keptOrClaimed = union(
    withNamedContainers(shape, ownedFields(shape, stripped)),
    withNamedContainers(shape, claimed),
  );
  stripped = (withoutFields(shape, merged, difference(inMerged, keptOrClaimed)) ?? {}) as KubeObject;

  // Only what this manager had applied may go; whatever else hung below it stays.
  const inStripped = withNamedContainers(shape, ownedFields(shape, stripped));
  const gone = intersection(difference(inMerged, inStripped), removable);
  return (withoutFields(shape, merged, gone) ?? {}) as KubeObject;
}

function checkApplied(
  shape: Shape,
  { applied, apiVersion, kind, stated = applied.metadata ?? {} }: ApplyRequest,
): void {
  const gvk = `${(applied.apiVersion ?? "").includes("/") ? applied.apiVersion : `/${applied.apiVersion ?? ""}`}, Kind=${applied.kind ?? ""}`;
  if (!applied.apiVersion || !applied.kind || (kind !== undefined && applied.kind !== kind))
    throw badRequest(`invalid object type: ${gvk}`);
  if (applied.apiVersion !== apiVersion) {
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${applied.apiVersion ?? ""}, expected: ${apiVersion}`,
    );
  }
  if (applied.metadata?.managedFields !== undefined) throw badRequest("metadata.managedFields must be nil");
  const problems = appliedProblems(shape, applied);
  if (problems.length === 0) return;
  const { namespace, name } = stated;
  const listed =
    problems.length === 1 ? problems[0] : ["errors:", ...problems.map((problem) => `  ${problem}`)].join("\n");
  throw foreignError(`failed to create typed patch object (${namespace ?? ""}/${name ?? ""}; ${gvk}): ${listed}`);
}

/** 409 with a cause for every field in conflict, in upstream's words. */
function conflictError(conflicts: readonly Conflict[]): StatusError {
  const byManager = new Map<string, string[]>();
  for (const { manager, fields } of conflicts) {
    const name = managerText(manager);
    byManager.set(name, [...(byManager.get(name) ?? []), ...pathsOf(fields)]);
  }
  const sorted = [...byManager].sort(([a], [b]) => (a < b ? -1 : 1));
  const causes: StatusCause[] = sorted.flatMap(([name, paths]) =>
    paths.map((field) => ({ reason: "FieldManagerConflict", message: `conflict with ${name}`, field })),
  );
  const listed =
    causes.length === 1
      ? `1 conflict: ${causes[0]?.message}: ${causes[0]?.field}`
      : `${causes.length} conflicts: ${sorted.map(([name, paths]) => [`conflicts with ${name}:`, ...paths.map((path) => `- ${path}`)].join("\n")).join("\n")}`;
  return new StatusError(409, "Conflict", `Apply failed with ${listed}`, { causes });
}

function managerText({ name, operation, apiVersion, subresource }: Manager): string {
  const quoted = JSON.stringify(name) + (subresource ? ` with subresource ${JSON.stringify(subresource)}` : "");
  return operation === "Update" ? `${quoted} using ${apiVersion}` : quoted;
}
