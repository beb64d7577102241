import { LRUCache } from "lru-cache";
import { type Clock, formatSeconds } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import type { ClusterLog } from "../cluster.js";
import { isStatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { CoreEvent, ObjectReference } from "../schema/generated/types.js";

/**
 * Writes core/v1 Events the way client-go's EventCorrelator does: the same thing said again raises `count` of the one Event; many different messages
 * about the same matter are combined into one; and a source that talks too much about one object is silenced for a while.
 */
export interface EventRecorder {
  /**
   * Records an event about `about`. Never rejects and never throws: events are best effort. Not to be called from inside a watch handler, which
   * must not write.
   */
  event(about: KubeObject | ObjectReference, type: "Normal" | "Warning", reason: string, message: string): void;
  /**
   * The same recorder, whose events say that they come from this node: one serves all the kubelets of a cluster. `shown`: what the node's clock shows at a
   * time, both epoch ms; the time itself unless given.
   */
  onHost(host: string, shown?: (ms: number) => number): EventRecorder;
}

export interface EventRecorderOptions {
  api: KubeApi;
  clock: Clock;
  log: ClusterLog;
  /** Source of the events, e.g. `deployment-controller`. */
  component: string;
}

/** client-go's defaults: events_cache.go and event_aggregator. */
const CACHE_SIZE = 4096;
/** Bounded by count all the same, but growing as it fills: `max` would reserve all of it for every recorder of every cluster at once. */
const BOUNDED = { maxSize: CACHE_SIZE, sizeCalculation: () => 1 } as const;
const COMBINE_AFTER = 10;
const COMBINE_WINDOW_MS = 600_000;
const SPAM_BURST = 25;
const SPAM_REFILL_MS = 300_000;

interface Written {
  name: string;
  count: number;
}

/** Different messages about one matter (object, type, reason) within the window. */
interface Matter {
  messages: Set<string>;
  lastMs: number;
}

interface Said {
  host: string | undefined;
  about: ObjectReference;
  type: string;
  reason: string;
  message: string;
  /** When, by the clock of its host. */
  shownMs: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const isObject = (about: KubeObject | ObjectReference): about is KubeObject => "metadata" in about;

/** What an Event says it is about. */
export function referenceTo(object: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  return {
    kind: object.kind,
    ...(namespace ? { namespace } : {}),
    name,
    uid,
    apiVersion: object.apiVersion,
    resourceVersion,
  };
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { api, clock, log, component } = options;
  const written = new LRUCache<string, Written>(BOUNDED);
  const matters = new LRUCache<string, Matter>(BOUNDED);
  const buckets = new LRUCache<string, Bucket>(BOUNDED);
  const random = clock.random(`events/${component}`);

  const isSpam = (objectKey: string, nowMs: number): boolean => {
    const bucket = buckets.get(objectKey) ?? { tokens: SPAM_BURST, atMs: nowMs };
    const tokens = Math.min(SPAM_BURST, bucket.tokens + (nowMs - bucket.atMs) / SPAM_REFILL_MS);
    buckets.set(objectKey, { tokens: tokens >= 1 ? tokens - 1 : tokens, atMs: nowMs });
    return tokens < 1;
  };

  /** The text under which the message is counted: its own, or the combined one once there are too many of them. */
  const combined = (matterKey: string, message: string, nowMs: number): { text: string; countedAs: string } => {
    let matter = matters.get(matterKey);
    if (!matter || nowMs - matter.lastMs > COMBINE_WINDOW_MS) {
      matter = { messages: new Set(), lastMs: nowMs };
      matters.set(matterKey, matter);
    }
    matter.lastMs = nowMs;
    matter.messages.add(message);
    if (matter.messages.size < COMBINE_AFTER) return { text: message, countedAs: message };
    // The set stays this small: what came earlier no longer matters once messages are combined.
    matter.messages.delete(matter.messages.values().next().value as string);
    matter.messages.add(message);
    return { text: `(combined from similar events): ${message}`, countedAs: "" };
  };

  /** Upstream appends the time in nanoseconds; here the digits below the millisecond keep names apart and in the order of telling. */
  let last = { ms: Number.NaN, nanoseconds: 0 };
  const nameFor = (about: ObjectReference, nowMs: number): string => {
    const ms = Math.floor(nowMs);
    // Where the first of a millisecond begins keeps several components' words about one object apart.
    const nanoseconds = ms === last.ms ? last.nanoseconds + random.integer(1, 500) : random.integer(1, 900_000);
    last = { ms, nanoseconds };
    return `${about.name ?? "unknown"}.${(BigInt(ms) * 1_000_000n + BigInt(last.nanoseconds)).toString(16)}`;
  };

  const write = async (key: string, event: Said, nowMs: number): Promise<void> => {
    const time = formatSeconds(event.shownMs);
    const { about, type, reason, message, host } = event;
    const namespace = about.namespace || "default";
    const known = written.get(key);
    const present = known && api.get<CoreEvent>("events", { namespace, name: known.name });
    if (known && present) {
      known.count++;
      await api.update<CoreEvent>("events", { ...present, message, count: known.count, lastTimestamp: time });
      return;
    }
    const name = nameFor(about, nowMs);
    written.set(key, { name, count: 1 });
    await api.create<CoreEvent>("events", {
      metadata: { name, namespace },
      involvedObject: about,
      reason,
      message,
      source: { component, ...(host ? { host } : {}) },
      firstTimestamp: time,
      lastTimestamp: time,
      count: 1,
      type,
      reportingComponent: component,
      reportingInstance: host ?? "",
    });
  };

  const recorderOn = (host: string | undefined, shown: (ms: number) => number = (ms) => ms): EventRecorder => ({
    onHost: recorderOn,
    event(subject, type, reason, message) {
      const about = isObject(subject) ? referenceTo(subject) : subject;
      const nowMs = clock.now();
      const objectKey = `${host ?? ""}/${about.kind}/${about.namespace ?? ""}/${about.name}/${about.uid ?? ""}/${about.fieldPath ?? ""}`;
      if (isSpam(objectKey, nowMs)) return;
      const matterKey = `${objectKey} ${type} ${reason}`;
      const { text, countedAs } = combined(matterKey, message, nowMs);
      const work = write(
        `${matterKey} ${countedAs}`,
        { host, about, type, reason, message: text, shownMs: shown(nowMs) },
        nowMs,
      ).catch((error: unknown) => {
        // A namespace on its way out takes no new events.
        if (isStatusError(error, "Forbidden") || isStatusError(error, "NotFound"))
          log.debug({ component, reason, error }, "event not written");
        else log.warn({ component, reason, error }, "event not written");
      });
      void clock.track(work);
    },
  });
  return recorderOn(undefined);
}
