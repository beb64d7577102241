import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { model } from "../../src/api/model/model.js";
import { operationNames } from "../../src/api/model/operation-names.js";
import { parseDuration } from "../../src/clock/duration.js";
import {
  type ActingFault,
  type ClusterFacts,
  type ClusterWants,
  combine,
  durationText,
  FAULTS,
  faultNamed,
  type MachineTrouble,
  readParameters,
  readRequest,
} from "../../src/domain/faults/index.js";
import { CLUSTER_ISSUES, NODEGROUP_ISSUES } from "../../src/domain/faults/issue-codes.js";
import type { FaultRecord } from "../../src/domain/model.js";

const readers = { region: "us-east-1", readDuration: parseDuration, operationsOf: operationNames };
const request = (asked: unknown) => readRequest(asked, readers);

describe("the catalogue", () => {
  it("has each fault once, under a name in kebab-case", () => {
    const names = FAULTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^[a-z]+(-[a-z]+)+$/.test(name))).toEqual([]);
  });

  it.each(FAULTS.map(({ name }) => name))("%s has defaults that it would take itself", (name) => {
    const { parameters } = faultNamed(name);
    const needed = Object.fromEntries(
      Object.entries(parameters)
        .filter(([, { required }]) => required)
        .map(([key, { values = [] }]) => [key, values[0]]),
    );
    const read = readParameters(name, parameters, needed, readers);
    for (const [key, parameter] of Object.entries(parameters)) {
      if (parameter.default !== undefined) expect(read, key).toHaveProperty(key);
      expect(parameter.says, key).toMatch(/[.,;]$|\w$/);
    }
  });

  it("tells of each fault that lasts how it ends, and says in a sentence what each does", () => {
    for (const { name, lasts, ended, says } of FAULTS) {
      expect(says, name).toMatch(/^[A-Z].*\.$/);
      if (lasts) expect(ended, name).toBeDefined();
    }
  });

  it("knows every health issue of the model, and no other", () => {
    const { enums } = model();
    expect([...CLUSTER_ISSUES].sort()).toEqual([...(enums.ClusterIssueCode ?? [])].sort());
    expect([...NODEGROUP_ISSUES].sort()).toEqual([...(enums.NodegroupIssueCode ?? [])].sort());
  });
});

describe("a request", () => {
  it.each([
    [{}, /member `fault` is missing/],
    ["zone-power-loss", /asked for by an object/],
    [{ fault: "zone-powerloss", target: { zone: "us-east-1a" } }, /no fault "zone-powerloss".*zone-power-loss/],
    [{ fault: "zone-power-loss" }, /needs a target: give zone/],
    [{ fault: "zone-power-loss", target: { zone: "us-east-1z" } }, /no zone us-east-1z.*us-east-1a \(use1-az1\)/],
    [
      { fault: "zone-power-loss", target: { zone: "us-east-1a", nodegroup: "x" } },
      /nodegroup means nothing to zone-power-loss.*zone, cluster/,
    ],
    [{ fault: "zone-power-loss", target: { area: "us-east-1a" } }, /no member area/],
    [{ fault: "zone-power-loss", target: { zone: "us-east-1a" }, length: "1m" }, /no member length/],
    [
      { fault: "zone-power-loss", target: { zone: "us-east-1a" }, parameters: { hard: true } },
      /no parameter hard.*none/,
    ],
    [{ fault: "zone-power-loss", target: { zone: "us-east-1a" }, duration: "soon" }, /duration such as 90s/],
    [{ fault: "zone-power-loss", target: { zone: "us-east-1a" }, duration: "0s" }, /longer than 0s/],
    [{ fault: "zone-power-loss", target: { zone: "us-east-1a" }, duration: "31d" }, /at most 30d/],
    [{ fault: "zone-power-loss", target: { zone: "us-east-1a" }, seed: -1 }, /seed must be/],
    [{ fault: "zone-power-loss", target: { zone: "us-east-1a" }, emptyTargets: "ignore" }, /fail or skip/],
    [{ fault: "zone-link-impairment", target: { zone: "us-east-1a" } }, /at least one of latency, jitter and loss/],
    [
      { fault: "zone-link-impairment", target: { zone: "us-east-1a" }, parameters: { loss: 101 } },
      /percentage from 0 to 100, not 101/,
    ],
    [{ fault: "zone-link-impairment", target: { zone: "us-east-1a" }, parameters: { latency: "2m" } }, /from 0s to 1m/],
    [{ fault: "zone-isolation", target: { zone: "us-east-1a" }, parameters: { direction: "up" } }, /both, in or out/],
    [{ fault: "node-freeze" }, /needs a target: give one of zone, cluster/],
    [{ fault: "node-freeze", target: { zone: "us-east-1a", count: 1, percent: 10 } }, /contradict/],
    [
      { fault: "node-freeze", target: { percent: 0 } },
      /percent of a target must be a whole number from 1 to 100, not 0/,
    ],
    [{ fault: "node-freeze", target: { nodegroup: "workers" } }, /give cluster too/],
    [{ fault: "node-freeze", target: { nodes: [] } }, /nodes of a target must be a list of names/],
    [{ fault: "node-freeze", target: { labels: { a: 1 } } }, /label keys and values/],
    [{ fault: "master-loss", target: { count: 4 } }, /1, 2 or 3/],
    [{ fault: "pod-kill", target: { pods: ["a"] } }, /give namespace too/],
    [{ fault: "pod-kill", target: { namespace: "default" }, duration: "1m" }, /happens once/],
    [{ fault: "spot-interruption", target: { count: 1 }, duration: "1m" }, /ends by itself after 2m/],
    [{ fault: "node-condition", target: { count: 1 } }, /needs the parameter condition/],
    [{ fault: "node-clock-skew", target: { count: 1 }, parameters: { skew: "0s" } }, /skew of 0s is none/],
    [{ fault: "aws-api-errors", parameters: { services: ["ec2"] } }, /eks, eks-auth, iam or sts, not "ec2"/],
    [{ fault: "aws-api-errors", target: { cluster: "demo" } }, /takes no target/],
    [
      { fault: "health-issue", target: { cluster: "demo" }, parameters: { code: "AsgInstanceLaunchFailures" } },
      /issue of node groups/,
    ],
    [
      { fault: "health-issue", target: { cluster: "demo", nodegroup: "w" }, parameters: { code: "KmsKeyDisabled" } },
      /issue of clusters.*leave nodegroup out.*fault list --fault health-issue$/,
    ],
    [
      { fault: "health-issue", target: { cluster: "demo" }, parameters: { code: "KmsKeyDissabled" } },
      /^code of health-issue cannot be "KmsKeyDissabled"\. Did you mean KmsKeyDisabled\? All of them: eksim fault list --fault health-issue$/,
    ],
    [
      { fault: "aws-api-errors", parameters: { operations: ["DescribeClustr"] } },
      /eks, eks-auth, iam, sts have no operation DescribeClustr\. Did you mean DescribeCluster/,
    ],
    [{ fault: "aws-api-latency", parameters: { operations: ["List*", "Deskribe*"] } }, /no operation Deskribe\*/],
    [
      { fault: "aws-api-throttling", parameters: { services: ["iam"], operations: ["CreateNodegroup"] } },
      /^aws-api-throttling: iam has no operation CreateNodegroup; it is one of eks\./,
    ],
    [
      { fault: "zone-link-impairment", target: { zone: "us-east-1a" }, parameters: { Latency: "1s" } },
      /mean latency\?/,
    ],
  ])("%j is refused", (asked, why) => {
    expect(() => request(asked)).toThrow(why);
  });

  it("has the zone by its name, durations in milliseconds and all defaults", () => {
    const read = request({
      fault: "zone-link-impairment",
      target: { zone: "use1-az2" },
      parameters: { to: "use1-az1", latency: "200ms", loss: "15%" },
      duration: "45m",
      delay: "5m",
    });
    expect(read).toMatchObject({
      target: { zone: "us-east-1b" },
      parameters: { to: "us-east-1a", latency: 200, jitter: 0, loss: 15, direction: "both" },
      durationMs: 2_700_000,
      delayMs: 300_000,
      emptyTargets: "fail",
    });
  });

  it.each([
    ["eks", "createnodegroup"],
    ["eks-auth", "AssumeRoleForPodIdentity"],
    ["iam", "List*"],
    ["sts", "GetCallerIdentity"],
    ["sts", "*"],
  ])("may name operations of %s such as %s", (service, operation) => {
    const parameters = { services: [service], operations: [operation] };
    expect(request({ fault: "aws-api-throttling", parameters }).parameters).toMatchObject(parameters);
  });

  it("takes a clock that is behind", () => {
    const { parameters } = request({ fault: "node-clock-skew", target: { count: 1 }, parameters: { skew: "-10m" } });
    expect(parameters.skew).toBe(-600_000);
  });
});

it("a duration is written as it is read", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 10 ** 10 }), (ms) => parseDuration(durationText(ms)) === ms));
});

const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];
const FACTS: ClusterFacts = {
  id: "C",
  zones: ZONES,
  nodes: ZONES.flatMap((zone) =>
    [1, 2].map((n) => ({ name: `node-${zone.slice(-1)}${n}`, zone, instanceId: `i-${zone}${n}` })),
  ),
  masters: ZONES.map((zone, index) => ({ id: `master-${index + 1}`, zone })),
};

const zones = fc.constantFrom(...ZONES);
const fault = (kind: string, changes: Partial<ActingFault> = {}): ActingFault => ({
  id: "fault-1",
  kind,
  target: {},
  targets: {},
  seed: 1,
  startedAtMs: 0,
  parameters: {},
  ...changes,
});
const someNodes = fc.subarray([...FACTS.nodes], { minLength: 1 }).map((nodes) => ({
  targets: {
    nodes: nodes.map(({ name, instanceId }) => ({ clusterId: "C", name, instanceId })),
  } as FaultRecord["targets"],
}));
const percent = fc.integer({ min: 1, max: 100 });
const latency = fc.integer({ min: 1, max: 5000 });

/** Faults of every kind that wants something of a cluster. */
const anyFault: fc.Arbitrary<ActingFault> = fc.oneof(
  zones.map((zone) => fault("zone-power-loss", { zone, targets: { zone, newcomers: true } })),
  fc
    .tuple(zones, fc.constantFrom("both", "in", "out"), fc.constantFrom("all", "zones", "masters"))
    .map(([zone, direction, from]) => fault("zone-isolation", { zone, parameters: { direction, from } })),
  fc
    .tuple(zones, latency, percent, fc.constantFrom("both", "in", "out"))
    .map(([zone, ms, loss, direction]) =>
      fault("zone-link-impairment", { zone, parameters: { latency: ms, jitter: 1, loss, direction } }),
    ),
  zones.map((zone) => fault("zone-dns-failure", { zone })),
  fc
    .tuple(fc.constantFrom("instance-stop", "node-isolation", "node-disk-full"), someNodes)
    .map(([kind, targets]) => fault(kind, targets)),
  fc
    .tuple(someNodes, fc.constantFrom("alive", "frozen"))
    .map(([targets, containers]) => fault("node-freeze", { ...targets, parameters: { containers } })),
  fc
    .tuple(someNodes, fc.constantFrom("disk", "memory", "pid"))
    .map(([targets, resource]) => fault("node-pressure", { ...targets, parameters: { resource } })),
  fc
    .tuple(someNodes, fc.constantFrom("KernelReady", "NetworkingReady"), fc.constantFrom("A", "B"))
    .map(([targets, condition, reason]) => fault("node-condition", { ...targets, parameters: { condition, reason } })),
  fc
    .tuple(someNodes, fc.integer({ min: -9, max: 9 }))
    .map(([targets, skew]) => fault("node-clock-skew", { ...targets, parameters: { skew } })),
  fc
    .tuple(someNodes, fc.subarray(["*", "nginx", "redis"], { minLength: 1 }))
    .map(([targets, images]) => fault("image-pull-failure", { ...targets, parameters: { images } })),
  fc
    .subarray(["master-1", "master-2", "master-3"], { minLength: 1 })
    .map((ids) => fault("master-loss", { targets: { masters: ids.map((id) => ({ clusterId: "C", id })) } })),
  latency.map((ms) => fault("api-server-latency", { parameters: { latency: ms } })),
  fc
    .tuple(fc.constantFrom("api-server-throttling", "api-server-errors"), percent)
    .map(([kind, share]) => fault(kind, { parameters: { share } })),
  fc
    .tuple(fc.subarray(["a", "b", "*"], { minLength: 1 }), fc.constantFrom("refused", "timeout"))
    .map(([webhooks, mode]) => fault("webhook-outage", { parameters: { webhooks, mode } })),
  latency.map((after) => fault("watch-drops", { parameters: { after } })),
  fc
    .tuple(fc.constantFrom("pod-crash-loop", "pod-not-ready"), fc.subarray(["p1", "p2"], { minLength: 1 }))
    .map(([kind, names]) =>
      fault(kind, { targets: { pods: names.map((name) => ({ clusterId: "C", namespace: "default", name })) } }),
    ),
);
const wants = (each: ActingFault): ClusterWants => faultNamed(each.kind).wants?.(each, FACTS, 0) ?? {};

it("what befell a whole zone, or one pod, is said in a sentence", () => {
  const said = (kind: string, targets: ActingFault["targets"]) => faultNamed(kind).started(fault(kind, { targets }));
  const everywhere = { zone: "us-east-1b", newcomers: true } as const;
  expect(said("node-isolation", everywhere)).toBe("All nodes in us-east-1b are cut off from the network.");
  expect(said("pod-oom", { pods: [{ clusterId: "C", namespace: "shop", name: "web" }] })).toBe(
    "Containers of pod shop/web were killed for the memory they take.",
  );
});

it("a node that freezes has its containers go on unless they are to freeze, as they did in state files of before", () => {
  const nodes = [{ clusterId: "C", name: "node-a1" }];
  const troubleOf = (parameters: ActingFault["parameters"]) =>
    wants(fault("node-freeze", { targets: { nodes }, parameters })).machines;
  const { parameters } = request({ fault: "node-freeze", target: { count: 1 } });
  expect(troubleOf(parameters)).toEqual({ "node-a1": "silent" });
  expect(troubleOf({ containers: "frozen" })).toEqual({ "node-a1": "frozen" });
  expect(troubleOf({})).toEqual({ "node-a1": "frozen" });
});

describe("several faults at once", () => {
  it("want the same whatever their order", () => {
    fc.assert(
      fc.property(fc.array(anyFault, { maxLength: 8 }), fc.integer(), (faults, turn) => {
        const all = faults.map(wants);
        const at = all.length === 0 ? 0 : Math.abs(turn) % all.length;
        const other = [...all.slice(at), ...all.slice(0, at)].reverse();
        expect(combine(other)).toEqual(combine(all));
      }),
    );
  });

  it("leave what the others want when one of them ends", () => {
    const severity = ["silent", "isolated", "frozen", "stopped", "off"];
    fc.assert(
      fc.property(fc.array(anyFault, { minLength: 1, maxLength: 6 }), anyFault, (faults, another) => {
        const alone = combine(faults.map(wants));
        const together = combine([...faults, another].map(wants));
        for (const [name, trouble] of Object.entries(alone.machines))
          expect(severity.indexOf(together.machines[name] ?? "")).toBeGreaterThanOrEqual(severity.indexOf(trouble));
        expect(together.mastersDown).toEqual(expect.arrayContaining([...alone.mastersDown]));
        expect(together.impairments.zonesWithoutDns).toEqual(
          expect.arrayContaining([...alone.impairments.zonesWithoutDns]),
        );
        const cuts = (whole: typeof alone) => whole.impairments.links.filter(({ cut }) => cut);
        expect(cuts(together)).toEqual(expect.arrayContaining(cuts(alone)));
        expect(Object.keys(together.impairments.nodes)).toEqual(
          expect.arrayContaining(Object.keys(alone.impairments.nodes)),
        );
        // And the one that has ended leaves nothing behind.
        expect(combine(faults.map(wants))).toEqual(alone);
      }),
    );
  });

  it("show both effects on a machine whose kubelet is silent and which is cut off: nothing reaches its pods", () => {
    const machines = (...troubles: MachineTrouble[]) =>
      combine(troubles.map((trouble) => ({ machines: { "node-1": trouble } }))).machines["node-1"];
    expect(machines("silent", "isolated")).toBe("isolated");
    expect(machines("silent", "frozen")).toBe("frozen");
    expect(machines("isolated", "frozen")).toBe("frozen");
    expect(machines("off", "stopped", "silent")).toBe("off");
  });

  it("name no machine, link or pod twice", () => {
    fc.assert(
      fc.property(fc.array(anyFault, { maxLength: 8 }), (faults) => {
        const { links, pods } = combine(faults.map(wants)).impairments;
        const keys = links.map(({ from, to }) => JSON.stringify([from, to]));
        expect(new Set(keys).size).toBe(keys.length);
        const names = pods.map(({ namespace, name }) => `${namespace}/${name}`);
        expect(new Set(names).size).toBe(names.length);
      }),
    );
  });

  it("add up delays, and multiply what gets through", () => {
    const late = (ms: number, loss: number) =>
      wants(
        fault("zone-link-impairment", {
          zone: "us-east-1a",
          parameters: { to: "us-east-1b", latency: ms, loss, direction: "out" },
        }),
      );
    expect(combine([late(100, 50), late(20, 20)]).impairments.links).toEqual([
      { from: { zone: "us-east-1a" }, to: { zone: "us-east-1b" }, latencyMs: 120, lossPercent: 60 },
    ]);
  });
});

describe("a zone that is isolated", () => {
  const links = (parameters: Record<string, string>) =>
    wants(fault("zone-isolation", { zone: "us-east-1a", parameters })).impairments?.links ?? [];

  it("is cut off from every other zone, both ways, and not from itself", () => {
    expect(links({ direction: "both", from: "all" })).toEqual([
      { from: { zone: "us-east-1a" }, to: { zone: "us-east-1b" }, cut: true },
      { from: { zone: "us-east-1b" }, to: { zone: "us-east-1a" }, cut: true },
      { from: { zone: "us-east-1a" }, to: { zone: "us-east-1c" }, cut: true },
      { from: { zone: "us-east-1c" }, to: { zone: "us-east-1a" }, cut: true },
    ]);
  });

  it("from the masters loses that of its own zone too, and its machines still reach the others'", () => {
    expect(links({ direction: "out", from: "masters" })).toEqual(
      ZONES.map((zone) => ({ from: { zone: "us-east-1a", of: "machines" }, to: { zone, of: "masters" }, cut: true })),
    );
  });
});
