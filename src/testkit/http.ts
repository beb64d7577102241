import { request as httpsRequest } from "node:https";
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

/** One signed call of the EKS API over HTTP, e.g. `eksCall(caller, "POST", "/clusters", {...})`. Rejects with ApiError. */
export async function eksCall<T>(caller: Caller, method: string, path: string, body?: unknown): Promise<T> {
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
  const response = await fetch(url, { method, headers: rest, ...(text ? { body: text } : {}) });
  const answer = (await response.json()) as { message?: string };
  if (!response.ok)
    throw new ApiError(response.status, response.headers.get("x-amzn-errortype") ?? "", answer.message ?? "");
  return answer as T;
}

/** A token for a cluster's API server, as `aws eks get-token` makes it. */
export const eksToken = ({ region, credentials, wallNow }: Caller, clusterName: string): string =>
  createEksToken({ clusterName, region, credentials, nowMs: wallNow() });

export interface KubernetesEndpoint {
  endpoint: string;
  caPem: string;
  clusterName: string;
}

/** One call of a cluster's API server over HTTPS with an EKS token, e.g. `GET /api/v1/nodes`. Rejects with ApiError. */
export function kubernetesCall<T>(
  caller: Caller,
  cluster: KubernetesEndpoint,
  method: string,
  path: string,
  body?: unknown,
): Promise<T> {
  const token = eksToken(caller, cluster.clusterName);
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      new URL(cluster.endpoint + path),
      {
        method,
        ca: cluster.caPem,
        headers: {
          authorization: `Bearer ${token}`,
          accept: "application/json",
          ...(text ? { "content-type": "application/json" } : {}),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const answer = JSON.parse(Buffer.concat(chunks).toString("utf8")) as T & {
            reason?: string;
            message?: string;
          };
          const status = response.statusCode ?? 0;
          if (status >= 400) reject(new ApiError(status, answer.reason ?? "", answer.message ?? ""));
          else resolve(answer);
        });
      },
    );
    request.on("error", reject);
    request.end(text);
  });
}
