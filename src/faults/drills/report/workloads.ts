/** How each workload fared: a table of its moments, and a small plot of its ready replicas against the minimum that it needs. */
import type { DrillResult, WorkloadResult } from "../result.js";
import { type Markup, markup } from "./markup.js";
import { type Axis, area, block, labelsOf, line, stretched, x } from "./plot.js";
import { breachesOf, peakOf, within } from "./series.js";
import { axisOf, concerns, faultEnd } from "./timeline.js";
import { counted, offsetText, spanText, workloadText } from "./wording.js";

const PLOT_HEIGHT = 64;

/** What became of a workload, in a word or two. */
export function fateOf({ lowestReady, minimum, wanted, recoveredMs, firstNotReadyMs }: WorkloadResult): {
  text: string;
  bad: boolean;
} {
  const open = firstNotReadyMs !== undefined && recoveredMs === undefined ? ", not whole again" : "";
  if (lowestReady < minimum)
    return { text: lowestReady === 0 ? `lost every replica${open}` : `below minimum${open}`, bad: true };
  return { text: lowestReady < wanted ? `survived${open}` : "untouched", bad: false };
}

export function workloadTable(result: DrillResult): Markup {
  const moment = (ms: number | undefined): Markup =>
    ms === undefined ? markup`<td class="number none">–</td>` : markup`<td class="number">${spanText(ms)}</td>`;
  return markup`<div class="wide" tabindex="0" role="group" aria-label="Workloads, scrollable"><table>
<caption>The four moments count from the first fault; – means that it never came to that, or not before the end.</caption>
<thead><tr><th scope="col">Workload</th><th scope="col">Fate</th><th scope="col" class="number">Wanted</th><th scope="col" class="number">Minimum</th><th scope="col" class="number">Lowest</th><th scope="col" class="number">Not ready</th><th scope="col" class="number">Evicted</th><th scope="col" class="number">Rescheduled</th><th scope="col" class="number">Recovered</th><th scope="col" class="number">Below minimum</th></tr></thead>
<tbody>${result.workloads.map((workload) => {
    const fate = fateOf(workload);
    const below = workload.minutesBelowMinimum * 60_000;
    return markup`<tr><th scope="row">${workloadText(workload, result)}</th><td><span class="chip ${fate.bad ? "bad" : "good"}">${fate.text}</span></td><td class="number">${workload.wanted}</td><td class="number">${workload.minimum}</td><td class="number ${fate.bad && "alarm"}">${workload.lowestReady}</td>${moment(workload.firstNotReadyMs)}${moment(workload.firstEvictedMs)}${moment(workload.rescheduledMs)}${moment(workload.recoveredMs)}<td class="number ${below > 0 && "alarm"}">${below > 0 ? spanText(below) : "–"}</td></tr>
`;
  })}</tbody></table></div>`;
}

/** Plots of those workloads of which the curve is known; nothing when there is none. */
export function workloadPlots(result: DrillResult): Markup | undefined {
  const axis = axisOf(result);
  const known = result.workloads.filter(({ readyOverTime = [] }) => readyOverTime.length > 0);
  if (known.length === 0) return undefined;
  return markup`<div class="cards">${known.map((workload) => card(result, workload, axis))}</div>`;
}

function card(result: DrillResult, workload: WorkloadResult, axis: Axis): Markup {
  const { readyOverTime = [], wanted, minimum, lowestReady } = workload;
  const fate = fateOf(workload);
  const curve = within(readyOverTime, axis);
  const most = peakOf(curve, Math.max(1, wanted, minimum));
  const breaches = breachesOf(workload, axis.endMs);
  const faults = result.faults.filter((fault) => workload.cluster === undefined || concerns(fault, workload.cluster));
  const y = (value: number): number => PLOT_HEIGHT - (value / most) * PLOT_HEIGHT;
  const title = `${workloadText(workload, result)}: at its lowest ${lowestReady} of ${wanted} ready, minimum ${minimum}`;
  const ends = labelsOf(axis);
  return markup`<figure class="card ${fate.bad && "bad"}"><figcaption><b>${workload.name}</b> <span class="quiet">${workload.kind} · ${workload.namespace}${result.clusters.length > 1 && workload.cluster ? ` · ${workload.cluster}` : ""}</span><span class="chip ${fate.bad ? "bad" : "good"}">${fate.text}</span></figcaption>
<svg class="plot" width="100%" height="${PLOT_HEIGHT + 22}" role="img" aria-label="${title}"><title>${title}</title><svg class="free" y="4">
${faults.map((fault) => block(axis, { startMs: fault.startedAtMs, endMs: faultEnd(fault, axis) }, 0, PLOT_HEIGHT, "hatched"))}
${stretched(0, PLOT_HEIGHT, [
  // What was missing is what the curve leaves uncovered of the minimum.
  ...breaches.map((span) =>
    area(
      axis,
      [
        [span.startMs, minimum],
        [span.endMs, 0],
      ],
      most,
      PLOT_HEIGHT,
      "deficit",
    ),
  ),
  area(axis, curve, most, PLOT_HEIGHT, "ready workload"),
  line(axis, curve, most, PLOT_HEIGHT, "workload edge"),
  markup`<path class="base" vector-effect="non-scaling-stroke" d="M0 ${PLOT_HEIGHT}H10000"/>`,
])}
<line class="minimum" x1="0" x2="100%" y1="${y(minimum)}" y2="${y(minimum)}"/>
${breaches.map((span) => block(axis, span, PLOT_HEIGHT - 3, 4, "down", `${offsetText(span.startMs - axis.zeroMs)}: below its minimum for ${spanText(span.endMs - span.startMs)}`))}
${ends.map((atMs) => markup`<line class="${atMs === axis.zeroMs ? "grid zero" : "grid"}" x1="${x(axis, atMs)}" x2="${x(axis, atMs)}" y1="0" y2="${PLOT_HEIGHT}"/>`)}
<text class="axis" x="0" y="${PLOT_HEIGHT + 15}">${offsetText(axis.startMs - axis.zeroMs)}</text><text class="axis" x="100%" y="${PLOT_HEIGHT + 15}" text-anchor="end">${offsetText(axis.endMs - axis.zeroMs)}</text></svg></svg>
<p class="quiet">lowest <b>${lowestReady}</b> of ${counted(wanted, "replica")}, minimum <b>${minimum}</b>${breaches.length > 0 && `, below it for ${spanText(workload.minutesBelowMinimum * 60_000)}`}</p></figure>`;
}
