/** From a selector to what it means now: names are looked up, shares are drawn by the fault's seed. What came of it goes into the fault's record. */
import { BackendError, type ClusterBackend, type NodeFacts, type PodFacts } from "../backends/backend.js";
import { createRandom } from "../clock/random.js";
import { DomainError } from "../domain/errors.js";
import type { FaultDefinition, FaultTarget, ResolvedTargets, TargetNode } from "../domain/faults/index.js";
import type { ClusterRecord, InstanceRecord, Scope } from "../domain/model.js";
import { nodegroupLabels } from "../domain/node.js";
import type { State } from "../state/state.js";

export interface TargetSources {
  state: State;
  backendOf(cluster: ClusterRecord): ClusterBackend | undefined;
}

/** How many names an error lists. */
const LISTED = 10;

/** The clusters that are meant. Throws ResourceNotFoundException for one that is not there. */
export function clustersMeant(state: State, scope: Scope, name: string | undefined): ClusterRecord[] {
  if (name === undefined) {
    return state.clusters
      .all()
      .filter(({ accountId, region }) => accountId === scope.accountId && region === scope.region);
  }
  const cluster = state.clusters.get({ ...scope, name });
  if (cluster) return [cluster];
  throw new DomainError(
    "ResourceNotFoundException",
    `No cluster found for name: ${name}. ${listed("Clusters", state.clusters.names(scope, { limit: LISTED }))}`,
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

/** Nothing is there that the selector means. */
export class EmptyTargets extends DomainError {
  constructor(message: string) {
    super("InvalidParameterException", message);
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
      const rest = standing(target, target.nodes === undefined && target.labels === undefined);
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

function someOf<T>(items: readonly T[], otherwise: string): readonly T[] {
  if (items.length === 0) throw new EmptyTargets(otherwise);
  return items;
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
    return chosen(all, { count: Math.min(wanted, all.length) }, seed, "masters").map(({ id }) => ({
      clusterId: cluster.id,
      id,
    }));
  });
  someOf(masters, `There is no running master ${target.zone ? `in ${target.zone} ` : ""}that it could mean.`);
  return {
    clusterIds: [...new Set(masters.map(({ clusterId }) => clusterId))],
    masters,
    ...(target.zone ? { zone: target.zone } : {}),
  };
}

/** An instance that stands for a node, or a machine that no instance stands for. */
interface Candidate extends TargetNode {
  instance?: InstanceRecord;
  labels: Readonly<Record<string, string>>;
}

const hasLabels = (labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>> = {}): boolean =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value);

async function nodesMeant(
  sources: TargetSources,
  clusters: readonly ClusterRecord[],
  definition: FaultDefinition,
  target: FaultTarget,
): Promise<TargetNode[]> {
  const all = (await Promise.all(clusters.map((cluster) => candidatesOf(sources, cluster)))).flat();
  const named = target.nodes ? byName(all, target.nodes) : all.filter(isUp);
  const meant = named.filter(
    ({ zone, instance, labels }) =>
      (target.zone === undefined || zone === target.zone) &&
      (target.nodegroup === undefined || instance?.nodegroupName === target.nodegroup) &&
      hasLabels(labels, target.labels),
  );
  const fit = meant.filter((candidate) => unfit(definition, candidate, sources.state) === undefined);
  if (target.nodes && fit.length < meant.length) {
    const [why] = meant.flatMap((candidate) => unfit(definition, candidate, sources.state) ?? []);
    throw new DomainError("InvalidRequestException", `${definition.name}: ${why}`);
  }
  if (fit.length === 0) throw new EmptyTargets(nothingFits(sources.state, definition, all, meant));
  return fit.map(({ clusterId, name, instanceId, zone }) => ({
    clusterId,
    name,
    ...(instanceId ? { instanceId } : {}),
    ...(zone ? { zone } : {}),
  }));
}

function nothingFits(
  state: State,
  definition: FaultDefinition,
  all: readonly Candidate[],
  meant: readonly Candidate[],
): string {
  const [why] = meant.flatMap((candidate) => unfit(definition, candidate, state) ?? []);
  if (why !== undefined) return `No node fits ${definition.name}: ${why}`;
  return `No node is meant by this target. ${listed(
    "Nodes",
    all.filter(isUp).map(({ name }) => name),
  )}`;
}

/** What selectors mean that name nobody: machines that run. */
const isUp = ({ instance }: Candidate): boolean =>
  instance === undefined ||
  (instance.state === "running" && (instance.lifecycle === "InService" || instance.lifecycle === "Pending"));

/** Why the fault cannot befall this machine. */
function unfit(
  { name, target }: FaultDefinition,
  { instance, name: node }: Candidate,
  state: State,
): string | undefined {
  if (!instance) return target.fargate ? undefined : `${node} is a machine of Fargate's, not an EC2 instance.`;
  const what = `Instance ${instance.instanceId} (${node})`;
  if (target.capacityType === "SPOT" && capacityTypeOf(instance, state) !== "SPOT")
    return `${what} is On-Demand: EC2 interrupts Spot instances only.`;
  if (name === "instance-stop" && instance.state !== "running")
    return `${what} is ${instance.state}: EC2 stops running instances only.`;
  return undefined;
}

function capacityTypeOf(instance: InstanceRecord, state: State): string {
  if (instance.nodePool) return String(instance.nodePool.labels["karpenter.sh/capacity-type"] ?? "").toUpperCase();
  const key = { accountId: instance.accountId, region: instance.region, name: instance.clusterName };
  return state.nodegroups.get(key, instance.nodegroupName)?.capacityType ?? "ON_DEMAND";
}

async function candidatesOf(sources: TargetSources, cluster: ClusterRecord): Promise<Candidate[]> {
  const { state } = sources;
  const live = new Map((await liveNodes(sources, cluster)).map((node) => [node.name, node]));
  const instances = state.instances
    .ofCluster(cluster.id)
    .filter(({ lifecycle }) => lifecycle !== "Warmed")
    .map((instance): Candidate => {
      const { privateDnsName: name, instanceId, zone } = instance;
      // What users have changed of the labels counts, where the backend can tell.
      const labels = live.get(name)?.labels ?? labelsOf(state, cluster, instance);
      live.delete(name);
      return { clusterId: cluster.id, name, instanceId, zone, instance, labels };
    });
  const others = [...live.values()].map(
    ({ name, zone, labels }): Candidate => ({ clusterId: cluster.id, name, ...(zone ? { zone } : {}), labels }),
  );
  return [...instances, ...others.filter(({ name }) => !state.instances.byDnsName(cluster.id, name))];
}

async function liveNodes({ backendOf }: TargetSources, cluster: ClusterRecord): Promise<NodeFacts[]> {
  try {
    return (await backendOf(cluster)?.nodes?.(cluster.id)) ?? [];
  } catch (error) {
    // A cluster whose API does not answer still has its instances.
    if (error instanceof BackendError) return [];
    throw error;
  }
}

function labelsOf(state: State, cluster: ClusterRecord, instance: InstanceRecord): Readonly<Record<string, string>> {
  if (instance.nodePool) return instance.nodePool.labels;
  const group = state.nodegroups.get(cluster, instance.nodegroupName);
  return {
    "topology.kubernetes.io/zone": instance.zone,
    "node.kubernetes.io/instance-type": instance.instanceType,
    ...(group ? nodegroupLabels(group, instance.amiId) : {}),
  };
}

/** In the order asked for. */
function byName(all: readonly Candidate[], names: readonly string[]): Candidate[] {
  return names.map((asked) => {
    const found = all.filter(({ name, instanceId }) => name === asked || instanceId === asked);
    const [first] = found;
    if (!first) {
      const known = all.filter(isUp).map(({ name }) => name);
      throw new DomainError("ResourceNotFoundException", `There is no node ${asked}. ${listed("Nodes", known)}`);
    }
    if (found.length > 1)
      throw new DomainError(
        "InvalidParameterException",
        `There is more than one node ${asked}: name the cluster too, or an instance id.`,
      );
    return first;
  });
}

type TargetPod = NonNullable<ResolvedTargets["pods"]>[number];

async function podsMeant(
  sources: TargetSources,
  clusters: readonly ClusterRecord[],
  target: FaultTarget,
): Promise<TargetPod[]> {
  const all = await Promise.all(
    clusters.map(async (cluster) =>
      (await podsOf(sources, cluster))
        .filter((pod) => isMeant(pod, target))
        .map(({ namespace, name }) => ({ clusterId: cluster.id, namespace, name })),
    ),
  );
  const found = all.flat();
  const missing = target.pods?.find((name) => !found.some((pod) => pod.name === name));
  if (missing !== undefined)
    throw new DomainError(
      "ResourceNotFoundException",
      `There is no pod ${missing} in namespace ${target.namespace} that is running.`,
    );
  return [...someOf(found, "No pod is meant by this target.")];
}

async function podsOf({ backendOf }: TargetSources, cluster: ClusterRecord): Promise<PodFacts[]> {
  const backend = backendOf(cluster);
  if (!backend?.pods)
    throw new DomainError("InvalidRequestException", `The backend ${cluster.backend} cannot tell what pods there are.`);
  const pods = await backend.pods(cluster.id);
  return pods.sort((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1));
}

/** Pods that have ended, or are ending, are past being broken. */
export function isMeant(pod: PodFacts, target: FaultTarget): boolean {
  return (
    !pod.terminating &&
    pod.phase !== "Succeeded" &&
    pod.phase !== "Failed" &&
    (target.zone === undefined || pod.zone === target.zone) &&
    (target.namespace === undefined || pod.namespace === target.namespace) &&
    (target.pods === undefined || target.pods.includes(pod.name)) &&
    (target.nodes === undefined || (pod.nodeName !== undefined && target.nodes.includes(pod.nodeName))) &&
    hasLabels(pod.labels, target.podLabels)
  );
}

export function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return `There are no ${what.toLowerCase()}.`;
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : "";
  return `${what}: ${names.slice(0, LISTED).join(", ")}${more}.`;
}
