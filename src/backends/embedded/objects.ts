/** Objects that EKS puts into a cluster and keeps there: server-side apply, with conflicts of field ownership told rather than thrown. */
import { withoutField } from "../../domain/field-path.js";
import {
  fieldConflicts,
  hasReplicas,
  isManagedBy,
  isWrittenOtherwise,
  type ObservedDeployment,
} from "../../domain/kubernetes-objects.js";
import { deploymentChanges } from "../../domain/observed-changes.js";
import type { KubeApi } from "../../kubernetes/api.js";
import { isStatusError } from "../../kubernetes/errors.js";
import type { KubeObject } from "../../kubernetes/object.js";
import type { ApplyMode, ClusterObject, ClusterObjects, FieldConflict, Observation } from "../backend.js";
import { asBackendError } from "./api-calls.js";

/** Fields are left to others at most this many times over: each time the conflicts that remain are left too. */
const ATTEMPTS = 3;

/** `apiOf` gives a cluster's API server as the manager of add-ons; it throws for clusters that are not held. */
export function clusterObjects(apiOf: (clusterId: string, manager: string) => KubeApi): ClusterObjects {
  return {
    async apply(clusterId, objects, { manager, mode }) {
      const api = apiOf(clusterId, manager);
      return asBackendError(async () => {
        if (mode === "refuse") {
          const conflicts = await eachConflict(objects, (entry) => tryOut(api, entry));
          if (conflicts.length > 0) return conflicts;
        }
        const left = await eachConflict(objects, (entry) => apply(api, entry, mode));
        if (left.length === 0) for (const entry of objects) await takeOver(api, entry, manager);
        return left;
      });
    },

    async remove(clusterId, names, { manager }) {
      const api = apiOf(clusterId, manager);
      await asBackendError(async () => {
        for (const { resource, ...key } of names) {
          // Something of the same name may be somebody else's.
          if (!isManagedBy(api.get(resource, key), manager)) continue;
          try {
            await api.delete(resource, key, { propagationPolicy: "Background" });
          } catch (error) {
            if (!isStatusError(error, "NotFound")) throw error;
          }
        }
      });
    },

    async replicas(clusterId, names, { manager }) {
      const api = apiOf(clusterId, manager);
      const deployments = names.filter(({ resource }) => resource === DEPLOYMENTS);
      const found = deployments.map(({ resource, ...key }) => ({ key, object: api.get<Deployment>(resource, key) }));
      const listed = (kept: (object: Deployment | undefined) => boolean): string[] =>
        found.filter(({ object }) => kept(object)).map(({ key }) => key.name);
      return {
        missing: listed((object) => !object),
        lacking: listed((object) => object !== undefined && !hasReplicas(object)),
      };
    },
  };
}

async function eachConflict(
  objects: readonly ClusterObject[],
  work: (entry: ClusterObject) => Promise<FieldConflict[]>,
): Promise<FieldConflict[]> {
  const conflicts: FieldConflict[] = [];
  for (const entry of objects) conflicts.push(...(await work(entry)));
  return conflicts;
}

const keyOf = ({ object }: ClusterObject): { name: string; namespace?: string } => {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? { name } : { name, namespace };
};

/** What is not there yet cannot be in conflict, and its namespace may not be there either. */
async function tryOut(api: KubeApi, entry: ClusterObject): Promise<FieldConflict[]> {
  if (!api.get(entry.resource, keyOf(entry))) return [];
  return conflictsOf(entry, () => api.apply(entry.resource, entry.object, { dryRun: true }));
}

async function apply(api: KubeApi, entry: ClusterObject, mode: ApplyMode): Promise<FieldConflict[]> {
  let { object } = entry;
  for (let attempt = 1; ; attempt++) {
    const conflicts = await conflictsOf(entry, () => api.apply(entry.resource, object, { force: mode === "take" }));
    if (mode !== "leave" || conflicts.length === 0 || attempt === ATTEMPTS) return conflicts;
    object = conflicts.reduce((kept, { field }) => withoutField(kept, field), object);
  }
}

/**
 * What the manager once wrote in another way than by apply is applied now: were it left as a second owner, later changes would be in conflict with
 * their own past.
 */
async function takeOver(api: KubeApi, entry: ClusterObject, manager: string): Promise<void> {
  const live = api.get(entry.resource, keyOf(entry));
  const entries = live?.metadata.managedFields ?? [];
  const kept = entries.filter((entry) => !isWrittenOtherwise(entry, manager));
  if (!live || kept.length === entries.length) return;
  await api.update(
    entry.resource,
    { ...live, metadata: { ...live.metadata, managedFields: kept } },
    { fieldManager: manager },
  );
}

async function conflictsOf({ object }: ClusterObject, work: () => Promise<unknown>): Promise<FieldConflict[]> {
  try {
    await work();
    return [];
  } catch (error) {
    const causes = isStatusError(error, "Conflict") ? (error.details?.causes ?? []) : [];
    const conflicts = fieldConflicts(object, causes);
    if (conflicts.length === 0) throw error;
    return conflicts;
  }
}

const DEPLOYMENTS = "deployments.apps";

type Deployment = KubeObject & ObservedDeployment;

/** Tells of every present Deployment of a manager at once, and then whenever one begins or ceases to have its replicas. Returns how to stop. */
export const observeDeployments = (
  api: KubeApi,
  manager: string,
  listener: (observation: Observation) => void,
): (() => void) => api.watch<Deployment>(DEPLOYMENTS, deploymentChanges(manager, listener));
