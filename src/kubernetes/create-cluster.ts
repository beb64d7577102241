import { createAdmissionExtensions } from "./admission/extensions.js";
import { admissionPlugins } from "./admission/index.js";
import { createWebhookCaller } from "./admission/webhooks/call.js";
import { createWebhookOutage } from "./admission/webhooks/outage.js";
import { createAggregatedApis } from "./aggregation/aggregated-apis.js";
import { frontProxyCertificate } from "./aggregation/front-proxy.js";
import { createAggregator } from "./aggregation/proxy.js";
import type { UserInfo } from "./api.js";
import { authenticationConfig, type BootstrapObject, bootstrapObjects } from "./bootstrap/index.js";
import type { ClusterLog, ClusterOptions, SimulatedCluster } from "./cluster.js";
import { createClusterSecurity } from "./cluster-security.js";
import { createControlPlane } from "./control-plane.js";
import type { Controller } from "./controller.js";
import { policyStatusController } from "./controllers/admission-policy-status.js";
import { availableApiServices } from "./controllers/available-api-services.js";
import { controllers, startControllers } from "./controllers/index.js";
import { serviceController } from "./controllers/load-balancers.js";
import { customResourceDefinitions, DEFINITIONS } from "./custom-resources/definitions.js";
import { serveCustomResources } from "./custom-resources/serve.js";
import { createDeprecatedRequests, removedApis } from "./deprecated-apis.js";
import { createKubelets } from "./kubelet/index.js";
import { NODE_METRICS_INFO, nodeMetrics, POD_METRICS_INFO, podMetrics } from "./metrics/metrics-api.js";
import { metricsServerController } from "./metrics/metrics-server.js";
import { AT_ONCE } from "./network/zone-network.js";
import { type KubeObject, type ObjectKey, parseKey } from "./object.js";
import { ResourceCatalogue } from "./registry/catalogue.js";
import { createKubeApi } from "./registry/kube-api.js";
import { entryOf } from "./registry/machinery.js";
import { createRegistry } from "./registry/registry.js";
import { createStrategies } from "./registry/strategies/index.js";
import { readScale } from "./registry/subresources.js";
import { createEventRecorder } from "./runtime/event-recorder.js";
import { createScheduler } from "./scheduler/index.js";
import type { ConfigMap, Node } from "./schema/generated/types.js";
import { resourceNamed } from "./schema/resource-info.js";
import { builtinResources, COMPONENT_STATUSES } from "./schema/resources.js";
import type { ApiServer } from "./server/api-server.js";
import { isAllowed } from "./server/authorize.js";
import { componentStatuses } from "./server/component-status.js";
import { createStore } from "./store/store.js";
import { createWithdrawnZones } from "./withdrawn-zones.js";

const SILENT: ClusterLog = { debug: () => {}, warn: () => {}, error: () => {} };
/** What a conversion webhook has to answer in. */
const CONVERSION_SECONDS = 30;
/** From so many pods on, starting is worth interrupting. */
const MANY_PODS = 1_000;
const NODE_LEASES = "kube-node-lease";

const component = (name: string): UserInfo => ({ username: `system:${name}`, groups: ["system:authenticated"] });
/** The API server's own client: for what the cluster is born with. */
const LOOPBACK: UserInfo = { username: "system:apiserver", groups: ["system:masters", "system:authenticated"] };

interface Lease extends KubeObject {
  spec: { renewTime?: string };
}

/**
 * A whole Kubernetes cluster in this process: store, API server, controllers, scheduler and kubelets around one clock. Nothing runs before `start`, and
 * nothing of HTTPS is loaded before `listen`.
 */
export function createSimulatedCluster(options: ClusterOptions): SimulatedCluster {
  const { clock, log = SILENT } = options;
  let { tls } = options;
  const store = createStore({ clock, persistence: options.persistence, log });
  const strategies = createStrategies({ serviceCidr: options.serviceCidr });
  const catalogue = new ResourceCatalogue({
    infos: builtinResources(),
    strategyFor: (name) => (name === DEFINITIONS ? customResourceDefinitions : strategies(name)),
  });
  const admission = [...(options.admission ?? []), ...admissionPlugins()];
  const registry = createRegistry({
    store,
    catalogue,
    clock,
    admission,
    identity: options.serviceAccountIssuer,
  });
  const api = createKubeApi(registry, { user: LOOPBACK, fieldManager: "kube-apiserver", tracksOwnership: false });
  /** Made when the first extension API server is asked; another one for another authority. */
  let frontProxy: ReturnType<typeof frontProxyCertificate> | undefined;
  const webhookCaller = createWebhookCaller({
    clock,
    random: clock.random("webhook-endpoints"),
    reader: {
      get: (resource, key) => api.get(resource, key),
      list: (resource, namespace) => api.list(resource, { namespace }),
    },
    connect: (pod, port) => kubelets.streams.connect(pod, port),
    dial: (pod) => kubelets.streams.dial?.(pod) ?? AT_ONCE,
    standIn: (pod, port) => kubelets.streams.standIn?.(pod, port),
    clientCertificate() {
      frontProxy ??= frontProxyCertificate(tls, clock.wallNow());
      return frontProxy;
    },
  });
  const aggregatedApis = createAggregatedApis(api);
  const customResources = serveCustomResources({
    api,
    catalogue,
    clock,
    callConverter: (_name, client, review) => webhookCaller.post(client, review, CONVERSION_SECONDS),
  });
  const security = createClusterSecurity({ api, clock, options, tls: () => tls });
  const webhookOutage = createWebhookOutage();
  const extensions = createAdmissionExtensions({
    api,
    catalogue,
    clock,
    caller: webhookCaller,
    outage: webhookOutage,
    isAllowed: (attributes) => isAllowed(security.server.authorizers, attributes),
  });
  // ResourceQuota counts what everybody else has let through.
  admission.splice(
    admission.findIndex(({ name }) => name === "ResourceQuota"),
    0,
    ...(options.webhooks ?? []),
    ...extensions.plugins,
  );
  admission.push(...security.admission);
  const withdrawnZones = createWithdrawnZones();
  const controlPlane = createControlPlane({
    clock,
    api,
    members: options.members,
    setAvailable: (available) => registry.setAvailable(available),
    breakConnections: (share) => server?.breakConnections(share),
    loops: { begin: () => void clock.track(beginLoops()), end: () => endLoops() },
    reviewKubelets: () => kubelets.review(),
    zoneOfNode: (nodeName) => kubelets.zoneOf(nodeName),
    ask: (request) => server && clock.track(server.ask(request)),
  });
  const { members, troubles } = controlPlane;
  /** The API server as its own components see it, who feel what is wrong with it. */
  const components = createKubeApi(
    {
      ...registry,
      assertAvailable() {
        troubles.assertSpared();
        registry.assertAvailable();
      },
    },
    { user: LOOPBACK, fieldManager: "kube-apiserver", tracksOwnership: false },
  );
  const kubelets = createKubelets({
    api: components.as(component("kubelet"), "kubelet"),
    clock,
    log,
    caCert: tls.caCert,
    images: options.images,
    network: controlPlane.network,
    outside: options.outside,
    issueToken: (pod, request) => security.issuePodToken(pod, request),
  });
  // Renewals of node leases are never written: a read shows when the last one would have been.
  registry.onRead("leases.coordination.k8s.io", (lease) => {
    const renewTime =
      lease.metadata.namespace === NODE_LEASES ? kubelets.leaseRenewTime(lease.metadata.name) : undefined;
    return renewTime ? { ...lease, spec: { ...(lease as Lease).spec, renewTime } } : lease;
  });

  registry.onRead("nodes", (node) => kubelets.withHeartbeats(node as Node));

  let gitVersion = options.gitVersion;
  const sinceMs = clock.now();
  const deprecated = createDeprecatedRequests({
    now: () => clock.now(),
    serverMinor: () => Number(gitVersion.split(".")[1]),
  });
  /** Controllers that hand out the CA come and go with it. */
  let stopPublishers = (): void => {};
  let server: ApiServer | undefined;
  let isStarted = false;
  /** How to end the controllers and the scheduler; undefined while none of them is to run. */
  let running: (() => void)[] | undefined;

  /** What a cluster is born with; after a restart, and after somebody deleted some of it, what is missing. */
  async function createMissing(objects: readonly BootstrapObject[]): Promise<void> {
    for (const { resource, object } of objects) {
      if (!api.get(resource, object.metadata as ObjectKey)) await api.create(resource, object);
    }
  }

  function start(chosen: readonly Controller[]): () => void {
    const cloud = options.cloud ?? { state: () => "running" };
    const { heartbeats } = kubelets;
    return startControllers(
      {
        api: components,
        clock,
        log,
        heartbeats,
        cloud,
        caCert: tls.caCert,
        resources: () => catalogue.infos(),
        onResourcesChanged: (listener) => catalogue.onChange(listener),
        readScale: (resource, key) => readScale(registry, entryOf(registry, resource), key),
        members: () => members.list(),
        onMembersChanged: (listener) => members.onChange(listener),
        withdrawnZones,
      },
      chosen,
    );
  }
  catalogue.setComputed(COMPONENT_STATUSES, componentStatuses);
  const metricsReader = { api, nowMs: () => clock.now() };
  const metricsServer = metricsServerController({
    serve(available) {
      catalogue.setComputed(POD_METRICS_INFO, available ? podMetrics(metricsReader) : undefined);
      catalogue.setComputed(NODE_METRICS_INFO, available ? nodeMetrics(metricsReader) : undefined);
    },
  });
  const { loadBalancers } = options;
  const loops = [
    ...controllers(),
    ...security.controllers,
    metricsServer,
    availableApiServices({ apis: aggregatedApis, caller: webhookCaller }),
    policyStatusController({ schemaOf: (info) => customResources.schemaOf(info) }),
    ...(loadBalancers ? [serviceController(loadBalancers)] : []),
  ];
  const startPublishers = (): void => {
    stopPublishers();
    stopPublishers = start(loops.filter(({ publishesCa }) => publishesCa));
  };

  const schedulerApi = components.as(component("kube-scheduler"), "kube-scheduler");
  const startScheduler = (): (() => void) =>
    createScheduler({
      api: schedulerApi,
      clock,
      log,
      events: createEventRecorder({ api: schedulerApi, clock, log, component: "default-scheduler" }),
    }).start();

  /** Begins what runs on the masters. */
  async function beginLoops(): Promise<void> {
    if (!isStarted || running) return;
    const begun: (() => void)[] = [];
    running = begun;
    const parts = loops.filter(({ publishesCa }) => !publishesCa).map((loop) => () => start([loop]));
    // Each looks at everything there is: with thousands of pods clients are answered in between.
    const isLarge = store.count("pods") > MANY_PODS;
    for (const part of [...parts, startScheduler]) {
      if (isLarge) await new Promise<void>((resolve) => clock.defer(resolve));
      // Ended meanwhile.
      if (running !== begun) return;
      begun.push(part());
    }
    startPublishers();
  }

  function endLoops(): void {
    for (const stop of running ?? []) stop();
    running = undefined;
    stopPublishers();
    stopPublishers = () => {};
  }

  return {
    api,
    async start() {
      if (isStarted) return;
      isStarted = true;
      await createMissing(bootstrapObjects({ serviceCidr: options.serviceCidr, caCert: tls.caCert }));
      if (store.count("pods") > MANY_PODS) await store.made();
      // Closed meanwhile.
      if (!isStarted) return;
      kubelets.start();
      await beginLoops();
    },
    async listen(address) {
      const { createApiServer } = await import("./server/api-server.js");
      server = createApiServer({
        registry,
        tls,
        log,
        gitVersion: () => gitVersion,
        deprecated,
        customSchema: (info) => customResources.schemaOf(info),
        aggregator: createAggregator({ apis: aggregatedApis, caller: webhookCaller }),
        aggregated: aggregatedApis,
        ...security.server,
        ...(options.allowClient ? { allowClient: options.allowClient } : {}),
        answers: controlPlane.answers,
        troubles,
        podLog: (key, logOptions) => kubelets.podLog(parseKey(key), logOptions),
        podStreams: kubelets.streams,
      });
      return server.listen(address);
    },
    accept: (socket, remoteAddress) => (server ? server.accept(socket, remoteAddress) : void socket.destroy()),
    addNode: (spec) => kubelets.addNode(spec),
    removeNode: (name, how) => kubelets.removeNode(name, how),
    setNodePower: (name, power) => kubelets.setPower(name, power),
    setNodeTroubles: (troubles) => kubelets.setNodeTroubles(troubles),
    setNodeReports: (name, reports) => kubelets.setNodeReports(name, reports),
    setPodTroubles: (troubles) => kubelets.setPodTroubles(troubles),
    breakDown: (pod, how) => kubelets.breakDown(pod, how),
    setWithdrawnZones: (zones) => withdrawnZones.set(zones),
    setMember: (id, state) => members.set(id, state),
    members: () => members.list(),
    replaceMembers: (next) => members.replace(next),
    setLinks: controlPlane.setLinks,
    setZonesWithoutDns: controlPlane.setZonesWithoutDns,
    setApiServerTrouble: controlPlane.setApiServerTrouble,
    setWebhookTrouble: webhookOutage.set,
    webhookTroubleOf: webhookOutage.ofBuiltIn,
    judge: (attributes) => isAllowed(security.server.authorizers, attributes),
    resourceNamed: (name) => resourceNamed(catalogue.infos(), name),
    deprecations: () => ({ removedApis: [...removedApis().values()], requests: deprecated.list(), sinceMs }),
    async setTls(next) {
      tls = next;
      frontProxy = undefined;
      server?.setTls(next);
      if (running) startPublishers();
      const config = authenticationConfig(next.caCert);
      const present = api.get<ConfigMap>(config.resource, config.object.metadata as ObjectKey);
      if (present) await api.update(config.resource, { ...present, ...config.object, metadata: present.metadata });
    },
    setVersion: (version) => {
      gitVersion = version;
    },
    recheckClients: () => server?.recheckClients(),
    async close() {
      isStarted = false;
      controlPlane.stop();
      endLoops();
      kubelets.stop();
      customResources.stop();
      extensions.stop();
      aggregatedApis.stop();
      webhookCaller.close();
      security.stop();
      await server?.close();
      server = undefined;
      store.close();
    },
  };
}
