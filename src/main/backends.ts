/** The backends that clusters can have in this run. */
import { join } from "node:path";
import type { ClusterBackend } from "../backends/backend.js";
import { createEmbeddedBackend, type EmbeddedBackendOptions } from "../backends/embedded/embedded-backend.js";
import { createKindBackend, type KindBackendOptions } from "../backends/kind/kind-backend.js";
import type { Clock } from "../clock/clock.js";
import type { Config } from "../config.js";
import type { Log } from "../log.js";
import type { createPodIdentityIndex } from "../state/pod-identity-index.js";
import type { State } from "../state/state.js";
import type { Callers } from "./callers.js";
import { kindRefusal } from "./preflight.js";
import { IN_MEMORY } from "./saved-time.js";

export interface Backends {
  /** By name. */
  all: ReadonlyMap<string, ClusterBackend>;
  /** Why no cluster can have the backend of the name; undefined when one can. */
  refusalOf(name: string): string | undefined;
}

export function createBackends(options: {
  config: Config;
  log: Log;
  state: State;
  clock: Clock;
  /** The machine's own time, which real containers keep. */
  realClock: Clock;
  accessFor: Callers["accessFor"];
  podIdentityOf: ReturnType<typeof createPodIdentityIndex>;
  images: EmbeddedBackendOptions["images"];
  aws: EmbeddedBackendOptions["aws"];
  webhookFiles: KindBackendOptions["webhookFiles"];
}): Backends {
  const { config, log, state, clock, podIdentityOf } = options;
  const endpointPorts = config.endpointPorts ? { endpointPorts: config.endpointPorts } : {};
  const embedded = createEmbeddedBackend({
    clock,
    log,
    host: config.host,
    ...endpointPorts,
    // What lives in memory only ends with this process, and the backend has it in memory already.
    persistenceFor: (clusterId) => (config.dataDir === IN_MEMORY ? undefined : state.objects(clusterId)),
    secrets: state.secrets,
    images: options.images,
    hasPodIdentity: (...account) => podIdentityOf(...account) !== undefined,
    podEndpointUrl: config.podEndpointUrl,
    aws: options.aws,
    accessFor: options.accessFor,
  });
  const kind = createKindBackend({
    clock: options.realClock,
    speed: config.clock.kind === "scaled" ? config.clock.factor : 1,
    log,
    dir: join(config.dataDir, "kind"),
    ...endpointPorts,
    ...config.kind,
    webhookFiles: options.webhookFiles,
  });
  const noKind = kindRefusal(config);
  const all = new Map<string, ClusterBackend>([[embedded.name, embedded]]);
  if (noKind === undefined) all.set(kind.name, kind);
  return {
    all,
    refusalOf: (name) =>
      all.has(name) ? undefined : name === kind.name ? noKind : "there are the backends embedded and kind",
  };
}
