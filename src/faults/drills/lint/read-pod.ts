/** What a pod's object demands of the node that it is to run on. */
import { type RequestingSpec, requestsOf } from "./amounts.js";
import type { PodFacts, PodTerm, SpreadRule, Toleration } from "./facts.js";
import {
  type LabelSelector,
  NOTHING,
  type NodeSelectorTerm,
  selectorTerm,
  termsOf,
  withLabelKeys,
} from "./selectors.js";

interface AffinityTerm {
  topologyKey: string;
  labelSelector?: LabelSelector;
  matchLabelKeys?: readonly string[];
  namespaces?: readonly string[];
  namespaceSelector?: LabelSelector;
}

interface Demanded<T> {
  requiredDuringSchedulingIgnoredDuringExecution?: T;
}

interface PodSpec extends RequestingSpec {
  nodeName?: string;
  nodeSelector?: Readonly<Record<string, string>>;
  hostNetwork?: boolean;
  priority?: number;
  preemptionPolicy?: string;
  tolerations?: readonly Toleration[];
  affinity?: {
    nodeAffinity?: Demanded<{ nodeSelectorTerms?: readonly NodeSelectorTerm[] }>;
    podAffinity?: Demanded<readonly AffinityTerm[]>;
    podAntiAffinity?: Demanded<readonly AffinityTerm[]>;
  };
  topologySpreadConstraints?: readonly {
    topologyKey: string;
    maxSkew: number;
    whenUnsatisfiable: string;
    labelSelector?: LabelSelector;
    matchLabelKeys?: readonly string[];
    minDomains?: number;
  }[];
  volumes?: readonly { name: string; persistentVolumeClaim?: { claimName: string }; ephemeral?: object }[];
  containers?: readonly (NonNullable<RequestingSpec["containers"]>[number] & {
    ports?: readonly { containerPort?: number; hostPort?: number; protocol?: string; hostIP?: string }[];
  })[];
}

export interface PodObject {
  metadata: {
    name: string;
    namespace?: string;
    labels?: Readonly<Record<string, string>>;
    annotations?: Readonly<Record<string, string>>;
    deletionTimestamp?: string;
    ownerReferences?: readonly { kind: string; name: string; uid: string; controller?: boolean }[];
  };
  spec?: PodSpec;
  status?: { phase?: string; conditions?: readonly { type: string; status: string }[] };
}

export function podFacts({ metadata, spec = {}, status }: PodObject, workload: PodFacts["workload"]): PodFacts {
  const { name, namespace = "", labels = {}, deletionTimestamp } = metadata;
  const { affinity = {}, volumes = [] } = spec;
  const nodeTerms = affinity.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const terms = (of: Demanded<readonly AffinityTerm[]> | undefined): PodTerm[] =>
    (of?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map((term) => podTerm(term, namespace, labels));
  return {
    namespace,
    name,
    ...(spec.nodeName ? { node: spec.nodeName } : {}),
    ready: status?.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true,
    terminating: deletionTimestamp !== undefined,
    ...(workload ? { workload } : {}),
    labels,
    requests: requestsOf(spec),
    priority: spec.priority ?? 0,
    preempts: spec.preemptionPolicy !== "Never",
    hostPorts: hostPorts(spec),
    nodeSelector: spec.nodeSelector ?? {},
    ...(nodeTerms ? { nodeTerms: termsOf(nodeTerms) } : {}),
    tolerations: spec.tolerations ?? [],
    together: terms(affinity.podAffinity),
    apart: terms(affinity.podAntiAffinity),
    spread: spreadRules(spec, labels),
    claims: volumes.flatMap(({ name: volume, persistentVolumeClaim, ephemeral }) =>
      persistentVolumeClaim ? [persistentVolumeClaim.claimName] : ephemeral ? [`${name}-${volume}`] : [],
    ),
  };
}

function podTerm(
  { topologyKey, labelSelector, matchLabelKeys, namespaces = [], namespaceSelector }: AffinityTerm,
  own: string,
  labels: Readonly<Record<string, string>>,
): PodTerm {
  const named = namespaces.length > 0 ? namespaces : [own];
  return {
    topologyKey,
    selector: labelSelector ? withLabelKeys(selectorTerm(labelSelector), matchLabelKeys, labels) : NOTHING,
    // Which namespaces a selector means is taken for all: what comes of it is said too dark rather than too bright.
    ...(namespaceSelector ? {} : { namespaces: named }),
  };
}

const spreadRules = (
  { topologySpreadConstraints = [] }: PodSpec,
  labels: Readonly<Record<string, string>>,
): SpreadRule[] =>
  topologySpreadConstraints
    .filter(({ whenUnsatisfiable }) => whenUnsatisfiable !== "ScheduleAnyway")
    .map(({ topologyKey, maxSkew, labelSelector, matchLabelKeys, minDomains }) => ({
      topologyKey,
      maxSkew,
      selector: labelSelector ? withLabelKeys(selectorTerm(labelSelector), matchLabelKeys, labels) : NOTHING,
      ...(minDomains === undefined ? {} : { minDomains }),
    }));

function hostPorts({ containers = [], hostNetwork = false }: PodSpec): string[] {
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ containerPort, hostPort = hostNetwork ? containerPort : undefined, protocol = "TCP", hostIP }) => {
      if (!hostPort) return [];
      const address = hostIP && hostIP !== "0.0.0.0" && hostIP !== "::" ? `/${hostIP}` : "";
      return [`${hostPort}/${protocol}${address}`];
    }),
  );
}
