/**
 * Links that break, in the network namespaces of the machines themselves: nftables for what does not get through, tc netem for what comes late. The host's
 * own rules are never touched. kind's network has addresses of both families, and kubelets change to the other one: both are cut.
 */
import { BackendError } from "../backend.js";
import type { Engine } from "./engine.js";

/** Tables of our own, so that taking them away undoes everything: one for machines that are cut off, one for links. */
const TABLES = { isolation: "eksim_isolation", links: "eksim_links" } as const;

/** Of a machine, on kind's network. */
const DEVICE = "eth0";

/** Before every other hook: Kubernetes' own rules come later. */
const PRIORITY = -300;

/** What happens to packets from some addresses. `percent` 100: none gets through. */
export interface Loss {
  addresses: readonly string[];
  percent: number;
}

/** How late packets to some addresses are. */
export interface Delay {
  addresses: readonly string[];
  latencyMs: number;
  jitterMs: number;
}

/** What is wrong with one machine's network. */
export interface NetworkTrouble {
  /** Of what arrives. */
  losses: readonly Loss[];
  /** Of what is sent. */
  delays: readonly Delay[];
  /** No name is resolved, neither by the machine nor by its pods. */
  withoutDns: boolean;
  /** What the machine's own processes do not reach any more; its pods do. */
  calls?: readonly LostCall[];
  /** All that the machine's own processes still reach, where they reach nothing else: no registry, above all. */
  reachesOnly?: readonly string[];
}

/** `refused`: whoever asks is told so at once; `timeout`: nobody answers. */
export interface LostCall {
  address: string;
  port: number;
  mode: "refused" | "timeout";
}

const OK = { anyExitCode: true } as const;

async function load(engine: Engine, container: string, rules: string): Promise<void> {
  await engine.exec(container, ["nft", "-f", "-"], { input: rules });
}

/** Declared first so that deleting it never fails: the whole is one transaction. */
const without = (table: string): string => `table inet ${table}\ndelete table inet ${table}\n`;

/** Everything but the machine's talk with itself is dropped. */
export const isolationRules = (): string =>
  `${without(TABLES.isolation)}table inet ${TABLES.isolation} {
  chain arriving { type filter hook input priority ${PRIORITY}; policy drop; iif lo accept; }
  chain leaving { type filter hook output priority ${PRIORITY}; policy drop; oif lo accept; }
  chain passing { type filter hook forward priority ${PRIORITY}; policy drop; }
}
`;

export const cutOff = (engine: Engine, container: string): Promise<void> => load(engine, container, isolationRules());

export const putBack = (engine: Engine, container: string): Promise<void> =>
  load(engine, container, without(TABLES.isolation));

/** `ip saddr { ... }`, a line a family. */
function matches(side: "saddr" | "daddr", addresses: readonly string[]): string[] {
  const [six, four] = [true, false].map((isSix) => addresses.filter((address) => address.includes(":") === isSix));
  return [
    ...(four && four.length > 0 ? [`ip ${side} { ${four.join(", ")} }`] : []),
    ...(six && six.length > 0 ? [`ip6 ${side} { ${six.join(", ")} }`] : []),
  ];
}

/** Kubernetes' own rules, which turn addresses of Services into those of pods, come later: packets still have the address that was asked for. */
const lostCall = ({ address, port, mode }: LostCall): string =>
  `ip${address.includes(":") ? "6" : ""} daddr ${address} tcp dport ${port} ${mode === "refused" ? "reject with tcp reset" : "drop"}`;

/** Nothing else by TCP than these addresses: names are resolved still, and the machine talks with itself. */
function unreachable(reached: readonly string[]): string[] {
  return [
    ...["oif lo accept", "tcp dport 53 accept"],
    ...matches("daddr", reached).map((match) => `${match} accept`),
    "meta l4proto tcp reject with tcp reset",
  ];
}

/** What anything on a link may always ask for, instance metadata above all. */
const LINK_LOCAL: readonly string[] = ["169.254.0.0/16", "fe80::/10", "fd00:ec2::254"];

/** Of the links of one machine, in one table. */
export function linkRules(trouble: Omit<NetworkTrouble, "delays">): string {
  const { losses, withoutDns, calls = [], reachesOnly } = trouble;
  const arriving = losses.flatMap(({ addresses, percent }) =>
    matches("saddr", addresses).map((match) =>
      percent >= 100 ? `${match} drop` : `${match} numgen random mod 10000 < ${Math.round(percent * 100)} drop`,
    ),
  );
  const dns = withoutDns ? ["udp dport 53 drop", "tcp dport 53 drop"] : [];
  // What comes from other machines is for a CoreDNS that runs here, which those zones may ask.
  const dnsOfPods = dns.map((rule) => `iifname != "${DEVICE}" ${rule}`);
  const asking = [...dns, ...calls.map(lostCall), ...(reachesOnly ? unreachable([...reachesOnly, ...LINK_LOCAL]) : [])];
  if (arriving.length + asking.length === 0) return without(TABLES.links);
  const chain = (name: string, hook: string, rules: readonly string[]): string =>
    [
      `  chain ${name} {`,
      `    type filter hook ${hook} priority ${PRIORITY}; policy accept;`,
      ...rules.map((rule) => `    ${rule}`),
      "  }",
    ].join("\n");
  return `${without(TABLES.links)}table inet ${TABLES.links} {
${chain("arriving", "input", arriving)}
${chain("passing", "forward", [...arriving, ...dnsOfPods])}
${chain("leaving", "output", asking)}
}
`;
}

/** Bands of a prio qdisc: the first three are for everything else. */
const FIRST_BAND = 4;
const MOST_DELAYS = 16 - FIRST_BAND + 1;

/** Commands that delay what is sent to some addresses; none when nothing is to be late. */
export function delayCommands(delays: readonly Delay[]): string[][] {
  if (delays.length === 0) return [];
  if (delays.length > MOST_DELAYS)
    throw new BackendError("unsupported", `a machine can have at most ${MOST_DELAYS} links with latency`);
  const bands = String(FIRST_BAND - 1 + delays.length);
  return [
    ["tc", "qdisc", "replace", "dev", DEVICE, "root", "handle", "1:", "prio", "bands", bands],
    ...delays.flatMap(({ addresses, latencyMs, jitterMs }, index) => {
      const band = FIRST_BAND + index;
      const jitter = jitterMs > 0 ? [`${jitterMs}ms`] : [];
      return [
        ["tc", "qdisc", "add", "dev", DEVICE, "parent", `1:${band}`, "netem", "delay", `${latencyMs}ms`, ...jitter],
        ...addresses.map((address) => {
          const [protocol, match] = address.includes(":") ? ["ipv6", "ip6"] : ["ip", "ip"];
          const [filter, to] = [
            ["tc", "filter", "add", "dev", DEVICE, "parent", "1:", "protocol", protocol],
            ["match", match, "dst", address, "flowid", `1:${band}`],
          ];
          return [...filter, "prio", address.includes(":") ? "2" : "1", "u32", ...to] as string[];
        }),
      ];
    }),
  ];
}

/** Brings exactly this trouble to a machine that runs. */
export async function setTrouble(engine: Engine, container: string, trouble: NetworkTrouble): Promise<void> {
  await load(engine, container, linkRules(trouble));
  await engine.exec(container, ["tc", "qdisc", "del", "dev", DEVICE, "root"], OK);
  for (const command of delayCommands(trouble.delays)) await engine.exec(container, command);
}

/** Takes away whatever an earlier process has left. */
export async function clearTrouble(engine: Engine, container: string): Promise<void> {
  await load(engine, container, without(TABLES.isolation) + without(TABLES.links));
  await engine.exec(container, ["tc", "qdisc", "del", "dev", DEVICE, "root"], OK);
}

/** Fails where the kernel cannot delay packets. */
export const NETEM_PROBE = ["tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "0ms"] as const;

/** Some kernels have no netem. Found out on a device that nobody uses. */
export async function hasNetem(engine: Engine, container: string): Promise<boolean> {
  const { exitCode } = await engine.exec(container, NETEM_PROBE, OK);
  if (exitCode === 0) await engine.exec(container, ["tc", "qdisc", "del", "dev", "lo", "root"], OK);
  return exitCode === 0;
}
