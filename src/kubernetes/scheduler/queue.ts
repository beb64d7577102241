import type { Clock, Timer } from "../../clock/clock.js";
import type { ClusterChange, FilterPlugin } from "./plugin.js";
import type { PodInfo } from "./pod-info.js";

/**
 * Pods that wait for a node, after kube-scheduler's SchedulingQueue: active ones in order of priority and then of age; refused ones set aside until
 * something changes that could help them, and then not before their back-off has passed.
 */
export interface QueuedPod {
  info: PodInfo;
  /** When it was last put into the queue, epoch ms. */
  queuedMs: number;
  attempts: number;
  /** Plugins that refused it last. */
  refusedBy: ReadonlySet<FilterPlugin>;
  place: "active" | "backoff" | "unschedulable" | "taken";
  order: number;
  lastAttemptMs: number;
  timer?: Timer;
}

export interface SchedulingQueue {
  /** A new pod, or a newer state of one that waits. `retry`: the change may make it schedulable. */
  put(info: PodInfo, retry: boolean): void;
  remove(key: string): void;
  get(key: string): QueuedPod | undefined;
  /** The next pod to plan; it stays known until `remove` (placed) or `setAside` (refused). */
  take(): QueuedPod | undefined;
  setAside(entry: QueuedPod, refusedBy: ReadonlySet<FilterPlugin>): void;
  /** Back in line after its back-off without waiting for a change: something outside failed. */
  retry(entry: QueuedPod): void;
  /** Something changed: wakes the refused pods that it could help. `hint` looks closer at one of them. */
  changed(change: ClusterChange, hint?: (entry: QueuedPod) => boolean): void;
  stop(): void;
  readonly activeCount: number;
  entries(): Iterable<QueuedPod>;
}

/** Defaults of KubeSchedulerConfiguration: podInitialBackoffSeconds, podMaxBackoffSeconds. */
const INITIAL_BACKOFF_MS = 1_000;
const MAX_BACKOFF_MS = 10_000;
/** Refused pods are tried again after this long although nothing seemed to change. */
const FLUSH_AFTER_MS = 300_000;
const FLUSH_PERIOD_MS = 30_000;

const backoffMs = (attempts: number): number =>
  Math.min(MAX_BACKOFF_MS, INITIAL_BACKOFF_MS * 2 ** Math.min(attempts - 1, 10));

/** Priority first, then age (PrioritySort), then order of arrival. */
const isBefore = (a: QueuedPod, b: QueuedPod): boolean =>
  a.info.priority !== b.info.priority
    ? a.info.priority > b.info.priority
    : a.queuedMs !== b.queuedMs
      ? a.queuedMs < b.queuedMs
      : a.order < b.order;

export function createSchedulingQueue({ clock, ready }: { clock: Clock; ready: () => void }): SchedulingQueue {
  const known = new Map<string, QueuedPod>();
  const unschedulable = new Set<QueuedPod>();
  /** The same pods by what could help them: most changes concern few. */
  const waitingFor = new Map<ClusterChange, Set<QueuedPod>>();
  /** A binary heap. Entries that left the active place stay in it until they reach the top. */
  const heap: QueuedPod[] = [];
  let active = 0;
  let orders = 0;
  let flushTimer: Timer | undefined;

  const push = (entry: QueuedPod): void => {
    let i = heap.push(entry) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!isBefore(entry, heap[parent] as QueuedPod)) break;
      heap[i] = heap[parent] as QueuedPod;
      i = parent;
    }
    heap[i] = entry;
  };

  const pop = (): QueuedPod | undefined => {
    const top = heap[0];
    const last = heap.pop();
    if (!last || heap.length === 0) return top;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as QueuedPod, heap[child] as QueuedPod)) child++;
      if (!isBefore(heap[child] as QueuedPod, last)) break;
      heap[i] = heap[child] as QueuedPod;
      i = child;
    }
    heap[i] = last;
    return top;
  };

  const leave = (entry: QueuedPod): void => {
    if (entry.place === "active") active--;
    if (unschedulable.delete(entry)) for (const entries of waitingFor.values()) entries.delete(entry);
    entry.timer?.cancel();
    entry.timer = undefined;
    entry.place = "taken";
  };

  const activate = (entry: QueuedPod): void => {
    leave(entry);
    entry.place = "active";
    entry.queuedMs = clock.now();
    entry.order = orders++;
    active++;
    push(entry);
    ready();
  };

  /** Active at once, or when its back-off is over. */
  const wake = (entry: QueuedPod): void => {
    const waitMs = entry.attempts === 0 ? 0 : entry.lastAttemptMs + backoffMs(entry.attempts) - clock.now();
    if (waitMs <= 0) {
      activate(entry);
      return;
    }
    leave(entry);
    entry.place = "backoff";
    entry.timer = clock.timer(waitMs, () => {
      entry.timer = undefined;
      activate(entry);
    });
  };

  const flush = (): void => {
    flushTimer = undefined;
    const before = clock.now() - FLUSH_AFTER_MS;
    for (const entry of [...unschedulable]) if (entry.lastAttemptMs <= before) wake(entry);
    scheduleFlush();
  };

  const scheduleFlush = (): void => {
    if (!flushTimer && unschedulable.size > 0) flushTimer = clock.timer(FLUSH_PERIOD_MS, flush);
  };

  return {
    put(info, retry) {
      const entry = known.get(info.key);
      // Another priority is another place in the heap, where entries must not change: it becomes a new entry.
      if (entry && entry.info.uid === info.uid && entry.info.priority === info.priority) {
        entry.info = info;
        if (entry.place === "unschedulable" && retry) wake(entry);
        return;
      }
      if (entry) leave(entry);
      const fresh: QueuedPod = {
        info,
        queuedMs: 0,
        attempts: 0,
        refusedBy: new Set(),
        place: "taken",
        order: 0,
        lastAttemptMs: 0,
      };
      known.set(info.key, fresh);
      activate(fresh);
    },
    remove(key) {
      const entry = known.get(key);
      if (!entry) return;
      leave(entry);
      known.delete(key);
    },
    get: (key) => known.get(key),
    take() {
      for (let entry = pop(); entry; entry = pop()) {
        // Entries removed in the meantime.
        if (entry.place !== "active") continue;
        leave(entry);
        entry.attempts++;
        entry.lastAttemptMs = clock.now();
        return entry;
      }
      return undefined;
    },
    setAside(entry, refusedBy) {
      if (known.get(entry.info.key) !== entry) return;
      entry.refusedBy = refusedBy;
      entry.place = "unschedulable";
      unschedulable.add(entry);
      // Refused by nobody: there was no node to ask about.
      const changes = new Set<ClusterChange>(refusedBy.size === 0 ? ["node"] : []);
      for (const plugin of refusedBy) for (const change of plugin.wakesOn) changes.add(change);
      for (const change of changes) {
        const entries = waitingFor.get(change);
        if (entries) entries.add(entry);
        else waitingFor.set(change, new Set([entry]));
      }
      scheduleFlush();
    },
    retry(entry) {
      if (known.get(entry.info.key) !== entry) return;
      entry.refusedBy = new Set();
      wake(entry);
    },
    changed(change, hint) {
      const concerned = waitingFor.get(change);
      if (concerned) for (const entry of concerned) if (hint?.(entry) ?? true) wake(entry);
    },
    stop() {
      flushTimer?.cancel();
      for (const entry of known.values()) entry.timer?.cancel();
      known.clear();
      unschedulable.clear();
      waitingFor.clear();
      heap.length = 0;
      active = 0;
    },
    get activeCount() {
      return active;
    },
    entries: () => known.values(),
  };
}
