import { operationNames } from "../api/model/operation-names.js";
import type { ImageBehaviour } from "../backends/embedded/embedded-backend.js";
import { atRest, type SteppedClock } from "../clock/clock.js";
import { isStepped } from "../clock/create-clock.js";
import { parseDuration } from "../clock/duration.js";
import { processEnvironment, readConfig, toolEnvironment, UsageError } from "../config.js";
import type { ZoneSummary } from "../domain/fault-control.js";
import type { FaultRequest, FaultView } from "../domain/faults/index.js";
import type { EventRecord, Scope } from "../domain/model.js";
import type { ZonalShiftRecord } from "../domain/zonal-shift.js";
import type { DrillResult } from "../faults/drills/result.js";
import type { DrillTarget } from "../faults/drills/target.js";
import { principalOfAccessKey } from "../identity/principal.js";
import { createLog } from "../log.js";
import { type Emulator, startEmulator } from "../main.js";
import { type Caller, eksCall, eksToken, kubernetesCall } from "./http.js";

export interface EksimOptions {
  /** `stepped` (default: time moves only by `advance`), `real` or `scaled:<n>`. */
  clock?: string;
  /** Where a stepped or scaled clock starts, RFC 3339; give it, and a seed, for the same event log every time. */
  clockStart?: string;
  profile?: "instant" | "aws";
  /** Where Kubernetes comes from; default: embedded. */
  backend?: "embedded" | "kind";
  seed?: number;
  strict?: boolean;
  /** Refuse version updates that upgrade insights speak against. */
  enforceInsights?: boolean;
  /** Default: `:memory:`, nothing is kept. */
  dataDir?: string;
  /** Default: 0, a free one. */
  port?: number;
  /** Default: us-east-1. */
  region?: string;
  /** Default: `test`, a user of account 000000000000. */
  accessKeyId?: string;
  /** Default: `silent`. */
  logLevel?: string;
  /** How the containers of images behave, by image name; `*` in a name stands for anything. See docs/images.md. */
  images?: Readonly<Record<string, ImageBehaviour>>;
}

/** A zonal shift as it is now; `zone` = name, `zoneId` = what ARC calls awayFrom. */
export type ZonalShift = Readonly<ZonalShiftRecord>;

/** What an `@aws-sdk/client-*` takes. */
export interface EksClientConfig {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

/** A running emulator. Durations are texts such as `90s`, `6m`, `1h30m`. */
export interface Eksim {
  readonly endpoint: string;
  clientConfig(): EksClientConfig;
  /** Simulated time, epoch ms. */
  now(): number;
  /** Moves a stepped clock; everything due on the way has happened when it resolves. */
  advance(duration: string): Promise<void>;
  /**
   * Moves a stepped clock until `done()`; rejects when `limit` has passed without it. Looks every simulated second in which something happens, and every ten
   * while nothing moves but time.
   */
  advanceUntil(done: () => boolean | Promise<boolean>, limit: string): Promise<void>;
  failZone(zone: string, options?: { cluster?: string }): Promise<void>;
  restoreZone(zone: string, options?: { cluster?: string }): Promise<void>;
  killNode(node: string, options?: { cluster?: string }): Promise<void>;
  zones(options?: { cluster?: string }): Promise<ZoneSummary[]>;
  /** Starts a fault of the catalogue: `startFault({ fault: "node-freeze", target: { zone: "us-east-1a" }, duration: "10m" })`. See docs/faults.md. */
  startFault(request: FaultRequest): Promise<FaultView>;
  /** Ends it and undoes it; nothing when it has ended already. */
  stopFault(id: string): Promise<FaultView>;
  stopAllFaults(): Promise<FaultView[]>;
  /** Those that are on or scheduled; with `all` also those that have ended. */
  faults(options?: { all?: boolean }): FaultView[];
  /** Shifts a cluster away from a zone as ARC does; its zonalShiftConfig must be enabled. */
  startZonalShift(request: {
    cluster: string;
    awayFrom: string;
    expiresIn: string;
    comment?: string;
  }): Promise<ZonalShift>;
  cancelZonalShift(id: string): Promise<ZonalShift>;
  /** Those that are active; with `ended` also those that were. */
  zonalShifts(options?: { cluster?: string; ended?: boolean }): ZonalShift[];
  events(options?: { cluster?: string }): EventRecord[];
  /** A signed call of the EKS API, without an SDK: `eks("POST", "/clusters", {...})`. */
  eks<T = unknown>(method: string, path: string, body?: unknown): Promise<T>;
  /** A call of a cluster's API server as the principal of this library: `kubernetes("demo", "GET", "/api/v1/nodes")`. */
  kubernetes<T = unknown>(cluster: string, method: string, path: string, body?: unknown): Promise<T>;
  /** A kubeconfig for kubectl and other clients; its token is good for 15 minutes of the machine's time. JSON, which is YAML too. */
  kubeconfig(cluster: string): string;
  /** The same emulator and clusters as another principal: an IAM user named like the access key, or root of the account whose number it is. */
  as(accessKeyId: string): Eksim;
  /** Runs a drill in this emulator, by file or by the name of one that comes with eksim: see docs/drills.md. What the drill makes, it takes away. */
  runDrill(named: string, options?: { signal?: AbortSignal }): Promise<DrillResult>;
  /** Where drills are run: see `runDrill`. `isPrivate`: the emulator ends with the drill, and what the drill has made need not be deleted. */
  drillTarget(options?: { isPrivate?: boolean }): Promise<DrillTarget>;
  /** Resolves when nothing is left to do at the present time. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** How far a stepped clock moves between two looks at a condition, in milliseconds: while something happens, and while nothing moves but time. */
const LOOK_EVERY_MS = { busy: 1000, quiet: 10_000 };

function milliseconds(duration: string): number {
  const ms = parseDuration(duration);
  if (ms === undefined)
    throw new UsageError(`${JSON.stringify(duration)} is no duration; give one such as 90s, 6m or 1h30m`);
  return ms;
}

/** Starts an emulator inside this process, on its own port and by default in memory on a stepped clock. */
export async function startEksim(options: EksimOptions = {}): Promise<Eksim> {
  const flags = {
    port: String(options.port ?? 0),
    "data-dir": options.dataDir ?? ":memory:",
    clock: options.clock ?? "stepped",
    "log-level": options.logLevel ?? "silent",
    ...(options.clockStart ? { "clock-start": options.clockStart } : {}),
    ...(options.profile ? { profile: options.profile } : {}),
    ...(options.backend ? { backend: options.backend } : {}),
    ...(options.seed === undefined ? {} : { seed: String(options.seed) }),
    ...(options.strict ? { strict: "true" } : {}),
    ...(options.enforceInsights ? { "enforce-insights": "true" } : {}),
  };
  // No setting of eksim's comes from the environment; the tools of kind are found by it.
  const config = readConfig(flags, toolEnvironment(processEnvironment()));
  const emulator = await startEmulator({ config, log: createLog(config), version: "testkit", images: options.images });
  const accessKeyId = options.accessKeyId ?? "test";
  const caller: Caller = {
    endpoint: emulator.endpoint,
    region: options.region ?? "us-east-1",
    credentials: { accessKeyId, secretAccessKey: "test" },
    wallNow: () => emulator.clock.wallNow(),
  };
  const scope: Scope = { accountId: principalOfAccessKey(accessKeyId).accountId, region: caller.region };
  return createHandle(emulator, caller, scope);
}

function createHandle(emulator: Emulator, caller: Caller, scope: Scope): Eksim {
  const { clock, faults, zonalShifts } = emulator;
  const stepped = (): SteppedClock => {
    if (isStepped(clock)) return clock;
    throw new UsageError(`the clock is ${clock.kind}; only a stepped one can be moved`);
  };
  const advanceMs = async (ms: number): Promise<void> => {
    await emulator.idle();
    await stepped().advance(ms);
    await emulator.idle();
  };
  /** Moves up to `limitMs`, and stops at the first second in which anything has happened. */
  const advanceWhileQuiet = async (limitMs: number): Promise<void> => {
    const { begun } = clock;
    for (let moved = 0; moved < limitMs && clock.begun === begun; moved += LOOK_EVERY_MS.busy)
      await stepped().advance(LOOK_EVERY_MS.busy);
    await emulator.idle();
  };
  const act = async (work: () => Promise<unknown>): Promise<void> => {
    await atRest(clock);
    await work();
  };
  const result = async <T>(work: () => T | Promise<T>): Promise<T> => {
    await atRest(clock);
    return work();
  };
  const endpointOf = (name: string): { endpoint: string; caPem: string; clusterName: string } => {
    const cluster = emulator.state.clusters.get({ ...scope, name });
    if (!cluster?.endpoint || !cluster.certificateAuthorityPem)
      throw new UsageError(`cluster ${name} has no endpoint yet`);
    return { endpoint: cluster.endpoint, caPem: cluster.certificateAuthorityPem, clusterName: name };
  };
  const handle: Eksim = {
    endpoint: emulator.endpoint,
    clientConfig: () => ({ endpoint: caller.endpoint, region: caller.region, credentials: caller.credentials }),
    now: () => clock.now(),
    advance: (duration) => advanceMs(milliseconds(duration)),
    async advanceUntil(done, limit) {
      const endMs = clock.now() + milliseconds(limit);
      await emulator.idle();
      while (!(await done())) {
        if (clock.now() >= endMs) throw new Error(`not reached within ${limit} of simulated time`);
        await advanceWhileQuiet(Math.min(LOOK_EVERY_MS.quiet, endMs - clock.now()));
      }
    },
    failZone: (zone, { cluster } = {}) => act(() => faults.failZone(scope, zone, cluster)),
    restoreZone: (zone, { cluster } = {}) => act(() => faults.restoreZone(scope, zone, cluster)),
    killNode: (node, { cluster } = {}) => act(() => faults.killNode(scope, node, cluster)),
    zones: ({ cluster } = {}) => faults.zones(scope, cluster),
    startFault: (request) => result(() => faults.start(scope, request)),
    stopFault: (id) => result(() => faults.stop(scope, id)),
    stopAllFaults: () => result(() => faults.stopAll(scope)),
    faults: (filter) => faults.list(scope, filter),
    startZonalShift: ({ comment = "", ...request }) => result(() => zonalShifts.start(scope, { ...request, comment })),
    cancelZonalShift: (id) => result(() => zonalShifts.cancel(scope, id)),
    zonalShifts: (filter) => zonalShifts.list(scope, filter),
    events: ({ cluster } = {}) =>
      emulator.state.events.read({ ...scope, ...(cluster ? { clusterName: cluster } : {}), limit: 1_000_000 }),
    eks: (method, path, body) => eksCall(caller, method, path, body),
    kubernetes: (cluster, method, path, body) => kubernetesCall(caller, endpointOf(cluster), method, path, body),
    kubeconfig(cluster) {
      const { endpoint, caPem } = endpointOf(cluster);
      const token = eksToken(caller, cluster);
      return JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        clusters: [
          {
            name: cluster,
            cluster: { server: endpoint, "certificate-authority-data": Buffer.from(caPem).toString("base64") },
          },
        ],
        users: [{ name: cluster, user: { token } }],
        contexts: [{ name: cluster, context: { cluster, user: cluster } }],
        "current-context": cluster,
      });
    },
    drillTarget: async ({ isPrivate = false } = {}) => {
      const { inProcessTarget } = await import("./drills/in-process-target.js");
      const { seed, backend } = emulator;
      return inProcessTarget({ emulator, caller, scope, seed, backend, isPrivate, endpointOf });
    },
    runDrill: async (named, options = {}) => {
      const { loadDrill } = await import("../faults/drills/library.js");
      const { runDrill } = await import("../faults/drills/run-drill.js");
      return runDrill(
        loadDrill(named, { region: scope.region, operationsOf: operationNames }),
        await handle.drillTarget(),
        options,
      );
    },
    as: (accessKeyId) =>
      createHandle(emulator, { ...caller, credentials: { ...caller.credentials, accessKeyId } }, scope),
    idle: () => emulator.idle(),
    stop: () => emulator.stop(),
  };
  return handle;
}
