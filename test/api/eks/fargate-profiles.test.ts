import {
  CreateClusterCommand,
  CreateFargateProfileCommand,
  type CreateFargateProfileCommandInput,
  DeleteClusterCommand,
  DeleteFargateProfileCommand,
  DescribeAccessEntryCommand,
  DescribeFargateProfileCommand,
  ListFargateProfilesCommand,
  ListTagsForResourceCommand,
  paginateListFargateProfiles,
  TagResourceCommand,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { FargateProfileStatus } from "../../../src/domain/fargate.js";
import { CLUSTER, NOW, type Rig, refusal, SCOPE, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.client.send(
    new CreateClusterCommand({ ...CLUSTER, accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" } }),
  );
  rig.activate("demo");
  rig.nudges.length = 0;
});
afterEach(() => rig.close());

const ROLE = "arn:aws:iam::000000000000:role/pods";
const PROFILE = {
  clusterName: "demo",
  fargateProfileName: "web",
  podExecutionRoleArn: ROLE,
  selectors: [{ namespace: "prod-*", labels: { app: "web" } }],
};
const NAMES = { clusterName: "demo", fargateProfileName: "web" };
const create = (changes: Partial<CreateFargateProfileCommandInput> = {}) =>
  rig.client.send(new CreateFargateProfileCommand({ ...PROFILE, ...changes }));
const remove = (fargateProfileName = "web") =>
  rig.client.send(new DeleteFargateProfileCommand({ clusterName: "demo", fargateProfileName }));
const clusterId = () => rig.state.clusters.get({ ...SCOPE, name: "demo" })?.id ?? "";
/** What the reconciler would do. */
function settle(name = "web", status: FargateProfileStatus = "ACTIVE"): void {
  const profile = rig.state.fargateProfiles.get(clusterId(), name);
  if (profile) rig.state.fargateProfiles.put({ ...profile, status });
}

describe("CreateFargateProfile", () => {
  it("answers the profile CREATING, in the cluster's subnets unless others are given", async () => {
    const { fargateProfile } = await create();
    expect(fargateProfile).toEqual({
      ...PROFILE,
      fargateProfileArn: expect.stringMatching(
        /^arn:aws:eks:us-east-1:000000000000:fargateprofile\/demo\/web\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
      ),
      createdAt: new Date(NOW),
      subnets: ["subnet-a", "subnet-b", "subnet-c"],
      status: "CREATING",
      tags: {},
      health: { issues: [] },
    });
    expect(rig.nudges).toEqual([["fargate-profile", `${clusterId()}/web`]]);
    settle();
    const other = await create({ fargateProfileName: "other", subnets: ["subnet-b"] });
    expect(other.fargateProfile?.subnets).toEqual(["subnet-b"]);
  });

  it("gives the pod execution role an access entry of type FARGATE_LINUX", async () => {
    await create();
    const { accessEntry } = await rig.client.send(
      new DescribeAccessEntryCommand({ clusterName: "demo", principalArn: ROLE }),
    );
    expect(accessEntry).toMatchObject({ type: "FARGATE_LINUX", username: "system:node:{{SessionName}}" });
  });

  it.each([
    [{ selectors: [] }, "Fargate Profile requires at least one selector."],
    [{ selectors: undefined }, "Fargate Profile requires at least one selector."],
    [
      { selectors: [{ labels: { a: "b" } }] },
      "Fargate Profile must have at least one selector with at least one namespace value.",
    ],
    [{ selectors: Array(6).fill({ namespace: "a" }) }, "Request contains more than 5 Selectors"],
    [
      { selectors: [{ namespace: "a", labels: { a: "", b: "", c: "", d: "", e: "", f: "" } }] },
      "Request contains Selector with more than 5 Label pairs",
    ],
    [{ selectors: [{ namespace: "Not_A_Namespace" }] }, "The namespace provided is invalid."],
    [{ selectors: [{ namespace: "a", labels: { "a b": "c" } }] }, "Selector label provided is invalid."],
    [{ fargateProfileName: "eks-mine" }, "The Fargate profile name starts with the reserved prefix: 'eks-'."],
    [{ podExecutionRoleArn: "nobody" }, "Invalid Role Arn: 'nobody'"],
  ] as [Partial<CreateFargateProfileCommandInput>, string][])("refuses %j", async (changes, message) => {
    expect(await refusal(create(changes))).toMatchObject({ name: "InvalidParameterException", message });
    expect(rig.state.fargateProfiles.count(clusterId())).toBe(0);
  });

  it.each([
    [
      { fargateProfileName: "a b" },
      "InvalidParameterException",
      /^The Fargate profile name parameter contains invalid/,
    ],
    [
      { podExecutionRoleArn: "arn:aws:iam::111111111111:role/pods" },
      "AccessDeniedException",
      /^Cross-account pass role is not allowed\.$/,
    ],
    [{ clusterName: "none" }, "ResourceNotFoundException", /^No cluster found for name: none\.$/],
  ] as [Partial<CreateFargateProfileCommandInput>, string, RegExp][])(
    "refuses %j with %s",
    async (changes, name, message) => {
      expect(await refusal(create(changes))).toMatchObject({ name, message: expect.stringMatching(message) });
    },
  );

  it("takes letters and digits of any script in names", async () => {
    expect((await create({ fargateProfileName: "größe_1" })).fargateProfile?.status).toBe("CREATING");
  });

  it("refuses a name that is taken, and a second profile while one is being made", async () => {
    await create();
    expect(await refusal(create())).toMatchObject({
      name: "ResourceInUseException",
      message: "A Fargate Profile already exists with this name in this cluster.",
    });
    expect(await refusal(create({ fargateProfileName: "other" }))).toMatchObject({
      name: "ResourceInUseException",
      message:
        "Cannot create Fargate Profile other because cluster demo currently has Fargate profile web in status CREATING",
    });
  });

  it("refuses an eleventh profile", async () => {
    for (let i = 0; i < 10; i++) {
      await create({ fargateProfileName: `p${i}` });
      settle(`p${i}`);
    }
    expect(await refusal(create())).toMatchObject({ name: "ResourceLimitExceededException" });
  });

  it("refuses while the cluster is not ACTIVE", async () => {
    rig.activate("demo", { status: "CREATING" });
    expect(await refusal(create())).toMatchObject({
      name: "InvalidRequestException",
      message: "Cluster 'demo' is not in ACTIVE status",
    });
  });

  it("answers the same for the same token", async () => {
    const first = await create({ clientRequestToken: "t" });
    settle();
    const again = await create({ clientRequestToken: "t" });
    expect(again.fargateProfile).toEqual(first.fargateProfile);
    expect(rig.state.fargateProfiles.count(clusterId())).toBe(1);
  });
});

describe("DeleteFargateProfile", () => {
  it("answers the profile DELETING and runs alone", async () => {
    await create();
    expect(await refusal(remove())).toMatchObject({
      name: "ResourceInUseException",
      message:
        "Cannot delete Fargate Profile web because cluster demo currently has Fargate profile web in status CREATING",
    });
    settle();
    await create({ fargateProfileName: "other" });
    settle("other");
    expect((await remove()).fargateProfile?.status).toBe("DELETING");
    expect(await refusal(remove("other"))).toMatchObject({
      name: "ResourceInUseException",
      message:
        "Cannot delete Fargate Profile other because cluster demo currently has Fargate profile web in status DELETING",
    });
  });

  it("refuses a profile that is not there, and so does DescribeFargateProfile", async () => {
    const expected = {
      name: "ResourceNotFoundException",
      message: "No Fargate Profile found with name: web.",
      clusterName: "demo",
      fargateProfileName: "web",
    };
    expect(await refusal(remove())).toMatchObject(expected);
    expect(await refusal(rig.client.send(new DescribeFargateProfileCommand(NAMES)))).toMatchObject(expected);
  });
});

describe("Fargate profiles of a cluster", () => {
  it("are listed in pages, in order of name", async () => {
    for (const name of ["c", "a", "b"]) {
      await create({ fargateProfileName: name });
      settle(name);
    }
    const list = await rig.client.send(new ListFargateProfilesCommand({ clusterName: "demo" }));
    expect(list.fargateProfileNames).toEqual(["a", "b", "c"]);
    const pages: string[][] = [];
    for await (const page of paginateListFargateProfiles(
      { client: rig.client, pageSize: 2 },
      { clusterName: "demo" },
    )) {
      pages.push(page.fargateProfileNames ?? []);
    }
    expect(pages).toEqual([["a", "b"], ["c"]]);
  });

  it("have tags, also after they were made", async () => {
    const resourceArn = (await create({ tags: { a: "1" } })).fargateProfile?.fargateProfileArn ?? "";
    await rig.client.send(new TagResourceCommand({ resourceArn, tags: { b: "2" } }));
    const { tags } = await rig.client.send(new ListTagsForResourceCommand({ resourceArn }));
    expect(tags).toEqual({ a: "1", b: "2" });
    const { fargateProfile } = await rig.client.send(new DescribeFargateProfileCommand(NAMES));
    expect(fargateProfile?.tags).toEqual(tags);
  });

  it("keep the cluster from being deleted", async () => {
    await create();
    settle();
    expect(await refusal(rig.client.send(new DeleteClusterCommand({ name: "demo" })))).toMatchObject({
      name: "ResourceInUseException",
      message: "Cluster has Fargate profiles attached",
    });
  });
});
