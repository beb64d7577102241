/**
 * The network between the zones of one cluster as it is now. While nothing is wrong with it nobody needs to ask more than that; else it tells who reaches
 * whom, and how long that takes, as TCP would have it: there is no connection where packets pass in one direction only, and what gets lost is sent again.
 */
import type { Random } from "../../clock/random.js";
import { type LinkTrouble, type Place, type Way, wayBetween } from "./links.js";

export interface ZoneNetwork {
  /** Nothing is wrong anywhere. */
  readonly isClear: boolean;
  /** From now on exactly this is wrong. */
  set(links: readonly LinkTrouble[]): void;
  /** Calls `listener` after every `set`. Returns how to stop. */
  onChange(listener: () => void): () => void;
  /** Share of packets that arrive and whose answers arrive, 0 to 1; 0 where there can be no connection. */
  passage(from: Place, to: Place): number;
  /** Least time of a round trip, in simulated ms. */
  roundTripMs(from: Place, to: Place): number;
  /**
   * Draws how long it takes, in simulated ms, to make a connection and to exchange something over it so many times. Undefined: it comes to nothing, which
   * whoever asked learns when it has no more patience.
   */
  exchange(from: Place, to: Place, rounds?: number): Exchange | undefined;
  /** One packet there and one back, of which nobody sends another when it is lost: simulated ms, or undefined. */
  echo(from: Place, to: Place): number | undefined;
}

export interface Exchange {
  /** Until the connection is there. */
  connectMs: number;
  /** Until the last answer is there. */
  totalMs: number;
}

/** Where there is nothing in the way, time is not what it takes. */
export const AT_ONCE: Exchange = { connectMs: 0, totalMs: 0 };

/** Linux: the first packet of a connection is sent again after a second, then after twice as long each time; six times (tcp_syn_retries). */
const CONNECT = { firstMs: 1_000, tries: 7 };
/** What goes over a connection is sent again after 200 ms at the earliest (TCP_RTO_MIN), fifteen times (tcp_retries2), at most two minutes apart. */
const DATA = { firstMs: 200, tries: 16 };
const LONGEST_MS = 120_000;

const CLEAR: Way = { latencyMs: 0, jitterMs: 0, passes: 1 };

export function createZoneNetwork(random: Random): ZoneNetwork {
  let links: readonly LinkTrouble[] = [];
  const ways = new Map<string, Way>();
  const listeners = new Set<() => void>();

  const wayOf = (from: Place, to: Place): Way => {
    const key = `${from.zone}/${from.side} ${to.zone}/${to.side}`;
    let way = ways.get(key);
    if (!way) {
      way = wayBetween(links, from, to) ?? CLEAR;
      ways.set(key, way);
    }
    return way;
  };

  const passes = ({ passes }: Way): boolean => passes >= 1 || (passes > 0 && random.next() < passes);
  const delayOf = ({ latencyMs, jitterMs }: Way): number =>
    jitterMs > 0 ? Math.max(0, latencyMs + random.integer(-Math.round(jitterMs), Math.round(jitterMs))) : latencyMs;

  const once = (there: Way, back: Way): number | undefined =>
    passes(there) && passes(back) ? delayOf(there) + delayOf(back) : undefined;

  const roundTrip = (there: Way, back: Way, { firstMs, tries }: typeof CONNECT): number | undefined => {
    let waitedMs = 0;
    for (let attempt = 0; attempt < tries; attempt++) {
      const ms = once(there, back);
      if (ms !== undefined) return waitedMs + ms;
      waitedMs += Math.min(LONGEST_MS, firstMs * 2 ** attempt);
    }
    return undefined;
  };

  return {
    get isClear() {
      return links.length === 0;
    },
    set(next) {
      links = next;
      ways.clear();
      for (const listener of [...listeners]) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    passage: (from, to) => (links.length === 0 ? 1 : wayOf(from, to).passes * wayOf(to, from).passes),
    roundTripMs: (from, to) => (links.length === 0 ? 0 : wayOf(from, to).latencyMs + wayOf(to, from).latencyMs),
    exchange(from, to, rounds = 1) {
      if (links.length === 0) return AT_ONCE;
      const there = wayOf(from, to);
      const back = wayOf(to, from);
      const connectMs = roundTrip(there, back, CONNECT);
      if (connectMs === undefined) return undefined;
      let totalMs = connectMs;
      for (let round = 0; round < rounds; round++) {
        const ms = roundTrip(there, back, DATA);
        if (ms === undefined) return undefined;
        totalMs += ms;
      }
      return { connectMs, totalMs };
    },
    echo: (from, to) => (links.length === 0 ? 0 : once(wayOf(from, to), wayOf(to, from))),
  };
}
