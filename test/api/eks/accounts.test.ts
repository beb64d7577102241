import {
  CreateClusterCommand,
  CreateNodegroupCommand,
  DeleteClusterCommand,
  DescribeClusterCommand,
  EKSClient,
  ListClustersCommand,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { kubernetesCall } from "../../../src/testkit/http.js";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";

const OURS = { accessKeyId: "test", secretAccessKey: "test" };
const THEIRS = { accessKeyId: "111122223333", secretAccessKey: "test" };
const PLACES = [
  { region: "us-east-1", credentials: OURS, account: "000000000000" },
  { region: "us-west-2", credentials: OURS, account: "000000000000" },
  { region: "us-east-1", credentials: THEIRS, account: "111122223333" },
];
type Place = (typeof PLACES)[number];

let eksim: Eksim;
let clients: EKSClient[];
const clientOf = (place: Place): EKSClient => clients[PLACES.indexOf(place)] as EKSClient;

beforeEach(async () => {
  eksim = await startEksim();
  clients = PLACES.map(
    ({ region, credentials }) => new EKSClient({ endpoint: eksim.endpoint, region, credentials, maxAttempts: 1 }),
  );
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await eksim.stop();
});

async function create(place: Place): Promise<void> {
  const client = clientOf(place);
  await client.send(
    new CreateClusterCommand({
      name: "demo",
      roleArn: `arn:aws:iam::${place.account}:role/eks`,
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
    }),
  );
  await eksim.advanceUntil(
    async () => (await client.send(new DescribeClusterCommand({ name: "demo" }))).cluster?.status === "ACTIVE",
    "1m",
  );
  await client.send(
    new CreateNodegroupCommand({
      clusterName: "demo",
      nodegroupName: "workers",
      nodeRole: `arn:aws:iam::${place.account}:role/node`,
      subnets: ["subnet-a", "subnet-b", "subnet-c"],
      scalingConfig: { minSize: 0, maxSize: 6, desiredSize: 3 },
    }),
  );
  await eksim.advance("30s");
}

/** The demo cluster of `place` as the principal of `caller` sees it. */
async function nodes(place: Place, caller: Place = place): Promise<string[]> {
  const { cluster } = await clientOf(place).send(new DescribeClusterCommand({ name: "demo" }));
  const { items } = await kubernetesCall<{ items: { metadata: { name: string; labels: Record<string, string> } }[] }>(
    { endpoint: eksim.endpoint, region: caller.region, credentials: caller.credentials, wallNow: () => Date.now() },
    {
      clusterName: "demo",
      endpoint: cluster?.endpoint ?? "",
      caPem: Buffer.from(cluster?.certificateAuthority?.data ?? "", "base64").toString(),
    },
    "GET",
    "/api/v1/nodes",
  );
  return items.map(({ metadata }) => metadata.labels["topology.kubernetes.io/zone"] ?? "").sort();
}

describe("clusters of one name in two accounts and two regions", () => {
  it("have endpoints, authorities and nodes of their own, and no principal of the one gets into the other", async () => {
    for (const place of PLACES) await create(place);
    const clusters = await Promise.all(
      PLACES.map(async (place) => (await clientOf(place).send(new DescribeClusterCommand({ name: "demo" }))).cluster),
    );
    expect(clusters.map((cluster) => cluster?.arn)).toEqual(
      PLACES.map(({ region, account }) => `arn:aws:eks:${region}:${account}:cluster/demo`),
    );
    for (const of of ["endpoint", "certificateAuthority", "identity"] as const) {
      expect(new Set(clusters.map((cluster) => JSON.stringify(cluster?.[of]))).size).toBe(3);
    }
    const [east, west, theirs] = PLACES as [Place, Place, Place];
    expect(await nodes(east)).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
    expect(await nodes(west)).toEqual(["us-west-2a", "us-west-2b", "us-west-2c"]);
    expect(await nodes(theirs)).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
    await expect(nodes(east, theirs)).rejects.toMatchObject({ status: 401 });
    await expect(nodes(theirs, east)).rejects.toMatchObject({ status: 401 });
  });

  it("fail and go one by one", async () => {
    for (const place of PLACES) await create(place);
    const [east, west, theirs] = PLACES as [Place, Place, Place];
    await eksim.failZone("us-east-1a");
    await eksim.advance("2m");
    expect(await nodes(east)).toEqual(["us-east-1b", "us-east-1b", "us-east-1c"]);
    expect(await nodes(theirs)).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
    await eksim.eks("DELETE", "/clusters/demo/node-groups/workers");
    await eksim.advance("1m");
    await clientOf(east).send(new DeleteClusterCommand({ name: "demo" }));
    await eksim.advance("1m");
    expect((await clientOf(east).send(new ListClustersCommand({}))).clusters).toEqual([]);
    for (const place of [west, theirs]) {
      expect((await clientOf(place).send(new ListClustersCommand({}))).clusters).toEqual(["demo"]);
      expect(await nodes(place)).toHaveLength(3);
    }
  });
});
