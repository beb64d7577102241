import { describe, expect, it } from "vitest";
import { operationNames } from "../../../src/api/model/operation-names.js";
import type { Drill } from "../../../src/faults/drills/drill.js";
import { DrillFileError, readDrill } from "../../../src/faults/drills/format/read-drill.js";

const FILES: Record<string, string> = {
  "web.yaml":
    "apiVersion: v1\nkind: Service\nmetadata: { name: a }\n---\napiVersion: v1\nkind: Service\nmetadata: { name: b }\n",
  "list.yaml": "apiVersion: v1\nkind: List\nitems:\n  - { apiVersion: v1, kind: Secret, metadata: { name: c } }\n",
  "broken.yaml": "a: [",
};

const read = (content: string): Drill =>
  readDrill(content, {
    file: "az.yaml",
    operationsOf: operationNames,
    readFile: (path) => {
      const found = FILES[path];
      if (found === undefined) throw new Error("no such file");
      return found;
    },
  });

const HEAD = "apiVersion: eksim.dev/v1\nkind: Drill\nmetadata: { name: az }\n";
const SETUP = "setup: { clusters: [{ name: shop }] }\n";
/** A drill with one cluster; what is added begins in line 5. */
const drill = (rest: string): Drill => read(HEAD + SETUP + rest);

function problems(work: () => unknown): string[] {
  try {
    work();
    return [];
  } catch (error) {
    if (!(error instanceof DrillFileError)) throw error;
    return error.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
  }
}

describe("a drill's file", () => {
  it("needs no more than a name, a cluster and a step", () => {
    expect(drill("steps: [{ wait: 90s }]")).toMatchObject({
      name: "az",
      options: { clock: "stepped", profile: "instant" },
      clusters: [{ name: "shop", use: false, nodegroups: [], manifests: [] }],
      steps: [{ step: "wait", ms: 90_000, title: "wait 1m30s" }],
      expectations: [],
      cleanUp: { deleteClusters: true, steps: [] },
    });
  });

  it("aims faults at the drill's only cluster, and names them by what they do", () => {
    const [step] = drill("steps: [{ fault: zone-power-loss, target: { zone: us-east-1a }, duration: 45m }]").steps;
    expect(step).toEqual({
      step: "fault",
      fault: { fault: "zone-power-loss", target: { cluster: "shop", zone: "us-east-1a" }, duration: "45m" },
      title: "zone-power-loss of cluster shop, zone us-east-1a for 45m",
    });
  });

  it("takes objects from files beside it, from lists and from texts", () => {
    const { clusters } = read(
      `${HEAD}setup:\n  clusters:\n    - name: shop\n      manifests:\n        - file: web.yaml\n        - file: list.yaml\n        - |\n          { apiVersion: v1, kind: Namespace, metadata: { name: d } }\n`.concat(
        "steps: [{ wait: 1s }]",
      ),
    );
    expect(clusters[0]?.manifests.map(({ metadata }) => metadata.name)).toEqual(["a", "b", "c", "d"]);
  });

  it("reads amounts, selectors, versions and aliases as people write them", () => {
    const { steps } = drill(
      [
        "steps:",
        "  - waitUntil: { readyReplicas: { deployment: web, atLeast: 60% } }",
        "    within: &long 1h30m",
        "  - waitUntil: { pods: { selector: { app: web, tier: front }, atLeast: 2 } }",
        "    within: *long",
        "  - upgrade: { version: 1.30 }",
      ].join("\n"),
    );
    expect(steps).toMatchObject([
      { probe: { atLeast: { percent: 60 }, namespace: "default", cluster: "shop" }, withinMs: 5_400_000 },
      { probe: { selector: "app=web,tier=front", ready: true }, withinMs: 5_400_000 },
      { step: "upgradeCluster", version: "1.30" },
    ]);
  });

  it.each<[what: string, rest: string, problem: string]>([
    ["an unknown key", "steps: []\nstepz: []", '6:1 unknown key "stepz"; did you mean steps?'],
    ["a key in the wrong case", "Steps: []", '5:1 unknown key "Steps"; did you mean steps?'],
    ["no steps", "", "1:1 steps is missing"],
    [
      "a step that does nothing",
      "steps: [{ name: idle }]",
      "5:9 steps[0]: does nothing; give one of fault, stopFault, wait",
    ],
    [
      "a step that does two things",
      "steps:\n  - wait: 1s\n    stopFault: all",
      "7:5 steps[0]: does two things, wait and stopFault",
    ],
    [
      "a key that is like none",
      "steps: []\nplan: []",
      '6:1 unknown key "plan"; known here: apiVersion, kind, metadata',
    ],
    ["a step nobody knows", "steps:\n  - sleep: 1s", '6:5 steps[0]: unknown key "sleep"; known here: name, id, fault'],
    [
      "a wait that is no duration",
      "steps:\n  - wait: soon",
      '6:11 steps[0].wait: must be a duration such as 90s, 6m or 1h30m, not "soon"',
    ],
    [
      "a fault that there is not",
      "steps:\n  - fault: zone-fire",
      '6:12 steps[0].fault: There is no fault "zone-fire". Faults: zone-power-loss',
    ],
    [
      "a zone that there is not",
      "steps:\n  - fault: zone-link-impairment\n    target: { zone: us-east-1a }\n    parameters: { to: mars, latency: 1s }",
      "6:12 steps[0].fault: to of zone-link-impairment must be a zone of us-east-1",
    ],
    [
      "a zone of the target that there is not",
      "steps:\n  - fault: zone-power-loss\n    target: { zone: us-east-1z }",
      "6:12 steps[0].fault: There is no zone us-east-1z in us-east-1. Zones: us-east-1a (use1-az1)",
    ],
    [
      "an operation that there is not",
      "steps:\n  - fault: aws-api-throttling\n    parameters: { operations: [DescribeClustr] }",
      "6:12 steps[0].fault: aws-api-throttling: eks, eks-auth, iam, sts have no operation DescribeClustr. Did you mean DescribeCluster",
    ],
    [
      "parameters that make no sense together",
      "steps:\n  - fault: zone-link-impairment\n    target: { zone: us-east-1a }",
      "6:12 steps[0].fault: zone-link-impairment: give at least one of latency, jitter and loss.",
    ],
    [
      "a parameter that the fault does not have",
      "steps:\n  - fault: zone-power-loss\n    target: { zone: us-east-1a }\n    parameters: { loss: 3 }",
      "6:12 steps[0].fault: zone-power-loss has no parameter loss. It has none.",
    ],
    [
      "a member of the target that means nothing to the fault",
      "steps:\n  - fault: zone-power-loss\n    target: { zone: us-east-1a, pods: [a] }",
      "6:12 steps[0].fault: pods means nothing to zone-power-loss. It goes by: zone, cluster.",
    ],
    [
      "a fault without what it needs",
      "steps:\n  - fault: zone-power-loss",
      "6:12 steps[0].fault: zone-power-loss needs a target: give zone.",
    ],
    [
      "a duration of what happens once",
      "steps:\n  - fault: instance-termination\n    target: { nodegroup: a, count: 1 }\n    duration: 5m",
      "6:12 steps[0].fault: instance-termination happens once: it takes no duration",
    ],
    [
      "a cluster that the drill does not have",
      "steps:\n  - upgrade: { cluster: other, version: '1.36' }",
      "6:14 steps[0].upgrade: there is no cluster other under setup.clusters; there is shop",
    ],
    [
      "an end of a fault that is not begun",
      "steps: [{ stopFault: outage }]",
      "5:22 steps[0].stopFault: no fault step has the id outage; there is none",
    ],
    [
      "two steps of one id",
      "steps: [{ wait: 1s, id: a }, { wait: 1s, id: a }]",
      "5:30 steps[1]: another step has the id a already",
    ],
    [
      "a probe that asks for nothing",
      "steps:\n  - waitUntil: { nodes: {} }",
      "6:25 steps[0].waitUntil.nodes: give at least one of atLeast, atMost, spread",
    ],
    [
      "two probes in one",
      "steps:\n  - waitUntil: { apiAvailable: {}, masters: { atLeast: 2 } }",
      "has two probes, apiAvailable and masters; give one",
    ],
    [
      "a share above all",
      "steps:\n  - waitUntil: { readyReplicas: { deployment: web, atLeast: 160% } }",
      'must be a number of replicas, or a share such as 60%, not "160%"',
    ],
    [
      "a command that is a line of shell",
      "steps:\n  - command: { run: 'curl x | sh' }",
      '6:21 steps[0].command.run: must be a list, not "curl x | sh"',
    ],
    [
      "expectations that cannot both be",
      "steps: []\nexpectations:\n  - { apiAvailable: {}, always: true, within: 5m }",
      "7:5 expectations[0]: within and holdsFor, happensWithin, always, and never do not go together",
    ],
    [
      "an expectation after a step that is not there",
      "steps: []\nexpectations: [{ apiAvailable: {}, always: true, after: x }]",
      "6:57 expectations[0].after: no step has the id x; there is none",
    ],
    [
      "a real clock with a start",
      "options: { clock: real, clockStart: 2026-01-01T00:00:00Z }\nsteps: []",
      "5:10 options: clockStart goes with a stepped or scaled clock",
    ],
    [
      "kind with a clock that can be moved",
      "options: { clock: stepped, backend: kind }\nsteps: []",
      "5:10 options: kind takes a clock that runs: leave `clock` out, or give scaled:<n>",
    ],
    [
      "a region that there is not",
      "options: { region: moon }\nsteps: []",
      "5:20 options.region: there is no region moon",
    ],
    ["text that is no YAML", "steps: [", "Flow sequence"],
  ])("is refused for %s", (_what, rest, problem) => {
    const [first = "(no problem)"] = problems(() => drill(rest)).filter((text) => text.includes(problem));
    expect(first, problems(() => drill(rest)).join("\n")).toContain(problem);
  });

  it.each<[what: string, manifest: string, problem: string]>([
    ["a file that is not there", "file: none.yaml", "cannot read none.yaml: no such file"],
    ["a file that is no YAML", "file: broken.yaml", "broken.yaml is no YAML"],
    [
      "an object without a kind",
      "{ apiVersion: v1, metadata: { name: a } }",
      "no Kubernetes object: it needs apiVersion, kind and metadata.name",
    ],
  ])("is refused for %s among its manifests", (_what, manifest, problem) => {
    const text = `${HEAD}setup:\n  clusters:\n    - name: shop\n      manifests:\n        - ${manifest}\nsteps: []`;
    expect(problems(() => read(text)).join("\n")).toContain(problem);
  });

  it("tells of everything wrong at once, in the order of its lines, each with file, line and column", () => {
    const text = `${HEAD}setup: { clusters: [] }\nseed: -1\nsteps:\n  - wait: x\n  - fault: y\n`;
    expect(() => read(text)).toThrow(
      /^az\.yaml is no drill\naz\.yaml:4:20: setup\.clusters: must not be empty\naz\.yaml:5:7: seed: .*\naz\.yaml:7:11: steps\[0\]\.wait: .*\naz\.yaml:8:12: /,
    );
  });

  it("says of a cluster that is used as it is and made anew that it cannot be both", () => {
    const text = `${HEAD}setup: { clusters: [{ name: shop, use: true, input: { version: "1.36" } }] }\nsteps: []`;
    expect(problems(() => read(text))[0]).toContain("input would be passed over");
  });

  it("wants the cluster named where there are several", () => {
    const text = `${HEAD}setup: { clusters: [{ name: one }, { name: two }] }\nsteps: [{ waitUntil: { apiAvailable: {} } }]`;
    expect(problems(() => read(text))[0]).toContain("say with `cluster` which one is meant: one, two");
  });
});
