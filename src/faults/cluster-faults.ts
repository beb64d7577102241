/**
 * What the faults of a cluster, all together, make of it. Always worked out from the rows as a whole: asked twice it does the same twice, and what no fault
 * wants any longer becomes well.
 */
import type { ClusterBackend } from "../backends/backend.js";
import type { Clock } from "../clock/clock.js";
import { createLanes } from "../clock/lanes.js";
import { combine, mergeUndo, type WholeWants } from "../domain/faults/index.js";
import type { ClusterRecord, ClusterUndo, FaultRecord } from "../domain/model.js";
import type { State } from "../state/state.js";
import { bringAbout } from "./machines.js";
import { createNewcomers } from "./newcomers.js";
import { settleRows } from "./rows.js";
import { actingOn, factsOf, reaches, unfinishedOn, wantsOf, withUndo } from "./wants.js";

export interface ClusterFaultsOptions {
  state: State;
  clock: Clock;
  backendOf(cluster: ClusterRecord): ClusterBackend | undefined;
  /** Everything of a cluster has to be looked at by the reconcilers. */
  nudgeAll: (clusterId: string) => void;
  log: { warn(fields: Record<string, unknown>, message: string): void };
  /** `nextLookMs` may have changed. */
  looksChanged: () => void;
}

export interface ClusterFaults {
  /** Every cluster that the fault reaches, or has reached. */
  of(fault: FaultRecord): ClusterRecord[];
  /** Writes into the records of what acts on the cluster what may be changed there, before it is: newcomers add to it. */
  noteUndo(cluster: ClusterRecord): void;
  /** Commands the backend, in the cluster's turn. Rejects with BackendError. */
  command(clusterId: string): Promise<void>;
  /** What AWS shows of it. To be called in a transaction. */
  settle(clusterId: string): void;
  /** The cluster as its faults want it, from top to bottom, and what has ended undone there. Rejects with BackendError. */
  refresh(clusterId: string): Promise<void>;
  /** As `refresh`; a backend that fails is asked again later. */
  refreshOrRetry(clusterId: string): Promise<void>;
  /** Whether a machine or a master of that name suffers from any fault. */
  suffers(cluster: ClusterRecord, name: string): boolean;
  /** Has an eye on those who come, for as long as faults mean them too. */
  watch(clusterId: string): Promise<void>;
  lookAt(clusterId: string, atMs: number): void;
  nextLookMs(): number;
  /** Looks at the clusters for which it is time. */
  lookAtDue(): Promise<void>;
  /** Faults that have ended have nothing left to undo in the cluster, nor in clusters that are gone. */
  finishUndo(clusterId?: string): void;
  stop(): Promise<void>;
}

/** First and longest wait after a backend has failed, in milliseconds. */
const RETRY_MS = { first: 1000, longest: 60_000 };
/** How often pods are looked at for newcomers where the backend does not tell of them. */
const LOOK_MS = 10_000;

export function createClusterFaults(options: ClusterFaultsOptions): ClusterFaults {
  const { state, clock, backendOf, nudgeAll, log, looksChanged } = options;
  const lanes = createLanes();
  const failures = new Map<string, number>();
  const looks = new Map<string, number>();

  const noted = (cluster: ClusterRecord): FaultRecord[] =>
    state.transaction(() => {
      const faults = actingOn(state, cluster);
      const facts = factsOf(state, cluster, faults);
      return faults.map((fault) => {
        const undo = withUndo(fault, facts, clock.now());
        if (JSON.stringify(undo) === JSON.stringify(fault.undo.clusters[cluster.id] ?? {})) return fault;
        const changed = { ...fault, undo: { ...fault.undo, clusters: { ...fault.undo.clusters, [cluster.id]: undo } } };
        state.faults.put(changed);
        return changed;
      });
    });

  const wantsNow = (cluster: ClusterRecord, acting: readonly FaultRecord[]): WholeWants => {
    const facts = factsOf(state, cluster, acting);
    return combine(acting.map((fault) => wantsOf(fault, facts, clock.now())));
  };

  const wholeOf = (cluster: ClusterRecord): { wants: WholeWants; touched: ClusterUndo } => {
    const acting = noted(cluster);
    const unfinished = unfinishedOn(state, cluster);
    const facts = factsOf(state, cluster, unfinished);
    const touched = mergeUndo([
      ...unfinished.map((fault) => withUndo(fault, facts, clock.now())),
      ...acting.map((fault) => fault.undo.clusters[cluster.id] ?? {}),
    ]);
    return { wants: wantsNow(cluster, acting), touched };
  };

  const settle = (clusterId: string): void => {
    const cluster = state.clusters.byId(clusterId);
    if (!cluster) return;
    const { wants, touched } = wholeOf(cluster);
    settleRows({ state, nowMs: clock.now() }, cluster, wants, touched);
    if (wants.changesAtMs !== undefined) lookAt(clusterId, wants.changesAtMs);
  };

  const command = async (clusterId: string): Promise<void> => {
    const cluster = state.clusters.byId(clusterId);
    const backend = cluster && backendOf(cluster);
    // What is not there yet is broken when it is attached.
    if (!cluster || !backend || cluster.endpoint === undefined) return;
    const { wants, touched } = wholeOf(cluster);
    await bringAbout(backend, cluster, wants, touched);
  };

  const finishUndo = (clusterId?: string): void =>
    state.transaction(() => {
      for (const fault of state.faults.unfinished()) {
        const left = Object.entries(fault.undo.clusters).filter(
          ([id]) => id !== clusterId && state.clusters.byId(id) !== undefined,
        );
        const clusters = Object.fromEntries(left);
        state.faults.put({ ...fault, undo: left.length === 0 ? { clusters } : { pending: true, clusters } });
      }
    });

  const refresh = (clusterId: string): Promise<void> =>
    lanes.run(clusterId, async () => {
      await newcomers.resolve(clusterId);
      const isEnding = state.faults.unfinished().length > 0;
      await command(clusterId);
      state.transaction(() => settle(clusterId));
      if (isEnding) finishUndo(clusterId);
      failures.delete(clusterId);
      nudgeAll(clusterId);
    });

  const refreshOrRetry = async (clusterId: string): Promise<void> => {
    try {
      await refresh(clusterId);
    } catch (error) {
      const count = failures.get(clusterId) ?? 0;
      failures.set(clusterId, count + 1);
      const retryInMs = Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** count);
      log.warn({ err: error, clusterId, retryInMs }, "the faults of a cluster could not be brought about");
      lookAt(clusterId, clock.now() + retryInMs);
      nudgeAll(clusterId);
    }
  };

  const lookAt = (clusterId: string, atMs: number): void => {
    const known = looks.get(clusterId);
    if (known === undefined || atMs < known) looks.set(clusterId, atMs);
    looksChanged();
  };

  const newcomers = createNewcomers({
    state,
    backendOf,
    defer: (work) => clock.defer(work),
    noticed: (clusterId) => void clock.track(refreshOrRetry(clusterId)),
    lookAgain: (clusterId) => lookAt(clusterId, clock.now() + LOOK_MS),
  });

  return {
    of: (fault) =>
      state.clusters
        .all()
        .filter((cluster) => reaches(fault, cluster) || fault.undo.clusters[cluster.id] !== undefined),
    noteUndo: (cluster) => void noted(cluster),
    command: (clusterId) => lanes.run(clusterId, () => command(clusterId)),
    settle,
    refresh,
    refreshOrRetry,
    suffers: (cluster, name) => {
      const { machines, mastersDown, impairments } = wantsNow(cluster, actingOn(state, cluster));
      return name in machines || name in impairments.nodes || mastersDown.includes(name);
    },
    watch: newcomers.resolve,
    lookAt,
    nextLookMs: () => Math.min(...looks.values()),
    lookAtDue: async () => {
      for (const [clusterId, atMs] of [...looks]) {
        if (atMs > clock.now()) continue;
        looks.delete(clusterId);
        await refreshOrRetry(clusterId);
      }
    },
    finishUndo,
    stop: async () => {
      newcomers.stop();
      await lanes.idle();
    },
  };
}
