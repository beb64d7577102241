import {
  CreateClusterCommand,
  CreateNodegroupCommand,
  DescribeClusterCommand,
  DescribeInsightCommand,
  DescribeInsightsRefreshCommand,
  EKSClient,
  type InsightSummary,
  type InsightsFilter,
  ListInsightsCommand,
  paginateListInsights,
  StartInsightsRefreshCommand,
  UpdateClusterVersionCommand,
} from "@aws-sdk/client-eks";
import { afterEach, describe, expect, it } from "vitest";
import type { DaemonSet } from "../../../src/kubernetes/schema/generated/types.js";
import { type Eksim, type EksimOptions, startEksim } from "../../../src/testkit/index.js";
import { CLUSTER, NODEGROUP, refusal } from "../gateway-rig.js";

let eksim: Eksim;
let client: EKSClient;

async function start(version: string, options: EksimOptions = {}): Promise<void> {
  eksim = await startEksim({ clockStart: "2026-09-22T09:00:00Z", ...options });
  client = new EKSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
  await client.send(new CreateClusterCommand({ ...CLUSTER, version }));
  await eksim.idle();
}
afterEach(async () => {
  client.destroy();
  await eksim.stop();
});

const list = async (filter?: InsightsFilter): Promise<InsightSummary[]> =>
  (await client.send(new ListInsightsCommand({ clusterName: "demo", filter }))).insights ?? [];
const detail = async (name: string) => {
  const id = (await list({ categories: ["UPGRADE_READINESS"] })).find((insight) => insight.name === name)?.id;
  return (await client.send(new DescribeInsightCommand({ clusterName: "demo", id }))).insight;
};
const refresh = async (): Promise<void> => {
  await client.send(new StartInsightsRefreshCommand({ clusterName: "demo" }));
  await eksim.idle();
};
const shown = (insights: InsightSummary[]) =>
  Object.fromEntries(
    insights.map(({ name, insightStatus }) => [name, `${insightStatus?.status}: ${insightStatus?.reason}`]),
  );
const upgrade = async (version: string, force?: boolean): Promise<void> => {
  await client.send(new UpdateClusterVersionCommand({ name: "demo", version, force }));
  await eksim.advance("1h");
  const { cluster } = await client.send(new DescribeClusterCommand({ name: "demo" }));
  expect(cluster).toMatchObject({ version, status: "ACTIVE" });
};
const workers = async (): Promise<void> => {
  await client.send(new CreateNodegroupCommand(NODEGROUP));
  await eksim.advance("5m");
};
const askForBeta = () =>
  eksim.kubernetes("demo", "GET", "/apis/networking.k8s.io/v1beta1/servicecidrs").catch(() => {});

describe("a fresh cluster", () => {
  it("has the insights of EKS for its next version, all of them passing", async () => {
    await start("1.35");
    const found = await list({ kubernetesVersions: ["1.36"] });
    expect(shown(found)).toEqual({
      "Kubelet version skew": "PASSING: Node kubelet versions match the cluster control plane version.",
      "kube-proxy version skew": "PASSING: kube-proxy versions match the cluster control plane version.",
      "EKS add-on version compatibility":
        "PASSING: All installed EKS add-on versions are compatible with next Kubernetes version.",
      "Cluster health issues": "PASSING: No cluster health issues detected.",
    });
    expect(found[0]).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      category: "UPGRADE_READINESS",
      lastRefreshTime: new Date("2026-09-22T09:00:00Z"),
      lastTransitionTime: new Date("2026-09-22T09:00:00Z"),
    });
    expect(shown(await list())).toMatchObject({
      "Deprecated APIs removed in Kubernetes v1.37":
        "PASSING: No deprecated API usage detected within the last 30 days.",
    });
  });

  it("is filtered by category, version and status, and listed in pages", async () => {
    await start("1.35");
    expect(await list({ categories: ["MISCONFIGURATION"] })).toEqual([]);
    expect(await list({ statuses: ["ERROR", "WARNING"] })).toEqual([]);
    const all = await list({ statuses: ["PASSING"] });
    const ids: (string | undefined)[] = [];
    const pages = paginateListInsights(
      { client, pageSize: 2 },
      { clusterName: "demo", filter: { statuses: ["PASSING"] } },
    );
    for await (const page of pages) ids.push(...(page.insights ?? []).map(({ id }) => id));
    expect(ids).toEqual(all.map(({ id }) => id));
    expect(ids.length).toBeGreaterThan(4);
  });

  it("refuses what is not there", async () => {
    await start("1.35");
    const unknown = client.send(new DescribeInsightCommand({ clusterName: "demo", id: "none" }));
    expect(await refusal(unknown)).toMatchObject({ name: "ResourceNotFoundException", clusterName: "demo" });
    const never = client.send(new DescribeInsightsRefreshCommand({ clusterName: "demo" }));
    expect(await refusal(never)).toMatchObject({ name: "ResourceNotFoundException" });
    expect(await refusal(client.send(new ListInsightsCommand({ clusterName: "other" })))).toMatchObject({
      message: "No cluster found for name: other.",
    });
  });
});

describe("nodes that are behind", () => {
  it("are a warning that names each of them, and an error once the next version would not support them", async () => {
    await start("1.33");
    await workers();
    await upgrade("1.34");
    const behind = await detail("Kubelet version skew");
    expect(behind).toMatchObject({ kubernetesVersion: "1.35", insightStatus: { status: "WARNING" } });
    expect(behind?.resources).toHaveLength(2);
    expect(behind?.resources?.[0]).toMatchObject({
      insightStatus: { status: "WARNING" },
      kubernetesResourceUri: expect.stringMatching(/^\/api\/v1\/nodes\/ip-/),
    });
    await upgrade("1.35");
    await upgrade("1.36");
    expect(await detail("Kubelet version skew")).toMatchObject({
      kubernetesVersion: "1.37",
      insightStatus: {
        status: "ERROR",
        reason: "Node kubelet versions do not match the cluster control plane version.",
      },
    });
    expect(eksim.events({ cluster: "demo" }).map(({ type }) => type)).toContain("InsightStatusChanged");
  });

  it("do not hinder a rollback", async () => {
    await start("1.35");
    await workers();
    await upgrade("1.36");
    expect(shown(await list({ categories: ["ROLLBACK_READINESS"] }))).toEqual({
      "Kubelet version skew": "PASSING: No node kubelet version is newer than the rollback version.",
    });
  });
});

describe("use of an API that the next version does not serve", () => {
  it("is an error with the client, its requests and the replacement", async () => {
    await start("1.36");
    await askForBeta();
    await askForBeta();
    await refresh();
    const name = "Deprecated APIs removed in Kubernetes v1.37";
    const found = await detail(name);
    expect(found).toMatchObject({
      insightStatus: {
        status: "ERROR",
        reason: "Deprecated API usage detected within last 30 days and your cluster is on Kubernetes v1.36.",
      },
      resources: [{ kubernetesResourceUri: "/apis/networking.k8s.io/v1beta1/servicecidrs" }],
    });
    expect(
      found?.categorySpecificSummary?.deprecationDetails?.find(({ usage }) => usage?.endsWith("/servicecidrs")),
    ).toMatchObject({
      replacedWith: "/apis/networking.k8s.io/v1/servicecidrs",
      startServingReplacementVersion: "1.33",
      stopServingVersion: "1.37",
      clientStats: [{ numberOfRequestsLast30Days: 2, lastRequestTime: new Date("2026-09-22T09:00:00Z") }],
    });
  });

  it("is a warning while that version is further away, and none once it has gone by", async () => {
    await start("1.35");
    await askForBeta();
    await refresh();
    expect((await detail("Deprecated APIs removed in Kubernetes v1.37"))?.insightStatus?.status).toBe("WARNING");
    expect((await list()).filter(({ kubernetesVersion }) => kubernetesVersion === "1.32")).toEqual([]);
  });
});

describe("StartInsightsRefresh", () => {
  it("takes its time under the aws profile, one at a time", async () => {
    await start("1.36", { profile: "aws" });
    await eksim.advance("1h");
    const answer = await client.send(new StartInsightsRefreshCommand({ clusterName: "demo" }));
    expect(answer.status).toBe("IN_PROGRESS");
    expect(await refusal(client.send(new StartInsightsRefreshCommand({ clusterName: "demo" })))).toMatchObject({
      name: "InvalidRequestException",
    });
    const describeRefresh = () => client.send(new DescribeInsightsRefreshCommand({ clusterName: "demo" }));
    expect(await describeRefresh()).toMatchObject({
      status: "IN_PROGRESS",
      startedAt: new Date("2026-09-22T10:00:00Z"),
    });
    await eksim.advance("2m");
    expect(await describeRefresh()).toMatchObject({
      status: "COMPLETED",
      startedAt: new Date("2026-09-22T10:00:00Z"),
      endedAt: new Date("2026-09-22T10:02:00Z"),
    });
    expect((await list())[0]?.lastRefreshTime).toEqual(new Date("2026-09-22T10:02:00Z"));
  });

  it("fails while the API server has no quorum, and what was known stays", async () => {
    await start("1.36");
    await eksim.failZone("us-east-1a");
    await eksim.failZone("us-east-1b");
    await refresh();
    const state = await client.send(new DescribeInsightsRefreshCommand({ clusterName: "demo" }));
    expect(state).toMatchObject({ status: "FAILED" });
    expect(await list({ statuses: ["PASSING"] })).not.toEqual([]);
  });

  it("is not needed: EKS looks every day by itself", async () => {
    await start("1.36");
    await eksim.advance("25h");
    expect((await list())[0]?.lastRefreshTime).toEqual(new Date("2026-09-23T09:00:00Z"));
  });
});

describe("UpdateClusterVersion", () => {
  const misuse = async (): Promise<void> => {
    const path = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy";
    const daemonSet = await eksim.kubernetes<DaemonSet>("demo", "GET", path);
    for (const container of daemonSet.spec?.template.spec?.containers ?? []) {
      container.image = "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/kube-proxy:v1.31.0-eksbuild.1";
    }
    await eksim.kubernetes("demo", "PUT", path, daemonSet);
    await refresh();
  };

  it("goes past insights that speak against it, as EKS does", async () => {
    await start("1.35");
    await misuse();
    expect((await detail("kube-proxy version skew"))?.insightStatus?.status).toBe("ERROR");
    await upgrade("1.36");
  });

  it("is refused by them where they are enforced, unless forced", async () => {
    await start("1.35", { enforceInsights: true });
    await misuse();
    expect(await refusal(upgrade("1.36"))).toMatchObject({
      name: "InvalidStateException",
      message: expect.stringContaining("kube-proxy version skew"),
      clusterName: "demo",
      status: 400,
    });
    await upgrade("1.36", true);
  });
});
