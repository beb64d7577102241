import type { Clock, Timer } from "../../clock/clock.js";
import type { KubeObject } from "../object.js";

/**
 * Objects of the file that nobody has asked for yet: they stay texts, so that a restart need not parse them before it answers. Whoever asks for one gets
 * it made; after a while the others are made a few at a time.
 */
export interface ParkedObjects {
  park(resource: string, key: string, json: string): void;
  /** Makes the object of this key, if it is parked. */
  take(resource: string, key: string): void;
  /** Makes all objects of the resource. */
  takeAll(resource: string): void;
  count(resource: string): number;
  /** Resources with parked objects. */
  resources(): Iterable<string>;
  /** True when nothing is parked: what the store asks on its hot paths. */
  readonly isEmpty: boolean;
  stop(): void;
}

/** Read by people rather than by the cluster's components, and after a busy hour more than everything else together. */
export const PARKED_RESOURCES: ReadonlySet<string> = new Set(["events"]);

/** By then a restarted cluster has done what could not wait. */
const MAKE_AFTER_MS = 30_000;
/** Objects made in one turn of the event loop. */
const SLICE = 200;

export function createParkedObjects(clock: Clock, make: (resource: string, object: KubeObject) => void): ParkedObjects {
  const parked = new Map<string, Map<string, string>>();
  let timer: Timer | undefined;

  const takeSome = (resource: string, most: number): void => {
    const texts = parked.get(resource);
    if (!texts) return;
    for (const [key, json] of texts) {
      if (most-- <= 0) return;
      texts.delete(key);
      make(resource, JSON.parse(json) as KubeObject);
    }
    parked.delete(resource);
  };

  const makeSlices = (): void => {
    const [resource] = parked.keys();
    if (resource === undefined) return;
    takeSome(resource, SLICE);
    clock.defer(makeSlices);
  };

  return {
    park(resource, key, json) {
      const texts = parked.get(resource);
      if (texts) texts.set(key, json);
      else parked.set(resource, new Map([[key, json]]));
      timer ??= clock.timer(MAKE_AFTER_MS, makeSlices);
    },
    take(resource, key) {
      const texts = parked.get(resource);
      const json = texts?.get(key);
      if (!texts || json === undefined) return;
      texts.delete(key);
      make(resource, JSON.parse(json) as KubeObject);
    },
    takeAll: (resource) => takeSome(resource, Number.POSITIVE_INFINITY),
    count: (resource) => parked.get(resource)?.size ?? 0,
    resources: () => parked.keys(),
    get isEmpty() {
      return parked.size === 0;
    },
    stop() {
      timer?.cancel();
      parked.clear();
    },
  };
}
