import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { isPodTerminal } from "../../runtime/pods.js";
import { TAINT } from "../../runtime/taints.js";
import type { Node, Pod } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { disruptPod } from "./disrupt-pod.js";
import { readyCondition } from "./node-health.js";

/**
 * Pod garbage collection: removes pods that nobody else will: of nodes that no longer exist, terminating without ever having been scheduled, on nodes that
 * are out of service, and the oldest finished ones beyond a threshold. Upstream looks at all pods every 20 s; here events tell what to look at, and it is
 * done at the same times.
 */
const PERIOD_MS = 20_000;
/** Time a node has to come back before its pods are removed. */
const QUARANTINE_MS = 40_000;
/** --terminated-pod-gc-threshold */
const TERMINATED_THRESHOLD = 12_500;

const THRESHOLD_KEY = "#terminated";
const nodeKey = (name: string): string => `#node/${name}`;

export const podGcController = (): Controller =>
  defineController({ name: "pod-garbage-collector" }, (env) => {
    const { api, clock, log, queue } = env;
    const terminated = new Set<string>();
    const startMs = clock.now();
    /** Until the next round. */
    const nextRoundMs = (): number => PERIOD_MS - ((clock.now() - startMs) % PERIOD_MS);

    const remove = async (pod: Pod, reason?: string): Promise<void> => {
      const { namespace, name, uid } = pod.metadata;
      if (reason) await disruptPod(api, pod, "DeletionByPodGC", reason, clock.now(), "Failed");
      try {
        await api.delete("pods", { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } });
        log.debug({ pod: keyOf(pod), reason }, "pod removed by garbage collection");
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    const collectNode = async (name: string): Promise<void> => {
      const node = api.get<Node>("nodes", { name });
      const pods = api.byIndex<Pod>("pods", "node", name);
      if (!node) {
        for (const pod of pods) await remove(pod, "PodGC: node no longer exists");
      } else if (isOutOfService(node)) {
        for (const pod of pods) if (pod.metadata.deletionTimestamp) await remove(pod);
      }
    };

    const collectTerminated = async (): Promise<void> => {
      const excess = terminated.size - TERMINATED_THRESHOLD;
      if (excess <= 0) return;
      const pods = [...terminated].flatMap((key) => api.get<Pod>("pods", parseKey(key)) ?? []);
      pods.sort((a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp));
      for (const pod of pods.slice(0, excess)) await remove(pod);
    };

    const reconcile = async (key: string): Promise<void> => {
      if (key === THRESHOLD_KEY) return collectTerminated();
      if (key.startsWith("#node/")) return collectNode(key.slice("#node/".length));
      const pod = api.get<Pod>("pods", parseKey(key));
      if (pod?.metadata.deletionTimestamp && !pod.spec?.nodeName) await remove(pod);
    };

    return {
      reconcile,
      watches: [
        on<Node>("nodes", ({ type, object }) => {
          const key = nodeKey(object.metadata.name);
          if (type === "DELETED") queue.addAfter(key, nextRoundMs() + QUARANTINE_MS);
          else if (isOutOfService(object)) queue.addAfter(key, nextRoundMs());
          return undefined;
        }),
        on<Pod>("pods", ({ type, object, previous }) => {
          const key = keyOf(object);
          if (type === "DELETED" || !isPodTerminal(object)) {
            terminated.delete(key);
          } else if (!terminated.has(key)) {
            terminated.add(key);
            if (terminated.size > TERMINATED_THRESHOLD) queue.addAfter(THRESHOLD_KEY, nextRoundMs());
          }
          if (type === "DELETED") return undefined;
          const nodeName = object.spec?.nodeName;
          if (!nodeName) {
            if (object.metadata.deletionTimestamp) queue.addAfter(key, nextRoundMs());
          } else if (
            previous?.spec?.nodeName !== nodeName ||
            previous.metadata.deletionTimestamp !== object.metadata.deletionTimestamp
          ) {
            const node = api.get<Node>("nodes", { name: nodeName });
            if (!node) queue.addAfter(nodeKey(nodeName), nextRoundMs() + QUARANTINE_MS);
            else if (isOutOfService(node)) queue.addAfter(nodeKey(nodeName), nextRoundMs());
          }
          return undefined;
        }),
      ],
    };
  });

/** Declared dead by an operator, and indeed not ready. */
const isOutOfService = (node: Node): boolean =>
  readyCondition(node)?.status !== "True" &&
  (node.spec?.taints ?? []).some((taint) => taint.key === TAINT.outOfService);
