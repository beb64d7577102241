import type { Taint, Toleration } from "../schema/generated/types.js";

/** Taints and tolerations: the well-known taints that controllers set, and who tolerates what. */
export const TAINT = {
  notReady: "node.kubernetes.io/not-ready",
  unreachable: "node.kubernetes.io/unreachable",
  unschedulable: "node.kubernetes.io/unschedulable",
  memoryPressure: "node.kubernetes.io/memory-pressure",
  diskPressure: "node.kubernetes.io/disk-pressure",
  pidPressure: "node.kubernetes.io/pid-pressure",
  networkUnavailable: "node.kubernetes.io/network-unavailable",
  outOfService: "node.kubernetes.io/out-of-service",
  uninitialized: "node.cloudprovider.kubernetes.io/uninitialized",
  shutdown: "node.cloudprovider.kubernetes.io/shutdown",
} as const;

const INTEGER = /^-?\d+$/;

const NUMERIC: Readonly<Record<string, (taint: bigint, toleration: bigint) => boolean>> = {
  Gt: (taint, toleration) => taint > toleration,
  Lt: (taint, toleration) => taint < toleration,
};

/** corev1.Toleration.ToleratesTaint: an empty key with `Exists` tolerates everything, an empty effect every effect. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  const operator = toleration.operator || "Equal";
  if (operator === "Exists") return true;
  // An empty key means "every taint" with Exists alone; validation refuses the rest.
  if (!toleration.key) return false;
  const [ours, theirs] = [toleration.value ?? "", taint.value ?? ""];
  if (operator === "Equal") return ours === theirs;
  const compare = NUMERIC[operator];
  return compare !== undefined && INTEGER.test(ours) && INTEGER.test(theirs) && compare(BigInt(theirs), BigInt(ours));
}

export const toleratesTaint = (tolerations: readonly Toleration[] | undefined, taint: Taint): boolean =>
  tolerations?.some((toleration) => tolerates(toleration, taint)) ?? false;

/** The first taint with one of `effects` that nothing tolerates. */
export function untolerated(
  taints: readonly Taint[] | undefined,
  tolerations: readonly Toleration[] | undefined,
  effects: readonly string[],
): Taint | undefined {
  return taints?.find((taint) => effects.includes(taint.effect) && !toleratesTaint(tolerations, taint));
}

export const sameTaint = (a: Taint, b: Taint): boolean => a.key === b.key && a.effect === b.effect;
