import type { Clock, Timer } from "../../clock/clock.js";
import type { KubeObject } from "../object.js";

/**
 * Objects of before a restart that nobody has asked for yet: they stay in the file, or texts, so that a cluster answers before it has made them all.
 * Whoever asks for one gets it made.
 */
export interface ParkedObjects {
  /** `json`: absent for an object that is read when it is asked for. */
  park(resource: string, key: string, json?: string): void;
  /** Makes the object of this key, if it is parked. */
  take(resource: string, key: string): void;
  /** Makes all objects of the resource. */
  takeAll(resource: string): void;
  /** Makes all but those that can wait, a few at a time. */
  takePressing(): Promise<void>;
  count(resource: string): number;
  keys(resource: string): Iterable<string>;
  /** Resources with parked objects. */
  resources(): Iterable<string>;
  /** True when nothing is parked: what the store asks on its hot paths. */
  readonly isEmpty: boolean;
  stop(): void;
}

/** Read by people rather than by the cluster's components, and after a busy hour more than everything else together. */
const CAN_WAIT: ReadonlySet<string> = new Set(["events"]);
/** Objects of a resource that are not worth parking. */
const FEW = 1_000;

/** Whether the objects of a resource are parked on loading. */
export const isParked = (resource: string, count: number): boolean => CAN_WAIT.has(resource) || count > FEW;

/** By then a restarted cluster has done what could not wait. */
const MAKE_AFTER_MS = 30_000;
/** Objects made in one turn of the event loop. */
const SLICE = 200;

export function createParkedObjects({
  clock,
  make,
  read,
}: {
  clock: Clock;
  make(resource: string, object: KubeObject): void;
  read(resource: string, key: string): string | undefined;
}): ParkedObjects {
  const parked = new Map<string, Map<string, string | undefined>>();
  let timer: Timer | undefined;

  const makeOne = (resource: string, key: string, text: string | undefined): void => {
    const json = text ?? read(resource, key);
    if (json !== undefined) make(resource, JSON.parse(json) as KubeObject);
  };

  const takeSome = (resource: string, most: number): void => {
    const texts = parked.get(resource);
    if (!texts) return;
    for (const [key, text] of texts) {
      if (most-- <= 0) return;
      texts.delete(key);
      makeOne(resource, key, text);
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
      if (!texts?.has(key)) return;
      const text = texts.get(key);
      texts.delete(key);
      makeOne(resource, key, text);
    },
    takeAll: (resource) => takeSome(resource, Number.POSITIVE_INFINITY),
    async takePressing() {
      for (;;) {
        const resource = [...parked.keys()].find((name) => !CAN_WAIT.has(name));
        if (resource === undefined) return;
        takeSome(resource, SLICE);
        await new Promise<void>((resolve) => clock.defer(resolve));
      }
    },
    count: (resource) => parked.get(resource)?.size ?? 0,
    keys: (resource) => parked.get(resource)?.keys() ?? [],
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
