/**
 * Fargate: profiles, which pods they take, what size of machine a pod gets and what that machine looks like to Kubernetes. Sources: the user guide's pages
 * on Fargate profiles and on pod configuration; nodes as `kubectl describe node` shows them on EKS.
 */
import { findZone, latestReleaseVersion } from "./catalogue/index.js";
import type { HealthIssue, Scope } from "./model.js";
import { nodeInfo, privateDnsName, privateIp, providerId } from "./node.js";

export type FargateProfileStatus = "CREATING" | "ACTIVE" | "DELETING" | "CREATE_FAILED" | "DELETE_FAILED";

/** Namespace, label keys and label values may hold the wildcards `*` and `?`. */
export interface FargateSelector {
  namespace: string;
  labels?: Readonly<Record<string, string>>;
}

export interface FargateProfileRecord extends Scope {
  clusterName: string;
  clusterId: string;
  name: string;
  arn: string;
  createdAtMs: number;
  podExecutionRoleArn: string;
  subnets: string[];
  selectors: FargateSelector[];
  status: FargateProfileStatus;
  healthIssues: HealthIssue[];
  tags: Record<string, string>;
  /** When the deletion was begun. */
  deletingSinceMs?: number;
}

/** Label of pods that Fargate runs. A pod may name its profile with it, if it matches that one. */
export const PROFILE_LABEL = "eks.amazonaws.com/fargate-profile";
export const COMPUTE_TYPE = "eks.amazonaws.com/compute-type";
export const FARGATE_SCHEDULER = "fargate-scheduler";
/** Marks what Fargate has launched, on the node as a label and as a taint. */
export const FARGATE = "fargate";

/**
 * `*` stands for any text, `?` for one character. Going back to the last star is enough, so that the time stays within the product of both lengths: a
 * regular expression of many stars could hold up the process.
 */
function matchesPattern(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  /** Where in the text what follows the last star is tried. */
  let resume = 0;
  for (let i = 0; i < text.length; ) {
    if (pattern[at] === "*") {
      star = at++;
      resume = i;
    } else if (pattern[at] === "?" || pattern[at] === text[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++resume;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}

/** Whether a pod matches: its namespace, and each of the selector's labels. */
export function selectorMatches(
  selector: FargateSelector,
  namespace: string,
  labels: Readonly<Record<string, string>> = {},
): boolean {
  if (!matchesPattern(selector.namespace, namespace)) return false;
  const present = Object.entries(labels);
  return Object.entries(selector.labels ?? {}).every(([keyPattern, valuePattern]) =>
    present.some(([key, value]) => matchesPattern(keyPattern, key) && matchesPattern(valuePattern, value)),
  );
}

/** The profile that a new pod belongs to: the one it names, else the first in order of name, of those that match. */
export function profileFor<P extends { name: string; selectors: readonly FargateSelector[] }>(
  profiles: readonly P[],
  namespace: string,
  labels: Readonly<Record<string, string>> = {},
): P | undefined {
  const matching = profiles.filter(({ selectors }) =>
    selectors.some((selector) => selectorMatches(selector, namespace, labels)),
  );
  const named = labels[PROFILE_LABEL];
  if (named !== undefined) return matching.find(({ name }) => name === named);
  return matching.reduce<P | undefined>((first, next) => (first && first.name < next.name ? first : next), undefined);
}

export interface FargateSize {
  /** Thousandths of a vCPU. */
  cpuMillis: number;
  memoryMiB: number;
  diskGiB: number;
}

/** Sizes there are: CPU, then the smallest and largest memory and the step between, all in GiB. 0.25 vCPU has 0.5, 1 and 2 GiB. */
const SIZES: readonly (readonly [cpuMillis: number, leastGiB: number, mostGiB: number, stepGiB: number])[] = [
  [250, 0.5, 0.5, 1],
  [250, 1, 2, 1],
  [500, 1, 4, 1],
  [1000, 2, 8, 1],
  [2000, 4, 16, 1],
  [4000, 8, 30, 1],
  [8000, 16, 60, 4],
  [16_000, 32, 120, 8],
];

/** What Fargate adds to a pod's memory for kubelet, kube-proxy and containerd. */
const OVERHEAD_MIB = 256;

/** The smallest size that has what a pod requests; undefined when none has. */
export function fargateSize(requests: FargateSize): FargateSize | undefined {
  const neededMiB = requests.memoryMiB + OVERHEAD_MIB;
  if (requests.diskGiB > DISK_GIB.most) return undefined;
  const diskGiB = Math.max(DISK_GIB.least, Math.ceil(requests.diskGiB));
  for (const [cpuMillis, leastGiB, mostGiB, stepGiB] of SIZES) {
    if (requests.cpuMillis > cpuMillis || neededMiB > mostGiB * 1024) continue;
    const steps = Math.max(0, Math.ceil((neededMiB / 1024 - leastGiB) / stepGiB));
    return { cpuMillis, memoryMiB: (leastGiB + steps * stepGiB) * 1024, diskGiB };
  }
  return undefined;
}

/** `0.25vCPU 0.5GB`, the value of the annotation CapacityProvisioned. */
export const capacityText = ({ cpuMillis, memoryMiB }: Pick<FargateSize, "cpuMillis" | "memoryMiB">): string =>
  `${cpuMillis / 1000}vCPU ${memoryMiB / 1024}GB`;

/** Machines are larger than what is provisioned of them: `kubectl describe node` shows two vCPUs and 4 GiB at the least. */
const LEAST_MACHINE = { cpuMillis: 2000, memoryMiB: 4096 };
/** Disk of a pod that requests no more, and the most there is. */
const DISK_GIB = { least: 20, most: 175 };

/** Addresses of Fargate are in the upper half of what nodes' zones have, so that they never meet those of instances. */
export const fargateIp = (zoneIndex: number, host: number): string =>
  privateIp(zoneIndex, host).replace(/^10\.0\.(\d+)/, (_, third) => `10.0.${Number(third) + 64}`);

/** A machine of Fargate as a node: the name, labels, taint and capacity that EKS gives it. */
export interface FargateNode {
  name: string;
  providerId: string;
  zone: string;
  privateIp: string;
  labels: Record<string, string>;
  taints: { key: string; value: string; effect: string }[];
  capacity: Record<string, string>;
  allocatable: Record<string, string>;
  nodeInfo: Record<string, string>;
}

/** `token` = Fargate's own id of the machine; `version` = minor version of the cluster. */
export function fargateNode(machine: {
  region: string;
  zone: string;
  token: string;
  privateIp: string;
  version: string;
  size: FargateSize;
}): FargateNode {
  const { region, zone, token, version, size } = machine;
  const hostname = privateDnsName(region, machine.privateIp);
  const name = `fargate-${hostname}`;
  const resources = {
    cpu: String(Math.ceil(Math.max(size.cpuMillis, LEAST_MACHINE.cpuMillis) / 1000)),
    "ephemeral-storage": `${size.diskGiB}Gi`,
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    memory: `${Math.max(size.memoryMiB, LEAST_MACHINE.memoryMiB)}Mi`,
    pods: "1",
  };
  return {
    name,
    providerId: providerId(zone, `${token}/${name}`),
    zone,
    privateIp: machine.privateIp,
    labels: {
      "beta.kubernetes.io/arch": "amd64",
      "beta.kubernetes.io/os": "linux",
      [COMPUTE_TYPE]: FARGATE,
      "failure-domain.beta.kubernetes.io/region": region,
      "failure-domain.beta.kubernetes.io/zone": zone,
      "kubernetes.io/arch": "amd64",
      "kubernetes.io/hostname": hostname,
      "kubernetes.io/os": "linux",
      "topology.k8s.aws/zone-id": findZone(region, zone)?.id ?? zone,
      "topology.kubernetes.io/region": region,
      "topology.kubernetes.io/zone": zone,
    },
    taints: [{ key: COMPUTE_TYPE, value: FARGATE, effect: "NoSchedule" }],
    capacity: resources,
    allocatable: resources,
    nodeInfo: nodeInfo({
      instanceId: token,
      amiType: NODE_IMAGE,
      instanceType: "",
      version,
      releaseVersion: latestReleaseVersion(version, NODE_IMAGE) ?? "",
    }),
  };
}

const NODE_IMAGE = "AL2023_x86_64_STANDARD";
