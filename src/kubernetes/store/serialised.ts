import type { KubeObject } from "../object.js";

/** JSON by object. Stored objects are immutable and every revision is a new object, so an entry is never stale and goes with its object. */
const cache = new WeakMap<KubeObject, string>();

/** The object as JSON, made once a revision whoever asks: GETs, lists and every watcher share it. */
export function cachedJsonOf(object: KubeObject): string {
  let json = cache.get(object);
  if (json === undefined) {
    json = JSON.stringify(object);
    cache.set(object, json);
  }
  return json;
}

/** As `cachedJsonOf`, but does not keep what it makes: for the disk, which asks once. */
export function jsonOf(object: KubeObject): string {
  return cache.get(object) ?? JSON.stringify(object);
}
