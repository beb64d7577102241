import { request as httpsRequest } from "node:https";
import type { Clock } from "../../../src/clock/clock.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { admissionPlugins } from "../../../src/kubernetes/admission/index.js";
import { createCertificateAuthenticator } from "../../../src/kubernetes/auth/client-certificates.js";
import type { Persistence } from "../../../src/kubernetes/persistence.js";
import type { PodStreams } from "../../../src/kubernetes/pod-streams.js";
import { ResourceCatalogue } from "../../../src/kubernetes/registry/catalogue.js";
import { createKubeApi } from "../../../src/kubernetes/registry/kube-api.js";
import { createRegistry } from "../../../src/kubernetes/registry/registry.js";
import { strategyFor } from "../../../src/kubernetes/registry/strategies/index.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import type { Authorizer, TokenAuthenticator } from "../../../src/kubernetes/security.js";
import { createApiServer } from "../../../src/kubernetes/server/api-server.js";
import type { ApiTroubles } from "../../../src/kubernetes/server/api-troubles.js";
import { createStore } from "../../../src/kubernetes/store/store.js";
import { httpsCaller } from "../https-caller.js";
import { makeCertificates } from "./certificates.js";

/** Tokens are names; `admin` may do everything, `reader` may get, `updater` update, everybody else only what the health checks need. */
const tokens: TokenAuthenticator = {
  name: "test",
  authenticate: (token) => {
    if (token === "bad") return { error: "a bad token" };
    return token === "stranger" ? undefined : { user: { username: token, groups: ["testers"] } };
  },
};

const judge: Authorizer = {
  name: "test",
  authorize: ({ user, path, verb }) =>
    user.username === "admin" ||
    (user.username === "reader" && verb === "get") ||
    (user.username === "updater" && verb === "update") ||
    user.groups.includes("system:masters") ||
    path === "/healthz"
      ? { decision: "allow", reason: "" }
      : { decision: "no-opinion", reason: "" },
};

/** A bare API server (no controllers, and admission only when asked for) on a stepped clock, and a plain client for it. */
export async function startServer(
  options: {
    persistence?: Persistence;
    real?: boolean;
    ringCapacity?: number;
    admission?: boolean;
    podStreams?: PodStreams;
    troubles?: (clock: Clock) => ApiTroubles;
  } = {},
) {
  const certificates = makeCertificates();
  const clock = createClock({ kind: options.real ? "real" : "stepped" }, { seed: 1 });
  const store = createStore({ clock, persistence: options.persistence, ringCapacity: options.ringCapacity });
  const catalogue = new ResourceCatalogue({ infos: builtinResources(), strategyFor });
  const registry = createRegistry({ store, catalogue, clock, admission: options.admission ? admissionPlugins() : [] });
  const api = createKubeApi(registry, {
    user: { username: "system:test", groups: [] },
    fieldManager: "test",
    tracksOwnership: false,
  });
  const errors: unknown[] = [];
  const troubles = options.troubles?.(clock);
  const server = createApiServer({
    ...(troubles ? { troubles } : {}),
    registry,
    tls: certificates,
    gitVersion: () => "v1.36.1-eks-0247562",
    tokenAuthenticators: [tokens],
    certificateAuthenticator: createCertificateAuthenticator({ clock, caCert: () => certificates.caCert }),
    authorizers: [judge],
    ...(options.podStreams ? { podStreams: options.podStreams, podLog: () => "container is alive\n" } : {}),
    log: { debug: () => {}, warn: () => {}, error: (fields) => errors.push(fields.error) },
  });
  const port = await server.listen({ host: "127.0.0.1", port: 0 });

  const call = httpsCaller(port, certificates.caCert);

  return { certificates, clock, store, registry, api, server, port, call, errors, open: () => server.watches };
}

export interface WatchLine {
  type: string;
  // biome-ignore lint/suspicious/noExplicitAny: events are judged by the tests
  object: any;
}

/** A watch as a client sees it: the events so far, and a promise for when enough have come. */
export async function openWatch(
  { port, certificates }: { port: number; certificates: { caCert: string } },
  path: string,
  headers: Record<string, string> = {},
) {
  const events: WatchLine[] = [];
  let ended = false;
  let wake = (): void => {};
  let rest = "";
  const request = httpsRequest({
    host: "127.0.0.1",
    port,
    path,
    ca: certificates.caCert,
    agent: false,
    headers: { authorization: "Bearer admin", ...headers },
  });
  const response = await new Promise<import("node:http").IncomingMessage>((resolve, reject) => {
    request.on("response", resolve);
    request.on("error", reject);
    request.end();
  });
  response.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) events.push(JSON.parse(line) as WatchLine);
    wake();
  });
  response.on("error", () => {});
  response.on("close", () => {
    ended = true;
    wake();
  });
  /** Resolves when `done` is true; the test's own timeout is the only limit. */
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  return {
    events,
    code: response.statusCode,
    received: (count: number) => until(() => events.length >= count),
    ended: () => until(() => ended),
    summary: () => events.map(({ type, object }) => `${type} ${object.metadata?.name ?? object.code ?? ""}`.trim()),
    pause: () => response.pause(),
    resume: () => response.resume(),
    close: () => request.destroy(),
  };
}
