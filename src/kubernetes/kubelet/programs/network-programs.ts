import type { Work } from "../machine/kernel.js";
import type { HttpResponse, Reached } from "../machine/network.js";
import { type Program, type ProgramContext, pathIn, pause, readAll } from "../machine/program.js";
import { complain, parseOptions } from "./options.js";

/** wget, curl, nc, nslookup, ping: the simulated network's clients. The world outside of the cluster is taken to be there, and to say nothing. */

interface Url {
  host: string;
  port: number;
  path: string;
  secure: boolean;
}

function parseUrl(text: string): Url {
  const [, scheme = "http", , host6, host4 = "", port, path = "/"] =
    /^(?:(https?):\/\/)?(?:([^@/]*)@)?(?:\[([^\]]+)\]|([^:/?]+))(?::(\d+))?(.*)$/s.exec(text) ?? [];
  const secure = scheme === "https";
  return {
    host: host6 ?? host4,
    port: Number(port ?? (secure ? 443 : 80)),
    path: path === "" ? "/" : path.startsWith("/") ? path : `/${path}`,
    secure,
  };
}

type Fetched = HttpResponse | "refused" | "unreachable" | "noSuchHost";

function* fetchUrl(
  context: ProgramContext,
  url: Url,
  {
    method = "GET",
    headers = {},
    body = "",
    timeoutMs = 30_000,
  }: { method?: string; headers?: Record<string, string>; body?: string; timeoutMs?: number },
): Work<Fetched> {
  const { network, kernel } = context.system;
  const reached: Reached<HttpResponse> = network.http(url.host, url.port, {
    method,
    path: url.path,
    headers: { host: url.port === 80 ? url.host : `${url.host}:${url.port}`, ...headers },
    body,
  });
  if ("problem" in reached) {
    if (reached.problem === "unreachable") yield* pause(context, timeoutMs);
    return reached.problem;
  }
  if (!(reached.answer instanceof Promise)) return reached.answer;
  let result: Fetched | undefined;
  reached.answer.then(
    (answer) => {
      result = answer;
      kernel.kick();
    },
    () => {
      result = { status: 500, body: "" };
      kernel.kick();
    },
  );
  const untilMs = kernel.now() + timeoutMs;
  while (result === undefined && kernel.now() < untilMs) yield { ready: () => result !== undefined, untilMs };
  return result ?? "unreachable";
}

function* wget(context: ProgramContext): Work<number> {
  const { has, value, operands } = parseOptions(context.argv, "OTUPtw", [
    "timeout",
    "header",
    "post-data",
    "output-document",
    "tries",
  ]);
  const url = parseUrl(operands[0] ?? "");
  const quiet = has("q");
  const body = value("post-data");
  const timeoutMs = Number(value("T") ?? value("timeout") ?? 900) * 1000;
  const answer = yield* fetchUrl(context, url, {
    method: body === undefined ? "GET" : "POST",
    body,
    timeoutMs,
    headers: {
      "user-agent": "Wget",
      ...(body === undefined ? {} : { "content-type": FORM }),
      ...headersOf(context.argv),
    },
  });
  if (answer === "noSuchHost")
    return complain(context, `bad address '${url.host}${url.port === 80 ? "" : `:${url.port}`}'`);
  const [address = url.host] = context.system.network.resolve(url.host);
  if (!quiet)
    context.stderr.write(
      `Connecting to ${url.host}${url.port === 80 ? "" : `:${url.port}`} (${address}:${url.port})\n`,
    );
  if (answer === "refused") return complain(context, `can't connect to remote host (${address}): Connection refused`);
  if (answer === "unreachable") return complain(context, "download timed out");
  if (answer.status >= 400)
    return complain(context, `server returned error: HTTP/1.1 ${answer.status} ${reasonOf(answer.status)}`);
  const to =
    value("O") ??
    value("output-document") ??
    (has("spider") ? "" : url.path.replace(/^.*\//, "").replace(/\?.*$/, "") || "index.html");
  if (to === "-") context.stdout.write(answer.body);
  else if (to !== "" && to !== "/dev/null") context.system.tree.write(pathIn(context, to), answer.body, context.who);
  return 0;
}

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  301: "Moved Permanently",
  302: "Found",
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  500: "Internal Server Error",
  503: "Service Unavailable",
};
export const reasonOf = (status: number): string => REASONS[status] ?? "Status";

/** What clients call the body of a POST unless told otherwise. */
const FORM = "application/x-www-form-urlencoded";

/** Headers of the options for them, by lower-case name. */
function headersOf(argv: readonly string[]): Record<string, string> {
  const lines = argv.flatMap((arg, i) => {
    if (arg === "-H" || arg === "--header") return [argv[i + 1] ?? ""];
    return arg.startsWith("--header=") ? [arg.slice("--header=".length)] : [];
  });
  return Object.fromEntries(
    lines.flatMap((line) => {
      const [name = "", ...rest] = line.split(":");
      return name === "" ? [] : [[name.toLowerCase(), rest.join(":").trim()]];
    }),
  );
}

/** The body of curl's options for data, which may be given more than once. */
function formOf(argv: readonly string[]): string | undefined {
  const parts = argv.flatMap((arg, i) => {
    const text = argv[i + 1] ?? "";
    if (/^(-d|--data(-binary|-raw)?)$/.test(arg)) return [text];
    if (arg !== "--data-urlencode") return [];
    const at = text.indexOf("=");
    return [
      at <= 0
        ? encodeURIComponent(text.slice(at + 1))
        : `${text.slice(0, at)}=${encodeURIComponent(text.slice(at + 1))}`,
    ];
  });
  return parts.length === 0 ? undefined : parts.join("&");
}

function* curl(context: ProgramContext): Work<number> {
  const { has, value, operands } = parseOptions(context.argv, "oXHdmwuAeT", [
    "connect-timeout",
    "max-time",
    "header",
    "data",
    "request",
    "output",
    "write-out",
    "user",
    "retry",
    "retry-delay",
    "interface",
    "data-binary",
    "data-raw",
    "data-urlencode",
    "resolve",
    "cacert",
  ]);
  const text = operands.find((operand) => operand !== "") ?? value("url") ?? "";
  if (text === "") return complain(context, "try 'curl --help' for more information") + 1;
  const url = parseUrl(text);
  const data = formOf(context.argv);
  const headers: Record<string, string> = {
    "user-agent": "curl/8.9.1",
    accept: "*/*",
    ...(data === undefined ? {} : { "content-type": FORM }),
    ...headersOf(context.argv),
  };
  const timeoutMs = Number(value("m") ?? value("max-time") ?? value("connect-timeout") ?? 130) * 1000;
  const method =
    value("X") ?? value("request") ?? (has("I") || has("head") ? "HEAD" : data === undefined ? "GET" : "POST");
  const silent = (has("s") || has("silent")) && !(has("S") || has("show-error"));
  const fail = (code: number, message: string): number => {
    if (!silent) context.stderr.write(`curl: (${code}) ${message}\n`);
    if (has("w") || has("write-out")) writeOut("000");
    return code;
  };
  const writeOut = (status: string): void => {
    const format = value("w") ?? value("write-out") ?? "";
    context.stdout.write(
      format.replaceAll("%{http_code}", status).replaceAll("%{response_code}", status).replaceAll("\\n", "\n"),
    );
  };
  let target = url;
  let answer = yield* fetchUrl(context, target, { method, headers, body: data, timeoutMs });
  for (
    let hops = 0;
    hops < 10 && typeof answer === "object" && (has("L") || has("location")) && answer.headers?.location;
    hops++
  ) {
    const location: string = answer.headers.location;
    target = location.startsWith("/") ? { ...target, path: location } : parseUrl(location);
    answer = yield* fetchUrl(context, target, { headers, timeoutMs });
  }
  if (answer === "noSuchHost") return fail(6, `Could not resolve host: ${url.host}`);
  if (answer === "refused")
    return fail(7, `Failed to connect to ${url.host} port ${url.port} after 0 ms: Couldn't connect to server`);
  if (answer === "unreachable") return fail(28, `Connection timed out after ${timeoutMs} milliseconds`);
  if ((has("f") || has("fail")) && answer.status >= 400)
    return fail(22, `The requested URL returned error: ${answer.status}`);
  const head = `HTTP/1.1 ${answer.status} ${reasonOf(answer.status)}\r\n${Object.entries(answer.headers ?? {})
    .map(([name, text]) => `${name}: ${text}\r\n`)
    .join("")}\r\n`;
  const body =
    (has("i") || has("include") || has("I") || has("head") ? head : "") + (method === "HEAD" ? "" : answer.body);
  const to = value("o") ?? value("output");
  if (to === undefined || to === "-") context.stdout.write(body);
  else if (to !== "/dev/null") context.system.tree.write(pathIn(context, to), body, context.who);
  if (has("w") || has("write-out")) writeOut(String(answer.status));
  return 0;
}

function* nc(context: ProgramContext): Work<number> {
  const { has, value, operands } = parseOptions(context.argv, "wpsiqe");
  const { network } = context.system;
  const protocol = has("u") ? "UDP" : "TCP";
  const [host = "", portText = value("p") ?? ""] = operands;
  const port = Number(portText);
  const timeoutMs = Number(value("w") ?? 10) * 1000;
  if (has("l")) for (;;) yield { ready: () => false, interruptible: true };
  const state = network.probe(host, port, protocol);
  if (state === "noSuchHost") return complain(context, `bad address '${host}'`);
  if (state === "refused") {
    if (has("v")) complain(context, `${host} (${network.resolve(host)[0] ?? host}:${port}): Connection refused`);
    return 1;
  }
  if (state === "unreachable") {
    yield* pause(context, timeoutMs);
    if (has("v")) complain(context, `${host} (${network.resolve(host)[0] ?? host}:${port}): Connection timed out`);
    return 1;
  }
  if (has("z")) {
    if (has("v")) context.stderr.write(`${host} (${network.resolve(host)[0] ?? host}:${port}) open\n`);
    return 0;
  }
  const text = yield* readAll(context.stdin);
  const reached = network.exchange(host, port, protocol, text);
  if ("problem" in reached) return 1;
  if (typeof reached.answer === "string") context.stdout.write(reached.answer);
  return 0;
}

function* nslookup(context: ProgramContext): Work<number> {
  const { operands } = parseOptions(context.argv);
  const [name = ""] = operands;
  const addresses = context.system.network.resolve(name);
  const server = "Server:\t\t10.100.0.10\nAddress:\t10.100.0.10:53\n\n";
  yield* [];
  context.stdout.write(server);
  if (addresses.length === 0) {
    context.stdout.write(`** server can't find ${name}: NXDOMAIN\n\n`);
    return 1;
  }
  for (const address of addresses) context.stdout.write(`Name:\t${name}\nAddress: ${address}\n`);
  context.stdout.write("\n");
  return 0;
}

const RECORD_TYPES: ReadonlySet<string> = new Set(["A", "AAAA", "CNAME", "SRV", "PTR", "TXT", "NS", "MX", "ANY"]);

function* dig(context: ProgramContext): Work<number> {
  const args = context.argv.slice(1).filter((arg) => !/^[-+@]/.test(arg));
  const type = args.find((arg) => RECORD_TYPES.has(arg)) ?? "A";
  const [name = ""] = args.filter((arg) => arg !== type);
  yield* [];
  for (const data of context.system.network.records(name, type))
    context.stdout.write(context.argv.includes("+short") ? `${data}\n` : `${name}\t5\tIN\t${type}\t${data}\n`);
  return 0;
}

function* getent(context: ProgramContext): Work<number> {
  const [, , name = ""] = context.argv;
  const addresses = context.system.network.resolve(name);
  yield* [];
  for (const address of addresses) context.stdout.write(`${address.padEnd(15)} ${name}\n`);
  return addresses.length > 0 ? 0 : 2;
}

function* ping(context: ProgramContext): Work<number> {
  const { value, operands } = parseOptions(context.argv, "cwWis");
  const [host = ""] = operands;
  const [address] = context.system.network.resolve(host);
  if (address === undefined) return complain(context, `bad address '${host}'`);
  const count = Number(value("c") ?? Number.POSITIVE_INFINITY);
  context.stdout.write(`PING ${host} (${address}): 56 data bytes\n`);
  for (let i = 0; i < count; i++) {
    context.stdout.write(`64 bytes from ${address}: seq=${i} ttl=63 time=0.1 ms\n`);
    if (i + 1 < count) yield* pause(context, 1_000);
  }
  context.stdout.write(
    `\n--- ${host} ping statistics ---\n${count} packets transmitted, ${count} packets received, 0% packet loss\n`,
  );
  return 0;
}

/** Changes of the network need a privilege that containers do not have. */
function* ip(context: ProgramContext): Work<number> {
  const { system } = context;
  yield* [];
  const args = context.argv.slice(1).filter((arg) => !arg.startsWith("-"));
  if (args[1] === "add" || args[1] === "del") {
    if (system.privileged) return 0;
    context.stderr.write("ip: RTNETLINK answers: Operation not permitted\n");
    return 2;
  }
  const address = system.network.resolve(system.hostname)[0] ?? "127.0.0.1";
  context.stdout.write(
    `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\n3: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 9001\n    inet ${address}/32 scope global eth0\n`,
  );
  return 0;
}

export const NETWORK_PROGRAMS: Readonly<Record<string, Program>> = {
  curl,
  dig,
  getent,
  host: nslookup,
  ip,
  nc,
  netcat: nc,
  nslookup,
  ping,
  wget,
};
