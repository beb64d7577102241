import { notFound } from "../../errors.js";
import type { Node, Pod } from "../../schema/generated/types.js";
import type { ServerDependencies } from "../../server/context.js";
import type { Answer } from "../../server/respond.js";
import { resourceMetrics, statsSummary } from "./kubelet-stats.js";
import { splitName, unreachable } from "./target.js";

/** nodes/proxy: the few pages of a kubelet that tools look at, answered from what the API server knows of the node. */

const KUBELET_PORT = "10250";
const TEXT = "text/plain; charset=utf-8";
const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

interface NodeView {
  node: Node;
  /** The pods bound to the node. */
  pods(): Pod[];
  nowMs: number;
}

const text = (body: string, contentType = TEXT): Answer => ({ code: 200, body, contentType });
const list = (items: Pod[]): Answer => ({
  code: 200,
  body: { kind: "PodList", apiVersion: "v1", metadata: {}, items },
});
const isRunning = ({ status }: Pod): boolean => status?.phase === "Running";

function metrics({ node, pods }: NodeView): string {
  const running = pods().filter(isRunning);
  const containers = running
    .flatMap(({ status }) => status?.containerStatuses ?? [])
    .filter(({ state }) => state?.running);
  return [
    "# HELP kubelet_node_name The node's name. The count is always 1.",
    "# TYPE kubelet_node_name gauge",
    `kubelet_node_name{node=${JSON.stringify(node.metadata.name)}} 1`,
    "# HELP kubelet_running_pods Number of pods that have a running pod sandbox",
    "# TYPE kubelet_running_pods gauge",
    `kubelet_running_pods ${running.length}`,
    "# HELP kubelet_running_containers Number of containers currently running",
    "# TYPE kubelet_running_containers gauge",
    `kubelet_running_containers{container_state="running"} ${containers.length}`,
    "",
  ].join("\n");
}

const LOGS_PAGE = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n</pre>\n';

const PAGES: Readonly<Record<string, (view: NodeView) => Answer>> = {
  "/healthz": () => text("ok"),
  "/healthz/ping": () => text("ok"),
  "/healthz/syncloop": () => text("ok"),
  "/pods": ({ pods }) => list(pods()),
  "/runningpods": ({ pods }) => list(pods().filter(isRunning)),
  "/logs": () => text(LOGS_PAGE, "text/html; charset=utf-8"),
  "/metrics": (view) => text(metrics(view), PROMETHEUS),
  "/metrics/resource": ({ node, pods, nowMs }) => text(resourceMetrics(node, pods(), nowMs), PROMETHEUS),
  "/stats/summary": ({ node, pods, nowMs }) => ({ code: 200, body: statsSummary(node, pods(), nowMs) }),
  "/configz": ({ node }) => ({
    code: 200,
    body: {
      kubeletconfig: {
        kind: "KubeletConfiguration",
        apiVersion: "kubelet.config.k8s.io/v1beta1",
        maxPods: Number(node.status?.capacity?.pods ?? 110),
        clusterDomain: "cluster.local",
        cgroupDriver: "systemd",
      },
    },
  }),
};

export function proxyToNode({ registry, podStreams }: ServerDependencies, id: string, path: string): Answer {
  const { name, port } = splitName(id) ?? { name: id, port: "" };
  const node = registry.store.get("nodes", undefined, name) as Node | undefined;
  if (!node) throw notFound("", "nodes", name);
  const address = `${node.status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? name}:${port || KUBELET_PORT}`;
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  if (port && port !== KUBELET_PORT) throw unreachable(`dial tcp ${address}: connect: connection refused`);
  const isReached = podStreams?.reachesNode?.(name) ?? (ready !== undefined && ready.status !== "Unknown");
  if (!isReached) throw unreachable(`dial tcp ${address}: i/o timeout`);
  const page = PAGES[path.replace(/\?.*$/s, "").replace(/(.)\/+$/, "$1")];
  if (!page)
    return {
      code: 404,
      body: "404 page not found\n",
      contentType: TEXT,
      headers: { "x-content-type-options": "nosniff" },
    };
  const pods = (): Pod[] =>
    (registry.store.list("pods") as readonly Pod[]).filter(({ spec }) => spec?.nodeName === name);
  return page({ node, pods, nowMs: registry.clock.now() });
}
