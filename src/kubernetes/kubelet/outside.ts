/** The world outside of a cluster, between the programs of containers and whoever plays it. */
import type { ClusterOptions, OutsideAnswer, OutsideRequest } from "../cluster.js";
import type { Pod } from "../schema/generated/types.js";
import type { HttpRequest, HttpResponse, Reached } from "./machine/network.js";

/** What a program asks, as the world outside is told of it. */
export function outsideRequest(
  { metadata, spec }: Pod,
  address: string | undefined,
  host: string,
  port: number,
  { method, path, headers, body }: Omit<HttpRequest, "remoteAddress">,
): OutsideRequest {
  const { namespace = "", name } = metadata;
  return {
    pod: { namespace, name, nodeName: spec?.nodeName ?? "", address: address ?? "" },
    host,
    port,
    method,
    path,
    headers: Object.fromEntries(Object.entries(headers).map(([header, value]) => [header.toLowerCase(), value])),
    body: Buffer.from(body, "latin1"),
  };
}

/** What it says, as programs hear it; they take a world that nobody plays to be there. */
export function outsideAnswer(said: ReturnType<NonNullable<ClusterOptions["outside"]>>): Reached<HttpResponse> {
  if (said === "refused" || said === "unreachable") return { problem: said };
  if (said === undefined) return { answer: { status: 200, body: "" } };
  return { answer: said.then(heard) };
}

/** An answer as programs hear it. */
export const heard = ({ status, headers, body }: OutsideAnswer): HttpResponse => ({
  status,
  headers,
  body: body.toString("latin1"),
});
