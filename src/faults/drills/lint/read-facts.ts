/**
 * Makes lint's facts of what a cluster's API server and the EKS API tell. Nothing is written anywhere, and nothing is asked that `kubectl get` and
 * DescribeNodegroup would not tell.
 */
import { controllerOf, ZONE_LABEL } from "../../../domain/kubernetes-objects.js";
import { zonesOfSubnets } from "../../../domain/zones.js";
import { amountsOf } from "./amounts.js";
import type {
  BudgetFacts,
  ClaimFacts,
  LintFacts,
  NodeFacts,
  NodegroupFacts,
  PodFacts,
  WorkloadFacts,
} from "./facts.js";
import { type BudgetObject, minimumOf } from "./minimum.js";
import { type PodObject, podFacts } from "./read-pod.js";
import { type LabelSelector, type NodeSelectorTerm, selectorTerm, termsOf } from "./selectors.js";

/** Where facts come from; rejects with whatever refuses. */
export interface FactsSource {
  cluster: string;
  /** The items of a list of the cluster's API server: `/api/v1/nodes`. */
  list(path: string): Promise<readonly unknown[]>;
  /** The answer to a GET of the EKS API: `/clusters/demo`. */
  eks(path: string): Promise<unknown>;
}

export interface FactsOptions {
  /** Minimum of a workload where the drill's file says one; otherwise a PodDisruptionBudget does, or it is 1. */
  minimum?: (workload: { kind: string; namespace: string; name: string; wanted: number }) => number | undefined;
}

export async function readFacts(
  source: FactsSource,
  { minimum = () => undefined }: FactsOptions = {},
): Promise<LintFacts> {
  const list = async <T>(path: string): Promise<readonly T[]> => (await source.list(path)) as readonly T[];
  const nodes = await list<NodeObject>("/api/v1/nodes");
  const csiNodes = await list<CsiNodeObject>("/apis/storage.k8s.io/v1/csinodes");
  const budgets = await list<BudgetObject>("/apis/policy/v1/poddisruptionbudgets");
  const replicaSets = await list<WorkloadObject>("/apis/apps/v1/replicasets");
  const owners = new Map(replicaSets.map((set) => [set.metadata.uid, controllerOf(set)]));
  const podObjects = (await list<PodObject>("/api/v1/pods")).filter(({ status }) => !hasEnded(status?.phase));
  const pods = podObjects.map((pod) => podFacts(pod, workloadNameOf(pod, owners)));
  return {
    cluster: source.cluster,
    nodes: nodes.map((node) =>
      nodeFacts(
        node,
        csiNodes.find(({ metadata }) => metadata.name === node.metadata.name),
      ),
    ),
    pods,
    workloads: await workloads(list, pods, podObjects, budgets, minimum),
    claims: await claims(list),
    budgets: budgets.map(budgetFacts),
    nodegroups: await nodegroups(source, nodes),
  };
}

interface Metadata {
  name: string;
  namespace?: string;
  uid?: string;
  labels?: Readonly<Record<string, string>>;
  ownerReferences?: readonly { kind: string; name: string; uid: string; controller?: boolean }[];
}

interface NodeObject {
  metadata: Metadata;
  spec?: { unschedulable?: boolean; taints?: readonly { key: string; value?: string; effect: string }[] };
  status?: {
    allocatable?: Readonly<Record<string, string>>;
    conditions?: readonly { type: string; status: string }[];
  };
}

interface CsiNodeObject {
  metadata: Metadata;
  spec?: { drivers?: readonly { name: string; allocatable?: { count?: number } }[] };
}

/** The taint that `kubectl cordon` brings is told by `unschedulable` already. */
const CORDON_TAINT = "node.kubernetes.io/unschedulable";

function nodeFacts({ metadata, spec = {}, status = {} }: NodeObject, csi: CsiNodeObject | undefined): NodeFacts {
  const { name, labels = {} } = metadata;
  const volumes = (csi?.spec?.drivers ?? []).flatMap(({ name: driver, allocatable }) =>
    allocatable?.count === undefined ? [] : [[`volumes:${driver}`, allocatable.count] as const],
  );
  const nodegroup = labels["eks.amazonaws.com/nodegroup"];
  const computeType = labels["eks.amazonaws.com/compute-type"];
  const isScaled = computeType === "auto" || "karpenter.sh/nodepool" in labels;
  const replacedBy = nodegroup ? "nodegroup" : computeType === "fargate" ? "fargate" : isScaled ? "scaler" : "nobody";
  return {
    name,
    zone: labels[ZONE_LABEL] ?? "unknown",
    ready: status.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") === true,
    unschedulable: spec.unschedulable === true,
    labels: { ...labels, "metadata.name": name },
    taints: (spec.taints ?? []).filter(({ key }) => key !== CORDON_TAINT),
    allocatable: { ...amountsOf(status.allocatable), ...Object.fromEntries(volumes) },
    replacedBy,
    ...(nodegroup ? { nodegroup } : {}),
  };
}

type List = <T>(path: string) => Promise<readonly T[]>;

interface WorkloadObject {
  metadata: Metadata;
  spec?: {
    replicas?: number;
    template?: {
      metadata?: { labels?: Readonly<Record<string, string>> };
      spec?: {
        topologySpreadConstraints?: readonly { topologyKey: string }[];
        affinity?: { podAntiAffinity?: Record<string, unknown> };
      };
    };
  };
  status?: { desiredNumberScheduled?: number };
}

const hasEnded = (phase: string | undefined): boolean => phase === "Succeeded" || phase === "Failed";

/** Kinds whose pods somebody waits for; those of Jobs are begun again and lose only time. */
const OWNERS = ["DaemonSet", "ReplicaSet", "StatefulSet"];
const MIRROR = "kubernetes.io/config.mirror";

function workloadNameOf(
  pod: PodObject,
  owners: ReadonlyMap<string | undefined, { kind: string; name: string } | undefined>,
): PodFacts["workload"] {
  const { namespace = "", name, annotations = {} } = pod.metadata;
  if (MIRROR in annotations) return undefined;
  const owner = controllerOf(pod);
  if (!owner) return { kind: "Pod", namespace, name };
  const top = (owner.kind === "ReplicaSet" && owners.get(owner.uid)) || owner;
  if (top.kind === "Deployment" || OWNERS.includes(top.kind)) return { kind: top.kind, namespace, name: top.name };
  return undefined;
}

async function workloads(
  list: List,
  pods: readonly PodFacts[],
  podObjects: readonly PodObject[],
  budgets: readonly BudgetObject[],
  chosen: NonNullable<FactsOptions["minimum"]>,
): Promise<WorkloadFacts[]> {
  const found: WorkloadFacts[] = [];
  const add = (
    named: { kind: string; namespace: string; name: string },
    wanted: number,
    labels: Readonly<Record<string, string>>,
    spreadsOverZones: boolean,
  ): void => {
    const mine = budgets.filter((budget) => budget.metadata.namespace === named.namespace);
    const minimum = chosen({ ...named, wanted }) ?? minimumOf(wanted, labels, mine);
    found.push({ ...named, wanted, minimum, spreadsOverZones });
  };
  for (const [kind, path] of Object.entries(WORKLOAD_LISTS)) {
    for (const object of await list<WorkloadObject>(path)) {
      // A ReplicaSet that a Deployment owns is that Deployment's affair.
      if (kind === "ReplicaSet" && controllerOf(object)) continue;
      const { metadata, spec = {}, status } = object;
      const wanted = kind === "DaemonSet" ? (status?.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1);
      const { topologySpreadConstraints = [], affinity } = spec.template?.spec ?? {};
      const spreads =
        topologySpreadConstraints.some(({ topologyKey }) => topologyKey === ZONE_LABEL) ||
        JSON.stringify(affinity?.podAntiAffinity ?? {}).includes(`"${ZONE_LABEL}"`);
      const named = { kind, namespace: metadata.namespace ?? "", name: metadata.name };
      add(named, wanted, spec.template?.metadata?.labels ?? {}, spreads);
    }
  }
  pods.forEach(({ workload, labels }, index) => {
    if (workload?.kind === "Pod" && podObjects[index]?.metadata.deletionTimestamp === undefined)
      add(workload, 1, labels, false);
  });
  return found;
}

const WORKLOAD_LISTS = {
  Deployment: "/apis/apps/v1/deployments",
  StatefulSet: "/apis/apps/v1/statefulsets",
  DaemonSet: "/apis/apps/v1/daemonsets",
  ReplicaSet: "/apis/apps/v1/replicasets",
} as const;

interface ClaimObject {
  metadata: Metadata;
  spec?: { volumeName?: string; accessModes?: readonly string[] };
}

interface VolumeObject {
  metadata: Metadata;
  spec?: {
    csi?: { driver?: string };
    nodeAffinity?: { required?: { nodeSelectorTerms?: readonly NodeSelectorTerm[] } };
  };
}

const SHARED_MODES = ["ReadWriteMany", "ReadOnlyMany"];

async function claims(list: List): Promise<ClaimFacts[]> {
  const volumes = await list<VolumeObject>("/api/v1/persistentvolumes");
  const byName = new Map(volumes.map((volume) => [volume.metadata.name, volume.spec ?? {}]));
  return (await list<ClaimObject>("/api/v1/persistentvolumeclaims")).map(({ metadata, spec = {} }) => {
    const volume = byName.get(spec.volumeName ?? "");
    const terms = volume?.nodeAffinity?.required?.nodeSelectorTerms;
    return {
      namespace: metadata.namespace ?? "",
      name: metadata.name,
      oneNode: !(spec.accessModes ?? []).some((mode) => SHARED_MODES.includes(mode)),
      ...(volume?.csi?.driver ? { driver: volume.csi.driver } : {}),
      ...(terms ? { reachableFrom: termsOf(terms) } : {}),
    };
  });
}

function budgetFacts({ metadata, spec }: BudgetObject): BudgetFacts {
  const { selector, minAvailable, maxUnavailable } = spec;
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    ...(selector ? { selector: selectorTerm(selector as LabelSelector) } : {}),
    ...(minAvailable === undefined ? {} : { minAvailable }),
    ...(maxUnavailable === undefined ? {} : { maxUnavailable }),
  };
}

interface Nodegroup {
  nodegroupName: string;
  subnets?: readonly string[];
  createdAt?: number;
  instanceTypes?: readonly string[];
  scalingConfig?: { desiredSize?: number; maxSize?: number };
}

/**
 * The EKS API does not say where subnets are. The emulator deals them out over the region's zones in order of appearance; and where nodes of a group stand,
 * one of its subnets must be.
 */
async function nodegroups({ cluster, eks }: FactsSource, nodes: readonly NodeObject[]): Promise<NodegroupFacts[]> {
  const path = `/clusters/${encodeURIComponent(cluster)}`;
  const { cluster: described } = (await eks(path)) as {
    cluster: { arn?: string; resourcesVpcConfig?: { subnetIds?: readonly string[] } };
  };
  const groups: Nodegroup[] = [];
  let token: string | undefined;
  do {
    const page = (await eks(
      `${path}/node-groups${token === undefined ? "" : `?nextToken=${encodeURIComponent(token)}`}`,
    )) as { nodegroups: readonly string[]; nextToken?: string };
    for (const name of page.nodegroups) {
      const answer = (await eks(`${path}/node-groups/${encodeURIComponent(name)}`)) as { nodegroup: Nodegroup };
      groups.push(answer.nodegroup);
    }
    token = page.nextToken;
  } while (token !== undefined);
  const region = described.arn?.split(":")[3] ?? "";
  const oldestFirst = [...groups].sort((a, b) => (a.createdAt ?? 0) - (b.createdAt ?? 0));
  const order = [
    ...new Set([
      ...(described.resourcesVpcConfig?.subnetIds ?? []),
      ...oldestFirst.flatMap(({ subnets = [] }) => subnets),
    ]),
  ];
  const zones = zonesOfSubnets(region, order);
  return groups.map(({ nodegroupName, subnets = [], instanceTypes = [], scalingConfig = {} }) => {
    const seen = nodes
      .filter(({ metadata }) => metadata.labels?.["eks.amazonaws.com/nodegroup"] === nodegroupName)
      .flatMap(({ metadata }) => metadata.labels?.[ZONE_LABEL] ?? []);
    const known = subnets.flatMap((subnet) => zones.get(subnet)?.name ?? []);
    return {
      name: nodegroupName,
      zones: [...new Set([...known, ...seen])].sort(),
      desired: scalingConfig.desiredSize ?? seen.length,
      max: scalingConfig.maxSize ?? seen.length,
      instanceTypes,
    };
  });
}
