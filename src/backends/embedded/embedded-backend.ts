/**
 * The backend without Docker: each EKS cluster is a simulated Kubernetes in this process. What outlives the process (objects, keys, ports) is kept by the
 * caller; this adapter holds the running clusters and knows which machines exist.
 */
import { serverGitVersion } from "../../domain/catalogue/index.js";
import { AWS_AUTH } from "../../domain/eks/aws-auth.js";
import { VPC_CALLER, vpcCallerAddress } from "../../domain/eks/endpoint-access.js";
import { providerId } from "../../domain/node.js";
import { jwksOf, signingKey } from "../../kubernetes/auth/signing-key.js";
import { BackendError, type ClusterBackend, type ClusterSpec, type NodeSpec, type Observation } from "../backend.js";
import { asBackendError, changeConfigMap, configMapData } from "./api-calls.js";
import { drainNode, patchNode } from "./drain.js";
import { loadClusterModules } from "./load.js";
import { kubeletNodeSpec } from "./node-spec.js";
import { clusterObjects, observeDeployments } from "./objects.js";
import { nodeFacts, observeNodes, summarise } from "./observe.js";
import { closeCluster, EKS, type EmbeddedBackendOptions, type Held, openCluster } from "./open-cluster.js";
import { listPods, watchPods } from "./pod-facts.js";
import { changeAuthorities } from "./tls/authorities.js";
import { clusterTls, issuerKeyName } from "./tls/cluster-tls.js";
import { upgradeFacts } from "./upgrade-facts.js";

export type { OutsideAnswer, OutsideRequest } from "../../kubernetes/cluster.js";
export type {
  BehaviourProgram,
  ContainerContext,
  ExecAnswer,
  HttpAnswer,
  ImageBehaviour,
  PodHttpRequest,
} from "../../kubernetes/image-behaviour.js";
export type { ClusterAccess, EmbeddedBackendOptions } from "./open-cluster.js";

export function createEmbeddedBackend(options: EmbeddedBackendOptions): ClusterBackend {
  const { clock, host, secrets } = options;
  const clusters = new Map<string, Held>();
  /** Until the first cluster comes, or the end. */
  let mayRehearse = true;

  const find = (clusterId: string): Held => {
    const held = clusters.get(clusterId);
    if (held) return held;
    throw new BackendError("missing", `the embedded backend holds no cluster ${clusterId}`);
  };

  const open = async (spec: ClusterSpec, nodes: readonly NodeSpec[]): Promise<Held> => {
    const present = clusters.get(spec.clusterId);
    if (present) return present;
    mayRehearse = false;
    const held = await openCluster(options, spec, nodes);
    clusters.set(spec.clusterId, held);
    return held;
  };

  const tell = (held: Held, observation: Observation): void => {
    for (const listener of held.listeners) listener(observation);
  };

  const setMember = (held: Held, memberId: string, state: "up" | "down"): void => {
    const member = held.cluster.members().find(({ id }) => id === memberId);
    if (!member) throw new BackendError("missing", `cluster ${held.spec.name} has no master ${memberId}`);
    held.cluster.setMember(memberId, state);
    tell(held, { kind: "member", memberId, state });
  };

  return {
    name: "embedded",

    prepare: async () => {
      const [{ rehearse }] = await Promise.all([import("./rehearsal.js"), loadClusterModules()]);
      if (mayRehearse) await rehearse();
    },

    createCluster: async (spec) => (await open(spec, [])).endpoint,

    // Objects are kept by the caller: whatever it knows of the cluster is there again.
    adoptCluster: async (spec, nodes) => ({ ...(await open(spec, nodes)).endpoint, missingNodes: [] }),

    deleteCluster: async (clusterId) => {
      const held = clusters.get(clusterId);
      clusters.delete(clusterId);
      if (held) await closeCluster(held);
    },

    addNode: async (clusterId, node) => {
      const held = find(clusterId);
      if (held.nodes.has(node.name)) return;
      held.machines.set(providerId(node.zone, node.instanceId), "running");
      await asBackendError(() => held.cluster.addNode(kubeletNodeSpec(node, held.spec)));
      held.nodes.set(node.name, node);
    },

    removeNode: async (clusterId, nodeName, how) => {
      const held = find(clusterId);
      const node = held.nodes.get(nodeName);
      if (!node) return;
      held.machines.delete(providerId(node.zone, node.instanceId));
      held.nodes.delete(nodeName);
      held.power.delete(nodeName);
      await asBackendError(() => held.cluster.removeNode(nodeName, how));
    },

    drainNode: async (clusterId, nodeName) => {
      const { eks } = find(clusterId);
      return asBackendError(() => drainNode(eks, nodeName));
    },

    patchNode: async (clusterId, nodeName, patch) => {
      const { eks } = find(clusterId);
      await asBackendError(() => patchNode(eks, nodeName, patch));
    },

    changeConfigMap: async (clusterId, key, change) => {
      const { eks } = find(clusterId);
      await asBackendError(() => changeConfigMap(eks, key, change));
    },

    accessJudge: (clusterId) => {
      const { cluster } = find(clusterId);
      return {
        judge: ({ user, resource, ...question }) =>
          cluster.judge({ ...question, user, ...(resource ? { resource: { version: "*", ...resource } } : {}) }),
        resourceNamed: cluster.resourceNamed,
      };
    },

    awsAuth: (clusterId) => {
      const held = clusters.get(clusterId);
      return held && configMapData(held.cluster.api, AWS_AUTH);
    },

    setNodePower: async (clusterId, nodeName, power) => {
      const held = find(clusterId);
      const node = held.nodes.get(nodeName);
      if (!node) {
        if (held.fargate.setNodePower(nodeName, power)) return;
        throw new BackendError("missing", `there is no node ${nodeName}`);
      }
      // The cloud knows what EC2 has stopped, neither what has lost its power nor what is silent.
      held.machines.set(providerId(node.zone, node.instanceId), power === "stopped" ? "stopped" : "running");
      held.power.set(nodeName, power);
      held.cluster.setNodePower(nodeName, power);
    },

    rebootNode: async (clusterId, nodeName) => {
      const held = find(clusterId);
      if (!held.nodes.has(nodeName)) throw new BackendError("missing", `there is no node ${nodeName}`);
      const power = held.power.get(nodeName) ?? "running";
      if (power === "stopped" || power === "off") return;
      held.cluster.setNodePower(nodeName, "stopped");
      held.cluster.setNodePower(nodeName, power);
    },

    nodes: async (clusterId) => nodeFacts(find(clusterId).cluster.api),

    setShiftedZones: async (clusterId, zones) => find(clusterId).cluster.setWithdrawnZones(zones),

    setMember: async (clusterId, memberId, state) => setMember(find(clusterId), memberId, state),

    replaceMember: async (clusterId, lostId, member) => {
      const held = find(clusterId);
      const kept = held.cluster.members().filter(({ id }) => id !== lostId && id !== member.id);
      held.cluster.replaceMembers([...kept, member]);
      tell(held, { kind: "member", memberId: member.id, state: "up" });
    },

    setMemberAddresses: async (clusterId, addresses) => {
      const { cluster } = find(clusterId);
      cluster.replaceMembers(cluster.members().map((member) => ({ ...member, address: addresses[member.id] })));
    },

    upgradeControlPlane: async (clusterId, version) => {
      const { cluster, fargate } = find(clusterId);
      cluster.setVersion(serverGitVersion(version));
      fargate.setVersion(version);
    },

    setEndpointAccess: async (clusterId, access) => {
      const held = find(clusterId);
      held.gate.access = access;
      held.cluster.recheckClients();
    },

    acceptFromVpc: (clusterId, socket) => {
      const { cluster, gate } = find(clusterId);
      cluster.accept(socket, gate.access ? vpcCallerAddress(gate.access) : VPC_CALLER);
    },

    setFargate: async (clusterId, spec) => {
      const { fargate } = find(clusterId);
      return { remainingPods: await asBackendError(() => fargate.set(spec)) };
    },

    setZonePower: async (clusterId, zone, power) => find(clusterId).fargate.setZonePower(zone, power),

    impair: async (clusterId, impairments) => {
      const held = find(clusterId);
      const { createImpairer } = await import("./impair/impair.js");
      held.impair ??= createImpairer({ cluster: held.cluster, clock, spec: held.spec, monitoring: held.monitoring });
      await held.impair(impairments);
    },

    observe: (clusterId, listener) => {
      const held = find(clusterId);
      held.listeners.add(listener);
      for (const { id, state } of held.cluster.members()) listener({ kind: "member", memberId: id, state });
      const stops = [observeNodes(held.cluster.api, listener), observeDeployments(held.cluster.api, EKS, listener)];
      return () => {
        held.listeners.delete(listener);
        for (const stop of stops) stop();
      };
    },

    pods: async (clusterId) => listPods(find(clusterId).cluster.api),

    endPods: async (clusterId, pods, how) => {
      const { cluster } = find(clusterId);
      const { endPods } = await import("./impair/pods.js");
      await asBackendError(() => endPods(cluster, pods, how));
    },

    watchPods: (clusterId, listener) => watchPods(find(clusterId).cluster.api, listener),

    objects: clusterObjects((clusterId, manager) =>
      find(clusterId).cluster.api.as({ username: "eks:addon-manager", groups: ["system:masters"] }, manager),
    ),

    summary: async (clusterId) => {
      const { cluster } = find(clusterId);
      return summarise(cluster.api, cluster.members());
    },

    setAuthorities: async (clusterId, wanted) => {
      const held = find(clusterId);
      const { trusted } = changeAuthorities(secrets, clock, clusterId, wanted);
      const tls = clusterTls(secrets, clock, held.spec, host);
      await asBackendError(() => held.cluster.setTls(tls));
      held.endpoint = { ...held.endpoint, certificateAuthority: tls.caCert };
      return {
        bundle: tls.caCert,
        certificates: Object.fromEntries(trusted.map(({ id, certificate }) => [id, certificate])),
      };
    },

    issuerKeys: async (clusterId) => {
      const held = find(clusterId);
      held.issuerKeys ??= jwksOf([signingKey(await held.serviceAccountKey(), issuerKeyName)]).keys;
      return held.issuerKeys;
    },

    nodeDemand: async (clusterId) => {
      const held = find(clusterId);
      const { nodeDemand, watchNodeDemand } = await import("./node-demand.js");
      held.stopDemand ??= watchNodeDemand(held.cluster.api, () => tell(held, { kind: "demand" }));
      return nodeDemand(held.cluster.api, clock.now());
    },

    nodeLoads: async (clusterId) => (await import("./node-loads.js")).nodeLoads(find(clusterId).cluster.api),

    upgradeFacts: async (clusterId) => upgradeFacts(find(clusterId).cluster),

    inventory: async () => [...clusters.keys()],

    close: async () => {
      mayRehearse = false;
      const held = [...clusters.values()];
      clusters.clear();
      await Promise.all(held.map(closeCluster));
    },
  };
}
