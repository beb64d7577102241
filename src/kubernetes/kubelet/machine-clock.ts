/**
 * The clock on the wall of a machine. Durations are right on every machine, but what it stamps on its reports may not be the time; and a stamp once made
 * stays as it is, so every time is shown as the clock showed it when it was.
 */
export interface MachineClock {
  /** What the machine's clock showed at a moment, both epoch ms. */
  shown(ms: number): number;
  /** How far it runs ahead now, ms. */
  readonly skewMs: number;
  /** Sets it so far ahead from `nowMs` on. */
  set(skewMs: number, nowMs: number): void;
}

export function createMachineClock(): MachineClock {
  const changes: { sinceMs: number; skewMs: number }[] = [];
  return {
    shown: (ms) => ms + (changes.findLast(({ sinceMs }) => sinceMs <= ms)?.skewMs ?? 0),
    get skewMs() {
      return changes.at(-1)?.skewMs ?? 0;
    },
    set(skewMs, nowMs) {
      if (skewMs !== (changes.at(-1)?.skewMs ?? 0)) changes.push({ sinceMs: nowMs, skewMs });
    },
  };
}
