import {
  CreateClusterCommand,
  DeregisterClusterCommand,
  DescribeClusterCommand,
  EKSClient,
  ListClustersCommand,
  ListNodegroupsCommand,
  ListTagsForResourceCommand,
  RegisterClusterCommand,
  type RegisterClusterCommandInput,
  TagResourceCommand,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";
import { CLUSTER, refusal } from "../gateway-rig.js";

let eksim: Eksim;
let client: EKSClient;
beforeEach(async () => {
  eksim = await startEksim({ clockStart: "2026-11-22T09:00:00Z" });
  client = new EKSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
});
afterEach(async () => {
  client.destroy();
  await eksim.stop();
});

const CONNECTOR = { roleArn: "arn:aws:iam::000000000000:role/eks-connector-agent", provider: "GKE" } as const;
const register = (changes: Partial<RegisterClusterCommandInput> = {}) =>
  client.send(new RegisterClusterCommand({ name: "far", connectorConfig: CONNECTOR, ...changes }));
const describeFar = async () => (await client.send(new DescribeClusterCommand({ name: "far" }))).cluster;
const names = async (include?: string[]) => (await client.send(new ListClustersCommand({ include }))).clusters;

async function connect(activationId = "", activationCode = ""): Promise<number> {
  const query = new URLSearchParams({ activationId, activationCode });
  const response = await fetch(`${eksim.endpoint}/_eksim/registrations/far/connect?${query}`, { method: "POST" });
  return response.status;
}

describe("RegisterCluster", () => {
  it("answers the cluster PENDING with an activation that is good for three days", async () => {
    const { cluster } = await register({ tags: { team: "a" } });
    expect(cluster).toEqual({
      name: "far",
      arn: "arn:aws:eks:us-east-1:000000000000:cluster/far",
      createdAt: new Date("2026-11-22T09:00:00Z"),
      status: "PENDING",
      tags: { team: "a" },
      connectorConfig: {
        activationId: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f-]{27}$/),
        activationCode: expect.stringMatching(/^\w{20}$/),
        activationExpiry: new Date("2026-11-25T09:00:00Z"),
        ...CONNECTOR,
      },
    });
    expect(await describeFar()).toEqual(cluster);
    expect(eksim.events({ cluster: "far" })).toMatchObject([{ type: "RegisterCluster", subject: "far" }]);
  });

  it("shares the names with EKS's own clusters, both ways", async () => {
    const taken = { name: "ResourceInUseException", message: "Cluster already exists with name: far", status: 409 };
    await register();
    expect(await refusal(register())).toMatchObject(taken);
    expect(await refusal(client.send(new CreateClusterCommand({ ...CLUSTER, name: "far" })))).toMatchObject(taken);
    await client.send(new CreateClusterCommand({ ...CLUSTER, name: "near" }));
    expect(await refusal(register({ name: "near" }))).toMatchObject({ name: "ResourceInUseException" });
  });

  it("answers the same again for the same token, and registers anew once it was deregistered", async () => {
    const first = await register({ clientRequestToken: "t" });
    expect((await register({ clientRequestToken: "t" })).cluster).toEqual(first.cluster);
    await client.send(new DeregisterClusterCommand({ name: "far" }));
    await eksim.advance("1s");
    expect((await register({ clientRequestToken: "t" })).cluster?.createdAt).not.toEqual(first.cluster?.createdAt);
  });

  it("refuses roles of other accounts and an eleventh cluster", async () => {
    const roleArn = "arn:aws:iam::111111111111:role/eks";
    expect(await refusal(register({ connectorConfig: { ...CONNECTOR, roleArn } }))).toMatchObject({
      name: "AccessDeniedException",
      message: "Cross-account pass role is not allowed.",
    });
    for (let n = 0; n < 10; n++) await register({ name: `far-${n}` });
    expect(await refusal(register())).toMatchObject({ name: "ResourceLimitExceededException" });
  });
});

describe("a registered cluster", () => {
  it("is listed only with include=all", async () => {
    await client.send(new CreateClusterCommand({ ...CLUSTER, name: "near" }));
    await register();
    expect(await names()).toEqual(["near"]);
    expect(await names(["all"])).toEqual(["far", "near"]);
    const page = await client.send(new ListClustersCommand({ include: ["all"], maxResults: 1 }));
    expect(page.clusters).toEqual(["far"]);
    const rest = new ListClustersCommand({ include: ["all"], maxResults: 1, nextToken: page.nextToken });
    expect((await client.send(rest)).clusters).toEqual(["near"]);
  });

  it("is ACTIVE once the agent reports with its activation, and stays so", async () => {
    const { activationId, activationCode } = (await register()).cluster?.connectorConfig ?? {};
    expect(await connect(activationId, "wrong")).toBe(403);
    expect((await describeFar())?.status).toBe("PENDING");
    expect(await connect(activationId, activationCode)).toBe(200);
    await eksim.advance("240h");
    expect((await describeFar())?.status).toBe("ACTIVE");
    expect(await names(["all"])).toEqual(["far"]);
  });

  it("vanishes from the list when nobody connects it within three days, and its name is free once deregistered", async () => {
    const { activationId, activationCode } = (await register()).cluster?.connectorConfig ?? {};
    await eksim.advance("71h");
    expect(await names(["all"])).toEqual(["far"]);
    await eksim.advance("1h");
    expect(await names(["all"])).toEqual([]);
    expect(await connect(activationId, activationCode)).toBe(400);
    expect(await refusal(register())).toMatchObject({ name: "ResourceInUseException" });
    await client.send(new DeregisterClusterCommand({ name: "far" }));
    expect((await register()).cluster?.status).toBe("PENDING");
  });

  it("takes tags and refuses everything of EKS's own clusters", async () => {
    const resourceArn = (await register()).cluster?.arn;
    await client.send(new TagResourceCommand({ resourceArn, tags: { a: "b" } }));
    expect((await client.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual({ a: "b" });
    expect(await refusal(client.send(new ListNodegroupsCommand({ clusterName: "far" })))).toMatchObject({
      name: "InvalidRequestException",
      clusterName: "far",
    });
  });

  it("is what DeregisterCluster is for: EKS's own clusters are not", async () => {
    const deregister = (name: string) => client.send(new DeregisterClusterCommand({ name }));
    expect(await refusal(deregister("far"))).toMatchObject({ name: "ResourceNotFoundException" });
    await client.send(new CreateClusterCommand({ ...CLUSTER, name: "near" }));
    expect(await refusal(deregister("near"))).toMatchObject({ name: "ClientException" });
    await register();
    expect((await deregister("far")).cluster).toMatchObject({ name: "far", status: "DELETING" });
    expect(await refusal(describeFar())).toMatchObject({ message: "No cluster found for name: far." });
  });
});
