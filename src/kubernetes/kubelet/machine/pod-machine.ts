import type { Clock } from "../../../clock/clock.js";
import type { Random } from "../../../clock/random.js";
import type { Container, Pod } from "../../schema/generated/types.js";
import { commandOf, standIn } from "../entrypoint.js";
import type { ImageProgram } from "../image-programs.js";
import { volumesRead } from "../pod-tokens.js";
import { findProgram, PROGRAM_NAMES } from "../programs/index.js";
import { serve } from "../programs/process-programs.js";
import { containerTree } from "./container-files.js";
import { ContainerLog } from "./container-log.js";
import { type EnvironmentSources, environmentOf, expanded, hostnameOf } from "./environment.js";
import type { FileNode } from "./file-nodes.js";
import { type Credentials, type FileTree, fromBytes, toBytes } from "./files.js";
import { Kernel, type Process, type Signal, type Work } from "./kernel.js";
import { bindListeners, Listeners } from "./listeners.js";
import type { Network } from "./network.js";
import type { PodVolumes } from "./pod-volumes.js";
import type { Program, System } from "./program.js";
import { type Input, type Output, Pipe, textInput } from "./streams.js";

/** The machine that the containers of one pod run on: one kernel, one set of volumes, a file tree and a first process for each container. */
export interface ContainerRun {
  readonly name: string;
  readonly startedMs: number;
  /** Which run of its container this is: the number of restarts before it. */
  readonly number: number;
  readonly log: ContainerLog;
  readonly tree: FileTree;
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly who: Credentials;
  readonly system: System;
  readonly main: Process;
  /** Standard input of the first process, where the pod has one. */
  readonly stdin: Pipe | undefined;
  readonly listeners: Listeners;
  /** Who is attached: gets the output as it comes. */
  readonly attached: Set<{ stdout: Output; stderr: Output }>;
  exit?: { code: number; atMs: number; reason?: string };
  /** The program is stood in for: it is up as long as nobody stops it. */
  readonly isServer: boolean;
  /** Names of the volumes that it sees. */
  readonly mounts: readonly string[];
}

export interface StartOptions {
  container: Container;
  number: number;
  atMs: number;
  image: ImageProgram;
  /** The image's own server rather than a command. */
  isServer: boolean;
  privileged?: boolean;
}

/** What is kept of a pod that has ended. */
export interface PodLogs {
  run(name: string): Pick<ContainerRun, "number" | "log"> | undefined;
  /** The run before the present one. */
  previous(name: string): Pick<ContainerRun, "number" | "log"> | undefined;
}

export interface PodMachine {
  readonly kernel: Kernel;
  /** Starts a container. Throws EnvironmentProblem. */
  start(options: StartOptions): ContainerRun;
  run(name: string): ContainerRun | undefined;
  /** The run before the present one, for its log. */
  previous(name: string): ContainerRun | undefined;
  exec(run: ContainerRun, argv: readonly string[], io: ExecIo): Process;
  signal(run: ContainerRun, signal: Signal): void;
  runs(): Iterable<ContainerRun>;
  lastWords(run: ContainerRun, policy: string | undefined): string | undefined;
  /** Ends everything; what remains are the logs. */
  stop(): PodLogs;
}

export interface ExecIo {
  stdin: Input;
  stdout: Output;
  stderr: Output;
  onExit(code: number): void;
}

export interface MachineOptions {
  clock: Clock;
  random: Random;
  pod: () => Pod;
  environment: () => EnvironmentSources;
  volumes: PodVolumes;
  network: Network;
  kernelRelease: string;
  architecture: string;
  dnsServer: string;
  /** What the machine's clock shows at a time. */
  shown: (ms: number) => number;
  /** Nothing can be written to the machine's disk. */
  diskFull: () => boolean;
  /** A container has ended by itself. */
  onExit: (container: string) => void;
  /** A program did what it should not: a fault of the simulation. */
  onFault: (error: unknown) => void;
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Simulated time between looks for a token that cannot be had: doubled, up to the longest. One that is being made is told of. */
const TOKEN_TRY_MS = 500;
const LONGEST_TOKEN_TRY_MS = 122_000;
/** kubelet's limits of a container's last words: of its file, and of its log. */
const MESSAGE_BYTES = 4096;
const LOG_LINES = 80;
const LOG_BYTES = 2048;

export function credentialsOf(pod: Pod, container: Container, image: ImageProgram): Credentials {
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const uid = own?.runAsUser ?? shared?.runAsUser ?? image.user ?? 0;
  return {
    uid,
    gid: own?.runAsGroup ?? shared?.runAsGroup ?? 0,
    groups: [...(shared?.supplementalGroups ?? []), ...(shared?.fsGroup === undefined ? [] : [shared.fsGroup])],
    noNewPrivileges: own?.allowPrivilegeEscalation === false,
  };
}

export function createPodMachine(options: MachineOptions): PodMachine {
  const { clock, random } = options;
  const kernel = new Kernel(clock, options.onFault, options.shown);
  const runs = new Map<string, ContainerRun>();
  const before = new Map<string, ContainerRun>();
  const messages = new Map<ContainerRun, FileNode>();

  /**
   * A kubelet starts containers when their tokens are there, which is seen to before; but after this process was restarted they have to be made again, and a
   * program that would find them on the disk of its node waits. Who looks into a container (`isVisitor`) does not wait for what cannot be had.
   */
  function* untilTokensAre(names: readonly string[], isVisitor: boolean): Work<void> {
    const isThere = (): boolean =>
      names.every((name) => {
        const tokens = options.volumes.tokens(name);
        return tokens === "there" || (isVisitor && tokens === "failed");
      });
    for (let waitMs = TOKEN_TRY_MS; !isThere(); waitMs = Math.min(LONGEST_TOKEN_TRY_MS, waitMs * 2))
      yield { ready: isThere, untilMs: kernel.now() + waitMs };
  }

  const start = ({ container, number, atMs, image, isServer, privileged = false }: StartOptions): ContainerRun => {
    const pod = options.pod();
    const { name } = container;
    const sources = options.environment();
    const variables = environmentOf(container, sources, { PATH, ...image.env });
    const who = credentialsOf(pod, container, image);
    if (!variables.has("HOME")) variables.set("HOME", who.uid === 0 ? "/root" : "/");
    if (container.tty) variables.set("TERM", "xterm");
    const now = (): number => kernel.now();
    const { tree, terminationMessage } = containerTree({
      pod: options.pod,
      container,
      image,
      placement: sources.placement,
      volumes: options.volumes,
      env: variables,
      programs: PROGRAM_NAMES,
      now,
      isFull: options.diskFull,
      dnsServer: options.dnsServer,
    });
    const env = new Map<string, string>();
    for (const [key, value] of variables) env.set(toBytes(key), toBytes(value));
    const argv = commandOf(container, image).map((part) => toBytes(expanded(part, variables)));
    const cwd = container.workingDir || image.workingDir || "/";
    const lookup = { tree, own: image.programs };
    const system: System = {
      kernel,
      clock,
      pod: { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name },
      tree,
      container: name,
      hostname: hostnameOf(pod),
      random,
      network: options.network,
      privileged,
      kernelRelease: options.kernelRelease,
      architecture: options.architecture,
      program: (program, context) => findProgram(lookup, program, context),
      unknown: standIn,
      standIn: { isUsed: false },
    };
    const log = new ContainerLog(now, options.diskFull);
    const attached: ContainerRun["attached"] = new Set();
    const output = (stream: "stdout" | "stderr"): Output => {
      const file = log.output();
      return {
        write: (data) => {
          file.write(data);
          for (const client of attached) client[stream].write(data);
        },
      };
    };
    const stdin = container.stdin ? new Pipe() : undefined;
    const stdout = output("stdout");
    const context = {
      argv,
      env,
      cwd,
      who,
      stdin: stdin ?? textInput(),
      stdout,
      stderr: container.tty ? stdout : output("stderr"),
      system,
    };
    if (stdin && container.tty) Object.assign(stdin, { isTerminal: true });
    const old = runs.get(name);
    if (old) {
      const oldest = before.get(name);
      if (oldest) messages.delete(oldest);
      before.set(name, old);
    }
    const program: Program | undefined = isServer
      ? serve
      : (system.program(argv[0] ?? "", { env, cwd, who }) ?? standIn);
    if (isServer) for (const line of image.startLog ?? []) log.add(line, atMs);
    const main = kernel.spawn({
      container: name,
      argv: argv.length > 0 ? argv : [container.image ?? ""],
      isInit: pod.spec?.shareProcessNamespace !== true,
      atMs,
      work: function* (process) {
        yield* untilTokensAre(isServer ? [] : volumesRead(container, image), false);
        return yield* (program ?? standIn)({ ...context, process });
      },
      onExit: ({ exit }) => {
        run.exit = { code: exit?.code ?? 0, atMs: exit?.atMs ?? atMs };
        run.listeners.clear();
        kernel.killContainer(name);
        options.onExit(name);
      },
    });
    const run: ContainerRun = {
      name,
      startedMs: atMs,
      number,
      log,
      tree,
      env,
      cwd,
      who,
      system,
      main,
      stdin,
      listeners: new Listeners(),
      attached,
      isServer,
      mounts: (container.volumeMounts ?? []).map((mount) => mount.name),
    };
    bindListeners(system, run.listeners);
    messages.set(run, terminationMessage);
    runs.set(name, run);
    kernel.kick();
    return run;
  };

  return {
    kernel,
    start,
    run: (name) => runs.get(name),
    previous: (name) => before.get(name),
    runs: () => runs.values(),
    exec(run, argv, { stdin, stdout, stderr, onExit }) {
      // Who looks into a container is told what it does not have.
      const system: System = { ...run.system, unknown: undefined };
      bindListeners(system, run.listeners);
      const bytes = argv.map(toBytes);
      const { env, cwd, who } = run;
      const process = kernel.spawn({
        container: run.name,
        argv: bytes,
        work: function* (process) {
          const [name = ""] = bytes;
          yield* untilTokensAre(run.mounts, true);
          const program = system.program(name, { env, cwd, who });
          if (!program) {
            stderr.write(
              `OCI runtime exec failed: exec failed: unable to start container process: exec: ${JSON.stringify(name)}: ${name.includes("/") ? `stat ${name}: no such file or directory` : "executable file not found in $PATH"}: unknown\n`,
            );
            return 127;
          }
          return yield* program({ argv: bytes, env: new Map(env), cwd, who, stdin, stdout, stderr, process, system });
        },
        onExit: ({ exit }) => onExit(exit?.code ?? 0),
      });
      kernel.kick();
      return process;
    },
    signal(run, signal) {
      if (run.exit) return;
      if (signal === "KILL") kernel.killContainer(run.name);
      else kernel.signal(run.main, signal);
      kernel.kick();
    },
    lastWords(run, policy) {
      const text = messages.get(run)?.data ?? "";
      if (text !== "") return fromBytes(text.slice(-MESSAGE_BYTES));
      if (policy !== "FallbackToLogsOnError" || run.exit?.code === 0) return undefined;
      const lines = run.log.all().slice(-LOG_LINES);
      const tail = lines
        .map((line) => (line.partial ? fromBytes(line.text) : `${line.text}\n`))
        .join("")
        .slice(-LOG_BYTES);
      return tail === "" ? undefined : tail;
    },
    stop() {
      kernel.stop();
      const logs = (from: ReadonlyMap<string, ContainerRun>) =>
        new Map([...from].map(([name, { number, log }]) => [name, { number, log }]));
      const [last, older] = [logs(runs), logs(before)];
      return { run: (name) => last.get(name), previous: (name) => older.get(name) };
    },
  };
}
