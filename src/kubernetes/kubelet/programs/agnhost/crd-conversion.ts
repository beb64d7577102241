/**
 * The converter of custom resources in agnhost, an example that Kubernetes' own tests deploy behind a Service: `hostPort: a:1` of version 1 is `host: a`
 * and `port: 1` in version 2.
 */
import type { Work } from "../../machine/kernel.js";
import { listen } from "../../machine/listeners.js";
import type { HttpRequest, HttpResponse } from "../../machine/network.js";
import type { ProgramContext } from "../../machine/program.js";

interface CustomObject {
  apiVersion: string;
  hostPort?: string;
  host?: string;
  port?: string;
}

const GROUP = "stable.example.com";
const DEFAULT_PORT = 443;

/** Gives a text for what cannot be converted. */
function convert(object: CustomObject, apiVersion: string): CustomObject | string {
  const { hostPort, host, port, ...rest } = object;
  const from = object.apiVersion;
  if (from === apiVersion) return `conversion from a version to itself should not call the webhook: ${apiVersion}`;
  if (from === `${GROUP}/v1` && apiVersion === `${GROUP}/v2`) {
    if (hostPort === undefined) return { ...object, apiVersion };
    const parts = hostPort.split(":");
    if (parts.length !== 2) return `invalid hostPort value \`${hostPort}\``;
    return { ...rest, apiVersion, host: parts[0] ?? "", port: parts[1] ?? "" };
  }
  if (from === `${GROUP}/v2` && apiVersion === `${GROUP}/v1`) {
    if (host === undefined && port === undefined) return { ...object, apiVersion };
    return { ...rest, apiVersion, hostPort: `${host ?? ""}:${port ?? ""}` };
  }
  return `unexpected conversion version ${JSON.stringify(from)} -> ${JSON.stringify(apiVersion)}`;
}

interface Review {
  apiVersion: string;
  kind: string;
  request: { uid: string; desiredAPIVersion: string; objects: CustomObject[] };
}

const json = (body: object): HttpResponse => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: Buffer.from(JSON.stringify(body)).toString("latin1"),
});

function answer({ path, body }: HttpRequest): HttpResponse {
  if (path.startsWith("/readyz")) return { status: 200, body: "ok" };
  if (!path.startsWith("/crdconvert")) return { status: 404, body: "404 page not found\n" };
  let review: Review;
  try {
    review = JSON.parse(Buffer.from(body, "latin1").toString("utf8")) as Review;
  } catch (error) {
    return {
      status: 400,
      body: `failed to deserialize body: ${error instanceof Error ? error.message : String(error)}\n`,
    };
  }
  const { uid, desiredAPIVersion, objects } = review.request;
  const converted = objects.map((object) => convert(object, desiredAPIVersion));
  const problem = converted.find((object) => typeof object === "string");
  const response =
    problem === undefined
      ? { uid, result: { status: "Success" }, convertedObjects: converted }
      : { uid, result: { status: "Failure", message: problem }, convertedObjects: [] };
  return json({ apiVersion: review.apiVersion, kind: review.kind, response });
}

export function* crdConversionWebhook(context: ProgramContext, args: readonly string[]): Work<number> {
  const { system, process } = context;
  // Flags that take no value (`--alsologtostderr`, `-v=4`) do not matter here.
  const given = new Map(
    args.flatMap((arg) => [...arg.matchAll(/^--([\w-]+)=(.*)$/gs)].map(([, name = "", value = ""]) => [name, value])),
  );
  const file = (name: string): string => system.tree.read(given.get(name) ?? "", context.who);
  const tls = { cert: file("tls-cert-file"), key: file("tls-private-key-file") };
  listen(system, Number(given.get("port") ?? DEFAULT_PORT), { protocol: "TCP", http: answer, tls });
  process.handlers.set("TERM", "handle");
  while (process.pending.length === 0) yield { ready: () => process.pending.length > 0, interruptible: true };
  return 0;
}
