/**
 * The backend of real Kubernetes: each EKS cluster is a kind cluster in Docker, with three masters in three zones and workers that come and go at run time.
 * What it takes is loaded with the first cluster, so that an emulator that is never asked for one starts without it.
 */
import { randomBytes } from "node:crypto";
import { resolve } from "node:path";
import type { Clock } from "../../clock/clock.js";
import { ENDPOINT_PORTS, type PortRange } from "../../domain/endpoint-ports.js";
import { BackendError, type ClusterBackend } from "../backend.js";
import type { KindLog, WebhookFiles } from "./cluster.js";
import type { Provider } from "./engine.js";
import type { createOperations } from "./operations.js";
import type { Runner } from "./runner.js";
import type { ToolVersions } from "./tools.js";

export type { WebhookFiles } from "./cluster.js";

export interface KindBackendOptions {
  /** A real one, whatever the emulator's: tools and containers keep the machine's time. */
  clock: Clock;
  /** Simulated seconds a second of the machine's, by which Kubernetes' own waits are divided in clusters that are made; at most FASTEST. Default 1. */
  speed?: number;
  log: KindLog;
  /** Directory for what outlives the process; each has clusters of its own. */
  dir: string;
  provider: Provider;
  /** All that the tools see of the environment. */
  environment: Readonly<Record<string, string>>;
  /** Images by minor version, where they are not kind's usual ones. */
  nodeImages: ReadonlyMap<string, string>;
  /** Ports of the engine's machine for API servers; the usual ones when absent. */
  endpointPorts?: PortRange;
  /** How many clusters may be made, adopted or deleted at once. */
  parallel: number;
  /** See KindContext. */
  webhookFiles(clusterId: string, addresses: readonly string[], how: { late: boolean }): Promise<WebhookFiles>;
  /** Runs the tools; another one than the real is for tests. */
  runner?: Runner;
  /** What the process has mounted; the real one is looked at when absent. */
  mounts?: () => Promise<string>;
}

type Operations = ReturnType<typeof createOperations>;

export function createKindBackend(options: KindBackendOptions): ClusterBackend {
  let loaded: Operations | undefined;
  let loading: Promise<Operations> | undefined;
  const ending = new AbortController();

  const work = (): Promise<Operations> => {
    loading ??= (async () => {
      const [
        { createOperations },
        { createEngine },
        { createFiles },
        { createLocks },
        { createMetadataService },
        { createRunner },
        { checkTools },
        { createWhereabouts },
      ] = await Promise.all([
        import("./operations.js"),
        import("./engine.js"),
        import("./files.js"),
        import("./lock.js"),
        import("./metadata.js"),
        import("./runner.js"),
        import("./tools.js"),
        import("./whereabouts.js"),
      ]);
      const { clock, log, provider, environment, nodeImages, webhookFiles } = options;
      const runner = options.runner ?? createRunner({ clock, log, environment });
      let checked: Promise<ToolVersions> | undefined;
      const tools = (): Promise<ToolVersions> => {
        const check = checked ?? checkTools(runner, provider);
        checked = check;
        // What is installed meanwhile counts at the next try.
        check.catch(() => {
          checked = undefined;
        });
        return check;
      };
      const engine = createEngine(runner, provider);
      const pass = randomBytes(16).toString("hex");
      const files = createFiles(resolve(options.dir));
      const { mounts } = options;
      const whereabouts = createWhereabouts({ engine, files, ...(mounts ? { mounts } : {}) });
      const operations = createOperations({
        clock,
        speed: options.speed ?? 1,
        ending: ending.signal,
        log,
        runner,
        engine,
        files,
        locks: createLocks(options.parallel),
        metadata: createMetadataService({ engine, addresses: whereabouts.addresses, log }),
        whereabouts,
        pass,
        nodeImages,
        endpointPorts: options.endpointPorts ?? ENDPOINT_PORTS,
        tools,
        webhookFiles,
      });
      loaded = operations;
      return operations;
    })();
    return loading;
  };

  /** For what cannot wait: a cluster that is in hand has been loaded for. */
  const present = (clusterId: string): Operations => {
    if (loaded) return loaded;
    throw new BackendError("missing", `the backend kind holds no cluster ${clusterId}`);
  };
  return {
    name: "kind",
    createCluster: async (...asked) => (await work()).createCluster(...asked),
    adoptCluster: async (...asked) => (await work()).adoptCluster(...asked),
    deleteCluster: async (...asked) => (await work()).deleteCluster(...asked),
    addNode: async (...asked) => (await work()).addNode(...asked),
    removeNode: async (...asked) => (await work()).removeNode(...asked),
    drainNode: async (...asked) => (await work()).drainNode(...asked),
    patchNode: async (...asked) => (await work()).patchNode(...asked),
    changeConfigMap: async (...asked) => (await work()).changeConfigMap(...asked),
    awsAuth: (clusterId) => loaded?.awsAuth(clusterId),
    setNodePower: async (...asked) => (await work()).setNodePower(...asked),
    rebootNode: async (...asked) => (await work()).rebootNode(...asked),
    setMember: async (...asked) => (await work()).setMember(...asked),
    replaceMember: async (...asked) => (await work()).replaceMember(...asked),
    upgradeControlPlane: async (...asked) => (await work()).upgradeControlPlane(...asked),
    acceptFromVpc: (clusterId, socket) => present(clusterId).acceptFromVpc(clusterId, socket),
    observe: (clusterId, listener) => present(clusterId).observe(clusterId, listener),
    impair: async (...asked) => (await work()).impair(...asked),
    nodes: async (clusterId) => (await work()).nodes(clusterId),
    pods: async (clusterId) => (await work()).pods(clusterId),
    watchPods: (clusterId, listener) => present(clusterId).watchPods(clusterId, listener),
    endPods: async (...asked) => (await work()).endPods(...asked),
    whyNot: async (...asked) => (await work()).whyNot(...asked),
    objects: {
      apply: async (...asked) => (await work()).objects.apply(...asked),
      remove: async (...asked) => (await work()).objects.remove(...asked),
      replicas: async (...asked) => (await work()).objects.replicas(...asked),
    },
    summary: async (...asked) => (await work()).summary(...asked),
    issuerKeys: async (...asked) => (await work()).issuerKeys(...asked),
    upgradeFacts: async (...asked) => (await work()).upgradeFacts(...asked),
    inventory: async () => (await work()).inventory(),
    collectGarbage: async (...asked) => (await work()).collectGarbage(...asked),
    callOff: () => ending.abort(),
    close: async () => loaded?.close(),
  };
}
