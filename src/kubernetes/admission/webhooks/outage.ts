/** Admission webhooks that nobody reaches at present, whatever is behind them. Their failure policies say what comes of that. */
import { matchesPattern } from "../../kubelet/shell/patterns.js";

export interface WebhookTrouble {
  /** Names of webhooks, or of the configurations that they stand in; `*` stands for anything. */
  names: readonly string[];
  /** Connections are refused, or nobody answers until a webhook's time is over. */
  mode: "refused" | "timeout";
}

export interface WebhookOutage {
  set(trouble: WebhookTrouble | undefined): void;
  /** What is wrong with a webhook that goes by these names; undefined: nothing. */
  of(...names: readonly string[]): WebhookTrouble["mode"] | undefined;
  /** The same of one that the cluster's provider has built in: a bare `*` means those of users alone. */
  ofBuiltIn(...names: readonly string[]): WebhookTrouble["mode"] | undefined;
}

export function createWebhookOutage(): WebhookOutage {
  let present: WebhookTrouble | undefined;
  const find = (names: readonly string[], counts: (pattern: string) => boolean): WebhookTrouble["mode"] | undefined =>
    present?.names.some((pattern) => counts(pattern) && names.some((name) => matchesPattern(pattern, name)))
      ? present.mode
      : undefined;
  return {
    set(trouble) {
      present = trouble;
    },
    of: (...names) => find(names, () => true),
    ofBuiltIn: (...names) => find(names, (pattern) => pattern !== "*"),
  };
}
