/** Fargate of one cluster: which pods are its own, and the scheduler that runs them. Nothing watches the cluster before there is a profile. */
import type { Clock } from "../../../clock/clock.js";
import { PROFILE_LABEL } from "../../../domain/fargate.js";
import type { AdmissionPlugin } from "../../../kubernetes/admission/plugin.js";
import type { ClusterLog, NodePower, SimulatedCluster } from "../../../kubernetes/cluster.js";
import { keyOf } from "../../../kubernetes/object.js";
import type { Node, Pod } from "../../../kubernetes/schema/generated/types.js";
import type { ClusterSpec, FargateSpec } from "../../backend.js";
import { fargateAdmission } from "./admission.js";
import {
  type FargateScheduler,
  type FargateSettings,
  isFargatePod,
  isMachine,
  startFargateScheduler,
} from "./scheduler.js";

export interface Fargate {
  admission: AdmissionPlugin;
  start(cluster: SimulatedCluster): Promise<void>;
  stop(): void;
  /** As ClusterBackend.setFargate. */
  set(fargate: FargateSpec): Promise<string[]>;
  /** As ClusterBackend.setZonePower. */
  setZonePower(zone: string, power: "running" | "off"): void;
  /** Power of one of its machines; false: it has none of that name. */
  setNodePower(name: string, power: NodePower): boolean;
  /** Minor version of new machines. */
  setVersion(version: string): void;
}

/** `machines` = what the cloud says of machines, by provider id; Fargate puts its own in. `mayJoin`: a kubelet under this role is taken for a node. */
export function createFargate(options: {
  spec: ClusterSpec;
  clock: Clock;
  log: ClusterLog;
  machines: Map<string, "running" | "stopped">;
  mayJoin: (roleArn: string) => boolean;
}): Fargate {
  const { spec } = options;
  const dark = new Set<string>();
  const settings: FargateSettings = { profiles: [], launchMs: 0, ...spec.fargate, version: spec.version, dark };
  let cluster: SimulatedCluster | undefined;
  let scheduler: FargateScheduler | undefined;

  const begin = async (): Promise<void> => {
    if (scheduler || !cluster) return;
    // After a restart, what the last profile left behind still has to go.
    if (settings.profiles.length === 0 && !cluster.api.list<Node>("nodes").some(isMachine)) return;
    scheduler = await startFargateScheduler({ ...options, cluster, settings });
  };

  const orphans = (api: SimulatedCluster["api"]): Pod[] => {
    const names = settings.profiles.map(({ name }) => name);
    const isOrphan = (pod: Pod): boolean =>
      isFargatePod(pod) && !names.includes(pod.metadata.labels?.[PROFILE_LABEL] ?? "");
    return api.list<Pod>("pods").filter(isOrphan);
  };

  return {
    admission: fargateAdmission(() => settings.profiles),
    start: async (started) => {
      cluster = started;
      await begin();
    },
    stop: () => scheduler?.stop(),
    set: async (fargate) => {
      Object.assign(settings, fargate);
      await begin();
      scheduler?.retryAll();
      if (!cluster) return [];
      const { api } = cluster;
      for (const pod of orphans(api)) {
        const { namespace, name, uid, deletionTimestamp } = pod.metadata;
        if (deletionTimestamp === undefined) await api.delete("pods", { namespace, name }, { preconditions: { uid } });
      }
      return orphans(api).map(keyOf);
    },
    setZonePower: (zone, power) => {
      if (power === "off") dark.add(zone);
      else dark.delete(zone);
      scheduler?.setPower(zone, power);
    },
    setNodePower: (name, power) => {
      const node = cluster?.api.list<Node>("nodes").find((each) => each.metadata.name === name && isMachine(each));
      const id = node?.spec?.providerID ?? "";
      if (!cluster || !options.machines.has(id)) return false;
      options.machines.set(id, power === "stopped" ? "stopped" : "running");
      cluster.setNodePower(name, power);
      return true;
    },
    setVersion: (version) => {
      settings.version = version;
    },
  };
}
