import { type Agent, request as httpsRequest } from "node:https";
import { type Credentials, createEksToken, signedHeaders } from "../identity/sigv4-signer.js";

/** A refusal of the EKS API or of a cluster's API server. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    /** `ResourceNotFoundException`, or the reason of a Kubernetes Status. */
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Who calls which emulator. */
export interface Caller {
  endpoint: string;
  region: string;
  credentials: Credentials;
  /** The machine's time, epoch ms: signatures are judged by it. */
  wallNow: () => number;
}

/** What was answered, refusals included. The body is parsed where it is JSON, otherwise text. */
export interface HttpAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: unknown;
}

function parsedBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** One signed call of the EKS API over HTTP, whatever it answers. */
export async function eksAnswer(
  caller: Caller,
  method: string,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<HttpAnswer> {
  const url = new URL(caller.endpoint + path);
  const text = body === undefined ? "" : JSON.stringify(body);
  const headers = signedHeaders({
    method,
    url,
    body: text,
    service: "eks",
    region: caller.region,
    credentials: caller.credentials,
    nowMs: caller.wallNow(),
  });
  const { host: _set, ...rest } = headers;
  const response = await fetch(url, {
    method,
    headers: rest,
    ...(text ? { body: text } : {}),
    ...(signal ? { signal } : {}),
  });
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: parsedBody(await response.text()),
  };
}

/** One signed call of the EKS API over HTTP, e.g. `eksCall(caller, "POST", "/clusters", {...})`. Rejects with ApiError. */
export async function eksCall<T>(caller: Caller, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await eksAnswer(caller, method, path, body);
  if (answer.status >= 200 && answer.status < 300) return answer.body as T;
  const { message = "" } = (answer.body ?? {}) as { message?: string };
  throw new ApiError(answer.status, answer.headers["x-amzn-errortype"] ?? "", message);
}

/** A token for a cluster's API server, as `aws eks get-token` makes it. */
export const eksToken = ({ region, credentials, wallNow }: Caller, clusterName: string): string =>
  createEksToken({ clusterName, region, credentials, nowMs: wallNow() });

export interface KubernetesEndpoint {
  endpoint: string;
  caPem: string;
  clusterName: string;
}

/** One call of a cluster's API server over HTTPS with an EKS token, whatever it answers. */
export async function kubernetesAnswer(
  caller: Caller,
  cluster: KubernetesEndpoint,
  request: KubernetesRequest,
): Promise<HttpAnswer> {
  try {
    return await askOnce(caller, cluster, request);
  } catch (error) {
    // A master that is gone takes along connections that were waiting for their next request: that says nothing of this one.
    if (!(error as { reusedSocket?: boolean }).reusedSocket || request.signal?.aborted) throw error;
    return askOnce(caller, cluster, request);
  }
}

function askOnce(
  caller: Caller,
  cluster: KubernetesEndpoint,
  { method, path, body, contentType = "application/json", signal, agent, token }: KubernetesRequest,
): Promise<HttpAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      new URL(cluster.endpoint + path),
      {
        method,
        ca: cluster.caPem,
        ...(signal ? { signal } : {}),
        ...(agent ? { agent } : {}),
        headers: {
          authorization: `Bearer ${token ?? eksToken(caller, cluster.clusterName)}`,
          accept: "application/json",
          // Told, because Node frames bodies of DELETE by itself in no way at all.
          ...(text ? { "content-type": contentType, "content-length": Buffer.byteLength(text) } : {}),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(headers) as Record<string, string>,
            body: parsedBody(Buffer.concat(chunks).toString("utf8")),
          });
        });
      },
    );
    request.on("error", (error) => reject(Object.assign(error, { reusedSocket: request.reusedSocket })));
    request.end(text);
  });
}

export interface KubernetesRequest {
  method: string;
  path: string;
  body?: unknown;
  /** Default: JSON. */
  contentType?: string;
  signal?: AbortSignal;
  /** Keeps connections for later calls. */
  agent?: Agent;
  /** Default: a new one. */
  token?: string;
}

/** One call of a cluster's API server over HTTPS with an EKS token, e.g. `GET /api/v1/nodes`. Rejects with ApiError. */
export async function kubernetesCall<T>(
  caller: Caller,
  cluster: KubernetesEndpoint,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const answer = await kubernetesAnswer(caller, cluster, { method, path, ...(body === undefined ? {} : { body }) });
  if (answer.status < 400) return answer.body as T;
  const { reason = "", message = "" } = (
    typeof answer.body === "object" && answer.body !== null ? answer.body : {}
  ) as {
    reason?: string;
    message?: string;
  };
  throw new ApiError(answer.status, reason, message);
}
