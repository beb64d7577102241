/** What pods and node pools require of a node's labels, in Kubernetes' terms, and which instances in which zones meet it. */
import { findZone, type InstanceType, instanceTypes } from "../catalogue/index.js";
import { maxPods, nodeResources } from "../node.js";

export interface Requirement {
  key: string;
  /** In, NotIn, Exists, DoesNotExist, Gt or Lt. */
  operator: string;
  values?: readonly string[];
}

type Labels = Readonly<Record<string, string>>;

const MATCHERS: Readonly<Record<string, (value: string | undefined, values: readonly string[]) => boolean>> = {
  In: (value, values) => value !== undefined && values.includes(value),
  NotIn: (value, values) => value === undefined || !values.includes(value),
  Exists: (value) => value !== undefined,
  DoesNotExist: (value) => value === undefined,
  Gt: (value, [bound]) => value !== undefined && Number(value) > Number(bound),
  Lt: (value, [bound]) => value !== undefined && Number(value) < Number(bound),
};

export const meets = (labels: Labels, requirements: readonly Requirement[]): boolean =>
  requirements.every(({ key, operator, values = [] }) => MATCHERS[operator]?.(labels[key], values) ?? false);

/** An instance type in a zone, with the labels that a node made of it would have. */
export interface Offering {
  type: InstanceType;
  zone: string;
  labels: Labels;
  /** What it offers to pods: thousandths of a core, bytes, number. */
  room: { milliCpu: number; memory: number; pods: number };
}

/** Root volume of Auto Mode's nodes. */
export const AUTO_MODE_DISK_GIB = 80;

function roomOf(type: InstanceType): Offering["room"] {
  const { cpu = "0m", memory = "0Ki" } = nodeResources(type.name, AUTO_MODE_DISK_GIB).allocatable;
  return { milliCpu: Number.parseFloat(cpu), memory: Number.parseFloat(memory) * 1024, pods: maxPods(type) };
}

/** `m5a.large` -> category m, generation 5, family m5a, size large. */
function nameParts(name: string): { category: string; generation: string; family: string; size: string } {
  const [family = "", size = ""] = name.split(".");
  const [, category = "", generation = ""] = /^([a-z]+)(\d+)/.exec(family) ?? [];
  return { category, generation, family, size };
}

/** Labels of Auto Mode nodes by what they are made of; `capacityType` = on-demand or spot. */
export function offeringLabels(type: InstanceType, region: string, zone: string, capacityType: string): Labels {
  const { category, generation, family, size } = nameParts(type.name);
  return {
    "eks.amazonaws.com/compute-type": "auto",
    "eks.amazonaws.com/instance-category": category,
    "eks.amazonaws.com/instance-cpu": String(type.vcpu),
    "eks.amazonaws.com/instance-family": family,
    "eks.amazonaws.com/instance-generation": generation,
    "eks.amazonaws.com/instance-hypervisor": "nitro",
    "eks.amazonaws.com/instance-memory": String(type.memoryMiB),
    "eks.amazonaws.com/instance-size": size,
    ...(type.accelerator
      ? {
          "eks.amazonaws.com/instance-gpu-count": String(type.accelerator.count),
          "eks.amazonaws.com/instance-gpu-name": type.accelerator.model,
        }
      : {}),
    "karpenter.sh/capacity-type": capacityType,
    "kubernetes.io/arch": type.arch,
    "kubernetes.io/os": "linux",
    "node.kubernetes.io/instance-type": type.name,
    "topology.k8s.aws/zone-id": findZone(region, zone)?.id ?? zone,
    "topology.kubernetes.io/region": region,
    "topology.kubernetes.io/zone": zone,
  };
}

/** Auto Mode takes no instances older than the fifth generation, nor bursting ones. */
const isSupported = (type: InstanceType): boolean => {
  const { category, generation } = nameParts(type.name);
  return category !== "t" && Number(generation) >= 5;
};

/** Everything that could be launched in the zones; one capacity type, as no prices are known that could tell which is better. */
export function offerings(region: string, zones: readonly string[], capacityType: string): Offering[] {
  const types = instanceTypes()
    .filter(isSupported)
    .map((type) => ({ type, room: roomOf(type) }));
  return zones.flatMap((zone) =>
    types.map(({ type, room }) => ({ type, zone, room, labels: offeringLabels(type, region, zone, capacityType) })),
  );
}
