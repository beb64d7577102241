import { describe, expect, it } from "vitest";
import { junitReport } from "../../../../src/faults/drills/report/junit.js";
import { all, type Element, parseMarkup, textOf } from "../markup-parser.js";
import { at, CLUSTER, EVIL, outage, workload } from "../result.js";

const parse = (xml: string): Element => parseMarkup(xml, "xml");
const failing = outage({
  verdict: "failed",
  why: "web is whole: 4 of 6",
  checks: [
    { title: "API answers", phase: "steady-state", ok: true, tookMs: 0, message: "so from the start" },
    { title: "web is whole", phase: "expectations", ok: false, limitMs: 60_000, message: "4 of 6 replicas are Ready" },
  ],
  phases: outage().phases.map((one) =>
    one.name === "expectations" ? { ...one, ok: false, message: "web is whole: 4 of 6 replicas are Ready" } : one,
  ),
});

describe("the JUnit report", () => {
  it("has a case for each check and each step, in the order of the drill, with simulated seconds", () => {
    const cases = all(parse(junitReport(outage())), "testcase").map(({ attributes }) => attributes);
    expect(cases).toEqual([
      { classname: "one-zone-power-loss.steady-state", name: "API answers", time: "0.000" },
      { classname: "one-zone-power-loss.steps", name: "wait 45m", time: "2700.000" },
      { classname: "one-zone-power-loss.expectations", name: "web is whole", time: "30.000" },
    ]);
  });

  it("tells an expectation that was not met once, as a failure with what was seen and the time that it had", () => {
    const root = parse(junitReport(failing));
    expect(all(root, "testsuite")[0]!.attributes).toMatchObject({
      name: "one-zone-power-loss",
      tests: "3",
      failures: "1",
      errors: "0",
      time: "3600.000",
      timestamp: "2026-11-01T00:00:00",
    });
    const [failure, ...others] = all(root, "failure");
    expect(others).toEqual([]);
    expect(failure!.attributes).toEqual({ message: "4 of 6 replicas are Ready", type: "expectations" });
    expect(failure!.text).toBe("4 of 6 replicas are Ready\nIt was given 1m.");
  });

  it("tells what stopped a drill before its checks as an error", () => {
    const phases = [
      {
        name: "setup",
        startedAtMs: at(0),
        endedAtMs: at(1),
        ok: false,
        message: "CreateCluster: 400 InvalidParameterException",
      },
    ] as const;
    const root = parse(junitReport(outage({ verdict: "error", why: "interrupted", phases, checks: [], steps: [] })));
    expect(all(root, "error").map(({ attributes }) => attributes.message)).toEqual([
      "CreateCluster: 400 InvalidParameterException",
    ]);
    expect(all(root, "testsuites")[0]!.attributes).toMatchObject({ tests: "1", errors: "1" });
  });

  it("never lets a drill that did not pass look as if it had", () => {
    for (const verdict of ["failed", "error"] as const) {
      const root = parse(junitReport(outage({ verdict, why: "interrupted" })));
      expect([...all(root, "failure"), ...all(root, "error")].map(({ text }) => text)).toEqual(["interrupted"]);
    }
    expect(junitReport(outage())).not.toMatch(/<failure|<error/);
  });

  it("carries seed and backend as properties, and the timeline in words", () => {
    const root = parse(junitReport(outage({ workloads: [workload({ lowestReady: 1, minutesBelowMinimum: 2.5 })] })));
    const properties = all(root, "property").map(({ attributes }) => [attributes.name, attributes.value]);
    expect(properties).toEqual([
      ["verdict", "passed"],
      ["seed", "42"],
      ["backend", "embedded"],
      ["clusters", CLUSTER],
      ["simulated", "1h"],
    ]);
    const out = textOf(all(root, "system-out")[0]!);
    expect(out).toContain("    +0:00  ! Every machine in us-east-1a loses power\n");
    expect(out).toContain("    +1:00    3 instances launched: 2 in us-east-1b and 1 in us-east-1c\n");
    expect(out).toContain("   +45:00    zone-power-loss in us-east-1a has ended after 45m\n");
    expect(out).toContain("lowest 1 of 6 ready, minimum 4, 2m 30s below it");
  });

  it("is XML whatever is in names and messages", () => {
    const check = { title: EVIL, phase: "expectations", ok: false, message: `${EVIL}\n\ttwo` } as const;
    const root = parse(junitReport(outage({ name: EVIL, verdict: "failed", why: EVIL, checks: [check] })));
    const [failure] = all(root, "failure");
    const [first] = failure!.attributes.message!.split("\n");
    expect(first).toContain(`</script><script>alert("1")</script>`);
    // What XML cannot hold in any spelling.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(junitReport(outage({ name: EVIL }))).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]|\p{Cs}/u);
    expect(failure!.attributes.message).toContain("\n\ttwo");
  });
});
