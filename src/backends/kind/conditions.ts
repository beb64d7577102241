/** What the node monitoring agent would report of nodes, written by eksim in its place. */
import { formatSeconds } from "../../clock/clock.js";
import type { NodeImpairment } from "../../domain/impairments.js";
import { CONTROL_PLANE_LABEL, ZONE_LABEL } from "../../domain/kubernetes-objects.js";
import type { Held, KindContext } from "./cluster.js";
import { type Node, nodePath } from "./drain.js";
import { asBackendError } from "./kube-client.js";

interface ReportedCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
}

/** Message by which conditions that eksim has set are known again. */
const MARK = "(set by eksim)";

/** No kubelet writes conditions of these types, so that they stay. */
export async function setConditions(
  context: KindContext,
  held: Held,
  nodes: Readonly<Record<string, NodeImpairment>>,
): Promise<void> {
  const wantsSome = Object.values(nodes).some(({ conditions = [] }) => conditions.length > 0);
  // An API server that does not answer has nothing to be told, unless there is something.
  if (!wantsSome && !held.hasConditions) return;
  held.hasConditions = true;
  const query = { labelSelector: `!${CONTROL_PLANE_LABEL},${ZONE_LABEL}` };
  const { items } = await asBackendError(() =>
    held.client.request<{ items: Node[] }>("GET", "/api/v1/nodes", { query }),
  );
  const now = formatSeconds(context.clock.wallNow());
  for (const { metadata, status } of items) {
    const wanted = nodes[metadata.name]?.conditions ?? [];
    const present = (status?.conditions ?? []) as ReportedCondition[];
    const times = { lastHeartbeatTime: now, lastTransitionTime: now };
    const bad = wanted
      .filter(
        ({ type, reason }) =>
          !present.some((one) => one.type === type && one.status === "False" && one.reason === reason),
      )
      .map(({ type, reason, message = "" }) => ({
        type,
        status: "False",
        reason,
        message: `${message} ${MARK}`.trim(),
        ...times,
      }));
    const good = present
      .filter(
        ({ type, status: is, message }) =>
          is === "False" && message?.endsWith(MARK) && !wanted.some((one) => one.type === type),
      )
      .map(({ type }) => ({ type, status: "True", reason: type, message: "", ...times }));
    const conditions = [...bad, ...good];
    if (conditions.length === 0) continue;
    await asBackendError(() =>
      held.client.request("PATCH", `${nodePath(metadata.name)}/status`, {
        contentType: "application/strategic-merge-patch+json",
        body: { status: { conditions } },
      }),
    );
  }
  held.hasConditions = wantsSome;
}
