/** Objects that EKS puts into a cluster and keeps there: server-side apply, with conflicts of field ownership told rather than thrown. */
import { withoutField } from "../../domain/field-path.js";
import {
  fieldConflicts,
  hasReplicas,
  isManagedBy,
  isWrittenOtherwise,
  type ObservedDeployment,
  type ObservedObject,
} from "../../domain/kubernetes-objects.js";
import type { ApplyMode, ClusterObject, ClusterObjects, FieldConflict } from "../backend.js";
import { asBackendError, type KubeClient, KubeRefusal } from "./kube-client.js";
import { objectPath, pathResolver } from "./resource-paths.js";

/** Fields are left to others at most this many times over: each time the conflicts that remain are left too. */
const ATTEMPTS = 3;
const APPLY = "application/apply-patch+yaml";
const DEPLOYMENTS = "deployments.apps";

interface LiveObject extends ObservedObject {
  metadata: ObservedObject["metadata"] & { resourceVersion?: string };
}

/** `clientOf` throws for clusters that are not held. */
export function clusterObjects(clientOf: (clusterId: string) => KubeClient): ClusterObjects {
  return {
    apply: async (clusterId, objects, { manager, mode }) => {
      const client = clientOf(clusterId);
      return asBackendError(async () => {
        if (mode === "refuse") {
          const conflicts = await eachConflict(objects, (entry) => tryOut(client, entry, manager));
          if (conflicts.length > 0) return conflicts;
        }
        const left = await eachConflict(objects, (entry) => apply(client, entry, { manager, mode }));
        if (left.length === 0) for (const entry of objects) await takeOver(client, entry, manager);
        return left;
      });
    },

    remove: async (clusterId, names, { manager }) => {
      const client = clientOf(clusterId);
      const pathOf = pathResolver(client);
      await asBackendError(async () => {
        for (const name of names) {
          const path = await pathOf(name);
          // Something of the same name may be somebody else's.
          if (path === undefined || !isManagedBy(await client.get<LiveObject>(path), manager)) continue;
          await removeObject(client, path);
        }
      });
    },

    replicas: async (clusterId, names) => {
      const client = clientOf(clusterId);
      const pathOf = pathResolver(client);
      return asBackendError(async () => {
        const missing: string[] = [];
        const lacking: string[] = [];
        for (const name of names.filter(({ resource }) => resource === DEPLOYMENTS)) {
          const path = await pathOf(name);
          const object = path === undefined ? undefined : await client.get<ObservedDeployment>(path);
          if (!object) missing.push(name.name);
          else if (!hasReplicas(object)) lacking.push(name.name);
        }
        return { missing, lacking };
      });
    },
  };
}

async function removeObject(client: KubeClient, path: string): Promise<void> {
  try {
    await client.request("DELETE", path, { query: { propagationPolicy: "Background" } });
  } catch (error) {
    if (!(error instanceof KubeRefusal && error.status === 404)) throw error;
  }
}

async function eachConflict(
  objects: readonly ClusterObject[],
  work: (entry: ClusterObject) => Promise<FieldConflict[]>,
): Promise<FieldConflict[]> {
  const conflicts: FieldConflict[] = [];
  for (const entry of objects) conflicts.push(...(await work(entry)));
  return conflicts;
}

const patch = (
  client: KubeClient,
  { resource, object }: ClusterObject,
  query: Readonly<Record<string, string>>,
): Promise<unknown> =>
  client.request("PATCH", objectPath({ resource, object }), { contentType: APPLY, body: object, query });

/** What is not there yet cannot be in conflict, and its namespace may not be there either. */
async function tryOut(client: KubeClient, entry: ClusterObject, manager: string): Promise<FieldConflict[]> {
  if (!(await client.get(objectPath(entry)))) return [];
  return conflictsOf(entry, () => patch(client, entry, { fieldManager: manager, dryRun: "All" }));
}

async function apply(
  client: KubeClient,
  entry: ClusterObject,
  { manager, mode }: { manager: string; mode: ApplyMode },
): Promise<FieldConflict[]> {
  const query = { fieldManager: manager, ...(mode === "take" ? { force: "true" } : {}) };
  let { object } = entry;
  for (let attempt = 1; ; attempt++) {
    const conflicts = await conflictsOf(entry, () => patch(client, { ...entry, object }, query));
    if (mode !== "leave" || conflicts.length === 0 || attempt === ATTEMPTS) return conflicts;
    object = conflicts.reduce((kept, { field }) => withoutField(kept, field), object);
  }
}

/**
 * What the manager once wrote in another way than by apply is applied now: were it left as a second owner, later changes would be in conflict with
 * their own past.
 */
async function takeOver(client: KubeClient, entry: ClusterObject, manager: string): Promise<void> {
  const path = objectPath(entry);
  const live = await client.get<LiveObject>(path);
  const entries = live?.metadata.managedFields ?? [];
  const kept = entries.filter((entry) => !isWrittenOtherwise(entry, manager));
  if (!live || kept.length === entries.length) return;
  const body = { ...live, metadata: { ...live.metadata, managedFields: kept } };
  await client.request("PUT", path, { body, query: { fieldManager: manager } });
}

async function conflictsOf({ object }: ClusterObject, work: () => Promise<unknown>): Promise<FieldConflict[]> {
  try {
    await work();
    return [];
  } catch (error) {
    const causes = error instanceof KubeRefusal && error.status === 409 ? error.causes : [];
    const conflicts = fieldConflicts(object, causes);
    if (conflicts.length === 0) throw error;
    return conflicts;
  }
}
