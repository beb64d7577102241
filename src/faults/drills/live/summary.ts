/** What came of a drill, for the terminal: the verdict and why, what was not met, how the workloads fared. */
import { watchedUntil } from "../report/series.js";
import { failedAlone } from "../report/story.js";
import { counted, spanText, workloadText } from "../report/wording.js";
import { fateOf } from "../report/workloads.js";
import type { DrillResult } from "../result.js";
import { column, type Paint, plain, widthOf } from "./paint.js";

const INKS = { passed: "green", failed: "red", error: "yellow" } as const;

export function summaryLines(result: DrillResult, paint: Paint): string[] {
  const { verdict, why, name, checks, steps, workloads, predictions } = result;
  const simulated = spanText(result.endedAtMs - result.startedAtMs);
  const met = checks.filter(({ ok }) => ok).length;
  const lines = [
    `${paint(INKS[verdict], verdict.toUpperCase())} ${paint("bold", plain(name))}: ${simulated} simulated in ${spanText(result.wallMs)}, seed ${result.seed}`,
  ];
  const failed = [
    ...failedAlone(result).map(({ name: phase, message = "it did not succeed" }) => [phase, message]),
    ...steps.filter(({ ok }) => !ok).map(({ title, message }) => [`step ${title}`, message]),
    ...checks.filter(({ ok }) => !ok).map(({ title, message }) => [title, message]),
  ].map(([what = "", message = ""]) => plain(`${what}: ${message}`));
  // Mostly it is one of those that follow.
  if (why !== undefined && !failed.some((text) => text.includes(plain(why)))) lines.push(`  ${plain(why)}`);
  if (checks.length > 0) lines.push(`  ${met} of ${counted(checks.length, "check")} met`);
  lines.push(...failed.map((text) => `  ${paint("red", "✗")} ${text}`));
  if (workloads.length > 0) lines.push("", ...workloadLines(result, paint));
  const judged = predictions.filter(({ held }) => held !== undefined);
  if (judged.length > 0) {
    const held = judged.filter((prediction) => prediction.held).length;
    lines.push("", `${held} of ${counted(judged.length, "prediction")} held`);
    for (const wrong of judged.filter((prediction) => !prediction.held)) {
      const said = `${plain(workloadText(wrong, result))} without ${wrong.zone}: said ${wrong.says}`;
      lines.push(`  ${paint("yellow", "≠")} ${said}, ${plain(wrong.seen ?? "but it came otherwise")}`);
    }
  }
  return lines;
}

function workloadLines(result: DrillResult, paint: Paint): string[] {
  const untilMs = watchedUntil(result);
  const rows = result.workloads.map((workload) => {
    const { lowestReady, wanted, minimum, minutesBelowMinimum, recoveredMs } = workload;
    const fate = fateOf(workload);
    return {
      bad: fate.bad,
      cells: [
        plain(workloadText(workload, result)),
        fate.text,
        `lowest ${lowestReady}/${wanted}, needs ${minimum}`,
        minutesBelowMinimum > 0
          ? `${spanText(Math.min(minutesBelowMinimum * 60_000, untilMs - result.startedAtMs))} below`
          : "",
        recoveredMs === undefined ? "" : `whole again after ${spanText(recoveredMs)}`,
      ],
    };
  });
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(...rows.map(({ cells }) => widthOf(cells[i] ?? ""))));
  return rows.map(({ cells, bad }) => {
    const [name = "", fate = "", ...rest] = cells.map((cell, i) => column(cell, widths[i] ?? 0));
    return `  ${name}  ${paint(bad ? "red" : "green", fate)}  ${rest.join("  ")}`.trimEnd();
  });
}
