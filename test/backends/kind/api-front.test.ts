/** What clients hear of API servers while eksim stands before them. */

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { createServer, get, request, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ApiFront, createApiFront, PASS_HEADER } from "../../../src/backends/kind/api-front.js";
import type { Clock } from "../../../src/clock/clock.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { makeCertificates } from "../../kubernetes/server/certificates.js";

const { clientCertificate, ...tls } = makeCertificates();
const PROXY = clientCertificate("front-proxy-client", "nobody");
const KUBELET = clientCertificate("system:node:n", "system:nodes");

let clock: Clock;
let server: Server;
let front: ApiFront;
/** What the API server was asked, and by whom as far as certificates say. */
let asked: { url: string; headers: IncomingHttpHeaders; certificate: string | undefined; text: string }[];
/** Of a master that is there. */
let servers: { host: string; port: number }[];

beforeEach(async () => {
  clock = createClock({ kind: "real" }, { seed: 1 });
  asked = [];
  server = createServer(
    { cert: tls.serverCert, key: tls.serverKey, ca: tls.caCert, requestCert: true, rejectUnauthorized: false },
    (message, response) => {
      const certificate = (message.socket as TLSSocket).getPeerCertificate().subject?.CN?.toString();
      let text = "";
      message.on("data", (chunk) => {
        text += chunk;
      });
      message.on("end", () => {
        asked.push({ url: message.url ?? "", headers: message.headers, certificate, text });
        response.writeHead(201, { "x-kept": "yes" });
        response.write("first\n");
        if (!message.url?.includes("watch")) {
          response.end("last");
          return;
        }
        const more = setInterval(() => response.write("more\n"), 5);
        response.on("close", () => clearInterval(more));
      });
    },
  );
  server.on("upgrade", (_, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: SPDY/3.1\r\nconnection: Upgrade\r\n\r\n");
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
  servers = [{ host: "127.0.0.1", port: (server.address() as AddressInfo).port }];
  front = await createApiFront({
    clock,
    host: "127.0.0.1",
    certificates: { ca: tls.caCert, server: { cert: tls.serverCert, key: tls.serverKey }, proxy: PROXY },
    pass: "eksim's own",
    servers: () => servers,
  });
});
afterEach(() => {
  front.close();
  server.closeAllConnections();
  server.close();
  clock.stop();
});

interface Heard {
  code: number;
  headers: IncomingHttpHeaders;
  text: string;
}

const ask = (path: string, options: Record<string, unknown> = {}, body = ""): Promise<Heard> =>
  new Promise((resolve, reject) => {
    const sent = request(
      { host: "127.0.0.1", port: front.port, path, ca: tls.caCert, agent: false, ...options },
      (response: IncomingMessage) => {
        let text = "";
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve({ code: response.statusCode ?? 0, headers: response.headers, text }));
        response.on("error", reject);
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });

describe("an API server behind eksim", () => {
  it("answers as ever while nothing is wrong, and hears who asks by his token", async () => {
    const heard = await ask("/api/v1/pods", { method: "POST", headers: { authorization: "Bearer x" } }, "body");
    expect(heard).toMatchObject({ code: 201, headers: { "x-kept": "yes" }, text: "first\nlast" });
    expect(asked).toMatchObject([
      { url: "/api/v1/pods", headers: { authorization: "Bearer x" }, certificate: undefined, text: "body" },
    ]);
  });

  it("hears who has a certificate from the front proxy, and from nobody who merely says so", async () => {
    await ask("/api", { ...KUBELET });
    await ask("/api", { headers: { "x-remote-user": "admin", "X-Remote-Group": "system:masters" } });
    expect(asked[0]).toMatchObject({
      certificate: "front-proxy-client",
      headers: { "x-remote-user": "system:node:n", "x-remote-group": "system:nodes" },
    });
    expect(asked[1]?.certificate).toBeUndefined();
    expect(Object.keys(asked[1]?.headers ?? {}).filter((name) => name.startsWith("x-remote"))).toEqual([]);
  });

  it("throttles and fails clients, but neither health checks nor eksim", async () => {
    front.set({ throttledPercent: 100 });
    expect(await ask("/version")).toMatchObject({ code: 429, headers: { "retry-after": "1" } });
    expect((await ask("/readyz?verbose")).code).toBe(201);
    expect((await ask("/version", { headers: { [PASS_HEADER]: "eksim's own" } })).code).toBe(201);
    expect(asked.at(-1)?.headers[PASS_HEADER]).toBeUndefined();
    front.set({ failedPercent: 100 });
    const failed = await ask("/version");
    expect(failed.code).toBe(500);
    expect(JSON.parse(failed.text)).toMatchObject({ kind: "Status", reason: "InternalError", code: 500 });
    front.set({ failedPercent: 50 });
    const codes = await Promise.all(Array.from({ length: 40 }, async () => (await ask("/version")).code));
    expect([...new Set(codes)].sort()).toEqual([201, 500]);
  });

  it("is late", async () => {
    front.set({ latencyMs: 300 });
    const beganMs = clock.now();
    expect((await ask("/version")).code).toBe(201);
    expect(clock.now() - beganMs).toBeGreaterThan(250);
  });

  it("asks nothing for those who have not waited", async () => {
    front.set({ latencyMs: 300 });
    const waits: (() => void)[] = [];
    const sleep = vi.spyOn(clock, "sleep").mockImplementation(() => new Promise((resolve) => waits.push(resolve)));
    let connections = 0;
    let own = 0;
    server.on("connection", () => connections++);
    const aWhile = async (): Promise<void> => {
      for (let turn = 0; turn < 5; turn++, own++)
        await ask("/version", { headers: { [PASS_HEADER]: "eksim's own", connection: "close" } });
    };
    for (const headers of [{}, { connection: "Upgrade", upgrade: "SPDY/3.1" }]) {
      const sent = get({
        host: "127.0.0.1",
        port: front.port,
        path: "/version",
        ca: tls.caCert,
        agent: false,
        headers,
      });
      sent.on("error", () => {});
      const before = waits.length;
      while (waits.length === before) await aWhile();
      sent.destroy();
    }
    await aWhile();
    for (const goOn of waits) goOn();
    await aWhile();
    // Those of the requests that eksim itself has made.
    expect(connections).toBe(own);
    sleep.mockRestore();
  });

  it("ends watches, properly, some time after they began", async () => {
    front.set({ watchesEndAfterMs: 200 });
    const { code, text } = await ask("/api/v1/pods?watch=true");
    expect(code).toBe(201);
    expect(text).toMatch(/^first\n(more\n)+$/);
    // What the API server goes on saying for a moment concerns nobody.
    expect((await ask("/version")).code).toBe(201);
  });

  it("opens streams for commands and forwarded ports, unless it fails them", async () => {
    const stream = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const headers = { connection: "Upgrade", upgrade: "SPDY/3.1" };
        const sent = get({ host: "127.0.0.1", port: front.port, path: "/exec", ca: tls.caCert, agent: false, headers });
        sent.on("upgrade", (_, socket) => {
          socket.once("data", (chunk: Buffer) => {
            resolve(chunk.toString());
            socket.destroy();
          });
          socket.write("echo");
        });
        sent.on("response", ({ statusCode }) => resolve(String(statusCode)));
        sent.on("error", reject);
      });
    expect(await stream()).toBe("echo");
    front.set({ failedPercent: 100 });
    expect(await stream()).toBe("500");
  });

  it("is not there while no master is, and says so as API servers do", async () => {
    const [present] = servers;
    servers = [];
    expect(JSON.parse((await ask("/version")).text)).toMatchObject({ reason: "ServiceUnavailable" });
    servers = [{ host: "127.0.0.1", port: 1 }];
    expect((await ask("/version")).code).toBe(503);
    servers = present ? [present] : [];
    expect((await ask("/version")).code).toBe(201);
  });
});
