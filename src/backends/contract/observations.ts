/** What a backend tells of its clusters. */
import type { ZoneCounts } from "../../domain/kubernetes-objects.js";

export interface PodName {
  namespace: string;
  name: string;
}

export interface PodFacts extends PodName {
  uid: string;
  labels: Readonly<Record<string, string>>;
  /** Absent: it has no node yet. */
  nodeName?: string;
  zone?: string;
  /** Whether its node is there and Ready; absent: it has no node yet. */
  nodeReady?: boolean;
  phase: string;
  ready: boolean;
  /** Being deleted. */
  terminating: boolean;
  /** The workload at the top of its owners, such as the Deployment of its ReplicaSet. */
  workload?: { kind: string; name: string };
}

export type Observation =
  | {
      kind: "node";
      nodeName: string;
      ready: boolean;
      present: boolean;
      reason?: string;
      /** Conditions of node health that are not True. */
      unhealthy?: readonly { type: string; reason: string }[];
    }
  /** A Deployment that EKS manages: whether all the replicas it wants are available. */
  | { kind: "deployment"; namespace: string; name: string; ready: boolean }
  | { kind: "member"; memberId: string; state: "up" | "down" }
  /** A node's machine has gone off, or come back, without the backend having been told to. */
  | { kind: "machine"; nodeName: string; state: "on" | "off" }
  | { kind: "demand" };

export interface ClusterSummary {
  /** By zone name. */
  zones: Record<string, ZoneCounts>;
  /** Pods without a node. */
  pendingPods: number;
  apiAvailable: boolean;
}

export interface UpgradeFacts {
  nodes: readonly { name: string; kubeletVersion: string }[];
  /** Version in the image of the kube-proxy DaemonSet; absent when there is none. */
  kubeProxyVersion?: string;
  /** APIs that coming versions do not serve any more, at least those that somebody has asked for; versions such as `1.32`. */
  removedApis: readonly { usage: string; removedIn: string; replacedWith?: string; replacedSince?: string }[];
  /** Who has asked for such APIs since the API server was started, at `sinceMs`. */
  deprecatedUses: readonly { usage: string; userAgent: string; count: number; lastMs: number }[];
  sinceMs: number;
}
