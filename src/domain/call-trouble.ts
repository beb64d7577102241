/** What befalls one call of an AWS API: how much later it is answered, and whether it is refused. */
import type { Scope } from "./model.js";

export interface CallTrouble {
  latencyMs: number;
  refusal?: "throttled" | "internal-failure" | "unavailable";
}

/** Asked once for each call: every answer draws anew. `operation` is only called when there is something to decide. Undefined: nothing befalls it. */
export type CallTroubles = (
  scope: Scope,
  service: string,
  operation: () => string | undefined,
) => CallTrouble | undefined;
