/** What a cluster's nodes look like from outside: Ready or not, there or gone. Only changes are told. */
import {
  type Condition,
  countZones,
  isReady,
  readyCondition,
  unhealthyConditions,
  ZONE_LABEL,
} from "../../domain/kubernetes-objects.js";
import type { KubeApi } from "../../kubernetes/api.js";
import type { KubeObject } from "../../kubernetes/object.js";
import type { ClusterSummary, NodeFacts, Observation } from "../backend.js";

interface WithConditions extends KubeObject {
  status?: { phase?: string; conditions?: Condition[] };
  spec?: { nodeName?: string; unschedulable?: boolean };
}

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
export function summarise(
  api: KubeApi,
  members: readonly { zone: string; state: "up" | "down"; serving: boolean }[],
): ClusterSummary {
  const { zones, pendingPods } = countZones({
    nodes: api.list<WithConditions>("nodes"),
    pods: api.list<WithConditions>("pods"),
    members,
  });
  return { zones, pendingPods, apiAvailable: members.some(({ serving }) => serving) };
}
