import type { Clock, Timer } from "../../clock/clock.js";
import type { Pressure } from "../trouble.js";
import type { PodWorkers } from "./pod-workers.js";
import { EVICTION_LOOK_MS, PRESSURE_TRANSITION_MS, PRESSURES, RECLAIMED } from "./pressure.js";

/**
 * A kubelet's eviction manager: looks every ten seconds at what the node is short of, reports it, and evicts pods one by one as long as it is so. What is
 * no longer felt is reported for five more minutes. Costs nothing while nothing is felt.
 */
export interface PressureWatch {
  /** What the machine is short of from now on; noticed with the next look. */
  feel(pressures: readonly Pressure[]): void;
  /** It has said this of the node so far, before this process was started again: it holds as if it were felt now. */
  goOn(pressures: readonly Pressure[]): void;
  /** What the kubelet says that the node is short of. */
  reported(): readonly Pressure[];
  stop(): void;
}

export interface PressureWatchOptions {
  clock: Clock;
  pods: Pick<PodWorkers, "evictOne" | "collectImages">;
  /** A kubelet that cannot talk waits with what it would have to tell. */
  isUp: () => boolean;
  warn: (reason: string, message: string) => void;
  /** The kubelet says something else of one of them now. What is not heard, whoever reports says again. */
  onChange: (pressure: Pressure, isFelt: boolean) => Promise<void>;
}

export function createPressureWatch({ clock, pods, isUp, warn, onChange }: PressureWatchOptions): PressureWatch {
  let felt: readonly Pressure[] = [];
  const lastFeltMs = new Map<Pressure, number>();
  let timer: Timer | undefined;
  /** Looks lie on a grid from when the kubelet was started. */
  const sinceMs = clock.now();

  const arm = (): void => {
    if (timer || (felt.length === 0 && lastFeltMs.size === 0)) return;
    timer = clock.timer(EVICTION_LOOK_MS - ((clock.now() - sinceMs) % EVICTION_LOOK_MS), () => {
      timer = undefined;
      void clock.track(look().finally(arm));
    });
  };

  const look = async (): Promise<void> => {
    if (!isUp()) return;
    const nowMs = clock.now();
    const news = felt.filter((pressure) => !lastFeltMs.has(pressure));
    for (const pressure of felt) lastFeltMs.set(pressure, nowMs);
    const over = [...lastFeltMs].flatMap(([pressure, ms]) => (nowMs - ms >= PRESSURE_TRANSITION_MS ? pressure : []));
    for (const pressure of over) lastFeltMs.delete(pressure);
    for (const pressure of news) await onChange(pressure, true);
    for (const pressure of over) await onChange(pressure, false);
    // The most urgent alone is acted upon.
    const [first] = felt;
    if (first === undefined) return;
    warn("EvictionThresholdMet", `Attempting to reclaim ${RECLAIMED[first]}`);
    if (first === "DiskPressure") pods.collectImages();
    pods.evictOne(first);
  };

  return {
    feel(pressures) {
      felt = PRESSURES.filter((pressure) => pressures.includes(pressure));
      arm();
    },
    goOn(pressures) {
      for (const pressure of pressures) if (!lastFeltMs.has(pressure)) lastFeltMs.set(pressure, clock.now());
      arm();
    },
    reported: () => PRESSURES.filter((pressure) => lastFeltMs.has(pressure)),
    stop() {
      felt = [];
      lastFeltMs.clear();
      timer?.cancel();
      timer = undefined;
    },
  };
}
