/**
 * Where a drill plays: the target, and all that has been seen of it so far. What happened is handed to those who watch in the order in which it happened,
 * however late the engine hears of it.
 */
import { answersByChance, FAULTS } from "../../domain/faults/index.js";
import type { ZoneCounts } from "../../domain/kubernetes-objects.js";
import type { EventRecord } from "../../domain/model.js";
import type { Look, WorkloadCounts } from "../../domain/recording.js";
import type { Drill, WorkloadKind } from "./drill.js";
import type { FaultSpan, Sample } from "./result.js";
import type { DrillTarget, TargetRecording } from "./target.js";

/** A cluster as it was seen last. */
export interface ClusterView {
  zones: Readonly<Record<string, ZoneCounts>>;
  pendingPods: number;
  apiAvailable: boolean;
  /** By `workloadKey`. */
  workloads: ReadonlyMap<string, WorkloadCounts>;
}

export const workloadKey = (namespace: string, kind: string, name: string): string => `${namespace}/${kind}/${name}`;

/** Somebody who has to know of everything that happens. */
export interface Watcher {
  look?(look: Look): void;
  event?(event: EventRecord): void;
  /** All that happened before this moment has been told. */
  upTo?(nowMs: number): void | Promise<void>;
  /** It has to ask the world itself: time is to stop at every change. Absent or false: looks and events are enough. */
  asks?(): boolean;
  /** A moment at which one who asks wants to look, whether or not anything changes then. */
  nextMs?(): number | undefined;
}

export interface Stage {
  readonly drill: Drill;
  readonly target: DrillTarget;
  readonly signal: AbortSignal | undefined;
  /** Of the drill's clusters and of none, since the drill began. */
  readonly events: readonly EventRecord[];
  readonly samples: readonly Sample[];
  readonly faults: FaultSpan[];
  /** Ids of faults by the id of the step that started them, and of zonal shifts. */
  readonly started: { faults: Map<string, string>; shifts: Map<string, string> };
  view(cluster: string): ClusterView;
  /** How many replicas a workload is to have, as last read. */
  readonly wanted: Map<string, number>;
  wantedOf(cluster: string, namespace: string, workload: { kind: WorkloadKind; name: string }): number | undefined;
  watch(watcher: Watcher): () => void;
  /** Begins to look at the clusters. */
  begin(): Promise<void>;
  /** Tells watchers of what has happened up to now. */
  catchUp(): Promise<void>;
  /**
   * Lets time pass until `done`, at most `limitMs`; gives whether it came to that. Without a condition it is simply the time. Rejects when the drill is
   * interrupted.
   */
  pass(
    limitMs: number,
    done?: () => boolean | Promise<boolean>,
    options?: { uninterrupted?: boolean },
  ): Promise<boolean>;
  end(): Promise<void>;
}

/**
 * How long nobody looks while nothing is told to have changed, in milliseconds of simulated time: where nobody asks the world himself; where somebody does,
 * on a clock that runs; and on one that stands still between two changes, where there is little to miss. There the world is asked the less the longer nothing
 * has changed, unless a fault is on that answers by chance.
 */
const LOOK_EVERY_MS = { waiting: 60_000, asking: 5000, askingStepped: 30_000, askingQuiet: 300_000 };

const NOTHING_SEEN: ClusterView = { zones: {}, pendingPods: 0, apiAvailable: true, workloads: new Map() };

export function createStage(options: {
  drill: Drill;
  target: DrillTarget;
  signal?: AbortSignal;
  /** Called after each catching up. */
  shown?: () => void;
}): Stage {
  const { drill, target, signal, shown = () => {} } = options;
  const names = drill.clusters.map(({ name }) => name);
  const views = new Map<string, ClusterView & { workloads: Map<string, WorkloadCounts> }>();
  const samples: Sample[] = [];
  const events: EventRecord[] = [];
  const watchers = new Set<Watcher>();
  const faults: FaultSpan[] = [];
  const wanted = new Map<string, number>();
  let recording: TargetRecording | undefined;
  let lastSequence = 0;
  let lastChangeMs = 0;

  const takeLook = (look: Look): void => {
    const { atMs, cluster, zones, pendingPods, apiAvailable } = look;
    const workloads = views.get(cluster)?.workloads ?? new Map<string, WorkloadCounts>();
    for (const counts of look.workloads) workloads.set(workloadKey(counts.namespace, counts.kind, counts.name), counts);
    views.set(cluster, { zones, pendingPods, apiAvailable, workloads });
    const sample = { atMs, cluster, zones, pendingPods, apiAvailable };
    const last = samples.at(-1);
    if (last && last.atMs === atMs && last.cluster === cluster) samples[samples.length - 1] = sample;
    else samples.push(sample);
    for (const watcher of watchers) watcher.look?.(look);
  };

  const takeEvent = (event: EventRecord): void => {
    events.push(event);
    noteFault(faults, event);
    for (const watcher of watchers) watcher.event?.(event);
  };

  const read = async (): Promise<void> => {
    const looks = (await recording?.read()) ?? [];
    const news = await target.events(lastSequence);
    lastSequence = news.at(-1)?.sequence ?? lastSequence;
    const mine = news.filter(({ clusterName }) => clusterName === undefined || names.includes(clusterName));
    const all = [
      ...mine.map((event) => ({ atMs: event.atMs, tell: () => takeEvent(event) })),
      ...looks.map((look) => ({ atMs: look.atMs, tell: () => takeLook(look) })),
    ];
    if (all.length > 0) lastChangeMs = target.now();
    // Sorting is stable: events of a moment come before the look that shows what they led to.
    for (const { tell } of all.sort((a, b) => a.atMs - b.atMs)) tell();
  };

  /** As long again as nothing has changed. */
  const quietMs = (): number => {
    const { askingStepped, askingQuiet } = LOOK_EVERY_MS;
    const isFickle = faults.some(({ name, endedAtMs }) => endedAtMs === undefined && answersByChance(name));
    if (isFickle) return askingStepped;
    return Math.min(askingQuiet, Math.max(askingStepped, target.now() - lastChangeMs));
  };

  const stage: Stage = {
    drill,
    target,
    signal,
    events,
    samples,
    faults,
    started: { faults: new Map(), shifts: new Map() },
    wanted,
    view: (cluster) => views.get(cluster) ?? NOTHING_SEEN,
    wantedOf: (cluster, namespace, { kind, name }) => wanted.get(`${cluster}/${workloadKey(namespace, kind, name)}`),
    watch: (watcher) => {
      watchers.add(watcher);
      return () => void watchers.delete(watcher);
    },
    begin: async () => {
      lastSequence = (await target.events(0)).at(-1)?.sequence ?? 0;
      recording = await target.record(names);
    },
    catchUp: async () => {
      await read();
      const nowMs = target.now();
      for (const watcher of [...watchers]) await watcher.upTo?.(nowMs);
      shown();
    },
    pass: async (limitMs, done, { uninterrupted = false } = {}) => {
      const endMs = target.now() + limitMs;
      for (;;) {
        if (!uninterrupted) signal?.throwIfAborted();
        await stage.catchUp();
        if (done && (await done())) return true;
        const leftMs = endMs - target.now();
        if (leftMs <= 0) return done === undefined;
        const askers = [...watchers].filter((watcher) => watcher.asks?.());
        const asking = done !== undefined || askers.length > 0;
        const askMs = target.stepped ? quietMs() : LOOK_EVERY_MS.asking;
        const stepMs = asking ? askMs : LOOK_EVERY_MS.waiting;
        await target.pass(Math.min(leftMs, stepMs, untilNext(askers, target.now())), {
          wake: asking ? "change" : "end",
          ...(signal && !uninterrupted ? { signal } : {}),
        });
      }
    },
    end: async () => {
      await read().catch(() => {
        // What was seen up to here is what there is to tell.
      });
      await recording?.close().catch(() => {});
    },
  };
  return stage;
}

/** Until the next moment at which one of them wants to look. */
function untilNext(askers: readonly Watcher[], nowMs: number): number {
  const left = askers.map((watcher) => (watcher.nextMs?.() ?? Number.POSITIVE_INFINITY) - nowMs);
  return Math.min(Number.POSITIVE_INFINITY, ...left.filter((ms) => ms > 0));
}

const BEGINNINGS: ReadonlySet<string> = new Set(FAULTS.map(({ events }) => events?.started ?? "FaultStarted"));
const ENDS: ReadonlySet<string> = new Set(FAULTS.map(({ events }) => events?.ended ?? "FaultEnded"));

/** The events of a fault say when it began, which a delay puts off, and when it ended. */
function noteFault(faults: FaultSpan[], { atMs, detail, type }: EventRecord): void {
  const index = faults.findIndex(({ id }) => id === detail?.faultId);
  const fault = faults[index];
  if (!fault) return;
  if (BEGINNINGS.has(type)) faults[index] = { ...fault, startedAtMs: atMs };
  else if (ENDS.has(type) && fault.endedAtMs === undefined) faults[index] = { ...fault, endedAtMs: atMs };
}
