import type { Duplex } from "node:stream";
import type { Exchange } from "./network/zone-network.js";
import type { ObjectKey } from "./object.js";

/** Where a process in a container reads and writes. Writing never blocks; whoever carries the bytes takes care of back-pressure. */
export interface ProcessIo {
  /** Bytes for standard input, in order; ends where the client closes it. Undefined: no standard input. */
  stdin?: AsyncIterable<Uint8Array>;
  stdout(bytes: Uint8Array): void;
  /** Not used with a terminal, where both outputs are one. */
  stderr(bytes: Uint8Array): void;
  /** Sizes of the client's terminal, in columns and rows, as they change. */
  resizes?: AsyncIterable<{ width: number; height: number }>;
  /** The client is gone: whatever runs for it ends. */
  signal: AbortSignal;
}

export interface ExecOptions {
  /** Defaults to the annotation `kubectl.kubernetes.io/default-container`'s or the first container. */
  container?: string;
  command: readonly string[];
  tty: boolean;
}

/** What can be had from a running pod as a stream. Every method throws StatusError with the kubelet's words where the pod or container cannot serve it. */
export interface PodStreams {
  /**
   * To be asked before one of the others: how long it takes to reach the pod's machine, mostly no time at all. Throws StatusError when it is not reached;
   * whether the pod is there is not looked at.
   */
  dial?(pod: ObjectKey): Exchange;
  /** Whether the kubelet of a node answers now; undefined where nothing is known of the node's machine. */
  reachesNode?(name: string): boolean | undefined;
  /** Runs a command in a running container and resolves with its exit code; 126/127 as a container runtime would for what cannot be run. */
  exec(pod: ObjectKey, options: ExecOptions, io: ProcessIo): Promise<number>;
  /** Joins the container's own process: its output from now on, until it ends (resolves with its exit code) or the client goes. */
  attach(pod: ObjectKey, options: { container?: string; tty: boolean }, io: ProcessIo): Promise<number>;
  /**
   * A connection to a TCP port of the pod, as from the node's own loopback. Rejects when nothing listens there, with the words that kubectl shows
   * (`failed to connect to localhost:<port> inside namespace ...: connection refused`).
   */
  connect(pod: ObjectKey, port: number): Promise<Duplex>;
  /** What answers at the port where that is no program of the simulator: programmed answers, which know no TLS, or an image of which nothing is known. */
  standIn?(pod: ObjectKey, port: number): "programmed" | "unknown" | undefined;
  /** Calls `line` for every line of log written after the call, each with its time in epoch ms; `end` once when the container has ended. Returns how to stop. */
  followLog(
    pod: ObjectKey,
    container: string | undefined,
    sink: { line(text: string, atMs: number): void; end(): void },
  ): () => void;
}
