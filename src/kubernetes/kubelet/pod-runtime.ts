import { isSidecar } from "../scheduler/resources.js";
import type { Container, ContainerStatus, Pod, PodSpec, ResourceRequirements } from "../schema/generated/types.js";
import type { Behaviour, BehaviourOf } from "./behaviour.js";

/** What a kubelet knows about the containers of one pod: immutable values, replaced as time goes on. All times are epoch ms. */
export interface PodRuntime {
  /** status.startTime: when this kubelet took the pod. */
  readonly startedMs: number;
  /** When the sandbox has its network and containers may start. */
  readonly sandboxMs: number;
  readonly containers: readonly ContainerRuntime[];
  /** What keeps its volumes from being mounted. */
  readonly blockedBy?: string;
  /** Being ended: deleted, past its deadline, or the node shuts down. */
  readonly stopping?: { readonly graceSeconds: number; readonly sinceMs?: number };
  /** The node is short of something, and has chosen it: why, in the kubelet's words. */
  readonly eviction?: string;
  /** Why it failed as a whole (kubelet admission, deadline, eviction, shutdown). */
  readonly failure?: { readonly reason: string; readonly message: string };
  /** What its containers were given, once that is no longer what the spec asks for; by container. */
  readonly allocated?: Readonly<Record<string, ResourceRequirements | undefined>>;
  /** Why it does not get the resources that it was given the right to ask for. */
  readonly resizePending?: { readonly reason: "Deferred" | "Infeasible"; readonly message: string };
  /** True when nothing will ever change again: terminal phase written, or gone. */
  readonly ended?: boolean;
}

export type Role = "init" | "sidecar" | "app" | "ephemeral";

/** Containers that are there for as long as their pod is. */
export const isLasting = (role: Role): boolean => role === "app" || role === "sidecar";

export interface ContainerRuntime {
  readonly name: string;
  readonly role: Role;
  readonly image: string;
  readonly state: ContainerState;
  readonly restarts: number;
  /** Ends in a row that count for the back-off. */
  readonly crashes: number;
  /** How the run before ended. */
  readonly last?: Terminated;
  /** Its new resources take effect with a restart. */
  readonly restartForResize?: boolean;
}

export type ContainerState =
  | { readonly is: "waiting"; readonly problem?: { reason: string; message: string } }
  | Pulling
  | {
      readonly is: "pullFailed";
      readonly failedMs: number;
      readonly retryMs: number;
      readonly attempts: number;
      readonly backedOff: boolean;
      /** The runtime's words. */
      readonly message: string;
    }
  | { readonly is: "starting"; readonly untilMs: number; readonly problem?: { reason: string; message: string } }
  | Running
  | { readonly is: "crashBackoff"; readonly untilMs: number; readonly delayMs: number }
  | Terminated;

export interface Pulling {
  readonly is: "pulling";
  readonly sinceMs: number;
  readonly untilMs: number;
  /** This one included. */
  readonly attempts: number;
}

export interface Running {
  readonly is: "running";
  readonly startedMs: number;
  /** When it will end; absent: not by itself. */
  readonly exitMs?: number;
  readonly exitCode: number;
  /** Ends because its startup probe failed too often. */
  readonly failsStartup?: boolean;
  /** When its startup probe passes; Infinity: never. Equal to startedMs without one. */
  readonly startupMs: number;
  /** When its readiness probe passes; Infinity: never. */
  readonly readyMs: number;
  /** When a probe fails for the first time, if one does and has not yet. */
  readonly unhealthyMs?: number;
  readonly started: boolean;
  readonly ready: boolean;
  /** Its program runs on the pod's machine, which tells when it ends. */
  readonly live?: boolean;
  /** Its postStart hook has not come back yet. */
  readonly hooking?: boolean;
  /** Its probes are made for real; absent: what they will find is known from the beginning. */
  readonly probes?: Probes;
  /** Its image is another one now: when the kubelet looks over its containers again, and does something about it. */
  readonly relistMs?: number;
  /** Being stopped, for the pod's end or a failed probe. */
  readonly stop?: Stop;
  /** It ends for lack of memory, whatever its behaviour says. */
  readonly oomKilled?: boolean;
  /** Not fit to serve, although it has no probe that could tell. */
  readonly unfit?: boolean;
}

export interface Stop {
  readonly sinceMs: number;
  /** When SIGKILL comes, whatever it does. */
  readonly killMs: number;
  /** When SIGTERM was sent: after the preStop hook. */
  readonly termMs?: number;
}

export type ProbeKind = "startup" | "liveness" | "readiness";

export interface ProbeState {
  readonly nextMs: number;
  /** How many results in a row were like the last. */
  readonly streak: number;
  readonly lastOk?: boolean;
}

export type Probes = { readonly [kind in ProbeKind]?: ProbeState };

export interface Terminated {
  readonly is: "terminated";
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly exitCode: number;
  readonly reason: string;
  /** Its last words. */
  readonly message?: string;
}

export const hasSucceeded = ({ state }: ContainerRuntime): boolean => state.is === "terminated" && state.exitCode === 0;

export const isServing = ({ state }: ContainerRuntime): boolean => state.is === "running" && state.ready;

/** All init containers are done and all sidecars up, or have been once. */
export const isInitialised = ({ containers }: PodRuntime): boolean =>
  containers.some(({ role, state, last }) => role === "app" && (state.is === "running" || last !== undefined)) ||
  containers.every((container) => {
    if (container.role === "init") return hasSucceeded(container);
    return container.role !== "sidecar" || (container.state.is === "running" && container.state.started);
  });

const WAITING: ContainerState = { is: "waiting" };

export function specOf(pod: Pod, container: Pick<ContainerRuntime, "name" | "role">): Container | undefined {
  const spec = pod.spec as PodSpec;
  const list: readonly Container[] | undefined =
    container.role === "app"
      ? spec.containers
      : container.role === "ephemeral"
        ? (spec.ephemeralContainers as Container[] | undefined)
        : spec.initContainers;
  return list?.find((candidate) => candidate.name === container.name);
}

/** Every container of the pod, in order of starting. */
function* rolesOf(pod: Pod): Iterable<{ container: Container; role: Role }> {
  const spec = pod.spec as PodSpec;
  for (const container of spec.initContainers ?? [])
    yield { container, role: isSidecar(container) ? "sidecar" : "init" };
  for (const container of spec.containers) yield { container, role: "app" };
  for (const container of spec.ephemeralContainers ?? [])
    yield { container: container as Container, role: "ephemeral" };
}

export function newRuntime(pod: Pod, nowMs: number, sandboxMs: number): PodRuntime {
  const containers: ContainerRuntime[] = [];
  for (const { container, role } of rolesOf(pod))
    containers.push({
      name: container.name,
      role,
      image: container.image ?? "",
      state: WAITING,
      restarts: 0,
      crashes: 0,
    });
  return { startedMs: nowMs, sandboxMs, containers };
}

/** Ephemeral containers are added to running pods (`kubectl debug`). */
export function withNewContainers(pod: Pod, runtime: PodRuntime): PodRuntime {
  const wanted = pod.spec?.ephemeralContainers?.length ?? 0;
  if (wanted === 0 || wanted === runtime.containers.filter(({ role }) => role === "ephemeral").length) return runtime;
  const known = new Set(runtime.containers.map(({ name }) => name));
  const fresh = newRuntime(pod, 0, 0).containers.filter(({ name }) => !known.has(name));
  return { ...runtime, containers: [...runtime.containers, ...fresh] };
}

const timeOf = (text: string | undefined, otherwise: number): number => {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? otherwise : ms;
};

/** What the containers were doing according to the pod's stored status: how a kubelet goes on after this process was restarted. */
export function restoredRuntime(pod: Pod, nowMs: number, behaviourOf: BehaviourOf): PodRuntime {
  const status = pod.status ?? {};
  const statuses = new Map<string, ContainerStatus>();
  for (const list of [status.initContainerStatuses, status.containerStatuses, status.ephemeralContainerStatuses])
    for (const entry of list ?? []) statuses.set(entry.name, entry);
  const fresh = newRuntime(pod, timeOf(status.startTime, nowMs), nowMs);
  return {
    ...fresh,
    containers: fresh.containers.map((container) => restored(pod, container, { statuses, nowMs, behaviourOf })),
  };
}

function restored(
  pod: Pod,
  container: ContainerRuntime,
  {
    statuses,
    nowMs,
    behaviourOf,
  }: { statuses: ReadonlyMap<string, ContainerStatus>; nowMs: number; behaviourOf: BehaviourOf },
): ContainerRuntime {
  const status = statuses.get(container.name);
  const spec = specOf(pod, container);
  if (!status || !spec) return container;
  const terminated = (state: ContainerStatus["state"]): Terminated | undefined =>
    state?.terminated && {
      is: "terminated",
      startedMs: timeOf(state.terminated.startedAt, nowMs),
      finishedMs: timeOf(state.terminated.finishedAt, nowMs),
      exitCode: state.terminated.exitCode,
      reason: state.terminated.reason ?? "Completed",
      ...(state.terminated.message === undefined ? {} : { message: state.terminated.message }),
    };
  const last = terminated(status.lastState);
  const restarts = status.restartCount;
  const crashes = restarts;
  const ended = terminated(status.state);
  if (ended) return { ...container, restarts, crashes, last, state: ended };
  if (status.state?.running) {
    const startedMs = timeOf(status.state.running.startedAt, nowMs);
    const running = runningState(startedMs, spec, behaviourOf(pod, spec, container.role));
    // What the probes had found stays so; only what was still to come is worked out anew.
    return {
      ...container,
      restarts,
      crashes,
      last,
      state: {
        ...running,
        started: status.started ?? running.started,
        ready: status.ready,
        unhealthyMs: undefined,
      },
    };
  }
  if (status.state?.waiting?.reason === "CrashLoopBackOff" && last) {
    const delayMs = crashBackoffMs(restarts);
    return {
      ...container,
      restarts,
      crashes,
      last,
      state: { is: "crashBackoff", untilMs: last.finishedMs + delayMs, delayMs },
    };
  }
  return { ...container, restarts, crashes, last };
}

/** kubelet's back-off for restarts: 10 s, doubled with each one, at most 5 min. The first restart comes at once. */
const CRASH_BASE_MS = 10_000;
const CRASH_MAX_MS = 300_000;
export const crashBackoffMs = (crashes: number): number =>
  crashes < 1 ? 0 : Math.min(CRASH_MAX_MS, CRASH_BASE_MS * 2 ** Math.min(crashes - 1, 10));

const seconds = (value: number | undefined, otherwise: number): number => (value ?? otherwise) * 1000;

/** First look of a probe at or after `fromMs + delay` that finds an application which is up at `upMs`. */
function firstSuccessMs(
  probe: { initialDelaySeconds?: number; periodSeconds?: number; successThreshold?: number },
  fromMs: number,
  upMs: number,
): number {
  const periodMs = seconds(probe.periodSeconds, 10);
  const firstMs = fromMs + seconds(probe.initialDelaySeconds, 0);
  const missed = Math.max(0, Math.ceil((upMs - firstMs) / periodMs));
  return firstMs + (missed + Math.max(0, (probe.successThreshold ?? 1) - 1)) * periodMs;
}

/** A container that has just started, with everything that will become of it if nobody interferes. */
export function runningState(startedMs: number, spec: Container, behaviour: Behaviour): Running {
  const upMs = behaviour.neverReady ? Number.POSITIVE_INFINITY : startedMs + behaviour.readyAfterMs;
  const startup = spec.startupProbe;
  const startupMs = !startup
    ? startedMs
    : upMs === Number.POSITIVE_INFINITY
      ? upMs
      : firstSuccessMs(startup, startedMs, upMs);
  const readyMs =
    upMs === Number.POSITIVE_INFINITY || startupMs === Number.POSITIVE_INFINITY
      ? Number.POSITIVE_INFINITY
      : spec.readinessProbe
        ? Math.max(startupMs, firstSuccessMs(spec.readinessProbe, startedMs, Math.max(upMs, startupMs)))
        : // Without a probe a programmed delay still counts: the annotation is there to be seen.
          Math.max(startupMs, upMs);
  const live = behaviour.runsProgram;
  let exitMs = live || behaviour.runForMs === undefined ? undefined : startedMs + behaviour.runForMs;
  const giveUpMs = startup
    ? startedMs +
      seconds(startup.initialDelaySeconds, 0) +
      (startup.failureThreshold ?? 3) * seconds(startup.periodSeconds, 10)
    : Number.POSITIVE_INFINITY;
  const failsStartup = startupMs > giveUpMs && (exitMs ?? Number.POSITIVE_INFINITY) > giveUpMs;
  if (failsStartup) exitMs = giveUpMs;
  const probe = startup ?? spec.readinessProbe;
  const firstProbeMs = startedMs + seconds(probe?.initialDelaySeconds, 0);
  return {
    is: "running",
    startedMs,
    ...(exitMs === undefined ? {} : { exitMs }),
    exitCode: failsStartup || behaviour.oomKilled ? KILLED : behaviour.exitCode,
    ...(failsStartup ? { failsStartup } : {}),
    startupMs,
    readyMs,
    ...(probe && firstProbeMs < upMs ? { unhealthyMs: firstProbeMs } : {}),
    started: startupMs <= startedMs,
    ready: readyMs <= startedMs,
    ...(live ? { live } : {}),
  };
}

/** 128 + SIGKILL */
export const KILLED = 137;
