/** The clusters that a drift test compares: a simulated one in this process, and a real one wherever there is any. */
import { request as httpsRequest, type RequestOptions } from "node:https";
import { KubeConfig } from "@kubernetes/client-node";
import type { ClusterOptions } from "../../../src/kubernetes/cluster.js";
import { connect, tokenUsers } from "../cluster-client.js";
import { makeCertificates } from "../server/certificates.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

export interface Ask {
  method?: string;
  /** Sent as it is when it is text, else as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
}

export interface Told {
  code: number;
  /** The answer as JSON, or its text. */
  body: unknown;
  warning?: string | undefined;
}

export interface Subject {
  ask(path: string, ask?: Ask): Promise<Told>;
  /** Lets the controllers do something before one looks again. */
  pause(): Promise<void>;
}

const textOf = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(", ") : header;

/** Field managers are named after the program that asks. */
const USER_AGENT = { "user-agent": "drift" };

/** A simulated cluster with one ready node; closed after the test. */
export async function simulatedSubject(options: Partial<ClusterOptions> = {}) {
  const tls = makeCertificates();
  const { cluster, clock } = await startSimulated({ tls, ...tokenUsers, ...options });
  await cluster.addNode(nodeSpec(0));
  await clock.advance(60_000);
  const { call, port } = await connect(cluster, tls.caCert);
  const subject: Subject = {
    async ask(path, { headers, ...rest } = {}) {
      const reply = await call(path, { ...rest, headers: { ...USER_AGENT, ...headers } });
      return { code: reply.code, body: reply.body ?? reply.text, warning: textOf(reply.headers.warning) };
    },
    pause: () => clock.advance(1000),
  };
  const kubeconfig = JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "it",
    clusters: [
      {
        name: "it",
        cluster: {
          server: `https://127.0.0.1:${port}`,
          "certificate-authority-data": Buffer.from(tls.caCert).toString("base64"),
        },
      },
    ],
    contexts: [{ name: "it", context: { cluster: "it", user: "it" } }],
    users: [{ name: "it", user: { token: "admin" } }],
  });
  return { subject, cluster, kubeconfig };
}

/** The cluster of the current context of a kubeconfig, given as text. */
export function realSubject(kubeconfig: string): Subject {
  const config = new KubeConfig();
  config.loadFromString(kubeconfig);
  const server = config.getCurrentCluster()?.server;
  if (!server) throw new Error("the kubeconfig names no current cluster");
  return {
    async ask(path, { method = "GET", body, headers } = {}) {
      const sent = body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body);
      const options: RequestOptions = {
        method,
        agent: false,
        headers: {
          ...USER_AGENT,
          // Said outright: Node leaves it out for methods that seldom have a body.
          ...(sent === undefined
            ? {}
            : { "content-type": "application/json", "content-length": String(Buffer.byteLength(sent)) }),
          ...headers,
        },
      };
      await config.applyToHTTPSOptions(options);
      return new Promise((resolve, reject) => {
        const request = httpsRequest(new URL(path, server), options, (response) => {
          const chunks: Buffer[] = [];
          response.on("data", (chunk: Buffer) => chunks.push(chunk));
          response.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            let answer: unknown = text;
            try {
              answer = JSON.parse(text);
            } catch {
              // A plain text, then.
            }
            resolve({ code: response.statusCode ?? 0, body: answer, warning: textOf(response.headers.warning) });
          });
        });
        request.on("error", reject);
        request.end(sent);
      });
    },
    pause: () => new Promise((resolve) => setTimeout(resolve, 1000)),
  };
}
