/**
 * How a drill looks while it runs: on a terminal a picture that is redrawn in its place, elsewhere lines. Nothing here asks the machine anything: size,
 * colours and time are given.
 */
import { frameOf } from "./frame.js";
import { painter, widthOf } from "./paint.js";
import { createTeller } from "./plain-lines.js";
import type { LiveView } from "./state.js";
import { summaryLines } from "./summary.js";

export interface LiveOptions {
  write: (text: string) => void;
  /** Of the terminal, asked before each drawing, so that it may be resized; undefined: there is no terminal, and lines are written. */
  columns: () => number | undefined;
  /** Of the terminal; 24 when nobody knows. */
  rows?: () => number | undefined;
  /** False where NO_COLOR asks for it. */
  color: boolean;
  /** The machine's time in milliseconds: a picture is drawn a few times a second, however fast the drill runs. */
  now: () => number;
}

/** Time between two pictures, in milliseconds of the machine. */
const REDRAW_MS = 80;
const HIDE_CURSOR = "\u001b[?25l";
const SHOW_CURSOR = "\u001b[?25h";
const ERASE_BELOW = "\u001b[J";

export function liveView(options: LiveOptions): LiveView {
  return options.columns() === undefined ? lineView(options) : pictureView(options);
}

function lineView({ write, color }: LiveOptions): LiveView {
  const tell = createTeller();
  return {
    update: (state) => {
      for (const line of tell(state)) write(`${line}\n`);
    },
    end: (result) => {
      if (result) write(`\n${summaryLines(result, painter(color)).join("\n")}\n`);
    },
  };
}

function pictureView({ write, columns, rows = () => undefined, color, now }: LiveOptions): LiveView {
  const paint = painter(color);
  let shown: string[] = [];
  let lastMs = Number.NEGATIVE_INFINITY;
  const width = (): number => columns() ?? 80;
  /** To the first line of the last picture: a terminal that has become narrower has broken its lines since. */
  const back = (): string => {
    const taken = shown.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / Math.max(1, width()))), 0);
    return taken === 0 ? HIDE_CURSOR : `\u001b[${taken}A\r${ERASE_BELOW}`;
  };
  return {
    update: (state) => {
      const nowMs = now();
      if (nowMs - lastMs < REDRAW_MS) return;
      lastMs = nowMs;
      // The last line and the last column stay free: writing there makes some terminals scroll or wrap.
      const lines = frameOf(state, { columns: width() - 1, rows: (rows() ?? 24) - 1 }, paint);
      write(`${back()}${lines.join("\n")}\n`);
      shown = lines;
    },
    end: (result) => {
      const summary = result ? `${summaryLines(result, paint).join("\n")}\n` : "";
      write(`${back()}${summary}${SHOW_CURSOR}`);
      shown = [];
    },
  };
}
