/**
 * What gets through between the zones of a cluster, and how: the rule behind everything that goes over its network. A link is one direction; what is broken
 * both ways is said twice.
 */

export type Side = "masters" | "machines";

/** Where something stands: the masters and the machines of a zone may have different links. */
export interface Place {
  zone: string;
  side: Side;
}

export interface LinkEnd {
  zone: string;
  /** Default `all`. */
  of?: "all" | Side;
}

/** What is wrong with one link. */
export interface LinkTrouble {
  from: LinkEnd;
  to: LinkEnd;
  /** Nothing gets through. */
  cut?: boolean;
  latencyMs?: number;
  /** By so much the latency varies, up or down. */
  jitterMs?: number;
  /** 0 to 100. */
  lossPercent?: number;
}

/** How packets fare on one way, all its troubles taken together. */
export interface Way {
  latencyMs: number;
  jitterMs: number;
  /** Share of the packets that arrive, 0 to 1. */
  passes: number;
}

const isAt = ({ zone, of = "all" }: LinkEnd, place: Place): boolean =>
  zone === place.zone && (of === "all" || of === place.side);

/** Latencies add up, and what gets through one trouble has still to get through the next. Undefined: nothing is wrong on this way. */
export function wayBetween(links: readonly LinkTrouble[], from: Place, to: Place): Way | undefined {
  let way: Way | undefined;
  for (const link of links) {
    if (!isAt(link.from, from) || !isAt(link.to, to)) continue;
    const { latencyMs = 0, jitterMs = 0, lossPercent = 0, cut = false } = link;
    const before = way ?? { latencyMs: 0, jitterMs: 0, passes: 1 };
    way = {
      latencyMs: before.latencyMs + latencyMs,
      jitterMs: before.jitterMs + jitterMs,
      passes: cut ? 0 : before.passes * (1 - Math.min(100, Math.max(0, lossPercent)) / 100),
    };
  }
  return way;
}
