import { describe, expect, it } from "vitest";
import { frameOf } from "../../../../src/faults/drills/live/frame.js";
import { liveView } from "../../../../src/faults/drills/live/live-view.js";
import { fitted, painter, plain, widthOf } from "../../../../src/faults/drills/live/paint.js";
import { type LiveState, timeLeft } from "../../../../src/faults/drills/live/state.js";
import { at, EVIL, event, outage } from "../result.js";

const state = (more: Partial<LiveState> = {}): LiveState => ({
  name: "one-zone-power-loss",
  nowMs: at(10),
  startedAtMs: at(0),
  phase: "steps",
  steps: [
    { title: "us-east-1a loses power", state: "done", startedAtMs: at(2), lastsMs: 0 },
    { title: "wait 45m", state: "running", startedAtMs: at(2), lastsMs: 45 * 60_000 },
    { title: "power is back", state: "waiting", lastsMs: 0 },
  ],
  samples: outage().samples.slice(1, 2),
  faults: [{ ...outage().faults[0]!, endedAtMs: undefined }],
  checks: [],
  events: outage().events.slice(0, 5),
  ...more,
});

const noColor = painter(false);
/** Everything that a terminal obeys: escape sequences, and control characters other than the line break. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SEQUENCES = /\u001b\[[0-9;?]*[A-Za-z]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/;

interface Screen {
  written: string;
  columns: number | undefined;
  rows: number;
  nowMs: number;
}

const viewOn = (screen: Screen, color = false): ReturnType<typeof liveView> =>
  liveView({
    write: (text) => {
      screen.written += text;
    },
    columns: () => screen.columns,
    rows: () => screen.rows,
    color,
    now: () => screen.nowMs,
  });

describe("a picture of a running drill", () => {
  it("shows zones with nodes, pods and masters, what is broken, the step, and what is left to do", () => {
    const lines = frameOf(state(), { columns: 79, rows: 23 }, noColor);
    expect(lines.slice(0, 10).join("\n")).toMatchInlineSnapshot(`
      "one-zone-power-loss                                               10m simulated
      ▸ step 2 of 3: wait 45m                                               37m to go

      ZONE        NODES READY                PODS READY                   MASTERS
      us-east-1a  ░░░░░░░░░░░░░░░░ 0/3       ░░░░░░░░░░░░░░░░ 0/12        ◇ 0/1
      us-east-1b  ████████████████ 3/3       ████████████████ 12/12       ◆ 1/1
      us-east-1c  ████████████████ 3/3       ████████████████ 12/12       ◆ 1/1
                  API answers, pods: 4 pending

      ✗ Every machine in us-east-1a loses power  8m"
    `);
    expect(lines.at(-1)).toBe("   +3:00  Instance i-3 is launched.");
  });

  it.each([
    [80, 24],
    [132, 50],
    [40, 10],
    [20, 5],
    [9, 2],
  ])("fits %i columns and %i rows, whatever there is to say", (columns, rows) => {
    const many = state({
      name: EVIL.repeat(5),
      steps: [{ title: "測試".repeat(60), state: "running" }],
      faults: Array.from({ length: 40 }, (_, i) => ({
        ...outage().faults[0]!,
        id: `f-${i}`,
        title: EVIL,
        endedAtMs: undefined,
      })),
      events: Array.from({ length: 200 }, () => event(3, "NodeReady", `${EVIL} 😀`.repeat(9))),
    });
    for (const color of [true, false]) {
      const lines = frameOf(many, { columns, rows }, painter(color));
      expect(lines.length).toBeLessThanOrEqual(Math.max(rows, 8));
      for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
    }
  });

  it("does not let names and messages give orders to the terminal", () => {
    const bad = state({
      name: EVIL,
      events: [event(3, "NodeReady", EVIL)],
      faults: [{ ...outage().faults[0]!, title: EVIL, endedAtMs: undefined }],
    });
    expect(frameOf(bad, { columns: 200, rows: 30 }, noColor).join("\n")).not.toMatch(OBEYED);
    expect(frameOf(bad, { columns: 200, rows: 30 }, painter(true)).join("\n").replace(SEQUENCES, "")).not.toMatch(
      OBEYED,
    );
  });

  it("says how long it takes as far as the steps tell", () => {
    expect(timeLeft(state())).toEqual({ ms: 37 * 60_000, atLeast: false });
    const open = state({ steps: [...state().steps, { title: "wait for it", state: "waiting" }] });
    expect(timeLeft(open)).toEqual({ ms: 37 * 60_000, atLeast: true });
    expect(frameOf(open, { columns: 79, rows: 23 }, noColor)[1]).toContain("more than 37m to go");
  });
});

describe("the live view on a terminal", () => {
  it("is drawn over itself, a few times a second and no more, and leaves the summary alone behind", () => {
    const screen: Screen = { written: "", columns: 80, rows: 24, nowMs: 0 };
    const view = viewOn(screen);
    view.update(state());
    const first = screen.written;
    const height = first.split("\n").length - 1;
    screen.nowMs = 10;
    view.update(state({ nowMs: at(11) }));
    expect(screen.written).toBe(first);
    screen.nowMs = 200;
    view.update(state({ nowMs: at(11) }));
    expect(screen.written.slice(first.length)).toMatch(new RegExp(`^\\u001b\\[${height}A\\r\\u001b\\[J`));
    view.end(outage());
    const end = screen.written.slice(screen.written.lastIndexOf("\u001b[J"));
    expect(end).toContain("PASSED one-zone-power-loss: 1h simulated in 0.8s, seed 42");
    expect(end.endsWith("\u001b[?25h")).toBe(true);
  });

  it("goes back over the lines that a narrower terminal has broken", () => {
    const screen: Screen = { written: "", columns: 80, rows: 24, nowMs: 0 };
    const view = viewOn(screen);
    view.update(state());
    const lines = screen.written.replace(SEQUENCES, "").split("\n").slice(0, -1);
    const broken = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(widthOf(line) / 50)), 0);
    expect(broken).toBeGreaterThan(lines.length);
    screen.columns = 50;
    screen.nowMs = 1000;
    const before = screen.written.length;
    view.update(state());
    expect(screen.written.slice(before)).toMatch(new RegExp(`^\\u001b\\[${broken}A`));
  });

  it("has no colours where none are wanted", () => {
    const colourless: Screen = { written: "", columns: 80, rows: 24, nowMs: 0 };
    const plainView = viewOn(colourless);
    plainView.update(state());
    plainView.end(outage({ verdict: "failed", why: "no" }));
    expect(colourless.written.match(SEQUENCES)?.filter((sequence) => sequence.endsWith("m"))).toEqual([]);
    const coloured: Screen = { written: "", columns: 80, rows: 24, nowMs: 0 };
    viewOn(coloured, true).update(state());
    expect(coloured.written).toContain("\u001b[31m");
  });
});

describe("the live view without a terminal", () => {
  it("writes a line for everything new, and nothing twice", () => {
    const screen: Screen = { written: "", columns: undefined, rows: 0, nowMs: 0 };
    const view = viewOn(screen);
    const { events } = outage();
    view.update(state({ phase: "setup", steps: [], faults: [], events: events.slice(0, 1), nowMs: at(1) }));
    view.update(state());
    view.update(state());
    view.update(
      state({
        faults: outage().faults,
        checks: [{ title: "API answers", phase: "expectations", ok: false, message: "503" }],
        nowMs: at(48),
      }),
    );
    expect(screen.written).toMatchInlineSnapshot(`
      "    +0:30  Instance i-0 is launched.
          +1:00  == setup
          +2:00  == steps
          +2:00  step 1 of 3: us-east-1a loses power
          +2:00  step 2 of 3: wait 45m
          +2:00  fault: Every machine in us-east-1a loses power
          +2:00  Master master-1 in us-east-1a is down.
          +3:00  2 instances launched in us-east-1b
          +3:00  Instance i-3 is launched.
         +47:00  fault ended: Every machine in us-east-1a loses power
         +48:00  NOT MET: API answers (503)
      "
    `);
    expect(screen.written).not.toMatch(OBEYED);
  });

  it("ends with why a drill failed, told once, and with predictions that did not hold", () => {
    const screen: Screen = { written: "", columns: undefined, rows: 0, nowMs: 0 };
    const check = { title: "web is whole", phase: "expectations", ok: false, message: "4 of 6" } as const;
    const said = {
      cluster: "shop",
      zone: "us-east-1a",
      namespace: "default",
      kind: "Deployment",
      name: "web",
      says: "survives",
    } as const;
    viewOn(screen).end(
      outage({
        verdict: "failed",
        why: "web is whole: 4 of 6",
        checks: [check],
        predictions: [{ ...said, message: "4 stay.", held: false, seen: "0 of 6 ready at the lowest" }],
      }),
    );
    expect(screen.written.match(/4 of 6/g)).toHaveLength(1);
    expect(screen.written).toContain(
      "≠ Deployment default/web without us-east-1a: said survives, 0 of 6 ready at the lowest",
    );
  });
});

describe("texts on terminals", () => {
  it("are cut by columns, not by characters", () => {
    expect(fitted("測試測試", 5)).toBe("測試…");
    expect(widthOf("測試…")).toBe(5);
    expect(fitted("short", 5)).toBe("short");
    expect(plain("a\nb\u001b[31mc")).toBe("a b\ufffd[31mc");
  });
});
