/** What lint says, for people and for programs, and what a shell is told. */
import { painter, plain } from "../live/paint.js";
import { counted } from "../report/wording.js";
import type { Prediction } from "../result.js";
import { type LintFacts, zonesOf } from "./facts.js";
import { lintCluster } from "./lint.js";
import { lintWarnings, type Warning } from "./warnings.js";

export interface LintReport {
  cluster: string;
  zones: readonly string[];
  predictions: readonly Prediction[];
  warnings: readonly Warning[];
}

/** Raised when a member changes its meaning or goes; new members do not raise it. */
const LINT_SCHEMA_VERSION = 1;

export const lintReport = (facts: LintFacts): LintReport => ({
  cluster: facts.cluster,
  zones: zonesOf(facts),
  predictions: lintCluster(facts),
  warnings: lintWarnings(facts),
});

/** 0: every workload survives the loss of any one zone; 1: some would not. Warnings alone do not count. */
export const lintExitCode = ({ predictions }: Pick<LintReport, "predictions">): 0 | 1 =>
  predictions.every(({ says }) => says === "survives") ? 0 : 1;

export const lintJson = ({ cluster, zones, predictions, warnings }: LintReport): string =>
  `${JSON.stringify({ schemaVersion: LINT_SCHEMA_VERSION, cluster, zones, predictions, warnings }, null, 2)}\n`;

const SAYS: Readonly<Record<Prediction["says"], string>> = {
  survives: "survives",
  "below-minimum": "falls below its minimum",
  "loses-every-replica": "loses every replica",
  "loses-its-volume": "loses its volume",
};

/** By zone what would be lost there and why; survivors are counted, those that lose some of their volumes told, and with `all` every one of them. */
export function lintText(
  report: LintReport,
  { all = false, color = false }: { all?: boolean; color?: boolean } = {},
): string {
  const paint = painter(color);
  const lines: string[] = [];
  for (const zone of report.zones) {
    const mine = report.predictions.filter((prediction) => prediction.zone === zone);
    const lost = mine.filter(({ says }) => says !== "survives");
    const told = mine.filter(({ says, volumes }) => says !== "survives" || volumes !== undefined);
    const others = mine.length - lost.length;
    lines.push(
      `${paint("bold", `without ${zone}`)}: ${counted(others, "workload")} of ${mine.length} ${others === 1 ? "survives" : "survive"}`,
    );
    for (const { says, kind, namespace, name, message, help = [] } of all ? mine : told) {
      const ink = says === "survives" ? "green" : says === "below-minimum" ? "yellow" : "red";
      const sign = says === "survives" ? "✓" : "✗";
      lines.push(`  ${paint(ink, `${sign} ${plain(`${kind} ${namespace}/${name}`)} ${SAYS[says]}`)}`);
      lines.push(`      ${plain(message)}`, ...help.map((advice) => `      → ${plain(advice)}`));
    }
    lines.push("");
  }
  if (report.zones.length === 0) lines.push("the cluster has no nodes: there is nothing to lose", "");
  if (report.warnings.length > 0) lines.push(paint("bold", "apart from zones"));
  for (const { subject, message, help } of report.warnings)
    lines.push(`  ${paint("yellow", "!")} ${plain(subject)}`, `      ${plain(message)}`, `      → ${plain(help)}`);
  return `${lines.join("\n").trimEnd()}\n`;
}
