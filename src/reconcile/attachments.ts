/**
 * Clusters that this process has in hand. Attaching makes a cluster in its backend or takes over one that an earlier process made, puts down where it
 * answers, and from then on writes what is seen of its nodes and masters into the state.
 */
import { BackendError, type ClusterBackend, type ClusterSpec, type Observation } from "../backends/backend.js";
import type { ClusterRecord, InstanceRecord } from "../domain/model.js";
import { observeDeployment } from "./addon.js";
import { recordFirstAuthority } from "./certificate-authorities.js";
import { scheduleAllOf } from "./cluster.js";
import type { ReconcileContext } from "./context.js";
import { fargateSpec } from "./fargate-profile.js";
import { observeNode } from "./instance.js";
import { observeMachine } from "./machine.js";
import { observeMember } from "./members.js";
import { clusterSpec, instanceSpec } from "./specs.js";

export interface Attachments {
  has(clusterId: string): boolean;
  attach(context: ReconcileContext, cluster: ClusterRecord, how: "create" | "adopt"): Promise<void>;
  detach(clusterId: string): void;
  detachAll(): void;
}

/** Instances whose kubelet has been started and not been stopped for good: one that EC2 has stopped may be started again. */
const hasNode = ({ state, lifecycle, unjoined }: InstanceRecord): boolean =>
  (state === "running" || state === "stopping" || state === "stopped") &&
  !unjoined &&
  lifecycle !== "Terminated" &&
  lifecycle !== "Warmed";

export function createAttachments(options: {
  /** Called once a cluster is in hand, before it is looked at further: faults that are on are brought into effect. */
  onAttached: (cluster: ClusterRecord) => Promise<void>;
}): Attachments {
  const stops = new Map<string, () => void>();

  const attach = async (context: ReconcileContext, cluster: ClusterRecord, how: "create" | "adopt"): Promise<void> => {
    const { state } = context;
    const backend = context.backendOf(cluster);
    const spec: ClusterSpec = {
      ...clusterSpec(cluster, state.members.list(cluster.id)),
      fargate: fargateSpec(context, cluster),
    };
    const endpoint =
      how === "create" ? await backend.createCluster(spec) : await adopt(context, backend, cluster, () => spec);
    state.transaction(() => {
      const present = state.clusters.byId(cluster.id);
      if (!present) return;
      state.clusters.put({
        ...present,
        endpoint: endpoint.endpoint,
        port: endpoint.port,
        certificateAuthorityPem: endpoint.certificateAuthority,
        ...recordFirstAuthority(context, present, endpoint.certificateAuthority),
      });
      for (const member of state.members.list(cluster.id)) {
        if (member.status === "CREATING") state.members.put({ ...member, status: "READY" });
      }
    });
    stops.set(cluster.id, observe(context, backend, cluster));
    await options.onAttached(cluster);
    scheduleAllOf(context, cluster.id);
  };

  /** Observations arrive inside the backend's own work: they are put down together, a moment later. */
  const observe = (context: ReconcileContext, backend: ClusterBackend, cluster: ClusterRecord): (() => void) => {
    let waiting: Observation[] = [];
    const putDown = (): void => {
      const seen = waiting;
      waiting = [];
      if (!stops.has(cluster.id)) return;
      context.state.transaction(() => {
        for (const observation of seen) {
          if (observation.kind === "node") observeNode(context, cluster, observation);
          else if (observation.kind === "deployment") observeDeployment(context, cluster, observation);
          else if (observation.kind === "machine") observeMachine(context, cluster, observation);
          else if (observation.kind === "member") observeMember(context, cluster, observation);
        }
        if (seen.some(({ kind }) => kind === "demand")) context.schedule("autopool", cluster.id);
      });
    };
    return backend.observe(cluster.id, (observation) => {
      waiting.push(observation);
      if (waiting.length === 1) context.clock.defer(putDown);
    });
  };

  const detach = (clusterId: string): void => {
    stops.get(clusterId)?.();
    stops.delete(clusterId);
  };
  return {
    has: (clusterId) => stops.has(clusterId),
    attach,
    detach,
    detachAll: () => {
      for (const clusterId of [...stops.keys()]) detach(clusterId);
    },
  };
}

async function adopt(
  context: ReconcileContext,
  backend: ClusterBackend,
  cluster: ClusterRecord,
  spec: () => ClusterSpec,
): ReturnType<ClusterBackend["createCluster"]> {
  const { state, log } = context;
  const instances = state.instances.ofCluster(cluster.id).filter(hasNode);
  const nodes = instances.flatMap((instance) => {
    const spec = instanceSpec(instance, state.nodegroups.get(cluster, instance.nodegroupName));
    return spec ? [spec] : [];
  });
  try {
    const { missingNodes, ...endpoint } = await backend.adoptCluster(spec(), nodes);
    // A machine that is gone is an instance that has failed: its name must not be given to another one, which would take its pods over.
    state.transaction(() => {
      for (const nodeName of missingNodes) observeMachine(context, cluster, { nodeName, state: "off" });
    });
    return endpoint;
  } catch (error) {
    if (!(error instanceof BackendError && error.code === "missing")) throw error;
    log.warn({ cluster: cluster.name }, "the cluster is no longer there; it is made anew");
    const endpoint = await backend.createCluster(spec());
    rejoin(
      context,
      instances,
      nodes.map(({ name }) => name),
    );
    return endpoint;
  }
}

/** Nodes that are gone are joined again by their instances. */
function rejoin({ state }: ReconcileContext, instances: readonly InstanceRecord[], missing: readonly string[]): void {
  state.transaction(() => {
    for (const instance of instances) {
      if (!missing.includes(instance.privateDnsName) || instance.lifecycle === "Terminating") continue;
      state.instances.put({ ...instance, lifecycle: "Pending", state: "pending", nodeReady: false });
    }
  });
}
