import { formatSeconds } from "../../../clock/clock.js";
import type { KubeApi } from "../../api.js";
import { isStatusError } from "../../errors.js";
import { withCondition } from "../../runtime/conditions.js";
import { isPodTerminal } from "../../runtime/pods.js";
import type { Pod } from "../../schema/generated/types.js";

/**
 * Notes on a pod that it is about to be deleted by the system and why (condition DisruptionTarget), optionally failing it at once. undefined: the pod went
 * meanwhile.
 */
export async function disruptPod(
  api: KubeApi,
  pod: Pod,
  reason: string,
  message: string,
  nowMs: number,
  phase?: "Failed",
): Promise<Pod | undefined> {
  const conditions = withCondition(pod.status?.conditions, {
    type: "DisruptionTarget",
    status: "True",
    reason,
    message,
    lastTransitionTime: formatSeconds(nowMs),
  });
  const failed = phase && !isPodTerminal(pod) ? { phase } : {};
  try {
    return await api.updateStatus<Pod>("pods", { ...pod, status: { ...pod.status, ...failed, conditions } });
  } catch (error) {
    if (isStatusError(error, "NotFound")) return undefined;
    throw error;
  }
}
