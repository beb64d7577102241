/** The catalogue of faults: what each does to a cluster and how that is undone. Adding a fault is adding an entry here and its name in domain/faults. */
import { BackendError, type ClusterBackend } from "../backends/backend.js";
import type { Clock } from "../clock/clock.js";
import type { ClusterRecord, FaultRecord, InstanceRecord } from "../domain/model.js";
import type { State } from "../state/state.js";

export type FaultKind = "zone-power-loss" | "insufficient-capacity" | "instance-termination";

export interface FaultContext {
  state: State;
  clock: Clock;
  backendOf(cluster: ClusterRecord): ClusterBackend | undefined;
}

type Act = (context: FaultContext, fault: FaultRecord, cluster: ClusterRecord) => Promise<void>;

interface Telling {
  type: string;
  message(fault: FaultRecord): string;
}

export interface FaultDefinition {
  /** Whether it is on until it is ended; otherwise it happens once. */
  lasts: boolean;
  started: Telling;
  ended?: Telling;
  /** Both leave what is already so as it is: they may be repeated. */
  act: Act;
  undo?: Act;
}

const whose = (fault: FaultRecord): string => (fault.clusterName ? ` for cluster ${fault.clusterName}` : "");

function typesOf({ parameters: { instanceTypes } }: FaultRecord): string {
  return Array.isArray(instanceTypes) && instanceTypes.length > 0 ? instanceTypes.join(", ") : "any instance type";
}

export const FAULTS: Readonly<Record<FaultKind, FaultDefinition>> = {
  "zone-power-loss": {
    lasts: true,
    started: { type: "ZoneFailed", message: (fault) => `Zone ${fault.zone} has lost power${whose(fault)}.` },
    ended: { type: "ZoneRestored", message: (fault) => `Zone ${fault.zone} has power again${whose(fault)}.` },
    act: async (context, fault, cluster) => {
      for (const instance of inZone(context, fault, cluster)) {
        if (instance.unhealthySinceMs === undefined) {
          context.state.instances.put({ ...instance, unhealthySinceMs: context.clock.now() });
        }
        if (instance.state === "running") await setPower(context, cluster, instance, "stopped");
      }
      await setMembers(context, fault, cluster, "down");
      await setZonePower(context, fault, cluster, "stopped");
    },
    undo: async (context, fault, cluster) => {
      await setMembers(context, fault, cluster, "up");
      await setZonePower(context, fault, cluster, "running");
      for (const instance of inZone(context, fault, cluster)) {
        if (instance.unhealthySinceMs === undefined || instance.lifecycle === "Terminating") continue;
        const { unhealthySinceMs: _, ...healthy } = instance;
        const statusCheck = instance.lifecycle === "InService" ? "ok" : "initializing";
        context.state.instances.put({ ...healthy, statusCheck });
        if (instance.state === "running") await setPower(context, cluster, instance, "running");
      }
    },
  },
  // Nothing is broken: whoever launches instances finds that it cannot.
  "insufficient-capacity": {
    lasts: true,
    started: {
      type: "CapacityExhausted",
      message: (fault) => `EC2 has no more capacity for ${typesOf(fault)} in ${fault.zone}${whose(fault)}.`,
    },
    ended: {
      type: "CapacityRestored",
      message: (fault) => `EC2 has capacity for ${typesOf(fault)} in ${fault.zone} again${whose(fault)}.`,
    },
    act: () => Promise.resolve(),
  },
  "instance-termination": {
    lasts: false,
    started: {
      type: "InstanceKilled",
      message: (fault) => `Instance ${fault.parameters.instanceId} was terminated from outside.`,
    },
    act: async (context, fault, cluster) => {
      const { state, clock } = context;
      const instance = state.instances.get(String(fault.parameters.instanceId));
      if (!instance || instance.lifecycle === "Terminated" || instance.clusterId !== cluster.id) return;
      state.instances.put({
        ...instance,
        lifecycle: "Terminating",
        state: "shutting-down",
        terminationReason: "killed",
        unhealthySinceMs: instance.unhealthySinceMs ?? clock.now(),
        terminatedAtMs: clock.now(),
      });
      await ignoringMissing(
        context.backendOf(cluster)?.removeNode(cluster.id, instance.privateDnsName, { graceful: false }),
      );
    },
  },
};

function inZone({ state }: FaultContext, fault: FaultRecord, cluster: ClusterRecord): InstanceRecord[] {
  return state.instances.ofCluster(cluster.id).filter(({ zone }) => zone === fault.zone);
}

async function setPower(
  context: FaultContext,
  cluster: ClusterRecord,
  instance: InstanceRecord,
  power: "running" | "stopped",
): Promise<void> {
  await ignoringMissing(context.backendOf(cluster)?.setNodePower(cluster.id, instance.privateDnsName, power));
}

/** Of what no instance stands for. */
async function setZonePower(
  context: FaultContext,
  fault: FaultRecord,
  cluster: ClusterRecord,
  power: "running" | "stopped",
): Promise<void> {
  if (fault.zone) {
    await ignoringMissing(context.backendOf(cluster)?.setZonePower?.(cluster.id, fault.zone, power));
  }
}

async function setMembers(
  context: FaultContext,
  fault: FaultRecord,
  cluster: ClusterRecord,
  state: "up" | "down",
): Promise<void> {
  for (const member of context.state.members.list(cluster.id)) {
    if (member.zone !== fault.zone) continue;
    await ignoringMissing(context.backendOf(cluster)?.setMember(cluster.id, member.id, state));
  }
}

/** A machine that is not there any more cannot be broken or mended. */
async function ignoringMissing(work: Promise<void> | undefined): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof BackendError && error.code === "missing")) throw error;
  }
}
