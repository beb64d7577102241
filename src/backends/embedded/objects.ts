/** Objects that EKS puts into a cluster and keeps there, by the simulated API server of the process. */
import { hasReplicas, isManagedBy, type ObservedDeployment } from "../../domain/kubernetes-objects.js";
import { deploymentChanges } from "../../domain/observed-changes.js";
import type { KubeApi } from "../../kubernetes/api.js";
import { isStatusError } from "../../kubernetes/errors.js";
import type { KubeObject } from "../../kubernetes/object.js";
import type { ClusterObject, ClusterObjects, Observation } from "../backend.js";
import { applyObjects, type ObjectWriter } from "../objects/apply.js";
import { asBackendError } from "./api-calls.js";

/** `apiOf` gives a cluster's API server as the manager of add-ons; it throws for clusters that are not held. */
export function clusterObjects(apiOf: (clusterId: string, manager: string) => KubeApi): ClusterObjects {
  return {
    async apply(clusterId, objects, { manager, mode }) {
      const api = apiOf(clusterId, manager);
      return asBackendError(() => applyObjects(writerOf(api, manager), objects, { manager, mode }));
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

const keyOf = ({ object }: ClusterObject): { name: string; namespace?: string } => {
  const { name, namespace } = object.metadata;
  return namespace === undefined ? { name } : { name, namespace };
};

const writerOf = (api: KubeApi, manager: string): ObjectWriter<KubeObject> => ({
  find: (entry) => api.get(entry.resource, keyOf(entry)),
  apply: ({ resource, object }, how) => api.apply(resource, object, { dryRun: how === "try", force: how === "force" }),
  replace: ({ resource }, object) => api.update(resource, object, { fieldManager: manager }),
  causesOf: (error) => (isStatusError(error, "Conflict") ? (error.details?.causes ?? []) : []),
});

const DEPLOYMENTS = "deployments.apps";

type Deployment = KubeObject & ObservedDeployment;

/** Tells of every present Deployment of a manager at once, and then whenever one begins or ceases to have its replicas. Returns how to stop. */
export const observeDeployments = (
  api: KubeApi,
  manager: string,
  listener: (observation: Observation) => void,
): (() => void) => api.watch<Deployment>(DEPLOYMENTS, deploymentChanges(manager, listener));
