/** `/_eksim/zonal-shifts`: clusters shifted away from a zone, as ARC does it. Parameters in the query, like those of eksim's other routes. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { formatSeconds } from "../../clock/clock.js";
import { DomainError } from "../../domain/errors.js";
import type { ZonalShiftControl, ZonalShiftRecord } from "../../domain/zonal-shift.js";
import { scopeOf, wantsAll } from "./admin.js";

interface Query {
  account?: string;
  region?: string;
  cluster?: string;
  awayFrom?: string;
  expiresIn?: string;
  comment?: string;
  all?: string;
}

type Request = FastifyRequest<{ Querystring: Query; Params: { id?: string } }>;

function needed(query: Query, name: "cluster" | "awayFrom" | "expiresIn", hint: string): string {
  const value = query[name];
  if (!value) throw new DomainError("InvalidParameterException", `${name} is missing: ${hint}`);
  return value;
}

/** Names are those of ARC's API where it has them. */
const view = (shift: ZonalShiftRecord): Record<string, unknown> => ({
  zonalShiftId: shift.id,
  cluster: shift.clusterName,
  resourceIdentifier: shift.resourceArn,
  awayFrom: shift.zoneId,
  zone: shift.zone,
  status: shift.status,
  comment: shift.comment,
  startTime: formatSeconds(shift.startedAtMs),
  expiryTime: formatSeconds(shift.expiresAtMs),
  ...(shift.endedAtMs === undefined ? {} : { endTime: formatSeconds(shift.endedAtMs) }),
  cordonedNodes: shift.cordoned,
});

export function registerZonalShiftRoutes(
  app: FastifyInstance,
  { zonalShifts }: { zonalShifts: ZonalShiftControl },
): void {
  app.get("/_eksim/zonal-shifts", ({ query }: Request) => {
    const filter = { ...(query.cluster ? { cluster: query.cluster } : {}), ended: wantsAll(query.all) };
    return { zonalShifts: zonalShifts.list(scopeOf(query), filter).map(view) };
  });

  app.post("/_eksim/zonal-shifts", ({ query }: Request) =>
    view(
      zonalShifts.start(scopeOf(query), {
        cluster: needed(query, "cluster", "name the cluster, or give its ARN"),
        awayFrom: needed(query, "awayFrom", "give a zone by name or id, such as us-east-1a or use1-az1"),
        expiresIn: needed(query, "expiresIn", "give minutes or hours, such as 90m or 12h"),
        comment: query.comment ?? "",
      }),
    ),
  );

  app.post("/_eksim/zonal-shifts/:id/update", ({ query, params }: Request) => {
    const { expiresIn, comment } = query;
    if (expiresIn === undefined && comment === undefined)
      throw new DomainError("InvalidParameterException", "nothing is to be changed: give expiresIn, comment or both");
    const changes = {
      ...(expiresIn === undefined ? {} : { expiresIn }),
      ...(comment === undefined ? {} : { comment }),
    };
    return view(zonalShifts.update(scopeOf(query), params.id ?? "", changes));
  });

  app.post("/_eksim/zonal-shifts/:id/cancel", ({ query, params }: Request) =>
    view(zonalShifts.cancel(scopeOf(query), params.id ?? "")),
  );
}
