import type { Work } from "../../machine/kernel.js";
import { type Program, type ProgramContext, pause } from "../../machine/program.js";
import { formatDate } from "../dates.js";
import { durationMs } from "../options.js";
import { serve } from "../process-programs.js";
import { admissionWebhook } from "./admission-webhook.js";
import { log, parse, serveUntil } from "./command.js";
import { crdConversionWebhook } from "./crd-conversion.js";
import { mounttest } from "./mounttest.js";
import { netexec } from "./netexec.js";
import { grpcHealth, guestbook, liveness, nettest, porter, serveHostname, testWebserver } from "./servers.js";

/** agnhost, the Swiss army knife of Kubernetes' own tests: the sub-commands that tests of pods, services and volumes use. */

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
    const time = formatDate(kernel.wallNow(), "%m%d %H:%M:%S.%N").slice(0, 20);
    const name = random.string(random.integer(3, 4), "bcdfghjklmnpqrstvwxz2456789");
    const url = `/api/v1/namespaces/${random.pick(NAMESPACES)}/pods/${name}`;
    context.stderr.write(
      `I${time}       1 logs_generator.go:76] ${id} ${random.pick(METHODS)} ${url} ${random.integer(200, 599)}\n`,
    );
    yield* pause(context, runMs / total);
  }
  return 0;
}

function* connect(context: ProgramContext, args: readonly string[]): Work<number> {
  const { flags, rest } = parse(args);
  const [, host = "", port = "80"] = /^\[?(.*?)\]?:(\d+)$/.exec(rest[0] ?? "") ?? [];
  const protocol = flags.get("protocol") === "udp" ? "UDP" : "TCP";
  const { state, connectMs = 0 } = context.system.network.probe(host, Number(port), protocol);
  const patienceMs = durationMs(flags.get("timeout") ?? "10s") ?? 10_000;
  const waitMs = state === "unreachable" ? patienceMs : Math.min(connectMs, patienceMs);
  if (waitMs > 0) yield* pause(context, waitMs);
  const problem = {
    open: undefined,
    outside: undefined,
    refused: "REFUSED",
    unreachable: "TIMEOUT",
    noSuchHost: "DNS",
    silentNames: "DNS",
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
