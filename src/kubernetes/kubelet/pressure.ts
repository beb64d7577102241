import { hash32 } from "../../clock/random.js";
import { usageOf } from "../metrics/usage.js";
import { quantityToNumber } from "../registry/quantity.js";
import { qosClass } from "../registry/strategies/pod-qos.js";
import { TAINT, toleratesTaint } from "../runtime/taints.js";
import type { Node, Pod, PodSpec } from "../schema/generated/types.js";
import type { Pressure } from "../trouble.js";
import type { Rejection } from "./pod-admission.js";

/** What a kubelet does about a node that is short of something: pure rules of upstream's pkg/kubelet/eviction, with its words. */

/** Memory goes before everything else (byEvictionPriority). */
export const PRESSURES: readonly Pressure[] = ["MemoryPressure", "DiskPressure", "PIDPressure"];

/** The node's condition with a pressure, and without. */
export const PRESSURE_TEXTS: Readonly<Record<Pressure, Record<"felt" | "well", readonly [string, string, string]>>> = {
  MemoryPressure: {
    felt: ["KubeletHasInsufficientMemory", "kubelet has insufficient memory available", "NodeHasInsufficientMemory"],
    well: ["KubeletHasSufficientMemory", "kubelet has sufficient memory available", "NodeHasSufficientMemory"],
  },
  DiskPressure: {
    felt: ["KubeletHasDiskPressure", "kubelet has disk pressure", "NodeHasDiskPressure"],
    well: ["KubeletHasNoDiskPressure", "kubelet has no disk pressure", "NodeHasNoDiskPressure"],
  },
  PIDPressure: {
    felt: ["KubeletHasInsufficientPID", "kubelet has insufficient PID available", "NodeHasInsufficientPID"],
    well: ["KubeletHasSufficientPID", "kubelet has sufficient PID available", "NodeHasSufficientPID"],
  },
};

/** What is reclaimed for the sake of a pressure. */
export const RECLAIMED: Readonly<Record<Pressure, string>> = {
  MemoryPressure: "memory",
  DiskPressure: "ephemeral-storage",
  PIDPressure: "pids",
};

/** monitoringInterval of the eviction manager: one pod at most is evicted in it. */
export const EVICTION_LOOK_MS = 10_000;
/** --eviction-pressure-transition-period: a condition stays this long after the pressure was felt last. */
export const PRESSURE_TRANSITION_MS = 300_000;
/** immediateEvictionGracePeriodSeconds: what hard thresholds leave a pod. */
export const EVICTION_GRACE_SECONDS = 1;
export const EVICTED = "Evicted";

/** From here on priorities are those of Kubernetes itself (SystemCriticalPriority): such pods are never evicted, and admitted under pressure. */
const SYSTEM_CRITICAL = 2_000_000_000;
const MIRROR = "kubernetes.io/config.mirror";

const isCritical = ({ spec, metadata }: Pod): boolean =>
  (spec?.priority ?? 0) >= SYSTEM_CRITICAL || metadata.annotations?.[MIRROR] !== undefined;

/** Why a node under these pressures does not take the pod; undefined: it does. */
export function pressureRejection(pod: Pod, pressures: readonly Pressure[]): Rejection | undefined {
  if (pressures.length === 0 || isCritical(pod)) return undefined;
  const spec = pod.spec as PodSpec;
  if (pressures.length === 1 && pressures[0] === "MemoryPressure") {
    const taint = { key: TAINT.memoryPressure, effect: "NoSchedule" };
    if (qosClass(spec) !== "BestEffort" || toleratesTaint(spec.tolerations, taint)) return undefined;
  }
  return { reason: EVICTED, message: `Pod was rejected: The node had condition: [${pressures.join(" ")}]. ` };
}

interface Consumption {
  name: string;
  used: number;
  requested: number;
}

/** What the pod's containers take of what is short, in its own unit. */
function consumptionOf(pod: Pod, pressure: Pressure, nowMs: number): Consumption[] {
  const resource = RECLAIMED[pressure];
  const memory = new Map(usageOf(pod, nowMs)?.containers.map(({ name, memoryBytes }) => [name, memoryBytes]));
  return (pod.spec?.containers ?? []).map(({ name, resources }) => {
    const requested = resources?.requests?.[resource];
    return {
      name,
      used: pressure === "MemoryPressure" ? (memory.get(name) ?? 0) : writtenBytes(pod, name),
      requested: requested === undefined ? 0 : quantityToNumber(requested),
    };
  });
}

/** Layers and logs are not weighed here: each container is taken to have written a little, always the same. */
const writtenBytes = (pod: Pod, container: string): number =>
  (16 + (hash32(`${pod.metadata.uid}/${container}/written`) % 4096)) * 1024;

const sum = (amounts: readonly number[]): number => amounts.reduce((total, amount) => total + amount, 0);

/**
 * The pod to evict first: one that takes more than it has asked for, then the one of the lowest priority, then the one that takes most beyond its requests.
 * For process ids priority alone counts. undefined: none may be evicted.
 */
export function nextVictim(pods: readonly Pod[], pressure: Pressure, nowMs: number): Pod | undefined {
  const ranked = pods
    .filter((pod) => !isCritical(pod))
    .map((pod) => {
      const consumption = pressure === "PIDPressure" ? [] : consumptionOf(pod, pressure, nowMs);
      const excess = sum(consumption.map(({ used }) => used)) - sum(consumption.map(({ requested }) => requested));
      return { pod, excess, priority: pod.spec?.priority ?? 0 };
    });
  ranked.sort((a, b) => Number(b.excess > 0) - Number(a.excess > 0) || a.priority - b.priority || b.excess - a.excess);
  return ranked[0]?.pod;
}

const inKi = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;

/** evictionHard of kubelets on EKS: memory.available 100Mi, nodefs.available 10 %. Nothing is said of process ids there. */
const MEMORY_THRESHOLD_BYTES = 100 * 1024 * 1024;
const DISK_THRESHOLD = 0.1;

/** Why the pod was evicted, as upstream's evictionMessage words it. `left`: 0 to 1, how much of the threshold is still there. */
export function evictionMessage(
  pod: Pod,
  { pressure, node, left }: { pressure: Pressure; node: Node | undefined; left: number },
  nowMs: number,
): string {
  const resource = RECLAIMED[pressure];
  const storage = node?.status?.capacity?.["ephemeral-storage"];
  const threshold =
    pressure === "MemoryPressure"
      ? { quantity: "100Mi", bytes: MEMORY_THRESHOLD_BYTES }
      : pressure === "DiskPressure" && storage !== undefined
        ? atShare(quantityToNumber(storage) * DISK_THRESHOLD)
        : undefined;
  const met = threshold
    ? `Threshold quantity: ${threshold.quantity}, available: ${inKi(threshold.bytes * left)}. `
    : "";
  const greedy = pressure === "PIDPressure" ? [] : consumptionOf(pod, pressure, nowMs);
  const larger = greedy
    .filter(({ used, requested }) => used > requested)
    .map(
      ({ name, used, requested }) =>
        `Container ${name} was using ${inKi(used)}, request is ${requested === 0 ? "0" : inKi(requested)}, has larger consumption of ${resource}. `,
    );
  return `The node was low on resource: ${resource}. ${met}${larger.join("")}`;
}

const atShare = (bytes: number): { quantity: string; bytes: number } => ({
  quantity: String(Math.floor(bytes)),
  bytes,
});
