/** From a selector to what it means now: names are looked up, shares are drawn by the fault's seed. What came of it goes into the fault's record. */
import { createRandom } from "../clock/random.js";
import { DomainError } from "../domain/errors.js";
import type { FaultDefinition, FaultTarget, ResolvedTargets } from "../domain/faults/index.js";
import type { ClusterRecord, Scope } from "../domain/model.js";
import type { State } from "../state/state.js";
import { nodesMeant } from "./node-targets.js";
import { podsMeant } from "./pod-targets.js";
import { LISTED, listed, someOf, type TargetSources } from "./target-search.js";

/** The clusters that are meant. Throws ResourceNotFoundException for one that is not there. */
export function clustersMeant(state: State, scope: Scope, name: string | undefined): ClusterRecord[] {
  if (name === undefined) {
    return state.clusters
      .all()
      .filter(({ accountId, region }) => accountId === scope.accountId && region === scope.region);
  }
  const cluster = state.clusters.get({ ...scope, name });
  if (cluster) return [cluster];
  const names = state.clusters.names(scope, { limit: LISTED });
  throw new DomainError(
    "ResourceNotFoundException",
    `No cluster found for name: ${name}. ${names.length > 0 ? listed("Clusters", names) : `Account ${scope.accountId} has none in ${scope.region}.`}`,
    { clusterName: name },
  );
}

/** Throws ResourceNotFoundException when the selector names something that is not there. */
export function checkNames(state: State, scope: Scope, target: FaultTarget): void {
  for (const cluster of clustersMeant(state, scope, target.cluster)) {
    const { nodegroup } = target;
    if (nodegroup === undefined || state.nodegroups.get(cluster, nodegroup)) continue;
    const known = state.nodegroups.names(cluster, { limit: LISTED });
    throw new DomainError(
      "ResourceNotFoundException",
      `No node group found for name: ${nodegroup}. ${listed("Node groups", known)}`,
      { clusterName: cluster.name, nodegroupName: nodegroup },
    );
  }
}

/** Throws EmptyTargets, ResourceNotFoundException for names that are not there, and InvalidParameterException for counts beyond what there is. */
export async function resolveTargets(
  sources: TargetSources,
  scope: Scope,
  { definition, target, seed }: { definition: FaultDefinition; target: FaultTarget; seed: number },
): Promise<ResolvedTargets> {
  checkNames(sources.state, scope, target);
  const clusters = clustersMeant(sources.state, scope, target.cluster);
  const choose = <T>(items: readonly T[], what: string): T[] => chosen(items, target, seed, what);
  switch (definition.target.type) {
    case "account":
      return { clusterIds: [] };
    case "zone":
      return { zone: target.zone ?? "", newcomers: true };
    case "cluster":
      return { clusterIds: someOf(clusters, "There is no cluster that it could mean.").map(({ id }) => id) };
    case "nodegroup":
      return groupsMeant(sources, clusters, target);
    case "master":
      return mastersMeant(sources, clusters, { definition, target, seed });
    case "node": {
      const found = await nodesMeant(sources, clusters, definition, target);
      const nodes = choose(found, "nodes");
      const isOfAll = !definition.target.onlyFound && target.nodes === undefined && target.labels === undefined;
      const rest = standing(target, isOfAll);
      return { ...clusterIdsOf(nodes, rest, clusters, target), nodes, ...rest };
    }
    case "pod": {
      const found = await podsMeant(sources, clusters, target);
      const pods = choose(found, "pods");
      const rest = standing(target, target.pods === undefined && target.nodes === undefined);
      return { ...clusterIdsOf(pods, rest, clusters, target), pods, ...rest };
    }
  }
}

/** A zone means newcomers too, unless some were picked out. */
function standing(
  { zone, count, percent }: FaultTarget,
  unnamed: boolean,
): Pick<ResolvedTargets, "zone" | "newcomers"> {
  if (zone === undefined) return {};
  return { zone, ...(unnamed && count === undefined && percent === undefined ? { newcomers: true } : {}) };
}

/** Clusters of what was found; where newcomers count, any cluster, unless one was named. */
function clusterIdsOf(
  found: readonly { clusterId: string }[],
  { newcomers }: Pick<ResolvedTargets, "newcomers">,
  clusters: readonly ClusterRecord[],
  { cluster }: FaultTarget,
): Pick<ResolvedTargets, "clusterIds"> {
  if (newcomers) return cluster === undefined ? {} : { clusterIds: clusters.map(({ id }) => id) };
  return { clusterIds: [...new Set(found.map(({ clusterId }) => clusterId))] };
}

/** As many as the selector asks for, in the order in which they were found. */
function chosen<T>(items: readonly T[], { count, percent }: FaultTarget, seed: number, what: string): T[] {
  if (count === undefined && percent === undefined) return [...items];
  if (count !== undefined && count > items.length)
    throw new DomainError(
      "InvalidParameterException",
      `count is ${count}, but only ${items.length} ${what} are meant.`,
    );
  const size = count ?? Math.ceil((items.length * (percent ?? 100)) / 100);
  const picked = new Set(
    createRandom(seed, "targets")
      .shuffle(items.map((_, index) => index))
      .slice(0, size),
  );
  return items.filter((_, index) => picked.has(index));
}

function groupsMeant(
  { state }: TargetSources,
  clusters: readonly ClusterRecord[],
  { nodegroup }: FaultTarget,
): ResolvedTargets {
  const groups = clusters.flatMap((cluster) =>
    state.nodegroups
      .list(cluster.id)
      .filter(({ name }) => nodegroup === undefined || name === nodegroup)
      .map(({ name }) => ({ clusterId: cluster.id, name })),
  );
  return { clusterIds: clusters.map(({ id }) => id), nodegroups: groups };
}

function mastersMeant(
  { state }: TargetSources,
  clusters: readonly ClusterRecord[],
  { definition, target, seed }: { definition: FaultDefinition; target: FaultTarget; seed: number },
): ResolvedTargets {
  const masters = clusters.flatMap((cluster) => {
    const all = state.members
      .list(cluster.id)
      .filter(({ zone, status }) => status === "READY" && (target.zone === undefined || target.zone === zone));
    const wanted = target.count ?? (target.zone === undefined ? (definition.target.masters ?? 1) : all.length);
    return chosen(all, { count: Math.min(wanted, all.length) }, seed, "masters").map(({ id, zone }) => ({
      clusterId: cluster.id,
      id,
      zone,
    }));
  });
  someOf(masters, `There is no running master ${target.zone ? `in ${target.zone} ` : ""}that it could mean.`);
  return {
    clusterIds: [...new Set(masters.map(({ clusterId }) => clusterId))],
    masters,
    ...(target.zone ? { zone: target.zone } : {}),
  };
}
