import { quantityToNumber } from "../registry/quantity.js";
import type { Node, Taint } from "../schema/generated/types.js";
import type { HostPort, PodInfo } from "./pod-info.js";
import { addResources, amount, noResources, parseResources, type Resources } from "./resources.js";

/** A node and what is placed on it, with running totals. Used by the scheduler for all nodes and by each kubelet for its own. */
export class NodeInfo {
  readonly name: string;
  /** Undefined until the Node object is known: pods may be seen first. */
  node: Node | undefined;
  labels: Readonly<Record<string, string>> = {};
  /** Taints that keep pods away (NoSchedule, NoExecute). */
  hardTaints: readonly Taint[] = [];
  softTaints: readonly Taint[] = [];
  allocatable: Resources = noResources();
  allowedPods = 0;
  readonly requested: Resources = noResources();
  /** As `requested`, with an assumed minimum for containers without requests: for scores. */
  readonly assumed: Resources = noResources();
  readonly pods = new Map<string, PodInfo>();
  readonly #hostPorts = new Map<string, HostPort[]>();

  constructor(name: string) {
    this.name = name;
  }

  get zone(): string {
    return this.labels["topology.kubernetes.io/zone"] ?? "";
  }

  setNode(node: Node | undefined): void {
    this.node = node;
    this.labels = node?.metadata.labels ?? {};
    const taints = node?.spec?.taints ?? [];
    this.hardTaints = taints.filter((taint) => taint.effect !== "PreferNoSchedule");
    this.softTaints = taints.filter((taint) => taint.effect === "PreferNoSchedule");
    const allocatable = node?.status?.allocatable;
    this.allocatable = parseResources(allocatable);
    this.allowedPods = amount(quantityToNumber, allocatable?.pods ?? "0");
  }

  addPod(pod: PodInfo): void {
    this.pods.set(pod.key, pod);
    addResources(this.requested, pod.demand.requests);
    addResources(this.assumed, pod.demand.assumed);
    if (pod.demand.hostPorts.length > 0) this.#hostPorts.set(pod.key, [...pod.demand.hostPorts]);
  }

  removePod(pod: PodInfo): void {
    if (!this.pods.delete(pod.key)) return;
    addResources(this.requested, pod.demand.requests, -1);
    addResources(this.assumed, pod.demand.assumed, -1);
    this.#hostPorts.delete(pod.key);
  }

  /** True when one of `wanted` is taken: same port and protocol on the same address, or on all addresses. */
  hasPortConflict(wanted: readonly HostPort[]): boolean {
    for (const taken of this.#hostPorts.values()) {
      for (const port of taken)
        for (const want of wanted)
          if (
            port.hostPort === want.hostPort &&
            port.protocol === want.protocol &&
            (port.hostIP === want.hostIP || port.hostIP === "0.0.0.0" || want.hostIP === "0.0.0.0")
          )
            return true;
    }
    return false;
  }
}
