/** What the objects of a cluster tell to whoever looks at it from outside, on any backend: which nodes are well, which pods stay, which Deployments are whole. */
import { REPAIR_CONDITIONS } from "./node-repair.js";

export const ZONE_LABEL = "topology.kubernetes.io/zone";

/** Label of nodes that are masters. EKS keeps its own out of sight. */
export const CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane";

export interface Condition {
  type: string;
  status: string;
  reason?: string;
}

export interface OwnerReference {
  kind: string;
  name: string;
  controller?: boolean;
}

/** Something that may belong to a workload. */
export interface Owned<Owner extends OwnerReference = OwnerReference> {
  metadata: { namespace?: string; ownerReferences?: readonly Owner[] };
}

export const controllerOf = <Owner extends OwnerReference>({ metadata }: Owned<Owner>): Owner | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

interface Metadata {
  name: string;
  namespace?: string;
  generation?: number;
  labels?: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
  ownerReferences?: readonly OwnerReference[];
  managedFields?: readonly { manager?: string; operation?: string; subresource?: string }[];
}

export interface ObservedObject {
  metadata: Metadata;
}

export interface WithConditions {
  status?: { conditions?: readonly Condition[] };
}

export const readyCondition = (object: WithConditions): Condition | undefined =>
  object.status?.conditions?.find(({ type }) => type === "Ready");

export const isReady = (object: WithConditions): boolean => readyCondition(object)?.status === "True";

/** Those that node auto repair looks at. A node that has no such condition yet is only starting. */
export const unhealthyConditions = (object: WithConditions): { type: string; reason: string }[] =>
  (object.status?.conditions ?? [])
    .filter(({ type, status }) => REPAIR_CONDITIONS.includes(type) && status !== "True")
    .map(({ type, reason = "" }) => ({ type, reason }));

/** Whether a node could take a new pod, as far as the node itself says. */
export const takesPods = (node: WithConditions & { spec?: { unschedulable?: boolean } }): boolean =>
  node.spec?.unschedulable !== true && isReady(node);

/** Annotation of pods that a kubelet runs from its own files: no API call ends them. */
const MIRROR = "kubernetes.io/config.mirror";
const ENDED: readonly (string | undefined)[] = ["Succeeded", "Failed"];

/** Pods that go with their node: those of DaemonSets and static ones; and those that have ended already. */
export function isLeftAlone(pod: { metadata: Metadata; status?: { phase?: string } }): boolean {
  const { annotations = {} } = pod.metadata;
  return MIRROR in annotations || ENDED.includes(pod.status?.phase) || controllerOf(pod)?.kind === "DaemonSet";
}

/** Only what is applied counts: what EKS puts into every new cluster is nobody's add-on yet. */
export const isManagedBy = (object: ObservedObject | undefined, manager: string): boolean =>
  object?.metadata.managedFields?.some((entry) => entry.manager === manager && entry.operation === "Apply") ?? false;

/** Whether the entry of managedFields is of the manager itself, and of a write that was no apply. */
export const isWrittenOtherwise = (
  entry: { manager?: string; operation?: string; subresource?: string },
  manager: string,
): boolean => entry.manager === manager && entry.operation !== "Apply" && !entry.subresource;

/** Fields that an apply was refused for because others own them, from the causes that the refusal gives; none when it was refused for something else. */
export function fieldConflicts(
  { apiVersion, kind, metadata: { name } }: { apiVersion: string; kind: string; metadata: { name: string } },
  causes: readonly { reason?: string; field?: string }[],
): { kind: string; group: string; name: string; field: string }[] {
  const [group = ""] = apiVersion.includes("/") ? apiVersion.split("/") : [];
  return causes.flatMap(({ reason, field }) =>
    reason === "FieldManagerConflict" && field ? [{ kind, group, name, field }] : [],
  );
}

export interface ObservedDeployment extends ObservedObject {
  spec: { replicas?: number };
  status?: { observedGeneration?: number; updatedReplicas?: number; availableReplicas?: number };
}

/** All the replicas it wants are of its present template and available. */
export function hasReplicas({ metadata, spec, status = {} }: ObservedDeployment): boolean {
  const wanted = spec.replicas ?? 1;
  return (
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 1) &&
    (status.updatedReplicas ?? 0) >= wanted &&
    (status.availableReplicas ?? 0) >= wanted
  );
}

/** What stands in a zone: masters are members of the control plane. */
export interface ZoneCounts {
  nodes: number;
  readyNodes: number;
  pods: number;
  readyPods: number;
  members: number;
  membersUp: number;
}

/** Counts by zone of nodes, the pods on them and masters; pods without a node are pending. Pods that have ended, evicted ones too, are left out. */
export function countZones(cluster: {
  nodes: readonly (ObservedObject & WithConditions)[];
  pods: readonly (ObservedObject & WithConditions & { spec?: { nodeName?: string }; status?: { phase?: string } })[];
  members: readonly { zone: string; state: "up" | "down" }[];
}): { zones: Record<string, ZoneCounts>; pendingPods: number } {
  const zones: Record<string, ZoneCounts> = {};
  const at = (zone: string): ZoneCounts => {
    zones[zone] ??= { nodes: 0, readyNodes: 0, pods: 0, readyPods: 0, members: 0, membersUp: 0 };
    return zones[zone];
  };
  for (const { zone, state } of cluster.members) {
    at(zone).members++;
    if (state === "up") at(zone).membersUp++;
  }
  const zoneOf = new Map<string, string>();
  for (const node of cluster.nodes) {
    const zone = node.metadata.labels?.[ZONE_LABEL] ?? "unknown";
    zoneOf.set(node.metadata.name, zone);
    at(zone).nodes++;
    if (isReady(node)) at(zone).readyNodes++;
  }
  let pendingPods = 0;
  for (const pod of cluster.pods) {
    if (ENDED.includes(pod.status?.phase)) continue;
    const nodeName = pod.spec?.nodeName;
    if (!nodeName) pendingPods++;
    const zone = nodeName ? zoneOf.get(nodeName) : undefined;
    if (zone === undefined) continue;
    at(zone).pods++;
    if (isReady(pod)) at(zone).readyPods++;
  }
  return { zones, pendingPods };
}
