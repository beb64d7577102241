import {
  CreateClusterCommand,
  CreateNodegroupCommand,
  DescribeClusterVersionsCommand,
  type DescribeClusterVersionsCommandInput,
  ListTagsForResourceCommand,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateClusterConfigCommand,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, NODEGROUP, type Rig, refusal, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

describe("tags", () => {
  let clusterArn: string;
  beforeEach(async () => {
    const { cluster } = await rig.client.send(new CreateClusterCommand({ ...CLUSTER, tags: { a: "1" } }));
    clusterArn = cluster?.arn ?? "";
    rig.activate("demo");
  });
  const list = async (resourceArn = clusterArn) =>
    (await rig.client.send(new ListTagsForResourceCommand({ resourceArn }))).tags;
  const tag = (tags: Record<string, string>, resourceArn = clusterArn) =>
    rig.client.send(new TagResourceCommand({ resourceArn, tags }));

  it("are merged, and removed by key; keys that are not there are ignored", async () => {
    await tag({ b: "2", a: "3" });
    expect(await list()).toEqual({ a: "3", b: "2" });
    await rig.client.send(new UntagResourceCommand({ resourceArn: clusterArn, tagKeys: ["a", "none"] }));
    expect(await list()).toEqual({ b: "2" });
  });

  it("of a node group are its own", async () => {
    const { nodegroup } = await rig.client.send(new CreateNodegroupCommand(NODEGROUP));
    await tag({ "with space": "x/y:z" }, nodegroup?.nodegroupArn);
    expect(await list(nodegroup?.nodegroupArn)).toEqual({ "with space": "x/y:z" });
    expect(await list()).toEqual({ a: "1" });
  });

  it("may change while an update is running, and survive its end", async () => {
    await rig.client.send(new UpdateClusterConfigCommand({ name: "demo", deletionProtection: true }));
    await tag({ during: "update" });
    rig.finishUpdate("demo");
    expect(await list()).toEqual({ a: "1", during: "update" });
  });

  it.each([
    ["arn:aws:eks:us-east-1:000000000000:cluster/none", "NotFoundException", 404],
    ["arn:aws:eks:us-east-1:111122223333:cluster/demo", "NotFoundException", 404],
    ["arn:aws:eks:eu-west-1:000000000000:cluster/demo", "NotFoundException", 404],
    [
      "arn:aws:eks:us-east-1:000000000000:nodegroup/demo/workers/00000000-0000-0000-0000-000000000000",
      "NotFoundException",
      404,
    ],
    ["arn:aws:eks:us-east-1:000000000000:constructor/demo", "NotFoundException", 404],
    ["arn:aws:s3:::bucket", "BadRequestException", 400],
    ["demo", "BadRequestException", 400],
  ])("of %s are refused with %s", async (arn, name, status) => {
    expect(await refusal(list(arn))).toMatchObject({ name, status });
    expect(await refusal(tag({ a: "b" }, arn))).toMatchObject({ name, status });
  });

  it("that are reserved, malformed or too many are refused in the family of errors of these calls", async () => {
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, ""]));
    for (const tags of [{ "aws:x": "y" }, { "a;b": "c" }, many, { ...many, more: "" }, {}]) {
      expect(await refusal(tag(tags))).toMatchObject({ name: "BadRequestException", status: 400 });
    }
    expect(await list()).toEqual({ a: "1" });
  });
});

describe("DescribeClusterVersions", () => {
  const versions = async (input: DescribeClusterVersionsCommandInput = {}) =>
    (await rig.client.send(new DescribeClusterVersionsCommand(input))).clusterVersions ?? [];
  const names = async (input: DescribeClusterVersionsCommandInput = {}) =>
    (await versions(input)).map(({ clusterVersion }) => clusterVersion);

  it("tells the calendar of every version in support, newest first, with days at midnight UTC", async () => {
    const [newest, ...others] = await versions();
    expect(newest).toEqual({
      clusterVersion: "1.36",
      clusterType: "eks",
      defaultPlatformVersion: "eks.8",
      defaultVersion: true,
      releaseDate: new Date("2026-06-02T00:00:00Z"),
      endOfStandardSupportDate: new Date("2027-08-02T00:00:00Z"),
      endOfExtendedSupportDate: new Date("2028-08-02T00:00:00Z"),
      status: "STANDARD_SUPPORT",
      versionStatus: "STANDARD_SUPPORT",
      kubernetesPatchVersion: "1.36.1",
    });
    expect(others.map(({ clusterVersion }) => clusterVersion)).toEqual(["1.35", "1.34", "1.33", "1.32", "1.31"]);
    expect(others.filter(({ defaultVersion }) => defaultVersion)).toEqual([]);
  });

  it.each<[string, DescribeClusterVersionsCommandInput, string[]]>([
    ["the default", { defaultOnly: true }, ["1.36"]],
    ["named ones", { clusterVersions: ["1.34", "1.36", "1.1"] }, ["1.36", "1.34"]],
    ["those in extended support", { versionStatus: "EXTENDED_SUPPORT" }, ["1.33", "1.32", "1.31"]],
    ["those in extended support, as it was spelt before", { status: "extended-support" }, ["1.33", "1.32", "1.31"]],
    ["those out of support", { versionStatus: "UNSUPPORTED" }, ["1.30", "1.29", "1.28"]],
    ["another type of cluster", { clusterType: "eks-local-outposts" }, []],
  ])("filters by %s", async (_, input, expected) => {
    expect(await names(input)).toEqual(expected);
  });

  it("shows versions out of support when all are asked for", async () => {
    expect(await names({ includeAll: true })).toHaveLength(9);
  });

  it("pages", async () => {
    const page = (nextToken?: string) =>
      rig.client.send(new DescribeClusterVersionsCommand({ maxResults: 4, nextToken }));
    const first = await page();
    const second = await page(first.nextToken);
    expect([...(first.clusterVersions ?? []), ...(second.clusterVersions ?? [])]).toEqual(await versions());
    expect(second.nextToken).toBeUndefined();
  });

  it("follows the clock: a version leaves standard support on its day", async () => {
    const status = async () => (await versions({ clusterVersions: ["1.34"] }))[0]?.versionStatus;
    await rig.clock.advance(Date.parse("2026-12-01T23:59:59Z") - rig.clock.now());
    expect(await status()).toBe("STANDARD_SUPPORT");
    await rig.clock.advance(1000);
    expect(await status()).toBe("EXTENDED_SUPPORT");
  });
});
