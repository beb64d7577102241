/** Rows against what the backends find outside the process: what no row stands for is garbage. */
import { BackendError, type ClusterBackend, type Orphan } from "../backends/backend.js";
import { DomainError } from "../domain/errors.js";
import type { State } from "../state/state.js";

/** Rejects with InvalidRequestException in the words of the tool where a backend cannot look. */
export async function collectGarbage(
  { state, backends }: { state: Pick<State, "clusters" | "instances" | "members">; backends: Iterable<ClusterBackend> },
  { remove }: { remove: boolean },
): Promise<Orphan[]> {
  const orphans: Orphan[] = [];
  for (const backend of backends) {
    const known = () =>
      state.clusters
        .all()
        .filter((cluster) => cluster.backend === backend.name)
        .map(({ id }) => ({
          clusterId: id,
          instanceIds: state.instances.ofCluster(id).map(({ instanceId }) => instanceId),
          memberIds: state.members.list(id).map((member) => member.id),
        }));
    try {
      orphans.push(...((await backend.collectGarbage?.(known, { remove })) ?? []));
    } catch (error) {
      if (!(error instanceof BackendError)) throw error;
      throw new DomainError("InvalidRequestException", error.message);
    }
  }
  return orphans;
}
