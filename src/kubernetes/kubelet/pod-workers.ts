import { type Clock, formatSeconds } from "../../clock/clock.js";
import type { Random } from "../../clock/random.js";
import type { KubeApi } from "../api.js";
import { isStatusError } from "../errors.js";
import { keyOf, parseKey } from "../object.js";
import { withCondition } from "../runtime/conditions.js";
import type { EventRecorder } from "../runtime/event-recorder.js";
import { isEqual } from "../runtime/hash.js";
import { isPodTerminal } from "../runtime/pods.js";
import { NodeInfo } from "../scheduler/node-info.js";
import { shortages } from "../scheduler/plugins/node-resources.js";
import { podInfoOf } from "../scheduler/pod-info.js";
import type { ObjectReference, Pod, PodStatus } from "../schema/generated/types.js";
import type { NodeTrouble, PodTrouble, Pressure } from "../trouble.js";
import type { BehaviourOf } from "./behaviour.js";
import type { ClusterWorld } from "./cluster-world.js";
import type { Listener } from "./machine/listeners.js";
import type { PodLogs } from "./machine/pod-machine.js";
import { createPodAddresses } from "./pod-addresses.js";
import { createPodEquipment, type Worker } from "./pod-equipment.js";
import { advancePod, type KubeletEvent, rebooted } from "./pod-lifecycle.js";
import { createPodMishaps, type PodMishaps } from "./pod-mishaps.js";
import { createPodRefusals, isTakenOn, noSets, type Refusal } from "./pod-refusals.js";
import { newRuntime, type PodRuntime, restoredRuntime } from "./pod-runtime.js";
import { statusOf } from "./pod-status.js";
import type { PodPresence } from "./pod-streams.js";
import { EVICTED } from "./pressure.js";
import { RESIZE_RETRY_MS, resized, resizedContainers, withPendingResize } from "./resize.js";
import type { TokenSource } from "./token-cache.js";

/** The pods of one node: takes them on, carries them through their life, reports their status, and clears away what was deleted. */
export interface PodWorkers extends PodMishaps {
  /** Brings one pod up to the present time and writes what changed. Returns when to look again, ms from now. */
  sync(key: string): Promise<number | undefined>;
  /** True while this node writes the pod's status itself: the event that follows tells nothing new. */
  isWriting(key: string): boolean;
  /** The machine came up again after a power cut at `diedMs`. */
  reboot(diedMs: number): void;
  /** Ends every pod at once, as a node does that shuts down in order. */
  endAll(): Promise<void>;
  /** Keys of the pods that are here. */
  keys(): Iterable<string>;
  runtimeOf(pod: Pod): PodRuntime | undefined;
  /** What the pod's programs have printed, where any ran. */
  logsOf(pod: Pod): PodLogs | undefined;
  /** The pod for those who look into it; undefined when it is not here. */
  presence(key: string): PodPresence | undefined;
  /** What listens on a port of a pod of this node. */
  listener(pod: Pod, port: number, protocol: "TCP" | "UDP"): Listener | undefined;
  /** A token of the pod's service account has come, or cannot be had for now: whoever waits for it is told. */
  tokenSettled(key: string): void;
  /** The machine lost its power: no program runs any more. */
  halt(): void;
}

export interface PodWorkersOptions {
  /** Acts as this node's kubelet. */
  api: KubeApi;
  clock: Clock;
  events: EventRecorder;
  random: Random;
  nodeName: string;
  hostIP: string;
  podCidr: string;
  /** When pods get their network, epoch ms: the CNI plugin starts after the kubelet. */
  networkReadyMs: () => number;
  /** Since when the kubelet acts without a break, epoch ms; 0: always. */
  actingSinceMs: () => number;
  world: ClusterWorld;
  behaviourOf: BehaviourOf;
  /** A token of a pod's service account. */
  token: TokenSource;
  rootCa: () => string;
  wake: (key: string) => void;
  /** What is wrong with the machine. */
  trouble: () => NodeTrouble;
  podTrouble: (key: string) => PodTrouble | undefined;
  /** Those that the kubelet reports. */
  pressures: () => readonly Pressure[];
  /** What the machine's clock showed at a time. */
  shown: (ms: number) => number;
}

const SHUTDOWN = {
  reason: "Terminated",
  message: "Pod was terminated in response to imminent node shutdown.",
} as const;

/** Why a kubelet itself ends pods, for which it says so in their conditions: by reason. */
const ENDED_BY_KUBELET: readonly (string | undefined)[] = [SHUTDOWN.reason, EVICTED];

const referenceTo = (pod: Pod, fieldPath: string | undefined): ObjectReference => ({
  apiVersion: "v1",
  kind: "Pod",
  namespace: pod.metadata.namespace,
  name: pod.metadata.name,
  uid: pod.metadata.uid,
  resourceVersion: pod.metadata.resourceVersion,
  ...(fieldPath ? { fieldPath } : {}),
});

export function createPodWorkers(options: PodWorkersOptions): PodWorkers {
  const { api, clock, events, nodeName, hostIP } = options;
  const workers = new Map<string, Worker>();
  const addresses = createPodAddresses(options.podCidr);
  const node = new NodeInfo(nodeName);
  const { environment, operationsOf, machineOf, listenerIn, draw, hasImage, keepImages } = createPodEquipment(options);
  const refusals = createPodRefusals({
    api,
    clock,
    node,
    pressures: options.pressures,
    delayMs: () => draw("refusal"),
  });
  let writing: string | undefined;
  /** Logs of pods that have ended, as long as the pods are there. */
  const logs = new Map<string, { uid: string; logs: PodLogs }>();

  const tell = (pod: Pod, told: readonly KubeletEvent[]): void => {
    for (const { fieldPath, type, reason, message } of told)
      events.event(referenceTo(pod, fieldPath), type, reason, message);
  };

  const drop = (key: string, worker: Worker): void => {
    workers.delete(key);
    if (worker.machine) logs.set(key, { uid: worker.uid, logs: worker.machine.stop() });
    node.removePod(worker.info);
    if (worker.podIP !== undefined && worker.podIP !== hostIP) addresses.release(worker.podIP);
  };

  // After a restart the addresses of all pods that run here are taken before the first new pod asks for one.
  for (const { spec, status } of api.byIndex<Pod>("pods", "node", nodeName))
    if (status?.podIP && !spec?.hostNetwork) addresses.claim(status.podIP);
  const addressFor = (pod: Pod): string | undefined =>
    pod.spec?.hostNetwork ? hostIP : (pod.status?.podIP ?? addresses.take());

  /** Says that a pod is refused, once it is time. Returns when that is, ms from now; undefined: it has been said. */
  const refuse = async (key: string, pod: Pod, { uid, failure, dueMs }: Refusal): Promise<number | undefined> => {
    const nowMs = clock.now();
    if (nowMs < dueMs && !pod.metadata.deletionTimestamp) return dueMs - nowMs;
    const runtime: PodRuntime = { startedMs: nowMs, sandboxMs: nowMs, containers: [], failure, ended: true };
    await report(pod, key, { uid, info: podInfoOf(pod, noSets), podIP: undefined, runtime });
    events.event(pod, "Warning", failure.reason, failure.message.replace(/^Pod was rejected: /, ""));
    refusals.forget(key);
    return undefined;
  };

  /** A pod seen for the first time: new, or one that ran here before this process was restarted. */
  const takeOn = (pod: Pod): Worker => {
    const info = podInfoOf(pod, noSets);
    const nowMs = clock.now();
    const isKnown = isTakenOn(pod);
    node.addPod(info);
    if (isKnown) for (const { image, imageID } of pod.status?.containerStatuses ?? []) if (imageID) hasImage(image);
    const networkMs = pod.spec?.hostNetwork ? nowMs : Math.max(nowMs, options.networkReadyMs());
    const runtime = isKnown
      ? restoredRuntime(pod, nowMs, options.behaviourOf)
      : newRuntime(pod, nowMs, networkMs + draw("sandbox"));
    const worker: Worker = { uid: pod.metadata.uid, info, podIP: addressFor(pod), runtime };
    workers.set(keyOf(pod), worker);
    return worker;
  };

  /** A pod may ask for other resources while it runs (the resize subresource): the node's accounts follow. */
  const resize = (pod: Pod, worker: Worker): void => {
    if (worker.info.pod.spec === pod.spec || worker.runtime.ended) return;
    const wanted = podInfoOf(pod, noSets);
    node.removePod(worker.info);
    const changed = resizedContainers(worker.info.pod, pod);
    const lacks = changed.length > 0 ? shortages(wanted, node) : undefined;
    if (lacks) {
      node.addPod(worker.info);
      worker.runtime = withPendingResize(worker.runtime, worker.info.pod, lacks);
      return;
    }
    const before = worker.info.pod;
    worker.info = wanted;
    node.addPod(wanted);
    if (changed.length > 0) worker.runtime = resized(worker.runtime, before, pod, changed);
  };

  const swallowGone = (error: unknown): void => {
    if (!isStatusError(error, "NotFound")) throw error;
  };

  const write = async (pod: Pod, status: PodStatus): Promise<void> => {
    if (isEqual(status, pod.status)) return;
    writing = keyOf(pod);
    try {
      const work = api.updateStatus<Pod>("pods", { ...pod, status });
      writing = undefined;
      await work;
    } catch (error) {
      swallowGone(error);
    } finally {
      writing = undefined;
    }
  };

  /** The kubelet's last word on a deleted pod whose containers have ended: now it may go. */
  const letGo = async (pod: Pod): Promise<void> => {
    if (!pod.metadata.deletionTimestamp || pod.metadata.deletionGracePeriodSeconds === 0) return;
    const { namespace, name, uid } = pod.metadata;
    await api.delete("pods", { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } }).catch(swallowGone);
  };

  const report = async (pod: Pod, key: string, worker: Worker): Promise<void> => {
    const { runtime, podIP } = worker;
    let status = statusOf(pod, runtime, { hostIP, podIP, shown: options.shown }, clock.now());
    if (runtime.failure && ENDED_BY_KUBELET.includes(runtime.failure.reason))
      status = {
        ...status,
        conditions: withCondition(status.conditions, {
          type: "DisruptionTarget",
          status: "True",
          lastTransitionTime: formatSeconds(options.shown(clock.now())),
          reason: "TerminationByKubelet",
          message: runtime.failure.message,
        }),
      };
    await write(pod, status);
    if (!runtime.ended) return;
    // The status tells everything about a pod that has ended: nothing needs to be remembered.
    drop(key, worker);
    await letGo(pod);
  };

  const mishaps = createPodMishaps({ ...options, workers, keepImages });

  return {
    ...mishaps,
    async sync(key) {
      const pod = api.get<Pod>("pods", parseKey(key));
      const known = workers.get(key);
      if (known && pod?.metadata.uid !== known.uid) drop(key, known);
      if (!pod || pod.spec?.nodeName !== nodeName) {
        logs.delete(key);
        refusals.forget(key);
        return undefined;
      }
      if (isPodTerminal(pod)) {
        const left = workers.get(key);
        if (left) drop(key, left);
        await letGo(pod);
        return undefined;
      }
      const refusal = workers.has(key) ? undefined : refusals.of(key, pod);
      if (refusal) return refuse(key, pod, refusal);
      const worker = workers.get(key) ?? takeOn(pod);
      resize(pod, worker);
      const step = advancePod(pod, worker.runtime, environment(key, pod.metadata.namespace, worker));
      worker.runtime = step.runtime;
      if (worker.listeners) for (const listener of [...worker.listeners]) listener();
      tell(pod, step.events);
      await report(pod, key, worker);
      const wakeMs = step.wakeMs === undefined ? undefined : Math.max(0, step.wakeMs - clock.now());
      if (worker.runtime.resizePending?.reason !== "Deferred" || worker.runtime.ended) return wakeMs;
      return Math.min(wakeMs ?? RESIZE_RETRY_MS, RESIZE_RETRY_MS);
    },
    isWriting: (key) => writing === key,
    reboot(diedMs) {
      for (const [key, worker] of workers) {
        const pod = api.get<Pod>("pods", parseKey(key));
        if (!pod || pod.metadata.uid !== worker.uid) continue;
        worker.machine?.stop();
        worker.machine = undefined;
        worker.operations = undefined;
        const networkMs = Math.max(clock.now(), options.networkReadyMs());
        worker.runtime = rebooted(pod, worker.runtime, diedMs, networkMs + draw("sandbox"));
        if (pod.metadata.deletionTimestamp) continue;
        events.event(pod, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
      }
    },
    async endAll() {
      const nowMs = clock.now();
      for (const [key, worker] of [...workers]) {
        const pod = api.get<Pod>("pods", parseKey(key));
        if (!pod || pod.metadata.uid !== worker.uid) continue;
        const containers = worker.runtime.containers.map((container) =>
          container.state.is === "running"
            ? {
                ...container,
                state: {
                  is: "terminated" as const,
                  startedMs: container.state.startedMs,
                  finishedMs: nowMs,
                  exitCode: 0,
                  reason: "Completed",
                },
              }
            : container,
        );
        worker.runtime = { ...worker.runtime, containers, failure: SHUTDOWN, ended: true };
        await report(pod, key, worker);
      }
    },
    tokenSettled: (key) => workers.get(key)?.machine?.kernel.kick(),
    halt() {
      for (const worker of workers.values()) worker.machine?.stop();
    },
    logsOf(pod) {
      const left = logs.get(keyOf(pod));
      return workers.get(keyOf(pod))?.machine ?? (left?.uid === pod.metadata.uid ? left.logs : undefined);
    },
    presence(key) {
      const pod = api.get<Pod>("pods", parseKey(key));
      const worker = workers.get(key);
      if (!pod || worker?.uid !== pod.metadata.uid) return undefined;
      return {
        pod,
        get runtime() {
          return worker.runtime;
        },
        machine: () => machineOf(key, worker),
        operations: operationsOf(key, worker),
        listener: (port) => listenerIn(pod, worker, port, "TCP"),
        onChange(listener) {
          worker.listeners ??= new Set();
          worker.listeners.add(listener);
          return () => worker.listeners?.delete(listener);
        },
      };
    },
    listener(pod, port, protocol) {
      const worker = workers.get(keyOf(pod));
      return worker?.uid === pod.metadata.uid ? listenerIn(pod, worker, port, protocol) : undefined;
    },
    keys: () => workers.keys(),
    runtimeOf(pod) {
      const worker = workers.get(keyOf(pod));
      if (worker?.uid === pod.metadata.uid) return worker.runtime;
      return pod.status?.startTime === undefined ? undefined : restoredRuntime(pod, clock.now(), options.behaviourOf);
    },
  };
}
