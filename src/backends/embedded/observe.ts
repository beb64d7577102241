/** What a cluster's nodes look like from outside: Ready or not, there or gone. Only changes are told. */
import { REPAIR_CONDITIONS } from "../../domain/node-repair.js";
import type { KubeApi } from "../../kubernetes/api.js";
import type { KubeObject } from "../../kubernetes/object.js";
import type { ClusterSummary, NodeFacts, Observation } from "../backend.js";

export const ZONE_LABEL = "topology.kubernetes.io/zone";

interface Condition {
  type: string;
  status: string;
  reason?: string;
}

interface WithConditions extends KubeObject {
  status?: { phase?: string; conditions?: Condition[] };
  spec?: { nodeName?: string; unschedulable?: boolean };
}

const readyCondition = (object: WithConditions): Condition | undefined =>
  object.status?.conditions?.find(({ type }) => type === "Ready");

const isReady = (object: WithConditions): boolean => readyCondition(object)?.status === "True";

/** Those that node auto repair looks at. A node that has no such condition yet is only starting. */
const unhealthyConditions = (object: WithConditions): { type: string; reason: string }[] =>
  (object.status?.conditions ?? [])
    .filter(({ type, status }) => REPAIR_CONDITIONS.includes(type) && status !== "True")
    .map(({ type, reason = "" }) => ({ type, reason }));

/** Tells of every present node at once, and then of every change. Returns how to stop. */
export function observeNodes(api: KubeApi, listener: (observation: Observation) => void): () => void {
  const seen = new Map<string, string>();
  return api.watch<WithConditions>("nodes", ({ type, object }) => {
    const nodeName = object.metadata.name;
    const present = type !== "DELETED";
    const ready = present && isReady(object);
    const unhealthy = present ? unhealthyConditions(object) : [];
    const look = `${ready} ${unhealthy.map(({ type: condition, reason }) => `${condition}/${reason}`).join(" ")}`;
    if (present && seen.get(nodeName) === look) return;
    if (present) seen.set(nodeName, look);
    else seen.delete(nodeName);
    const reason = readyCondition(object)?.reason;
    listener({ kind: "node", nodeName, ready, present, ...(reason && !ready ? { reason } : {}), unhealthy });
  });
}

/** All nodes as they are now, whoever made them. */
export const nodeFacts = (api: KubeApi): NodeFacts[] =>
  api.list<WithConditions>("nodes").map(({ metadata, spec }) => {
    const { name, labels = {} } = metadata;
    const zone = labels[ZONE_LABEL];
    return { name, ...(zone ? { zone } : {}), unschedulable: spec?.unschedulable === true, labels };
  });

/** Counts by zone of nodes, the pods on them and masters. */
export function summarise(api: KubeApi, members: readonly { zone: string; state: "up" | "down" }[]): ClusterSummary {
  const zones: ClusterSummary["zones"] = {};
  const at = (zone: string): ClusterSummary["zones"][string] => {
    zones[zone] ??= { nodes: 0, readyNodes: 0, pods: 0, readyPods: 0, members: 0, membersUp: 0 };
    return zones[zone];
  };
  for (const { zone, state } of members) {
    at(zone).members++;
    if (state === "up") at(zone).membersUp++;
  }
  const zoneOf = new Map<string, string>();
  for (const node of api.list<WithConditions>("nodes")) {
    const zone = node.metadata.labels?.[ZONE_LABEL] ?? "unknown";
    zoneOf.set(node.metadata.name, zone);
    at(zone).nodes++;
    if (isReady(node)) at(zone).readyNodes++;
  }
  let pendingPods = 0;
  for (const pod of api.list<WithConditions>("pods")) {
    const nodeName = pod.spec?.nodeName;
    if (!nodeName) pendingPods++;
    const zone = nodeName ? zoneOf.get(nodeName) : undefined;
    if (zone === undefined) continue;
    at(zone).pods++;
    if (isReady(pod)) at(zone).readyPods++;
  }
  const up = members.filter(({ state }) => state === "up").length;
  return { zones, pendingPods, apiAvailable: up * 2 > members.length };
}
