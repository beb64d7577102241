/** Why somebody may or may not do something in a cluster: what the backend, the rows and the directory know of it, put together. */
import { accessQuestion, type ExplainDependencies } from "../api/admin/explain-access.js";
import type { ClusterBackend } from "../backends/backend.js";
import { DomainError } from "../domain/errors.js";
import { explainAccess } from "../identity/explain-access.js";
import type { State } from "../state/state.js";
import type { Callers } from "./callers.js";

export const createExplainer =
  ({
    state,
    backends,
    directory,
    accessFor,
  }: Callers & { state: State; backends: ReadonlyMap<string, ClusterBackend> }): ExplainDependencies["explain"] =>
  async (cluster, arn, asked) => {
    const backend = backends.get(cluster.backend);
    const judge = cluster.status === "CREATING" ? undefined : backend?.accessJudge?.(cluster.id);
    if (!judge)
      throw new DomainError(
        "InvalidRequestException",
        `Nothing can be said of the access to cluster ${cluster.name} yet`,
      );
    return explainAccess(
      {
        cluster,
        entryOf: (key) => state.accessEntries.get(cluster.id, key),
        awsAuth: () => backend?.awsAuth?.(cluster.id),
        privateDnsNameOf: (instanceId) => state.instances.get(instanceId)?.privateDnsName,
        uniqueIdOf: directory.uniqueIdOf,
        refusals: accessFor(cluster.id).refusals,
        judge: judge.judge,
      },
      arn,
      asked && accessQuestion(asked, judge.resourceNamed),
    );
  };
