/** Containers and networks, by the command line of Docker or of what stands in for it (kind's own KIND_EXPERIMENTAL_PROVIDER). Everything asked by name. */
import { BackendError } from "../backend.js";
import { type Dialect, dialectOf } from "./dialects.js";
import { createNetworks, NETWORK, type Network } from "./kinds-network.js";
import { KIND_LABELS, type KindRole } from "./names.js";
import type { Runner, RunOptions, RunResult } from "./runner.js";

export type Provider = "docker" | "podman" | "nerdctl";

export interface Container {
  name: string;
  labels: Readonly<Record<string, string>>;
  role: KindRole | undefined;
  state: "running" | "paused" | "stopped";
  /** On kind's network; empty while it does not run. */
  address: string;
  address6: string;
  image: string;
  /** It has the machine's own network, and none of the engine's. */
  onHostNetwork: boolean;
  /** Ports of this machine by the container's, such as `6443/tcp`. */
  ports: Readonly<Record<string, number>>;
}

export interface Engine {
  readonly provider: Provider;
  readonly dialect: Dialect;
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
  /** What `--volume` is given for a directory of a container that is about to be run: a volume that goes with it. */
  volume(container: string, path: string): Promise<string>;
  /** With its volumes; nothing when it is not there. */
  remove(containers: readonly string[]): Promise<void>;
  /** Gives a container that does not run the address that it shall have at its next start; nothing where the engine has no such command. */
  reserveAddress(container: string, address: string): Promise<void>;
  hasImage(image: string): Promise<boolean>;
  /** kind's network as it is; made, and marked with the labels, when there is none. */
  network(labels: Readonly<Record<string, string>>): Promise<Network>;
  /** Has a container that runs be on kind's network as well, at that address if one is given. */
  join(container: string, address?: string): Promise<void>;
  /**
   * Removes kind's network when it carries the labels and no container is in it, not even a stopped one; `guest`, if it is the only one, leaves it first.
   * Gives whether there is none any more.
   */
  removeNetwork(labels: Readonly<Record<string, string>>, guest?: string): Promise<boolean>;
  /** Lines of JSON about containers that carry the label, as they start and die. Returns how to stop. */
  events(label: string, listener: { onLine(line: string): void; onEnd(): void }): () => void;
}

/** As `docker container inspect` gives it. */
interface Inspected {
  Name: string;
  State?: { Running?: boolean; Paused?: boolean; Status?: string };
  Config?: { Labels?: Record<string, string> | null; Image?: string };
  HostConfig?: { NetworkMode?: string; PortBindings?: Record<string, { HostPort?: string }[] | null> | null };
  NetworkSettings?: {
    Networks?: Record<string, { IPAddress?: string; GlobalIPv6Address?: string } | null> | null;
    Ports?: Record<string, { HostPort?: string }[] | null> | null;
  };
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

const filters = (labels: Readonly<Record<string, string>>): string[] =>
  Object.entries(labels).flatMap(([name, value]) => ["--filter", `label=${name}=${value}`]);

const ROLES: readonly string[] = ["control-plane", "worker", "external-load-balancer"] satisfies KindRole[];

function parseContainer(inspected: Inspected): Container {
  const { State: state = {}, Config: config = {}, NetworkSettings: settings = {}, HostConfig: host = {} } = inspected;
  const labels = config.Labels ?? {};
  const role = labels[KIND_LABELS.role];
  // nerdctl names networks after the container's own devices; kind's machines are on one alone.
  const network = settings.Networks?.[NETWORK] ?? settings.Networks?.["unknown-eth0"];
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
    onHostNetwork: host.NetworkMode === "host",
    ports: Object.fromEntries(
      Object.entries(bindings).flatMap(([port, bound]) => {
        const hostPort = Number(bound?.[0]?.HostPort ?? Number.NaN);
        return hostPort > 0 ? [[port, hostPort]] : [];
      }),
    ),
  };
}

const isNotThere = (text: string): boolean =>
  /no such (container|object|network|image)|not found|no network found|unable to find any network/i.test(text);

export function createEngine(runner: Runner, provider: Provider): Engine {
  const dialect = dialectOf(provider);
  const run = (args: readonly string[], options?: RunOptions): Promise<RunResult> =>
    runner.run(provider, args, options);

  const inspect = async (names: readonly string[]): Promise<Container[]> => {
    if (names.length === 0) return [];
    // One that is removed in between fails the command, which prints the others all the same.
    const { stdout, stderr, exitCode } = await run(["container", "inspect", ...names], { anyExitCode: true });
    if (exitCode !== 0 && !isNotThere(stderr)) throw new BackendError("unavailable", stderr.trim());
    const found = stdout.trim() === "" ? [] : (JSON.parse(stdout) as Inspected[]).map(parseContainer);
    // nerdctl prints none of them.
    if (exitCode === 0 || found.length > 0 || names.length === 1) return found;
    return (await Promise.all(names.map((name) => inspect([name])))).flat();
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

  const removeVolumes = async (container: string): Promise<void> => {
    const { stdout } = await run(["volume", "ls", "--filter", `label=${container}`, "--quiet"]);
    const volumes = lines(stdout);
    if (volumes.length > 0) await run(["volume", "rm", "--force", ...volumes]);
  };

  return {
    provider,
    dialect,
    run,
    exec,
    inspect,
    containers: async (labels) => inspect(await names(filters(labels))),
    labelValues: async (label) => {
      if (!dialect.namesLabels) {
        const labelled = await inspect(await names(["--filter", `label=${label}`]));
        return [...new Set(labelled.flatMap(({ labels }) => labels[label] ?? []))];
      }
      const { stdout } = await run(["ps", "--all", "--filter", `label=${label}`, "--format", `{{.Label "${label}"}}`]);
      return [...new Set(lines(stdout))];
    },
    write: async (container, path, text) => void (await exec(container, ["cp", "/dev/stdin", path], { input: text })),
    start: (container) => change("start", container, "running"),
    kill: async (container) => {
      if (dialect.revives) await run(["update", "--restart=no", container], { anyExitCode: true });
      await change("kill", container, "stopped");
    },
    pause: (container) => change("pause", container, "paused"),
    unpause: (container) => change("unpause", container, "running"),
    volume: async (container, path) => {
      if (dialect.volumeOptions === undefined) return path;
      await removeVolumes(container);
      // As kind marks those of its own nodes: it finds them by the container's name.
      await run(["volume", "create", "--label", `${container}=true`, container]);
      return `${container}:${path}:${dialect.volumeOptions}`;
    },
    remove: async (containers) => {
      if (containers.length === 0) return;
      if (dialect.revives) await run(["update", "--restart=no", ...containers], { anyExitCode: true });
      for (const some of dialect.removesOneByOne ? containers.map((one) => [one]) : [containers]) {
        const command = ["rm", "--force", "--volumes", ...dialect.removal, ...some];
        const { stderr, exitCode } = await run(command, { anyExitCode: true });
        if (exitCode !== 0 && !isNotThere(stderr) && !/already in progress/.test(stderr))
          throw new BackendError("failed", `${provider} rm failed: ${stderr.trim()}`);
      }
      if (dialect.volumeOptions !== undefined) for (const container of containers) await removeVolumes(container);
    },
    reserveAddress: async (container, address) => {
      if (!dialect.reserves) return;
      await run(["network", "disconnect", NETWORK, container], { anyExitCode: true });
      await run(["network", "connect", "--ip", address, NETWORK, container]);
    },
    hasImage: async (image) => (await run(["image", "inspect", image], { anyExitCode: true })).exitCode === 0,
    ...createNetworks({ provider, run, dialect, isNotThere, names, inspect }),
    events: (label, listener) =>
      runner.follow(
        provider,
        ["events", ...dialect.events, "--filter", `label=${label}`, "--format", "{{json .}}"],
        listener,
      ),
  };
}
