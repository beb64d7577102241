/**
 * The backend without Docker: each EKS cluster is a simulated Kubernetes in this process. What outlives the process (objects, keys, ports) is kept by the
 * caller; this adapter holds the running clusters and knows which machines exist.
 */
import type { Clock } from "../../clock/clock.js";
import { serverGitVersion } from "../../domain/catalogue/index.js";
import { AWS_AUTH } from "../../domain/eks/aws-auth.js";
import { admitsClient, VPC_CALLER, vpcCallerAddress } from "../../domain/eks/endpoint-access.js";
import type { Impairments } from "../../domain/impairments.js";
import { providerId } from "../../domain/node.js";
import type { KubeApi } from "../../kubernetes/api.js";
import { jwksOf, signingKey } from "../../kubernetes/auth/signing-key.js";
import type {
  ClusterOptions,
  NodePower,
  OutsideAnswer,
  OutsideRequest,
  SimulatedCluster,
} from "../../kubernetes/cluster.js";
import type { Persistence } from "../../kubernetes/persistence.js";
import type { AccessAttributes, AuthenticationResult } from "../../kubernetes/security.js";
import {
  BackendError,
  type ClusterBackend,
  type ClusterEndpoint,
  type ClusterSpec,
  type ConfigMapData,
  type EndpointAccess,
  type IssuerKey,
  type NodeSpec,
  type Observation,
} from "../backend.js";
import { asBackendError, changeConfigMap, configMapData, createMissing } from "./api-calls.js";
import { drainNode, patchNode } from "./drain.js";
import { listenOnStablePort } from "./endpoint-port.js";
import type { Fargate } from "./fargate/fargate.js";
import { type ClusterModules, loadClusterModules } from "./load.js";
import { eksLoadBalancers } from "./load-balancers.js";
import { nodeClaimAdmission } from "./node-claims.js";
import type { NodeMonitoring } from "./node-monitoring.js";
import { kubeletNodeSpec } from "./node-spec.js";
import { clusterObjects, observeDeployments } from "./objects.js";
import { nodeFacts, observeNodes, summarise } from "./observe.js";
import { listPods, watchPods } from "./pod-facts.js";
import { POD_IDENTITY_WEBHOOK, podIdentityAdmission } from "./pod-identity/admission.js";
import { outsideOfPods } from "./pod-identity/outside.js";
import { changeAuthorities } from "./tls/authorities.js";
import { clusterTls, issuerKeyName, type SecretStore, serviceAccountKey } from "./tls/cluster-tls.js";
import { upgradeFacts } from "./upgrade-facts.js";

/** IAM's side of a cluster's API server. */
export interface ClusterAccess {
  /** `undefined`: not an EKS token. `awsAuth` reads the data of the ConfigMap aws-auth. */
  authenticate(token: string, awsAuth: () => ConfigMapData | undefined): AuthenticationResult | undefined;
  /** `undefined`: no token of an OIDC provider that is associated with the cluster. */
  authenticateOidc?(token: string): Promise<AuthenticationResult> | undefined;
  /** Groups of whoever comes with this ARN. Absent: whoever comes is taken for a node. */
  groupsOf?(arn: string, awsAuth: () => ConfigMapData | undefined): readonly string[];
  authorize(attributes: AccessAttributes): { decision: "allow" | "deny" | "no-opinion"; reason: string };
}

export type { OutsideAnswer, OutsideRequest } from "../../kubernetes/cluster.js";
export type {
  BehaviourProgram,
  ContainerContext,
  ExecAnswer,
  HttpAnswer,
  ImageBehaviour,
  PodHttpRequest,
} from "../../kubernetes/image-behaviour.js";

export interface EmbeddedBackendOptions {
  clock: Clock;
  log: {
    debug(fields: Record<string, unknown>, message: string): void;
    warn(fields: Record<string, unknown>, message: string): void;
    error(fields: Record<string, unknown>, message: string): void;
  };
  /** Address that API servers listen on. */
  host: string;
  /** Where a cluster's objects are kept; undefined: in memory only. */
  persistenceFor(clusterId: string): Persistence | undefined;
  secrets: SecretStore;
  accessFor(clusterId: string): ClusterAccess;
  /** Whether a service account of the cluster has a pod identity association; none has one unless given. */
  hasPodIdentity?(clusterId: string, namespace: string, serviceAccount: string): boolean;
  /** Where AWS is for the SDKs of pods that have a role; undefined: where they think it is. */
  podEndpointUrl?: string | undefined;
  /** AWS, for the programs of containers; without it AWS says nothing to them. */
  aws?(request: OutsideRequest): Promise<OutsideAnswer>;
  /** How the containers of images behave in every cluster, by image name. */
  images?: ClusterOptions["images"];
}

/** Group of kubelets. */
const NODES = "system:nodes";

/** A running cluster. */
interface Held {
  spec: ClusterSpec;
  cluster: SimulatedCluster;
  fargate: Fargate;
  monitoring: NodeMonitoring;
  gate: { access: EndpointAccess | undefined };
  /** PEM of the key of service account tokens. */
  serviceAccountKey: () => Promise<string>;
  issuerKeys?: readonly IssuerKey[];
  /** As EKS's own components, for what they do to nodes and pods. */
  eks: KubeApi;
  endpoint: ClusterEndpoint;
  /** Machines that exist, by provider id. */
  machines: Map<string, "running" | "stopped">;
  /** Of nodes that have been told otherwise than running at least once. */
  power: Map<string, NodePower>;
  nodes: Map<string, NodeSpec>;
  listeners: Set<(observation: Observation) => void>;
  /** Set once somebody launches nodes for pods. */
  stopDemand?: () => void;
  /** Set once something has been wrong with it. */
  impair?: (impairments: Impairments) => Promise<void>;
}

/** Nodes that come back after a restart before others have their turn. */
const NODES_A_TURN = 100;

/** Field manager of what EKS itself writes. */
const EKS = "eks";

/** Secret that says that a cluster has been given its first objects: later they are the user's to change or delete. */
const FURNISHED = "eks-objects";

/** Secret that says what has been found wrong with nodes. */
const FINDINGS = "node-findings";

export function createEmbeddedBackend(options: EmbeddedBackendOptions): ClusterBackend {
  const { clock, log, host, secrets } = options;
  const clusters = new Map<string, Held>();

  const find = (clusterId: string): Held => {
    const held = clusters.get(clusterId);
    if (held) return held;
    throw new BackendError("missing", `the embedded backend holds no cluster ${clusterId}`);
  };

  /** Starts the cluster's processes; those of its nodes follow with addNode. */
  const open = async (spec: ClusterSpec, nodes: readonly NodeSpec[]): Promise<Held> => {
    const present = clusters.get(spec.clusterId);
    if (present) return present;
    const { createSimulatedCluster, createFargate, eksObjects, startNodeMonitoring } = await loadClusterModules();
    const machines = new Map<string, "running" | "stopped">();
    for (const node of nodes) machines.set(providerId(node.zone, node.instanceId), "running");
    const access = options.accessFor(spec.clusterId);
    const fargate = createFargate({
      spec,
      clock,
      log,
      machines,
      mayJoin: (roleArn) => access.groupsOf?.(roleArn, awsAuth).includes(NODES) ?? true,
    });
    const tls = clusterTls(secrets, clock, spec, host);
    const gate = { access: spec.endpointAccess };
    const tokenKey = serviceAccountKey(secrets, spec.clusterId);
    const expirations = clock.random(`pod-identity/${spec.clusterId}`);
    const awsAuth = (): ConfigMapData | undefined => configMapData(cluster.api, AWS_AUTH);
    const cluster = createSimulatedCluster({
      name: spec.name,
      clock,
      gitVersion: serverGitVersion(spec.version),
      serviceCidr: spec.serviceCidr,
      tls,
      serviceAccountKey: tokenKey,
      serviceAccountKeyName: issuerKeyName,
      serviceAccountIssuer: spec.oidcIssuer,
      members: spec.members,
      tokenAuthenticators: [
        { name: "aws-iam", authenticate: (token) => access.authenticate(token, awsAuth) },
        { name: "oidc", authenticate: (token) => access.authenticateOidc?.(token) },
      ],
      authorizers: [{ name: "eks-access-policies", authorize: (attributes) => access.authorize(attributes) }],
      servingSigners: ["beta.eks.amazonaws.com/app-serving"],
      admission: [fargate.admission],
      webhooks: [
        podIdentityAdmission({
          region: spec.region,
          ipv6: spec.serviceCidr.includes(":"),
          hasAssociation: (namespace, name) => options.hasPodIdentity?.(spec.clusterId, namespace, name) ?? false,
          integer: (min, max) => expirations.integer(min, max),
          endpointUrl: options.podEndpointUrl,
          isReached: () => cluster.webhookTroubleOf(...POD_IDENTITY_WEBHOOK) === undefined,
        }),
        nodeClaimAdmission,
      ],
      persistence: options.persistenceFor(spec.clusterId),
      allowClient: (address) => gate.access === undefined || admitsClient(gate.access, address),
      cloud: { state: (id) => machines.get(id) ?? "missing" },
      images: options.images,
      outside: outsideOfPods({ clock, api: () => cluster.api, aws: options.aws }),
      loadBalancers: eksLoadBalancers({ region: spec.region, api: () => cluster.api }),
      log,
    });
    try {
      // What waits for the machine comes first; from here to the last object nothing can come in between, neither a request nor a controller, unless the
      // cluster is large.
      const port = await listen(cluster, spec);
      await cluster.start();
      for (const [index, node] of nodes.entries()) {
        await cluster.addNode(kubeletNodeSpec(node, spec));
        // Clients of a large cluster are answered in between.
        if (index % NODES_A_TURN === NODES_A_TURN - 1) await new Promise<void>((resolve) => clock.defer(resolve));
      }
      await fargate.start(cluster);
      const held: Held = {
        spec,
        cluster,
        fargate,
        monitoring: startNodeMonitoring({
          cluster,
          clock,
          note: {
            get: () => secrets.get(spec.clusterId, FINDINGS),
            put: (text) => secrets.put(spec.clusterId, FINDINGS, text),
          },
        }),
        gate,
        serviceAccountKey: tokenKey,
        eks: cluster.api.as({ username: "eks:node-manager", groups: ["system:authenticated"] }, EKS),
        endpoint: { endpoint: urlOf(host, port), port, certificateAuthority: tls.caCert },
        machines,
        power: new Map(),
        nodes: new Map(nodes.map((node) => [node.name, node])),
        listeners: new Set(),
      };
      await furnish(held, eksObjects);
      clusters.set(spec.clusterId, held);
      return held;
    } catch (error) {
      await shut({ cluster, fargate });
      throw error;
    }
  };

  const shut = async ({
    cluster,
    fargate,
    monitoring,
  }: Pick<Held, "cluster" | "fargate"> & Partial<Pick<Held, "monitoring">>): Promise<void> => {
    fargate.stop();
    monitoring?.stop();
    await cluster.close();
  };

  /** The port of before if it is still free: kubeconfigs carry it. */
  const listen = async (cluster: SimulatedCluster, spec: ClusterSpec): Promise<number> => {
    const anyPort = (): Promise<number> => listenOnStablePort((port) => cluster.listen({ host, port }));
    if (spec.port === 0) return anyPort();
    try {
      return await cluster.listen({ host, port: spec.port });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      log.warn(
        { cluster: spec.name, port: spec.port },
        "another program has taken the cluster's port; it gets a new one, and kubeconfigs have to be written again",
      );
      return anyPort();
    }
  };

  const furnish = async (
    { spec, cluster, endpoint }: Held,
    eksObjects: ClusterModules["eksObjects"],
  ): Promise<void> => {
    if (secrets.get(spec.clusterId, FURNISHED) !== undefined) return;
    const api = cluster.api.as({ username: "eks:cluster-bootstrap", groups: ["system:masters"] }, EKS);
    await createMissing(api, eksObjects(spec, endpoint.endpoint), EKS);
    // The objects are written to disk at the end of this tick; only then is it true that the cluster has them.
    await new Promise<void>((resolve) => clock.defer(resolve));
    secrets.put(spec.clusterId, FURNISHED, "created");
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

    prepare: async () => void (await loadClusterModules()),

    createCluster: async (spec) => (await open(spec, [])).endpoint,

    // Objects are kept by the caller: whatever it knows of the cluster is there again.
    adoptCluster: async (spec, nodes) => ({ ...(await open(spec, nodes)).endpoint, missingNodes: [] }),

    deleteCluster: async (clusterId) => {
      const held = clusters.get(clusterId);
      clusters.delete(clusterId);
      if (held) await shut(held);
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
      const held = [...clusters.values()];
      clusters.clear();
      await Promise.all(held.map(shut));
    },
  };
}

/** A wildcard address is reached by the loopback one. */
function urlOf(host: string, port: number): string {
  const name = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "[::1]" : host.includes(":") ? `[${host}]` : host;
  return `https://${name}:${port}`;
}
