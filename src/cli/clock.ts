import { parseDuration } from "../clock/duration.js";
import { UsageError } from "../config.js";
import { call, targetOf } from "./client.js";

interface ClockState {
  kind: string;
  now: string;
}

const print = (clock: ClockState): void => console.log(`${clock.now}  (${clock.kind})`);

/** `eksim clock`. */
export async function showClock(options: { endpoint?: string; region?: string }): Promise<void> {
  print(await call<ClockState>(targetOf(options), "GET", "clock"));
}

/** `eksim clock advance 6m`. */
export async function advanceClock(duration: string, options: { endpoint?: string; region?: string }): Promise<void> {
  const ms = parseDuration(duration);
  if (ms === undefined)
    throw new UsageError(`${JSON.stringify(duration)} is no duration; give one such as 90s, 6m or 1h30m`);
  print(await call<ClockState>(targetOf(options), "POST", "clock/advance", { ms }));
}
