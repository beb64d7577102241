/** Opening a cluster of the embedded backend: its control plane with IAM's side of it, the objects that EKS puts into every cluster, and its nodes. */
import type { Clock } from "../../clock/clock.js";
import { serverGitVersion } from "../../domain/catalogue/index.js";
import { AWS_AUTH } from "../../domain/eks/aws-auth.js";
import { admitsClient } from "../../domain/eks/endpoint-access.js";
import type { PortRange } from "../../domain/endpoint-ports.js";
import type { Impairments } from "../../domain/impairments.js";
import { hostInUrl } from "../../domain/listening-address.js";
import { providerId } from "../../domain/node.js";
import type { KubeApi } from "../../kubernetes/api.js";
import type {
  ClusterOptions,
  NodePower,
  OutsideAnswer,
  OutsideRequest,
  SimulatedCluster,
} from "../../kubernetes/cluster.js";
import type { Persistence } from "../../kubernetes/persistence.js";
import type { AccessAttributes, AuthenticationResult } from "../../kubernetes/security.js";
import type {
  ClusterEndpoint,
  ClusterSpec,
  ConfigMapData,
  EndpointAccess,
  IssuerKey,
  NodeSpec,
  Observation,
} from "../backend.js";
import { configMapData, createMissing } from "./api-calls.js";
import { listenOnStablePort } from "./endpoint-port.js";
import type { Fargate } from "./fargate/fargate.js";
import { type ClusterModules, loadClusterModules } from "./load.js";
import { eksLoadBalancers } from "./load-balancers.js";
import { nodeClaimAdmission } from "./node-claims.js";
import type { NodeMonitoring } from "./node-monitoring.js";
import { kubeletNodeSpec } from "./node-spec.js";
import { POD_IDENTITY_WEBHOOK, podIdentityAdmission } from "./pod-identity/admission.js";
import { outsideOfPods } from "./pod-identity/outside.js";
import { clusterTls, issuerKeyName, type SecretStore, serviceAccountKey } from "./tls/cluster-tls.js";

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

export interface EmbeddedBackendOptions {
  clock: Clock;
  log: {
    debug(fields: Record<string, unknown>, message: string): void;
    warn(fields: Record<string, unknown>, message: string): void;
    error(fields: Record<string, unknown>, message: string): void;
  };
  /** Address that API servers listen on. */
  host: string;
  /** The usual ones when absent. */
  endpointPorts?: PortRange;
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
export interface Held {
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
export const EKS = "eks";

/** Secret that says that a cluster has been given its first objects: later they are the user's to change or delete. */
const FURNISHED = "eks-objects";

/** Secret that says what has been found wrong with nodes. */
const FINDINGS = "node-findings";

/** Starts the cluster's processes, and those of the nodes that it had before; those of others follow with addNode. */
export async function openCluster(
  options: EmbeddedBackendOptions & { /** False for a cluster that nobody is to reach. */ listens?: false },
  spec: ClusterSpec,
  nodes: readonly NodeSpec[],
): Promise<Held> {
  const { clock, log, host, secrets } = options;
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
    const port = options.listens === false ? 0 : await listen(options, cluster, spec);
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
      endpoint: { endpoint: `https://${hostInUrl(host)}:${port}`, port, certificateAuthority: tls.caCert },
      machines,
      power: new Map(),
      nodes: new Map(nodes.map((node) => [node.name, node])),
      listeners: new Set(),
    };
    await furnish(options, held, eksObjects);
    return held;
  } catch (error) {
    await closeCluster({ cluster, fargate });
    throw error;
  }
}

/** Ends the processes of a cluster that was opened, or of one that could not be opened whole. */
export async function closeCluster({
  cluster,
  fargate,
  monitoring,
}: Pick<Held, "cluster" | "fargate"> & Partial<Pick<Held, "monitoring">>): Promise<void> {
  fargate.stop();
  monitoring?.stop();
  await cluster.close();
}

/** The port of before if it is still free: kubeconfigs carry it. */
async function listen(
  { host, endpointPorts, log }: EmbeddedBackendOptions,
  cluster: SimulatedCluster,
  spec: ClusterSpec,
): Promise<number> {
  const anyPort = (): Promise<number> => listenOnStablePort((port) => cluster.listen({ host, port }), endpointPorts);
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
}

async function furnish(
  { secrets, clock }: EmbeddedBackendOptions,
  { spec, cluster, endpoint }: Held,
  eksObjects: ClusterModules["eksObjects"],
): Promise<void> {
  if (secrets.get(spec.clusterId, FURNISHED) !== undefined) return;
  const api = cluster.api.as({ username: "eks:cluster-bootstrap", groups: ["system:masters"] }, EKS);
  await createMissing(api, eksObjects(spec, endpoint.endpoint), EKS);
  // The objects are written to disk at the end of this tick; only then is it true that the cluster has them.
  await new Promise<void>((resolve) => clock.defer(resolve));
  secrets.put(spec.clusterId, FURNISHED, "created");
}
