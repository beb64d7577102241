import type { Clock } from "../../clock/clock.js";
import type { KubeApi, WatchEvent } from "../api.js";
import type { ClusterLog } from "../cluster.js";
import { isStatusError } from "../errors.js";
import { keyOf } from "../object.js";
import type { EventRecorder } from "../runtime/event-recorder.js";
import { isEqual } from "../runtime/hash.js";
import { isPodTerminal } from "../runtime/pods.js";
import type { Binding, Namespace, Node, Pod, PodDisruptionBudget } from "../schema/generated/types.js";
import { couldFit } from "./hints.js";
import { createLookups } from "./lookups.js";
import type { NodeInfo } from "./node-info.js";
import { createNominations } from "./nominations.js";
import { type Diagnosis, describe, planPod } from "./plan.js";
import { volumeWork } from "./plugins/volumes.js";
import { type PodInfo, podInfoOf } from "./pod-info.js";
import { planPreemption } from "./preemption.js";
import { createSchedulingQueue, type QueuedPod } from "./queue.js";
import { createReservations } from "./reservations.js";
import { pendingResize, withHeldResources } from "./resizing.js";
import { ClusterSnapshot } from "./snapshot.js";
import { createPodWrites } from "./writes.js";

export interface SchedulerOptions {
  /** Acts as `system:kube-scheduler`. */
  api: KubeApi;
  clock: Clock;
  log: ClusterLog;
  events: EventRecorder;
}

export interface Scheduler {
  /** Begins to place pods; returns how to stop. Right from any starting state, also after a restart. */
  start(): () => void;
}

const SCHEDULER_NAME = "default-scheduler";
/** Pods planned in one turn of the event loop. */
const SLICE = 8;
const GATED = "Scheduling is blocked due to non-empty scheduling gates";

/** What DynamicResources, asked before preemption, says of a pod without resource claims: part of the text since 1.34. */
const NO_CLAIMS = "no new claims to deallocate";

const isGated = (pod: Pod): boolean => (pod.spec?.schedulingGates?.length ?? 0) > 0;

/** True when nothing changed that placing depends on: most updates of pods only report status. */
const sameDemand = (a: Pod, b: Pod): boolean =>
  a.metadata.deletionTimestamp === b.metadata.deletionTimestamp &&
  isEqual(a.spec, b.spec) &&
  isEqual(a.metadata.labels, b.metadata.labels) &&
  (a.status === b.status || pendingResize(a) === pendingResize(b));

/** The parts of a Node that rules look at. */
const sameNode = (a: Node, b: Node): boolean =>
  isEqual(a.spec, b.spec) &&
  isEqual(a.metadata.labels, b.metadata.labels) &&
  isEqual(a.status?.allocatable, b.status?.allocatable);

export function createScheduler(options: SchedulerOptions): Scheduler {
  return { start: () => startScheduler(options) };
}

function startScheduler({ api, clock, log, events }: SchedulerOptions): () => void {
  const random = clock.random("scheduler");
  const lookups = createLookups(api);
  const cluster = new ClusterSnapshot(lookups);
  const cursor = { index: 0 };
  const nominations = createNominations();
  const writes = createPodWrites({ api, clock, log, events });
  let scheduled = false;
  let stopped = false;

  const schedule = (): void => {
    if (scheduled || stopped || queue.activeCount === 0) return;
    scheduled = true;
    clock.defer(() => {
      scheduled = false;
      for (let i = 0; i < SLICE && !stopped; i++) {
        const entry = queue.take();
        if (!entry) return;
        try {
          attempt(entry);
        } catch (error) {
          // One pod that cannot be planned must not hold up the others.
          log.error({ pod: entry.info.key, error }, "scheduling failed");
          queue.retry(entry);
        }
      }
      schedule();
    });
  };
  const queue = createSchedulingQueue({ clock, ready: schedule });
  const infoOf = (pod: Pod): PodInfo => podInfoOf(pod, (spec) => cluster.podSets.make(spec));

  const attempt = (entry: QueuedPod): void => {
    const { info } = entry;
    // The object may have gone between two turns; its DELETED event has cleared the queue or soon will.
    if (info.terminating) {
      queue.remove(info.key);
      return;
    }
    const plan = planPod(info, cluster, {
      random,
      cursor,
      nominated: nominations.size > 0 ? nominations.beside : undefined,
      nominatedNode: nominations.nodeOf(info.key),
    });
    if ("diagnosis" in plan) {
      refused(entry, plan.diagnosis);
      return;
    }
    const work = volumeWork(info, plan.node, cluster);
    if (work) reservations.reserve(entry, plan.node, work);
    else bind(entry, plan.node);
  };

  const bind = (entry: QueuedPod, node: NodeInfo): void => {
    const { info } = entry;
    const { namespace, name, uid } = info.pod.metadata;
    // Assumed at once: the next pod is planned as though this one were there.
    cluster.place(info, node.name);
    const binding = {
      metadata: { name, namespace, uid },
      target: { apiVersion: "v1", kind: "Node", name: node.name },
    };
    const work = api.create<Binding>("pods", binding, { subresource: "binding" }).then(
      () => {
        nominations.clear(info.key);
        queue.remove(info.key);
        events.event(info.pod, "Normal", "Scheduled", `Successfully assigned ${info.key} to ${node.name}`);
      },
      (error: unknown) => {
        const placed = cluster.placement(info.key);
        if (placed?.pod === info) cluster.remove(info.key);
        if (isStatusError(error, "NotFound")) return queue.remove(info.key);
        log.warn({ pod: info.key, node: node.name, error }, "binding refused");
        events.event(info.pod, "Warning", "FailedScheduling", `binding rejected: ${(error as Error).message}`);
        queue.retry(entry);
      },
    );
    void clock.track(work);
  };

  const reservations = createReservations({
    clock,
    cluster,
    prepare: writes.prepareVolumes,
    bind,
    failed: (entry, node, message) => {
      const { info } = entry;
      events.event(info.pod, "Warning", "FailedScheduling", message);
      writes.unschedulable(info, "SchedulerError", message, undefined);
      queue.retry(entry);
      queue.changed("podGone", (other) => other !== entry && couldFit(other, node, cluster));
    },
  });

  const refused = (entry: QueuedPod, diagnosis: Diagnosis): void => {
    const { info } = entry;
    // Set aside before anything is written, so that no change that follows is missed.
    queue.setAside(entry, diagnosis.plugins);
    const nominatedNode = nominations.nodeOf(info.key);
    const nodeCount = cluster.nodes().length;
    const preemption = planPreemption(info, diagnosis, cluster, {
      budgets: diagnosis.total > 0 ? api.list<PodDisruptionBudget>("poddisruptionbudgets.policy") : [],
      offset: nodeCount > 0 ? random.integer(0, nodeCount - 1) : 0,
      nominatedNode,
      nominated: nominations.size > 0 ? nominations.beside : undefined,
    });
    const message = describe(
      diagnosis,
      "message" in preemption ? `${NO_CLAIMS}, preemption: ${preemption.message}` : "",
    );
    events.event(info.pod, "Warning", "FailedScheduling", message);
    let nominate: string | undefined = nominatedNode;
    if ("victims" in preemption) {
      nominate = preemption.node.name;
      for (const lower of nominations.set(info, nominate)) writes.clearNomination(lower);
      writes.evict(preemption.victims, info, nominate);
    } else if (!preemption.message.includes("terminating pod")) {
      nominations.clear(info.key);
      nominate = undefined;
    }
    writes.unschedulable(info, "Unschedulable", message, nominate);
  };

  const onNode = ({ type, object, previous }: WatchEvent<Node>): void => {
    if (type === "DELETED") {
      cluster.removeNode(object.metadata.name);
      reservations.changed();
      // One domain less can even out a spread.
      queue.changed("node", (entry) => entry.info.demand.spread.length > 0);
      return;
    }
    const known = cluster.node(object.metadata.name);
    if (known?.node && sameNode(previous ?? known.node, object)) {
      known.node = object;
      return;
    }
    const node = cluster.setNode(object);
    queue.changed("node", (entry) => couldFit(entry, node, cluster));
  };

  const onPod = ({ type, object }: WatchEvent<Pod>): void => {
    if (type === "DELETED" || isPodTerminal(object)) podLeft(keyOf(object));
    else if (object.spec?.nodeName) podPlaced(object, object.spec.nodeName);
    else if ((object.spec?.schedulerName ?? SCHEDULER_NAME) === SCHEDULER_NAME) podWaits(object);
  };

  const podLeft = (key: string): void => {
    reservations.drop(key);
    nominations.clear(key);
    queue.remove(key);
    const gone = cluster.remove(key);
    if (gone) queue.changed("podGone", (entry) => couldFit(entry, gone.node, cluster));
  };

  const podPlaced = (pod: Pod, nodeName: string): void => {
    const key = keyOf(pod);
    const placed = cluster.placement(key);
    const isKnown = placed?.node.name === nodeName && placed.pod.uid === pod.metadata.uid;
    if (isKnown && sameDemand(placed.pod.pod, pod)) {
      placed.pod.pod = pod;
      return;
    }
    queue.remove(key);
    reservations.drop(key);
    nominations.clear(key);
    cluster.place(withHeldResources(infoOf(pod)), nodeName);
    // Its labels may satisfy somebody's affinity; a smaller or dying pod may make room.
    queue.changed("podPlaced");
  };

  const podWaits = (pod: Pod): void => {
    const key = keyOf(pod);
    if (pod.metadata.deletionTimestamp) {
      queue.remove(key);
      if (reservations.drop(key)) podLeft(key);
      return;
    }
    if (isGated(pod)) {
      queue.remove(key);
      clock.defer(() => writes.gated(key, GATED));
      return;
    }
    const entry = queue.get(key);
    if (entry && entry.info.uid === pod.metadata.uid && sameDemand(entry.info.pod, pod)) {
      entry.info.pod = pod;
      return;
    }
    const info = infoOf(pod);
    if (pod.status?.nominatedNodeName) nominations.set(info, pod.status.nominatedNodeName);
    queue.put(info, true);
  };

  const onStorage = (): void => {
    reservations.changed();
    queue.changed("storage", (entry) => entry.info.demand.claims.length > 0);
  };
  const onNamespace = ({ type, object, previous }: WatchEvent<Namespace>): void => {
    if (type === "MODIFIED" && isEqual(object.metadata.labels, previous?.metadata.labels)) return;
    cluster.podSets.namespacesChanged();
    queue.changed("namespace");
  };

  const stops = [
    api.watch<Node>("nodes", onNode),
    api.watch<Namespace>("namespaces", onNamespace),
    api.watch<Pod>("pods", onPod),
    api.watch("persistentvolumeclaims", onStorage),
    api.watch("persistentvolumes", onStorage),
    api.watch("storageclasses.storage.k8s.io", onStorage),
    api.watch("csinodes.storage.k8s.io", onStorage),
  ];

  return () => {
    stopped = true;
    for (const stop of stops) stop();
    lookups.stop();
    reservations.stop();
    queue.stop();
  };
}
