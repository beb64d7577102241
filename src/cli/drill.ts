/** `eksim drill`: runs drills in an emulator of their own or in one that is there, and tells what came of them. */
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { performance } from "node:perf_hooks";
import { operationNames } from "../api/model/operation-names.js";
import { parseDuration } from "../clock/duration.js";
import { processEnvironment, UsageError } from "../config.js";
import type { Drill } from "../faults/drills/drill.js";
import { factsOf } from "../faults/drills/foretell.js";
import { findDrill, libraryNames, loadDrill, NoSuchDrill } from "../faults/drills/library.js";
import { judgePredictions } from "../faults/drills/lint/judge.js";
import { lintCluster } from "../faults/drills/lint/lint.js";
import { type LintReport, lintExitCode, lintJson, lintReport, lintText } from "../faults/drills/lint/lint-report.js";
import { liveView } from "../faults/drills/live/live-view.js";
import type { LiveView } from "../faults/drills/live/state.js";
import type { DrillResult } from "../faults/drills/result.js";
import { type RunOptions, runDrill } from "../faults/drills/run-drill.js";
import type { DrillTarget } from "../faults/drills/target.js";
import { targetOf } from "./client.js";
import { onStage, type StageOptions } from "./drill-stage.js";
import { remoteTarget } from "./drill-target.js";
import { renderTable } from "./table.js";

export interface RunDrillOptions extends StageOptions {
  reportDir?: string;
  html?: string;
  junit?: string;
  json?: string;
  quiet?: boolean;
}

const EXIT_CODES = { passed: 0, failed: 1, error: 3 } as const;
const INTERRUPTED = 130;

/** `eksim drill run`. */
export async function run(named: string, options: RunDrillOptions): Promise<void> {
  const drill = loadDrill(named, readersOf(options));
  checkReports(drill.name, options);
  const stop = new AbortController();
  const interrupt = (): void => {
    // Who asks twice does not want to wait for the clean-up.
    if (stop.signal.aborted) process.exit(INTERRUPTED);
    stop.abort(new Error("interrupted"));
  };
  // Nobody reads any more, as after `| head`: that is no reason to leave anything broken.
  const hangUp = (): void => stop.abort(new Error("interrupted"));
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);
  process.stdout.on("error", hangUp);
  const view = viewFor(options);
  try {
    const result = await onStage(drill, options, (target) =>
      runDrill(drill, target, {
        signal: stop.signal,
        show: (state) => view?.update(state),
        predict: async (cluster) => lintCluster(await factsOf(target, cluster, drill.workloads)),
        judge: judgePredictions,
      }),
    );
    view?.end(result);
    if (!view) console.log(oneLine(result));
    await writeReports(result, options);
    process.exitCode = stop.signal.aborted ? INTERRUPTED : EXIT_CODES[result.verdict];
  } catch (error) {
    view?.end();
    throw error;
  } finally {
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
    process.stdout.off("error", hangUp);
  }
}

/** `eksim drill list`. */
export function list(): void {
  const rows = libraryNames().map((name) => [name, firstSentence(loadDrill(name, readersOf({})).description ?? "")]);
  console.log(renderTable(["NAME", "DRILL"], rows));
}

/** `eksim drill show`. */
export function show(named: string): void {
  process.stdout.write(findDrill(named).content);
}

/** `eksim drill compare`: whether two runs of a drill, by their JSON reports, told the same story. */
export async function compare(one: string, other: string, { apart = "30s" }: { apart?: string }): Promise<void> {
  const { compareKeyEvents, comparisonText, isSameOrder, keyEvents } = await import(
    "../faults/drills/report/key-events.js"
  );
  const apartMs = parseDuration(apart);
  if (apartMs === undefined)
    throw new UsageError(`--apart: ${JSON.stringify(apart)} is not valid; give a duration such as 30s or 2m`);
  const reports = [await readReport(one), await readReport(other)] as const;
  const [left, right] = [keyEvents(reports[0]), keyEvents(reports[1])];
  const comparison = compareKeyEvents(left, right, { apartMs });
  const [here, there] = reports.map(({ backend }) => backend) as [string, string];
  const names = here === there ? ([one, other] as const) : ([here, there] as const);
  console.log(comparisonText(left, right, comparison, names));
  process.exitCode = isSameOrder(comparison) ? 0 : 1;
}

async function readReport(file: string): Promise<DrillResult> {
  const { REPORT_SCHEMA_VERSION } = await import("../faults/drills/report/json.js");
  let report: (DrillResult & { schemaVersion?: number }) | null;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (report?.schemaVersion === REPORT_SCHEMA_VERSION) return report;
  throw new UsageError(`${file} is no report of a drill; write one with: eksim drill run <drill> --json <file>`);
}

/** `eksim drill lint`: of a cluster that is there, or of those that a drill makes. */
export async function lint(
  named: string,
  options: Pick<RunDrillOptions, "endpoint" | "region"> & { json?: boolean; all?: boolean },
): Promise<void> {
  const drill = drillNamed(named, options);
  const reports: LintReport[] = [];
  if (drill) {
    const result = await onStage(drill, stageOf(options), (target) =>
      runDrill(onlySetUp(drill), target, lintInto(reports, target, drill)),
    );
    if (result.verdict !== "passed") throw new UsageError(`the drill's clusters could not be made: ${result.why}`);
  } else {
    const target = await remoteTarget(targetOf(options));
    try {
      reports.push(lintReport(await factsOf(target, named)));
    } catch (error) {
      throw new UsageError(
        `${named} is neither a drill nor a cluster that can be looked at: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
  }
  for (const report of reports)
    process.stdout.write(
      options.json ? lintJson(report) : lintText(report, { all: options.all ?? false, color: hasColor() }),
    );
  process.exitCode = Math.max(0, ...reports.map(lintExitCode));
}

/** Undefined: there is neither a file nor a drill of this name. */
function drillNamed(named: string, options: { region?: string }): Drill | undefined {
  try {
    return loadDrill(named, readersOf(options));
  } catch (error) {
    if (error instanceof NoSuchDrill && !/[/.]/.test(named)) return undefined;
    throw error;
  }
}

/** Up to its steady state, and no further. */
const onlySetUp = (drill: Drill): Drill => {
  const { recovery: _none, ...rest } = drill;
  return { ...rest, steps: [], expectations: [] };
};

const lintInto = (reports: LintReport[], target: DrillTarget, drill: Drill): RunOptions => ({
  predict: async (cluster) => {
    const report = lintReport(await factsOf(target, cluster, drill.workloads));
    reports.push(report);
    return report.predictions;
  },
});

const stageOf = ({ endpoint, region }: { endpoint?: string; region?: string }) => ({
  ...(endpoint === undefined ? {} : { endpoint }),
  ...(region === undefined ? {} : { region }),
});

/** What a drill's file is held against. Zones are those of the region that the emulator at --endpoint is asked for. */
function readersOf(options: { region?: string; endpoint?: string }): Parameters<typeof loadDrill>[1] {
  const region = options.region ?? (options.endpoint === undefined ? undefined : targetOf(options).region);
  return { ...(region ? { region } : {}), operationsOf: operationNames };
}

const hasColor = (): boolean => process.stdout.isTTY === true && !processEnvironment().NO_COLOR;

function viewFor({ quiet }: RunDrillOptions): LiveView | undefined {
  if (quiet) return undefined;
  // What a CI system keeps is read as lines, terminal or not.
  const isTerminal = process.stdout.isTTY === true && !processEnvironment().CI;
  return liveView({
    write: (text) => void process.stdout.write(text),
    columns: () => (isTerminal ? process.stdout.columns : undefined),
    rows: () => process.stdout.rows,
    color: hasColor(),
    now: () => performance.now(),
  });
}

const firstSentence = (text: string): string => (text.split(/\n\s*\n/)[0] ?? "").replace(/\s+/g, " ").trim();

const oneLine = ({ name, verdict, why }: DrillResult): string => `${name}: ${verdict}${why ? `: ${why}` : ""}`;

type ReportKind = "html" | "junit" | "json";

/** Where the reports of a drill go that are wanted. */
function reportFiles(name: string, options: RunDrillOptions): { kind: ReportKind; file: string }[] {
  const inDir = (extension: string): string | undefined =>
    options.reportDir === undefined ? undefined : join(options.reportDir, `${name}.${extension}`);
  const files: Record<ReportKind, string | undefined> = {
    html: options.html ?? inDir("html"),
    junit: options.junit ?? inDir("xml"),
    json: options.json ?? inDir("json"),
  };
  return (["html", "junit", "json"] as const).flatMap((kind) => {
    const file = files[kind];
    return file === undefined ? [] : [{ kind, file }];
  });
}

/** Finds out before the drill is run whether its reports could be written; those of before stay as they are. */
function checkReports(name: string, options: RunDrillOptions): void {
  for (const { file } of reportFiles(name, options)) {
    writing(file, () => {
      mkdirSync(dirname(file), { recursive: true });
      closeSync(openSync(file, "a"));
    });
  }
}

function writing(file: string, write: () => void): void {
  try {
    write();
  } catch (error) {
    throw new UsageError(`the report ${file} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

async function writeReports(result: DrillResult, options: RunDrillOptions): Promise<void> {
  const render: Record<ReportKind, () => Promise<string>> = {
    html: async () => (await import("../faults/drills/report/html.js")).htmlReport(result),
    junit: async () => (await import("../faults/drills/report/junit.js")).junitReport(result),
    json: async () => (await import("../faults/drills/report/json.js")).jsonReport(result),
  };
  for (const { kind, file } of reportFiles(result.name, options)) {
    const text = await render[kind]();
    writing(file, () => writeFileSync(file, text));
  }
}
