/**
 * A drill as JUnit XML, the dialect that CI viewers share: one test suite, a test case for each phase that could not be carried out, each probe of the steady
 * state, each step and each expectation. Times are seconds of simulated time.
 */
import type { CheckResult, DrillResult, PhaseResult, StepResult } from "../result.js";
import { failedAlone, storyText } from "./story.js";
import { counted, instantText, spanText, workloadText } from "./wording.js";

interface Case {
  group: string;
  name: string;
  ms: number;
  /** What went wrong; `error`: it could not be carried out at all. */
  fault?: { element: "failure" | "error"; message: string; text: string };
}

export function junitReport(result: DrillResult): string {
  const cases = [
    ...failedAlone(result).map(phaseCase),
    ...result.checks.filter(({ phase }) => phase === "steady-state").map(checkCase),
    ...result.steps.map(stepCase),
    ...result.checks.filter(({ phase }) => phase === "expectations").map(checkCase),
  ];
  // A viewer that sees a failed suite without a failed case takes it for a good one.
  if (result.verdict !== "passed" && !cases.some(({ fault }) => fault)) cases.push(verdictCase(result));
  const seconds = inSeconds(result.endedAtMs - result.startedAtMs);
  const count = (element: string): number => cases.filter(({ fault }) => fault?.element === element).length;
  const totals = `tests="${cases.length}" failures="${count("failure")}" errors="${count("error")}" skipped="0" time="${seconds}"`;
  const started = new Date(result.startedAtMs).toISOString().slice(0, 19);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="eksim drill" ${totals}>`,
    `  <testsuite name=${attribute(result.name)} ${totals} timestamp="${started}" hostname="eksim">`,
    "    <properties>",
    ...propertiesOf(result).map(([name, value]) => `      <property name="${name}" value=${attribute(value)}/>`),
    "    </properties>",
    ...cases.map((entry) => caseText(result, entry)),
    `    <system-out>${text(systemOut(result))}</system-out>`,
    "  </testsuite>",
    "</testsuites>",
    "",
  ].join("\n");
}

function propertiesOf(result: DrillResult): (readonly [string, string])[] {
  return [
    ["verdict", result.verdict],
    ["seed", String(result.seed)],
    ["backend", result.backend],
    ["clusters", result.clusters.join(", ")],
    ["simulated", spanText(result.endedAtMs - result.startedAtMs)],
  ];
}

const inSeconds = (ms: number): string => (ms / 1000).toFixed(3);

const phaseCase = ({ name, startedAtMs, endedAtMs, message }: PhaseResult): Case => ({
  group: "phases",
  name,
  ms: endedAtMs - startedAtMs,
  fault: faultOf(name === "setup" || name === "clean-up" ? "error" : "failure", message ?? `${name} did not succeed`),
});

const stepCase = ({ title, startedAtMs, endedAtMs, ok, message }: StepResult): Case => ({
  group: "steps",
  name: title,
  ms: endedAtMs - startedAtMs,
  ...(ok ? {} : { fault: faultOf("error", message) }),
});

function checkCase({ phase, title, ok, limitMs, tookMs, message }: CheckResult): Case {
  const limit = limitMs === undefined ? "" : `\nIt was given ${spanText(limitMs)}.`;
  return {
    group: phase,
    name: title,
    ms: tookMs ?? limitMs ?? 0,
    ...(ok ? {} : { fault: faultOf("failure", message, limit) }),
  };
}

const verdictCase = ({ verdict, why, startedAtMs, endedAtMs }: DrillResult): Case => ({
  group: "drill",
  name: "verdict",
  ms: endedAtMs - startedAtMs,
  fault: faultOf(verdict === "error" ? "error" : "failure", why ?? `the drill's verdict is ${verdict}`),
});

const faultOf = (element: "failure" | "error", message: string, more = ""): Case["fault"] => ({
  element,
  message,
  text: `${message}${more}`,
});

function caseText({ name }: DrillResult, { group, name: title, ms, fault }: Case): string {
  const open = `    <testcase classname=${attribute(`${name}.${group}`)} name=${attribute(title)} time="${inSeconds(ms)}"`;
  if (!fault) return `${open}/>`;
  const { element, message } = fault;
  return `${open}>\n      <${element} message=${attribute(message)} type=${attribute(group)}>${text(fault.text)}</${element}>\n    </testcase>`;
}

function systemOut(result: DrillResult): string {
  const { name, verdict, why, description, workloads, predictions } = result;
  const judged = predictions.filter(({ held }) => held !== undefined);
  return [
    `${name}: ${verdict}${why ? `: ${why}` : ""}`,
    ...(description ? [description.trim()] : []),
    `started ${instantText(result.startedAtMs)}, seed ${result.seed}, backend ${result.backend}`,
    "",
    "Timeline, from the first fault:",
    storyText(result) || "  nothing happened",
    ...(workloads.length > 0 ? ["", "Workloads:"] : []),
    ...workloads.map((workload) => {
      const { lowestReady, wanted, minimum, minutesBelowMinimum } = workload;
      const below = minutesBelowMinimum > 0 ? `, ${spanText(minutesBelowMinimum * 60_000)} below it` : "";
      return `  ${workloadText(workload, result)}: lowest ${lowestReady} of ${wanted} ready, minimum ${minimum}${below}`;
    }),
    ...(judged.length > 0
      ? ["", `Predictions: ${judged.filter(({ held }) => held).length} of ${counted(judged.length, "prediction")} held`]
      : []),
    ...judged
      .filter(({ held }) => !held)
      .map(
        (wrong) => `  ${workloadText(wrong, result)}, ${wrong.zone}: said ${wrong.says}, but ${wrong.seen ?? "not so"}`,
      ),
  ].join("\n");
}

/** What XML 1.0 cannot carry at all, escaped or not: control characters, halves of surrogate pairs and two code points. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu;

const text = (value: string): string =>
  value.replace(NOT_XML, "\ufffd").replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

/** In quotes; line breaks written out, which a parser would make spaces of. */
const attribute = (value: string): string =>
  `"${text(value).replace(/"/g, "&quot;").replace(/\t/g, "&#9;").replace(/\n/g, "&#10;").replace(/\r/g, "&#13;")}"`;
