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
  type FaultDefinition,
  type FaultRequest,
  faultNamed,
  knownFault,
  type OperationsOf,
  type ReadRequest,
  readRequest,
} from "../domain/faults/index.js";
import type { ClusterRecord, FaultRecord, Scope } from "../domain/model.js";
import type { State } from "../state/state.js";
import { createAlarm } from "./alarm.js";
import { createClusterFaults } from "./cluster-faults.js";
import { tellEnd, tellRefusal, tellSchedule, tellStart } from "./events.js";
import { performOnce } from "./once.js";
import { terminateRows } from "./rows.js";
import { EmptyTargets } from "./target-search.js";
import { checkNames, resolveTargets } from "./targets.js";
import { actingOn, unfinishedOn } from "./wants.js";

export interface InjectorOptions {
  state: State;
  clock: Clock;
  backends: ReadonlyMap<string, ClusterBackend>;
  /** Everything of a cluster has to be looked at by the reconcilers. */
  nudgeAll: (clusterId: string) => void;
  /** Names in requests are held against these. */
  operationsOf: OperationsOf;
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
  newcomer(clusterId: string, name: string): Promise<void>;
  /** Takes up nothing more, and resolves when what is under way has ended. */
  stop(): Promise<void>;
}

/** A backend that failed at a fault's beginning is asked again after this, in milliseconds. */
const RETRY_MS = 1000;

export function createInjector({ state, clock, backends, nudgeAll, operationsOf, log }: InjectorOptions): Injector {
  const sources = { state, backendOf: (cluster: ClusterRecord) => backends.get(cluster.backend) };
  const clusterFaults = createClusterFaults({ ...sources, clock, nudgeAll, log, looksChanged: () => alarm.set() });
  let stopped = false;

  const definitionOf = (fault: FaultRecord): FaultDefinition => faultNamed(fault.kind);

  /** Finds what it is aimed at, and begins. `fault` is not written down yet, or only as scheduled. */
  const begin = async (draft: FaultRecord): Promise<FaultRecord> => {
    const definition = definitionOf(draft);
    let targets: FaultRecord["targets"];
    try {
      targets = await resolveTargets(sources, draft, { definition, target: draft.target, seed: draft.seed });
    } catch (error) {
      if (error instanceof EmptyTargets && draft.emptyTargets === "skip") return skip(draft, error.message);
      throw error instanceof BackendError ? cannot(draft, error) : error;
    }
    // Called off in between.
    const present = state.faults.get(draft.id);
    if (present && present.phase !== "scheduled") return present;
    const [onlyCluster, ...others] = targets.clusterIds ?? [];
    const clusterName =
      draft.clusterName ?? (onlyCluster && others.length === 0 ? state.clusters.byId(onlyCluster)?.name : undefined);
    const fault: FaultRecord = { ...draft, ...(clusterName ? { clusterName } : {}), phase: "starting", targets };
    state.transaction(() => {
      state.faults.put(fault);
      for (const cluster of clusterFaults.of(fault)) clusterFaults.noteUndo(cluster);
    });
    const clusters = clusterFaults.of(fault);
    const failed = new Set<string>();
    try {
      for (const { id } of clusters) {
        await clusterFaults.command(id).catch((error: unknown) => {
          if (error instanceof BackendError && error.code === "unsupported") throw error;
          log.warn({ err: error, clusterId: id, fault: fault.id }, "a fault could not act on a cluster");
          failed.add(id);
        });
      }
      const once = definition.once?.(fault.parameters);
      if (once) await performOnce(sources, fault, once);
    } catch (error) {
      await withdraw(fault);
      throw error instanceof BackendError ? cannot(fault, error) : error;
    }
    const begun = activate(fault, definition);
    for (const { id } of clusters) {
      if (failed.has(id)) clusterFaults.lookAt(id, clock.now() + RETRY_MS);
      await clusterFaults.watch(id);
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
      for (const { id } of clusterFaults.of(active)) clusterFaults.settle(id);
      return active;
    });

  const terminate = ({ targets }: FaultRecord, reason: string): void =>
    terminateRows(
      { state, nowMs: clock.now() },
      (targets.nodes ?? []).flatMap(({ instanceId }) => instanceId ?? []),
      reason,
    );

  /** As if it had never been asked for. */
  const withdraw = async (fault: FaultRecord): Promise<void> => {
    const present = state.faults.get(fault.id) ?? fault;
    if (present.phase !== "starting") return;
    state.faults.put({ ...present, phase: "ended", endedAtMs: clock.now(), undo: { ...present.undo, pending: true } });
    for (const { id } of clusterFaults.of(present)) await clusterFaults.refreshOrRetry(id);
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
        ...(present.phase === "scheduled" ? { reason: "it was called off before it began" } : {}),
        undo: { ...present.undo, pending: true },
      };
      state.faults.put(done);
      tellEnd({ state, nowMs }, done, knownFault(done), present.phase);
      if (how === "time" && knownFault(done)?.finally?.kind === "terminate-instances") terminate(done, "interrupted");
      for (const { id } of clusterFaults.of(done)) clusterFaults.settle(id);
      return done;
    });
    if (!ended) return state.faults.get(fault.id) ?? fault;
    const clusters = clusterFaults.of(ended);
    for (const { id } of clusters) await clusterFaults.refreshOrRetry(id);
    // Whatever it may have touched is gone.
    if (clusters.length === 0) clusterFaults.finishUndo();
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
    await clusterFaults.lookAtDue();
  };

  const alarm = createAlarm({
    clock,
    nextMs: () =>
      Math.min(
        ...state.faults.scheduled().map(({ startedAtMs }) => startedAtMs),
        ...state.faults
          .active()
          .map(({ phase, endsAtMs }) => (phase === "active" ? endsAtMs : undefined) ?? Number.POSITIVE_INFINITY),
        clusterFaults.nextLookMs(),
      ),
    ring: () => (stopped ? Promise.resolve() : due()),
    failed: (error) => log.warn({ err: error }, "faults that were due could not be dealt with"),
  });

  /** Ids that were given out at this moment: their faults may not be in the state yet. */
  const given = { atMs: 0, ids: new Set<string>() };
  const newId = (): string => {
    if (given.atMs !== clock.now()) given.ids.clear();
    given.atMs = clock.now();
    const random = clock.random(`fault ${clock.now()}`);
    let id = `fault-${random.hex(8)}`;
    while (state.faults.get(id) || given.ids.has(id)) id = `fault-${random.hex(8)}`;
    given.ids.add(id);
    return id;
  };

  const draftOf = (scope: Scope, read: ReadRequest): FaultRecord => {
    const { definition, target, parameters, delayMs, durationMs, emptyTargets } = read;
    const nowMs = clock.now();
    const id = newId();
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
      clusterFaults.finishUndo();
      alarm.set();
    },

    startFault: async (scope, request) => {
      const read = readRequest(request, { region: scope.region, readDuration: parseDuration, operationsOf });
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
      await clusterFaults.refresh(cluster.id);
    },

    newcomer: async (clusterId, name) => {
      const cluster = state.clusters.byId(clusterId);
      if (cluster && clusterFaults.suffers(cluster, name)) await clusterFaults.refreshOrRetry(clusterId);
    },

    stop: async () => {
      stopped = true;
      alarm.stop();
      await alarm.idle();
      await clusterFaults.stop();
    },
  };
}

const cannot = ({ kind }: FaultRecord, { message }: BackendError): DomainError =>
  new DomainError("InvalidRequestException", `${kind} cannot be brought about: ${message}`);
