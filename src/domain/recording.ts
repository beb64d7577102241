/**
 * What is seen of clusters while a drill runs: a look is taken whenever something has changed, and says what is so from its moment until the next. Between
 * two looks nothing changed, so that times below a minimum can be added up exactly.
 */
import type { ZoneCounts } from "./kubernetes-objects.js";
import type { Scope } from "./model.js";

export interface WorkloadCounts {
  namespace: string;
  /** Kind of the owner at the top, such as `Deployment`. */
  kind: string;
  name: string;
  /** Pods that are there and not on their way out. */
  pods: number;
  /** Of those, how many have a node that is Ready. */
  placed: number;
  ready: number;
  /** How many have been evicted, deleted or lost since the recording began, having had a node. */
  gone: number;
}

/** One cluster at one moment. Times are simulated, epoch milliseconds. */
export interface Look {
  atMs: number;
  cluster: string;
  zones: Readonly<Record<string, ZoneCounts>>;
  pendingPods: number;
  apiAvailable: boolean;
  /** Those whose counts have changed since the look before; in a first look, all. */
  workloads: readonly WorkloadCounts[];
}

export interface Recording {
  /** Grows with every change. */
  readonly version: number;
  /** Looks since the last call, oldest first; the last one may be said again with more that happened in the same moment. */
  read(): Look[];
  /** Ends it. */
  close(): void;
}

/** Clusters are recorded from when they can be looked at; those that are not there yet, from when they are. */
export interface Recorder {
  record(scope: Scope, clusterNames: readonly string[]): Recording;
}
