/** The composition root: configuration -> state -> backends -> reconcilers -> servers. The only place that knows every part. */
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { registerAdminRoutes } from "./api/admin/admin.js";
import { registerExplainAccess } from "./api/admin/explain-access.js";
import { registerFaultRoutes } from "./api/admin/faults.js";
import { registerForesightRoutes } from "./api/admin/foresight.js";
import { registerGarbageRoutes } from "./api/admin/garbage.js";
import { registerRecordings } from "./api/admin/recordings.js";
import { registerZonalShiftRoutes } from "./api/admin/zonal-shifts.js";
import type { EksAuthDependencies } from "./api/eks-auth/pod-credentials.js";
import { createEksAuth } from "./api/eks-auth/service.js";
import { buildGateway, type GatewayDependencies } from "./api/gateway.js";
import { registerIssuerDocuments } from "./api/kubernetes/issuer-documents.js";
import { registerPodIdentityAgent } from "./api/kubernetes/pod-identity-agent.js";
import { serveVpcProxy } from "./api/kubernetes/vpc-proxy.js";
import { operationNames } from "./api/model/operation-names.js";
import { eksCoverage } from "./api/services.js";
import type { ClusterBackend } from "./backends/backend.js";
import type { EmbeddedBackendOptions } from "./backends/embedded/embedded-backend.js";
import type { Clock } from "./clock/clock.js";
import { createClock } from "./clock/create-clock.js";
import { type Config, UsageError } from "./config.js";
import { DEFAULT_VERSION } from "./domain/catalogue/index.js";
import type { FaultControl } from "./domain/fault-control.js";
import type { Foresight } from "./domain/foresight.js";
import { hostInUrl } from "./domain/listening-address.js";
import { PROFILES } from "./domain/profile.js";
import type { Recorder } from "./domain/recording.js";
import type { ZonalShiftControl } from "./domain/zonal-shift.js";
import { createCallTroubles } from "./faults/api-calls.js";
import { createFaultControl } from "./faults/control.js";
import { createRecorder } from "./faults/drills/recorder.js";
import { createForesight } from "./faults/foresight.js";
import { createInjector } from "./faults/injector.js";
import { createClusterIssuers } from "./identity/cluster-issuers.js";
import { createWebIdentityVerifier } from "./identity/oidc/web-identity-verifier.js";
import type { Log } from "./log.js";
import { askInside } from "./main/ask-inside.js";
import { createBackends } from "./main/backends.js";
import { createCallers } from "./main/callers.js";
import { createExplainer } from "./main/explain.js";
import { checkAddress, checkKindTools, kindRefusal, listenRefusal } from "./main/preflight.js";
import { clockOptions, IN_MEMORY, keepTime } from "./main/saved-time.js";
import { createTokenWebhooks, type ServedWebhook } from "./main/token-webhooks.js";
import { createReconcilers } from "./reconcile/reconcilers.js";
import { createZonalShiftControl } from "./reconcile/zonal-shift-control.js";
import { createPodIdentityIndex } from "./state/pod-identity-index.js";
import { openState } from "./state/sqlite.js";
import type { State } from "./state/state.js";

/** A running emulator. */
export interface Emulator {
  /** `http://127.0.0.1:4566` as clients reach it. */
  readonly endpoint: string;
  readonly clock: Clock;
  /** Of every random choice. */
  readonly seed: number;
  /** Where Kubernetes comes from for new clusters. */
  readonly backend: string;
  readonly state: State;
  readonly faults: FaultControl;
  readonly zonalShifts: ZonalShiftControl;
  readonly foresight: Foresight;
  readonly recorder: Recorder;
  /** Resolves when nothing is left to do at the present time. */
  idle(): Promise<void>;
  /** Ends servers, loops and timers in order; everything acknowledged is on disk afterwards. */
  stop(): Promise<void>;
}

/** How long a fresh emulator is left to itself before it prepares for its first cluster, in milliseconds of the machine's time: its first answers come first. */
const PREPARE_AFTER_MS = 250;

/**
 * Starts everything. Throws errors with `exitCode` 2 where the user can put it right: a port in use, a data directory that is locked, unwritable or of a newer
 * program.
 */
export async function startEmulator(options: {
  config: Config;
  log: Log;
  version: string;
  /** Behaviour of EKS; another table than the real one is for tests. */
  operations?: GatewayDependencies["operations"];
  /** How the containers of images behave, by image name. */
  images?: EmbeddedBackendOptions["images"];
}): Promise<Emulator> {
  const { config, log, version } = options;
  const noKind = config.backend === "kind" ? kindRefusal(config) : undefined;
  if (noKind !== undefined) throw new UsageError(`--backend kind: ${noKind}`);
  if (config.backend === "kind") await checkKindTools(config, log);
  await checkAddress(config);
  const state = openState({
    file: config.dataDir === IN_MEMORY ? config.dataDir : join(config.dataDir, "state.db"),
    log,
  });
  const clock = createClock(config.clock, clockOptions(config, state));
  const saveLastTime = keepTime(clock, state, config);

  const callers = createCallers({ config, state, clock });
  const { directory, accessFor } = callers;
  const podIdentityOf = createPodIdentityIndex(state);
  const realClock = createClock({ kind: "real" }, { seed: config.seed });
  const { all: backends, refusalOf } = createBackends({
    config,
    log,
    state,
    clock,
    realClock,
    accessFor,
    podIdentityOf,
    images: options.images,
    aws: (request) => askInside(gateway, request),
    webhookFiles: (clusterId, addresses, how) => webhooks.filesForContainers(clusterId, addresses, how),
  });
  const reconcilers = createReconcilers({
    state,
    clock,
    backends,
    profile: PROFILES[config.profile],
    log,
    principalIdOf: directory.uniqueIdOf,
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
  const foresight = createForesight({ backends, operationsOf: operationNames });
  const zonalShifts = createZonalShiftControl({ state, clock, nudge: reconcilers.nudge });
  const faults = createFaultControl({ state, backends, injector });
  const recorder = createRecorder({ state, clock, backends, log });

  const issuers = createClusterIssuers({
    cluster: state.clusters.seen,
    // A backend that does not hold the cluster, or not yet, cannot tell.
    keysOf: async ({ id, backend: name }) => {
      const backend = backends.get(name);
      return backend?.issuerKeys?.(id).catch(() => undefined);
    },
    clock,
  });
  const callTroubles = createCallTroubles(state);
  const sessionNames = clock.random("pod-identity-sessions");
  const eksAuth: EksAuthDependencies = {
    state,
    directory,
    policies: state.iam,
    issuers,
    clock,
    podIdentityOf,
    callTroubles,
    uuid: () => sessionNames.uuid(),
  };

  const gateway = buildGateway({
    state,
    clock,
    log,
    directory,
    webIdentityVerifiers: [issuers.verify, createWebIdentityVerifier({ clock })],
    services: { "eks-auth": createEksAuth(eksAuth) },
    callTroubles,
    nudge: reconcilers.nudge,
    ...(options.operations ? { operations: options.operations } : {}),
    config: {
      strict: config.strict,
      enforceInsights: config.enforceInsights,
      defaultVersion: DEFAULT_VERSION,
      backend: config.backend,
      backendRefusal: refusalOf,
      verifySignatures: config.verifySignatures,
      secretFor: (accessKeyId) => config.credentials.get(accessKeyId),
      hosts: [config.host, "host.docker.internal"],
    },
    admin: (app) => {
      registerIssuerDocuments(app, { issuers });
      registerPodIdentityAgent(app, eksAuth);
      registerAdminRoutes(app, {
        state,
        clock,
        faults,
        version,
        seed: config.seed,
        backend: config.backend,
        coverage: eksCoverage,
        idle: reconcilers.idle,
        tokenWebhook: () => webhook,
      });
      registerFaultRoutes(app, { faults });
      registerGarbageRoutes(app, {
        collectGarbage: async (how) => {
          const { collectGarbage } = await import("./main/garbage.js");
          return collectGarbage({ state, backends: backends.values() }, how);
        },
      });
      registerForesightRoutes(app, { foresight });
      registerZonalShiftRoutes(app, { zonalShifts });
      registerRecordings(app, { recorder, clock, idle: reconcilers.idle });
      registerExplainAccess(app, { state, explain: createExplainer({ state, backends, ...callers }) });
    },
  });

  const closeVpcProxy = serveVpcProxy(gateway.server, {
    clusters: state.clusters.all,
    members: state.members.list,
    accept(cluster, socket) {
      const backend = backends.get(cluster.backend);
      if (!backend?.acceptFromVpc) throw new Error(`the backend ${cluster.backend} has no way into VPCs`);
      backend.acceptFromVpc(cluster.id, socket);
    },
    log,
  });

  const webhooks = createTokenWebhooks({
    settings: state.settings,
    clock: realClock,
    host: config.host,
    log,
    authenticate(clusterId, token) {
      const cluster = state.clusters.seen(clusterId);
      if (!cluster) return "no such cluster";
      const access = accessFor(clusterId);
      const awsAuth = (): ReturnType<NonNullable<ClusterBackend["awsAuth"]>> =>
        backends.get(cluster.backend)?.awsAuth?.(clusterId);
      return access.authenticate(token, awsAuth) ?? access.authenticateOidc(token);
    },
    authorize: (clusterId, question) =>
      state.clusters.seen(clusterId) ? accessFor(clusterId).authorize(question) : "no such cluster",
  });
  let webhook: ServedWebhook | undefined;

  const end = async (): Promise<void> => {
    closeVpcProxy();
    await webhooks.close();
    await gateway.close();
    saveLastTime();
    // Who ends the emulator does not want to wait for a cluster to be made.
    for (const { callOff } of backends.values()) callOff?.();
    await reconcilers.stop();
    await injector.stop();
    for (const backend of backends.values()) await backend.close();
    clock.stop();
    realClock.stop();
    state.close();
  };
  let ended: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    ended ??= end();
    return ended;
  };
  try {
    await gateway.listen({ port: config.port, host: config.host });
    if (config.tokenWebhookPort !== undefined) {
      webhook = await webhooks.serve({ host: config.host, port: config.tokenWebhookPort });
    }
  } catch (error) {
    await stop();
    throw listenRefusal(error, config);
  }
  injector.start();
  reconcilers.start();
  // A stepped clock waits for nobody, and loads with the first cluster.
  if (config.clock.kind !== "stepped") {
    const factor = config.clock.kind === "scaled" ? config.clock.factor : 1;
    clock.timer(PREPARE_AFTER_MS * factor, () => {
      // The first cluster is most likely one of the backend that was asked for.
      backends
        .get(config.backend)
        ?.prepare?.()
        .catch((err) => log.warn({ err }, "preparing failed"));
    });
  }
  return {
    endpoint: `http://${hostInUrl(config.host)}:${(gateway.server.address() as AddressInfo).port}`,
    clock,
    seed: config.seed,
    backend: config.backend,
    state,
    faults,
    recorder,
    zonalShifts,
    foresight,
    idle: reconcilers.idle,
    stop,
  };
}
