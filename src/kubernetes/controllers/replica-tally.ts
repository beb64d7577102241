import type { WatchEvent } from "../api.js";
import { isEqual } from "../runtime/hash.js";
import { controllerOf } from "../runtime/owners.js";
import { isPodActive, isPodReady, isPodTerminating } from "../runtime/pods.js";
import type { Pod } from "../schema/generated/types.js";

/**
 * Counts of the pods of each owner, kept up to date pod event by pod event: a ReplicaSet of ten thousand pods that become ready one by one costs ten
 * thousand additions instead of ten thousand walks over ten thousand pods. Whatever a sum cannot express (new pods, changed labels or owners) makes the
 * count of that owner stale, and its next reconcile counts afresh.
 */
export interface ReplicaCount {
  active: number;
  ready: number;
  /** On their way out, and not at their end yet. */
  terminating: number;
}

export interface ReplicaTally {
  /** To be called with every pod event. True when the event changed anything that counts. */
  observe(event: WatchEvent<Pod>): boolean;
  /** undefined: unknown or stale, count again. */
  of(ownerUid: string): ReplicaCount | undefined;
  set(ownerUid: string, count: ReplicaCount): void;
  forget(ownerUid: string): void;
}

export function createReplicaTally(): ReplicaTally {
  const counts = new Map<string, ReplicaCount>();
  return {
    observe({ type, object, previous }) {
      const uid = controllerOf(object)?.uid;
      if (type === "DELETED") {
        // The pod of a graceful deletion has ceased to be active long before.
        if (!isPodActive(object) && object.metadata.deletionTimestamp) {
          if (!isPodTerminating(object)) return false;
          const count = uid ? counts.get(uid) : undefined;
          if (count) count.terminating--;
          return true;
        }
        if (uid) counts.delete(uid);
        return true;
      }
      const relabelled =
        !previous ||
        !isEqual(previous.metadata.labels, object.metadata.labels) ||
        !isEqual(previous.metadata.ownerReferences, object.metadata.ownerReferences);
      if (relabelled) {
        if (uid) counts.delete(uid);
        const before = previous && controllerOf(previous)?.uid;
        if (before) counts.delete(before);
        return true;
      }
      const [wasActive, active] = [isPodActive(previous), isPodActive(object)];
      const [wasReady, ready] = [wasActive && isPodReady(previous), active && isPodReady(object)];
      const [wasTerminating, terminating] = [isPodTerminating(previous), isPodTerminating(object)];
      if (wasActive === active && wasReady === ready && wasTerminating === terminating) return false;
      const count = uid ? counts.get(uid) : undefined;
      if (count) {
        count.active += Number(active) - Number(wasActive);
        count.ready += Number(ready) - Number(wasReady);
        count.terminating += Number(terminating) - Number(wasTerminating);
      }
      return true;
    },
    of: (ownerUid) => counts.get(ownerUid),
    set: (ownerUid, count) => void counts.set(ownerUid, count),
    forget: (ownerUid) => void counts.delete(ownerUid),
  };
}
