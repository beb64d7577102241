/** What a cluster's nodes look like from outside: Ready or not, there or gone. Only changes are told. */
import { type Condition, countZones, ZONE_LABEL } from "../../domain/kubernetes-objects.js";
import { nodeChanges } from "../../domain/observed-changes.js";
import type { KubeApi } from "../../kubernetes/api.js";
import type { KubeObject } from "../../kubernetes/object.js";
import type { ClusterSummary, NodeFacts, Observation } from "../backend.js";

interface WithConditions extends KubeObject {
  status?: { phase?: string; conditions?: Condition[] };
  spec?: { nodeName?: string; unschedulable?: boolean };
}

/** Tells of every present node at once, and then of every change. Returns how to stop. */
export const observeNodes = (api: KubeApi, listener: (observation: Observation) => void): (() => void) =>
  api.watch<WithConditions>("nodes", nodeChanges(listener));

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
