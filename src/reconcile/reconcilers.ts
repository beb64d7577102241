/**
 * Carries out what the rows of the state ask for, by commanding the backends. Level-triggered: each turn reads what is and takes the next step, so it
 * does not matter how it came about or how often a turn is repeated; nothing important lives in memory only.
 */
import { BackendError, type ClusterBackend } from "../backends/backend.js";
import type { Clock } from "../clock/clock.js";
import type { ClusterRecord } from "../domain/model.js";
import type { Profile } from "../domain/profile.js";
import type { State } from "../state/state.js";
import { reconcileAddon } from "./addon.js";
import { createAttachments } from "./attachments.js";
import { reconcileAutopool } from "./autopool.js";
import { reconcileCapability } from "./capability.js";
import { reconcileAuthorities } from "./certificate-authorities.js";
import { reconcileCluster, scheduleAllOf } from "./cluster.js";
import type { ReconcileContext, ReconcileLog, WorkKind } from "./context.js";
import { reconcileFargateProfile } from "./fargate-profile.js";
import { reconcileInsights } from "./insights.js";
import { reconcileInstance } from "./instance.js";
import { createLoop } from "./loop.js";
import { reconcileMembers } from "./members.js";
import { reconcileNodegroup } from "./nodegroup.js";
import { reconcilePatching } from "./patching.js";
import { reconcileRegistration } from "./registration.js";
import { reconcileSubscription } from "./subscription.js";
import { reconcileZonalShift } from "./zonal-shift.js";

export interface ReconcilersOptions {
  state: State;
  clock: Clock;
  /** By name, as in ClusterRecord.backend. */
  backends: ReadonlyMap<string, ClusterBackend>;
  profile: Profile;
  log: ReconcileLog;
  /** IAM's unique id of a principal, as far as it is known. */
  principalIdOf?: (arn: string) => string | undefined;
  /** Called when a cluster has been created or adopted: brings faults that are on into effect there. */
  onAttached?: (cluster: ClusterRecord) => Promise<void>;
  /** Called when a machine or a master has been added to a cluster. */
  onNewcomer?: (clusterId: string, name: string) => Promise<void>;
}

export interface Reconcilers {
  /** Takes up whatever an earlier process left half done, adopts its clusters, and goes on from there. */
  start(): void;
  /** Owes the key a look, now. */
  nudge(kind: string, key: string): void;
  /** Owes everything of a cluster a look, now: its surroundings have changed. */
  nudgeAll(clusterId: string): void;
  /** Resolves when nothing is left to do at the present time. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

type Handler = (context: ReconcileContext, key: string, attempt: number) => Promise<void>;

const HANDLERS: Readonly<Record<WorkKind, Handler>> = {
  cluster: reconcileCluster,
  members: reconcileMembers,
  nodegroup: reconcileNodegroup,
  addon: reconcileAddon,
  instance: reconcileInstance,
  "fargate-profile": reconcileFargateProfile,
  capability: reconcileCapability,
  authorities: reconcileAuthorities,
  insights: reconcileInsights,
  registration: reconcileRegistration,
  subscription: reconcileSubscription,
  patching: reconcilePatching,
  autopool: reconcileAutopool,
  "zonal-shift": reconcileZonalShift,
};

/** The cluster a key belongs to: one cluster's work runs in order. */
const LANES: Readonly<Record<WorkKind, (state: State, key: string) => string>> = {
  cluster: (_, key) => key,
  members: (_, key) => key,
  nodegroup: (_, key) => key.slice(0, key.indexOf("/")),
  addon: (_, key) => key.slice(0, key.indexOf("/")),
  "fargate-profile": (_, key) => key.slice(0, key.indexOf("/")),
  capability: (_, key) => key.slice(0, key.indexOf("/")),
  instance: (state, key) => state.instances.get(key)?.clusterId ?? key,
  authorities: (_, key) => key,
  insights: (_, key) => key,
  registration: (_, key) => key,
  subscription: (_, key) => key,
  patching: (_, key) => key,
  autopool: (_, key) => key,
  "zonal-shift": (_, key) => key,
};

const isKind = (kind: string): kind is WorkKind => kind in HANDLERS;

export function createReconcilers(options: ReconcilersOptions): Reconcilers {
  const { state, clock, profile, log, backends } = options;
  const attachments = createAttachments({ onAttached: options.onAttached ?? (() => Promise.resolve()) });
  const loop = createLoop({
    work: state.work,
    clock,
    log,
    laneOf: (kind, key) => (isKind(kind) ? LANES[kind](state, key) : kind),
    run: async (kind, key, attempt) => {
      if (!isKind(kind)) throw new Error(`no reconciler for work of kind ${kind}`);
      await HANDLERS[kind](context, key, attempt);
    },
  });
  const context: ReconcileContext = {
    state,
    clock,
    profile,
    log,
    principalIdOf: options.principalIdOf,
    backendOf: (cluster) => {
      const backend = backends.get(cluster.backend);
      if (backend) return backend;
      throw new BackendError(
        "unavailable",
        `cluster ${cluster.name} runs on the backend ${cluster.backend}, which this eksim was not started with`,
      );
    },
    isAttached: attachments.has,
    attach: (cluster, how) => attachments.attach(context, cluster, how),
    detach: attachments.detach,
    onNewcomer: options.onNewcomer,
    schedule: (kind, key, dueMs) => {
      state.work.schedule(kind, key, dueMs ?? clock.now());
      loop.kick();
    },
  };
  return {
    start: () => {
      for (const cluster of state.clusters.all()) context.schedule("cluster", cluster.id);
      loop.start();
    },
    nudge: (kind, key) => {
      state.work.schedule(kind, key, clock.now());
      loop.kick();
    },
    nudgeAll: (clusterId) => scheduleAllOf(context, clusterId),
    idle: loop.idle,
    stop: async () => {
      await loop.stop();
      attachments.detachAll();
    },
  };
}
