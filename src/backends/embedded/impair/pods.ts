/** What is wrong with single pods, and how they are ended. */
import type { KubeApi } from "../../../kubernetes/api.js";
import type { SimulatedCluster } from "../../../kubernetes/cluster.js";
import { isStatusError } from "../../../kubernetes/errors.js";
import type { PodTrouble } from "../../../kubernetes/trouble.js";
import type { PodName } from "../../backend.js";
import type { PartEffect } from "./impair.js";

/** Of a pod that is to crash and to be unready, only the first can be seen. */
export const impairPods: PartEffect<"pods"> = ({ cluster }, pods) => {
  const troubles: Record<string, PodTrouble> = {};
  for (const { namespace, name, trouble } of pods) {
    const key = `${namespace}/${name}`;
    if (troubles[key] !== "crash-loop") troubles[key] = trouble;
  }
  cluster.setPodTroubles(troubles);
};

async function deletePod(api: KubeApi, pod: PodName, gracePeriodSeconds: number | undefined): Promise<void> {
  try {
    await api.delete("pods", pod, gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds });
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
  }
}

/** Those that are not there any more are ended already. Containers of a node that is silent end there all the same, and it tells of that later. */
export async function endPods(
  { api, breakDown }: Pick<SimulatedCluster, "api" | "breakDown">,
  pods: readonly PodName[],
  how: "delete" | "kill" | "crash" | "oom",
): Promise<void> {
  for (const pod of pods) {
    if (how === "crash" || how === "oom") breakDown(pod, how);
    else await deletePod(api, pod, how === "kill" ? 0 : undefined);
  }
}
