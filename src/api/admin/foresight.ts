/** `POST /_eksim/foresight`: what of a plan cannot be done here, before any of it is. `{"acts": [...]}` gives `{"refusals": [...]}`, a sentence or null for each. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { DomainError } from "../../domain/errors.js";
import { ACTS, type Foresight, type PlannedAct } from "../../domain/foresight.js";
import { scopeOf } from "./admin.js";

type Request = FastifyRequest<{ Querystring: { account?: string; region?: string } }>;

export function registerForesightRoutes(app: FastifyInstance, { foresight }: { foresight: Foresight }): void {
  app.post("/_eksim/foresight", { config: { takesBody: true } }, async ({ query, body }: Request) => ({
    refusals: await foresight.foresee(scopeOf(query), readActs(body)),
  }));
}

function readActs(body: unknown): PlannedAct[] {
  const acts = (body as { acts?: unknown } | null | undefined)?.acts;
  const isAct = (one: unknown): one is PlannedAct => {
    const { act, backend, fault, addon, version } = (one ?? {}) as Record<string, unknown>;
    const isWhole = act === "fault" ? fault !== undefined : act === "addon" ? typeof addon === "string" : true;
    // YAML and JSON take an unquoted 1.36 for a number, and backends look for the image of a text.
    const isVersion = act !== "version" || version === undefined || typeof version === "string";
    return ACTS.some((name) => name === act) && typeof backend === "string" && isWhole && isVersion;
  };
  if (Array.isArray(acts) && acts.every(isAct)) return acts;
  throw new DomainError(
    "InvalidParameterException",
    `Say what is planned: {"acts": [{"backend": "embedded", "act": "fault", "fault": {...}}]}; acts are ${ACTS.join(", ")}.`,
  );
}
