import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { isEqual } from "../../runtime/hash.js";
import { isPodTerminal } from "../../runtime/pods.js";
import { tolerates } from "../../runtime/taints.js";
import type { Node, Pod, Taint } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { disruptPod } from "./disrupt-pod.js";

/**
 * Taint eviction: pods on a node with a NoExecute taint that they do not tolerate are deleted at once; pods that tolerate it for some seconds are deleted
 * after them, unless the taint goes before. The seconds count from the taint's own time, so a restart of the controller changes nothing.
 */

/** When the pod has to go, epoch ms; undefined: never. Taints that do not say since when they are there (kubectl's do not) count from `seenMs`. */
function evictionTimeMs(pod: Pod, taints: readonly Taint[], seenMs: number): number | undefined {
  let earliest = Number.POSITIVE_INFINITY;
  for (const taint of taints) {
    if (taint.effect !== "NoExecute") continue;
    const tolerations = (pod.spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (tolerations.length === 0) return seenMs;
    // Upstream takes the smallest of all the seconds that are used; one without seconds tolerates for ever.
    const limits = tolerations.flatMap(({ tolerationSeconds }) =>
      tolerationSeconds === undefined ? [] : [Math.max(0, tolerationSeconds)],
    );
    if (limits.length === 0) continue;
    const addedMs = Date.parse(taint.timeAdded ?? "");
    const sinceMs = Math.max(Number.isNaN(addedMs) ? seenMs : addedMs, Date.parse(pod.metadata.creationTimestamp));
    earliest = Math.min(earliest, sinceMs + Math.min(...limits) * 1000);
  }
  return Number.isFinite(earliest) ? earliest : undefined;
}

export const taintEvictionController = (): Controller =>
  defineController({ name: "taint-eviction-controller" }, (env) => {
    const { api, clock, events, queue } = env;
    /** Pods that wait for their time, by key, with the time at which that began; told when their deletion is called off. */
    const pending = new Map<string, number>();

    const noExecute = (node: Node | undefined): Taint[] =>
      (node?.spec?.taints ?? []).filter((taint) => taint.effect === "NoExecute");

    const cancel = (key: string, pod: Pod | undefined): void => {
      queue.forget(key);
      if (pending.delete(key) && pod)
        events.event(pod, "Normal", "TaintManagerEviction", `Cancelling deletion of Pod ${key}`);
    };

    const reconcile = async (key: string): Promise<void> => {
      const pod = api.get<Pod>("pods", parseKey(key));
      if (!pod || pod.metadata.deletionTimestamp) {
        pending.delete(key);
        return queue.forget(key);
      }
      const taints = isPodTerminal(pod) ? [] : noExecute(api.get<Node>("nodes", { name: pod.spec?.nodeName ?? "" }));
      const nowMs = clock.now();
      const atMs = taints.length === 0 ? undefined : evictionTimeMs(pod, taints, pending.get(key) ?? nowMs);
      if (atMs === undefined) return cancel(key, pod);
      if (atMs > nowMs) {
        if (!pending.has(key)) pending.set(key, nowMs);
        return queue.addAfter(key, atMs - nowMs);
      }
      pending.delete(key);
      events.event(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${key}`);
      const marked = await disruptPod(
        api,
        pod,
        "DeletionByTaintManager",
        "Taint manager: deleting due to NoExecute taint",
        nowMs,
      );
      if (!marked) return;
      const { namespace, name, uid } = pod.metadata;
      try {
        await api.delete("pods", { namespace, name }, { preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    return {
      reconcile,
      watches: [
        on<Node>("nodes", ({ type, object, previous }) => {
          if (type === "DELETED") return undefined;
          const [before, now] = [noExecute(previous), noExecute(object)];
          if ((before.length === 0 && now.length === 0) || isEqual(before, now)) return undefined;
          return api.byIndex<Pod>("pods", "node", object.metadata.name).map(keyOf);
        }),
        on<Pod>("pods", ({ type, object, previous }) => {
          if (type === "DELETED" && pending.has(keyOf(object))) return keyOf(object);
          const nodeName = object.spec?.nodeName;
          if (type === "DELETED" || !nodeName) return undefined;
          const moved = previous?.spec?.nodeName !== nodeName || previous.spec.tolerations !== object.spec?.tolerations;
          return moved && noExecute(api.get<Node>("nodes", { name: nodeName })).length > 0 ? keyOf(object) : undefined;
        }),
      ],
    };
  });
