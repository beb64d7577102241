import { describe, expect, it } from "vitest";
import { htmlReport } from "../../../../src/faults/drills/report/html.js";
import type { DrillResult } from "../../../../src/faults/drills/result.js";
import { all, type Element, parseMarkup, textOf } from "../markup-parser.js";
import { at, CLUSTER, EVIL, event, outage, sample, workload } from "../result.js";

const pageOf = (result: DrillResult): Element => parseMarkup(htmlReport(result), "html");

const section = (page: Element, id: string): Element =>
  all(page, "section").find((one) => all(one).some(({ attributes }) => attributes.id === id)) as Element;

const withClass = (element: Element, name: string): Element[] =>
  all(element).filter(({ attributes }) => attributes.class?.split(" ").includes(name));

/** A result of which every text is as bad as texts get. */
const evil = (): DrillResult => {
  const result = outage();
  return {
    ...result,
    name: EVIL,
    description: EVIL,
    verdict: "failed",
    why: EVIL,
    clusters: [EVIL],
    phases: result.phases.map((phase) => ({ ...phase, ok: false, message: EVIL })),
    steps: result.steps.map((step) => ({ ...step, ok: false, title: EVIL, message: EVIL })),
    checks: result.checks.map((check) => ({ ...check, ok: false, title: EVIL, message: EVIL })),
    faults: result.faults.map((fault) => ({ ...fault, id: EVIL, name: EVIL, title: EVIL, zone: EVIL })),
    workloads: [workload({ cluster: EVIL, namespace: EVIL, kind: EVIL, name: EVIL, lowestReady: 0 })],
    samples: result.samples.map((one) => ({
      ...one,
      cluster: EVIL,
      zones: { [EVIL]: { ...Object.values(one.zones)[0]! } },
    })),
    events: [event(3, "InstanceLaunched", EVIL, { clusterName: EVIL, zone: EVIL, source: EVIL, subject: EVIL })],
    predictions: [
      {
        cluster: EVIL,
        zone: EVIL,
        namespace: EVIL,
        kind: EVIL,
        name: EVIL,
        says: "survives",
        message: EVIL,
        help: [EVIL],
        held: false,
        seen: EVIL,
      },
    ],
  };
};

describe("the HTML report", () => {
  it("is well-formed, with every id once and every label where it points", () => {
    for (const result of [
      outage(),
      evil(),
      outage({ clusters: [CLUSTER, "other"] }),
      outage({ faults: [], samples: [], workloads: [], steps: [], checks: [], events: [], phases: [] }),
    ]) {
      const page = pageOf(result);
      const ids = all(page).flatMap(({ attributes }) => attributes.id ?? []);
      expect(new Set(ids).size).toBe(ids.length);
      const pointed = all(page).flatMap(({ attributes }) => [
        ...(attributes["aria-labelledby"]?.split(" ") ?? []),
        ...(attributes.for ? [attributes.for] : []),
        ...(attributes.href?.startsWith("#") ? [attributes.href.slice(1)] : []),
      ]);
      expect(pointed.filter((id) => !ids.includes(id))).toEqual(result.clusters.length === 0 ? ["timeline"] : []);
    }
  });

  it("asks for nothing outside of itself, and lets the browser refuse whatever did", () => {
    const html = htmlReport(evil());
    const page = parseMarkup(html, "html");
    for (const { name, attributes } of all(page)) {
      expect(["link", "iframe", "object", "embed", "base", "form", "image", "use"]).not.toContain(name);
      expect(attributes).not.toHaveProperty("src");
      for (const [attribute, value] of Object.entries(attributes)) {
        expect(attribute).not.toMatch(/^on/);
        if (attribute === "href") expect(value).toMatch(/^#/);
      }
    }
    expect(
      all(page, "style")
        .map(({ text }) => text)
        .join(),
    ).not.toMatch(/@import|url\((?!#)/);
    const policy = all(page, "meta").find(({ attributes }) => attributes["http-equiv"] === "Content-Security-Policy");
    expect(policy?.attributes.content).toContain("default-src 'none'");
    expect(policy?.attributes.content).not.toContain("script-src 'unsafe-inline'");
  });

  it("keeps texts texts, whatever is in them", () => {
    const page = pageOf(evil());
    const scripts = all(page, "script");
    expect(scripts.map(({ attributes }) => attributes.type)).toEqual(["application/json", undefined]);
    expect(all(page, "img")).toEqual([]);
    // It is there to be read, without what no page may hold.
    expect(textOf(withClass(page, "why")[0]!)).toContain(
      `</script><script>alert("1")</script><img src=x onerror='alert(2)'>`,
    );
    const values = JSON.parse(scripts[0]!.text) as { zones: string[] };
    expect(values.zones).toEqual([EVIL]);
    expect(scripts[0]!.text).not.toMatch(/[<>]/);
  });

  it("has the same bytes for the same result, however long the machine took", () => {
    expect(htmlReport(outage({ wallMs: 5 }))).toBe(htmlReport(outage({ wallMs: 99_999 })));
  });

  it("says the verdict and why before anything else", () => {
    const page = pageOf(outage({ verdict: "failed", why: "web is whole: 4 of 6 replicas are Ready" }));
    expect(textOf(all(page, "header")[0]!).replace(/\s+/g, " ")).toMatch(
      /^ failed one-zone-power-loss web is whole: 4 of 6 replicas are Ready A zone loses power/,
    );
    expect(textOf(all(page, "title")[0]!)).toBe("one-zone-power-loss: failed – eksim drill");
  });

  it("draws a lane for each zone, with the fault shaded in its own alone", () => {
    const plot = withClass(pageOf(outage()), "plot")[0]!;
    // Three zones, and one for the cluster.
    expect(withClass(plot, "lane")).toHaveLength(4);
    const [shade, ...others] = withClass(plot, "hatched");
    expect(others).toEqual([]);
    // From minute 2 to 47 of an axis that ends with minute 59 and begins a fortieth of that before the fault.
    const length = 57 * 1.025;
    expect(Number.parseFloat(shade!.attributes.x!)).toBeCloseTo((100 * 57 * 0.025) / length, 1);
    expect(Number.parseFloat(shade!.attributes.width!)).toBeCloseTo((100 * 45) / length, 1);
    expect(withClass(plot, "master-lost")).toHaveLength(1);
  });

  it("draws what happens at once as one mark with its number, and nothing of setup and clean-up", () => {
    const plot = withClass(pageOf(outage()), "plot")[0]!;
    const marks = withClass(plot, "launch").map((mark) => textOf(mark).replace(/\s+/g, " "));
    expect(marks).toHaveLength(2);
    expect(marks[0]).toContain("+1:00 2 instances launched Instance i-1 is launched. Instance i-2 is launched.");
    expect(marks[1]).toContain("+1:00 1 instance launched");
    expect(withClass(plot, "termination")).toEqual([]);
  });

  it("shows a little of what was before the first fault, however long the steady state was waited for", () => {
    const label = (result: DrillResult): string => textOf(withClass(withClass(pageOf(result), "card")[0]!, "axis")[0]!);
    const phases = outage().phases.map((one) =>
      one.name === "steady-state" ? { ...one, startedAtMs: at(-500) } : one,
    );
    expect(label(outage())).toBe("−1:26");
    expect(label(outage({ startedAtMs: at(-600), phases }))).toBe("−4:34");
    expect(label(outage({ startedAtMs: at(2) }))).toBe("+0:00");
    expect(label(outage({ faults: [] }))).toBe("+0:00");
  });

  it("marks where a workload was below its minimum, and for how long", () => {
    const low = workload({
      name: "low",
      lowestReady: 1,
      minutesBelowMinimum: 1,
      readyOverTime: [
        [at(1), 6],
        [at(3), 1],
        [at(4), 6],
      ],
    });
    const cards = withClass(pageOf(outage({ workloads: [workload(), low] })), "card");
    expect(cards.map((card) => withClass(card, "down").length)).toEqual([0, 1]);
    expect(textOf(withClass(cards[1]!, "down")[0]!)).toBe("+1:00: below its minimum for 1m");
    expect(textOf(cards[1]!)).toContain("below minimum");
    expect(withClass(cards[1]!, "deficit")).toHaveLength(1);
  });

  it("shows predictions with what came of them, and sets aside those that were not put to the test", () => {
    const said = {
      cluster: CLUSTER,
      namespace: "default",
      kind: "Deployment",
      name: "web",
      message: "4 stay.",
    } as const;
    const part = section(
      pageOf(
        outage({
          predictions: [
            { ...said, zone: "us-east-1a", says: "survives", held: true, seen: "4 of 6 ready at the lowest" },
            { ...said, zone: "us-east-1a", name: "db", says: "survives", held: false, seen: "0 of 1 ready" },
            { ...said, zone: "us-east-1b", says: "loses-its-volume", help: ["Replicate its data."] },
          ],
        }),
      ),
      "predictions",
    );
    const text = textOf(part).replace(/\s+/g, " ");
    expect(text).toContain("1 of 2 predictions held");
    expect(text).toContain("did not hold");
    expect(textOf(all(part, "details")[0]!)).toMatch(
      /1 prediction that this drill did not put to the test[\s\S]*Replicate its data\./,
    );
  });

  it("lists events for looking up, up to a number that a browser can bear", () => {
    const events = Array.from({ length: 6000 }, (_, i) =>
      event(3, "NodeReady", `Node n-${i} is Ready.`, { sequence: i + 1 }),
    );
    const part = section(pageOf(outage({ events })), "events");
    expect(all(part, "tr")).toHaveLength(5001);
    expect(textOf(part)).toContain("The first 5000 are shown; the JSON report has all.");
  });

  it("tells of an API server that did not answer", () => {
    const before = outage().samples[0]!;
    const page = pageOf(
      outage({ samples: [before, sample(10, before.zones, { apiAvailable: false }), sample(12, before.zones)] }),
    );
    expect(textOf(section(page, "story"))).toContain("the API server does not answer for 2m");
    expect(textOf(withClass(page, "plot")[0]!)).toContain("no answer for 2m");
  });

  it("draws a thousand looks without growing beyond what a browser opens", () => {
    const zones = outage().samples[0]!.zones;
    const samples = Array.from({ length: 1000 }, (_, i) =>
      sample(1 + i / 20, { ...zones, "us-east-1a": { ...zones["us-east-1a"]!, readyNodes: i % 4 } }),
    );
    expect(htmlReport(outage({ samples })).length).toBeLessThan(300_000);
  });
});
