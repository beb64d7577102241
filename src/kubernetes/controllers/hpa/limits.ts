import type { V2HorizontalPodAutoscalerBehavior, V2HPAScalingRules } from "../../schema/generated/types.js";

/**
 * How fast replicas may follow what metrics ask for: stabilization windows, policies, minimum and maximum. Pure but for the history, which is the
 * autoscaler's memory. Upstream: pkg/controller/podautoscaler/horizontal.go.
 */

/** --horizontal-pod-autoscaler-downscale-stabilization, seconds */
const DOWNSCALE_WINDOW = 300;
/** Without a behavior, replicas at most double, and four are always allowed. */
const SCALE_UP_FACTOR = 2;
const SCALE_UP_LEAST = 4;

/** What happened lately; kept in memory alone, as upstream does. */
export interface History {
  recommendations: { replicas: number; atMs: number }[];
  scaleUps: { change: number; atMs: number }[];
  scaleDowns: { change: number; atMs: number }[];
}

export const newHistory = (): History => ({ recommendations: [], scaleUps: [], scaleDowns: [] });

export interface Reasoned {
  replicas: number;
  reason: string;
  message: string;
}

export interface Limited {
  replicas: number;
  /** Conditions AbleToScale and ScalingLimited. */
  able: { reason: string; message: string };
  limit: { limited: boolean; reason: string; message: string };
}

const MATCHES = { reason: "ReadyForNewScale", message: "recommended size matches current size" };
const LOWERED = {
  reason: "ScaleUpStabilized",
  message: "recent recommendations were lower than current one, applying the lowest recent recommendation",
};
const RAISED = {
  reason: "ScaleDownStabilized",
  message: "recent recommendations were higher than current one, applying the highest recent recommendation",
};
const WITHIN = {
  limited: false,
  reason: "DesiredWithinRange",
  message: "the desired count is within the acceptable range",
};
const TOO_FEW = {
  limited: true,
  reason: "TooFewReplicas",
  message: "the desired replica count is less than the minimum replica count",
};
const TOO_MANY = {
  limited: true,
  reason: "TooManyReplicas",
  message: "the desired replica count is more than the maximum replica count",
};
const TOO_FAST_UP = {
  limited: true,
  reason: "ScaleUpLimit",
  message: "the desired replica count is increasing faster than the maximum scale rate",
};
const TOO_FAST_DOWN = {
  limited: true,
  reason: "ScaleDownLimit",
  message: "the desired replica count is decreasing faster than the maximum scale rate",
};

export interface LimitInput {
  current: number;
  desired: number;
  least: number;
  most: number;
  behavior: V2HorizontalPodAutoscalerBehavior | undefined;
  history: History;
  nowMs: number;
}

/** Remembers the recommendation and gives what may be done of it now. */
export function limitReplicas(input: LimitInput): Limited {
  const stabilized = stabilize(input);
  const able =
    stabilized.replicas === input.desired ? MATCHES : { reason: stabilized.reason, message: stabilized.message };
  const { replicas, limit } = input.behavior
    ? byPolicies(input, stabilized.replicas)
    : byDefault(input, stabilized.replicas);
  return { replicas, able, limit };
}

function stabilize({ current, desired, behavior, history, nowMs }: LimitInput): Reasoned {
  const upSeconds = behavior?.scaleUp?.stabilizationWindowSeconds ?? 0;
  const downSeconds = behavior?.scaleDown?.stabilizationWindowSeconds ?? DOWNSCALE_WINDOW;
  const longestMs = Math.max(upSeconds, downSeconds) * 1000;
  history.recommendations = history.recommendations.filter(({ atMs }) => atMs > nowMs - longestMs);
  const since = (seconds: number): number[] =>
    history.recommendations.filter(({ atMs }) => atMs > nowMs - seconds * 1000).map(({ replicas }) => replicas);
  const up = Math.min(desired, ...since(upSeconds));
  const down = Math.max(desired, ...since(downSeconds));
  history.recommendations.push({ replicas: desired, atMs: nowMs });
  // Without a behavior there is no window upwards, and the downward one holds whatever the present number is.
  if (!behavior) return { replicas: down, ...RAISED };
  let replicas = current;
  if (replicas < up) replicas = up;
  if (replicas > down) replicas = down;
  return { replicas, ...(desired >= current ? LOWERED : RAISED) };
}

function byDefault({ current, least, most }: LimitInput, desired: number): Pick<Limited, "replicas" | "limit"> {
  const fastest = Math.max(SCALE_UP_FACTOR * current, SCALE_UP_LEAST);
  const [ceiling, limit] = fastest < most ? ([fastest, TOO_FAST_UP] as const) : ([most, TOO_MANY] as const);
  if (desired < least) return { replicas: least, limit: TOO_FEW };
  return desired > ceiling ? { replicas: ceiling, limit } : { replicas: desired, limit: WITHIN };
}

type Event = { change: number; atMs: number };

const changeWithin = (events: readonly Event[], seconds: number, nowMs: number): number =>
  events.filter(({ atMs }) => atMs > nowMs - seconds * 1000).reduce((sum, { change }) => sum + change, 0);

function byPolicies(input: LimitInput, desired: number): Pick<Limited, "replicas" | "limit"> {
  const { current, least, most, behavior } = input;
  if (desired > current) {
    const fastest = Math.max(ceilingOf(input, behavior?.scaleUp), current);
    const [ceiling, limit] = most > fastest ? ([fastest, TOO_FAST_UP] as const) : ([most, TOO_MANY] as const);
    return desired > ceiling ? { replicas: ceiling, limit } : { replicas: desired, limit: WITHIN };
  }
  if (desired < current) {
    const fastest = Math.min(floorOf(input, behavior?.scaleDown), current);
    const [floor, limit] = least < fastest ? ([fastest, TOO_FAST_DOWN] as const) : ([least, TOO_FEW] as const);
    return desired < floor ? { replicas: floor, limit } : { replicas: desired, limit: WITHIN };
  }
  return { replicas: desired, limit: WITHIN };
}

function ceilingOf({ current, history, nowMs }: LimitInput, rules: V2HPAScalingRules | undefined): number {
  if (rules?.selectPolicy === "Disabled") return current;
  const limits = (rules?.policies ?? []).map(({ type, value, periodSeconds }) => {
    const added = changeWithin(history.scaleUps, periodSeconds, nowMs);
    const removed = changeWithin(history.scaleDowns, periodSeconds, nowMs);
    const start = current - added + removed;
    return type === "Pods" ? start + value : Math.ceil(start * (1 + value / 100));
  });
  if (limits.length === 0) return Number.POSITIVE_INFINITY;
  return rules?.selectPolicy === "Min" ? Math.min(...limits) : Math.max(...limits);
}

function floorOf({ current, history, nowMs }: LimitInput, rules: V2HPAScalingRules | undefined): number {
  if (rules?.selectPolicy === "Disabled") return current;
  const limits = (rules?.policies ?? []).map(({ type, value, periodSeconds }) => {
    const added = changeWithin(history.scaleUps, periodSeconds, nowMs);
    const removed = changeWithin(history.scaleDowns, periodSeconds, nowMs);
    const start = current + removed - added;
    return type === "Pods" ? start - value : Math.floor(start * (1 - value / 100));
  });
  if (limits.length === 0) return 0;
  return rules?.selectPolicy === "Min" ? Math.max(...limits) : Math.min(...limits);
}

/** Notes a change of the replicas that was carried out, and forgets what no policy asks for any more. */
export function noteScaling(history: History, before: number, after: number, nowMs: number): void {
  // An hour is the longest period that a policy may have (30 minutes), and more.
  const isRecent = ({ atMs }: Event): boolean => atMs > nowMs - 3_600_000;
  history.scaleUps = history.scaleUps.filter(isRecent);
  history.scaleDowns = history.scaleDowns.filter(isRecent);
  if (after > before) history.scaleUps.push({ change: after - before, atMs: nowMs });
  if (after < before) history.scaleDowns.push({ change: before - after, atMs: nowMs });
}
