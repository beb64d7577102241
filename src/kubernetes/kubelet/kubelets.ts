/** The kubelets of a cluster as the rest of it knows them. */
import type { Clock } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { ClusterLog, ClusterOptions, NodePower, NodeSpec } from "../cluster.js";
import type { NodeHeartbeats } from "../controller.js";
import type { ImageBehaviour } from "../image-behaviour.js";
import type { Exchange, ZoneNetwork } from "../network/zone-network.js";
import type { ObjectKey } from "../object.js";
import type { PodStreams } from "../pod-streams.js";
import type { EventRecorder } from "../runtime/event-recorder.js";
import type { Node, Pod } from "../schema/generated/types.js";
import type { Breakdown, NodeReports, NodeTrouble, PodTrouble } from "../trouble.js";
import type { ApiServerDoor } from "./cluster-world.js";
import type { PodLogOptions } from "./pod-log.js";

/** All kubelets of a cluster. One queue serves every node, and only pods to which something happens cost anything. */
export interface Kubelets {
  readonly heartbeats: NodeHeartbeats;
  /** Begins to watch pods. */
  start(): void;
  /** Ends all work; nothing is written any more. */
  stop(): void;
  /** Registers the node, or takes up again one that the store knows. Rejects when the API server refuses it. */
  addNode(spec: NodeSpec): Promise<void>;
  /**
   * The machine is gone for good; `graceful`: its pods are ended and the node says that it shuts down, all at the present instant. Nothing happens
   * when there is no such node.
   */
  removeNode(name: string, options: { graceful: boolean }): Promise<void>;
  /** The zone that a node's machine stands in; undefined where there is no machine. */
  zoneOf(nodeName: string): string | undefined;
  /** Asks again of every node whether it is heard by the API server. */
  review(): void;
  /** Throws when there is no such node. */
  setPower(name: string, power: NodePower): void;
  /** By node name, there or not yet: what is wrong with machines from now on; those that are not named are well. */
  setNodeTroubles(troubles: Readonly<Record<string, NodeTrouble>>): void;
  /** What other programs of a node say of it, in place of what they said before. Kept for a node that is not there yet. */
  setNodeReports(name: string, reports: NodeReports): void;
  /** By key of pods, there or not yet; those that are not named are well. */
  setPodTroubles(troubles: Readonly<Record<string, PodTrouble>>): void;
  /** The running containers of a pod end by themselves. */
  breakDown(pod: ObjectKey, how: Breakdown): void;
  /** When the node's lease was renewed last, RFC 3339 with microseconds: for reads of the stored Lease, which is never rewritten. */
  leaseRenewTime(nodeName: string): string | undefined;
  /** The Node with the heartbeats of its conditions as its kubelet last reported them, which are never written: for reads. */
  withHeartbeats(node: Node): Node;
  /** Output of a container of the pod; undefined when no node has the pod. Throws StatusError when its kubelet cannot tell. */
  podLog(key: ObjectKey, options: PodLogOptions): string | undefined;
  /** exec, attach, port-forward and followed logs. */
  readonly streams: PodStreams;
}

export interface KubeletsOptions {
  api: KubeApi;
  clock: Clock;
  log: ClusterLog;
  /** Default: a recorder of its own with component `kubelet`. */
  events?: EventRecorder;
  caCert?: string;
  /** How images behave, by name; `*` in a name stands for anything. */
  images?: Readonly<Record<string, ImageBehaviour>>;
  /** What is outside of the cluster. */
  outside?: ClusterOptions["outside"];
  network?: KubeletNetwork;
  /** Makes a token for a service account as the TokenRequest API does; absent: tokens in pods are empty. */
  issueToken?: (pod: Pod, request: { audience: string | undefined; expirationSeconds: number }) => Promise<string>;
}

/** What lies between nodes and everybody else; without it everybody reaches everybody at once. */
export interface KubeletNetwork {
  zones: ZoneNetwork;
  /** Zones in which nobody answers questions for names. */
  zonesWithoutDns: ReadonlySet<string>;
  apiServer?: ApiServerDoor;
  /** Whether the API server hears of a node in this zone. */
  isHeard(zone: string): boolean;
  /** A request of the API server to a node in this zone; undefined: it does not get there. */
  toMachine(zone: string): Exchange | undefined;
}
