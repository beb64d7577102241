/**
 * Fargate's scheduler: makes a machine for each pod handed to it, and takes the machine away when the pod has gone. It keeps nothing of its own: which
 * machines there are is read from the Node objects, so that a restart finds everything again.
 */
import { type Clock, formatSeconds } from "../../../clock/clock.js";
import {
  COMPUTE_TYPE,
  capacityText,
  FARGATE,
  FARGATE_SCHEDULER,
  type FargateNode,
  fargateSize,
  PROFILE_LABEL,
} from "../../../domain/fargate.js";
import type { WatchEvent } from "../../../kubernetes/api.js";
import type { ClusterLog, SimulatedCluster } from "../../../kubernetes/cluster.js";
import { isStatusError } from "../../../kubernetes/errors.js";
import { keyOf, parseKey } from "../../../kubernetes/object.js";
import { withCondition } from "../../../kubernetes/runtime/conditions.js";
import { createEventRecorder } from "../../../kubernetes/runtime/event-recorder.js";
import { isEqual } from "../../../kubernetes/runtime/hash.js";
import { isPodTerminal } from "../../../kubernetes/runtime/pods.js";
import { createWorkQueue } from "../../../kubernetes/runtime/work-queue.js";
import { podRequests } from "../../../kubernetes/scheduler/resources.js";
import type { Binding, Node, Pod, PodSpec } from "../../../kubernetes/schema/generated/types.js";
import type { ClusterSpec, FargateSpec } from "../../backend.js";
import { machineToken, proposedNode } from "./machines.js";
import { unsupported } from "./support.js";

/** What may change while the scheduler runs. */
export interface FargateSettings extends FargateSpec {
  /** Minor version of new machines. */
  version: string;
  /** Zones without power. */
  dark: ReadonlySet<string>;
}

export interface FargateSchedulerOptions {
  cluster: SimulatedCluster;
  spec: Pick<ClusterSpec, "clusterId" | "region">;
  clock: Clock;
  log: ClusterLog;
  /** What the cloud says of machines, by provider id; Fargate's own are put in. */
  machines: Map<string, "running" | "stopped">;
  /** Whether the cluster takes a kubelet under this role for a node. */
  mayJoin: (roleArn: string) => boolean;
  settings: FargateSettings;
}

export interface FargateScheduler {
  /** Tries again what could not be placed: something has changed that may help. */
  retryAll(): void;
  /** Machines of the zone are off, or on again. */
  setPower(zone: string, power: "running" | "off"): void;
  stop(): void;
}

const MEBIBYTE = 1024 ** 2;
const GIBIBYTE = 1024 ** 3;
const NO_CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
const TOO_LARGE =
  "Pod not supported on Fargate: its requests exceed the largest size of 16 vCPU, 120 GB and 175 GB of storage";
const NO_NODE_MATCHES = "Pod not supported on Fargate: no Fargate node matches its node selector or node affinity";
const blocked = (profile: string): string =>
  `Misconfigured Fargate Profile: fargate profile ${profile} blocked for new launches due to: Pod execution role is not found in auth config or does not have all required permissions for launching fargate pods.`;
/** How often a role that was refused is tried again, in milliseconds: nobody tells when its rights come back. */
const ROLE_RETRY_MS = 30_000;
/** The ConfigMap that switches logging on. */
const LOGGING = { namespace: "aws-observability", name: "aws-logging" };

type PlaceablePod = Pod & { spec: PodSpec };

export const isFargatePod = (pod: Pod): boolean => pod.spec?.schedulerName === FARGATE_SCHEDULER;
export const isMachine = ({ metadata, spec }: Node): boolean =>
  metadata.labels?.[COMPUTE_TYPE] === FARGATE && (spec?.providerID?.endsWith(`/${metadata.name}`) ?? false);
const zoneOf = (node: Node): string => node.metadata.labels?.["topology.kubernetes.io/zone"] ?? "";

/** Takes up the machines that the cluster's Node objects tell of, and begins to place pods. */
export async function startFargateScheduler(options: FargateSchedulerOptions): Promise<FargateScheduler> {
  const { cluster, spec, clock, log, machines, mayJoin, settings } = options;
  const api = cluster.api.as({ username: "eks:fargate-scheduler", groups: ["system:authenticated"] }, "eks");
  const events = createEventRecorder({ api, clock, log, component: FARGATE_SCHEDULER });
  /** Pods that could not be placed: tried again when something has changed that may help. */
  const waiting = new Set<string>();
  const queue = createWorkQueue({
    clock,
    log,
    name: FARGATE_SCHEDULER,
    reconcile: (item) => (item.startsWith("#") ? release(item.slice(1)) : place(item)),
  });
  const retryAll = (): void => {
    for (const key of waiting) queue.add(key);
  };
  const nodes = (): Node[] => api.list<Node>("nodes").filter(isMachine);

  const place = async (key: string): Promise<void> => {
    const pod = api.get<PlaceablePod>("pods", parseKey(key));
    waiting.delete(key);
    if (!pod || !isFargatePod(pod) || pod.spec.nodeName || pod.metadata.deletionTimestamp || isPodTerminal(pod)) {
      return queue.forget(key);
    }
    if (pod.spec.schedulingGates?.length) return;
    const profile = settings.profiles.find(({ name }) => name === pod.metadata.labels?.[PROFILE_LABEL]);
    // Pods of a profile that is gone are deleted with it.
    if (!profile) return;
    const { milliCpu, memory, ephemeralStorage } = podRequests(pod.spec);
    const size = fargateSize({
      cpuMillis: milliCpu,
      memoryMiB: memory / MEBIBYTE,
      diskGiB: ephemeralStorage / GIBIBYTE,
    });
    const problem = size ? unsupported(api, pod) : TOO_LARGE;
    if (!size || problem) return refuse(pod, problem ?? TOO_LARGE);
    if (!mayJoin(profile.podExecutionRoleArn)) {
      queue.addAfter(key, ROLE_RETRY_MS);
      return refuse(pod, blocked(profile.name));
    }
    const powered = profile.zones.filter((zone) => !settings.dark.has(zone));
    if (powered.length === 0) return refuse(pod, NO_CAPACITY);
    const dueMs = Date.parse(pod.metadata.creationTimestamp) + settings.launchMs;
    if (clock.now() < dueMs) {
      await nominate(pod);
      return queue.addAfter(key, dueMs - clock.now());
    }
    const proposal = {
      clusterId: spec.clusterId,
      region: spec.region,
      version: settings.version,
      size,
      pod,
      zones: powered,
    };
    const node = proposedNode(proposal, { clock, isTaken: (name) => api.get("nodes", { name }) !== undefined });
    if (!node) return refuse(pod, NO_NODE_MATCHES);
    await launch(pod, node, capacityText(size));
  };

  const setStatus = async (pod: Pod, status: Pod["status"]): Promise<void> => {
    await api.updateStatus<Pod>("pods", { ...pod, status });
  };

  const refuse = async (pod: Pod, message: string): Promise<void> => {
    waiting.add(keyOf(pod));
    events.event(pod, "Warning", "FailedScheduling", message);
    const conditions = withCondition(pod.status?.conditions, {
      type: "PodScheduled",
      status: "False",
      lastTransitionTime: formatSeconds(clock.now()),
      reason: "Unschedulable",
      message,
    });
    await setStatus(pod, { ...pod.status, conditions });
  };

  /** While its machine is on the way, a pod shows the machine's token as its nominated node. */
  const nominate = (pod: Pod): Promise<void> =>
    setStatus(pod, { ...pod.status, nominatedNodeName: machineToken(clock, spec.clusterId, pod) });

  const launch = async (pod: PlaceablePod, node: FargateNode, capacity: string): Promise<void> => {
    const { namespace, name, uid } = pod.metadata;
    const logging = api.get("configmaps", LOGGING) !== undefined;
    const annotations = {
      CapacityProvisioned: capacity,
      Logging: logging ? "LoggingEnabled" : "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND",
    };
    const target = { apiVersion: "v1", kind: "Node", name: node.name };
    try {
      await join(node);
      await api.create<Binding>(
        "pods",
        { metadata: { namespace, name, uid, annotations }, target },
        {
          subresource: "binding",
        },
      );
    } catch (error) {
      if (api.get("nodes", { name: node.name })) queue.add(`#${node.name}`);
      else machines.delete(node.providerId);
      if (isStatusError(error, "NotFound")) return;
      throw error;
    }
    if (logging) events.event(pod, "Normal", "LoggingEnabled", "Successfully enabled logging for pod");
    else {
      const why = 'Disabled logging because aws-logging configmap was not found. configmap "aws-logging" not found';
      events.event(pod, "Warning", "LoggingDisabled", why);
    }
    events.event(pod, "Normal", "Scheduled", `Successfully assigned ${keyOf(pod)} to ${node.name}`);
  };

  const join = async (node: FargateNode): Promise<void> => {
    machines.set(node.providerId, "running");
    await cluster.addNode({
      ...node,
      addresses: [
        { type: "InternalIP", address: node.privateIp },
        { type: "InternalDNS", address: node.labels["kubernetes.io/hostname"] ?? node.name },
        { type: "Hostname", address: node.labels["kubernetes.io/hostname"] ?? node.name },
      ],
      // The pod and its machine share one network interface, and so its address.
      podCidr: `${node.privateIp}/32`,
    });
  };

  /** Takes the machine away once its pod is gone; at once when it has no power and its pod is wanted elsewhere. */
  const release = async (name: string): Promise<void> => {
    const node = api.get<Node>("nodes", { name });
    const id = node?.spec?.providerID ?? "";
    if (!node || !machines.has(id)) return;
    const pods = api.byIndex<Pod>("pods", "node", name);
    const isLost = settings.dark.has(zoneOf(node));
    if (pods.some(({ metadata }) => !isLost || metadata.deletionTimestamp === undefined)) return;
    machines.delete(id);
    await cluster.removeNode(name, { graceful: !isLost });
  };

  const onPod = ({ type, object, previous }: WatchEvent<Pod>): void => {
    const nodeName = object.spec?.nodeName;
    if (nodeName) {
      const leaves = type === "DELETED" || object.metadata.deletionTimestamp !== undefined;
      if (leaves && nodeName.startsWith(`${FARGATE}-`)) queue.add(`#${nodeName}`);
      return;
    }
    if (!isFargatePod(object)) return;
    if (type === "DELETED") waiting.delete(keyOf(object));
    else if (!previous || !isEqual(previous.spec, object.spec)) queue.add(keyOf(object));
  };

  const stops = [
    api.watch<Pod>("pods", onPod),
    api.watch("persistentvolumeclaims", ({ type }) => {
      if (type === "MODIFIED") retryAll();
    }),
  ];
  for (const node of nodes()) {
    if (api.byIndex("pods", "node", node.metadata.name).length > 0) await join(nodeAgain(node));
  }
  return {
    retryAll,
    setPower: (zone, power) => {
      for (const node of nodes()) {
        const id = node.spec?.providerID ?? "";
        if (zoneOf(node) !== zone || !machines.has(id)) continue;
        cluster.setNodePower(node.metadata.name, power);
        queue.add(`#${node.metadata.name}`);
      }
    },
    stop: () => {
      for (const stop of stops) stop();
      queue.stop();
    },
  };
}

/** The machine of a Node object, as it was launched. */
function nodeAgain({ metadata, spec, status }: Node): FargateNode {
  return {
    name: metadata.name,
    providerId: spec?.providerID ?? "",
    zone: metadata.labels?.["topology.kubernetes.io/zone"] ?? "",
    privateIp: status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "",
    labels: { ...metadata.labels },
    taints: [{ key: COMPUTE_TYPE, value: FARGATE, effect: "NoSchedule" }],
    capacity: { ...status?.capacity },
    allocatable: { ...status?.allocatable },
    nodeInfo: { ...status?.nodeInfo } as Record<string, string>,
  };
}
