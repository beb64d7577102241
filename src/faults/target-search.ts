/** What every search for targets needs: where to look, and how to say that nothing was found. */
import type { ClusterBackend } from "../backends/backend.js";
import { DomainError } from "../domain/errors.js";
import type { ClusterRecord } from "../domain/model.js";
import type { State } from "../state/state.js";

export interface TargetSources {
  state: State;
  backendOf(cluster: ClusterRecord): ClusterBackend | undefined;
}

/** How many names an error lists. */
export const LISTED = 10;

/** Nothing is there that the selector means. */
export class EmptyTargets extends DomainError {
  constructor(message: string) {
    super("InvalidParameterException", message);
  }
}

export function someOf<T>(items: readonly T[], otherwise: string): readonly T[] {
  if (items.length === 0) throw new EmptyTargets(otherwise);
  return items;
}

/** Whether they are all among the labels. */
export const hasLabels = (
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> = {},
): boolean => Object.entries(wanted).every(([key, value]) => labels[key] === value);

export function listed(what: string, names: readonly string[]): string {
  if (names.length === 0) return `There are no ${what.toLowerCase()}.`;
  const more = names.length > LISTED ? `, and ${names.length - LISTED} more` : "";
  return `${what}: ${names.slice(0, LISTED).join(", ")}${more}.`;
}
