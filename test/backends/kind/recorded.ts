/** A runner that runs nothing: it answers with what the real tools were seen to print, and refuses every command that nobody has written down. */
import { BackendError } from "../../../src/backends/backend.js";
import type { Runner, RunOptions, RunResult } from "../../../src/backends/kind/runner.js";

export interface Recorded {
  /** The whole command, argument by argument. */
  command: readonly string[];
  stdout?: string | (() => string);
  stderr?: string;
  exitCode?: number;
  /** What has to be given to it. */
  input?: string | RegExp;
  /** As often as it is asked for; otherwise once. */
  always?: boolean;
  /** What the real tool does beside its answer. */
  effect?: (signal?: AbortSignal) => void | Promise<void>;
}

export interface RecordedRunner extends Runner {
  /** Every command so far. */
  readonly ran: string[][];
  /** Secrets that were to be kept out of logs. */
  readonly secrets: string[];
  expect(...recorded: Recorded[]): void;
  /** Commands that were written down and have not been run. */
  left(): string[][];
  /** A line of what is followed, such as an event. */
  say(line: string): void;
  /** What there is in Docker: questions about containers are answered from it, and need not be written down. */
  containers: RecordedContainer[];
}

export function recordedRunner(): RecordedRunner {
  const expected: Recorded[] = [];
  const ran: string[][] = [];
  const secrets: string[] = [];
  const followers = new Set<(line: string) => void>();
  const containers: RecordedContainer[] = [];

  /** The answer to `docker ps` by labels and to `docker container inspect`. */
  const look = ([tool, verb, ...args]: readonly string[]): RunResult | undefined => {
    if (tool !== "docker") return undefined;
    if (verb === "container" && args[0] === "inspect") {
      const found = args.slice(1).flatMap((name) => recorded.containers.filter((one) => one.name === name));
      const missing = args.length - 1 - found.length;
      return {
        stdout: inspected(found),
        stderr: missing > 0 ? "No such container: x" : "",
        exitCode: missing > 0 ? 1 : 0,
      };
    }
    const labels = args.flatMap((arg) => (arg.startsWith("label=") ? [arg.slice("label=".length).split("=")] : []));
    if (verb !== "ps" || labels.length === 0) return undefined;
    const shown = args.at(-1) ?? "";
    const found = recorded.containers.filter((one) =>
      labels.every(([name = "", value]) => (value === undefined ? name in one.labels : one.labels[name] === value)),
    );
    const asked = /\.Label "([^"]+)"/.exec(shown)?.[1];
    const lines = found.map((one) => (asked === undefined ? one.name : (one.labels[asked] ?? "")));
    return { stdout: lines.map((line) => `${line}\n`).join(""), stderr: "", exitCode: 0 };
  };

  const find = (command: readonly string[]): Recorded => {
    const text = JSON.stringify(command);
    const index = expected.findIndex((one) => JSON.stringify(one.command) === text);
    const found = expected[index];
    if (!found)
      throw new Error(
        `nobody has written down: ${text}\nbut ${expected.map((one) => `\n${JSON.stringify(one.command)}`)}`,
      );
    if (!found.always) expected.splice(index, 1);
    return found;
  };

  const recorded: RecordedRunner = {
    ran,
    containers,
    secrets,
    expect: (...recorded) => void expected.push(...recorded),
    left: () => expected.filter(({ always }) => !always).map(({ command }) => [...command]),
    say: (line) => {
      for (const follower of followers) follower(line);
    },
    async run(tool: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
      const command = [tool, ...args].map((arg) =>
        (options.secrets ?? []).reduce((text, secret) => text.replace(secret, "<secret>"), arg),
      );
      secrets.push(...(options.secrets ?? []));
      const seen = expected.some((one) => JSON.stringify(one.command) === JSON.stringify(command))
        ? undefined
        : look(command);
      if (seen) return seen;
      ran.push(command);
      const { stdout = "", stderr = "", exitCode = 0, input, effect } = find(command);
      if (input instanceof RegExp ? !input.test(options.input ?? "") : input !== undefined && input !== options.input)
        throw new Error(`${command.join(" ")} was given ${options.input}`);
      await effect?.(options.signal);
      for (const line of stderr.split("\n")) options.onStderrLine?.(line);
      if (exitCode !== 0 && !options.anyExitCode)
        throw new BackendError("failed", `${tool} ${args[0]} failed with exit code ${exitCode}: ${stderr.trim()}`);
      return { stdout: typeof stdout === "string" ? stdout : stdout(), stderr, exitCode };
    },
    follow(tool, args, { onLine }) {
      ran.push([tool, ...args]);
      find([tool, ...args]);
      followers.add(onLine);
      return () => void followers.delete(onLine);
    },
  };
  return recorded;
}

export interface RecordedContainer {
  name: string;
  labels: Record<string, string>;
  state?: "running" | "paused" | "exited";
  address?: string;
  image?: string;
  ports?: Record<string, { HostIp: string; HostPort: string }[]>;
}

/** As `docker container inspect` of Docker 28.5 gives containers, cut down to a few of its fields. */
export const inspected = (containers: readonly RecordedContainer[]): string =>
  JSON.stringify(
    containers.map(({ name, labels, state = "running", address = "", image = "kindest/node:v1.36.2", ports = {} }) => ({
      Id: "1f0a",
      Name: `/${name}`,
      State: { Status: state, Running: state !== "exited", Paused: state === "paused", Pid: 4242, ExitCode: 0 },
      Config: { Hostname: name, Image: image, Labels: labels },
      HostConfig: { PortBindings: ports },
      NetworkSettings: {
        Ports: state === "running" ? ports : {},
        Networks: {
          kind: {
            IPAMConfig: null,
            IPAddress: state === "exited" ? "" : address,
            GlobalIPv6Address: state === "exited" ? "" : `fc00:f853:ccd:e793::${address.split(".").at(-1)}`,
          },
        },
      },
    })),
  );

/** `docker network inspect kind` on a machine where kind has made it. */
export const KIND_NETWORK = JSON.stringify([
  {
    Name: "kind",
    Driver: "bridge",
    EnableIPv6: true,
    IPAM: {
      Driver: "default",
      Config: [
        { Subnet: "fc00:f853:ccd:e793::/64", Gateway: "fc00:f853:ccd:e793::1" },
        { Subnet: "172.18.0.0/16", Gateway: "172.18.0.1" },
      ],
    },
    Labels: {},
  },
]);

/** An address that is nobody's: nothing can be served there. */
export const NO_ADDRESS = "192.0.2.1";

/** The same with the containers that run in it, on a machine that has no address there. */
export const networkWith = (containers: readonly RecordedContainer[]): string => {
  const [network] = JSON.parse(KIND_NETWORK) as Record<string, unknown>[];
  const running = containers.filter(({ state = "running", address }) => state !== "exited" && address);
  const endpoints = running.map(({ name, address }) => [name, { Name: name, IPv4Address: `${address}/16` }]);
  return JSON.stringify([{ ...network, Containers: Object.fromEntries(endpoints) }]).replace(
    /172\.18\.0\.1"/g,
    `${NO_ADDRESS}"`,
  );
};

export const silentLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
