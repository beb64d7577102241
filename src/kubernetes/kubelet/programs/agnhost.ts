import { FileError, modeText } from "../machine/files.js";
import type { Work } from "../machine/kernel.js";
import { type Listener, listen } from "../machine/listeners.js";
import type { HttpRequest, HttpResponse } from "../machine/network.js";
import { type Program, type ProgramContext, pathIn, pause, whileFull } from "../machine/program.js";
import { TextOutput, textInput } from "../machine/streams.js";
import { admissionWebhook } from "./admission-webhook.js";
import { crdConversionWebhook } from "./crd-conversion.js";
import { durationMs, goQuoted } from "./options.js";
import { formatDate, serve } from "./system-programs.js";

/** agnhost, the Swiss army knife of Kubernetes' own tests: the sub-commands that tests of pods, services and volumes use. */

type Flags = ReadonlyMap<string, string>;

/** `--name=value` and `--name value`, and what is neither. */
function parse(args: readonly string[], booleans: readonly string[] = []): { flags: Flags; rest: string[] } {
  const flags = new Map<string, string>();
  const rest: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    const [, name, value] = /^--?([\w-]+)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === undefined) rest.push(arg);
    else if (value !== undefined || booleans.includes(name)) flags.set(name, value ?? "true");
    else flags.set(name, args[++i] ?? "");
  }
  return { flags, rest };
}

const stamp = (context: ProgramContext): string => formatDate(context.system.kernel.now(), "%Y/%m/%d %H:%M:%S");
const log = (context: ProgramContext, text: string): void => context.stderr.write(`${stamp(context)} ${text}\n`);

const text = (body: string, status = 200): HttpResponse => ({
  status,
  headers: { "content-type": "text/plain; charset=utf-8" },
  body,
});

const query = (request: HttpRequest): { path: string; get: (name: string) => string } => {
  const url = new URL(request.path, "http://pod");
  const form = request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded")
    ? new URLSearchParams(request.body)
    : undefined;
  return { path: url.pathname, get: (name) => url.searchParams.get(name) ?? form?.get(name) ?? "" };
};

/** A server that runs until it is stopped, or until `ends` says with which code. */
function* serveUntil(context: ProgramContext, ends: () => number | undefined): Work<number> {
  const { process } = context;
  process.handlers.set("TERM", "handle");
  while (process.pending.length === 0) {
    const code = ends();
    if (code !== undefined) return code;
    yield { ready: () => process.pending.length > 0 || ends() !== undefined, interruptible: true };
  }
  return 0;
}

function* netexec(context: ProgramContext, args: readonly string[]): Work<number> {
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
        return text(`NOW: ${formatDate(system.kernel.now(), "%Y-%m-%d %H:%M:%S.%N +0000 UTC")}`);
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
    if ("problem" in reached)
      errors.push(
        `Get "http://${host}:${port}/${get("request")}": dial tcp ${host}:${port}: connect: connection refused`,
      );
    else responses.push((await reached.answer).body);
  }
  const result = { ...(responses.length > 0 ? { responses } : {}), ...(errors.length > 0 ? { errors } : {}) };
  return text(JSON.stringify(result));
}

function* serveHostname(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args, ["http", "tcp", "udp", "close"]);
  const port = Number(flags.get("port") ?? 9376);
  const name = context.system.hostname;
  listen(context.system, port, { protocol: "TCP", http: () => text(name), line: () => `${name}\n` });
  log(context, `Serving on port ${port}.`);
  return yield* serveUntil(context, () => undefined);
}

/** Answers /healthz well for ten seconds and badly ever after. */
function* liveness(context: ProgramContext): Work<number> {
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

function* testWebserver(context: ProgramContext, args: readonly string[]): Work<number> {
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

function* grpcHealth(context: ProgramContext, args: readonly string[]): Work<number> {
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
function* nettest(context: ProgramContext, args: readonly string[]): Work<number> {
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
function* porter(context: ProgramContext, args: readonly string[]): Work<number> {
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

const METHODS = ["GET", "POST", "PUT"] as const;
const NAMESPACES = ["kube-system", "default", "ns"] as const;

function* logsGenerator(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args.map((arg) => ({ "-t": "--log-lines-total", "-d": "--run-duration" })[arg] ?? arg));
  const total = Number(flags.get("log-lines-total") ?? 0);
  const runMs = durationMs(flags.get("run-duration") ?? "") ?? 0;
  if (total <= 0 || runMs <= 0) {
    log(context, `Invalid total number of lines: ${total}`);
    return 255;
  }
  const { random, kernel } = context.system;
  for (let id = 0; id < total; id++) {
    const time = formatDate(kernel.now(), "%m%d %H:%M:%S.%N").slice(0, 20);
    const name = random.string(random.integer(3, 4), "bcdfghjklmnpqrstvwxz2456789");
    const url = `/api/v1/namespaces/${random.pick(NAMESPACES)}/pods/${name}`;
    context.stderr.write(
      `I${time}       1 logs_generator.go:76] ${id} ${random.pick(METHODS)} ${url} ${random.integer(200, 599)}\n`,
    );
    yield* pause(context, runMs / total);
  }
  return 0;
}

/** Looks at files as they are mounted, and says what it sees. */
function* mounttest(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags } = parse(args);
  const { tree, kernel } = context.system;
  const { who, stdout } = context;
  let failed = false;
  const attempt = (what: string, path: string, body: () => void): void => {
    try {
      body();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      failed = true;
      stdout.write(`error ${what} ${goQuoted(path)}: ${error.message.toLowerCase()}\n`);
    }
  };
  const content = (path: string): void =>
    stdout.write(`content of file ${goQuoted(path)}: ${tree.read(pathIn(context, path), who)}\n`);
  const withFlag = (name: string, what: string, body: (path: string) => void): void => {
    const path = flags.get(name);
    if (path) attempt(what, path, () => body(path));
  };
  withFlag("fs_type", "getting file system type for", (path) => {
    const type = tree.mountOf(pathIn(context, path), who)?.type ?? "overlay";
    tree.get(pathIn(context, path), who);
    stdout.write(`mount type of ${goQuoted(path)}: ${type === "tmpfs" ? "tmpfs" : type}\n`);
  });
  for (const mode of [0o644, 0o666, 0o660, 0o777])
    withFlag(`new_file_0${mode.toString(8)}`, "writing new file", (path) => {
      tree.write(pathIn(context, path), "mount-tester new file\n", who, { mode });
      content(path);
    });
  withFlag("file_mode", "getting mode of", (path) => {
    const node = tree.get(pathIn(context, path), who);
    const shown = modeText(node).replace(/^-/, "-").replace(/t$/, "x").replace(/T$/, "-");
    const sticky = node.mode & 0o1000 ? "t" : "";
    const setgid = node.mode & 0o2000 ? "g" : "";
    const kind = node.is === "directory" ? "d" : node.is === "link" ? "L" : "";
    const prefix = `${kind}${setgid}${sticky}` || "-";
    stdout.write(`mode of file ${goQuoted(path)}: ${prefix}${shown.slice(1)}\n`);
  });
  withFlag("file_perm", "getting perms of", (path) => {
    const node = tree.get(pathIn(context, path), who);
    stdout.write(
      `perms of file ${goQuoted(path)}: -${modeText({ ...node, mode: node.mode & 0o777 } as typeof node).slice(1)}\n`,
    );
  });
  withFlag("file_owner", "getting owner of", (path) => {
    const { uid, gid } = tree.get(pathIn(context, path), who);
    stdout.write(`owner UID of ${goQuoted(path)}: ${uid}\nowner GID of ${goQuoted(path)}: ${gid}\n`);
  });
  withFlag("file_content", "reading file content for", content);
  const watched = flags.get("file_content_in_loop");
  if (watched) {
    const untilMs = kernel.now() + Number(flags.get("retry_time") ?? 180) * 1000;
    const stops = flags.get("break_on_expected_content") !== "false";
    while (kernel.now() < untilMs) {
      try {
        const found = tree.read(pathIn(context, watched), who);
        stdout.write(`content of file ${goQuoted(watched)}: ${found}\n`);
        if (stops && found === "mount-tester new file\n") break;
        if (stops) stdout.write("Unexpected content. Expected: mount-tester new file\n. Retrying");
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        stdout.write(`Error reading file ${watched}: open ${watched}: ${error.message.toLowerCase()}, retrying\n`);
      }
      yield* pause(context, 2_000);
      yield* whileFull(stdout);
    }
  }
  return failed ? 1 : 0;
}

function* connect(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags, rest } = parse(args);
  const [, host = "", port = "80"] = /^\[?(.*?)\]?:(\d+)$/.exec(rest[0] ?? "") ?? [];
  const protocol = flags.get("protocol") === "udp" ? "UDP" : "TCP";
  const state = context.system.network.probe(host, Number(port), protocol);
  if (state === "unreachable") yield* pause(context, durationMs(flags.get("timeout") ?? "10s") ?? 10_000);
  const problem = {
    open: undefined,
    outside: undefined,
    refused: "REFUSED",
    unreachable: "TIMEOUT",
    noSuchHost: "DNS",
  }[state];
  if (problem) context.stderr.write(`${problem}\n`);
  return problem ? 1 : 0;
}

// biome-ignore lint/correctness/useYield: programs are generators because some of them wait
function* dnsSuffix(context: ProgramContext): Work<number> {
  const file = context.system.tree.read("/etc/resolv.conf", context.who);
  context.stdout.write(`${/^search (.*)$/m.exec(file)?.[1]?.replaceAll(" ", ",") ?? ""}\n`);
  return 0;
}

function* dnsServers(context: ProgramContext): Work<number> {
  const file = context.system.tree.read("/etc/resolv.conf", context.who);
  context.stdout.write(`${[...file.matchAll(/^nameserver (.*)$/gm)].map(([, server]) => server).join(",")}\n`);
  return 0;
}

// biome-ignore lint/correctness/useYield: programs are generators because some of them wait
function* entrypointTester(context: ProgramContext): Work<number> {
  context.stdout.write(`[${context.argv.join(" ")}]\n`);
  return 0;
}

function* pauseProgram(context: ProgramContext): Work<number> {
  context.stdout.write("Paused\n");
  return yield* serveUntil(context, () => undefined);
}

/** The guestbook's back end, without its replication. */
function* guestbook(context: ProgramContext, args: readonly string[]): Work<number> {
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

const COMMANDS: Readonly<Record<string, (context: ProgramContext, args: readonly string[]) => Work<number>>> = {
  connect,
  "crd-conversion-webhook": crdConversionWebhook,
  "dns-server-list": dnsServers,
  "dns-suffix": dnsSuffix,
  "entrypoint-tester": entrypointTester,
  "grpc-health-checking": grpcHealth,
  guestbook,
  liveness,
  "logs-generator": logsGenerator,
  mounttest,
  netexec,
  nettest,
  pause: pauseProgram,
  porter,
  "serve-hostname": serveHostname,
  "test-webserver": testWebserver,
  webhook: admissionWebhook,
};

/** Sub-commands that are not known are servers of which nothing is known. */
export const agnhost: Program = function* (context) {
  const [, name = "pause", ...args] = context.argv;
  const command = COMMANDS[name];
  return command ? yield* command(context, args) : yield* serve(context);
};
