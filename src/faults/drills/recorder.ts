/**
 * Takes looks at clusters as they change. Pods are counted as each of their changes is told, nodes and masters by asking the backend for a summary once it
 * has told that something about them is new. A look is closed by the first change of a later moment, so that everything of one moment is in one look.
 */
import type { ClusterBackend, ClusterSummary, PodFacts } from "../../backends/backend.js";
import type { Clock, Timer } from "../../clock/clock.js";
import type { ZoneCounts } from "../../domain/kubernetes-objects.js";
import type { ClusterRecord } from "../../domain/model.js";
import type { Look, Recorder, Recording, WorkloadCounts } from "../../domain/recording.js";
import type { State } from "../../state/state.js";

export interface RecorderOptions {
  state: Pick<State, "clusters" | "events">;
  clock: Clock;
  backends: ReadonlyMap<string, ClusterBackend>;
  log: { warn(fields: Record<string, unknown>, message: string): void };
}

/** How often a backend that cannot tell of pods is asked for them, in milliseconds. */
const ASK_EVERY_MS = 2000;

const NO_COUNTS: ZoneCounts = { nodes: 0, readyNodes: 0, pods: 0, readyPods: 0, members: 0, membersUp: 0 };

export function createRecorder({ state, clock, backends, log }: RecorderOptions): Recorder {
  return {
    record: (scope, names) => {
      const views = new Map<string, ClusterView>();
      const closed: Look[] = [];
      let version = 0;

      const attach = (): void => {
        for (const name of names) {
          if (views.has(name)) continue;
          const cluster = state.clusters.get({ ...scope, name });
          const backend = cluster && backends.get(cluster.backend);
          if (!backend || !isThere(cluster)) continue;
          views.set(
            name,
            watchCluster({
              cluster,
              backend,
              clock,
              close: (look) => closed.push(look),
              changed: () => void version++,
              failed: (error) => log.warn({ err: error, cluster: name }, "a cluster could not be looked at"),
            }),
          );
        }
      };
      const unsubscribe = state.events.subscribe((event) => {
        if (event.accountId !== scope.accountId || event.region !== scope.region) return;
        version++;
        const name = event.clusterName;
        if (name === undefined || !names.includes(name)) return;
        if (!state.clusters.get({ ...scope, name })) stopView(views, name);
        // The event is told of before its reconciler has gone on: the data plane is asked a moment later.
        else if (!views.has(name)) clock.defer(attach);
      });
      attach();

      return {
        get version() {
          return version;
        },
        read: () => {
          for (const view of views.values()) view.flush();
          return closed.splice(0);
        },
        close: () => {
          unsubscribe();
          for (const name of [...views.keys()]) stopView(views, name);
        },
      } satisfies Recording;
    },
  };
}

const isThere = (cluster: ClusterRecord): boolean => cluster.endpoint !== undefined && cluster.status !== "DELETING";

function stopView(views: Map<string, ClusterView>, name: string): void {
  views.get(name)?.stop();
  views.delete(name);
}

interface ClusterView {
  /** Closes the present look, if anything is new in it. */
  flush(): void;
  stop(): void;
}

interface Counted {
  counts: WorkloadCounts;
  changed: boolean;
}

function watchCluster(options: {
  cluster: ClusterRecord;
  backend: ClusterBackend;
  clock: Clock;
  close: (look: Look) => void;
  changed: () => void;
  failed: (error: unknown) => void;
}): ClusterView {
  const { cluster, backend, clock, close, changed, failed } = options;
  const pods = new Map<string, PodFacts>();
  const workloads = new Map<string, Counted>();
  /** Pods and ready pods of each zone. */
  const zones = new Map<string, { pods: number; readyPods: number }>();
  let pending = 0;
  let summary: ClusterSummary = { zones: {}, pendingPods: 0, apiAvailable: true };
  /** Before the backend has been asked once there is nothing to look at. */
  let isKnown = false;
  /** Moment of the look that is open; undefined: nothing has changed since the last one. */
  let openMs: number | undefined;
  let stopped = false;
  let asking = false;
  let isStale = false;
  let asker: Timer | undefined;

  const flush = (): void => {
    if (openMs === undefined || !isKnown) return;
    const changedOnes = [...workloads.values()].filter((one) => one.changed);
    for (const one of changedOnes) one.changed = false;
    close({
      atMs: Math.floor(openMs),
      cluster: cluster.name,
      zones: zonesNow(summary, zones),
      pendingPods: pending,
      apiAvailable: summary.apiAvailable,
      workloads: changedOnes.map(({ counts }) => ({ ...counts })),
    });
    openMs = undefined;
  };
  /** To be called before the first change of a moment is counted. */
  const open = (): void => {
    const nowMs = clock.now();
    if (openMs !== undefined && openMs < nowMs) flush();
    if (!isKnown) openMs = nowMs;
    openMs ??= nowMs;
    changed();
  };

  const countPod = (pod: PodFacts, by: 1 | -1): void => {
    if (!isLive(pod)) return;
    if (pod.nodeName === undefined) pending += by;
    if (pod.zone !== undefined) {
      const zone = zones.get(pod.zone) ?? { pods: 0, readyPods: 0 };
      zones.set(pod.zone, zone);
      zone.pods += by;
      if (pod.ready) zone.readyPods += by;
    }
    if (pod.terminating) return;
    const counted = workloadOf(pod);
    if (!counted) return;
    counted.changed = true;
    counted.counts.pods += by;
    if (pod.nodeReady) counted.counts.placed += by;
    if (pod.ready) counted.counts.ready += by;
  };

  const workloadOf = ({ namespace, workload }: PodFacts): Counted | undefined => {
    if (!workload) return undefined;
    const key = `${namespace}/${workload.kind}/${workload.name}`;
    const known = workloads.get(key);
    if (known) return known;
    const counts = { namespace, ...workload, pods: 0, placed: 0, ready: 0, gone: 0 };
    const counted = { counts, changed: true };
    workloads.set(key, counted);
    return counted;
  };

  const takePod = (pod: PodFacts, isGone: boolean): void => {
    const before = pods.get(pod.uid);
    if (before && !isGone && isSame(before, pod)) return;
    open();
    if (before) countPod(before, -1);
    const wasServing = before !== undefined && isLive(before) && !before.terminating && before.nodeName !== undefined;
    if (wasServing && (isGone || pod.terminating || pod.phase === "Failed")) {
      const counted = workloadOf(before);
      if (counted) {
        counted.counts.gone++;
        counted.changed = true;
      }
    }
    if (isGone) {
      pods.delete(pod.uid);
    } else {
      // The node of a pod may be gone before it is: it stood where it stood.
      const zone = pod.zone ?? (before?.nodeName === pod.nodeName ? before?.zone : undefined);
      const kept = zone === undefined ? pod : { ...pod, zone };
      pods.set(pod.uid, kept);
      countPod(kept, 1);
    }
  };

  const takeAllPods = (all: readonly PodFacts[]): void => {
    const present = new Set(all.map(({ uid }) => uid));
    for (const pod of all) takePod(pod, false);
    for (const pod of [...pods.values()]) if (!present.has(pod.uid)) takePod(pod, true);
  };

  /** Asks for nodes and masters; what changes meanwhile is asked for again. */
  const ask = async (): Promise<void> => {
    if (asking) {
      isStale = true;
      return;
    }
    asking = true;
    try {
      do {
        isStale = false;
        const next = await backend.summary(cluster.id);
        if (stopped) return;
        if (isKnown && isSameSummary(summary, next)) continue;
        open();
        isKnown = true;
        summary = next;
      } while (isStale);
    } catch (error) {
      if (stopped) return;
      failed(error);
      // Nobody tells when it can be asked again.
      if (backend.watchPods) asker = clock.timer(ASK_EVERY_MS, askSoon);
    } finally {
      asking = false;
    }
  };
  let isAsked = false;
  const askSoon = (): void => {
    if (isAsked) return;
    isAsked = true;
    clock.defer(() => {
      isAsked = false;
      if (!stopped) void clock.track(ask());
    });
  };

  const askForPods = async (): Promise<void> => {
    try {
      const all = await backend.pods?.(cluster.id);
      if (all && !stopped) takeAllPods(all);
      await ask();
    } catch (error) {
      if (!stopped) failed(error);
    }
    if (!stopped) asker = clock.timer(ASK_EVERY_MS, () => void clock.track(askForPods()));
  };

  open();
  const stops = [
    backend.observe(cluster.id, ({ kind }) => {
      if (kind === "node" || kind === "member") askSoon();
    }),
  ];
  if (backend.watchPods) stops.push(backend.watchPods(cluster.id, ({ pod, gone }) => takePod(pod, gone)));
  else void clock.track(askForPods());
  askSoon();
  return {
    flush,
    stop: () => {
      flush();
      stopped = true;
      asker?.cancel();
      for (const stop of stops) stop();
    },
  };
}

/** Pods that have ended hold nothing and do nothing. */
const isLive = ({ phase }: PodFacts): boolean => phase !== "Succeeded" && phase !== "Failed";

const isSame = (a: PodFacts, b: PodFacts): boolean =>
  a.nodeName === b.nodeName &&
  a.nodeReady === b.nodeReady &&
  (a.zone === b.zone || b.zone === undefined) &&
  a.phase === b.phase &&
  a.ready === b.ready &&
  a.terminating === b.terminating;

/** Of what is taken from a summary: nodes, masters, and whether the API answers. */
function isSameSummary(a: ClusterSummary, b: ClusterSummary): boolean {
  const said = ({ zones, apiAvailable }: ClusterSummary): string =>
    JSON.stringify([
      apiAvailable,
      Object.entries(zones)
        .sort(([one], [other]) => (one < other ? -1 : 1))
        .map(([name, { nodes, readyNodes, members, membersUp }]) => [name, nodes, readyNodes, members, membersUp]),
    ]);
  return said(a) === said(b);
}

function zonesNow(
  summary: ClusterSummary,
  podsByZone: ReadonlyMap<string, { pods: number; readyPods: number }>,
): Record<string, ZoneCounts> {
  const names = [...new Set([...Object.keys(summary.zones), ...podsByZone.keys()])].sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      { ...NO_COUNTS, ...summary.zones[name], ...(podsByZone.get(name) ?? { pods: 0, readyPods: 0 }) },
    ]),
  );
}
