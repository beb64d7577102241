/** State, clock, backend, reconcilers and faults put together as the emulator does it, on a stepped clock. */
import { operationNames } from "../../src/api/model/operation-names.js";
import type { ClusterBackend } from "../../src/backends/backend.js";
import type { SteppedClock } from "../../src/clock/clock.js";
import { createClock } from "../../src/clock/create-clock.js";
import type { FaultControl } from "../../src/domain/fault-control.js";
import type { ClusterRecord, InstanceRecord, NodegroupRecord, UpdateRecord } from "../../src/domain/model.js";
import { PROFILES } from "../../src/domain/profile.js";
import { createFaultControl } from "../../src/faults/control.js";
import { createInjector } from "../../src/faults/injector.js";
import { createReconcilers, type Reconcilers } from "../../src/reconcile/reconcilers.js";
import { openState } from "../../src/state/sqlite.js";
import type { State } from "../../src/state/state.js";
import { aCluster, aNodegroup, SCOPE } from "../state/records.js";

export interface World<B extends ClusterBackend = ClusterBackend> {
  state: State;
  clock: SteppedClock;
  backend: B;
  reconcilers: Reconcilers;
  faults: FaultControl;
  warnings: string[];
  /** Moves time until the condition holds; throws when it does not within `limitMs` of simulated time. */
  until(done: () => boolean, limitMs?: number): Promise<void>;
  createCluster(name?: string, changes?: Partial<ClusterRecord>): Promise<ClusterRecord>;
  createNodegroup(cluster: ClusterRecord, name: string, changes?: Partial<NodegroupRecord>): Promise<void>;
  startUpdate(group: { name: string }, type: string, plan: Record<string, unknown>): void;
  cluster(name?: string): ClusterRecord | undefined;
  group(name: string): NodegroupRecord | undefined;
  instances(group?: string): InstanceRecord[];
  /** Number of in-service instances of each zone, zones in order. */
  spread(group?: string): Record<string, number>;
  events(): string[];
  stop(): Promise<void>;
}

const START_MS = Date.UTC(2026, 8, 1);

export function makeWorld<B extends ClusterBackend>(
  makeBackend: (clock: SteppedClock, state: State) => B,
  options: { profile?: "instant" | "aws"; state?: State; startMs?: number } = {},
): World<B> {
  const clock = createClock({ kind: "stepped" }, { seed: 1, startMs: options.startMs ?? START_MS });
  const state = options.state ?? openState({ file: ":memory:" });
  const backend = makeBackend(clock, state);
  const backends = new Map<string, ClusterBackend>([["embedded", backend]]);
  const warnings: string[] = [];
  const warn = (fields: Record<string, unknown>, message: string): void => {
    warnings.push(`${message}: ${String(fields.err)}`);
  };
  const log = { debug: () => {}, warn, error: warn };
  const reconcilers = createReconcilers({
    state,
    clock,
    backends,
    profile: PROFILES[options.profile ?? "instant"],
    log,
    onAttached: (cluster) => injector.reapply(cluster),
    onNewcomer: (clusterId, name) => injector.newcomer(clusterId, name),
  });
  const injector = createInjector({
    state,
    clock,
    backends,
    nudgeAll: reconcilers.nudgeAll,
    operationsOf: operationNames,
    log,
  });
  const faults = createFaultControl({ state, backends, injector });
  injector.start();
  reconcilers.start();

  const cluster = (name = "demo"): ClusterRecord | undefined => state.clusters.get({ ...SCOPE, name });
  const required = (): ClusterRecord => {
    const found = cluster();
    if (!found) throw new Error("there is no cluster demo");
    return found;
  };
  const until = async (done: () => boolean, limitMs = 3_600_000): Promise<void> => {
    if (await clock.advanceUntil(done, limitMs)) return;
    throw new Error(`it has not come about; events:\n${world.events().join("\n")}\n${warnings.join("\n")}`);
  };
  const world: World<B> = {
    state,
    clock,
    backend,
    reconcilers,
    faults,
    warnings,
    until,
    cluster,
    createCluster: async (name = "demo", changes = {}) => {
      const row = aCluster(name, { id: `ID${name}`, createdAtMs: clock.now(), ...changes });
      state.clusters.put(row);
      reconcilers.nudge("cluster", row.id);
      await until(() => cluster(name)?.status === "ACTIVE");
      return cluster(name) as ClusterRecord;
    },
    createNodegroup: async (owner, name, changes) => {
      state.nodegroups.put(aNodegroup(owner, name, { createdAtMs: clock.now(), ...changes }));
      reconcilers.nudge("nodegroup", `${owner.id}/${name}`);
      await until(() => state.nodegroups.get(owner, name)?.status !== "CREATING");
    },
    startUpdate: ({ name }, type, plan) => {
      const owner = required();
      const group = state.nodegroups.get(owner, name) as NodegroupRecord;
      const update: UpdateRecord = {
        ...SCOPE,
        id: `update-${state.updates.ids(owner.id, { nodegroupName: name }, { limit: 100 }).length + 1}`,
        clusterName: owner.name,
        clusterId: owner.id,
        nodegroupName: name,
        status: "InProgress",
        type,
        params: [],
        createdAtMs: clock.now(),
        errors: [],
        plan,
      };
      state.nodegroups.put({ ...group, status: "UPDATING" });
      state.updates.put(update);
      reconcilers.nudge("nodegroup", `${owner.id}/${name}`);
    },
    group: (name) => state.nodegroups.get(required(), name),
    instances: (group = "workers") => state.instances.ofNodegroup(required().id, group),
    spread: (group = "workers") => {
      const counts: Record<string, number> = {};
      for (const { zone, lifecycle } of world.instances(group)) {
        if (lifecycle === "InService") counts[zone] = (counts[zone] ?? 0) + 1;
      }
      return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
    },
    events: () =>
      state.events
        .read({})
        .map(({ atMs, type, subject, zone }) => `${atMs - START_MS} ${type} ${subject} ${zone ?? ""}`),
    stop: async () => {
      await reconcilers.stop();
      await injector.stop();
      await backend.close();
      clock.stop();
    },
  };
  return world;
}
