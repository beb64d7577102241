import { request as httpsRequest } from "node:https";
import type { SimulatedCluster } from "../../src/kubernetes/cluster.js";
import type { Reply } from "./server/server-fixture.js";

export interface ClientCall {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** A client certificate instead of the administrator's token. */
  certificate?: { cert: string; key: string };
  token?: string;
}

/** Options of a cluster whose token `admin` is a member of system:masters, and whose other tokens are user names. */
export const tokenUsers = {
  tokenAuthenticators: [
    {
      name: "test",
      authenticate: (token: string) =>
        token.includes(".")
          ? undefined
          : { user: { username: token, groups: token === "admin" ? ["system:masters"] : [] } },
    },
  ],
};

/** Serves the cluster over HTTPS and gives a plain client for it. */
export async function connect(cluster: SimulatedCluster, caCert: string) {
  const port = await cluster.listen({ host: "127.0.0.1", port: 0 });
  const call = (path: string, options: ClientCall = {}): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const { method = "GET", body, headers = {}, certificate, token = "admin" } = options;
      const request = httpsRequest(
        {
          host: "127.0.0.1",
          port,
          path,
          method,
          ca: caCert,
          ...certificate,
          agent: false,
          headers: {
            ...(certificate ? {} : { authorization: `Bearer ${token}` }),
            ...(body === undefined ? {} : { "content-type": "application/json" }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            let parsed: unknown;
            try {
              parsed = JSON.parse(text);
            } catch {
              parsed = undefined;
            }
            resolve({ code: response.statusCode ?? 0, headers: response.headers, text, body: parsed });
          });
        },
      );
      request.on("error", reject);
      request.end(body === undefined || typeof body === "string" ? body : JSON.stringify(body));
    });
  return { port, call };
}

export type Client = Awaited<ReturnType<typeof connect>>;
