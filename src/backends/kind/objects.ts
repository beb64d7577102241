/** Objects that EKS puts into a cluster and keeps there, by requests to its API server. */
import {
  hasReplicas,
  isManagedBy,
  type ObservedDeployment,
  type ObservedObject,
} from "../../domain/kubernetes-objects.js";
import type { ClusterObjects } from "../backend.js";
import { applyObjects, type ObjectWriter } from "../objects/apply.js";
import { asBackendError, type KubeClient, KubeRefusal } from "./kube-client.js";
import { objectPath, pathResolver } from "./resource-paths.js";

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
      return asBackendError(() => applyObjects(writerOf(client, manager), objects, { manager, mode }));
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

/** The API server's word for each way of applying. */
const APPLY_QUERIES = { try: { dryRun: "All" }, apply: {}, force: { force: "true" } };

const writerOf = (client: KubeClient, manager: string): ObjectWriter<LiveObject> => ({
  find: (entry) => client.get<LiveObject>(objectPath(entry)),
  apply: (entry, how) =>
    client.request("PATCH", objectPath(entry), {
      contentType: APPLY,
      body: entry.object,
      query: { fieldManager: manager, ...APPLY_QUERIES[how] },
    }),
  replace: (entry, object) =>
    client.request("PUT", objectPath(entry), { body: object, query: { fieldManager: manager } }),
  causesOf: (error) => (error instanceof KubeRefusal && error.status === 409 ? error.causes : []),
});
