/** The real kubectl against a server that answers discovery and OpenAPI and hands every body to the test. Absent on some machines: `kubectlPath()` tells. */
import { execFile, execFileSync } from "node:child_process";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createOpenApi } from "../../../src/kubernetes/schema/openapi/documents.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { createDiscovery } from "../../../src/kubernetes/wire/discovery.js";

export function kubectlPath(): string | undefined {
  try {
    return execFileSync("sh", ["-c", "command -v kubectl"], { encoding: "utf8" }).trim() || undefined;
  } catch {
    return undefined;
  }
}

export interface Received {
  method: string;
  path: string;
  query: URLSearchParams;
  contentType: string | undefined;
  accept: string | undefined;
  bytes: Buffer;
}

export interface Answer {
  status?: number;
  contentType?: string;
  body: string;
}

/** Serves until `stop`; `answer` gets what is neither discovery nor OpenAPI. */
export async function startServer(
  answer: (request: Received) => Answer | undefined,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const discovery = createDiscovery({
    resources: builtinResources,
    generation: () => 1,
    serverAddress: () => "127.0.0.1",
  });
  const openApi = createOpenApi({ resources: builtinResources, generation: () => 1, gitVersion: "v1.36.1" });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const url = new URL(request.url ?? "/", "http://localhost");
    const { method = "", headers } = request;
    const found: Answer = discovery.answer(url.pathname, headers.accept) ??
      (url.pathname === "/openapi/v3"
        ? openApi.index()
        : openApi.groupVersion(url.pathname.replace(/^\/openapi\/v3\//, ""))) ??
      answer({
        method,
        path: url.pathname,
        query: url.searchParams,
        contentType: headers["content-type"],
        accept: headers.accept,
        bytes: Buffer.concat(chunks),
      }) ?? {
        status: 404,
        body: JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", reason: "NotFound", code: 404 }),
      };
    response
      .writeHead(found.status ?? 200, { "content-type": found.contentType ?? "application/json" })
      .end(found.body);
  };
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = (): Promise<void> => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
}

/** Runs kubectl against `server` without any configuration or cache of the user's. */
export function kubectl(
  server: string,
  home: string,
  args: readonly string[],
  input = "",
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH ?? "", HOME: home, KUBECONFIG: "/dev/null" };
    const child = execFile(
      "kubectl",
      ["--server", server, ...args],
      { env, timeout: 120_000 },
      (error, stdout, stderr) => {
        resolve({ code: error ? 1 : 0, stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}
