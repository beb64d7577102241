/** AWS, for the programs of simulated containers. */
import type { FastifyInstance } from "fastify";
import type { OutsideAnswer, OutsideRequest } from "../backends/embedded/embedded-backend.js";

/** A request of a simulated program, answered as one that came over the network. */
export async function askInside(
  gateway: FastifyInstance,
  { method, path, headers, body, pod }: OutsideRequest,
): Promise<OutsideAnswer> {
  const answer = await gateway.inject({
    method: method as "GET",
    url: path,
    headers,
    ...(body.length > 0 ? { payload: body } : {}),
    remoteAddress: pod.address,
  });
  const texts = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)]);
  return { status: answer.statusCode, headers: Object.fromEntries(texts), body: answer.rawPayload };
}
