/** Simulated time over restarts. */
import type { Clock } from "../clock/clock.js";
import type { ClockOptions, ClockSpec } from "../clock/create-clock.js";
import type { Config } from "../config.js";
import type { State } from "../state/state.js";

/** The data directory that is none. */
export const IN_MEMORY = ":memory:";

/** Where simulated time is kept over a restart: it never runs backwards. */
const SAVED_TIME = "clock.now";

/** How much simulated time passes between two savings of it, in milliseconds: about five real seconds, or the middle of a long move of a stepped clock. */
const saveEveryMs = (spec: ClockSpec): number => (spec.kind === "scaled" ? 5000 * spec.factor : 3_600_000);

const saveTime = (state: State, nowMs: number): void => state.settings.put(SAVED_TIME, String(Math.ceil(nowMs)));

/** Keeps simulated time in the state file, so that a restarted emulator goes on where this one ended. Gives what saves it a last time. */
export function keepTime(clock: Clock, state: State, config: Config): () => void {
  if (config.clock.kind === "real" || config.dataDir === IN_MEMORY) return () => {};
  const everyMs = saveEveryMs(config.clock);
  const save = (): void => saveTime(state, clock.now());
  const tick = (): void => {
    save();
    clock.timer(everyMs, tick);
  };
  clock.timer(everyMs, tick);
  return save;
}

/** A stepped clock goes on exactly where it stood; a scaled one not before. */
export function clockOptions(config: Config, state: State): ClockOptions {
  const saved = state.settings.get(SAVED_TIME);
  const startMs = config.clock.kind === "stepped" && saved !== undefined ? Number(saved) : config.clockStartMs;
  return {
    seed: config.seed,
    ...(startMs === undefined ? {} : { startMs }),
    ...(saved === undefined ? {} : { notBeforeMs: Number(saved) }),
    moved: (nowMs) => saveTime(state, nowMs),
  };
}
