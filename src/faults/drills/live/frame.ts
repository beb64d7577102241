/** One picture of a running drill, as lines that fit a terminal: zones with their nodes, pods and masters, what is broken, what is done, what happened. */

import { offsetText, spanText } from "../report/wording.js";
import type { Sample } from "../result.js";
import { column, fitted, fittedLine, type Paint, plain, widthOf } from "./paint.js";
import { type LiveState, timeLeft } from "./state.js";

export interface FrameSize {
  columns: number;
  rows: number;
}

/** Narrower or lower than this nothing can be read; what does not fit is cut. */
const LEAST: FrameSize = { columns: 40, rows: 8 };
/** Lines that faults may take, and that events get at least. */
const MOST_FAULTS = 5;
const LEAST_EVENTS = 3;
/** Calls of the API are many, and those of the drill itself are told by its steps. */
const UNTOLD_SOURCES = ["api"];

/** At most `rows` lines of at most `columns` columns each. */
export function frameOf(state: LiveState, size: FrameSize, paint: Paint): string[] {
  const columns = Math.max(LEAST.columns, size.columns);
  const rows = Math.max(LEAST.rows, size.rows);
  const head = [...headLines(state, columns, paint), ""];
  const zones = zoneLines(state, columns, paint);
  const faults = faultLines(state, columns, paint);
  const room = rows - head.length - zones.length - faults.length - 2;
  const events = eventLines(state, columns, Math.max(LEAST_EVENTS, room), paint);
  const lines = [...head, ...zones, "", ...faults, ...events];
  return lines.slice(0, rows).map((line) => fittedLine(line, size.columns));
}

function headLines(state: LiveState, columns: number, paint: Paint): string[] {
  const { name, nowMs, startedAtMs, phase = "setup", steps } = state;
  const elapsed = `${spanText(nowMs - startedAtMs)} simulated`;
  const title = fitted(plain(name), columns - elapsed.length - 2);
  const first = `${paint("bold", title)}${" ".repeat(Math.max(1, columns - widthOf(title) - elapsed.length))}${paint("dim", elapsed)}`;
  const index = steps.findIndex((step) => step.state === "running");
  const running = steps[index];
  if (phase !== "steps" || !running) {
    const met = state.checks.filter(({ ok }) => ok).length;
    const checks = state.checks.length > 0 ? `  ${met} of ${state.checks.length} checks met` : "";
    return [first, `${paint("cyan", "▸")} ${fitted(`${phase}${checks}`, columns - 2)}`];
  }
  const { ms, atLeast } = timeLeft(state);
  const left = ms > 0 ? `${atLeast ? "more than " : ""}${spanText(ms)} to go` : "";
  const count = `step ${index + 1} of ${steps.length}`;
  const what = fitted(`${count}: ${plain(running.title)}`, columns - 2 - (left === "" ? 0 : left.length + 2));
  const gap = " ".repeat(Math.max(1, columns - 2 - widthOf(what) - left.length));
  return [first, `${paint("cyan", "▸")} ${what}${left && `${gap}${paint("dim", left)}`}`];
}

/** Columns of the table; bars share what the numbers leave. */
function zoneLines({ samples }: LiveState, columns: number, paint: Paint): string[] {
  if (samples.length === 0) return [paint("dim", "no cluster has been seen yet")];
  const many = samples.length > 1;
  const named = samples.flatMap(({ cluster, zones }) =>
    Object.keys(zones).map((zone) => (many ? `${cluster} ${zone}` : zone)),
  );
  const nameWidth = Math.min(Math.max(6, ...named.map((name) => name.length)), Math.floor(columns / 3)) + 2;
  const barWidth = Math.min(16, Math.max(3, Math.floor((columns - nameWidth - 32) / 2)));
  const cells = samples.flatMap(({ zones }) => Object.values(zones));
  const most = { nodes: Math.max(1, ...cells.map((z) => z.nodes)), pods: Math.max(1, ...cells.map((z) => z.pods)) };
  const header = `${column("ZONE", nameWidth)}${column("NODES READY", barWidth + 11)}${column("PODS READY", barWidth + 13)}MASTERS`;
  const lines = [paint("dim", fitted(header, columns))];
  for (const { cluster, zones, pendingPods, apiAvailable } of samples) {
    for (const [zone, z] of Object.entries(zones).sort(([a], [b]) => (a < b ? -1 : 1))) {
      const name = column(plain(many ? `${cluster} ${zone}` : zone), nameWidth);
      const nodes = `${bar(z.readyNodes, z.nodes, most.nodes, barWidth, "blue", paint)} ${column(`${z.readyNodes}/${z.nodes}`, 10)}`;
      const pods = `${bar(z.readyPods, z.pods, most.pods, barWidth, "cyan", paint)} ${column(`${z.readyPods}/${z.pods}`, 12)}`;
      const isBad = z.readyNodes < z.nodes || z.membersUp < z.members || (z.nodes === 0 && most.nodes > 1);
      lines.push(`${isBad ? paint("red", name) : name}${nodes}${pods}${masters(z, paint)}`);
    }
    const api = apiAvailable ? paint("green", "API answers") : paint("red", "API DOES NOT ANSWER");
    const pending = pendingPods > 0 ? paint("yellow", `${pendingPods} pending`) : paint("dim", "none pending");
    lines.push(`${" ".repeat(nameWidth)}${many ? `${fitted(plain(cluster), 20)}: ` : ""}${api}, pods: ${pending}`);
  }
  return lines;
}

/** Full where ready, shaded where not: it can be read without colours. */
function bar(ready: number, all: number, most: number, width: number, ink: "blue" | "cyan", paint: Paint): string {
  const cells = (count: number): number => (count <= 0 ? 0 : Math.max(1, Math.round((count / most) * width)));
  const full = Math.min(width, cells(ready));
  const shaded = Math.max(all > ready ? 1 : 0, cells(all) - full);
  const shown = Math.min(shaded, width - full);
  return `${paint(ink, "█".repeat(full))}${paint("red", "░".repeat(shown))}${" ".repeat(width - full - shown)}`;
}

function masters({ members, membersUp }: Sample["zones"][string], paint: Paint): string {
  const down = Math.max(0, members - membersUp);
  const up = paint("magenta", "◆".repeat(membersUp));
  return members === 0 ? paint("dim", "none") : `${up}${paint("red", "◇".repeat(down))} ${membersUp}/${members}`;
}

function faultLines({ faults, nowMs }: LiveState, columns: number, paint: Paint): string[] {
  const active = faults.filter(({ endedAtMs, startedAtMs }) => endedAtMs === undefined && startedAtMs <= nowMs);
  if (active.length === 0) return [];
  const shown = active.slice(0, active.length > MOST_FAULTS ? MOST_FAULTS - 1 : MOST_FAULTS);
  const lines = shown.map(({ title, startedAtMs }) => {
    const since = spanText(nowMs - startedAtMs);
    return `${paint("red", "✗")} ${fitted(plain(title), columns - since.length - 4)}  ${paint("dim", since)}`;
  });
  if (shown.length < active.length) lines.push(paint("dim", `  and ${active.length - shown.length} more faults`));
  return [...lines, ""];
}

function eventLines(state: LiveState, columns: number, most: number, paint: Paint): string[] {
  const last: string[] = [];
  for (let i = state.events.length - 1; i >= 0 && last.length < most; i--) {
    const event = state.events[i];
    if (!event || UNTOLD_SOURCES.includes(event.source)) continue;
    const at = offsetText(event.atMs - state.startedAtMs).padStart(8);
    last.unshift(`${paint("dim", at)}  ${fitted(plain(event.message), columns - 10)}`);
  }
  return last;
}
