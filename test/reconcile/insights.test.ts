import { afterEach, describe, expect, it } from "vitest";
import type { UpgradeFacts } from "../../src/backends/backend.js";
import type { InsightRecord } from "../../src/domain/insights.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

const DAY_MS = 86_400_000;
const API = { usage: "/apis/networking.k8s.io/v1beta1/servicecidrs", removedIn: "1.37" };

const worlds: World[] = [];
/** A world whose cluster is as `facts` say. */
function world(facts: () => Partial<UpgradeFacts>): World<MemoryBackend> {
  const made = makeWorld((clock) => ({
    ...createMemoryBackend(clock),
    upgradeFacts: async () => ({ nodes: [], removedApis: [API], deprecatedUses: [], sinceMs: 1, ...facts() }),
  }));
  worlds.push(made);
  return made;
}
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.stop();
});

const insight = (w: World, name: string, category = "UPGRADE_READINESS"): InsightRecord | undefined =>
  w.state.insights
    .list(w.cluster()?.id ?? "")
    .find((candidate) => candidate.name === name && candidate.category === category);
const clients = (w: World) =>
  insight(w, "Deprecated APIs removed in Kubernetes v1.37")?.summary.deprecationDetails?.[0]?.clientStats;

describe("insights", () => {
  it("count the use of a deprecated API over restarts of the API server, and forget it after 30 days", async () => {
    let facts: Partial<UpgradeFacts> = {};
    const w = world(() => facts);
    const use = (count: number) => [{ usage: API.usage, userAgent: "kubectl", count, lastMs: w.clock.now() }];
    await w.createCluster();
    expect(clients(w)).toEqual([]);
    facts = { deprecatedUses: use(3), sinceMs: 1 };
    await w.clock.advance(DAY_MS);
    facts = { deprecatedUses: use(4), sinceMs: 1 };
    await w.clock.advance(DAY_MS);
    expect(clients(w)).toMatchObject([{ userAgent: "kubectl", numberOfRequestsLast30Days: 4 }]);
    facts = { deprecatedUses: use(2), sinceMs: 2 };
    const lastRequestTime = w.clock.now();
    await w.clock.advance(DAY_MS);
    expect(clients(w)).toEqual([{ userAgent: "kubectl", numberOfRequestsLast30Days: 6, lastRequestTime }]);
    await w.clock.advance(28 * DAY_MS);
    expect(insight(w, "Deprecated APIs removed in Kubernetes v1.37")?.verdict.status).toBe("ERROR");
    await w.clock.advance(2 * DAY_MS);
    expect(clients(w)).toEqual([]);
    expect(insight(w, "Deprecated APIs removed in Kubernetes v1.37")?.verdict.status).toBe("PASSING");
  });

  it("remember when their status changed, and tell of it", async () => {
    let nodes: UpgradeFacts["nodes"] = [];
    const w = world(() => ({ nodes }));
    const cluster = await w.createCluster();
    const startedMs = w.clock.now();
    await w.clock.advance(DAY_MS);
    expect(insight(w, "Kubelet version skew")).toMatchObject({
      lastTransitionMs: startedMs,
      lastRefreshMs: startedMs + DAY_MS,
    });
    nodes = [{ name: "old", kubeletVersion: "v1.30.14-eks-abc" }];
    await w.clock.advance(DAY_MS);
    const told = insight(w, "Kubelet version skew");
    expect(told).toMatchObject({ verdict: { status: "ERROR" }, lastTransitionMs: startedMs + 2 * DAY_MS });
    expect(w.state.events.read({ clusterName: cluster.name }).at(-1)).toMatchObject({
      type: "InsightStatusChanged",
      subject: "Kubelet version skew",
    });
  });

  it("are about the installed add-ons as well", async () => {
    const w = world(() => ({}));
    const { id, name, accountId, region } = await w.createCluster("demo", { version: "1.35" });
    expect(insight(w, "EKS add-on version compatibility")?.verdict.status).toBe("PASSING");
    const arn = `arn:aws:eks:us-east-1:000000000000:addon/${name}/kube-proxy/x`;
    w.state.addons.put({
      accountId,
      region,
      clusterId: id,
      clusterName: name,
      name: "kube-proxy",
      arn,
      version: "v1.30.0-eksbuild.1",
      namespace: "kube-system",
      createdAtMs: 1,
      modifiedAtMs: 1,
      status: "ACTIVE",
      healthIssues: [],
      tags: {},
      resolveConflicts: "NONE",
    });
    await w.clock.advance(DAY_MS);
    expect(insight(w, "EKS add-on version compatibility")).toMatchObject({
      kubernetesVersion: "1.36",
      verdict: { status: "ERROR" },
      resources: [{ arn, insightStatus: { status: "ERROR" } }],
      summary: { addonCompatibilityDetails: [{ name: "kube-proxy" }] },
    });
  });
});
