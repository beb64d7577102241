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
}

export function createWebhookOutage(): WebhookOutage {
  let present: WebhookTrouble | undefined;
  return {
    set(trouble) {
      present = trouble;
    },
    of: (...names) =>
      present?.names.some((pattern) => names.some((name) => matchesPattern(pattern, name))) ? present.mode : undefined,
  };
}
