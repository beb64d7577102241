import type { Work } from "../../machine/kernel.js";
import { type Listener, listen } from "../../machine/listeners.js";
import type { HttpRequest, HttpResponse } from "../../machine/network.js";
import { type Program, type ProgramContext, pause } from "../../machine/program.js";
import { TextOutput, textInput } from "../../machine/streams.js";
import { formatDate } from "../dates.js";
import { durationMs } from "../options.js";
import { log, parse, query, serveUntil, text } from "./command.js";

/** netexec: the server that answers with its name, its caller, the time or what a shell says, over HTTP and UDP. */

export function* netexec(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args);
  const { system } = context;
  const port = Number(flags.get("http-port") ?? 8080);
  const udpPort = Number(flags.get("udp-port") ?? 8081);
  const override = flags.get("http-override");
  const delayMs = durationMs(flags.get("delay-shutdown") ?? "0s") ?? 0;
  let end: number | undefined;
  const exit = (code: number, waitMs = 0): void => {
    system.kernel.spawn({
      container: system.container,
      argv: ["shutdown"],
      *work() {
        yield* pause(context, waitMs);
        end = code;
        return 0;
      },
    });
    system.kernel.kick();
  };
  const line = (message: string): string => {
    const command = message.trim();
    if (/^hostname$/i.test(command)) return system.hostname;
    return /^echo /i.test(command) ? command.slice(5) : "";
  };
  const answer = (request: HttpRequest): HttpResponse | Promise<HttpResponse> => {
    const { path, get } = query(override === undefined ? request : { ...request, method: "GET", path: override });
    log(context, `${request.method} ${path === "/echo" ? `/echo?msg=${get("msg")}&code=${get("code")}` : path}`);
    switch (path) {
      case "/hostname":
      case "/hostName":
        return text(system.hostname);
      case "/healthz":
        return text("");
      case "/clientip":
        return text(`${request.remoteAddress}:40000`);
      case "/echo":
        return text(get("msg"), Number(get("code") || 200));
      case "/header":
        return text(request.headers[get("key").toLowerCase()] ?? "");
      case "/exit":
        exit(Number(get("code") || 0), durationMs(get("wait") || "0s") ?? 0);
        return text("");
      case "/shutdown":
        exit(0);
        return text("");
      case "/redirect":
        return { status: Number(get("code") || 302), headers: { location: get("location") }, body: "" };
      case "/shell":
        return shell(context, get("shellCommand") || get("cmd"));
      case "/dial":
        return dial(context, get);
      default:
        return text(`NOW: ${formatDate(system.kernel.wallNow(), "%Y-%m-%d %H:%M:%S.%N +0000 UTC")}`);
    }
  };
  const http: Listener = { protocol: "TCP", http: answer };
  listen(system, port, http);
  if (udpPort > 0) listen(system, udpPort, { protocol: "UDP", line });
  log(context, `Started HTTP server on port ${port}`);
  log(context, `Started UDP server on port  ${udpPort}`);
  const code = yield* serveUntil(context, () => end);
  if (end === undefined && delayMs > 0) yield* pause(context, delayMs);
  return code;
}

/** Runs a command in a shell beside the server, and answers when it has ended. */
function shell(context: ProgramContext, command: string): Promise<HttpResponse> {
  const { system } = context;
  const output = new TextOutput();
  return new Promise((resolve) => {
    system.kernel.spawn({
      container: system.container,
      argv: ["/bin/sh", "-c", command],
      work: (process) => {
        const argv = ["/bin/sh", "-c", command];
        const program = system.program("sh", context) as Program;
        return program({ ...context, argv, process, stdin: textInput(), stdout: output, stderr: output });
      },
      onExit: ({ exit }) => {
        const result: Record<string, string> = {};
        if (output.text !== "") result.output = output.text;
        if (exit?.code) result.error = `exit status ${exit.code}`;
        resolve(text(JSON.stringify(result)));
      },
    });
    system.kernel.kick();
  });
}

async function dial({ system }: ProgramContext, get: (name: string) => string): Promise<HttpResponse> {
  const responses: string[] = [];
  const errors: string[] = [];
  const [host, port] = [get("host"), Number(get("port"))];
  if (get("request") === "") return text("request parameter not specified. <nil>\n", 400);
  for (let i = 0; i < Number(get("tries") || 1); i++) {
    if (get("protocol") === "udp") {
      const reached = system.network.exchange(host, port, "UDP", get("request"));
      if ("problem" in reached) errors.push("reading from udp connection failed. err:'i/o timeout'");
      else responses.push(await reached.answer);
      continue;
    }
    const reached = system.network.http(host, port, {
      method: "GET",
      path: `/${get("request")}`,
      headers: {},
      body: "",
    });
    if ("problem" in reached) {
      const why = reached.problem === "unreachable" ? "i/o timeout" : "connect: connection refused";
      errors.push(`Get "http://${host}:${port}/${get("request")}": dial tcp ${host}:${port}: ${why}`);
    } else responses.push((await reached.answer).body);
  }
  const result = { ...(responses.length > 0 ? { responses } : {}), ...(errors.length > 0 ? { errors } : {}) };
  return text(JSON.stringify(result));
}
