import type { WatchEvent } from "../api.js";
import type { KubeObject } from "../object.js";
import { isEqual } from "../runtime/hash.js";

/**
 * Tells a controller's own status writes, which need no second look, from those of others, which it has to put right. Remembers the last status written of
 * each object.
 */
export interface OwnStatus {
  /** To be called before the write: its event comes within it. */
  writing(object: KubeObject, status: unknown): void;
  /** Somebody else has written the status. */
  isForeign(event: WatchEvent): boolean;
}

export function createOwnStatus(): OwnStatus {
  const written = new Map<string, unknown>();
  return {
    writing: ({ metadata }, status) => void written.set(metadata.uid, status),
    isForeign({ type, object, previous }) {
      const { uid } = object.metadata;
      if (type === "DELETED") written.delete(uid);
      if (type !== "MODIFIED" || !previous || previous.status === object.status) return false;
      return written.has(uid) && !isEqual(object.status, written.get(uid)) && !isEqual(previous.status, object.status);
    },
  };
}
