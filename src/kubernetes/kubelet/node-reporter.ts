import type { Clock, Timer } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { ClusterLog, NodeSpec } from "../cluster.js";
import { conditionOf } from "../runtime/conditions.js";
import { isEqual } from "../runtime/hash.js";
import type { Node, NodeCondition, NodeStatus } from "../schema/generated/types.js";
import { KUBELET_CONDITIONS, type NodeFindings, nodeStatus, type Readiness } from "./node-object.js";

/**
 * How a kubelet tells of its node: at once when there is news, and with its next looks, one every ten seconds, as long as the API server has not heard it or
 * the Node says something else than the kubelet knows. Costs nothing while the Node says what it should.
 */
export interface NodeReporter {
  /** Writes the status. Rejects when the API server does not take it. */
  report(readiness: Readiness): Promise<void>;
  /** There is something new to say, if the kubelet speaks. What is not heard is said again with the next looks. */
  news(): Promise<void>;
  /** Somebody has written the Node: what the kubelet knows better it puts right with its next look. */
  nodeChanged(node: Node): void;
  /** Looks no more until there is something new. */
  fallSilent(): void;
  /** When the status was last written, epoch ms. */
  readonly reportedMs: number;
}

export interface NodeReporterOptions {
  /** As the node's kubelet. */
  api: KubeApi;
  clock: Clock;
  log: ClusterLog;
  /** What it has to say; readiness undefined: nothing for now, and once it has it reports by itself. */
  findings: () => Omit<NodeFindings, "readiness"> & { readiness: Readiness | undefined };
  bootID: () => string | undefined;
  /** What the machine's clock shows at a time. */
  shown: (ms: number) => number;
  /** When it looks next whether its node's status is as it should be (nodeStatusUpdateFrequency), epoch ms. */
  nextLookMs: () => number;
  /** The node was not Ready before. */
  onReady: () => void;
}

export function createNodeReporter(spec: NodeSpec, options: NodeReporterOptions): NodeReporter {
  const { api, clock, log } = options;
  const { name } = spec;
  let reportedMs = 0;
  let look: Timer | undefined;

  const statusOf = (node: Node, readiness: Readiness): NodeStatus => {
    const status = nodeStatus(spec, { ...options.findings(), readiness }, options.shown(clock.now()), node.status);
    const bootID = options.bootID();
    if (bootID && status.nodeInfo) status.nodeInfo.bootID = bootID;
    return status;
  };

  const differs = (node: Node, readiness: Readiness): boolean => {
    const wanted = statusOf(node, readiness);
    const { capacity, allocatable, conditions } = node.status ?? {};
    return (
      !isEqual(capacity, wanted.capacity) ||
      !isEqual(allocatable, wanted.allocatable) ||
      !isEqual(said(conditions), said(wanted.conditions))
    );
  };

  /** What the conditions say that are the kubelet's to say, by type: neither when, nor in which order. */
  const said = (conditions: readonly NodeCondition[] = []): Record<string, unknown> => {
    const { reports } = options.findings();
    return Object.fromEntries(
      conditions
        .filter(({ type }) => KUBELET_CONDITIONS.has(type) || type in reports)
        .map(({ type, status, reason, message }) => [type, { status, reason, message }]),
    );
  };

  const report = async (readiness: Readiness): Promise<void> => {
    const node = api.get<Node>("nodes", { name });
    // A kubelet does not register a second time by itself: who deletes the Node of a living one gets it back with its restart.
    if (!node) return;
    const wasReady = conditionOf(node.status?.conditions, "Ready")?.status === "True";
    reportedMs = clock.now();
    await api.updateStatus<Node>("nodes", { ...node, status: statusOf(node, readiness) });
    if (readiness === "ready" && !wasReady) options.onReady();
  };

  const news = async (): Promise<void> => {
    const { readiness } = options.findings();
    if (readiness === undefined) return;
    try {
      await report(readiness);
    } catch (error) {
      log.debug({ node: name, error }, "kubelet could not report");
      lookLater();
    }
  };

  const lookLater = (): void => {
    look ??= clock.timer(options.nextLookMs() - clock.now(), () => {
      look = undefined;
      const { readiness } = options.findings();
      const node = api.get<Node>("nodes", { name });
      if (readiness !== undefined && node && differs(node, readiness)) void clock.track(news());
    });
  };

  return {
    report,
    news,
    nodeChanged(node) {
      const { readiness } = options.findings();
      if (!look && readiness !== undefined && differs(node, readiness)) lookLater();
    },
    fallSilent() {
      look?.cancel();
      look = undefined;
    },
    get reportedMs() {
      return reportedMs;
    },
  };
}
