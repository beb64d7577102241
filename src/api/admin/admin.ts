/** `/_eksim/*`: what the emulator says about itself and what may be broken on purpose. JSON in and out; refusals as at the AWS edge. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Clock, formatSeconds } from "../../clock/clock.js";
import { isStepped } from "../../clock/create-clock.js";
import { region } from "../../domain/catalogue/index.js";
import { DomainError } from "../../domain/errors.js";
import type { FaultControl } from "../../domain/fault-control.js";
import type { Scope } from "../../domain/model.js";
import type { State } from "../../state/state.js";
import { webhookKubeconfig, webhookPath } from "../kubernetes/token-webhook-config.js";
import { clusterStatus } from "./cluster-status.js";
import { connectCluster } from "./connector.js";
import { streamEvents } from "./event-stream.js";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The route has its parameters in a body. */
    takesBody?: boolean;
  }
}

export interface AdminDependencies {
  state: State;
  clock: Clock;
  faults: FaultControl;
  version: string;
  backend: string;
  seed: number;
  /** Each operation of the model and whether it behaves. */
  coverage: () => unknown;
  /** Where API servers outside have their tokens reviewed, if anywhere. */
  tokenWebhook?: () => { url: string; ca: string } | undefined;
  /** Resolves when no reconciler has work left at the present time. */
  idle: () => Promise<void>;
}

interface Query {
  account?: string;
  region?: string;
  cluster?: string;
  after?: string;
  limit?: string;
  ms?: string;
  activationId?: string;
  activationCode?: string;
}

type Request = FastifyRequest<{ Querystring: Query; Params: { name?: string } }>;

/** Longest move of a stepped clock in one call: ten years, in milliseconds. */
const MAX_ADVANCE_MS = 10 * 365 * 86_400_000;

export function scopeOf(query: Pick<Query, "account" | "region">): Scope {
  const { account = "000000000000", region: name = "us-east-1" } = query;
  if (!region(name)) throw new DomainError("InvalidParameterException", `There is no region ${name}`);
  return { accountId: account, region: name };
}

/** `all`, as in `?all` and `?all=true`. */
export function wantsAll(text: string | undefined): boolean {
  if (text === undefined || text === "false") return false;
  if (text === "true" || text === "") return true;
  throw new DomainError("InvalidParameterException", "all must be true or false");
}

/** Every parameter is a single text: one given twice would arrive as a list. */
function checkQuery(query: unknown): void {
  for (const [name, value] of Object.entries(query ?? {})) {
    if (typeof value !== "string")
      throw new DomainError("InvalidParameterException", `${name} is given more than once`);
  }
}

/** What names a cluster in a body would otherwise be passed over, and the whole zone fail. */
function checkNoBody(body: unknown): void {
  if (body === undefined || body === null) return;
  if (typeof body === "object" && !Array.isArray(body) && Object.keys(body).length === 0) return;
  throw new DomainError(
    "InvalidParameterException",
    "eksim's own routes take their parameters in the query, not in a body",
  );
}

function wholeNumber(name: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max)
    throw new DomainError("InvalidParameterException", `${name} must be a whole number from 0 to ${max}`);
  return value;
}

/** Registers the routes on the gateway's server, which maps DomainErrors for them. */
export function registerAdminRoutes(app: FastifyInstance, dependencies: AdminDependencies): void {
  const { state, clock, faults } = dependencies;
  const clockView = (): { kind: string; now: string; nowMs: number } => ({
    kind: clock.kind,
    now: formatSeconds(clock.now()),
    nowMs: Math.floor(clock.now()),
  });

  /** A cluster that is named must exist: a misspelt name is an error, not an empty answer. */
  const clusterOf = (query: Query): string | undefined => {
    if (!query.cluster) return undefined;
    const scope = scopeOf(query);
    if (!state.clusters.get({ ...scope, name: query.cluster })) {
      const known = state.clusters.names(scope, { limit: 10 });
      const hint =
        known.length > 0
          ? ` Clusters of ${scope.accountId} in ${scope.region}: ${known.join(", ")}.`
          : ` ${scope.accountId} has none in ${scope.region}.`;
      throw new DomainError("ResourceNotFoundException", `No cluster found for name: ${query.cluster}.${hint}`, {
        clusterName: query.cluster,
      });
    }
    return query.cluster;
  };

  app.addHook("preHandler", (request, _reply, done) => {
    checkQuery(request.query);
    if (!request.routeOptions.config.takesBody) checkNoBody(request.body);
    done();
  });
  app.get("/_eksim/health", () => ({
    status: "ok",
    version: dependencies.version,
    backend: dependencies.backend,
    seed: dependencies.seed,
    clock: clockView(),
    clusters: state.clusters.all().length,
  }));
  app.get("/_eksim/coverage", () => dependencies.coverage());

  app.get("/_eksim/clock", clockView);
  app.post("/_eksim/clock/advance", async (request: Request) => {
    const ms = wholeNumber("ms", request.query.ms, -1, MAX_ADVANCE_MS);
    if (ms < 0) throw new DomainError("InvalidParameterException", "ms is missing: give the milliseconds to move by");
    if (!isStepped(clock))
      throw new DomainError(
        "InvalidRequestException",
        `The clock is ${clock.kind}; only a stepped one (--clock stepped) can be moved.`,
      );
    await dependencies.idle();
    await clock.advance(ms);
    return clockView();
  });

  app.get("/_eksim/zones", async (request: Request) => ({
    zones: await faults.zones(scopeOf(request.query), clusterOf(request.query)),
  }));
  app.post("/_eksim/zones/:name/fail", (request: Request) =>
    faults.failZone(scopeOf(request.query), request.params.name ?? "", clusterOf(request.query)),
  );
  app.post("/_eksim/zones/:name/restore", (request: Request) =>
    faults.restoreZone(scopeOf(request.query), request.params.name ?? "", clusterOf(request.query)),
  );
  app.post("/_eksim/nodes/:name/kill", (request: Request) =>
    faults.killNode(scopeOf(request.query), request.params.name ?? "", clusterOf(request.query)),
  );

  app.post("/_eksim/registrations/:name/connect", (request: Request) =>
    connectCluster(dependencies, scopeOf(request.query), request.params.name ?? "", request.query),
  );

  app.get("/_eksim/status", (request: Request) =>
    clusterStatus(state, scopeOf(request.query), clusterOf(request.query)),
  );

  app.get("/_eksim/token-webhook", (request: Request) => {
    const cluster = state.clusters.get({ ...scopeOf(request.query), name: clusterOf(request.query) ?? "" });
    if (!cluster) throw new DomainError("InvalidParameterException", "cluster is missing: name the API server's");
    const webhook = dependencies.tokenWebhook?.();
    if (!webhook)
      throw new DomainError(
        "InvalidRequestException",
        "There is no token webhook; start eksim with --token-webhook-port.",
      );
    const url = webhook.url + webhookPath(cluster.id);
    return { cluster: cluster.name, url, kubeconfig: webhookKubeconfig(url, webhook.ca) };
  });

  app.get("/_eksim/events", (request: Request, reply: FastifyReply) => {
    // The log outlives its clusters, so a name that is gone is no error here.
    const filter = {
      ...scopeOf(request.query),
      ...(request.query.cluster ? { clusterName: request.query.cluster } : {}),
    };
    const after = wholeNumber("after", request.query.after, 0, Number.MAX_SAFE_INTEGER);
    if (request.headers.accept?.includes("text/event-stream")) {
      streamEvents(state.events, filter, after, reply);
      return reply;
    }
    const limit = wholeNumber("limit", request.query.limit, 1000, 10_000);
    return { events: state.events.read({ ...filter, afterSequence: after, limit }) };
  });
}
