/** Whether what lint said came true: each prediction against how its workload fared while its zone, and nothing else, was lost. */
import { type Span, seriesOf, spansWhere, watchedUntil, within } from "../report/series.js";
import { counted, listed, spanText } from "../report/wording.js";
import type { DrillResult, FaultSpan, Prediction, WorkloadResult } from "../result.js";

/** Faults by which a zone can be lost as a whole; whether it was is for its nodes to say. */
const ZONE_FAULTS = ["zone-power-loss", "zone-isolation"];
/** Faults that take nothing from what runs: a zone may be lost beside them and still be the only thing that is. */
const HARMLESS = [
  "insufficient-capacity",
  "aws-api-throttling",
  "aws-api-errors",
  "aws-api-latency",
  "node-join-failure",
  "health-issue",
];

/** The same predictions with `held` and `seen` where this drill put them to the test, and with `seen` alone where it was not a fair one. */
export function judgePredictions(predictions: readonly Prediction[], result: DrillResult): Prediction[] {
  return predictions.map((prediction) => {
    const { held: _, seen: __, ...said } = prediction;
    const losses = lossesOf(prediction, result);
    const workload = workloadOf(prediction, result);
    if (losses.length === 0 || !workload) return said;
    const beside = losses.flatMap(({ fault }) => besides(fault, prediction.cluster, result));
    if (beside.length > 0) {
      const names = listed([...new Set(beside.map(({ name, zone }) => (zone ? `${name} in ${zone}` : name)))].sort());
      return { ...said, seen: `not judged: ${names} was on as well` };
    }
    const judged = losses.map(({ span }) => judge(said, workload, span, result));
    return { ...said, ...(judged.find(({ held }) => !held) ?? judged[0]) };
  });
}

interface Loss {
  fault: FaultSpan;
  span: Span;
}

const isAbout = ({ cluster }: { cluster?: string }, name: string): boolean => cluster === undefined || cluster === name;

const spanOf = ({ startedAtMs, endedAtMs }: FaultSpan, result: DrillResult): Span => ({
  startMs: startedAtMs,
  endMs: Math.min(endedAtMs ?? Number.POSITIVE_INFINITY, watchedUntil(result)),
});

/** When the zone of a prediction was lost: a fault that may do it was on, and no node there was Ready. */
function lossesOf({ cluster, zone }: Prediction, result: DrillResult): Loss[] {
  const ready = seriesOf(
    result.samples.filter((sample) => sample.cluster === cluster),
    ({ zones }) => zones[zone]?.readyNodes ?? 0,
  );
  return result.faults
    .filter((fault) => ZONE_FAULTS.includes(fault.name) && fault.zone === zone && isAbout(fault, cluster))
    .map((fault) => ({ fault, span: spanOf(fault, result) }))
    .filter(({ span }) => {
      const [first] = within(ready, span);
      const dark = spansWhere(within(ready, span), span.endMs, (nodes) => nodes === 0);
      return first !== undefined && first[1] > 0 && dark.length > 0;
    });
}

/** Other faults that were on at any time of this one. */
function besides(fault: FaultSpan, cluster: string, result: DrillResult): FaultSpan[] {
  const span = spanOf(fault, result);
  return result.faults.filter((other) => {
    if (other.id === fault.id || HARMLESS.includes(other.name) || !isAbout(other, cluster)) return false;
    return other.startedAtMs < span.endMs && (other.endedAtMs ?? Number.POSITIVE_INFINITY) >= span.startMs;
  });
}

const workloadOf = (prediction: Prediction, { workloads }: DrillResult): WorkloadResult | undefined =>
  workloads.find(
    (one) =>
      isAbout(one, prediction.cluster) &&
      one.namespace === prediction.namespace &&
      one.kind === prediction.kind &&
      one.name === prediction.name,
  );

function judge(
  { says }: Prediction,
  workload: WorkloadResult,
  span: Span,
  { endedAtMs }: DrillResult,
): Required<Pick<Prediction, "held" | "seen">> {
  const { wanted, minimum, readyOverTime = [] } = workload;
  const curve = within(readyOverTime, span);
  const lowest = curve.length > 0 ? Math.min(...curve.map(([, ready]) => ready)) : workload.lowestReady;
  const last = curve.at(-1)?.[1];
  const isShort = lowest < minimum;
  const belowMs = spansWhere(curve, Math.min(span.endMs, endedAtMs), (ready) => ready < minimum).reduce(
    (sum, { startMs, endMs }) => sum + endMs - startMs,
    0,
  );
  const stayed = last !== undefined && last < minimum;
  const held = {
    survives: !isShort,
    "below-minimum": isShort && lowest > 0,
    "loses-every-replica": lowest === 0,
    // Replicas of which nobody knows when they came back are given the benefit of the doubt.
    "loses-its-volume": isShort && (stayed || last === undefined),
  }[says];
  const below =
    belowMs > 0 ? `, below ${minimum} for ${spanText(belowMs)}${stayed ? " and to the end of the loss" : ""}` : "";
  const seen =
    lowest >= wanted
      ? `all ${counted(wanted, "replica")} stayed ready`
      : `${lowest} of ${wanted} ready at the lowest${below}`;
  return { held, seen };
}
