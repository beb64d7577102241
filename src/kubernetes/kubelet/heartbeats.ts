import { formatSeconds } from "../../clock/clock.js";
import type { Node, NodeCondition } from "../schema/generated/types.js";
import { KUBELET_CONDITIONS } from "./node-object.js";

/**
 * lastHeartbeatTime of a node's conditions. A kubelet writes it every five minutes although nothing has changed; with thousands of nodes such writes would be
 * most of what a cluster does, so here they are worked out when somebody reads the Node. Its resourceVersion stays: nothing has been written.
 */
export function heartbeatView(): (node: Node, reportedMs: number) => Node {
  /** Until the next report the same Node is shown by the same object, whose JSON is then made once. */
  const views = new WeakMap<Node, { reportedMs: number; node: Node }>();
  return (node, reportedMs) => {
    const known = views.get(node);
    if (known?.reportedMs === reportedMs) return known.node;
    const shown = advance(node, formatSeconds(reportedMs));
    views.set(node, { reportedMs, node: shown });
    return shown;
  };
}

function advance(node: Node, reported: string): Node {
  const isBehind = ({ type, lastHeartbeatTime }: NodeCondition): boolean =>
    KUBELET_CONDITIONS.has(type) && lastHeartbeatTime !== undefined && lastHeartbeatTime < reported;
  const conditions = node.status?.conditions;
  if (!conditions?.some(isBehind)) return node;
  const advanced = conditions.map((condition) =>
    isBehind(condition) ? { ...condition, lastHeartbeatTime: reported } : condition,
  );
  return { ...node, status: { ...node.status, conditions: advanced } };
}
