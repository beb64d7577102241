/**
 * Breaks things on purpose and mends them again. A fault is written down before it acts, and its end before it is undone: after a crash what is on is
 * brought into effect anew, and what was ended half-way is put right. Whoever repairs what is broken does not hear of faults, only of what can be seen.
 */
import type { ClusterBackend } from "../backends/backend.js";
import type { Clock } from "../clock/clock.js";
import { DomainError } from "../domain/errors.js";
import { touches } from "../domain/faults/index.js";
import type { ClusterRecord, FaultRecord, Scope } from "../domain/model.js";
import type { State } from "../state/state.js";
import { FAULTS, type FaultContext, type FaultDefinition, type FaultKind } from "./kinds.js";

export interface InjectorOptions {
  state: State;
  clock: Clock;
  backends: ReadonlyMap<string, ClusterBackend>;
  /** Everything of a cluster has to be looked at by the reconcilers. */
  nudgeAll: (clusterId: string) => void;
  log: { warn(fields: Record<string, unknown>, message: string): void };
}

export interface FaultRequest {
  kind: FaultKind;
  scope: Scope;
  zone?: string | undefined;
  clusterName?: string | undefined;
  parameters?: Record<string, unknown>;
}

export interface Injector {
  startFault(request: FaultRequest): Promise<FaultRecord>;
  /** Undoes it; nothing when it has ended already. Rejects with ResourceNotFoundException. */
  stopFault(id: string): Promise<FaultRecord>;
  /** Brings the faults that are on into effect in a cluster that was just created or adopted. */
  reapply(cluster: ClusterRecord): Promise<void>;
}

/** In FaultRecord.undo: its end is written down, but not everything has been put back yet. */
const UNDO_PENDING = { pending: true as const, clusters: {} };

const definitionOf = (fault: FaultRecord): FaultDefinition => FAULTS[fault.kind as FaultKind];

export function createInjector({ state, clock, backends, nudgeAll, log }: InjectorOptions): Injector {
  const context: FaultContext = { state, clock, backendOf: (cluster) => backends.get(cluster.backend) };

  /** Clusters that the fault touches and that have a data plane to break. */
  const clustersOf = (fault: FaultRecord): ClusterRecord[] =>
    state.clusters
      .all()
      .filter(
        (cluster) =>
          cluster.accountId === fault.accountId &&
          cluster.region === fault.region &&
          touches(fault, cluster.name) &&
          cluster.endpoint !== undefined &&
          cluster.status !== "DELETING",
      );

  /** The row and its event in one transaction. */
  const putDown = (fault: FaultRecord, telling: FaultDefinition["ended"]): void =>
    state.transaction(() => {
      state.faults.put(fault);
      if (!telling) return;
      const { accountId, region, zone, clusterName, kind, id } = fault;
      state.events.append({
        atMs: clock.now(),
        accountId,
        region,
        ...(clusterName ? { clusterName } : {}),
        source: zone ? "zone" : "fault",
        type: telling.type,
        subject: zone ?? String(fault.parameters.instanceId ?? id),
        ...(zone ? { zone } : {}),
        message: telling.message(fault),
        detail: { faultId: id, kind },
      });
    });

  /** One cluster that refuses does not keep the others from being broken or mended. */
  const inEachCluster = async (fault: FaultRecord, act: (cluster: ClusterRecord) => Promise<void>): Promise<void> => {
    for (const cluster of clustersOf(fault)) {
      try {
        await act(cluster);
      } catch (error) {
        log.warn({ err: error, cluster: cluster.name, fault: fault.id }, "a fault could not act on a cluster");
      }
      nudgeAll(cluster.id);
    }
  };

  const actAll = async (cluster: ClusterRecord): Promise<void> => {
    for (const fault of state.faults.active(cluster)) {
      if (touches(fault, cluster.name)) await definitionOf(fault).act(context, fault, cluster);
    }
  };

  return {
    startFault: async ({ kind, scope, zone, clusterName, parameters = {} }) => {
      const definition = FAULTS[kind];
      const fault: FaultRecord = {
        id: newFaultId(state, clock),
        kind,
        accountId: scope.accountId,
        region: scope.region,
        ...(zone ? { zone } : {}),
        ...(clusterName ? { clusterName } : {}),
        phase: definition.lasts ? "active" : "ended",
        target: { ...(zone ? { zone } : {}), ...(clusterName ? { cluster: clusterName } : {}) },
        targets: zone ? { zone, newcomers: true } : {},
        requestedAtMs: clock.now(),
        seed: 0,
        startedAtMs: clock.now(),
        ...(definition.lasts ? {} : { endedAtMs: clock.now() }),
        parameters,
        undo: { clusters: {} },
      };
      putDown(fault, definition.started);
      await inEachCluster(fault, (cluster) => definition.act(context, fault, cluster));
      return fault;
    },

    stopFault: async (id) => {
      const fault = state.faults.get(id);
      if (!fault) throw new DomainError("ResourceNotFoundException", `No fault found for id: ${id}`);
      if (fault.endedAtMs !== undefined) return fault;
      const definition = definitionOf(fault);
      const ended: FaultRecord = { ...fault, phase: "ended", endedAtMs: clock.now(), undo: UNDO_PENDING };
      putDown(ended, definition.ended);
      await inEachCluster(ended, async (cluster) => {
        await definition.undo?.(context, ended, cluster);
        // What another fault breaks too stays broken.
        await actAll(cluster);
      });
      const undone = { ...ended, undo: { clusters: {} } };
      state.faults.put(undone);
      return undone;
    },

    reapply: async (cluster) => {
      for (const fault of state.faults.all(cluster)) {
        if (fault.undo.pending && touches(fault, cluster.name))
          await definitionOf(fault).undo?.(context, fault, cluster);
      }
      await actAll(cluster);
    },
  };
}

function newFaultId(state: State, clock: Clock): string {
  const random = clock.random(`fault ${clock.now()}`);
  let id = `fault-${random.hex(8)}`;
  while (state.faults.get(id)) id = `fault-${random.hex(8)}`;
  return id;
}
