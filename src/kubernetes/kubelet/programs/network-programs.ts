import type { Work } from "../machine/kernel.js";
import { type Program, type ProgramContext, pause, readAll } from "../machine/program.js";
import { curl, wget } from "./http-programs.js";
import { complain, parseOptions } from "./options.js";

/** wget, curl, nc, nslookup, ping: the simulated network's clients. The world outside of the cluster is taken to be there, and to say nothing. */

function* nc(context: ProgramContext): Work<number> {
  const { has, value, operands } = parseOptions(context.argv, "wpsiqe");
  const { network } = context.system;
  const protocol = has("u") ? "UDP" : "TCP";
  const [host = "", portText = value("p") ?? ""] = operands;
  const port = Number(portText);
  const timeoutMs = Number(value("w") ?? 10) * 1000;
  if (has("l")) for (;;) yield { ready: () => false, interruptible: true };
  const startedMs = context.system.kernel.now();
  const { state, lookupMs = 0, connectMs = 0 } = network.probe(host, port, protocol);
  const isNameless = state === "noSuchHost" || state === "silentNames";
  if (lookupMs > 0) yield* pause(context, isNameless ? lookupMs : Math.min(lookupMs, timeoutMs));
  if (isNameless) return complain(context, `bad address '${host}'`);
  const isLate = state === "unreachable" || connectMs > timeoutMs;
  const waitMs = startedMs + (isLate ? timeoutMs : connectMs) - context.system.kernel.now();
  if (waitMs > 0) yield* pause(context, waitMs);
  if (state === "refused") {
    if (has("v")) complain(context, `${host} (${network.resolve(host)[0] ?? host}:${port}): Connection refused`);
    return 1;
  }
  if (isLate) {
    if (has("v")) complain(context, `${host} (${network.resolve(host)[0] ?? host}:${port}): Connection timed out`);
    return 1;
  }
  if (has("z")) {
    if (has("v")) context.stderr.write(`${host} (${network.resolve(host)[0] ?? host}:${port}) open\n`);
    return 0;
  }
  const text = yield* readAll(context.stdin);
  // The connection is there already: an address needs no further look-up.
  const reached = network.exchange(network.resolve(host)[0] ?? host, port, protocol, text);
  const { connectMs: againMs = 0, totalMs = 0 } = reached;
  if ("problem" in reached) return 1;
  const answeredMs = protocol === "TCP" ? totalMs - againMs : totalMs;
  if (answeredMs > 0) yield* pause(context, Math.min(answeredMs, timeoutMs));
  if (answeredMs > timeoutMs) return 1;
  if (typeof reached.answer === "string") context.stdout.write(reached.answer);
  return 0;
}

/** What tools for names say when nobody answers them. */
const NO_SERVERS = ";; connection timed out; no servers could be reached\n\n";

function* nslookup(context: ProgramContext): Work<number> {
  const { operands } = parseOptions(context.argv);
  const [name = ""] = operands;
  const { addresses, takenMs, isSilent } = context.system.network.lookup(name);
  const [, server = ""] = /^nameserver (\S+)/m.exec(context.system.tree.read("/etc/resolv.conf", context.who)) ?? [];
  if (takenMs > 0) yield* pause(context, takenMs);
  if (isSilent) {
    context.stdout.write(NO_SERVERS);
    return 1;
  }
  context.stdout.write(`Server:\t\t${server}\nAddress:\t${server}:53\n\n`);
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
  const { takenMs, isSilent } = context.system.network.lookup(name);
  if (takenMs > 0) yield* pause(context, takenMs);
  if (isSilent) {
    context.stdout.write(NO_SERVERS);
    return 9;
  }
  for (const data of context.system.network.records(name, type))
    context.stdout.write(context.argv.includes("+short") ? `${data}\n` : `${name}\t5\tIN\t${type}\t${data}\n`);
  return 0;
}

function* getent(context: ProgramContext): Work<number> {
  const [, , name = ""] = context.argv;
  const { addresses, takenMs } = context.system.network.lookup(name);
  if (takenMs > 0) yield* pause(context, takenMs);
  for (const address of addresses) context.stdout.write(`${address.padEnd(15)} ${name}\n`);
  return addresses.length > 0 ? 0 : 2;
}

function* ping(context: ProgramContext): Work<number> {
  const { value, operands } = parseOptions(context.argv, "cwWis");
  const { network } = context.system;
  const [host = ""] = operands;
  const { addresses, takenMs } = network.lookup(host);
  if (takenMs > 0) yield* pause(context, takenMs);
  const [address] = addresses;
  if (address === undefined) return complain(context, `bad address '${host}'`);
  const count = Number(value("c") ?? Number.POSITIVE_INFINITY);
  const patienceMs = Number(value("W") ?? 10) * 1_000;
  context.stdout.write(`PING ${host} (${address}): 56 data bytes\n`);
  let received = 0;
  for (let i = 0; i < count; i++) {
    const echo = network.ping(address);
    const isBack = echo !== undefined && echo.ms <= patienceMs;
    const isLast = i + 1 === count;
    if (isBack) {
      received++;
      if (echo.ms > 0) yield* pause(context, echo.ms);
      context.stdout.write(`64 bytes from ${address}: seq=${i} ttl=63 time=${(echo.ms + 0.1).toFixed(1)} ms\n`);
    } else if (isLast) yield* pause(context, patienceMs);
    if (!isLast) yield* pause(context, Math.max(0, 1_000 - (isBack ? echo.ms : 0)));
  }
  const lost = Math.round(((count - received) / count) * 100);
  context.stdout.write(
    `\n--- ${host} ping statistics ---\n${count} packets transmitted, ${received} packets received, ${lost}% packet loss\n`,
  );
  return received > 0 ? 0 : 1;
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
