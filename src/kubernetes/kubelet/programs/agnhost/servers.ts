import { FileError } from "../../machine/files.js";
import type { Work } from "../../machine/kernel.js";
import { listen } from "../../machine/listeners.js";
import type { HttpRequest, HttpResponse } from "../../machine/network.js";
import type { ProgramContext } from "../../machine/program.js";
import { log, parse, query, serveUntil, text } from "./command.js";

/** The small servers of agnhost. */

export function* serveHostname(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args, ["http", "tcp", "udp", "close"]);
  const port = Number(flags.get("port") ?? 9376);
  const name = context.system.hostname;
  listen(context.system, port, { protocol: "TCP", http: () => text(name), line: () => `${name}\n` });
  log(context, `Serving on port ${port}.`);
  return yield* serveUntil(context, () => undefined);
}

/** Answers /healthz well for ten seconds and badly ever after. */
export function* liveness(context: ProgramContext): Work<number> {
  const { kernel } = context.system;
  const startedMs = kernel.now();
  listen(context.system, 8080, {
    protocol: "TCP",
    http(request) {
      const { path, get } = query(request);
      const seconds = (kernel.now() - startedMs) / 1000;
      if (path === "/started") return text(`${seconds}s`);
      if (path === "/redirect")
        return { status: 302, headers: { location: get("loc") }, body: `<a href="${get("loc")}">Found</a>.\n\n` };
      if (path !== "/healthz") return text("404 page not found\n", 404);
      return seconds > 10 ? text(`error: ${seconds}`, 500) : text("ok");
    },
  });
  return yield* serveUntil(context, () => undefined);
}

export function* testWebserver(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args);
  const { tree } = context.system;
  listen(context.system, Number(flags.get("port") ?? 80), {
    protocol: "TCP",
    http({ path }) {
      const plain = decodeURI(path.replace(/\?.*$/, ""));
      try {
        const node = tree.get(plain, context.who);
        if (node.is === "directory")
          return text(
            `<pre>\n${tree
              .names(plain, context.who)
              .map((name) => `<a href="${name}">${name}</a>\n`)
              .join("")}</pre>\n`,
          );
        return text(tree.read(plain, context.who));
      } catch (error) {
        if (error instanceof FileError) return text("404 page not found\n", 404);
        throw error;
      }
    },
  });
  return yield* serveUntil(context, () => undefined);
}

export function* grpcHealth(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args);
  const { kernel } = context.system;
  const startedMs = kernel.now();
  const delaySeconds = Number(flags.get("delay-unhealthy-sec") ?? -1);
  const service = flags.get("service") ?? "";
  let forced: "SERVING" | "NOT_SERVING" | undefined;
  listen(context.system, Number(flags.get("port") ?? 5000), {
    protocol: "TCP",
    grpc(wanted) {
      if (wanted !== service) return "UNKNOWN";
      if (forced) return forced;
      return delaySeconds >= 0 && kernel.now() - startedMs >= delaySeconds * 1000 ? "NOT_SERVING" : "SERVING";
    },
  });
  listen(context.system, Number(flags.get("http-port") ?? 8080), {
    protocol: "TCP",
    http(request) {
      const { path } = query(request);
      if (path === "/make-serving") forced = "SERVING";
      if (path === "/make-not-serving") forced = "NOT_SERVING";
      return text("");
    },
  });
  log(context, `Http server starting to listen on :${flags.get("http-port") ?? 8080}`);
  log(context, `gRPC server starting to listen on :${flags.get("port") ?? 5000}`);
  return yield* serveUntil(context, () => undefined);
}

/** Counts who writes to it. Of looking for its peers, nothing but that it is at it. */
export function* nettest(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args);
  const Hostname = context.system.hostname;
  const received: Record<string, number> = {};
  const errors: string[] = [];
  let end: number | undefined;
  const write = (body: string): void => {
    try {
      const { Source } = JSON.parse(body) as { Source?: unknown };
      if (typeof Source === "string" && Source !== "") received[Source] = (received[Source] ?? 0) + 1;
      else errors.push(`${Hostname}: Got request with no source`);
    } catch {
      errors.push("invalid character in request");
    }
  };
  listen(context.system, Number(flags.get("port") ?? 8080), {
    protocol: "TCP",
    http(request) {
      const { path } = query(request);
      if (path === "/write") {
        write(request.body);
        return text(`${JSON.stringify({ Hostname })}\n`);
      }
      if (path === "/status") return text("running");
      if (path === "/quit") {
        end = 0;
        context.system.kernel.kick();
        return text("");
      }
      if (path !== "/read") return text("404 page not found\n", 404);
      const state = { Hostname, Sent: null, Received: received, Errors: errors, Log: null, StillContactingPeers: true };
      return text(JSON.stringify(state, null, "\t"));
    },
  });
  return yield* serveUntil(context, () => end);
}

/** Answers on every port that a variable SERVE_PORT_<n> names, with the variable's value. */
export function* porter(context: ProgramContext, args: readonly string[]): Work<number> {
  const asJson = args.includes("--json-response");
  for (const [name, value] of context.env) {
    const [, port] = /^SERVE_(?:TLS_)?PORT_(\d+)$/.exec(name) ?? [];
    if (!port) continue;
    const http = ({ method }: HttpRequest): HttpResponse => {
      if (asJson) return text(`${JSON.stringify({ Method: method, Body: value })}\n`);
      // As Go's server does: what begins with a tag is sent as a page.
      return value.startsWith("<a ")
        ? { ...text(value), headers: { "content-type": "text/html; charset=utf-8" } }
        : text(value);
    };
    listen(context.system, Number(port), { protocol: "TCP", http });
  }
  return yield* serveUntil(context, () => undefined);
}

/** The guestbook's back end, without its replication. */
export function* guestbook(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args);
  const values = new Map<string, string>();
  listen(context.system, Number(flags.get("http-port") ?? 80), {
    protocol: "TCP",
    http(request) {
      const { path, get } = query(request);
      if (path === "/guestbook" && get("cmd") === "set") {
        values.set(get("key"), get("value"));
        return text(JSON.stringify({ message: "Updated" }));
      }
      if (path === "/guestbook" && get("cmd") === "get")
        return text(JSON.stringify({ data: values.get(get("key")) ?? "" }));
      return text("");
    },
  });
  return yield* serveUntil(context, () => undefined);
}
