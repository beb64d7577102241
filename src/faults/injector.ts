/**
 * Breaks things on purpose and mends them again. A fault is written down, with what has to be undone, before it acts; its end is written down before it is
 * undone. What several faults want of a cluster is always worked out as a whole from their rows and brought about as a whole, so that ending one is doing that
 * again, and so is coming back after a crash. Whoever repairs what is broken does not hear of faults, only of what AWS would show.
 */
import { BackendError, type ClusterBackend } from "../backends/backend.js";
import type { Clock } from "../clock/clock.js";
import { parseDuration } from "../clock/duration.js";
import { DomainError } from "../domain/errors.js";
import {
  combine,
  type FaultDefinition,
  type FaultRequest,
  faultNamed,
  knownFault,
  mergeUndo,
  type ReadRequest,
  readRequest,
  type WholeWants,
} from "../domain/faults/index.js";
import type { ClusterRecord, ClusterUndo, FaultRecord, Scope } from "../domain/model.js";
import type { State } from "../state/state.js";
import { createAlarm } from "./alarm.js";
import { tellEnd, tellRefusal, tellSchedule, tellStart } from "./events.js";
import { bringAbout } from "./machines.js";
import { createNewcomers } from "./newcomers.js";
import { performOnce } from "./once.js";
import { settleRows, terminateRows } from "./rows.js";
import { checkNames, EmptyTargets, resolveTargets } from "./targets.js";
import { actingOn, factsOf, reaches, unfinishedOn, wantsOf, withUndo } from "./wants.js";

export interface InjectorOptions {
  state: State;
  clock: Clock;
  backends: ReadonlyMap<string, ClusterBackend>;
  /** Everything of a cluster has to be looked at by the reconcilers. */
  nudgeAll: (clusterId: string) => void;
  log: { warn(fields: Record<string, unknown>, message: string): void };
}

export interface Injector {
  /** Takes up what an earlier process left: faults that had not begun are undone, those whose time has passed end, the others go on. */
  start(): void;
  /** Resolves when the fault acts, or is scheduled. Rejects with DomainErrors; nothing remains then. */
  startFault(scope: Scope, request: FaultRequest): Promise<FaultRecord>;
  /** Ends it and undoes it; nothing when it has ended already. Rejects with ResourceNotFoundException. */
  stopFault(id: string): Promise<FaultRecord>;
  /** Brings the faults that are on into effect in a cluster that was just created or adopted, and mends what others have left. */
  reapply(cluster: ClusterRecord): Promise<void>;
  /** A machine or a master has been added to the cluster: faults of its zone befall it too. */
  newcomer(clusterId: string): Promise<void>;
  /** Takes up nothing more, and resolves when what is under way has ended. */
  stop(): Promise<void>;
}

/** First and longest wait after a backend has failed, in milliseconds. */
const RETRY_MS = { first: 1000, longest: 60_000 };
/** How often pods are looked at for newcomers where the backend does not tell of them. */
const LOOK_MS = 10_000;

export function createInjector({ state, clock, backends, nudgeAll, log }: InjectorOptions): Injector {
  const backendOf = (cluster: ClusterRecord): ClusterBackend | undefined => backends.get(cluster.backend);
  const sources = { state, backendOf };
  const lanes = new Map<string, Promise<unknown>>();
  const retries = new Map<string, number>();
  /** When clusters have to be looked at again. */
  const looks = new Map<string, number>();
  let stopped = false;

  /** One piece of work after the other for each cluster. */
  const inLane = <T>(clusterId: string, work: () => Promise<T>): Promise<T> => {
    const turn = (lanes.get(clusterId) ?? Promise.resolve()).then(work, work);
    lanes.set(clusterId, turn);
    const leave = (): void => {
      if (lanes.get(clusterId) === turn) lanes.delete(clusterId);
    };
    turn.then(leave, leave);
    return turn;
  };

  /** Every cluster that the fault reaches, or has reached. */
  const clustersOf = (fault: FaultRecord): ClusterRecord[] =>
    state.clusters.all().filter((cluster) => reaches(fault, cluster) || fault.undo.clusters[cluster.id] !== undefined);

  /** Writes down what acting faults may change in the cluster, before they do: newcomers add to it. */
  const noteUndo = (cluster: ClusterRecord, faults: readonly FaultRecord[]): FaultRecord[] =>
    state.transaction(() => {
      const facts = factsOf(state, cluster, faults);
      return faults.map((fault) => {
        const undo = withUndo(fault, facts, clock.now());
        if (JSON.stringify(undo) === JSON.stringify(fault.undo.clusters[cluster.id] ?? {})) return fault;
        const noted = { ...fault, undo: { ...fault.undo, clusters: { ...fault.undo.clusters, [cluster.id]: undo } } };
        state.faults.put(noted);
        return noted;
      });
    });

  const wholeOf = (cluster: ClusterRecord): { wants: WholeWants; touched: ClusterUndo } => {
    const acting = noteUndo(cluster, actingOn(state, cluster));
    const facts = factsOf(state, cluster, acting);
    const unfinished = unfinishedOn(state, cluster);
    return {
      wants: combine(acting.map((fault) => wantsOf(fault, facts, clock.now()))),
      touched: mergeUndo([
        ...unfinished.map((fault) => withUndo(fault, factsOf(state, cluster, unfinished), clock.now())),
        ...acting.map((fault) => fault.undo.clusters[cluster.id] ?? {}),
      ]),
    };
  };

  const rowsContext = (): { state: State; nowMs: number } => ({ state, nowMs: clock.now() });

  /** What AWS shows, as the rows of faults want it. To be called in a transaction. */
  const settle = (clusterId: string): void => {
    const cluster = state.clusters.byId(clusterId);
    if (!cluster) return;
    const { wants, touched } = wholeOf(cluster);
    settleRows(rowsContext(), cluster, wants, touched);
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

  /** Faults that have ended have nothing left to undo in the cluster. */
  const finishUndo = (clusterId: string): void =>
    state.transaction(() => {
      for (const fault of state.faults.unfinished()) {
        const { [clusterId]: _, ...others } = fault.undo.clusters;
        const clusters = Object.fromEntries(Object.entries(others).filter(([id]) => state.clusters.byId(id)));
        const isOver = Object.keys(clusters).length === 0;
        state.faults.put({ ...fault, undo: isOver ? { clusters } : { pending: true, clusters } });
      }
    });

  /** The cluster as its faults want it, from top to bottom. Rejects when its backend cannot. */
  const refresh = (clusterId: string): Promise<void> =>
    inLane(clusterId, async () => {
      await newcomers.resolve(clusterId);
      const ending = state.faults.unfinished().length > 0;
      await command(clusterId);
      state.transaction(() => settle(clusterId));
      if (ending) finishUndo(clusterId);
      retries.delete(clusterId);
      nudgeAll(clusterId);
    });

  /** As `refresh`; a backend that fails is asked again later. */
  const refreshOrRetry = async (clusterId: string): Promise<void> => {
    try {
      await refresh(clusterId);
    } catch (error) {
      const count = retries.get(clusterId) ?? 0;
      retries.set(clusterId, count + 1);
      const retryInMs = Math.min(RETRY_MS.longest, RETRY_MS.first * 2 ** count);
      log.warn({ err: error, clusterId, retryInMs }, "the faults of a cluster could not be brought about");
      lookAt(clusterId, clock.now() + retryInMs);
      nudgeAll(clusterId);
    }
  };

  const lookAt = (clusterId: string, atMs: number): void => {
    const known = looks.get(clusterId);
    if (known === undefined || atMs < known) looks.set(clusterId, atMs);
    alarm.set();
  };

  const newcomers = createNewcomers({
    ...sources,
    defer: clock.defer.bind(clock),
    noticed: (clusterId) => void clock.track(refreshOrRetry(clusterId)),
    lookAgain: (clusterId) => lookAt(clusterId, clock.now() + LOOK_MS),
  });

  const definitionOf = (fault: FaultRecord): FaultDefinition => faultNamed(fault.kind);

  /** Finds what it is aimed at, and begins. `fault` is not written down yet, or only as scheduled. */
  const begin = async (draft: FaultRecord): Promise<FaultRecord> => {
    const definition = definitionOf(draft);
    let targets: FaultRecord["targets"];
    try {
      targets = await resolveTargets(sources, draft, { definition, target: draft.target, seed: draft.seed });
    } catch (error) {
      if (error instanceof EmptyTargets && draft.emptyTargets === "skip") return skip(draft, error.message);
      throw error;
    }
    const [onlyCluster, ...others] = targets.clusterIds ?? [];
    const clusterName =
      draft.clusterName ?? (onlyCluster && others.length === 0 ? state.clusters.byId(onlyCluster)?.name : undefined);
    const fault: FaultRecord = { ...draft, ...(clusterName ? { clusterName } : {}), phase: "starting", targets };
    state.transaction(() => {
      state.faults.put(fault);
      for (const cluster of clustersOf(fault)) noteUndo(cluster, actingOn(state, cluster));
    });
    const clusters = clustersOf(fault);
    const failed = new Set<string>();
    try {
      for (const { id } of clusters) {
        await inLane(id, () => command(id)).catch((error: unknown) => {
          if (error instanceof BackendError && error.code === "unsupported") throw error;
          log.warn({ err: error, clusterId: id, fault: fault.id }, "a fault could not act on a cluster");
          failed.add(id);
        });
      }
      const once = definition.once?.(fault.parameters);
      if (once) await performOnce(sources, fault, once);
    } catch (error) {
      await withdraw(fault);
      if (error instanceof BackendError)
        throw new DomainError("InvalidRequestException", `${fault.kind} cannot be brought about: ${error.message}`);
      throw error;
    }
    const begun = activate(fault, definition);
    for (const { id } of clusters) {
      if (failed.has(id)) lookAt(id, clock.now() + RETRY_MS.first);
      await newcomers.resolve(id);
      nudgeAll(id);
    }
    alarm.set();
    return begun;
  };

  /** It acts: from here on it is known. Nothing more when it was ended meanwhile. */
  const activate = (fault: FaultRecord, definition: FaultDefinition): FaultRecord =>
    state.transaction(() => {
      const present = state.faults.get(fault.id) ?? fault;
      if (present.phase !== "starting") return present;
      const nowMs = clock.now();
      const active: FaultRecord = definition.lasts
        ? { ...present, phase: "active" }
        : { ...present, phase: "ended", endedAtMs: nowMs, undo: { clusters: {} } };
      state.faults.put(active);
      tellStart({ state, nowMs }, active, definition);
      if (definition.once?.(active.parameters).kind === "terminate-instances") terminate(active, "killed");
      for (const { id } of clustersOf(active)) settle(id);
      return active;
    });

  const terminate = ({ targets }: FaultRecord, reason: string): void =>
    terminateRows(
      rowsContext(),
      (targets.nodes ?? []).flatMap(({ instanceId }) => instanceId ?? []),
      reason,
    );

  /** As if it had never been asked for. */
  const withdraw = async (fault: FaultRecord): Promise<void> => {
    const present = state.faults.get(fault.id) ?? fault;
    if (present.phase !== "starting") return;
    state.faults.put({ ...present, phase: "ended", endedAtMs: clock.now(), undo: { ...present.undo, pending: true } });
    for (const { id } of clustersOf(present)) await refreshOrRetry(id);
    if (!state.faults.get(fault.id)?.undo.pending) state.faults.remove(fault.id);
  };

  const skip = (draft: FaultRecord, reason: string): FaultRecord =>
    state.transaction(() => {
      const nowMs = clock.now();
      const skipped: FaultRecord = { ...draft, phase: "ended", endedAtMs: nowMs, reason };
      state.faults.put(skipped);
      tellRefusal({ state, nowMs }, skipped);
      return skipped;
    });

  const end = async (fault: FaultRecord, how: "asked" | "time"): Promise<FaultRecord> => {
    const ended = state.transaction(() => {
      const present = state.faults.get(fault.id) ?? fault;
      if (present.phase === "ended") return undefined;
      const nowMs = clock.now();
      const done: FaultRecord = {
        ...present,
        phase: "ended",
        endedAtMs: nowMs,
        undo: { ...present.undo, pending: true },
      };
      state.faults.put(done);
      tellEnd({ state, nowMs }, done, knownFault(done), present.phase);
      if (how === "time" && knownFault(done)?.finally?.kind === "terminate-instances") terminate(done, "interrupted");
      for (const { id } of clustersOf(done)) settle(id);
      return done;
    });
    if (!ended) return state.faults.get(fault.id) ?? fault;
    const clusters = clustersOf(ended);
    for (const { id } of clusters) await refreshOrRetry(id);
    // Whatever it may have touched is gone.
    if (clusters.length === 0) finishUndo("");
    return state.faults.get(fault.id) ?? ended;
  };

  /** A fault whose time has come; refused, it ends and says why. */
  const beginScheduled = async (fault: FaultRecord): Promise<void> => {
    if (fault.endsAtMs !== undefined && fault.endsAtMs <= clock.now()) {
      skip(fault, "its time passed while eksim did not run");
      return;
    }
    try {
      await begin(fault);
    } catch (error) {
      if (!(error instanceof DomainError || error instanceof BackendError)) throw error;
      skip(fault, error.message);
    }
  };

  const due = async (): Promise<void> => {
    const nowMs = clock.now();
    for (const fault of state.faults.active()) {
      if (fault.phase === "active" && (fault.endsAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) await end(fault, "time");
    }
    for (const fault of state.faults.scheduled()) if (fault.startedAtMs <= nowMs) await beginScheduled(fault);
    for (const [clusterId, atMs] of [...looks]) {
      if (atMs > nowMs) continue;
      looks.delete(clusterId);
      await refreshOrRetry(clusterId);
    }
  };

  const alarm = createAlarm({
    clock,
    nextMs: () =>
      Math.min(
        ...state.faults.scheduled().map(({ startedAtMs }) => startedAtMs),
        ...state.faults
          .active()
          .map(({ phase, endsAtMs }) => (phase === "active" ? endsAtMs : undefined) ?? Number.POSITIVE_INFINITY),
        ...looks.values(),
      ),
    ring: () => (stopped ? Promise.resolve() : due()),
    failed: (error) => log.warn({ err: error }, "faults that were due could not be dealt with"),
  });

  const draftOf = (scope: Scope, read: ReadRequest): FaultRecord => {
    const { definition, target, parameters, delayMs, durationMs, emptyTargets } = read;
    const nowMs = clock.now();
    const id = newFaultId(state, clock);
    const startedAtMs = nowMs + delayMs;
    return {
      id,
      kind: definition.name,
      phase: "scheduled",
      accountId: scope.accountId,
      region: scope.region,
      ...(target.zone ? { zone: target.zone } : {}),
      ...(target.cluster ? { clusterName: target.cluster } : {}),
      target,
      targets: {},
      requestedAtMs: nowMs,
      startedAtMs,
      ...(durationMs === undefined ? {} : { endsAtMs: startedAtMs + durationMs }),
      parameters,
      seed: read.seed ?? clock.random(`seed of ${id}`).integer(0, 2 ** 31 - 1),
      ...(emptyTargets === "skip" ? { emptyTargets } : {}),
      undo: { clusters: {} },
    };
  };

  return {
    start: () => {
      state.transaction(() => {
        for (const fault of state.faults.active()) {
          if (fault.phase !== "starting") continue;
          const reason = "eksim ended before it had begun";
          const undo = { ...fault.undo, pending: true as const };
          state.faults.put({ ...fault, phase: "ended", endedAtMs: clock.now(), reason, undo });
        }
      });
      finishUndo("");
      alarm.set();
    },

    startFault: async (scope, request) => {
      const read = readRequest(request, { region: scope.region, readDuration: parseDuration });
      checkNames(state, scope, read.target);
      const draft = draftOf(scope, read);
      if (read.delayMs === 0) return begin(draft);
      state.transaction(() => {
        state.faults.put(draft);
        tellSchedule({ state, nowMs: clock.now() }, draft, read.definition);
      });
      alarm.set();
      return draft;
    },

    stopFault: async (id) => {
      const fault = state.faults.get(id);
      if (!fault) throw new DomainError("ResourceNotFoundException", `No fault found for id: ${id}`);
      return end(fault, "asked");
    },

    reapply: async (cluster) => {
      if (actingOn(state, cluster).length === 0 && unfinishedOn(state, cluster).length === 0) return;
      await refresh(cluster.id);
    },

    newcomer: async (clusterId) => {
      const cluster = state.clusters.byId(clusterId);
      if (cluster && actingOn(state, cluster).length > 0) await refreshOrRetry(clusterId);
    },

    stop: async () => {
      stopped = true;
      alarm.stop();
      newcomers.stop();
      await alarm.idle();
      await Promise.allSettled([...lanes.values()]);
    },
  };
}

function newFaultId(state: State, clock: Clock): string {
  const random = clock.random(`fault ${clock.now()}`);
  let id = `fault-${random.hex(8)}`;
  while (state.faults.get(id)) id = `fault-${random.hex(8)}`;
  return id;
}
