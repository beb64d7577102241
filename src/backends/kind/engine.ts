/** Containers and networks, by the command line of Docker or of what stands in for it (kind's own KIND_EXPERIMENTAL_PROVIDER). Everything asked by name. */
import { BackendError } from "../backend.js";
import { KIND_LABELS, type KindRole } from "./names.js";
import type { Runner, RunOptions, RunResult } from "./runner.js";

export type Provider = "docker" | "podman" | "nerdctl";

/** kind's own network, which all of its clusters share. */
export const NETWORK = "kind";

export interface Container {
  name: string;
  labels: Readonly<Record<string, string>>;
  role: KindRole | undefined;
  state: "running" | "paused" | "stopped";
  /** On kind's network; empty while it does not run. */
  address: string;
  address6: string;
  image: string;
  /** Ports of this machine by the container's, such as `6443/tcp`. */
  ports: Readonly<Record<string, number>>;
}

export interface Engine {
  readonly provider: Provider;
  /** Those that carry all of the labels, dead ones included, by name. */
  containers(labels: Readonly<Record<string, string>>): Promise<Container[]>;
  /** Values that a label has on any container. */
  labelValues(label: string): Promise<string[]>;
  inspect(names: readonly string[]): Promise<Container[]>;
  /** Runs a program in a container, as root and with all that the machine's own root may do. */
  exec(container: string, command: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Writes a file in a container. */
  write(container: string, path: string, text: string): Promise<void>;
  run(args: readonly string[], options?: RunOptions): Promise<RunResult>;
  start(container: string): Promise<void>;
  /** The power goes: nothing is told to the processes. */
  kill(container: string): Promise<void>;
  pause(container: string): Promise<void>;
  unpause(container: string): Promise<void>;
  /** With its volumes; nothing when it is not there. */
  remove(containers: readonly string[]): Promise<void>;
  /** Gives a container that does not run the address that it shall have at its next start. */
  reserveAddress(container: string, address: string): Promise<void>;
  hasImage(image: string): Promise<boolean>;
  /** kind's network as it is; made, and marked with the labels, when there is none. */
  network(labels: Readonly<Record<string, string>>): Promise<Network>;
  /** Removes kind's network when it carries the labels and no container is in it, not even a stopped one. */
  removeNetwork(labels: Readonly<Record<string, string>>): Promise<void>;
  /** Lines of JSON about containers that carry the label, as they start and die. Returns how to stop. */
  events(label: string, listener: { onLine(line: string): void; onEnd(): void }): () => void;
}

export interface Network {
  /** Addresses of this machine, IPv4 first. */
  gateways: string[];
  /** IPv4, such as `172.18.0.0/16`; absent when there is none. */
  subnet?: string;
  /** Who has which IPv4 address now: names of containers by address. */
  holders: Readonly<Record<string, string>>;
}

/** As `docker container inspect` gives it. */
interface Inspected {
  Name: string;
  State?: { Running?: boolean; Paused?: boolean; Status?: string };
  Config?: { Labels?: Record<string, string> | null; Image?: string };
  HostConfig?: { PortBindings?: Record<string, { HostPort?: string }[] | null> | null };
  NetworkSettings?: {
    Networks?: Record<string, { IPAddress?: string; GlobalIPv6Address?: string } | null> | null;
    Ports?: Record<string, { HostPort?: string }[] | null> | null;
  };
}

interface InspectedNetwork {
  Labels?: Record<string, string> | null;
  IPAM?: { Config?: { Gateway?: string; Subnet?: string }[] | null };
  Containers?: Record<string, { Name?: string; IPv4Address?: string }> | null;
  // podman's form
  labels?: Record<string, string> | null;
  subnets?: { gateway?: string; subnet?: string }[] | null;
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

const filters = (labels: Readonly<Record<string, string>>): string[] =>
  Object.entries(labels).flatMap(([name, value]) => ["--filter", `label=${name}=${value}`]);

const ROLES: readonly string[] = ["control-plane", "worker", "external-load-balancer"] satisfies KindRole[];

export function parseContainer(inspected: Inspected): Container {
  const { State: state = {}, Config: config = {}, NetworkSettings: settings = {}, HostConfig: host = {} } = inspected;
  const labels = config.Labels ?? {};
  const role = labels[KIND_LABELS.role];
  const network = settings.Networks?.[NETWORK];
  const running = state.Running === true || state.Status === "running" || state.Status === "paused";
  const bindings = { ...host.PortBindings, ...settings.Ports };
  return {
    name: inspected.Name.replace(/^\//, ""),
    labels,
    role: ROLES.includes(role ?? "") ? (role as KindRole) : undefined,
    state: state.Paused === true || state.Status === "paused" ? "paused" : running ? "running" : "stopped",
    address: network?.IPAddress ?? "",
    address6: network?.GlobalIPv6Address ?? "",
    image: config.Image ?? "",
    ports: Object.fromEntries(
      Object.entries(bindings).flatMap(([port, bound]) => {
        const hostPort = Number(bound?.[0]?.HostPort ?? Number.NaN);
        return hostPort > 0 ? [[port, hostPort]] : [];
      }),
    ),
  };
}

export function parseNetwork({ IPAM, subnets, Containers }: InspectedNetwork): Network {
  const ranges = [
    ...(IPAM?.Config ?? []).map(({ Gateway: gateway, Subnet: subnet }) => ({ gateway, subnet })),
    ...(subnets ?? []),
  ];
  const gateways = ranges.flatMap(({ gateway }) => (gateway ? [gateway.replace(/\/\d+$/, "")] : []));
  const subnet = ranges.find((range) => range.subnet !== undefined && !range.subnet.includes(":"))?.subnet;
  const holders = Object.values(Containers ?? {}).flatMap(({ Name = "", IPv4Address = "" }): [string, string][] => {
    const address = IPv4Address.replace(/\/\d+$/, "");
    return address === "" ? [] : [[address, Name]];
  });
  return {
    gateways: gateways.sort((a, b) => Number(a.includes(":")) - Number(b.includes(":"))),
    ...(subnet === undefined ? {} : { subnet }),
    holders: Object.fromEntries(holders),
  };
}

const isNotThere = (text: string): boolean => /no such (container|object|network|image)|not found/i.test(text);

export function createEngine(runner: Runner, provider: Provider): Engine {
  const run = (args: readonly string[], options?: RunOptions): Promise<RunResult> =>
    runner.run(provider, args, options);

  const inspect = async (names: readonly string[]): Promise<Container[]> => {
    if (names.length === 0) return [];
    // One that is removed in between fails the command, which prints the others all the same.
    const { stdout, stderr, exitCode } = await run(["container", "inspect", ...names], { anyExitCode: true });
    if (exitCode !== 0 && !isNotThere(stderr)) throw new BackendError("unavailable", stderr.trim());
    return stdout.trim() === "" ? [] : (JSON.parse(stdout) as Inspected[]).map(parseContainer);
  };

  const inspectNetwork = async (): Promise<InspectedNetwork | undefined> => {
    const { stdout, stderr, exitCode } = await run(["network", "inspect", NETWORK], { anyExitCode: true });
    if (exitCode === 0) return (JSON.parse(stdout) as InspectedNetwork[])[0];
    if (isNotThere(stderr)) return undefined;
    throw new BackendError("failed", `${provider} network inspect failed: ${stderr.trim()}`);
  };

  const names = async (args: readonly string[]): Promise<string[]> =>
    lines((await run(["ps", "--all", ...args, "--format", "{{.Names}}"])).stdout);

  const exec = (container: string, command: readonly string[], options: RunOptions = {}): Promise<RunResult> => {
    const interactive = options.input === undefined ? [] : ["--interactive"];
    return run(["exec", "--privileged", ...interactive, container, ...command], options);
  };

  const isAsWished = async (container: string, state: Container["state"]): Promise<boolean> =>
    (await inspect([container]))[0]?.state === state;

  /** Asked for what is already so, the engine refuses: then it is as it should be. */
  const change = async (verb: string, container: string, wished: Container["state"]): Promise<void> => {
    const { stderr, exitCode } = await run([verb, container], { anyExitCode: true });
    if (exitCode === 0 || (await isAsWished(container, wished))) return;
    if (isNotThere(stderr)) throw new BackendError("missing", `there is no container ${container}`);
    throw new BackendError("failed", `${provider} ${verb} ${container} failed: ${stderr.trim()}`);
  };

  return {
    provider,
    run,
    exec,
    inspect,
    containers: async (labels) => inspect(await names(filters(labels))),
    labelValues: async (label) => {
      const { stdout } = await run(["ps", "--all", "--filter", `label=${label}`, "--format", `{{.Label "${label}"}}`]);
      return [...new Set(lines(stdout))];
    },
    write: async (container, path, text) => void (await exec(container, ["cp", "/dev/stdin", path], { input: text })),
    start: (container) => change("start", container, "running"),
    kill: (container) => change("kill", container, "stopped"),
    pause: (container) => change("pause", container, "paused"),
    unpause: (container) => change("unpause", container, "running"),
    remove: async (containers) => {
      if (containers.length === 0) return;
      const { stderr, exitCode } = await run(["rm", "--force", "--volumes", ...containers], { anyExitCode: true });
      if (exitCode === 0 || isNotThere(stderr) || /already in progress/.test(stderr)) return;
      throw new BackendError("failed", `${provider} rm failed: ${stderr.trim()}`);
    },
    reserveAddress: async (container, address) => {
      await run(["network", "disconnect", NETWORK, container], { anyExitCode: true });
      await run(["network", "connect", "--ip", address, NETWORK, container]);
    },
    hasImage: async (image) => (await run(["image", "inspect", image], { anyExitCode: true })).exitCode === 0,
    network: async (labels) => {
      const present = await inspectNetwork();
      if (!present) await run(networkCreateArguments(labels));
      return parseNetwork(present ?? (await inspectNetwork()) ?? {});
    },
    removeNetwork: async (labels) => {
      const present = await inspectNetwork();
      const marks = present?.Labels ?? present?.labels ?? {};
      if (!present || Object.entries(labels).some(([label, value]) => marks[label] !== value)) return;
      if ((await names(["--filter", `network=${NETWORK}`])).length > 0) return;
      await run(["network", "rm", NETWORK], { anyExitCode: true });
    },
    events: (label, listener) =>
      runner.follow(
        provider,
        ["events", "--filter", "type=container", "--filter", `label=${label}`, "--format", "{{json .}}"],
        listener,
      ),
  };
}

/** As kind itself makes it: the IPv6 range is any of those for private use, which Docker does not choose by itself. */
function networkCreateArguments(labels: Readonly<Record<string, string>>): string[] {
  const marks = Object.entries(labels).flatMap(([name, value]) => ["--label", `${name}=${value}`]);
  return [
    ...["network", "create", "-d=bridge", "-o", "com.docker.network.bridge.enable_ip_masquerade=true"],
    ...["-o", "com.docker.network.driver.mtu=1500", ...marks, "--ipv6", "--subnet", IPV6_SUBNET, NETWORK],
  ];
}

/** The one that kind tries first. */
const IPV6_SUBNET = "fc00:f853:ccd:e793::/64";
