import { describe, expect, it } from "vitest";
import { amountsOf, quantityOf, requestsOf } from "../../../../src/faults/drills/lint/amounts.js";
import { portsClash, stayOnUnreachable, tolerates } from "../../../../src/faults/drills/lint/match.js";
import { minimumOf } from "../../../../src/faults/drills/lint/minimum.js";
import { podFacts } from "../../../../src/faults/drills/lint/read-pod.js";

describe("quantities", () => {
  it.each([
    ["1", 1],
    ["100m", 0.1],
    ["1.5Gi", 1.5 * 2 ** 30],
    ["2e3", 2000],
    ["1E", 1e18],
    ["1E3", 1000],
    [".5", 0.5],
    ["-1k", -1000],
    ["", undefined],
    ["1.2.3", undefined],
    ["ten", undefined],
    ["1Mib", undefined],
  ])("%j is %s", (text, amount) => {
    if (amount === undefined) expect(quantityOf(text)).toBeUndefined();
    else expect(quantityOf(text)).toBeCloseTo(amount, 6);
  });

  it("CPU is in thousandths of a core, rounded up, and everything else in wholes", () => {
    expect(amountsOf({ cpu: "100m", memory: "1Ki", "nvidia.com/gpu": "2" })).toEqual({
      cpu: 100,
      memory: 1024,
      "nvidia.com/gpu": 2,
    });
    expect(amountsOf({ cpu: "1.0001", memory: "0.5" })).toEqual({ cpu: 1001, memory: 1 });
    expect(amountsOf({ cpu: "0.57" })).toEqual({ cpu: 570 });
    expect(amountsOf({ memory: "much" })).toEqual({ memory: 0 });
  });
});

describe("what a pod asks for", () => {
  const asks = (cpu: string): { resources: { requests: { cpu: string } } } => ({ resources: { requests: { cpu } } });

  it("is its containers together, or the hungriest moment of its start, sidecars in both", () => {
    expect(requestsOf({ containers: [asks("1"), asks("500m")] })).toEqual({ cpu: 1500, pods: 1 });
    expect(requestsOf({ containers: [asks("1")], initContainers: [asks("3")] })).toEqual({ cpu: 3000, pods: 1 });
    const sidecar = { ...asks("1"), restartPolicy: "Always" };
    expect(requestsOf({ containers: [asks("1")], initContainers: [sidecar, asks("3")] })).toEqual({
      cpu: 4000,
      pods: 1,
    });
    // The first one starts before the sidecar does.
    expect(requestsOf({ containers: [asks("1")], initContainers: [asks("3"), sidecar] })).toEqual({
      cpu: 3000,
      pods: 1,
    });
  });

  it("is what the pod says as a whole where it does, and its overhead in any case", () => {
    const whole = { containers: [asks("1")], resources: { requests: { cpu: "2" } }, overhead: { cpu: "250m" } };
    expect(requestsOf(whole)).toEqual({ cpu: 2250, pods: 1 });
    expect(requestsOf({})).toEqual({ pods: 1 });
  });
});

describe("what a pod demands of a node", () => {
  const read = (spec: object): ReturnType<typeof podFacts> =>
    podFacts(
      { metadata: { name: "p", namespace: "shop", labels: { app: "web", "pod-template-hash": "1" } }, spec },
      undefined,
    );

  it("wishes are left out, demands are kept", () => {
    const term = { topologyKey: "zone", labelSelector: { matchLabels: { app: "web" } } };
    const facts = read({
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [term],
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }],
        },
      },
      topologySpreadConstraints: [
        { ...term, maxSkew: 1, whenUnsatisfiable: "ScheduleAnyway" },
        { ...term, maxSkew: 2, whenUnsatisfiable: "DoNotSchedule", matchLabelKeys: ["pod-template-hash", "missing"] },
      ],
    });
    const web = { key: "app", operator: "In", values: ["web"] };
    expect(facts.apart).toEqual([{ topologyKey: "zone", selector: [web], namespaces: ["shop"] }]);
    const hash = { key: "pod-template-hash", operator: "In", values: ["1"] };
    expect(facts.spread).toEqual([{ topologyKey: "zone", maxSkew: 2, selector: [web, hash] }]);
  });

  it("ports of the host, by address, and those of pods in the host's own network", () => {
    const ports = [
      { containerPort: 80, hostPort: 8080 },
      { containerPort: 53, hostPort: 53, protocol: "UDP", hostIP: "10.0.0.1" },
      { containerPort: 9 },
    ];
    expect(read({ containers: [{ ports }] }).hostPorts).toEqual(["8080/TCP", "53/UDP/10.0.0.1"]);
    expect(read({ hostNetwork: true, containers: [{ ports: [{ containerPort: 9 }] }] }).hostPorts).toEqual(["9/TCP"]);
    expect(portsClash(["53/UDP/10.0.0.1"], ["53/UDP/10.0.0.2"])).toBe(false);
    expect(portsClash(["53/UDP/10.0.0.1"], ["53/UDP"])).toBe(true);
    expect(portsClash(["53/UDP"], ["53/TCP"])).toBe(false);
  });

  it("claims by name, those of ephemeral volumes by the names that they are given", () => {
    const volumes = [
      { name: "a", persistentVolumeClaim: { claimName: "data" } },
      { name: "b", ephemeral: {} },
      { name: "c" },
    ];
    expect(read({ volumes }).claims).toEqual(["data", "p-b"]);
  });
});

describe("taints", () => {
  const taint = { key: "k", value: "v", effect: "NoSchedule" };
  it.each([
    [{ key: "k", operator: "Exists" }, true],
    [{ key: "k", value: "v" }, true],
    [{ key: "k", value: "w" }, false],
    [{ operator: "Exists" }, true],
    [{}, false],
    [{ key: "k", operator: "Exists", effect: "NoExecute" }, false],
    [{ key: "other", operator: "Exists" }, false],
  ])("%j tolerates it: %s", (toleration, does) => {
    expect(tolerates([toleration], taint)).toBe(does);
  });

  it("the shortest of several tolerations says how long a pod stays; one without an end says for good", () => {
    const unreachable = { key: "node.kubernetes.io/unreachable", operator: "Exists" };
    expect(stayOnUnreachable({ tolerations: [] })).toBe(0);
    expect(
      stayOnUnreachable({
        tolerations: [
          { ...unreachable, tolerationSeconds: 300 },
          { ...unreachable, tolerationSeconds: 20 },
        ],
      }),
    ).toBe(20);
    expect(stayOnUnreachable({ tolerations: [unreachable] })).toBeUndefined();
  });
});

describe("the minimum of a workload of which nobody says it", () => {
  const budget = (spec: object, app = "web"): Parameters<typeof minimumOf>[2][number] => ({
    metadata: { name: "b", namespace: "default" },
    spec: { selector: { matchLabels: { app } }, ...spec },
  });
  it.each([
    [[], 1],
    [[budget({ minAvailable: 4 })], 4],
    [[budget({ minAvailable: "50%" })], 3],
    [[budget({ maxUnavailable: "30%" })], 3],
    [[budget({ maxUnavailable: 1 }), budget({ minAvailable: 2 })], 4],
    [[budget({ minAvailable: 9 })], 5],
    [[budget({ minAvailable: 4 }, "other")], 1],
    [[{ metadata: { name: "b" }, spec: { minAvailable: 4 } }], 1],
  ])("of five replicas with %j it is %i", (budgets, minimum) => {
    expect(minimumOf(5, { app: "web" }, budgets)).toBe(minimum);
  });
});
