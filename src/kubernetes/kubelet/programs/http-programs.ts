import type { Work } from "../machine/kernel.js";
import type { HttpResponse, Reached } from "../machine/network.js";
import { type ProgramContext, pathIn, pause } from "../machine/program.js";
import { complain, parseOptions } from "./options.js";

/** wget and curl. */

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

/** Why there is no answer. The last three: patience ran out over the name, over the connection, or over the answer. */
type Failure = "refused" | "noSuchHost" | "lookupTimeout" | "connectTimeout" | "timeout";
type Fetched = HttpResponse | Failure;

/** When something was reached, simulated ms since the beginning. */
interface Times {
  lookupMs: number;
  connectMs: number;
}

interface Asking {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Patience until there is a connection, and until there is an answer. */
  connectTimeoutMs?: number;
  timeoutMs?: number;
  /** Filled in as it goes. */
  times?: Times;
}

/** Linux gives up a connection that nobody answers after some two minutes. */
const CONNECT_TIMEOUT_MS = 130_000;

function* fetchUrl(context: ProgramContext, url: Url, asking: Asking): Work<Fetched> {
  const { network, kernel } = context.system;
  const { method = "GET", headers = {}, body = "", timeoutMs = CONNECT_TIMEOUT_MS, times } = asking;
  const connectTimeoutMs = Math.min(asking.connectTimeoutMs ?? CONNECT_TIMEOUT_MS, timeoutMs);
  const startedMs = kernel.now();
  const reached: Reached<HttpResponse> = network.http(url.host, url.port, {
    method,
    path: url.path,
    headers: { host: url.port === 80 ? url.host : `${url.host}:${url.port}`, ...headers },
    body,
  });
  const { lookupMs = 0, connectMs = lookupMs, totalMs = connectMs } = reached;
  if (lookupMs > connectTimeoutMs) {
    yield* pause(context, connectTimeoutMs);
    return "lookupTimeout";
  }
  if (times) times.lookupMs = lookupMs;
  if ("problem" in reached) {
    const { problem } = reached;
    yield* untilAfter(context, startedMs, problem === "unreachable" ? connectTimeoutMs : totalMs);
    return problem === "unreachable" ? "connectTimeout" : problem === "silentNames" ? "noSuchHost" : problem;
  }
  if (connectMs > connectTimeoutMs) {
    yield* pause(context, connectTimeoutMs);
    return "connectTimeout";
  }
  if (times) times.connectMs = connectMs;
  const result = yield* awaited(context, reached.answer, startedMs + timeoutMs);
  yield* untilAfter(context, startedMs, Math.min(totalMs, timeoutMs));
  return result === undefined || totalMs > timeoutMs ? "timeout" : result;
}

/** Waits until so much time has gone by since then. */
function* untilAfter(context: ProgramContext, startedMs: number, ms: number): Work {
  const leftMs = startedMs + ms - context.system.kernel.now();
  if (leftMs > 0) yield* pause(context, leftMs);
}

/** The answer; undefined when it has not come until then. */
function* awaited(
  context: ProgramContext,
  answer: HttpResponse | Promise<HttpResponse>,
  untilMs: number,
): Work<HttpResponse | undefined> {
  if (!(answer instanceof Promise)) return answer;
  const { kernel } = context.system;
  let result: HttpResponse | undefined;
  answer.then(
    (said) => {
      result = said;
      kernel.kick();
    },
    () => {
      result = { status: 500, body: "" };
      kernel.kick();
    },
  );
  while (result === undefined && kernel.now() < untilMs) yield { ready: () => result !== undefined, untilMs };
  return result;
}

export function* wget(context: ProgramContext): Work<number> {
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
  if (answer === "noSuchHost" || answer === "lookupTimeout")
    return complain(context, `bad address '${url.host}${url.port === 80 ? "" : `:${url.port}`}'`);
  const [address = url.host] = context.system.network.resolve(url.host);
  if (!quiet)
    context.stderr.write(
      `Connecting to ${url.host}${url.port === 80 ? "" : `:${url.port}`} (${address}:${url.port})\n`,
    );
  if (answer === "refused") return complain(context, `can't connect to remote host (${address}): Connection refused`);
  if (typeof answer === "string") return complain(context, "download timed out");
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

/** As curl prints times. */
const seconds = (ms: number): string => (ms / 1000).toFixed(6);

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

export function* curl(context: ProgramContext): Work<number> {
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
  const limit = value("m") ?? value("max-time");
  const connectLimit = value("connect-timeout");
  const patience = {
    ...(limit === undefined ? {} : { timeoutMs: Number(limit) * 1000 }),
    ...(connectLimit === undefined ? {} : { connectTimeoutMs: Number(connectLimit) * 1000 }),
  };
  const { kernel } = context.system;
  const startedMs = kernel.now();
  const times: Times = { lookupMs: 0, connectMs: 0 };
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
    const total = seconds(kernel.now() - startedMs);
    const known: Readonly<Record<string, string>> = {
      http_code: status,
      response_code: status,
      time_namelookup: seconds(times.lookupMs),
      time_connect: seconds(times.connectMs),
      time_starttransfer: total,
      time_total: total,
    };
    const text = format.replace(/%\{(\w+)\}/g, (variable, name: string) => known[name] ?? variable);
    context.stdout.write(text.replaceAll("\\n", "\n"));
  };
  let target = url;
  let answer = yield* fetchUrl(context, target, { method, headers, body: data, ...patience, times });
  for (
    let hops = 0;
    hops < 10 && typeof answer === "object" && (has("L") || has("location")) && answer.headers?.location;
    hops++
  ) {
    const location: string = answer.headers.location;
    target = location.startsWith("/") ? { ...target, path: location } : parseUrl(location);
    answer = yield* fetchUrl(context, target, { headers, ...patience, times });
  }
  if (answer === "noSuchHost") return fail(6, `Could not resolve host: ${url.host}`);
  if (answer === "refused")
    return fail(
      7,
      `Failed to connect to ${url.host} port ${url.port} after ${kernel.now() - startedMs} ms: Couldn't connect to server`,
    );
  const elapsedMs = kernel.now() - startedMs;
  if (answer === "lookupTimeout") return fail(28, `Resolving timed out after ${elapsedMs} milliseconds`);
  if (answer === "connectTimeout") return fail(28, `Connection timed out after ${elapsedMs} milliseconds`);
  if (answer === "timeout")
    return fail(28, `Operation timed out after ${elapsedMs} milliseconds with 0 bytes received`);
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
