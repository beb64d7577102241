/** Zones that traffic is kept away from on purpose: pods there go on, but no Service sends anybody to them. */
export interface WithdrawnZones {
  has(zone: string): boolean;
  /** Exactly these from now on. */
  set(zones: readonly string[]): void;
  /** Calls `listener` whenever they have changed. Returns how to stop. */
  onChange(listener: () => void): () => void;
}

export function createWithdrawnZones(): WithdrawnZones {
  let withdrawn: ReadonlySet<string> = new Set();
  const listeners = new Set<() => void>();
  return {
    has: (zone) => withdrawn.has(zone),
    set(zones) {
      const next = new Set(zones);
      if (next.size === withdrawn.size && zones.every((zone) => withdrawn.has(zone))) return;
      withdrawn = next;
      for (const listener of listeners) listener();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
