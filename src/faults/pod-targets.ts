/** Pods that a selector means. */
import type { PodFacts } from "../backends/backend.js";
import { DomainError } from "../domain/errors.js";
import type { FaultTarget, ResolvedTargets } from "../domain/faults/index.js";
import type { ClusterRecord } from "../domain/model.js";
import { hasLabels, listed, someOf, type TargetSources } from "./target-search.js";

type TargetPod = NonNullable<ResolvedTargets["pods"]>[number];

/** Throws EmptyTargets, and ResourceNotFoundException for names that are not there. */
export async function podsMeant(
  sources: TargetSources,
  clusters: readonly ClusterRecord[],
  target: FaultTarget,
): Promise<TargetPod[]> {
  // Pods know their nodes by name.
  const nodes = target.nodes?.map((node) => sources.state.instances.get(node)?.privateDnsName ?? node);
  const byNodeName = nodes ? { ...target, nodes } : target;
  const pods = await Promise.all(
    clusters.map(async (cluster) => (await podsOf(sources, cluster)).map((pod) => ({ clusterId: cluster.id, pod }))),
  );
  const all = pods.flat();
  const found = all
    .filter(({ pod }) => isMeant(pod, byNodeName))
    .map(({ clusterId, pod: { namespace, name } }) => ({ clusterId, namespace, name }));
  const missing = target.pods?.find((name) => !found.some((pod) => pod.name === name));
  if (missing !== undefined)
    throw new DomainError(
      "ResourceNotFoundException",
      `There is no pod ${missing} in namespace ${target.namespace} that is running.`,
    );
  const known = all.filter(({ pod }) => isMeant(pod, {})).map(({ pod }) => `${pod.namespace}/${pod.name}`);
  return [...someOf(found, `No pod is meant by this target. ${listed("Pods", known)}`)];
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
