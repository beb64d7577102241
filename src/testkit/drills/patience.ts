/** Answers that take simulated time, on a clock that stands still: once nothing else is left to do, the clock is moved for them. */

import type { Clock } from "../../clock/clock.js";

/**
 * A command in a pod that has not ended after so many milliseconds of the machine's time sleeps. Nothing else tells it from one that is merely on its way, and
 * time that is moved too early would make two runs differ.
 */
const COMMAND_SLEEPS_AFTER_MS = 2000;

/** Whether a command in a pod, which resolves when it has ended, waits for time to pass. `machine` = the clock of this machine. */
export async function sleeps(command: Promise<unknown>, machine: Clock): Promise<boolean> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  command.then(end, end);
  return machine.sleep(COMMAND_SLEEPS_AFTER_MS, ended.signal).then(
    () => true,
    () => false,
  );
}

export interface StandingClock {
  now(): number;
  /** Resolves when nothing is left to do at the present time. */
  rest(): Promise<void>;
  advance(ms: number): Promise<void>;
  /** How often it comes to rest without an answer, until the answer is taken to wait for time to pass: at first, and after each step. */
  rounds: { first: number; next: number };
  /** How far time moves at once when it has been waited for so long, in milliseconds. */
  stepMs(waitedMs: number): number;
}

/** Resolves when the answer is there. After `limitMs` of simulated time `giveUp` is called, which has to end the waiting. */
export async function moveUntilAnswered(
  answer: Promise<unknown>,
  clock: StandingClock,
  { limitMs, giveUp }: { limitMs: number; giveUp: () => void },
): Promise<void> {
  let isOver = false;
  const over = (): void => {
    isOver = true;
  };
  answer.then(over, over);
  const beganMs = clock.now();
  for (let rounds = clock.rounds.first; !isOver; rounds = clock.rounds.next) {
    for (; rounds > 0 && !isOver; rounds--) await clock.rest();
    if (isOver) return;
    const waitedMs = clock.now() - beganMs;
    if (waitedMs >= limitMs) giveUp();
    else await clock.advance(Math.min(clock.stepMs(waitedMs), limitMs - waitedMs));
  }
}
