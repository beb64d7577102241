/** How reports say times and numbers: one wording for pages, terminals and CI viewers. */
import type { DrillResult } from "../result.js";

const SECOND_MS = 1000;
const UNITS = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
] as const;

/** `44m 30s`, `1h 5m`, `0.4s`: at most the two largest units, for people. */
export function spanText(ms: number): string {
  if (ms < 0) return `−${spanText(-ms)}`;
  if (ms < 10 * SECOND_MS && ms % SECOND_MS !== 0) return `${Math.round(ms / 100) / 10}s`;
  let left = Math.round(ms / SECOND_MS);
  const parts: string[] = [];
  for (const [unit, seconds] of UNITS) {
    const amount = Math.floor(left / seconds);
    left -= amount * seconds;
    if (amount > 0) parts.push(`${amount}${unit}`);
    // Minutes beside days say nothing to anybody.
    if (parts.length === 2 || (parts.length === 1 && amount === 0)) break;
  }
  return parts.join(" ") || "0s";
}

/** `+45:00`, `+1:05:00`, `−0:30`: how far a moment is from the one that all times of a report count from. */
export function offsetText(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / SECOND_MS);
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  const clock = hours > 0 ? `${hours}:${two(minutes)}` : String(minutes);
  return `${ms < 0 && seconds > 0 ? "−" : "+"}${clock}:${two(seconds % 60)}`;
}

/** `2026-11-01 00:01:08 UTC`. */
export const instantText = (atMs: number): string =>
  `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")} UTC`;

/** `1 node`, `3 nodes`, `2 replicas`. */
export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** `a`, `a and b`, `a, b and c`. */
export function listed(items: readonly string[]): string {
  const last = items.at(-1);
  return items.length < 2 ? (last ?? "") : `${items.slice(0, -1).join(", ")} and ${last}`;
}

/** What all times of a report count from: the first fault, as the four moments of each workload do; of a drill without faults, its start. */
export const zeroOf = ({ faults, startedAtMs }: Pick<DrillResult, "faults" | "startedAtMs">): number =>
  faults.length === 0 ? startedAtMs : Math.min(...faults.map((fault) => fault.startedAtMs));

/** `Deployment default/web`; with several clusters, `Deployment default/web of shop`. */
export function workloadText(
  { cluster, kind, namespace, name }: { cluster?: string; kind: string; namespace: string; name: string },
  { clusters }: Pick<DrillResult, "clusters">,
): string {
  return `${kind} ${namespace}/${name}${cluster && clusters.length > 1 ? ` of ${cluster}` : ""}`;
}
