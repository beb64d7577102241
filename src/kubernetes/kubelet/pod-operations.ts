import type { Clock, Timer } from "../../clock/clock.js";
import type { Container, HTTPGetAction, Pod } from "../schema/generated/types.js";
import type { BehaviourOf } from "./behaviour.js";
import type { ContainerOperations } from "./container-operations.js";
import { endsByItself } from "./entrypoint.js";
import { isKnownImage } from "./image-programs.js";
import { isKnownProgram } from "./known-programs.js";
import { EnvironmentProblem } from "./machine/environment.js";
import { fromBytes } from "./machine/files.js";
import type { Listener } from "./machine/listeners.js";
import type { Network, Reached } from "./machine/network.js";
import type { ContainerRun, PodMachine } from "./machine/pod-machine.js";
import { TextOutput, textInput } from "./machine/streams.js";
import type { ContainerRuntime } from "./pod-runtime.js";
import type { CheckResult } from "./probes.js";

/** Makes probes and hooks happen on the machine of one pod, and starts and stops what runs there. The machine is made when the first of it is needed. */
export interface OperationsOptions {
  clock: Clock;
  pod: () => Pod;
  podIP: () => string | undefined;
  machine: () => PodMachine;
  machineIfAny: () => PodMachine | undefined;
  behaviourOf: BehaviourOf;
  network: () => Network;
  /** What listens on a port of this very pod. */
  listener: (port: number, protocol: "TCP" | "UDP") => Listener | undefined;
  /** Something has come to an end: look at the pod again. */
  wake: () => void;
}

export interface PodOperations extends ContainerOperations {
  /** The container's run on the machine; made when it has none yet. Throws EnvironmentProblem. */
  enter(container: ContainerRuntime, spec: Container): ContainerRun;
}

const OUTPUT_LIMIT = 10 * 1024;
const OK: CheckResult = { ok: true, output: "" };

/** The number behind a port that may be a name. */
function portNumber(spec: Container, port: number | string | undefined): number {
  if (typeof port === "number") return port;
  return spec.ports?.find(({ name }) => name === port)?.containerPort ?? Number(port ?? 0);
}

export function createPodOperations(options: OperationsOptions): PodOperations {
  const { clock, machineIfAny, behaviourOf } = options;
  /** What is under way or has come back, by container, run and kind. */
  const pending = new Map<string, { result?: CheckResult; timer?: Timer; kill?: () => void }>();

  const runOf = (container: ContainerRuntime): ContainerRun | undefined => {
    const run = machineIfAny()?.run(container.name);
    return run?.number === container.restarts ? run : undefined;
  };

  const start = (container: ContainerRuntime, spec: Container, atMs: number, isServer: boolean): ContainerRun =>
    options.machine().start({
      container: spec,
      number: container.restarts,
      atMs,
      image: behaviourOf(options.pod(), spec, container.role).image,
      isServer,
      privileged: spec.securityContext?.privileged === true,
    });

  const enter = (container: ContainerRuntime, spec: Container): ContainerRun => {
    const known = runOf(container);
    if (known) return known;
    const startedMs = container.state.is === "running" ? container.state.startedMs : clock.now();
    const run = start(container, spec, startedMs, true);
    const { output } = behaviourOf(options.pod(), spec, container.role);
    // From now on somebody may change what probes look at.
    options.wake();
    if (run.log.all().length === 0) for (const line of output) run.log.add(line, startedMs);
    return run;
  };

  /** Begins something once and gives its result when it is there; a result is given once. */
  const once = (
    key: string,
    timeoutMs: number,
    timedOut: () => CheckResult,
    begin: (done: (result: CheckResult) => void) => (() => void) | undefined,
  ): CheckResult | undefined => {
    const known = pending.get(key);
    if (known) {
      if (known.result) pending.delete(key);
      return known.result;
    }
    const entry: { result?: CheckResult; timer?: Timer; kill?: () => void } = {};
    let isLater = false;
    const done = (result: CheckResult): void => {
      if (entry.result) return;
      entry.result = result;
      entry.timer?.cancel();
      if (isLater && pending.get(key) === entry) options.wake();
    };
    entry.kill = begin(done);
    if (entry.result) return entry.result;
    isLater = true;
    pending.set(key, entry);
    if (timeoutMs !== Number.POSITIVE_INFINITY)
      entry.timer = clock.timer(timeoutMs, () => {
        done(timedOut());
        entry.kill?.();
      });
    return undefined;
  };

  const exec =
    (container: ContainerRuntime, spec: Container, command: readonly string[], isProbe: boolean) =>
    (done: (result: CheckResult) => void): (() => void) | undefined => {
      const behaviour = behaviourOf(options.pod(), spec, container.role);
      const answer = behaviour.exec?.(command);
      if (answer) {
        done({ ok: (answer.exitCode ?? 0) === 0, output: `${answer.stdout ?? ""}${answer.stderr ?? ""}` });
        return undefined;
      }
      // What only the image knows is taken at its word: its programs, and what they would have left behind for a probe to find.
      const isUnknown = !behaviour.runsProgram && !isKnownImage(behaviour.image);
      if ((isUnknown && isProbe) || !isKnownProgram(command, behaviour.image) || endsByItself(command)) {
        done(OK);
        return undefined;
      }
      try {
        const run = enter(container, spec);
        const output = new TextOutput(OUTPUT_LIMIT);
        const process = options.machine().exec(run, command, {
          stdin: textInput(),
          stdout: output,
          stderr: output,
          onExit: (code) => {
            const isGuess = isUnknown || run.system.standIn.isUsed || (code === 127 && !behaviour.runsProgram);
            done({ ok: code === 0 || isGuess, output: fromBytes(output.text) });
          },
        });
        return () => options.machine().kernel.signal(process, "KILL");
      } catch (error) {
        if (!(error instanceof EnvironmentProblem)) throw error;
        done({ ok: false, output: error.message });
        return undefined;
      }
    };

  const settle = <T>(
    reached: Reached<T>,
    done: (result: CheckResult) => void,
    judge: (answer: T) => CheckResult,
    refused: string,
  ): void => {
    if ("problem" in reached) {
      if (reached.problem !== "unreachable") done({ ok: false, output: refused });
      return;
    }
    const { answer } = reached;
    if (!(answer instanceof Promise)) {
      done(judge(answer));
      return;
    }
    void clock.track(
      answer.then(
        (value) => done(judge(value)),
        (error: unknown) => done({ ok: false, output: error instanceof Error ? error.message : String(error) }),
      ),
    );
  };

  const httpGet = (spec: Container, { host, port, path = "/", scheme, httpHeaders }: HTTPGetAction) => {
    const number = portNumber(spec, port);
    const address = host || options.podIP() || "127.0.0.1";
    const url = `${(scheme ?? "HTTP").toLowerCase()}://${address}:${number}${path.startsWith("/") ? path : `/${path}`}`;
    const headers: Record<string, string> = {
      host: `${address}:${number}`,
      "user-agent": "kube-probe/1.36",
      accept: "*/*",
    };
    for (const { name, value } of httpHeaders ?? []) headers[name.toLowerCase()] = value;
    const begin = (done: (result: CheckResult) => void): undefined => {
      const refused = `Get "${url}": dial tcp ${address}:${number}: connect: connection refused`;
      settle(
        options
          .network()
          .http(address, number, { method: "GET", path: path.startsWith("/") ? path : `/${path}`, headers, body: "" }),
        done,
        ({ status }) =>
          status >= 200 && status < 400 ? OK : { ok: false, output: `HTTP probe failed with statuscode: ${status}` },
        refused,
      );
    };
    return { url, begin };
  };

  const keyOf = (container: ContainerRuntime, kind: string): string =>
    `${container.name} ${container.restarts} ${kind}`;

  return {
    enter,
    exitOf: (container) => runOf(container)?.exit,
    isLive: (container) => runOf(container) !== undefined,
    start(container, spec, atMs) {
      try {
        start(container, spec, atMs, false);
      } catch (error) {
        // The environment was fine a moment ago: with the next look the container says what is wrong.
        if (!(error instanceof EnvironmentProblem)) throw error;
      }
    },
    signal(container, signal) {
      const run = runOf(container);
      if (run) options.machine().signal(run, signal);
    },
    end(container) {
      const run = runOf(container);
      if (run && !run.exit) options.machine().signal(run, "KILL");
      for (const [key, { timer, kill }] of [...pending]) {
        if (!key.startsWith(`${container.name} `)) continue;
        timer?.cancel();
        kill?.();
        pending.delete(key);
      }
    },
    check(container, spec, kind, probe) {
      const timeoutMs = (probe.timeoutSeconds || 1) * 1000;
      const key = keyOf(container, kind);
      const seconds = `${timeoutMs / 1000}s`;
      if (probe.exec) {
        const command = probe.exec.command ?? [];
        const late = (): CheckResult => ({
          ok: false,
          output: `command timed out: ${JSON.stringify(command.join(" "))} timed out after ${seconds}`,
        });
        return once(key, timeoutMs, late, exec(container, spec, command, true));
      }
      if (probe.httpGet) {
        const { url, begin } = httpGet(spec, probe.httpGet);
        const text = `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`;
        return once(key, timeoutMs, () => ({ ok: false, output: text }), begin);
      }
      const action = probe.tcpSocket ?? probe.grpc;
      const number = portNumber(spec, action?.port);
      const address = probe.tcpSocket?.host || options.podIP() || "127.0.0.1";
      const listener = options.listener(number, "TCP");
      if (probe.tcpSocket)
        return listener ? OK : { ok: false, output: `dial tcp ${address}:${number}: connect: connection refused` };
      if (!listener) {
        const text = `timeout: failed to connect service "${address}:${number}" within ${seconds}: context deadline exceeded`;
        return { ok: false, output: text };
      }
      const health = listener.grpc?.(probe.grpc?.service ?? "") ?? "SERVING";
      if (health === "UNKNOWN")
        return {
          ok: false,
          output: "error: this server does not implement the grpc health protocol (grpc.health.v1.Health)",
        };
      return health === "SERVING" ? OK : { ok: false, output: `service unhealthy (responded with "${health}")` };
    },
    hook(container, spec, kind, { exec: command, httpGet: get, sleep }) {
      const key = keyOf(container, kind);
      const never = (): CheckResult => OK;
      if (sleep) {
        return once(key, sleep.seconds * 1000, never, () => undefined);
      }
      if (command)
        return once(key, Number.POSITIVE_INFINITY, never, exec(container, spec, command.command ?? [], false));
      if (get) return once(key, 30_000, () => ({ ok: false, output: "timeout" }), httpGet(spec, get).begin);
      // A tcpSocket hook is refused by validation since ever, and was never carried out.
      return OK;
    },
    lastWords(container, spec) {
      const run = runOf(container);
      return run && options.machine().lastWords(run, spec.terminationMessagePolicy);
    },
  };
}
