/** Nodes that a selector means: instances that stand for them, and machines of Fargate. */
import { BackendError, type NodeFacts } from "../backends/backend.js";
import { DomainError } from "../domain/errors.js";
import type { FaultDefinition, FaultTarget, TargetNode } from "../domain/faults/index.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import { nodegroupLabels } from "../domain/node.js";
import type { State } from "../state/state.js";
import { EmptyTargets, hasLabels, listed, type TargetSources } from "./target-search.js";

/** An instance that stands for a node, or a machine that no instance stands for. */
interface Candidate extends TargetNode {
  instance?: InstanceRecord;
  labels: Readonly<Record<string, string>>;
}

/** Throws EmptyTargets, ResourceNotFoundException for names that are not there, InvalidRequestException for nodes that the fault cannot befall. */
export async function nodesMeant(
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
export const isUp = ({ instance }: Pick<Candidate, "instance">): boolean =>
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

/** Nodes that the backend knows; none where it cannot be asked. */
export async function liveNodes({ backendOf }: TargetSources, cluster: ClusterRecord): Promise<NodeFacts[]> {
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
