/** kind's own network, which all of its clusters share: made as kind itself makes it, and taken away when it was ours and nobody is in it. */
import { createHash } from "node:crypto";
import { BackendError } from "../backend.js";
import type { Dialect } from "./dialects.js";
import type { Engine, Provider } from "./engine.js";

export const NETWORK = "kind";

export interface Network {
  /** Addresses of this machine, IPv4 first. */
  gateways: string[];
  /** IPv4, such as `172.18.0.0/16`; absent when there is none. */
  subnet?: string;
  /** Who has which IPv4 address now: names of containers by address. */
  holders: Readonly<Record<string, string>>;
}

interface InspectedNetwork {
  Labels?: Record<string, string> | null;
  IPAM?: { Config?: { Gateway?: string; Subnet?: string }[] | null };
  Containers?: Record<string, { Name?: string; IPv4Address?: string }> | null;
  // Podman's form; its version 4 does not say who is in it.
  labels?: Record<string, string> | null;
  subnets?: { gateway?: string; subnet?: string }[] | null;
  containers?: Record<
    string,
    { name?: string; interfaces?: Record<string, { subnets?: { ipnet?: string }[] | null }> | null }
  > | null;
}

export function parseNetwork({ IPAM, subnets, Containers, containers }: InspectedNetwork): Network {
  const ranges = [
    ...(IPAM?.Config ?? []).map(({ Gateway: gateway, Subnet: subnet }) => ({ gateway, subnet })),
    ...(subnets ?? []),
  ];
  const gateways = ranges.flatMap(({ gateway }) => (gateway ? [gateway.replace(/\/\d+$/, "")] : []));
  const subnet = ranges.find((range) => range.subnet !== undefined && !range.subnet.includes(":"))?.subnet;
  const guests = [
    ...Object.values(Containers ?? {}).map(({ Name = "", IPv4Address = "" }) => ({ name: Name, range: IPv4Address })),
    ...Object.values(containers ?? {}).flatMap(({ name = "", interfaces }) =>
      Object.values(interfaces ?? {})
        .flatMap((device) => device.subnets ?? [])
        .map(({ ipnet = "" }) => ({ name, range: ipnet })),
    ),
  ];
  const holders = guests.flatMap(({ name, range }): [string, string][] =>
    range === "" || range.includes(":") ? [] : [[range.replace(/\/\d+$/, ""), name]],
  );
  return {
    gateways: gateways.sort((a, b) => Number(a.includes(":")) - Number(b.includes(":"))),
    ...(subnet === undefined ? {} : { subnet }),
    holders: Object.fromEntries(holders),
  };
}

/** Ranges of IPv6 that kind would try, in its order: Docker chooses none by itself, and other engines of the machine may have some of them. */
export const ipv6Range = (attempt: number): string => {
  const number = Buffer.alloc(4);
  number.writeInt32LE(attempt);
  const hex = createHash("sha1").update(NETWORK).update(number).digest("hex").slice(4, 16);
  const groups = [`fc00`, hex.slice(0, 4), hex.slice(4, 8), hex.slice(8, 12)].map((group) =>
    group.replace(/^0+(?=.)/, ""),
  );
  return `${groups.join(":")}::/64`;
};

const RANGES = 5;

/** How the engines say that somebody has the range already. */
const IS_TAKEN =
  /pool overlaps|already used on the host or by another config|being used by a network interface|overlaps/i;
/** And that the machine has no IPv6. */
const HAS_NO_IPV6 = /ip6tables|ipv6/i;

type Networks = Pick<Engine, "network" | "join" | "removeNetwork">;

export function createNetworks({
  provider,
  run,
  dialect,
  isNotThere,
  names,
  inspect,
}: {
  provider: Provider;
  run: Engine["run"];
  dialect: Dialect;
  isNotThere(text: string): boolean;
  /** Of containers, dead ones included. */
  names(filters: readonly string[]): Promise<string[]>;
  inspect: Engine["inspect"];
}): Networks {
  const look = async (): Promise<InspectedNetwork | undefined> => {
    const { stdout, stderr, exitCode } = await run(["network", "inspect", NETWORK], { anyExitCode: true });
    if (exitCode === 0) return (JSON.parse(stdout) as InspectedNetwork[])[0];
    if (isNotThere(stderr)) return undefined;
    throw new BackendError("failed", `${provider} network inspect failed: ${stderr.trim()}`);
  };

  const make = async (labels: Readonly<Record<string, string>>): Promise<void> => {
    const marks = Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
    const begin = ["network", "create", "-d=bridge", ...dialect.networkOptions, ...marks];
    for (let attempt = 0; ; attempt++) {
      const command = [...begin, "--ipv6", "--subnet", ipv6Range(attempt), NETWORK];
      const { stderr, exitCode } = await run(command, { anyExitCode: true });
      if (exitCode === 0 || /already exists/i.test(stderr)) return;
      if (IS_TAKEN.test(stderr) && attempt + 1 < RANGES) continue;
      if (!HAS_NO_IPV6.test(stderr))
        throw new BackendError("failed", `${provider} network create failed: ${stderr.trim()}`);
      await run([...begin, NETWORK]);
      return;
    }
  };

  const inside = (): Promise<string[]> => names(["--filter", `network=${NETWORK}`]);

  const shown = async (network: InspectedNetwork): Promise<Network> => {
    const parsed = parseNetwork(network);
    if (!network.subnets || network.containers) return parsed;
    const guests = (await inspect(await inside())).filter(({ address }) => address !== "");
    return { ...parsed, holders: Object.fromEntries(guests.map(({ address, name }) => [address, name])) };
  };

  return {
    network: async (labels) => {
      const present = await look();
      if (!present) await make(labels);
      return shown(present ?? (await look()) ?? {});
    },
    join: async (container, address) => {
      const at = address === undefined ? [] : ["--ip", address];
      const { stderr, exitCode } = await run(["network", "connect", ...at, NETWORK, container], { anyExitCode: true });
      if (exitCode !== 0 && !/already (exists|connected|in|attached)/i.test(stderr))
        throw new BackendError("failed", `${provider} network connect failed: ${stderr.trim()}`);
    },
    removeNetwork: async (labels, guest) => {
      const present = await look();
      if (!present) return true;
      const marks = present.Labels ?? present.labels ?? {};
      if (Object.entries(labels).some(([label, value]) => marks[label] !== value)) return false;
      const guests = await inside();
      if (guests.some((name) => name !== guest)) return false;
      if (guests.length > 0) await run(["network", "disconnect", NETWORK, ...guests], { anyExitCode: true });
      return (await run(["network", "rm", NETWORK], { anyExitCode: true })).exitCode === 0;
    },
  };
}
