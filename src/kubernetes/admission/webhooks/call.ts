/**
 * Calls of webhooks: for admission, for the conversion of custom resources, and wherever else the API server asks somebody outside over HTTPS. A URL is
 * called as it is; a Service is a process on this machine (annotation `eksim.dev/host-endpoint`) or a pod behind it. Failures are worded as Go's HTTP
 * client words them, because people search for those words.
 */
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as httpsRequest } from "node:https";
import type { Duplex } from "node:stream";
import { connect as tlsConnect } from "node:tls";
import type { Clock } from "../../../clock/clock.js";
import type { Random } from "../../../clock/random.js";
import { isStatusError } from "../../errors.js";
import type { Exchange } from "../../network/zone-network.js";
import type { ObjectKey } from "../../object.js";
import { type ProxyReader, type ProxyTarget, serviceTarget } from "../../streams/proxy/target.js";
import { reasonOf, UnknownServerError, WebhookCallError } from "./failures.js";

/** How a webhook is reached: `clientConfig` of webhook configurations, of conversions, `spec` of API services. */
export interface WebhookClient {
  url?: string;
  service?: { namespace?: string; name?: string; path?: string; port?: number };
  /** PEM in base64; the system's authorities without it. */
  caBundle?: string;
}

export interface WebhookCaller {
  /** Posts a body and gives the answer's, parsed. Rejects with WebhookCallError. */
  post(client: WebhookClient, body: object, timeoutSeconds: number, how?: CallCircumstances): Promise<unknown>;
  /** One exchange with a Service's process or pod as its answer comes: for whoever reads it otherwise than whole. Rejects with WebhookCallError. */
  open(client: WebhookClient, exchange: OpenExchange): Promise<OpenedExchange>;
  /** Ends connections that are kept for later calls. */
  close(): void;
}

export interface CallCircumstances {
  /** Whoever the call is made for can be kept waiting until time has gone by. Others hear at once what they would have heard then. */
  patient?: boolean | undefined;
  /** Nobody is reached there: connections are refused, or never answered. */
  outage?: "refused" | "timeout" | undefined;
}

export interface OpenExchange extends Pick<CallCircumstances, "patient"> {
  method: string;
  /** Path and query; appended to nothing: the whole target. */
  path: string;
  headers: Record<string, string | string[] | undefined>;
  /** False: whatever certificate the other side has is taken. */
  verify?: boolean;
  timeoutSeconds?: number;
}

export interface OpenedExchange {
  /** To be written to and ended by whoever asked for it. */
  outgoing: ClientRequest;
  /** As messages show it. */
  url: string;
  /** Go's words for an error of the exchange. */
  reason(error: unknown): string;
}

export interface CallerDependencies {
  clock: Clock;
  /** Chooses among endpoints. */
  random: Random;
  reader: ProxyReader;
  /** Shown by `open` to whoever asks for one: how the API server proves itself to extension API servers. */
  clientCertificate?(): { cert: string; key: string };
  /** A connection to a port of a pod; absent where there are no pods to connect to. */
  connect?(pod: ObjectKey, port: number): Promise<Duplex>;
  /** See PodStreams. */
  dial?(pod: ObjectKey): Exchange;
  standIn?(pod: ObjectKey, port: number): "programmed" | "unknown" | undefined;
}

/** No answer of a webhook is larger. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** Go gives up a connection that nobody answers after so long. */
const DIAL_TIMEOUT_MS = 30_000;
const LATE = "context deadline exceeded";

/** Where a call goes. */
interface Destination {
  /** As messages show it. */
  url: string;
  path: string;
  serverName: string;
  /** Who answers there now. Throws WebhookCallError. */
  resolve(): ProxyTarget;
}

const addressOf = (target: ProxyTarget): string => {
  if (target.kind === "pod") return target.host;
  const { hostname, port, protocol } = target.url;
  return `${hostname}:${port || (protocol === "http:" ? "80" : "443")}`;
};

export function createWebhookCaller({
  clock,
  random,
  reader,
  clientCertificate,
  connect,
  dial,
  standIn,
}: CallerDependencies): WebhookCaller {
  const httpsAgent = new HttpsAgent({ keepAlive: true });
  const httpAgent = new HttpAgent({ keepAlive: true });

  function serviceEndpoint(namespace: string, name: string, port: number): ProxyTarget {
    if (!reader.get("services", { namespace, name }))
      throw new WebhookCallError(`service ${JSON.stringify(name)} not found`);
    try {
      return serviceTarget(reader, namespace, `${name}:${port}`, (count) => random.integer(0, count - 1));
    } catch (error) {
      if (!isStatusError(error)) throw error;
      const empty = error.message.startsWith("no endpoints available");
      throw new WebhookCallError(empty ? `no endpoints available for service ${JSON.stringify(name)}` : error.message);
    }
  }

  function destinationOf({ url, service }: WebhookClient, path: string | undefined): Destination {
    if (url) {
      const parsed = new URL(url);
      return {
        url,
        path: path ?? `${parsed.pathname}${parsed.search}`,
        serverName: parsed.hostname.replace(/^\[|\]$/g, ""),
        resolve: () => ({ kind: "process", url: parsed, host: parsed.host }),
      };
    }
    const { namespace = "", name = "", port = 443 } = service ?? {};
    const serverName = `${name}.${namespace}.svc`;
    const where = path ?? (service?.path || "/");
    return {
      url: `https://${serverName}:${port}${where}`,
      path: where,
      serverName,
      resolve: () => serviceEndpoint(namespace, name, port),
    };
  }

  async function begin(
    target: ProxyTarget,
    { path, serverName }: Destination,
    { method, headers }: Pick<OpenExchange, "method" | "headers">,
    tls: { ca?: string; rejectUnauthorized: boolean; cert?: string; key?: string },
  ): Promise<ClientRequest> {
    const host = target.kind === "process" && serverName === target.url.hostname ? target.url.host : serverName;
    const options = { method, path, headers: { host, ...headers } };
    const servername = /^[\d.]+$|:/.test(serverName) ? undefined : serverName;
    if (target.kind === "process") {
      const { hostname, port, protocol } = target.url;
      const at = {
        ...options,
        hostname: hostname.replace(/^\[|\]$/g, ""),
        port: port || (protocol === "http:" ? 80 : 443),
      };
      // The process of a Service may do without TLS: it is on this machine.
      if (protocol === "http:") return httpRequest({ ...at, agent: httpAgent });
      return httpsRequest({ ...at, ...tls, servername, agent: httpsAgent });
    }
    if (!connect) throw new WebhookCallError(`dial tcp ${target.host}: connect: no route to host`);
    let socket: Duplex;
    let server: "programmed" | "unknown" | undefined;
    try {
      socket = await connect(target.pod, target.port);
      server = standIn?.(target.pod, target.port);
    } catch {
      throw new WebhookCallError(`dial tcp ${target.host}: connect: connection refused`);
    }
    if (server === "unknown") {
      socket.destroy();
      throw new UnknownServerError("http: server gave HTTP response to HTTPS client");
    }
    // Programmed answers have no certificate to show.
    if (server === "programmed") return httpRequest({ ...options, createConnection: () => socket });
    const secured = tlsConnect({ socket, servername, ...tls });
    return httpRequest({ ...options, createConnection: () => secured });
  }

  /** Ends the request when time is up: by the clock, and by the machine's own, because who is called lives by that. */
  function limit(outgoing: ClientRequest, timeoutSeconds: number): () => void {
    const expire = (): void => void outgoing.destroy(new WebhookCallError(LATE));
    const timer = clock.kind === "scaled" ? undefined : clock.timer(timeoutSeconds * 1000, expire);
    const own = AbortSignal.timeout(timeoutSeconds * 1000);
    own.addEventListener("abort", expire);
    return () => {
      timer?.cancel();
      own.removeEventListener("abort", expire);
    };
  }

  /** How long it takes to get there and back, simulated ms; infinite where nothing does. */
  function wayTo(target: ProxyTarget): number {
    if (target.kind !== "pod" || !dial) return 0;
    try {
      return dial(target.pod).totalMs;
    } catch (error) {
      if (!isStatusError(error)) throw error;
      return Number.POSITIVE_INFINITY;
    }
  }

  /** Lets the time go by that the way takes. Throws when that is more than there is. */
  async function travel(wayMs: number, timeoutMs: number, { patient }: CallCircumstances, late: string): Promise<void> {
    if (patient && wayMs > 0) await clock.sleep(Math.min(wayMs, timeoutMs));
    if (wayMs >= timeoutMs) throw new WebhookCallError(late);
  }

  const tlsOf = (client: WebhookClient, verify = true) => ({
    ...(client.caBundle ? { ca: Buffer.from(client.caBundle, "base64").toString() } : {}),
    rejectUnauthorized: verify,
  });

  return {
    async post(client, body, timeoutSeconds, how = {}) {
      const payload = Buffer.from(JSON.stringify(body));
      const destination = destinationOf(client, undefined);
      const query = `${destination.path.includes("?") ? "&" : "?"}timeout=${timeoutSeconds}s`;
      let address = "";
      const failed = (error: unknown): WebhookCallError => {
        const kind = error instanceof UnknownServerError ? UnknownServerError : WebhookCallError;
        return new kind(`Post "${destination.url}${query}": ${reasonOf(error, address, destination.serverName)}`);
      };
      let outgoing: ClientRequest;
      try {
        const target = destination.resolve();
        address = addressOf(target);
        if (how.outage === "refused") throw new WebhookCallError(`dial tcp ${address}: connect: connection refused`);
        const wayMs = how.outage === "timeout" ? Number.POSITIVE_INFINITY : wayTo(target);
        await travel(wayMs, timeoutSeconds * 1000, how, LATE);
        const headers = {
          "content-type": "application/json",
          accept: "application/json, */*",
          "content-length": String(payload.length),
          "user-agent": "kube-apiserver-admission",
        };
        const path = `${destination.path}${query}`;
        outgoing = await begin(target, { ...destination, path }, { method: "POST", headers }, tlsOf(client));
      } catch (error) {
        throw failed(error);
      }
      const answer = await new Promise<{ code: number; text: string }>((resolve, reject) => {
        const stop = limit(outgoing, timeoutSeconds);
        const end = (settle: () => void): void => {
          stop();
          settle();
        };
        outgoing.on("error", (error) => end(() => reject(failed(error))));
        outgoing.on(
          "response",
          (response) =>
            void readAll(response).then(
              (text) => end(() => resolve({ code: response.statusCode ?? 0, text })),
              (error: unknown) => end(() => reject(failed(error))),
            ),
        );
        outgoing.end(payload);
      });
      return parsedAnswer(answer);
    },
    async open(client, { path, verify, timeoutSeconds, patient, ...exchange }) {
      const destination = destinationOf(client, path);
      const target = destination.resolve();
      const [limitMs, late] =
        timeoutSeconds === undefined
          ? [DIAL_TIMEOUT_MS, `dial tcp ${addressOf(target)}: i/o timeout`]
          : [timeoutSeconds * 1000, LATE];
      await travel(wayTo(target), limitMs, { patient }, late);
      const tls = { ...tlsOf(client, verify), ...clientCertificate?.() };
      const outgoing = await begin(target, destination, exchange, tls);
      if (timeoutSeconds !== undefined) {
        const stop = limit(outgoing, timeoutSeconds);
        outgoing.once("response", stop);
        outgoing.once("error", stop);
      }
      const reason = (error: unknown): string => reasonOf(error, addressOf(target), destination.serverName);
      return { outgoing, url: destination.url, reason };
    },
    close() {
      httpsAgent.destroy();
      httpAgent.destroy();
    },
  };
}

/** Rejects when the answer breaks off or is too large. */
export async function readAll(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > MAX_ANSWER_BYTES) throw new WebhookCallError("http: response body too large");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** What client-go makes of an answer that is no success, or no JSON. */
function parsedAnswer({ code, text }: { code: number; text: string }): unknown {
  if (code === 404) throw new WebhookCallError("the server could not find the requested resource");
  if (code === 403) throw new WebhookCallError(text.trim() || "forbidden");
  if (code < 200 || code > 206)
    throw new WebhookCallError(
      `an error on the server (${JSON.stringify(text.trim().slice(0, 2048) || "unknown")}) has prevented the request from succeeding`,
    );
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new WebhookCallError(
      text.trim() === ""
        ? "unexpected end of JSON input"
        : `couldn't get version/kind; json parse error: invalid character '${text.trim()[0]}' looking for beginning of value`,
    );
  }
}
