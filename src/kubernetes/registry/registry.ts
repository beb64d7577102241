import type { Clock } from "../../clock/clock.js";
import type { AdmissionPlugin } from "../admission/plugin.js";
import { foreignError, type StatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { Store } from "../store/store.js";
import type { ResourceCatalogue } from "./catalogue.js";
import type { Machinery } from "./machinery.js";

export interface Registry extends Machinery {
  /** Shows computed fields at every read of a resource. */
  onRead(resource: string, hook: (object: KubeObject) => KubeObject): void;
  /** With `false`, everything fails as in front of an etcd without a leader. */
  setAvailable(available: boolean): void;
  readonly available: boolean;
  /** Lists of revisions before this one are refused, as etcd's compaction makes them unreadable. */
  readonly compactedRevision: number;
  compact(revision: number): void;
}

/** What clients see when etcd has lost its quorum; said at once, where a real etcd keeps them waiting for seven seconds. */
const noLeader = (): StatusError => foreignError("etcdserver: request timed out");

export function createRegistry({
  store,
  catalogue,
  clock,
  admission,
  identity = "",
}: {
  store: Store;
  catalogue: ResourceCatalogue;
  clock: Clock;
  admission: readonly AdmissionPlugin[];
  /** Tells clusters apart: monitoring takes the uid of kube-system for the cluster's own. */
  identity?: string;
}): Registry {
  const readHooks = new Map<string, (object: KubeObject) => KubeObject>();
  let available = true;
  let compactedRevision = 0;
  return {
    store,
    catalogue,
    clock,
    admission,
    readHooks,
    // The revision in the stream's name keeps a restarted process from handing out the same uids again.
    random: clock.random(`registry/${identity}/${store.revision}`),
    assertAvailable() {
      if (!available) throw noLeader();
    },
    onRead: (resource, hook) => {
      readHooks.set(resource, hook);
    },
    setAvailable: (value) => {
      available = value;
    },
    get available() {
      return available;
    },
    get compactedRevision() {
      return compactedRevision;
    },
    compact: (revision) => {
      compactedRevision = revision;
    },
  };
}
