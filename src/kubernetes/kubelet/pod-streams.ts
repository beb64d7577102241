import type { Duplex } from "node:stream";
import type { Clock } from "../../clock/clock.js";
import { badRequest, internalError } from "../errors.js";
import type { ObjectKey } from "../object.js";
import type { ExecOptions, PodStreams, ProcessIo } from "../pod-streams.js";
import type { Container, Pod } from "../schema/generated/types.js";
import type { BehaviourOf } from "./behaviour.js";
import { serveHttp } from "./http-connection.js";
import type { Listener } from "./machine/listeners.js";
import type { ContainerRun, PodMachine } from "./machine/pod-machine.js";
import { type Input, type Output, Pipe, textInput } from "./machine/streams.js";
import type { PodOperations } from "./pod-operations.js";
import { type ContainerRuntime, type PodRuntime, specOf } from "./pod-runtime.js";
import { createTerminal } from "./terminal.js";

/** exec, attach, port-forward and followed logs of simulated pods. */
export interface PodPresence {
  pod: Pod;
  runtime: PodRuntime | undefined;
  machine: () => PodMachine;
  operations: PodOperations;
  listener: (port: number) => Listener | undefined;
  /** Calls `listener` after anything about the pod's containers has changed. */
  onChange: (listener: () => void) => () => void;
}

export interface StreamSources {
  clock: Clock;
  /** Throws StatusError when there is no such pod here, or its node does not answer. */
  find(key: ObjectKey): PodPresence;
  dial: PodStreams["dial"];
  reachesNode: PodStreams["reachesNode"];
  behaviourOf: BehaviourOf;
}

const DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container";

function chosen(
  { pod, runtime }: PodPresence,
  name: string | undefined,
): { container: ContainerRuntime; spec: Container } {
  const wanted = name || pod.metadata.annotations?.[DEFAULT_CONTAINER] || pod.spec?.containers[0]?.name;
  const container = runtime?.containers.find((candidate) => candidate.name === wanted);
  const spec = container && specOf(pod, container);
  if (!container || !spec) throw badRequest(`container ${wanted} is not valid for pod ${pod.metadata.name}`);
  return { container, spec };
}

function running(
  presence: PodPresence,
  name: string | undefined,
): { container: ContainerRuntime; spec: Container; run: ContainerRun } {
  const { container, spec } = chosen(presence, name);
  if (container.state.is !== "running")
    throw internalError(`unable to upgrade connection: container not found ("${container.name}")`);
  return { container, spec, run: presence.operations.enter(container, spec) };
}

const outputOf = (write: (bytes: Uint8Array) => void): Output => ({
  write: (data) => write(Buffer.from(data, "latin1")),
});

/** Feeds what the client sends into a pipe, and wakes who waits for it. */
function feed(
  io: ProcessIo,
  pipe: Pipe,
  wake: () => void,
  through: (data: string) => void = (data) => pipe.write(data),
  ends = true,
): void {
  if (!io.stdin) return;
  const { stdin } = io;
  const pump = async (): Promise<void> => {
    try {
      for await (const chunk of stdin) {
        through(Buffer.from(chunk).toString("latin1"));
        wake();
      }
    } catch {
      // A client that went away sends nothing any more.
    }
    if (ends) pipe.close();
    wake();
  };
  void pump();
}

export function createPodStreams({ clock, find, dial, reachesNode, behaviourOf }: StreamSources): PodStreams {
  /** Runs one of the programmed answers. */
  const programmed = (
    presence: PodPresence,
    { container, command }: ExecOptions,
    io: ProcessIo,
  ): number | undefined => {
    const { container: found, spec } = chosen(presence, container);
    const answer = behaviourOf(presence.pod, spec, found.role).exec?.(command);
    if (!answer) return undefined;
    if (answer.stdout) io.stdout(Buffer.from(answer.stdout));
    if (answer.stderr) io.stderr(Buffer.from(answer.stderr));
    return answer.exitCode ?? 0;
  };

  return {
    ...(dial ? { dial } : {}),
    ...(reachesNode ? { reachesNode } : {}),
    async exec(key, options, io) {
      const presence = find(key);
      const code = programmed(presence, options, io);
      if (code !== undefined) return code;
      const { run } = running(presence, options.container);
      const machine = presence.machine();
      const wake = (): void => machine.kernel.kick();
      const pipe = new Pipe();
      let stdin: Input = io.stdin ? pipe : textInput();
      let stdout = outputOf(io.stdout);
      let stderr = outputOf(io.stderr);
      let interrupt = (): void => {};
      if (options.tty) {
        const terminal = createTerminal(stdout, () => interrupt());
        stdout = terminal.output;
        stderr = terminal.output;
        stdin = Object.assign(pipe, { isTerminal: true });
        feed(io, pipe, wake, (data) => terminal.type(data, pipe));
        if (!io.stdin) pipe.close();
      } else feed(io, pipe, wake);
      return await new Promise<number>((resolve) => {
        const process = machine.exec(run, options.command, { stdin, stdout, stderr, onExit: resolve });
        interrupt = () => {
          machine.kernel.signal(process, "INT");
          wake();
        };
        const hangUp = (): void => {
          machine.kernel.signal(process, "KILL");
          wake();
        };
        if (io.signal.aborted) hangUp();
        else io.signal.addEventListener("abort", hangUp, { once: true });
      });
    },
    async attach(key, { container, tty }, io) {
      const presence = find(key);
      const { run, spec } = running(presence, container);
      const machine = presence.machine();
      const wake = (): void => machine.kernel.kick();
      // Only a container that wants it once loses its input with the client.
      const ends = spec.stdinOnce === true;
      let stdout = outputOf(io.stdout);
      let stderr = tty ? stdout : outputOf(io.stderr);
      const input = run.stdin;
      if (input && io.stdin) {
        if (tty) {
          const terminal = createTerminal(stdout, () => {});
          stdout = terminal.output;
          stderr = terminal.output;
          feed(io, input, wake, (data) => terminal.type(data, input), ends);
        } else feed(io, input, wake, undefined, ends);
      }
      const client = { stdout, stderr };
      run.attached.add(client);
      return await new Promise<number>((resolve) => {
        const finish = (code: number): void => {
          run.attached.delete(client);
          stop();
          resolve(code);
        };
        const look = (): void => {
          if (run.exit) finish(run.exit.code);
        };
        const stop = presence.onChange(look);
        io.signal.addEventListener("abort", () => finish(0), { once: true });
        look();
      });
    },
    async connect(key, port): Promise<Duplex> {
      const presence = find(key);
      const { pod } = presence;
      if (!presence.runtime?.containers.some(({ state }) => state.is === "running"))
        throw internalError(`unable to upgrade connection: pod does not exist`);
      const listener = presence.listener(port);
      if (!listener) {
        const tried = `IPv4: dial tcp4 127.0.0.1:${port}: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found`;
        throw internalError(`failed to connect to localhost:${port} inside namespace "${pod.metadata.uid}", ${tried}`);
      }
      return await serveHttp(listener, clock);
    },
    standIn: (key, port) => find(key).listener(port)?.standsFor,
    followLog(key, name, { line, end }) {
      const presence = find(key);
      const { container } = chosen(presence, name);
      let stopLines = (): void => {};
      let stopChanges = (): void => {};
      let isOver = false;
      const finish = (): void => {
        if (isOver) return;
        isOver = true;
        stopLines();
        stopChanges();
        end();
      };
      const look = (): void => {
        const now = presence.runtime?.containers.find((candidate) => candidate.name === container.name);
        if (!now || now.restarts !== container.restarts || now.state.is !== "running") clock.defer(finish);
      };
      if (container.state.is === "running") {
        const run = presence.machine().run(container.name);
        if (run) stopLines = run.log.onLine(({ text, atMs }) => line(text, atMs));
      }
      stopChanges = presence.onChange(look);
      look();
      return () => {
        isOver = true;
        stopLines();
        stopChanges();
      };
    },
  };
}
