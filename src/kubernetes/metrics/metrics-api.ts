import { formatSeconds } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { KubeObject, ObjectKey } from "../object.js";
import type { ComputedSource } from "../registry/catalogue.js";
import { isConditionTrue } from "../runtime/conditions.js";
import type { Node, Pod } from "../schema/generated/types.js";
import type { PrinterColumn, ResourceInfo } from "../schema/resource-info.js";
import { type ContainerUsage, systemUsage, usageOf, WINDOW_MS } from "./usage.js";

/** metrics.k8s.io/v1beta1 as metrics-server answers it: computed at each read, never stored, and not to be watched. */
export const GROUP = "metrics.k8s.io";
export const POD_METRICS = `pods.${GROUP}`;

export interface Usage {
  cpu: string;
  memory: string;
}

export interface PodMetrics extends KubeObject {
  timestamp: string;
  window: string;
  containers: { name: string; usage: Usage }[];
}

export interface NodeMetrics extends KubeObject {
  timestamp: string;
  window: string;
  usage: Usage;
}

const info = (
  resource: string,
  kind: string,
  namespaced: boolean,
  columns: readonly PrinterColumn[],
): ResourceInfo => ({
  group: GROUP,
  version: "v1beta1",
  resource,
  singular: "",
  kind,
  listKind: `${kind}List`,
  namespaced,
  shortNames: [],
  categories: [],
  verbs: ["get", "list"],
  subresources: [],
  type: kind,
  printerColumns: columns,
});

const column = (name: string, jsonPath: string): PrinterColumn => ({ name, type: "string", jsonPath });

export const POD_METRICS_INFO = info("pods", "PodMetrics", true, [
  column("CPU", ".containers[*].usage.cpu"),
  column("Memory", ".containers[*].usage.memory"),
  column("Window", ".window"),
]);
export const NODE_METRICS_INFO = info("nodes", "NodeMetrics", false, [
  column("CPU", ".usage.cpu"),
  column("Memory", ".usage.memory"),
  column("Window", ".window"),
]);

const inWords = ({ cpuNano, memoryBytes }: Omit<ContainerUsage, "name">): Usage => ({
  cpu: cpuNano === 0 ? "0" : `${cpuNano}n`,
  memory: `${Math.floor(memoryBytes / 1024)}Ki`,
});

const window = `${WINDOW_MS / 1000}s`;

export interface MetricsReader {
  api: Pick<KubeApi, "get" | "list" | "byIndex" | "revision">;
  nowMs(): number;
}

const isReady = (node: Node | undefined): boolean => isConditionTrue(node?.status?.conditions, "Ready");

/** What all requests share: labels are those of the object that is measured. */
const metadata = (object: KubeObject, nowMs: number) => ({
  name: object.metadata.name,
  ...(object.metadata.namespace ? { namespace: object.metadata.namespace } : {}),
  creationTimestamp: formatSeconds(nowMs),
  ...(object.metadata.labels ? { labels: object.metadata.labels } : {}),
});

export function podMetrics({ api, nowMs }: MetricsReader): ComputedSource {
  const measured = (pod: Pod): PodMetrics | undefined => {
    // A kubelet that does not answer tells nothing of its pods.
    const node = pod.spec?.nodeName ? api.get<Node>("nodes", { name: pod.spec.nodeName }) : undefined;
    const usage = isReady(node) ? usageOf(pod, nowMs()) : undefined;
    if (!usage) return undefined;
    return {
      apiVersion: `${GROUP}/v1beta1`,
      kind: "PodMetrics",
      metadata: metadata(pod, nowMs()) as KubeObject["metadata"],
      timestamp: formatSeconds(usage.timestampMs),
      window,
      containers: usage.containers.map((container) => ({ name: container.name, usage: inWords(container) })),
    };
  };
  return {
    get(key: ObjectKey) {
      const pod = api.get<Pod>("pods", key);
      return pod && measured(pod);
    },
    list: (namespace) => api.list<Pod>("pods", { namespace }).flatMap((pod) => measured(pod) ?? []),
  };
}

export function nodeMetrics({ api, nowMs }: MetricsReader): ComputedSource {
  const measured = (node: Node): NodeMetrics | undefined => {
    if (!isReady(node)) return undefined;
    const { name } = node.metadata;
    const total = systemUsage(name, nowMs());
    for (const pod of api.byIndex<Pod>("pods", "node", name)) {
      for (const { cpuNano, memoryBytes } of usageOf(pod, nowMs())?.containers ?? []) {
        total.cpuNano += cpuNano;
        total.memoryBytes += memoryBytes;
      }
    }
    return {
      apiVersion: `${GROUP}/v1beta1`,
      kind: "NodeMetrics",
      metadata: metadata(node, nowMs()) as KubeObject["metadata"],
      timestamp: formatSeconds(Math.floor(nowMs() / WINDOW_MS) * WINDOW_MS),
      window,
      usage: inWords(total),
    };
  };
  return {
    get(key: ObjectKey) {
      const node = api.get<Node>("nodes", key);
      return node && measured(node);
    },
    list: () => api.list<Node>("nodes").flatMap((node) => measured(node) ?? []),
  };
}
