/** A pod's quality of service (upstream: pkg/apis/core/helper/qos). */
import type { PodSpec } from "../../schema/generated/types.js";
import { compareQuantities, parseQuantity } from "../quantity.js";

const QOS_RESOURCES = ["cpu", "memory"] as const;

const given = (amount: string | undefined): amount is string =>
  amount !== undefined && parseQuantity(amount).value > 0n;

/**
 * `Guaranteed` when every container (or the pod as a whole) limits cpu and memory and requests the same; `BestEffort` when none asks for anything; else
 * `Burstable`.
 */
export function qosClass(spec: PodSpec): "Guaranteed" | "Burstable" | "BestEffort" {
  const asked = spec.resources
    ? [spec.resources]
    : [...spec.containers, ...(spec.initContainers ?? [])].map((container) => container.resources);
  let any = false;
  let guaranteed = true;
  for (const resources of asked) {
    for (const resource of QOS_RESOURCES) {
      const limit = resources?.limits?.[resource];
      const request = resources?.requests?.[resource];
      if (given(limit) || given(request)) any = true;
      if (!given(limit) || (request !== undefined && request !== limit && compareQuantities(request, limit) !== 0))
        guaranteed = false;
    }
  }
  return any ? (guaranteed ? "Guaranteed" : "Burstable") : "BestEffort";
}
