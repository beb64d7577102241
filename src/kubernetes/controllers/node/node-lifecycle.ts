import { formatSeconds } from "../../../clock/clock.js";
import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { conditionOf, withCondition } from "../../runtime/conditions.js";
import { isEqual } from "../../runtime/hash.js";
import type { Node, Pod, Taint } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { createEvictionQueue, type EvictionQueue } from "./eviction-queue.js";
import {
  isEvicted,
  isSilent,
  type NodeWatch,
  observe,
  readyCondition,
  unknownConditions,
  wantedTaints,
  withoutEviction,
  withRenewal,
} from "./node-health.js";
import {
  countsForDisruption,
  evictionRate,
  judgeZones,
  NODE_LIFECYCLE,
  type ZoneCount,
  type ZoneState,
  zoneOf,
} from "./zones.js";

/**
 * Node lifecycle: a node whose kubelet falls silent becomes Unknown, its pods become unready at once, and after its zone's rate has let it through it is
 * tainted NoExecute, upon which the taint eviction controller deletes its pods. Zones that are disrupted slow this down or stop it (zones.ts).
 */
export const nodeLifecycleController = (): Controller =>
  defineController({ name: "node-lifecycle-controller", component: "node-controller" }, (env) => {
    const { api, clock, events, heartbeats, queue, log } = env;
    const watches = new Map<string, NodeWatch>();
    const states = new Map<string, ZoneState>();
    const queues = new Map<string, EvictionQueue>();
    /** Nodes whose turn for the NoExecute taint has come. */
    const due = new Set<string>();
    /** No zone has a ready node: nobody is evicted. */
    let allDisrupted = false;
    let timer = clock.timer(0, () => monitor());

    const queueOf = (zone: string): EvictionQueue => {
      const present = queues.get(zone);
      if (present) return present;
      const created = createEvictionQueue(clock, evictionRate("Normal", 0), (name) => {
        due.add(name);
        queue.add(name);
      });
      queues.set(zone, created);
      return created;
    };

    /** Looks at every node: a few comparisons each, writes for those that changed only. */
    const monitor = (): void => {
      timer = clock.timer(NODE_LIFECYCLE.monitorPeriodMs, monitor);
      const nowMs = clock.now();
      const counts = new Map<string, ZoneCount>();
      const nodes = api.list<Node>("nodes");
      for (const node of nodes) {
        const { name } = node.metadata;
        const known = watches.get(name);
        const watch = observe(known, node, heartbeats.lastRenewalMs(name), nowMs);
        if (watch !== known) watches.set(name, watch);
        const ready = readyCondition(node)?.status;
        const silent = isSilent(watch, node, nowMs);
        if (ready !== "Unknown" && silent) queue.add(name);
        if (!countsForDisruption(node)) continue;
        const zone = zoneOf(node);
        const count = counts.get(zone) ?? { ready: 0, notReady: 0 };
        counts.set(zone, count);
        if (ready === "True" && !silent) count.ready++;
        else count.notReady++;
      }
      const disruption = judgeZones(states, counts);
      if (disruption.kind === "all-disrupted") {
        allDisrupted = true;
        log.debug({ controller: "node-lifecycle-controller" }, "every zone is disrupted: nobody is evicted");
        for (const zone of counts.keys()) queueOf(zone).setRate(0);
        due.clear();
        for (const node of nodes) if (isEvicted(node)) queue.add(node.metadata.name);
        return;
      }
      if (disruption.kind === "recovered") {
        allDisrupted = false;
        for (const [name, watch] of watches) watches.set(name, { ...watch, seenMs: nowMs });
        for (const node of nodes) queue.add(node.metadata.name);
      }
      for (const [zone, rate] of disruption.rates) queueOf(zone).setRate(rate);
    };

    const reconcile = async (name: string): Promise<void> => {
      let node = api.get<Node>("nodes", { name });
      if (!node) {
        watches.delete(name);
        due.delete(name);
        for (const zone of queues.values()) zone.remove(name);
        return queue.forget(name);
      }
      const nowMs = clock.now();
      const known = watches.get(name);
      // A sign of life since the last round counts already.
      const watch = known && withRenewal(known, heartbeats.lastRenewalMs(name), nowMs);
      if (watch) watches.set(name, watch);
      if (watch && isSilent(watch, node, nowMs) && readyCondition(node)?.status !== "Unknown") {
        const wasReady = readyCondition(node)?.status === "True";
        node = await api.updateStatus<Node>("nodes", {
          ...node,
          status: { ...node.status, conditions: unknownConditions(node, nowMs) },
        });
        if (wasReady) await noteUnready(node);
      } else if (readyCondition(node)?.status === "False" && turnedUnready.delete(name)) {
        await noteUnready(node);
      }
      await taint(node);
      if (readyCondition(node)?.status === "Unknown") await markPodsNotReady(name);
    };

    /** Nodes whose kubelet itself has said that they are no longer ready. */
    const turnedUnready = new Set<string>();

    const noteUnready = async (node: Node): Promise<void> => {
      const { name } = node.metadata;
      events.event(node, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
      await markPodsNotReady(name);
    };

    const taint = async (node: Node): Promise<void> => {
      const { name } = node.metadata;
      const zone = queueOf(zoneOf(node));
      const unready = readyCondition(node)?.status === "False" || readyCondition(node)?.status === "Unknown";
      if (!unready) {
        due.delete(name);
        zone.remove(name);
      } else if (!isEvicted(node) && !due.has(name) && !allDisrupted) {
        zone.add(name);
      }
      // Its turn may come while the write below is under way: only what was seen here is settled by it.
      const isDue = due.has(name);
      const wanted = wantedTaints(node, isDue, clock.now());
      await writeTaints(node, allDisrupted ? withoutEviction(wanted) : wanted);
      if (isDue) due.delete(name);
    };

    const writeTaints = async (node: Node, taints: readonly Taint[]): Promise<void> => {
      if (isEqual(taints, node.spec?.taints ?? [])) return;
      const { taints: _, ...spec } = node.spec ?? {};
      await api.update<Node>("nodes", { ...node, spec: taints.length ? { ...spec, taints: [...taints] } : spec });
    };

    /** Pods of a node that is not ready get no traffic: their Ready condition becomes False at once, long before any eviction. */
    const markPodsNotReady = async (nodeName: string): Promise<void> => {
      for (const pod of api.byIndex<Pod>("pods", "node", nodeName)) {
        const ready = conditionOf(pod.status?.conditions, "Ready");
        if (ready?.status !== "True") continue;
        const conditions = withCondition(pod.status?.conditions, {
          ...ready,
          status: "False",
          lastTransitionTime: formatSeconds(clock.now()),
        });
        try {
          await api.updateStatus<Pod>("pods", { ...pod, status: { ...pod.status, conditions } });
          events.event(pod, "Warning", "NodeNotReady", "Node is not ready");
        } catch (error) {
          if (!isStatusError(error, "NotFound") && !isStatusError(error, "Conflict")) throw error;
          queue.add(nodeName);
        }
      }
    };

    return {
      reconcile,
      watches: [
        on<Node>("nodes", ({ type, object, previous }) => {
          const { name } = object.metadata;
          if (type === "ADDED") {
            announce(object, "RegisteredNode", `Node ${name} event: Registered Node ${name} in Controller`);
          } else if (type === "DELETED") {
            announce(object, "RemovingNode", `Node ${name} event: Removing Node ${name} from Controller`);
          }
          if (type === "DELETED") watches.delete(name);
          const [before, now] = [previous && readyCondition(previous)?.status, readyCondition(object)?.status];
          if (before === "True" && now === "False") turnedUnready.add(name);
          const same =
            previous !== undefined &&
            before === now &&
            previous.spec === object.spec &&
            previous.status?.conditions === object.status?.conditions;
          return same ? undefined : name;
        }),
        // A pod bound to a node that is silent already must not look ready.
        on<Pod>("pods", ({ type, object, previous }) => {
          const nodeName = object.spec?.nodeName;
          if (!nodeName || type === "DELETED" || previous?.spec?.nodeName === nodeName) return undefined;
          const node = api.get<Node>("nodes", { name: nodeName });
          return node && readyCondition(node)?.status === "Unknown" ? nodeName : undefined;
        }),
      ],
      stop() {
        timer.cancel();
        for (const zone of queues.values()) zone.stop();
      },
    };

    /** Watch handlers must not write, so the event waits for the present write to unwind. */
    function announce(node: Node, reason: string, message: string): void {
      clock.defer(() => events.event(node, "Normal", reason, message));
    }
  });
