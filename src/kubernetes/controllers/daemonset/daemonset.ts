import type { Controller } from "../../controller.js";
import { keyOf, parseKey } from "../../object.js";
import { isEqual } from "../../runtime/hash.js";
import { isEmptySelector, matcherOf } from "../../runtime/label-selector.js";
import { msUntilAvailable } from "../../runtime/pods.js";
import type { ControllerRevision, DaemonSet, Node, Pod } from "../../schema/generated/types.js";
import { claim, createOrphanIndex, ownerKeys } from "../claim.js";
import { defineController, on } from "../define-controller.js";
import { createOwnStatus } from "../own-status.js";
import { createPod, deletePod, isNamespaceTerminating, slowStartBatch } from "../pod-control.js";
import { REVISIONS, syncHistory, trimHistory } from "../revision-history.js";
import { daemonPod, eligibility, targetNode } from "./eligibility.js";
import { type DaemonView, daemonStatus, planPlacement, planUpdate } from "./plan.js";

/** DaemonSets: one pod on every node that takes it, replaced step by step when the template changes. Decisions are in eligibility.ts and plan.ts. */
const RESOURCE = "daemonsets.apps";
/** Pods created or deleted in one reconcile at most (upstream's BurstReplicas). */
const BURST = 250;
/** From so many nodes on, a look at all of them is worth waiting for. */
const MANY_NODES = 100;
const GATHER_MS = { perNode: 0.2, most: 1_000 };
/** A failed daemon pod is replaced after this long, doubling up to fifteen minutes, so that a broken one does not spin. */
const FAILED_BACKOFF_MS = { first: 1_000, most: 900_000 };

export const daemonSetController = (): Controller =>
  defineController({ name: "daemon-set-controller", component: "daemonset-controller" }, (env) => {
    const { api, clock, events, queue } = env;
    const podOrphans = createOrphanIndex();
    const revisionOrphans = createOrphanIndex();
    const own = createOwnStatus();
    const matches = (daemonSet: DaemonSet) => matcherOf(daemonSet.spec?.selector);
    const failures = new Map<string, { count: number; lastMs: number }>();

    let nodeCount = 0;

    /** Every look goes over all nodes: in a large cluster changes of nodes and pods are gathered for a while, or their number squared would be paid. */
    const gathered = (keys: readonly string[]): readonly string[] | undefined => {
      if (nodeCount < MANY_NODES) return keys;
      for (const key of keys) queue.addAfter(key, Math.min(GATHER_MS.most, nodeCount * GATHER_MS.perNode));
      return undefined;
    };

    const viewOf = async (daemonSet: DaemonSet, hash: string): Promise<DaemonView> => {
      const pods = await claim<Pod>({
        api,
        resource: "pods",
        owner: daemonSet,
        matches: matches(daemonSet),
        orphans: podOrphans,
      });
      const podsByNode = new Map<string, Pod[]>();
      for (const pod of pods) {
        const node = targetNode(pod);
        if (node === undefined) continue;
        const onNode = podsByNode.get(node);
        if (onNode) onNode.push(pod);
        else podsByNode.set(node, [pod]);
      }
      return { daemonSet, hash, nodes: api.list<Node>("nodes"), podsByNode, nowMs: clock.now() };
    };

    const reconcile = async (key: string): Promise<void> => {
      const daemonSet = api.get<DaemonSet>(RESOURCE, parseKey(key));
      if (!daemonSet) return queue.forget(key);
      if (isEmptySelector(daemonSet.spec?.selector)) {
        events.event(
          daemonSet,
          "Warning",
          "SelectingAll",
          "This daemon set is selecting all pods. A non-empty selector is required.",
        );
        return;
      }
      if (daemonSet.metadata.deletionTimestamp) return;
      const template = daemonSet.spec?.template ?? {};
      const revisions = await claim<ControllerRevision>({
        api,
        resource: REVISIONS,
        owner: daemonSet,
        matches: matches(daemonSet),
        orphans: revisionOrphans,
      });
      const history = await syncHistory(api, daemonSet, template, revisions, async (collisionCount) => {
        const status = daemonSet.status ?? daemonStatus(await viewOf(daemonSet, ""));
        await api.updateStatus<DaemonSet>(RESOURCE, { ...daemonSet, status: { ...status, collisionCount } });
      });

      let view = await viewOf(daemonSet, history.hash);
      await place(view);
      view = await viewOf(daemonSet, history.hash);
      if (daemonSet.spec?.updateStrategy?.type !== "OnDelete") {
        const { remove, create } = planUpdate(view);
        await change(view, create, remove);
        if (remove.length + create.length > 0) view = await viewOf(daemonSet, history.hash);
      }
      await writeStatus(view);
      const live = new Set(
        [...view.podsByNode.values()].flat().map((pod) => pod.metadata.labels?.["controller-revision-hash"]),
      );
      await trimHistory(api, history, daemonSet.spec?.revisionHistoryLimit ?? 10, (hash) => live.has(hash));
    };

    const place = async (view: DaemonView): Promise<void> => {
      const { create, remove, failed } = planPlacement(view);
      const ready = failed.filter(({ pod, nodeName }) => {
        const waitMs = failureWaitMs(`${view.daemonSet.metadata.uid}/${nodeName}`);
        if (waitMs > 0) {
          queue.addAfter(keyOf(view.daemonSet), waitMs);
          return false;
        }
        const message = `Found failed daemon pod ${keyOf(pod)} on node ${nodeName}, will try to kill it`;
        events.event(view.daemonSet, "Warning", "FailedDaemonPod", message);
        return true;
      });
      for (const pod of remove) {
        if (pod.status?.phase !== "Succeeded") continue;
        const message = `Found succeeded daemon pod ${keyOf(pod)} on node ${targetNode(pod)}, will try to delete it`;
        events.event(view.daemonSet, "Normal", "SucceededDaemonPod", message);
      }
      await change(view, create, [...remove, ...ready.map(({ pod }) => pod)]);
    };

    /** How long the failed pod of a node still has to wait; counts the attempt when it need not. */
    const failureWaitMs = (key: string): number => {
      const nowMs = clock.now();
      const known = failures.get(key);
      if (!known || nowMs - known.lastMs > 2 * FAILED_BACKOFF_MS.most) {
        failures.set(key, { count: 1, lastMs: nowMs });
        return 0;
      }
      const delayMs = Math.min(FAILED_BACKOFF_MS.most, FAILED_BACKOFF_MS.first * 2 ** (known.count - 1));
      const waitMs = known.lastMs + delayMs - nowMs;
      if (waitMs > 0) return waitMs;
      failures.set(key, { count: known.count + 1, lastMs: nowMs });
      return 0;
    };

    const change = async (
      { daemonSet, hash }: DaemonView,
      create: readonly string[],
      remove: readonly Pod[],
    ): Promise<void> => {
      const nodes = create.slice(0, BURST);
      const { error } = await slowStartBatch(nodes.length, (i) =>
        createPod(env, daemonSet, daemonPod(daemonSet, nodes[i] ?? "", hash)),
      );
      const deleted = await Promise.allSettled(remove.slice(0, BURST).map((pod) => deletePod(env, daemonSet, pod)));
      const failure = error ?? deleted.find((result) => result.status === "rejected")?.reason;
      if (failure !== undefined && !isNamespaceTerminating(failure)) throw failure;
    };

    const writeStatus = async (view: DaemonView): Promise<void> => {
      const present = api.get<DaemonSet>(RESOURCE, view.daemonSet.metadata);
      if (!present || present.metadata.uid !== view.daemonSet.metadata.uid) return;
      const status = daemonStatus(view);
      own.writing(present, status);
      if (!isEqual(status, present.status)) await api.updateStatus<DaemonSet>(RESOURCE, { ...present, status });
      const minReadySeconds = view.daemonSet.spec?.minReadySeconds ?? 0;
      if (minReadySeconds === 0) return;
      for (const pod of [...view.podsByNode.values()].flat()) {
        const waitMs = msUntilAvailable(pod, minReadySeconds, view.nowMs);
        if (waitMs) queue.addAfter(keyOf(present), waitMs);
      }
    };

    return {
      reconcile,
      watches: [
        on<DaemonSet>(RESOURCE, (event) => {
          const { type, object, previous } = event;
          if (own.isForeign(event)) return keyOf(object);
          if (type === "DELETED") return undefined;
          const asked = ({ metadata, spec }: DaemonSet) => [spec, metadata.labels, metadata.deletionTimestamp];
          return previous && isEqual(asked(previous), asked(object)) ? undefined : keyOf(object);
        }),
        on<ControllerRevision>(REVISIONS, (event) => {
          revisionOrphans.observe(event);
          if (event.type === "ADDED") return undefined;
          return ownerKeys<DaemonSet>(api, event, { resource: RESOURCE, kind: "DaemonSet", matches });
        }),
        on<Pod>("pods", (event) => {
          podOrphans.observe(event);
          return changesDaemons(event.object, event.previous)
            ? gathered(ownerKeys<DaemonSet>(api, event, { resource: RESOURCE, kind: "DaemonSet", matches }) ?? [])
            : undefined;
        }),
        on<Node>("nodes", ({ type, object, previous }) => {
          if (type === "DELETED") nodeCount--;
          else if (type === "ADDED") nodeCount++;
          const sets = api.list<DaemonSet>(RESOURCE);
          if (type !== "MODIFIED" || !previous) return gathered(sets.map(keyOf));
          const asked = ({ metadata, spec }: Node) => [metadata.labels, spec?.taints, spec?.unschedulable];
          if (isEqual(asked(previous), asked(object))) return undefined;
          return gathered(
            sets.filter((set) => !isEqual(eligibility(set, previous), eligibility(set, object))).map(keyOf),
          );
        }),
      ],
    };
  });

/** Whether a pod event can change anything for its DaemonSet. */
function changesDaemons(object: Pod, previous: Pod | undefined): boolean {
  if (!previous) return true;
  const counts = ({ metadata, spec, status }: Pod): unknown[] => [
    metadata.labels,
    metadata.ownerReferences,
    metadata.deletionTimestamp,
    spec?.nodeName,
    status?.phase,
    status?.conditions?.find(({ type }) => type === "Ready")?.status,
  ];
  return !isEqual(counts(previous), counts(object));
}
