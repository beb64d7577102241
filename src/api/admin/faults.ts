/**
 * `/_eksim/faults`: what is broken on purpose, and what could be. A fault is asked for in JSON, the same as in drills and the testkit; the content type has to
 * say so, which no form of a foreign web page can.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { DomainError } from "../../domain/errors.js";
import type { FaultControl } from "../../domain/fault-control.js";
import type { FaultRequest } from "../../domain/faults/index.js";
import { scopeOf, wantsAll } from "./admin.js";

interface Query {
  account?: string;
  region?: string;
  all?: string;
}

type Request = FastifyRequest<{ Querystring: Query; Params: { id?: string } }>;

export function registerFaultRoutes(app: FastifyInstance, { faults }: { faults: FaultControl }): void {
  app.get("/_eksim/faults", ({ query }: Request) => ({
    faults: faults.list(scopeOf(query), { all: wantsAll(query.all) }),
  }));
  app.get("/_eksim/faults/catalogue", () => ({ faults: faults.catalogue() }));
  app.post("/_eksim/faults", { config: { takesBody: true } }, (request: Request) => {
    const [type] = (request.headers["content-type"] ?? "").split(";");
    if (type?.trim().toLowerCase() !== "application/json")
      throw new DomainError(
        "InvalidParameterException",
        "Say what to break in JSON, with content-type: application/json",
      );
    // Whatever it is: the injector checks it.
    return faults.start(scopeOf(request.query), request.body as FaultRequest);
  });
  app.delete("/_eksim/faults/:id", ({ query, params }: Request) => faults.stop(scopeOf(query), params.id ?? ""));
  app.delete("/_eksim/faults", async ({ query }: Request) => ({ faults: await faults.stopAll(scopeOf(query)) }));
}
