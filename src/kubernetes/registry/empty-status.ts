import type { ResourceEntry } from "./catalogue.js";

/**
 * The status of a new object that nobody has looked at yet. It is not absent: upstream's types always write it, with the counts that have to be there, so
 * that a JSON patch finds it and clients need not ask whether it exists.
 */
const EMPTY: Readonly<Record<string, unknown>> = Object.freeze({});
const BY_STORAGE: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "daemonsets.apps": {
    currentNumberScheduled: 0,
    numberMisscheduled: 0,
    desiredNumberScheduled: 0,
    numberReady: 0,
  },
  "poddisruptionbudgets.policy": { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  "replicasets.apps": { replicas: 0 },
  replicationcontrollers: { replicas: 0 },
  "statefulsets.apps": { replicas: 0, availableReplicas: 0 },
  "volumeattachments.storage.k8s.io": { attached: false },
};

/** Undefined for kinds without a status, and for custom resources, which have what they were given. */
export const emptyStatus = ({ hasStatus, custom, storage }: ResourceEntry): unknown =>
  hasStatus && !custom ? (BY_STORAGE[storage] ?? EMPTY) : undefined;
