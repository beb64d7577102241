/**
 * A drill's report as one page that needs nothing but itself: no other file, no network, readable without scripts, in light and dark and on paper. The same
 * result gives the same bytes; what the machine took is therefore not on it.
 */
import { createHash } from "node:crypto";
import type { CheckResult, DrillResult, Prediction, Sample } from "../result.js";
import { MARK_NAMES, type MarkKind } from "./marks.js";
import { data, type Markup, markup, trusted } from "./markup.js";
import { PAGE_SCRIPT } from "./page-script.js";
import { PAGE_STYLE } from "./page-style.js";
import { zonesSeen } from "./series.js";
import { GLYPHS } from "./signs.js";
import { storyOf } from "./story.js";
import { axisOf, PATTERNS, timeline } from "./timeline.js";
import { counted, instantText, offsetText, spanText, workloadText, zeroOf } from "./wording.js";
import { workloadPlots, workloadTable } from "./workloads.js";

/** Rows of the event list; a page of a hundred thousand rows opens nowhere. The JSON report has them all. */
const MOST_EVENTS = 5000;

export function htmlReport(result: DrillResult): string {
  const script = createHash("sha256").update(PAGE_SCRIPT).digest("base64");
  // Even if a text got through as markup, nothing could run or be fetched.
  const policy = `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${script}'; base-uri 'none'; form-action 'none'`;
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="eksim">
<title>${result.name}: ${result.verdict} – eksim drill</title>
<style>${trusted(PAGE_STYLE)}</style>
</head>
<body>
${PATTERNS}
<main>
${headline(result)}
${result.clusters.map((cluster, index) => timelineSection(result, cluster, index))}
${story(result)}
${workloads(result)}
${checks(result)}
${steps(result)}
${predictions(result)}
${faults(result)}
${events(result)}
<footer>Made by eksim from drill ${result.name}, seed ${result.seed}. All times are simulated.</footer>
</main>
<script>${trusted(PAGE_SCRIPT)}</script>
</body>
</html>
`;
  return page.markup;
}

function headline(result: DrillResult): Markup {
  const { verdict, why, name, description, checks, workloads } = result;
  const met = checks.filter(({ ok }) => ok).length;
  const facts: readonly (readonly [string, string])[] = [
    ["Started", instantText(result.startedAtMs)],
    ["Simulated time", spanText(result.endedAtMs - result.startedAtMs)],
    ["Seed", String(result.seed)],
    ["Backend", result.backend],
    [result.clusters.length === 1 ? "Cluster" : "Clusters", result.clusters.join(", ") || "none"],
    ["Checks met", checks.length === 0 ? "none" : `${met} of ${checks.length}`],
    ["Below minimum", below(workloads.filter(({ lowestReady, minimum }) => lowestReady < minimum).length, workloads)],
  ];
  return markup`<header>
<div class="verdict ${verdict}"><span class="stamp">${verdict}</span><div><h1>${name}</h1>
<p class="why">${why ?? "Everything that the drill expects came true."}</p>${paragraphs(description)}</div></div>
<dl class="facts">${facts.map(([term, value]) => markup`<div><dt>${term}</dt><dd>${value}</dd></div>`)}</dl>
<nav aria-label="Parts of the report">${[
    ["timeline", "Timeline"],
    ["story", "What happened"],
    ["workloads", "Workloads"],
    ["checks", "Checks"],
    ["steps", "Steps"],
    ["predictions", "Predictions"],
    ["faults", "Faults"],
    ["events", "Events"],
  ].map(([id, text]) => markup`<a href="#${id}">${text}</a>`)}</nav>
</header>`;
}

/** A description as its author parted it; single line breaks are only where the file's lines ended. */
const paragraphs = (text = ""): Markup[] =>
  text
    .split(/\n\s*\n/)
    .filter((paragraph) => paragraph.trim() !== "")
    .map((paragraph) => markup`<p class="description">${paragraph.trim()}</p>`);

const below = (count: number, all: readonly unknown[]): string =>
  all.length === 0 ? "no workloads" : `${count} of ${counted(all.length, "workload")}`;

function timelineSection(result: DrillResult, cluster: string, index: number): Markup {
  const id = `plot-${index}`;
  const title = result.clusters.length > 1 ? `Timeline of ${cluster}` : "Timeline";
  return markup`<section aria-labelledby="${id}-heading"><h2 id="${index === 0 ? "timeline" : `${id}-top`}"><span id="${id}-heading">${title}</span></h2>
<div class="zoom"><span>Zoom</span>${[1, 2, 4, 8].map((zoom) => markup`<button type="button" data-zoom="${zoom}" aria-pressed="${zoom === 1 ? "true" : "false"}">×${zoom}</button>`)}</div>
${timeline(result, cluster, id)}
<p class="readout">Point at the timeline to read what held at a moment.</p>
${legend()}
<script type="application/json">${data(looks(result, cluster))}</script>
</section>`;
}

/** What the page's script reads values from: `[atMs, api, pending, [[ready nodes, nodes, ready pods, pods, masters up, masters] a zone]]`. */
function looks(result: DrillResult, cluster: string): unknown {
  const { startMs, endMs, zeroMs } = axisOf(result);
  const samples = result.samples.filter((sample) => sample.cluster === cluster && sample.atMs <= endMs);
  const zones = zonesSeen(samples);
  const row = ({ zones: seen }: Sample): unknown =>
    zones.map((zone) => {
      const found = seen[zone];
      return found
        ? [found.readyNodes, found.nodes, found.readyPods, found.pods, found.membersUp, found.members]
        : undefined;
    });
  return {
    start: startMs,
    end: endMs,
    zero: zeroMs,
    zones,
    looks: samples.map((sample) => [sample.atMs, Number(sample.apiAvailable), sample.pendingPods, row(sample)]),
  };
}

function legend(): Markup {
  const swatch = (className: string): Markup =>
    markup`<svg width="14" height="12" aria-hidden="true"><rect class="${className}" width="14" height="12"/></svg>`;
  const sign = (kind: MarkKind): Markup =>
    markup`<svg width="14" height="14" viewBox="-7 -7 14 14" aria-hidden="true"><g class="mark ${kind}">${GLYPHS[kind]}</g></svg>`;
  const entries: readonly (readonly [Markup, string])[] = [
    [swatch("nodes ready"), "nodes Ready"],
    [swatch("nodes all"), "not Ready"],
    [swatch("pods ready"), "pods Ready"],
    [swatch("pods all"), "not Ready"],
    [swatch("master"), "master up"],
    [swatch("down"), "down"],
    [swatch("hatched"), "fault in the zone"],
    ...(Object.keys(GLYPHS) as MarkKind[]).map((kind) => [sign(kind), MARK_NAMES[kind][0]] as const),
  ];
  return markup`<ul class="legend">${entries.map(([picture, text]) => markup`<li>${picture}${text}</li>`)}</ul>`;
}

function story(result: DrillResult): Markup {
  const zeroMs = zeroOf(result);
  const lines = storyOf(result);
  return markup`<section aria-labelledby="story"><h2 id="story">What happened</h2>
${
  lines.length === 0
    ? markup`<p>Nothing did.</p>`
    : markup`<ol class="story">${lines.map(
        ({ atMs, kind, bad, text }) =>
          markup`<li class="${kind} ${bad && "bad"}"><time datetime="${new Date(atMs).toISOString()}">${offsetText(atMs - zeroMs)}</time><span class="sign">${bad ? "!" : kind === "check" ? "✓" : "·"}</span><span>${text}</span></li>
`,
      )}</ol>`
}</section>`;
}

const workloads = (result: DrillResult): Markup =>
  markup`<section aria-labelledby="workloads"><h2 id="workloads">Workloads</h2>${
    result.workloads.length === 0
      ? markup`<p>The drill watched no workload.</p>`
      : [workloadTable(result), workloadPlots(result)]
  }</section>`;

const chip = (ok: boolean, good: string, bad: string): Markup =>
  markup`<span class="chip ${ok ? "good" : "bad"}">${ok ? good : bad}</span>`;

/** A table that scrolls by itself where the page is narrower than it. */
const table = (caption: string, columns: readonly (string | Markup)[], rows: readonly Markup[]): Markup =>
  markup`<div class="wide" tabindex="0" role="group" aria-label="${caption}, scrollable"><table><thead><tr>${columns.map((column) => (typeof column === "string" ? markup`<th scope="col">${column}</th>` : column))}</tr></thead><tbody>${rows}</tbody></table></div>`;

const numeric = (text: string): Markup => markup`<th scope="col" class="number">${text}</th>`;

function checks(result: DrillResult): Markup {
  const row = ({ title, phase, ok, limitMs, tookMs, message }: CheckResult): Markup =>
    markup`<tr><th scope="row">${title}</th><td>${phase}</td><td>${chip(ok, "met", "not met")}</td><td class="number">${tookMs === undefined ? "–" : spanText(tookMs)}</td><td class="number">${limitMs === undefined ? "–" : spanText(limitMs)}</td><td>${message}</td></tr>
`;
  return markup`<section aria-labelledby="checks"><h2 id="checks">Checks</h2>${
    result.checks.length === 0
      ? markup`<p>None was made.</p>`
      : table(
          "Checks",
          ["Check", "Phase", "Outcome", numeric("Took"), numeric("Limit"), "Seen"],
          result.checks.map(row),
        )
  }</section>`;
}

function steps(result: DrillResult): Markup {
  const zeroMs = zeroOf(result);
  const rows = result.steps.map(
    ({ title, startedAtMs, endedAtMs, ok, message }, index) =>
      markup`<tr><td class="number">${index + 1}</td><th scope="row">${title}</th><td>${chip(ok, "done", "failed")}</td><td class="number">${offsetText(startedAtMs - zeroMs)}</td><td class="number">${spanText(endedAtMs - startedAtMs)}</td><td>${message}</td></tr>
`,
  );
  return markup`<section aria-labelledby="steps"><h2 id="steps">Steps</h2>${
    rows.length === 0
      ? markup`<p>None was carried out.</p>`
      : table("Steps", [numeric("#"), "Step", "Outcome", numeric("At"), numeric("Took"), "What it did"], rows)
  }</section>`;
}

const SAYS: Readonly<Record<Prediction["says"], readonly [text: string, className: string]>> = {
  survives: ["survives", "good"],
  "below-minimum": ["below minimum", "wait"],
  "loses-every-replica": ["loses every replica", "bad"],
  "loses-its-volume": ["loses its volume", "bad"],
};

function predictions(result: DrillResult): Markup {
  const judged = result.predictions.filter(({ held }) => held !== undefined);
  const others = result.predictions.filter(({ held }) => held === undefined);
  const row = (prediction: Prediction): Markup => {
    const { zone, says, message, help = [], held, seen } = prediction;
    const [text, className] = SAYS[says];
    return markup`<tr><th scope="row">${workloadText(prediction, result)}</th><td>${zone}</td><td><span class="chip ${className}">${text}</span></td><td>${message}${help.map((advice) => markup`<br><span class="quiet">${advice}</span>`)}</td><td>${held === undefined ? "–" : chip(held, "held", "did not hold")}${seen !== undefined && markup`<br>${seen}`}</td></tr>
`;
  };
  const columns = ["Workload", "If it loses", "Says", "Because", "Came true"];
  return markup`<section aria-labelledby="predictions"><h2 id="predictions">Predictions</h2>${
    result.predictions.length === 0
      ? markup`<p>The cluster was not looked at before the drill.</p>`
      : markup`<p>${
          judged.length === 0
            ? "What was said before the drill; none of these zones was lost in it, so nothing could be judged."
            : `Said before the drill: ${judged.filter(({ held }) => held).length} of ${counted(judged.length, "prediction")} held.`
        }</p>${judged.length > 0 && table("Predictions judged", columns, judged.map(row))}${
          others.length > 0 &&
          markup`<details><summary>${counted(others.length, "prediction")} that this drill did not put to the test</summary>${table("Other predictions", columns, others.map(row))}</details>`
        }`
  }</section>`;
}

function faults(result: DrillResult): Markup {
  const zeroMs = zeroOf(result);
  const rows = result.faults.map(
    ({ id, name, title, zone, cluster, startedAtMs, endedAtMs }) =>
      markup`<tr><th scope="row">${name}</th><td>${title}</td><td>${zone ?? "–"}</td>${result.clusters.length > 1 && markup`<td>${cluster ?? "all"}</td>`}<td class="number">${offsetText(startedAtMs - zeroMs)}</td><td class="number">${endedAtMs === undefined ? "to the end" : endedAtMs === startedAtMs ? "at once" : spanText(endedAtMs - startedAtMs)}</td><td class="quiet">${id}</td></tr>
`,
  );
  return markup`<section aria-labelledby="faults"><h2 id="faults">Faults</h2>${
    rows.length === 0
      ? markup`<p>None was started.</p>`
      : table(
          "Faults",
          [
            "Fault",
            "What it does",
            "Zone",
            ...(result.clusters.length > 1 ? ["Cluster"] : []),
            numeric("From"),
            numeric("Lasted"),
            "Id",
          ],
          rows,
        )
  }</section>`;
}

function events(result: DrillResult): Markup {
  const zeroMs = zeroOf(result);
  const shown = result.events.slice(0, MOST_EVENTS);
  const rows = shown.map(
    ({ atMs, source, type, subject, zone, message }) =>
      markup`<tr><td class="number">${offsetText(atMs - zeroMs)}</td><td>${source}</td><td>${type}</td><td>${zone ?? ""}</td><td title="${subject}">${message}</td></tr>
`,
  );
  const cut = result.events.length > shown.length && ` The first ${shown.length} are shown; the JSON report has all.`;
  return markup`<section aria-labelledby="events"><h2 id="events">Events</h2><details class="events"><summary>${counted(result.events.length, "event")} of the emulator's log</summary>
<p class="filter"><label for="event-filter">Show those with</label><input id="event-filter" type="search" placeholder="words, such as us-east-1a launched" autocomplete="off"><output id="event-count"></output></p>${cut !== false && markup`<p>${cut}</p>`}
${table("Events", [numeric("At"), "Source", "Type", "Zone", "What"], rows)}</details></section>`;
}
