import { toleratesTaint } from "../runtime/taints.js";
import type {
  ContainerPort,
  LabelSelector,
  Pod,
  PodAffinityTerm,
  PodSpec,
  PreferredSchedulingTerm,
  Taint,
  Toleration,
  TopologySpreadConstraint,
  Volume,
} from "../schema/generated/types.js";
import type { PodSet } from "./pod-sets.js";
import { podAssumedRequests, podRequests, type Resources } from "./resources.js";

/** A pod as the scheduler sees it: what its spec asks for, worked out once. */
export interface PodInfo {
  /** The newest object; status may change under an unchanged demand. */
  pod: Pod;
  /** `namespace/name` */
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly terminating: boolean;
  readonly demand: PodDemand;
  /** Pod affinity depends on labels and namespace, too; undefined for the many pods without any. */
  readonly affinity: PodAffinityInfo | undefined;
}

/** What follows from the spec alone. */
export interface PodDemand {
  readonly requests: Resources;
  readonly assumed: Resources;
  readonly hostPorts: readonly HostPort[];
  readonly tolerations: readonly Toleration[];
  /** Taints this pod tolerates, remembered by key, value and effect. */
  readonly tolerates: (taint: Taint) => boolean;
  readonly hasNodeAffinity: boolean;
  /** Names that matchFields restrict the pod to (DaemonSet pods); undefined: any. */
  readonly nodeNames: readonly string[] | undefined;
  readonly preferredNodes: readonly PreferredSchedulingTerm[];
  readonly spread: readonly TopologySpreadConstraint[];
  readonly claims: readonly Volume[];
}

export interface HostPort {
  hostIP: string;
  protocol: string;
  hostPort: number;
}

export interface AffinityTerm {
  readonly topologyKey: string;
  readonly pods: PodSet;
  /** Identity of set and topology together. */
  readonly id: string;
}

export interface WeightedTerm extends AffinityTerm {
  /** 1..100; negative for anti-affinity. */
  readonly weight: number;
}

export interface PodAffinityInfo {
  readonly required: readonly AffinityTerm[];
  readonly requiredAnti: readonly AffinityTerm[];
  readonly preferred: readonly WeightedTerm[];
}

const NONE: readonly never[] = [];
const NO_LABELS: Readonly<Record<string, string>> = {};

function hostPortsOf(spec: PodSpec): readonly HostPort[] {
  const ports: HostPort[] = [];
  const collect = (port: ContainerPort): void => {
    if (port.hostPort)
      ports.push({ hostIP: port.hostIP || "0.0.0.0", protocol: port.protocol ?? "TCP", hostPort: port.hostPort });
  };
  for (const container of spec.containers) for (const port of container.ports ?? NONE) collect(port);
  for (const container of spec.initContainers ?? NONE)
    if (container.restartPolicy === "Always") for (const port of container.ports ?? NONE) collect(port);
  return ports.length > 0 ? ports : NONE;
}

/** Node names, when every term of the required node affinity names its node (upstream: NodeAffinity's PreFilterResult). */
function nodeNamesOf(spec: PodSpec): readonly string[] | undefined {
  const terms = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (!terms?.length) return undefined;
  const names = new Set<string>();
  for (const term of terms) {
    const field = term.matchFields?.find((f) => f.key === "metadata.name" && f.operator === "In");
    if (!field) return undefined;
    for (const name of field.values ?? NONE) names.add(name);
  }
  return [...names];
}

/** The claim behind a volume: a generic ephemeral one is named after pod and volume. */
export const claimNameOf = (podName: string, volume: Volume): string =>
  volume.persistentVolumeClaim?.claimName ?? `${podName}-${volume.name}`;

const demands = new WeakMap<PodSpec, PodDemand>();

/** Worked out once for each spec object: stored objects share the spec over status updates. */
function demandOf(spec: PodSpec): PodDemand {
  const known = demands.get(spec);
  if (known) return known;
  const tolerations = spec.tolerations ?? NONE;
  const node = spec.affinity?.nodeAffinity;
  const claims = spec.volumes?.filter((volume) => volume.persistentVolumeClaim || volume.ephemeral);
  const demand: PodDemand = {
    requests: podRequests(spec),
    assumed: podAssumedRequests(spec),
    hostPorts: hostPortsOf(spec),
    tolerations,
    tolerates: (taint) => toleratesTaint(tolerations, taint),
    hasNodeAffinity:
      node?.requiredDuringSchedulingIgnoredDuringExecution !== undefined ||
      (spec.nodeSelector !== undefined && Object.keys(spec.nodeSelector).length > 0),
    nodeNames: nodeNamesOf(spec),
    preferredNodes: node?.preferredDuringSchedulingIgnoredDuringExecution ?? NONE,
    spread: spec.topologySpreadConstraints ?? NONE,
    claims: claims?.length ? claims : NONE,
  };
  demands.set(spec, demand);
  return demand;
}

function affinityOf(pod: Pod, spec: PodSpec, makeSet: PodSetFactory): PodAffinityInfo | undefined {
  const affinity = spec.affinity?.podAffinity;
  const anti = spec.affinity?.podAntiAffinity;
  if (!affinity && !anti) return undefined;
  const namespace = pod.metadata.namespace ?? "";
  const term = (source: PodAffinityTerm): AffinityTerm => {
    // Neither namespaces nor a selector of namespaces: the pod's own.
    const own = !source.namespaces?.length && !source.namespaceSelector;
    const pods = makeSet({
      namespaces: own ? [namespace] : (source.namespaces ?? []),
      namespaceSelector: source.namespaceSelector,
      selectors: [source.labelSelector],
    });
    return { topologyKey: source.topologyKey, pods, id: `${source.topologyKey}|${pods.id}` };
  };
  const weighted = (sign: 1 | -1) => (preferred: { weight: number; podAffinityTerm: PodAffinityTerm }) => ({
    ...term(preferred.podAffinityTerm),
    weight: sign * preferred.weight,
  });
  return {
    required: affinity?.requiredDuringSchedulingIgnoredDuringExecution?.map(term) ?? [],
    requiredAnti: anti?.requiredDuringSchedulingIgnoredDuringExecution?.map(term) ?? [],
    preferred: [
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution?.map(weighted(1)) ?? []),
      ...(anti?.preferredDuringSchedulingIgnoredDuringExecution?.map(weighted(-1)) ?? []),
    ],
  };
}

export interface PodSetSpec {
  /** Namespaces by name; with a selector as well, the union of both. */
  namespaces: readonly string[];
  namespaceSelector?: LabelSelector;
  /** All must match; an absent selector matches nothing. */
  selectors: readonly (LabelSelector | undefined)[];
  /** Leave out pods that are being deleted (topology spread counts without them). */
  living?: boolean;
}

export type PodSetFactory = (spec: PodSetSpec) => PodSet;

export function podInfoOf(pod: Pod, makeSet: PodSetFactory): PodInfo {
  const spec = pod.spec as PodSpec;
  const { namespace = "", name, uid, labels = NO_LABELS, deletionTimestamp } = pod.metadata;
  return {
    pod,
    key: `${namespace}/${name}`,
    uid,
    namespace,
    labels,
    priority: spec.priority ?? 0,
    terminating: deletionTimestamp !== undefined,
    demand: demandOf(spec),
    affinity: affinityOf(pod, spec, makeSet),
  };
}
