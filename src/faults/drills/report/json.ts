/**
 * A drill's result for programs. Members come in the same order each time and what the machine took is left out, so that the same drill with the same seed
 * gives the same bytes.
 */
import type { DrillResult } from "../result.js";

/** Raised when a member changes its meaning or goes; new members do not raise it. */
export const REPORT_SCHEMA_VERSION = 1;

/** What a report carries, in this order: people who open the file see the verdict first and ten thousand events last. The compiler sees to it that none is forgotten. */
const MEMBERS = {
  name: true,
  description: true,
  verdict: true,
  why: true,
  seed: true,
  backend: true,
  clusters: true,
  startedAtMs: true,
  endedAtMs: true,
  phases: true,
  steps: true,
  checks: true,
  faults: true,
  workloads: true,
  predictions: true,
  samples: true,
  events: true,
} as const satisfies Record<Exclude<keyof DrillResult, "wallMs">, true>;

export type DrillReport = Omit<DrillResult, "wallMs"> & { schemaVersion: number };

/** Every member but the machine's own time, as text with a line break at the end. */
export function jsonReport(result: DrillResult): string {
  const report: Record<string, unknown> = { schemaVersion: REPORT_SCHEMA_VERSION };
  for (const member of Object.keys(MEMBERS) as (keyof typeof MEMBERS)[]) {
    const value = result[member];
    if (value !== undefined) report[member] = inOrder(value);
  }
  return `${JSON.stringify(report, null, 2)}\n`;
}

/** The value with the members of every object in alphabetical order: whoever built it may have come by them in any. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, inOrder(member)]),
  );
}
