/**
 * What several faults want of one cluster, put together. The order in which they are given changes nothing: the worst trouble of a machine wins, delays add up,
 * shares that fail independently are multiplied, everything else is united.
 */
import type {
  ApiServerImpairment,
  Impairments,
  LinkEnd,
  LinkImpairment,
  NodeImpairment,
  PodImpairment,
  WebhookImpairment,
} from "../impairments.js";
import type { HealthIssue } from "../model.js";
import type { ClusterWants, MachineTrouble, SpotNotice } from "./definition.js";

/** All that is wanted of a cluster. */
export interface WholeWants {
  machines: Readonly<Record<string, MachineTrouble>>;
  zonesWithoutPower: readonly string[];
  mastersDown: readonly string[];
  impairments: Impairments;
  notices: Readonly<Record<string, SpotNotice>>;
  issues: readonly HealthIssue[];
  /** When something of it changes by itself. */
  changesAtMs?: number;
}

/** Worst first, so that the effects of two show together: nobody hears the kubelet of a machine that is cut off, but a silent one's pods would be reached. */
const TROUBLES: readonly MachineTrouble[] = ["off", "stopped", "frozen", "isolated", "silent"];

export function combine(wants: readonly ClusterWants[]): WholeWants {
  const impairments = wants.flatMap((want) => (want.impairments ? [want.impairments] : []));
  const apiServer = combineApiServer(impairments.flatMap((each) => each.apiServer ?? []));
  const webhooks = combineWebhooks(impairments.flatMap((each) => each.webhooks ?? []));
  const changes = wants.flatMap(({ changesAtMs }) => changesAtMs ?? []);
  return {
    machines: mapValues(gather(wants.map(({ machines = {} }) => machines)), worst),
    zonesWithoutPower: union(wants.map(({ zonesWithoutPower = [] }) => zonesWithoutPower)),
    mastersDown: union(wants.map(({ mastersDown = [] }) => mastersDown)),
    impairments: {
      nodes: mapValues(gather(impairments.map(({ nodes = {} }) => nodes)), combineNode),
      links: combineLinks(impairments.flatMap(({ links = [] }) => links)),
      zonesWithoutDns: union(impairments.map(({ zonesWithoutDns = [] }) => zonesWithoutDns)),
      ...(apiServer ? { apiServer } : {}),
      ...(webhooks ? { webhooks } : {}),
      pods: combinePods(impairments.flatMap(({ pods = [] }) => pods)),
    },
    notices: mapValues(gather(wants.map(({ notices = {} }) => notices)), combineNotices),
    issues: distinct(wants.flatMap(({ issues = [] }) => issues)),
    ...(changes.length > 0 ? { changesAtMs: Math.min(...changes) } : {}),
  };
}

const worst = (troubles: readonly MachineTrouble[]): MachineTrouble =>
  TROUBLES.find((trouble) => troubles.includes(trouble)) ?? "silent";

function combineNode(all: readonly NodeImpairment[]): NodeImpairment {
  const pressures = union(all.map((each) => each.pressures ?? []));
  const skews = sorted(all.flatMap((each) => each.clockSkewMs ?? []));
  const images = union(all.flatMap((each) => (each.imagePulls ? [each.imagePulls.images] : [])));
  // A node has one condition of a type.
  const conditions = distinct(all.flatMap((each) => each.conditions ?? [])).filter(
    ({ type }, index, sortedAll) => sortedAll[index - 1]?.type !== type,
  );
  return {
    ...(pressures.length > 0 ? { pressures } : {}),
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(skews.length > 0 ? { clockSkewMs: widest(skews) } : {}),
    ...(all.some(({ diskFull }) => diskFull) ? { diskFull: true } : {}),
    ...(images.length > 0 ? { imagePulls: { images } } : {}),
  };
}

/** The skew that is furthest off; ahead, of two that are as far. Given in ascending order. */
const widest = (skews: readonly number[]): number =>
  skews.reduce((best, skew) => (Math.abs(skew) >= Math.abs(best) ? skew : best), 0);

const endKey = ({ zone, of = "all" }: LinkEnd): string => `${zone} ${of}`;

function combineLinks(links: readonly LinkImpairment[]): LinkImpairment[] {
  const groups = new Map<string, LinkImpairment[]>();
  for (const link of links) {
    const key = `${endKey(link.from)} > ${endKey(link.to)}`;
    groups.set(key, [...(groups.get(key) ?? []), link]);
  }
  return sorted([...groups.keys()]).flatMap((key): LinkImpairment[] => {
    const group = groups.get(key) ?? [];
    const [first] = group;
    if (!first) return [];
    const { from, to } = first;
    if (group.some(({ cut }) => cut)) return [{ from, to, cut: true }];
    const latencyMs = sum(group.map((each) => each.latencyMs ?? 0));
    const jitterMs = sum(group.map((each) => each.jitterMs ?? 0));
    const lossPercent = either(group.map((each) => each.lossPercent ?? 0));
    return [
      {
        from,
        to,
        ...(latencyMs > 0 ? { latencyMs } : {}),
        ...(jitterMs > 0 ? { jitterMs } : {}),
        ...(lossPercent > 0 ? { lossPercent } : {}),
      },
    ];
  });
}

function combineApiServer(all: readonly ApiServerImpairment[]): ApiServerImpairment | undefined {
  if (all.length === 0) return undefined;
  const latencyMs = sum(all.map((each) => each.latencyMs ?? 0));
  const throttledPercent = either(all.map((each) => each.throttledPercent ?? 0));
  const failedPercent = either(all.map((each) => each.failedPercent ?? 0));
  const ends = all.flatMap((each) => each.watchesEndAfterMs ?? []);
  return {
    ...(latencyMs > 0 ? { latencyMs } : {}),
    ...(throttledPercent > 0 ? { throttledPercent } : {}),
    ...(failedPercent > 0 ? { failedPercent } : {}),
    ...(ends.length > 0 ? { watchesEndAfterMs: Math.min(...ends) } : {}),
  };
}

/** One mode for all: waiting in vain is worse than being refused. */
function combineWebhooks(all: readonly WebhookImpairment[]): WebhookImpairment | undefined {
  if (all.length === 0) return undefined;
  return {
    names: union(all.map(({ names }) => names)),
    mode: all.some(({ mode }) => mode === "timeout") ? "timeout" : "refused",
  };
}

/** One trouble a pod; what crashes is not Ready either. */
function combinePods(all: readonly PodImpairment[]): PodImpairment[] {
  return distinct(all).filter(
    ({ namespace, name, trouble }) =>
      trouble === "crash-loop" ||
      !all.some((other) => other.namespace === namespace && other.name === name && other.trouble === "crash-loop"),
  );
}

/** What was announced first stays announced. */
function combineNotices(all: readonly SpotNotice[]): SpotNotice {
  const recommended = all.flatMap((each) => each.rebalanceRecommendedAtMs ?? []);
  const interrupted = all.flatMap((each) => each.interruptionAtMs ?? []);
  return {
    ...(recommended.length > 0 ? { rebalanceRecommendedAtMs: Math.min(...recommended) } : {}),
    ...(interrupted.length > 0 ? { interruptionAtMs: Math.min(...interrupted) } : {}),
  };
}

function gather<T>(records: readonly Readonly<Record<string, T>>[]): Map<string, T[]> {
  const gathered = new Map<string, T[]>();
  for (const record of records) {
    for (const [key, value] of Object.entries(record)) {
      const known = gathered.get(key);
      if (known) known.push(value);
      else gathered.set(key, [value]);
    }
  }
  return gathered;
}

const mapValues = <T, R>(map: ReadonlyMap<string, T[]>, change: (values: T[]) => R): Record<string, R> =>
  Object.fromEntries(sorted([...map.keys()]).map((key) => [key, change(map.get(key) ?? [])]));

/** Of texts by their code units, of numbers by their size. */
function sorted<T extends string | number>(values: readonly T[]): T[] {
  return [...values].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

const union = <T extends string>(lists: readonly (readonly T[])[]): T[] => sorted([...new Set(lists.flat())]);

/** In the order of their JSON, each once. */
function distinct<T extends object>(values: readonly T[]): T[] {
  const known = new Map(values.map((value) => [JSON.stringify(value), value]));
  return sorted([...known.keys()]).map((key) => known.get(key) as T);
}

const sum = (values: readonly number[]): number => sorted(values).reduce((total, value) => total + value, 0);

/** Share for which at least one of independent shares holds, in percent with two decimals. */
const either = (percents: readonly number[]): number =>
  Math.round(100 * (100 - 100 * sorted(percents).reduce((rest, percent) => rest * (1 - percent / 100), 1))) / 100;
