/** Offerings that EC2 had no capacity for are left out for three minutes, whether or not it is back sooner. Source: Karpenter's provider for AWS. */

/** How long an offering is skipped, in milliseconds. */
export const SKIPPED_MS = 3 * 60_000;

/** Until when each offering is skipped, by `<instance type>/<zone>`. */
export type Unavailable = Readonly<Record<string, number>>;

export interface OfferingFilter {
  /** Whether an offering is worth asking for; notes those that EC2 refuses. */
  hasCapacity(zone: string, instanceType: string): boolean;
  /** As it is after all the questions. */
  unavailable(): Unavailable;
  /** Zones in which offerings were found unavailable by these questions. */
  refusedIn(): string[];
}

/** `isThere` = what EC2 would say if it were asked now. */
export function createOfferingFilter(
  before: Unavailable,
  nowMs: number,
  isThere: (zone: string, instanceType: string) => boolean,
): OfferingFilter {
  const kept: Record<string, number> = {};
  for (const [offering, untilMs] of Object.entries(before)) if (untilMs > nowMs) kept[offering] = untilMs;
  const refused = new Set<string>();
  return {
    hasCapacity(zone, instanceType) {
      const offering = `${instanceType}/${zone}`;
      if (kept[offering] !== undefined) return false;
      if (isThere(zone, instanceType)) return true;
      kept[offering] = nowMs + SKIPPED_MS;
      refused.add(zone);
      return false;
    },
    unavailable: () => kept,
    refusedIn: () => [...refused].sort(),
  };
}
