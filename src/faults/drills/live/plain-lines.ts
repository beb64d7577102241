/** A running drill as lines, one a happening, for logs and pipes: nothing is taken back, and every line says when it was, counted from
 * the drill's start: the first fault is not known before it comes. */
import { marksOf, markText } from "../report/marks.js";
import { offsetText } from "../report/wording.js";
import { plain } from "./paint.js";
import type { LiveState } from "./state.js";

/** Events of one kind and zone within this time are one line. */
const TOGETHER_MS = 1000;

/** Gives the lines for what is new since the last call. */
export function createTeller(): (state: LiveState) => string[] {
  let phase: string | undefined;
  let events = 0;
  let checks = 0;
  const steps = new Map<number, string>();
  const faults = new Map<string, "begun" | "ended">();
  return (state) => {
    const said: { atMs: number; text: string }[] = [];
    if (state.phase !== undefined && state.phase !== phase) {
      phase = state.phase;
      // It began with the first step of which nothing has been said yet.
      const begun = state.steps.flatMap(({ startedAtMs }, index) => (steps.has(index) ? [] : (startedAtMs ?? [])));
      said.push({ atMs: Math.min(state.nowMs, ...begun), text: `== ${phase}` });
    }
    state.steps.forEach(({ title, state: now, startedAtMs = state.nowMs }, index) => {
      const before = steps.get(index);
      if (now === "waiting" || before === now) return;
      steps.set(index, now);
      if (before === undefined)
        said.push({ atMs: startedAtMs, text: `step ${index + 1} of ${state.steps.length}: ${title}` });
      if (now === "failed") said.push({ atMs: state.nowMs, text: `step ${index + 1} failed: ${title}` });
    });
    for (const { id, title, startedAtMs, endedAtMs } of state.faults) {
      if (startedAtMs <= state.nowMs && !faults.has(id)) {
        faults.set(id, "begun");
        said.push({ atMs: startedAtMs, text: `fault: ${title}` });
      }
      if (endedAtMs !== undefined && faults.get(id) === "begun") {
        faults.set(id, "ended");
        if (endedAtMs > startedAtMs) said.push({ atMs: endedAtMs, text: `fault ended: ${title}` });
      }
    }
    for (const mark of marksOf(state.events.slice(events), TOGETHER_MS)) {
      const [only] = mark.events;
      const text =
        mark.events.length === 1 && only ? only.message : `${markText(mark)}${mark.zone ? ` in ${mark.zone}` : ""}`;
      said.push({ atMs: mark.atMs, text });
    }
    events = state.events.length;
    for (const { title, ok, message } of state.checks.slice(checks))
      said.push({ atMs: state.nowMs, text: `${ok ? "met" : "NOT MET"}: ${title}${message ? ` (${message})` : ""}` });
    checks = state.checks.length;
    return said
      .sort((a, b) => a.atMs - b.atMs)
      .map(({ atMs, text }) => `${offsetText(atMs - state.startedAtMs).padStart(9)}  ${plain(text)}`);
  };
}
