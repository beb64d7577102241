import { Duplex } from "node:stream";
import type { Clock } from "../../clock/clock.js";
import type { Listener } from "./machine/listeners.js";
import type { HttpResponse } from "./machine/network.js";

/** A connection to something that listens in a pod: HTTP is parsed by node's own server, everything else goes to the listener line by line. */

/** Two ends of one connection inside this process. */
function pair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      allowHalfOpen: true,
      read() {},
      write(chunk, _encoding, done) {
        other().push(chunk);
        done();
      },
      final(done) {
        other().push(null);
        done();
      },
      destroy(error, done) {
        const peer = other();
        if (!peer.destroyed && !peer.readableEnded) peer.push(null);
        done(error);
      },
    });
  const ends: Duplex[] = [];
  ends.push(
    make(() => ends[1] as Duplex),
    make(() => ends[0] as Duplex),
  );
  return ends as [Duplex, Duplex];
}

/** What a TLS connection begins with: a record of the handshake. */
const TLS_HANDSHAKE = 0x16;
const METHOD = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE) /;

/** The client's end of a connection to the listener. */
export async function serveHttp(listener: Listener, clock: Clock): Promise<Duplex> {
  const { createServer } = await import("node:http");
  const tls = listener.tls && (await import("node:tls"));
  const [client, server] = pair();
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(request.headers)) headers[name] = String(value);
      const answer = async (): Promise<HttpResponse> => {
        if (!listener.http) return { status: 400, body: "" };
        return await listener.http({
          method: request.method ?? "GET",
          path: request.url ?? "/",
          headers,
          body: Buffer.concat(chunks).toString("latin1"),
          remoteAddress: "127.0.0.1",
        });
      };
      void clock.track(
        answer().then(
          ({ status, headers: own = {}, body, delayMs = 0 }) => {
            const send = (): void => {
              const bytes = Buffer.from(body, "latin1");
              response.writeHead(status, {
                "content-type": "text/plain; charset=utf-8",
                "content-length": bytes.length,
                ...own,
              });
              response.end(bytes);
            };
            if (delayMs === 0) send();
            else if (Number.isFinite(delayMs)) clock.timer(delayMs, send);
          },
          (error: unknown) => {
            response.writeHead(500, { "content-type": "text/plain" });
            response.end(error instanceof Error ? error.message : String(error));
          },
        ),
      );
    });
  });
  // What speaks first tells the protocol.
  server.once("data", (first: Buffer) => {
    if (tls && listener.tls && first[0] === TLS_HANDSHAKE) {
      server.pause();
      server.unshift(first);
      const secured = new tls.TLSSocket(server, {
        isServer: true,
        secureContext: tls.createSecureContext(listener.tls),
      });
      secured.on("error", () => secured.destroy());
      http.emit("connection", secured);
      return;
    }
    if (listener.http && first[0] === TLS_HANDSHAKE) {
      // Go's words, which are no TLS: the client's handshake fails at once.
      server.end("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTPS request to an HTTP server.\n");
      return;
    }
    const text = first.toString("latin1");
    if (listener.http && METHOD.test(text)) {
      server.pause();
      server.unshift(first);
      http.emit("connection", server);
      // A stream that was paused by hand does not begin to flow with its first listener.
      server.resume();
      return;
    }
    const answer = (data: string): void => {
      const back = listener.line?.(data) ?? "";
      if (back !== "") server.write(Buffer.from(back, "latin1"));
    };
    answer(text);
    server.on("data", (chunk: Buffer) => answer(chunk.toString("latin1")));
    server.on("end", () => server.end());
  });
  server.on("error", () => server.destroy());
  return client;
}
