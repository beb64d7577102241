/** Machines of a cluster: what they are made of, how they are, and how their nodes are changed. */
import type { InstanceFacts } from "../../domain/instance-metadata.js";

/**
 * How a machine is. `stopped`: by EC2, which says so, and so does the cloud controller in a taint. `off`: without power, as when its zone has lost it; to EC2
 * the instance is running still (its status checks fail), and there is no such taint. Of either the pods are dead. `frozen`: it stands still, with its kubelet
 * and its containers, and goes on where it was. `silent`: the kubelet is stopped; containers run on and serve, and nobody probes or restarts them. `isolated`:
 * all of it goes on, but nothing gets through to it or from it.
 */
export type NodePower = "running" | "stopped" | "off" | "frozen" | "silent" | "isolated";

export interface NodeFacts {
  name: string;
  zone?: string;
  unschedulable: boolean;
  labels: Readonly<Record<string, string>>;
}

export interface NodeSpec extends InstanceFacts {
  /** kubelet's minor version such as `1.36`. */
  version: string;
  /** AMI release such as `1.36.2-20260714`: decides the patch version. */
  releaseVersion: string;
  diskSizeGiB: number;
  /** Kubernetes spelling: NoSchedule, ... */
  taints: readonly { key: string; value?: string; effect: string }[];
}

export interface NodePatch {
  labels?: Readonly<Record<string, string | null>>;
  /** Taints to add or change. */
  addTaints?: readonly { key: string; value?: string; effect: string }[];
  /** Taints to take away, by key and effect. */
  removeTaints?: readonly { key: string; effect: string }[];
  unschedulable?: boolean;
}

/** What is left of a node's pods after one round of evictions. */
export interface DrainedNode {
  remainingPods: string[];
  /** Budgets forbid all of it, and no other node could take what would satisfy them. */
  hopeless: boolean;
  /** By pod that a disruption budget keeps: what the eviction API said of it. */
  refusals: Readonly<Record<string, string>>;
}
