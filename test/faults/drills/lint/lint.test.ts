import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { replicasFor } from "../../../../src/faults/drills/lint/advice.js";
import type { PodFacts } from "../../../../src/faults/drills/lint/facts.js";
import { lintCluster } from "../../../../src/faults/drills/lint/lint.js";
import { lintExitCode, lintJson, lintReport, lintText } from "../../../../src/faults/drills/lint/lint-report.js";
import { lintWarnings } from "../../../../src/faults/drills/lint/warnings.js";
import { facts, node, nodegroup, pod, said, threeNodes, workload } from "./facts.js";

const GIB = 1024 ** 3;
const inZoneA = { nodeSelector: { "topology.kubernetes.io/zone": "a" } };
const app = (name: string): { key: string; operator: string; values: string[] }[] => [
  { key: "app", operator: "In", values: [name] },
];

describe("what a workload would be left with", () => {
  it("a replica in each of three zones: two stay, and the third finds a place", () => {
    const world = facts({
      workloads: [workload("web", 3, { minimum: 2 })],
      pods: ["n-a", "n-b", "n-c"].map((n) => pod("web", n)),
    });
    expect(said(world)).toEqual({
      cluster: "demo",
      zone: "a",
      namespace: "default",
      kind: "Deployment",
      name: "web",
      says: "survives",
      message: "2 of 3 replicas stay ready, it needs 2. The one lost finds a place on nodes that are left.",
    });
  });

  it("all replicas in one zone by chance: it loses them, and spreading would help", () => {
    const world = facts({
      workloads: [workload("web", 2)],
      pods: [pod("web", "n-a"), pod("web", "n-a", { name: "two" })],
    });
    expect(said(world)).toMatchObject({
      says: "loses-every-replica",
      message: "Both of its replicas are in a. The 2 lost find a place on nodes that are left.",
      help: [
        "Its 2 replicas would do if they were spread evenly: spread it with topologySpreadConstraints on topology.kubernetes.io/zone, maxSkew 1.",
      ],
    });
    expect(said(world, "b")).toMatchObject({ says: "survives", message: "Nothing of it is in b." });
  });

  it("a single replica: another is needed", () => {
    const world = facts({ workloads: [workload("one", 1)], pods: [pod("one", "n-a")] });
    expect(said(world)).toMatchObject({
      says: "loses-every-replica",
      help: ["Run 2 replicas spread over 3 zones with topologySpreadConstraints, of which it needs 1."],
    });
  });

  it("a minimum that even spreading cannot keep: more replicas, or a smaller minimum", () => {
    const world = facts({
      workloads: [workload("web", 3, { minimum: 3, spreadsOverZones: true })],
      pods: ["n-a", "n-b", "n-c"].map((n) => pod("web", n)),
    });
    expect(said(world)).toMatchObject({
      says: "below-minimum",
      help: ["Run 5 replicas spread over 3 zones, of which it needs 3; or let it do with 2 of 3."],
    });
  });

  it("a node selector that admits one zone alone", () => {
    const world = facts({ workloads: [workload("pinned", 1)], pods: [pod("pinned", "n-a", inZoneA)] });
    expect(said(world)).toMatchObject({
      says: "loses-every-replica",
      message:
        "Its only replica is in a. The one lost finds no place: no node is left that its selector or affinity admits.",
      help: ["Its node selector or affinity admits a alone: let it admit other zones."],
    });
  });

  it("nodes that a pod tolerates are in one zone alone", () => {
    const taints = [{ key: "gpu", value: "yes", effect: "NoSchedule" }];
    const nodes = [node("n-a", "a", { labels: { gpu: "1" } }), ...threeNodes({ taints }).slice(1)];
    const world = facts({ nodes, workloads: [workload("train", 1)], pods: [pod("train", "n-a")] });
    expect(said(world)).toMatchObject({
      says: "loses-every-replica",
      message: expect.stringContaining("it does not tolerate the taints of nodes that are left"),
      help: [expect.stringContaining("add a node group with such nodes in other zones")],
    });
    const tolerant = pod("train", "n-a", { tolerations: [{ key: "gpu", operator: "Exists" }] });
    expect(said({ ...world, pods: [tolerant] }).message).toContain("finds a place");
  });

  it("a pod of nobody's is not made anew", () => {
    const alone = { kind: "Pod", namespace: "default", name: "job" };
    const world = facts({
      workloads: [workload("job", 1, { kind: "Pod" })],
      pods: [pod("job", "n-a", { workload: alone })],
    });
    expect(said(world)).toMatchObject({
      says: "loses-every-replica",
      message: "Its only replica is in a. It has no owner that would make another.",
      help: ["Nobody makes a single pod anew: let a Deployment own it."],
    });
  });

  it("a DaemonSet's pods go with their nodes and nobody wants them elsewhere", () => {
    const owner = { kind: "DaemonSet", namespace: "default", name: "agent" };
    const world = facts({
      workloads: [workload("agent", 3, { kind: "DaemonSet", minimum: 2 })],
      pods: ["n-a", "n-b", "n-c"].map((n) => pod("agent", n, { workload: owner })),
    });
    expect(said(world)).toMatchObject({ says: "survives", message: expect.stringContaining("comes back with one") });
  });

  it("replicas that are not ready, or on their way out, are none", () => {
    const world = facts({
      workloads: [workload("web", 3, { minimum: 2 })],
      pods: [pod("web", "n-a"), pod("web", "n-b"), pod("web", "n-c", { ready: false })],
    });
    expect(said(world).says).toBe("below-minimum");
    expect(said(world, "c").says).toBe("survives");
    expect(lintWarnings(world).map(({ message }) => message)).toEqual([
      "Only 2 of 3 replicas are ready: what is said of it starts from there.",
    ]);
  });

  it("a minimum of none does not make the loss of everything a survival", () => {
    const world = facts({ workloads: [workload("web", 1, { minimum: 0 })], pods: [pod("web", "n-a")] });
    expect(said(world).says).toBe("loses-every-replica");
  });

  it("nothing is said of what wants no replicas", () => {
    expect(lintCluster(facts({ workloads: [workload("off", 0)] }))).toEqual([]);
  });
});

describe("volumes", () => {
  const claim = (
    name: string,
    zone: string,
  ): {
    namespace: string;
    name: string;
    oneNode: boolean;
    reachableFrom: { key: string; operator: string; values: string[] }[][];
  } => ({
    namespace: "default",
    name,
    oneNode: true,
    reachableFrom: [[{ key: "topology.kubernetes.io/zone", operator: "In", values: [zone] }]],
  });
  const replicas = ["a", "b", "c"].map((zone) => pod("db", `n-${zone}`, { claims: [`data-${zone}`] }));
  const claims = ["a", "b", "c"].map((zone) => claim(`data-${zone}`, zone));

  it("a database that can do without one member survives, and the member waits for its volume", () => {
    const world = facts({ workloads: [workload("db", 3, { minimum: 2 })], pods: replicas, claims });
    expect(said(world)).toMatchObject({
      says: "survives",
      message:
        "2 of 3 replicas stay ready, it needs 2. data-a can be reached from there alone: its pod waits until the zone is back.",
    });
  });

  it("volumes out of reach are named, also of what survives without them", () => {
    const world = facts({ workloads: [workload("db", 3, { minimum: 2 })], pods: replicas, claims });
    expect(said(world).volumes).toEqual(["data-a"]);
    const text = lintText(lintReport(world));
    expect(text).toContain(
      "✓ Deployment default/db survives\n      2 of 3 replicas stay ready, it needs 2. data-a can be reached",
    );
    expect(lintExitCode(lintReport(world))).toBe(0);
  });

  it("one that cannot do without it loses its volume", () => {
    const world = facts({ workloads: [workload("db", 3, { minimum: 3 })], pods: replicas, claims });
    expect(said(world)).toMatchObject({
      says: "loses-its-volume",
      help: expect.arrayContaining([expect.stringContaining("Replicate its data to volumes in other zones")]),
    });
  });

  it("a volume that all zones reach goes along, and a claim that is not bound yet binds wherever its pod is", () => {
    for (const reachable of [undefined, [[{ key: "kubernetes.io/os", operator: "NotIn", values: ["windows"] }]]]) {
      const shared = {
        namespace: "default",
        name: "data-a",
        oneNode: false,
        ...(reachable ? { reachableFrom: reachable } : {}),
      };
      const world = facts({ workloads: [workload("db", 1)], pods: replicas.slice(0, 1), claims: [shared] });
      expect(said(world)).toMatchObject({
        says: "loses-every-replica",
        message: expect.stringContaining("finds a place"),
      });
    }
  });

  it("a volume of one machine is lost with it", () => {
    const local = {
      ...claim("data-a", "a"),
      reachableFrom: [[{ key: "kubernetes.io/hostname", operator: "In", values: ["n-a"] }]],
    };
    expect(said(facts({ workloads: [workload("db", 1)], pods: replicas.slice(0, 1), claims: [local] })).says).toBe(
      "loses-its-volume",
    );
  });

  it("a volume that one node at a time may have stays with the pod that uses it elsewhere", () => {
    const shared = { namespace: "default", name: "shared", oneNode: true };
    const pods = [pod("web", "n-a", { claims: ["shared"] }), pod("web", "n-b", { claims: ["shared"] })];
    const full = threeNodes().map((one) => (one.name === "n-b" ? { ...one, unschedulable: true } : one));
    expect(said(facts({ nodes: full, workloads: [workload("web", 2)], pods, claims: [shared] }))).toMatchObject({
      message: expect.stringContaining("its volume is in use on another node"),
    });
  });

  it("attachments count where nodes say how many they have", () => {
    const nodes = threeNodes({ allocatable: { cpu: 2000, memory: GIB, pods: 29, "volumes:ebs.csi.aws.com": 0 } });
    const attached = { namespace: "default", name: "data-a", oneNode: true, driver: "ebs.csi.aws.com" };
    expect(
      said(facts({ nodes, workloads: [workload("db", 1)], pods: replicas.slice(0, 1), claims: [attached] })),
    ).toMatchObject({
      message: expect.stringContaining("too little volumes:ebs.csi.aws.com is free"),
      help: expect.arrayContaining([expect.stringContaining("short of attachments of ebs.csi.aws.com")]),
    });
  });
});

describe("room in the zones that are left", () => {
  const big = { requests: { cpu: 1500, pods: 1 } };
  const web = (more: Partial<PodFacts> = {}): PodFacts[] =>
    ["n-a", "n-b", "n-c"].map((n) => pod("web", n, { ...big, ...more }));

  it("no room on the nodes that stay, but the node group launches others", () => {
    const nodes = threeNodes({ replacedBy: "nodegroup", nodegroup: "general" });
    const world = facts({
      nodes,
      workloads: [workload("web", 3, { minimum: 2 })],
      pods: web(),
      nodegroups: [nodegroup("general")],
    });
    expect(said(world).message).toBe(
      "2 of 3 replicas stay ready, it needs 2. The one lost finds a place once node group general has launched others elsewhere.",
    );
  });

  it("no room at all where nobody launches any", () => {
    const world = facts({ workloads: [workload("web", 3, { minimum: 3 })], pods: web() });
    expect(said(world)).toMatchObject({
      says: "below-minimum",
      message: "2 of 3 replicas stay ready, it needs 3. The one lost finds no place: too little cpu is free.",
      help: expect.arrayContaining([
        "The zones that are left are short of CPU: keep more nodes, larger ones, or ask for less.",
      ]),
    });
  });

  it("a node group in a single zone launches nothing elsewhere, and is warned of", () => {
    const nodes = threeNodes().map((one) =>
      one.zone === "a" ? ({ ...one, replacedBy: "nodegroup", nodegroup: "only" } as const) : one,
    );
    const world = facts({
      nodes,
      workloads: [workload("web", 3)],
      pods: web(),
      nodegroups: [nodegroup("only", { zones: ["a"], desired: 1 })],
    });
    expect(said(world).message).toContain("finds no place");
    expect(lintWarnings(world).map(({ subject }) => subject)).toEqual(["node group only"]);
  });

  it("DaemonSets take their part of new nodes", () => {
    const owner = { kind: "DaemonSet", namespace: "default", name: "agent" };
    const nodes = threeNodes({ replacedBy: "nodegroup", nodegroup: "general" });
    const agents = ["n-a", "n-b", "n-c"].map((n) =>
      pod("agent", n, { workload: owner, requests: { cpu: 600, pods: 1 } }),
    );
    const world = facts({
      nodes,
      workloads: [workload("web", 3)],
      pods: [...web(), ...agents],
      nodegroups: [nodegroup("general")],
    });
    expect(said(world, "a", "web").message).toContain("finds no place: too little cpu is free");
  });

  it("required anti-affinity, host ports, demanded spread and affinity each stand in the way, and say so", () => {
    const apart = { apart: [{ topologyKey: "kubernetes.io/hostname", selector: app("web"), namespaces: ["default"] }] };
    const together = {
      together: [{ topologyKey: "topology.kubernetes.io/zone", selector: app("cache"), namespaces: ["default"] }],
    };
    const cases: [Partial<PodFacts>, string][] = [
      [apart, "its anti-affinity keeps it away"],
      [{ hostPorts: ["80/TCP"] }, "its host ports are taken"],
      [together, "its affinity has nobody to be with"],
      [
        { spread: [{ topologyKey: "topology.kubernetes.io/zone", maxSkew: 1, selector: app("web"), minDomains: 3 }] },
        "its spread over zones forbids it",
      ],
    ];
    for (const [demand, reason] of cases) {
      const pods = ["n-a", "n-b", "n-c"].map((n) => pod("web", n, demand));
      expect(said(facts({ workloads: [workload("web", 3)], pods })).message).toBe(
        `2 of 3 replicas stay ready, it needs 1. The one lost finds no place: ${reason}.`,
      );
    }
  });

  it("a spread that is demanded counts the zones that are left", () => {
    const spread = { spread: [{ topologyKey: "topology.kubernetes.io/zone", maxSkew: 1, selector: app("web") }] };
    const pods = ["n-a", "n-b", "n-c"].map((n) => pod("web", n, spread));
    expect(said(facts({ workloads: [workload("web", 3)], pods })).message).toContain("finds a place");
  });

  it("more important pods push others out, which then are missing too", () => {
    const urgent = pod("urgent", "n-a", { ...big, priority: 1000 });
    const pods = [urgent, pod("batch", "n-b", big), pod("batch", "n-c", { ...big, name: "second" })];
    const workloads = [workload("urgent", 1), workload("batch", 2, { minimum: 2 })];
    expect(said(facts({ workloads, pods }), "a", "batch")).toMatchObject({
      says: "below-minimum",
      message: expect.stringContaining("1 replica elsewhere must make room for pods of higher priority"),
    });
    const polite = [{ ...urgent, preempts: false }, ...pods.slice(1)];
    expect(said(facts({ workloads, pods: polite }), "a", "batch").says).toBe("survives");
  });

  it("Fargate and scalers make machines where zones are left", () => {
    for (const replacedBy of ["fargate", "scaler"] as const) {
      const nodes = threeNodes({ replacedBy });
      expect(said(facts({ nodes, workloads: [workload("web", 3)], pods: web() })).message).toContain(
        "finds a place once machines have been launched elsewhere",
      );
    }
  });
});

describe("warnings", () => {
  const pods = ["n-a", "n-b", "n-c"].map((n) => pod("web", n));
  const budget = { namespace: "default", name: "web", selector: app("web") };

  it.each([
    [{ maxUnavailable: 0 }, true],
    [{ maxUnavailable: 1 }, false],
    [{ minAvailable: 3 }, true],
    [{ minAvailable: "100%" }, true],
    [{ minAvailable: "60%" }, false],
    [{ maxUnavailable: "0%" }, true],
  ])("a budget of %j never lets a pod go: %s", (spec, blocks) => {
    const warnings = lintWarnings(facts({ workloads: [workload("web", 3)], pods, budgets: [{ ...budget, ...spec }] }));
    expect(warnings.map(({ subject }) => subject)).toEqual(blocks ? ["PodDisruptionBudget default/web"] : []);
  });

  it("two budgets for the same pods keep every drain out", () => {
    const budgets = [
      { ...budget, maxUnavailable: 1 },
      { ...budget, name: "other", maxUnavailable: 1 },
    ];
    expect(lintWarnings(facts({ workloads: [workload("web", 3)], pods, budgets }))).toMatchObject([
      { message: expect.stringContaining("web and other all select its pods") },
    ]);
  });

  it.each([
    [[], false],
    [
      [{ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 }],
      false,
    ],
    [
      [{ key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 3600 }],
      true,
    ],
    [[{ operator: "Exists" }], true],
  ])("pods with tolerations %j stay too long on nodes that are cut off: %s", (tolerations, stays) => {
    const tolerant = pods.map((one) => ({ ...one, tolerations }));
    expect(lintWarnings(facts({ workloads: [workload("web", 3)], pods: tolerant })).length).toBe(stays ? 1 : 0);
  });

  it("a cluster in one zone is warned of as such", () => {
    expect(lintWarnings(facts({ nodes: [node("n-a", "a")] })).map(({ subject }) => subject)).toEqual(["cluster demo"]);
  });
});

describe("properties", () => {
  it("what is spread evenly over three zones and needs no more than the two fuller ones hold without the third survives any one zone", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 60 }), fc.nat(), fc.constantFrom(0, 1, 2), (wanted, seed, shift) => {
        const most = wanted - Math.ceil(wanted / 3);
        const minimum = 1 + (seed % most);
        const zones = ["a", "b", "c"];
        const pods = Array.from({ length: wanted }, (_, i) =>
          pod("web", `n-${zones[(i + shift) % 3]}`, { name: `web-${i}` }),
        );
        const predictions = lintCluster(facts({ workloads: [workload("web", wanted, { minimum })], pods }));
        expect(predictions.map(({ says }) => says)).toEqual(["survives", "survives", "survives"]);
      }),
    );
  });

  it("the number of replicas that it advises is enough, and the smallest that is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 2, max: 6 }), (minimum, zones) => {
        const needed = replicasFor(minimum, zones) as number;
        const left = (replicas: number): number => replicas - Math.ceil(replicas / zones);
        expect(left(needed)).toBeGreaterThanOrEqual(minimum);
        expect(left(needed - 1)).toBeLessThan(minimum);
      }),
    );
  });

  it("never finds a place for more than there is room for", () => {
    const shape = fc.record({
      cpu: fc.integer({ min: 1, max: 2000 }),
      zone: fc.constantFrom("a", "b", "c"),
      priority: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(shape, { minLength: 1, maxLength: 12 }), (shapes) => {
        const pods = shapes.map(({ cpu, zone, priority }, i) =>
          pod(`w-${i}`, `n-${zone}`, { requests: { cpu, pods: 1 }, priority, preempts: false }),
        );
        const world = facts({ pods, workloads: shapes.map((_, i) => workload(`w-${i}`, 1)) });
        const lost = lintCluster(world).filter(({ zone, says }) => zone === "a" && says !== "survives");
        const placed = lost.filter(({ message }) => message.includes("finds a place"));
        const used = (zone: string): number => shapes.reduce((sum, one) => sum + (one.zone === zone ? one.cpu : 0), 0);
        const free = ["b", "c"].reduce((sum, zone) => sum + Math.max(0, 2000 - used(zone)), 0);
        const found = placed.reduce((sum, { name }) => sum + (shapes[Number(name.slice(2))]?.cpu ?? 0), 0);
        expect(found).toBeLessThanOrEqual(free);
      }),
    );
  });
});

describe("the report of lint", () => {
  const world = facts({
    workloads: [workload("web", 2), workload("\u001b[31mpinned", 1)],
    pods: [pod("web", "n-a"), pod("web", "n-b"), pod("\u001b[31mpinned", "n-a", inZoneA)],
  });

  it("names what would be lost without each zone, and counts the rest", () => {
    expect(lintText(lintReport(world))).toBe(
      `without a: 1 workload of 2 survives
  ✗ Deployment default/\ufffd[31mpinned loses every replica
      Its only replica is in a. The one lost finds no place: no node is left that its selector or affinity admits.
      → Its node selector or affinity admits a alone: let it admit other zones.

without b: 2 workloads of 2 survive

without c: 2 workloads of 2 survive
`,
    );
    expect(lintText(lintReport(world), { all: true })).toContain("✓ Deployment default/web survives");
    expect(lintText(lintReport(facts({ nodes: [] })))).toBe("the cluster has no nodes: there is nothing to lose\n");
  });

  it("tells a shell whether everything survives, and programs everything", () => {
    const report = lintReport(world);
    expect(lintExitCode(report)).toBe(1);
    expect(lintExitCode({ predictions: report.predictions.filter(({ says }) => says === "survives") })).toBe(0);
    expect(JSON.parse(lintJson(report))).toEqual({ schemaVersion: 1, ...report });
  });
});
