import { formatSeconds } from "../../clock/clock.js";
import type { NodeSpec } from "../cluster.js";
import type { Draft } from "../object.js";
import { TAINT } from "../runtime/taints.js";
import type { Node, NodeCondition, NodeStatus, NodeSystemInfo, Taint } from "../schema/generated/types.js";
import type { NodeReports, Pressure } from "../trouble.js";
import { PRESSURE_TEXTS, PRESSURES } from "./pressure.js";

/** The Node object as a kubelet registers and reports it. */

/** Why a node is not ready, or that it is, in the kubelet's words. */
const READINESS = {
  ready: { status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" },
  noNetwork: {
    status: "False",
    reason: "KubeletNotReady",
    message:
      "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:Network plugin returns error: cni plugin not initialized",
  },
  shuttingDown: { status: "False", reason: "KubeletNotReady", message: "node is shutting down" },
} as const;

export type Readiness = keyof typeof READINESS;

/** The types of condition that a kubelet owns. */
export const KUBELET_CONDITIONS: ReadonlySet<string> = new Set([...PRESSURES, "Ready"]);

/** Events that a kubelet sends when it registers, after `Starting`. */
export const SUFFICIENCY_EVENTS = PRESSURES.map((pressure) => PRESSURE_TEXTS[pressure].well[2]);

/** What a kubelet says of its node. */
export interface NodeFindings {
  readiness: Readiness;
  /** Those that are felt, or were a short while ago. */
  pressures: readonly Pressure[];
  /** What other programs of the node say. */
  reports: NodeReports;
}

const ALL_WELL: Omit<NodeFindings, "readiness"> = { pressures: [], reports: {} };

/** All conditions a kubelet owns, at `nowMs`, and those that other programs of the node report; those of others yet (NodeProblemDetector, ...) stay. */
function nodeConditions(
  previous: readonly NodeCondition[] | undefined,
  { readiness, pressures, reports }: NodeFindings,
  nowMs: number,
): NodeCondition[] {
  const now = formatSeconds(nowMs);
  const stamped = (condition: Omit<NodeCondition, "lastHeartbeatTime">): NodeCondition => {
    const before = previous?.find(({ type }) => type === condition.type);
    const kept = before?.status === condition.status ? before.lastTransitionTime : undefined;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime: kept ?? now };
  };
  const ownPressures = PRESSURES.map((type) => {
    const isFelt = pressures.includes(type);
    const [reason, message] = PRESSURE_TEXTS[type][isFelt ? "felt" : "well"];
    return stamped({ type, status: isFelt ? "True" : "False", reason, message });
  });
  const reported = Object.entries(reports).flatMap(([type, report]) => (report ? [stamped({ type, ...report })] : []));
  return [
    ...ownPressures,
    stamped({ type: "Ready", ...READINESS[readiness] }),
    ...(previous ?? []).filter(({ type }) => !KUBELET_CONDITIONS.has(type) && !(type in reports)),
    ...reported,
  ];
}

/** Taints of a node that has just joined: the cloud controller and the first readiness take them away (`--cloud-provider=external`). */
const JOINING: readonly Taint[] = [
  { key: TAINT.uninitialized, value: "true", effect: "NoSchedule" },
  { key: TAINT.notReady, effect: "NoSchedule" },
];

export function nodeStatus(spec: NodeSpec, findings: NodeFindings, nowMs: number, previous?: NodeStatus): NodeStatus {
  return {
    ...previous,
    ...nodeResources(spec, previous),
    conditions: nodeConditions(previous?.conditions, findings, nowMs),
    addresses: spec.addresses.map((address) => ({ ...address })),
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: systemInfo(spec, previous?.nodeInfo?.bootID),
  };
}

/** `example.com/foo`: no resource of Kubernetes itself, but of somebody who advertises it on the node. */
const isExtendedResource = (name: string): boolean =>
  name.includes("/") && !name.includes("kubernetes.io/") && !name.startsWith("requests.");

/**
 * What the machine has, and what others advertise on the node: extended resources may be written into its capacity, and the kubelet makes them
 * allocatable. What it knows itself, it puts right.
 */
export function nodeResources(spec: NodeSpec, previous?: NodeStatus): Pick<NodeStatus, "capacity" | "allocatable"> {
  const advertised: Record<string, string> = {};
  for (const name in previous?.capacity)
    if (isExtendedResource(name) && spec.capacity[name] === undefined)
      advertised[name] = previous.capacity[name] as string;
  return { capacity: { ...spec.capacity, ...advertised }, allocatable: { ...spec.allocatable, ...advertised } };
}

function systemInfo({ nodeInfo }: NodeSpec, bootID: string | undefined): NodeSystemInfo {
  return {
    architecture: nodeInfo.architecture ?? "amd64",
    bootID: bootID || (nodeInfo.bootID ?? ""),
    containerRuntimeVersion: nodeInfo.containerRuntimeVersion ?? "",
    kernelVersion: nodeInfo.kernelVersion ?? "",
    // Deprecated, and empty since 1.33.
    kubeProxyVersion: "",
    kubeletVersion: nodeInfo.kubeletVersion ?? "",
    machineID: nodeInfo.machineID ?? "",
    operatingSystem: nodeInfo.operatingSystem ?? "linux",
    osImage: nodeInfo.osImage ?? "",
    systemUUID: nodeInfo.systemUUID ?? "",
  };
}

export function newNode(spec: NodeSpec, nowMs: number): Draft<Node> {
  const taints: Taint[] = [...(spec.taints ?? []).map((taint) => ({ ...taint })), ...JOINING];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: spec.name, labels: { ...spec.labels }, annotations: { ...spec.annotations } },
    spec: { providerID: spec.providerId, taints },
    status: nodeStatus(spec, { readiness: "noNetwork", ...ALL_WELL }, nowMs),
  };
}
