/** A runner that runs nothing: it answers with what the real tools were seen to print, and refuses every command that nobody has written down. */
import { BackendError } from "../../../src/backends/backend.js";
import type { Runner, RunOptions, RunResult } from "../../../src/backends/kind/runner.js";

export interface Recorded {
  /** The whole command, argument by argument. */
  command: readonly string[];
  stdout?: string;
  stderr?: string;
  exitCode?: number;
  /** What has to be given to it. */
  input?: string | RegExp;
  /** As often as it is asked for; otherwise once. */
  always?: boolean;
  /** What the real tool does beside its answer. */
  effect?: () => void | Promise<void>;
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
}

export function recordedRunner(): RecordedRunner {
  const expected: Recorded[] = [];
  const ran: string[][] = [];
  const secrets: string[] = [];
  const followers = new Set<(line: string) => void>();

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

  return {
    ran,
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
      ran.push(command);
      const { stdout = "", stderr = "", exitCode = 0, input, effect } = find(command);
      if (input instanceof RegExp ? !input.test(options.input ?? "") : input !== undefined && input !== options.input)
        throw new Error(`${command.join(" ")} was given ${options.input}`);
      await effect?.();
      for (const line of stderr.split("\n")) options.onStderrLine?.(line);
      if (exitCode !== 0 && !options.anyExitCode)
        throw new BackendError("failed", `${tool} ${args[0]} failed with exit code ${exitCode}: ${stderr.trim()}`);
      return { stdout, stderr, exitCode };
    },
    follow(tool, args, { onLine }) {
      ran.push([tool, ...args]);
      find([tool, ...args]);
      followers.add(onLine);
      return () => void followers.delete(onLine);
    },
  };
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

/** Two commands: which containers carry the labels, and what they look like. */
export function listing(labels: Record<string, string>, containers: readonly RecordedContainer[]): Recorded[] {
  const filters = Object.entries(labels).flatMap(([name, value]) => ["--filter", `label=${name}=${value}`]);
  const names = containers.map(({ name }) => name);
  return [
    {
      command: ["docker", "ps", "--all", ...filters, "--format", "{{.Names}}"],
      stdout: names.map((name) => `${name}\n`).join(""),
    },
    ...(names.length > 0
      ? [{ command: ["docker", "container", "inspect", ...names], stdout: inspected(containers) }]
      : []),
  ];
}

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

export const silentLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
