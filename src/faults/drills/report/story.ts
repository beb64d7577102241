/** The timeline in words: what a reader without the picture gets, be it on a page, in a CI log or through a screen reader. */
import type { DrillResult, PhaseResult, StepResult, WorkloadResult } from "../result.js";
import { type Mark, type MarkKind, marksOf, markText } from "./marks.js";
import { breachesOf, seriesOf, spansWhere, watchedUntil } from "./series.js";
import { counted, listed, offsetText, spanText, workloadText, zeroOf } from "./wording.js";

export interface StoryLine {
  atMs: number;
  kind: "fault" | "step" | "repair" | "workload" | "api" | "check";
  /** Something that should not have been. */
  bad: boolean;
  text: string;
}

/** Of one kind within this time, in whatever zones, are one line. */
const TOGETHER_MS = 30_000;
/** Marks that repeat what other lines say: instances in service follow launches at once unless AWS's own times are simulated. */
const UNTOLD: readonly MarkKind[] = ["in-service"];

/** Everything worth telling from the first fault on, or all of it when there was none; oldest first. */
export function storyOf(result: DrillResult): StoryLine[] {
  const lines: StoryLine[] = [
    ...result.faults.flatMap((fault): StoryLine[] => {
      const where = fault.zone && !fault.title.includes(fault.zone) ? ` (${fault.zone})` : "";
      const begun: StoryLine = {
        atMs: fault.startedAtMs,
        kind: "fault",
        bad: true,
        text: `${sentence(fault.title)}${where}`,
      };
      const { endedAtMs } = fault;
      if (endedAtMs === undefined || endedAtMs === fault.startedAtMs) return [begun];
      const lasted = spanText(endedAtMs - fault.startedAtMs);
      const text = `${fault.name}${fault.zone ? ` in ${fault.zone}` : ""} has ended after ${lasted}`;
      return [begun, { atMs: endedAtMs, kind: "fault", bad: false, text }];
    }),
    ...result.steps.filter(isTold(result)).map(
      ({ startedAtMs, title, ok, message }): StoryLine => ({
        atMs: startedAtMs,
        kind: "step",
        bad: !ok,
        text: ok ? `step: ${title}` : `step failed: ${title}: ${message}`,
      }),
    ),
    ...repairLines(result),
    ...result.workloads.flatMap((workload) => breachLines(workload, result)),
    ...apiLines(result),
    // That the steady state was reached goes without saying: the steps would not have begun.
    ...result.checks
      .filter(({ phase, ok }) => phase === "expectations" || !ok)
      .map(
        ({ phase, title, ok, message, tookMs, limitMs }): StoryLine => ({
          atMs: checkedAt(result, phase, ok ? tookMs : limitMs),
          kind: "check",
          bad: !ok,
          text: `${ok ? "met" : "not met"}: ${title}${message ? ` (${message})` : ""}`,
        }),
      ),
  ];
  const fromMs = result.faults.length === 0 ? result.startedAtMs : zeroOf(result);
  const untilMs = watchedUntil(result);
  return lines
    .filter(({ atMs, kind, bad }) => (atMs >= fromMs || bad) && (atMs < untilMs || kind !== "repair"))
    .sort((a, b) => a.atMs - b.atMs);
}

/** Phases that failed for a reason of their own: what a check or a step of theirs did not do is told by that. */
export const failedAlone = ({ phases, checks, steps }: DrillResult): PhaseResult[] =>
  phases.filter(
    ({ name, ok }) =>
      !ok &&
      !checks.some((check) => check.phase === name && !check.ok) &&
      !(name === "steps" && steps.some((step) => !step.ok)),
  );

/** One line each, with how far it is from the first fault. */
export const storyText = (result: DrillResult): string =>
  storyOf(result)
    .map(({ atMs, bad, text }) => `${offsetText(atMs - zeroOf(result)).padStart(9)}  ${bad ? "!" : " "} ${text}`)
    .join("\n");

/** Lines end without a full stop, wherever their words are from. */
const sentence = (text: string): string => text.replace(/\.$/, "");

/** A step that started or ended a fault is told by that fault. */
const isTold =
  ({ faults }: DrillResult) =>
  ({ ok, faultId, startedAtMs, endedAtMs }: StepResult): boolean => {
    const fault = ok ? faults.find(({ id }) => id === faultId) : undefined;
    return ![fault?.startedAtMs, fault?.endedAtMs].some(
      (atMs) => atMs !== undefined && atMs >= startedAtMs && atMs <= endedAtMs,
    );
  };

function checkedAt({ phases, endedAtMs }: DrillResult, phase: string, tookMs = 0): number {
  const found = phases.find(({ name }) => name === phase);
  return found ? Math.min(found.startedAtMs + tookMs, found.endedAtMs) : endedAtMs;
}

function repairLines({ events, clusters }: DrillResult): StoryLine[] {
  return [undefined, ...clusters].flatMap((cluster) => {
    const ofCluster = events.filter(({ clusterName }) => clusterName === cluster);
    const groups: { atMs: number; kind: MarkKind; marks: Mark[] }[] = [];
    for (const mark of marksOf(ofCluster, TOGETHER_MS)) {
      if (UNTOLD.includes(mark.kind)) continue;
      const open = groups.findLast(({ kind }) => kind === mark.kind);
      if (open && mark.atMs - open.atMs <= TOGETHER_MS) open.marks.push(mark);
      else groups.push({ atMs: mark.atMs, kind: mark.kind, marks: [mark] });
    }
    const named = clusters.length > 1 ? cluster : undefined;
    return groups.map(({ atMs, kind, marks }): StoryLine => {
      return { atMs, kind: "repair", bad: false, text: groupText(kind, marks, named) };
    });
  });
}

function groupText(kind: MarkKind, marks: readonly Mark[], cluster: string | undefined): string {
  const events = marks.flatMap((mark) => mark.events);
  const only = events.length === 1 ? events[0] : undefined;
  if (only) return sentence(only.message);
  const places = [...new Map(marks.map(({ zone }) => [zone, 0])).keys()].flatMap((zone) => {
    const count = marks.filter((mark) => mark.zone === zone).reduce((sum, mark) => sum + mark.events.length, 0);
    return zone === undefined ? [] : [`${count} in ${zone}`];
  });
  const zone = places.length === 1 ? marks[0]?.zone : undefined;
  const where = zone ? ` in ${zone}` : places.length > 0 ? `: ${listed(places)}` : "";
  return `${markText({ kind, events })}${cluster ? ` of ${cluster}` : ""}${where}`;
}

function breachLines(workload: WorkloadResult, result: DrillResult): StoryLine[] {
  const lastMs = watchedUntil(result);
  return breachesOf(workload, lastMs).map(({ startMs, endMs }) => {
    const lowest = Math.min(
      ...(workload.readyOverTime ?? []).filter(([atMs]) => atMs >= startMs && atMs < endMs).map(([, ready]) => ready),
    );
    const lasted = endMs >= lastMs ? "to the end" : `for ${spanText(endMs - startMs)}`;
    const text = `${workloadText(workload, result)} has ${lowest} of the ${counted(workload.minimum, "ready replica")} that it needs, ${lasted}`;
    return { atMs: startMs, kind: "workload", bad: true, text };
  });
}

function apiLines(result: DrillResult): StoryLine[] {
  const { samples, clusters } = result;
  return clusters.flatMap((cluster) => {
    const up = seriesOf(
      samples.filter((sample) => sample.cluster === cluster),
      ({ apiAvailable }) => Number(apiAvailable),
    );
    return spansWhere(up, watchedUntil(result), (value) => value === 0).map(
      ({ startMs, endMs }): StoryLine => ({
        atMs: startMs,
        kind: "api",
        bad: true,
        text: `the API server${clusters.length > 1 ? ` of ${cluster}` : ""} does not answer for ${spanText(endMs - startMs)}`,
      }),
    );
  });
}
