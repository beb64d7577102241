import {
  CreateClusterCommand,
  CreateNodegroupCommand,
  type CreateNodegroupCommandInput,
  DeleteClusterCommand,
  DeleteNodegroupCommand,
  DescribeNodegroupCommand,
  ListNodegroupsCommand,
  UpdateNodegroupConfigCommand,
  type UpdateNodegroupConfigCommandInput,
  UpdateNodegroupVersionCommand,
  type UpdateNodegroupVersionCommandInput,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, NODEGROUP, NOW, type Rig, refusal, SCOPE, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.client.send(new CreateClusterCommand(CLUSTER));
  rig.activate("demo");
  rig.nudges.length = 0;
});
afterEach(() => rig.close());

const create = (changes: Partial<CreateNodegroupCommandInput> = {}) =>
  rig.client.send(new CreateNodegroupCommand({ ...NODEGROUP, ...changes }));
const NAMES = { clusterName: "demo", nodegroupName: "workers" };
const describeWorkers = async () => (await rig.client.send(new DescribeNodegroupCommand(NAMES))).nodegroup;
const paramsOf = (update: { params?: { type?: string; value?: string }[] } | undefined) =>
  Object.fromEntries(update?.params?.map(({ type, value }) => [type, value]) ?? []);

describe("CreateNodegroup", () => {
  it("answers the node group CREATING with EKS's defaults", async () => {
    const { nodegroup } = await create();
    expect(nodegroup).toMatchObject({
      ...NODEGROUP,
      nodegroupArn: expect.stringMatching(
        /^arn:aws:eks:us-east-1:000000000000:nodegroup\/demo\/workers\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
      ),
      version: "1.36",
      releaseVersion: "1.36.2-20260714",
      createdAt: new Date(NOW),
      modifiedAt: new Date(NOW),
      status: "CREATING",
      capacityType: "ON_DEMAND",
      scalingConfig: { minSize: 2, maxSize: 2, desiredSize: 2 },
      instanceTypes: ["t3.medium"],
      amiType: "AL2023_x86_64_STANDARD",
      diskSize: 20,
      health: { issues: [] },
      updateConfig: { maxUnavailable: 1 },
      nodeRepairConfig: { enabled: false },
      tags: {},
    });
    for (const member of ["resources", "remoteAccess", "launchTemplate", "taints"]) {
      expect(nodegroup).not.toHaveProperty(member);
    }
  });

  it("writes row, event and work, and shows its Auto Scaling group once there is one", async () => {
    await create();
    const row = rig.activateNodegroup("demo", "workers");
    expect(rig.nudges).toEqual([["nodegroup", `${row.clusterId}/workers`]]);
    expect(rig.state.events.read({ clusterName: "demo" }).at(-1)).toMatchObject({
      type: "CreateNodegroup",
      subject: "workers",
    });
    expect((await describeWorkers())?.resources).toEqual({
      autoScalingGroups: [{ name: `eks-workers-${row.uuid}` }],
    });
  });

  it("keeps labels, taints and tags as given", async () => {
    const labels = { team: "a", "example.com/tier": "web" };
    const taints = [{ key: "dedicated", value: "gpu", effect: "NO_SCHEDULE" as const }];
    const { nodegroup } = await create({ labels, taints, tags: { cost: "low" } });
    expect(nodegroup).toMatchObject({ labels, taints, tags: { cost: "low" } });
  });

  it("takes a launch template's word for the disk", async () => {
    const { nodegroup } = await create({ launchTemplate: { name: "base" } });
    expect(nodegroup?.launchTemplate).toEqual({ name: "base", version: "1" });
    expect(nodegroup).not.toHaveProperty("diskSize");
  });

  const template = { launchTemplate: { name: "base" } };
  it.each<[string, Partial<CreateNodegroupCommandInput>, string]>([
    ["a bad name", { nodegroupName: "-x" }, "The nodegroup name parameter contains invalid characters"],
    ["a long name", { nodegroupName: "x".repeat(64) }, "nodeGroupName can't be longer than 63 characters!"],
    [
      "a minimum above the desired size",
      { scalingConfig: { minSize: 3, desiredSize: 2, maxSize: 4 } },
      "minSize can't be greater than desiredSize",
    ],
    [
      "a desired size above the maximum",
      { scalingConfig: { minSize: 1, desiredSize: 5, maxSize: 4 } },
      "desiredSize can't be greater than maxSize",
    ],
    [
      "a part of the sizes",
      { scalingConfig: { minSize: 1 } },
      "minSize, maxSize and desiredSize must all be specified in scalingConfig",
    ],
    [
      "instance types that do not exist",
      { instanceTypes: ["t3.medium", "t99.huge", "x.y"] },
      "The following supplied instance types do not exist: [t99.huge, x.y]",
    ],
    [
      "instance types of another architecture",
      { instanceTypes: ["m6g.large"] },
      "[m6g.large] is not a valid instance type for requested amiType AL2023_x86_64_STANDARD",
    ],
    [
      "AL2 on a version that has none",
      { amiType: "AL2_x86_64", version: "1.33" },
      "AMI Type AL2_x86_64 is only supported for kubernetes versions 1.32 or earlier",
    ],
    [
      "CUSTOM without a template",
      { amiType: "CUSTOM" },
      "Launch template details can't be null for Custom ami type node group",
    ],
    [
      "a version of a custom AMI",
      { ...template, amiType: "CUSTOM", version: "1.36" },
      "You cannot specify the field kubernetesVersion when using custom AMIs",
    ],
    [
      "a disk beside a template",
      { ...template, diskSize: 50 },
      "Disk size must be specified within the launch template.",
    ],
    [
      "remote access beside a template",
      { ...template, remoteAccess: { ec2SshKey: "k" } },
      "Remote access configuration cannot be specified with a launch template.",
    ],
    [
      "a template by id and by name",
      { launchTemplate: { id: "lt-1", name: "base" } },
      "Either provide launch template ID or launch template name in the request.",
    ],
    [
      "a template by neither",
      { launchTemplate: { version: "1" } },
      "Either a launch template ID or a launch template name must be specified in the request.",
    ],
    ["remote access without a key", { remoteAccess: {} }, "ec2SshKey in remote-access can't be empty"],
    [
      "a version too old for the cluster",
      { version: "1.32" },
      "Cluster Kubernetes version 1.36 supports the following Nodegroup Kubernetes versions: [1.36, 1.35, 1.34, 1.33]",
    ],
    [
      "a version newer than the cluster",
      { version: "1.37" },
      "Cluster Kubernetes version 1.36 supports the following Nodegroup Kubernetes versions: [1.36, 1.35, 1.34, 1.33]",
    ],
    [
      "a release of another version",
      { releaseVersion: "1.35.6-20260714" },
      "Requested release version 1.35.6-20260714 is not valid for kubernetes version 1.36.",
    ],
    [
      "reserved labels",
      { labels: { "kubernetes.io/role": "x" } },
      "Label cannot start with reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]",
    ],
    [
      "labels that are no labels",
      { labels: { team: "a b" } },
      "Label value a b is invalid: value field must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    ],
    [
      "taints that are no taints",
      { taints: [{ key: "a b", effect: "NO_EXECUTE" }] },
      "invalid taint spec: a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    ],
    [
      "two ways to say how many at a time",
      { updateConfig: { maxUnavailable: 1, maxUnavailablePercentage: 10 } },
      "Either provide max-unavailable or max-unavailable-percentage in the request.",
    ],
    ["an empty update config", { updateConfig: {} }, "UpdateConfig cannot be empty if set in the request."],
    [
      "two ways to say when to stop repairs",
      { nodeRepairConfig: { maxUnhealthyNodeThresholdCount: 1, maxUnhealthyNodeThresholdPercentage: 10 } },
      "Either provide max parallel nodes to repair count or percentage in the request.",
    ],
    [
      "a warm pool of Spot instances",
      { capacityType: "SPOT", warmPoolConfig: { enabled: true } },
      "Warm pools are not supported for node groups with capacity type SPOT",
    ],
  ])("refuses %s", async (_, changes, message) => {
    expect(await refusal(create(changes))).toMatchObject({ name: "InvalidParameterException", message, status: 400 });
    expect(rig.nudges).toEqual([]);
  });

  it("looks at the cluster after the names and before the rest", async () => {
    const missing = { clusterName: "other", version: "1.12" };
    expect(await refusal(create(missing))).toEqual({
      name: "ResourceNotFoundException",
      message: "No cluster found for name: other.",
      status: 404,
      clusterName: "other",
    });
    expect(await refusal(create({ ...missing, nodegroupName: "-" }))).toMatchObject({
      message: "The nodegroup name parameter contains invalid characters",
    });
    rig.activate("demo", { status: "UPDATING" });
    expect(await refusal(create({ version: "1.12" }))).toMatchObject({
      name: "InvalidRequestException",
      message: "Cluster 'demo' is not in ACTIVE status",
    });
  });

  it("refuses a name that is taken", async () => {
    await create();
    expect(await refusal(create())).toEqual({
      name: "ResourceInUseException",
      message: "NodeGroup already exists with name workers and cluster name demo",
      status: 409,
      clusterName: "demo",
      nodegroupName: "workers",
    });
  });

  it("gives the first answer again for the same token", async () => {
    const first = await create({ clientRequestToken: "t" });
    expect((await create({ clientRequestToken: "t" })).nodegroup).toEqual(first.nodegroup);
  });
});

describe("DescribeNodegroup, ListNodegroups and DeleteNodegroup", () => {
  it("finds no group that does not exist", async () => {
    expect(await refusal(describeWorkers())).toEqual({
      name: "ResourceNotFoundException",
      message: "No node group found for name: workers.",
      status: 404,
      clusterName: "demo",
      nodegroupName: "workers",
    });
  });

  it("lists names in alphabetical order", async () => {
    for (const nodegroupName of ["b", "a", "c"]) await create({ nodegroupName });
    const list = (input: object) => rig.client.send(new ListNodegroupsCommand({ clusterName: "demo", ...input }));
    const first = await list({ maxResults: 2 });
    expect(first.nodegroups).toEqual(["a", "b"]);
    expect(await list({ nextToken: first.nextToken })).toMatchObject({ nodegroups: ["c"] });
  });

  it("blocks the deletion of its cluster until it is gone", async () => {
    await create();
    const { nodegroup } = await rig.client.send(new DeleteNodegroupCommand(NAMES));
    expect(nodegroup?.status).toBe("DELETING");
    const remove = () => rig.client.send(new DeleteClusterCommand({ name: "demo" }));
    expect(await refusal(remove())).toEqual({
      name: "ResourceInUseException",
      message: "Cluster has nodegroups attached",
      status: 409,
      clusterName: "demo",
    });
    rig.state.nodegroups.remove({ ...SCOPE, name: "demo" }, "workers");
    expect((await remove()).cluster?.status).toBe("DELETING");
  });

  it("ends the update that was running", async () => {
    await create();
    rig.activateNodegroup("demo", "workers");
    await rig.client.send(new UpdateNodegroupConfigCommand({ ...NAMES, labels: { addOrUpdateLabels: { a: "b" } } }));
    const { clusterId } = rig.activateNodegroup("demo", "workers", { status: "UPDATING" });
    await rig.client.send(new DeleteNodegroupCommand(NAMES));
    expect(rig.state.updates.inProgress(clusterId, "workers")).toBeUndefined();
  });
});

describe("UpdateNodegroupConfig", () => {
  beforeEach(async () => {
    await create({
      scalingConfig: { minSize: 1, desiredSize: 2, maxSize: 4 },
      labels: { team: "a", tier: "web" },
      taints: [{ key: "dedicated", value: "gpu", effect: "NO_SCHEDULE" }],
    });
    rig.activateNodegroup("demo", "workers");
  });
  const update = (changes: Omit<UpdateNodegroupConfigCommandInput, keyof typeof NAMES>) =>
    rig.client.send(new UpdateNodegroupConfigCommand({ ...NAMES, ...changes }));

  it.each<[string, Omit<UpdateNodegroupConfigCommandInput, keyof typeof NAMES>, object, object]>([
    [
      "only the sizes that change",
      { scalingConfig: { desiredSize: 3, maxSize: 4 } },
      { DesiredSize: "3" },
      { scalingConfig: { minSize: 1, desiredSize: 3, maxSize: 4 } },
    ],
    [
      "labels added and removed",
      { labels: { addOrUpdateLabels: { team: "b" }, removeLabels: ["tier"] } },
      { LabelsToAdd: '{"team":"b"}', LabelsToRemove: '["tier"]' },
      { labels: { team: "b" } },
    ],
    [
      "taints added and removed",
      {
        taints: {
          addOrUpdateTaints: [{ key: "spot", effect: "PREFER_NO_SCHEDULE" }],
          removeTaints: [{ key: "dedicated", effect: "NO_SCHEDULE" }],
        },
      },
      {
        TaintsToAdd: '[{"key":"spot","effect":"PREFER_NO_SCHEDULE"}]',
        TaintsToRemove: '[{"key":"dedicated","effect":"NO_SCHEDULE"}]',
      },
      { taints: [{ key: "spot", effect: "PREFER_NO_SCHEDULE" }] },
    ],
    [
      "how many at a time",
      { updateConfig: { maxUnavailablePercentage: 30 } },
      { MaxUnavailablePercentage: "30" },
      { updateConfig: { maxUnavailablePercentage: 30 } },
    ],
    [
      "the update strategy alone",
      { updateConfig: { updateStrategy: "MINIMAL" } },
      { UpdateStrategy: "MINIMAL" },
      { updateConfig: { maxUnavailable: 1, updateStrategy: "MINIMAL" } },
    ],
    [
      "node repair",
      { nodeRepairConfig: { enabled: true } },
      { NodeRepairEnabled: "true" },
      { nodeRepairConfig: { enabled: true } },
    ],
  ])("plans %s", async (_, change, params, result) => {
    const { update: started } = await update(change);
    expect(started).toMatchObject({ type: "ConfigUpdate", status: "InProgress" });
    expect(paramsOf(started)).toEqual(params);
    expect((await describeWorkers())?.status).toBe("UPDATING");
    rig.finishUpdate("demo", "workers");
    expect(await describeWorkers()).toMatchObject({ status: "ACTIVE", ...result });
    expect(await refusal(update(change))).toMatchObject({
      name: "InvalidParameterException",
      message: "No changes needed for the node group config provided",
    });
  });

  it.each<[string, Omit<UpdateNodegroupConfigCommandInput, keyof typeof NAMES>, string]>([
    [
      "a minimum above what is desired",
      { scalingConfig: { minSize: 3 } },
      "Minimum capacity 3 can't be greater than desired size 2",
    ],
    [
      "more than the maximum",
      { scalingConfig: { desiredSize: 5 } },
      "desired capacity 5 can't be greater than max size 4",
    ],
    ["nothing", {}, "No changes needed for the node group config provided"],
    [
      "reserved labels",
      { labels: { addOrUpdateLabels: { "eks.amazonaws.com/x": "y" } } },
      "Label cannot start with reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]",
    ],
  ])("refuses %s", async (_, change, message) => {
    expect(await refusal(update(change))).toMatchObject({ name: "InvalidParameterException", message, status: 400 });
  });

  it("refuses while the group is not ACTIVE, and takes a DEGRADED one", async () => {
    rig.activateNodegroup("demo", "workers", { status: "CREATING" });
    const change = { scalingConfig: { desiredSize: 3 } };
    expect(await refusal(update(change))).toEqual({
      name: "ResourceInUseException",
      message: "Nodegroup cannot be updated as it is currently not in Active State",
      status: 409,
      clusterName: "demo",
      nodegroupName: "workers",
    });
    rig.activateNodegroup("demo", "workers", { status: "DEGRADED" });
    expect((await update(change)).update?.status).toBe("InProgress");
  });

  it("runs beside an update of the cluster", async () => {
    rig.activate("demo", { status: "UPDATING" });
    expect((await update({ scalingConfig: { desiredSize: 3 } })).update?.status).toBe("InProgress");
  });
});

describe("UpdateNodegroupVersion", () => {
  beforeEach(async () => {
    await create({ version: "1.35", releaseVersion: "1.35.3-20260409" });
    rig.activateNodegroup("demo", "workers");
  });
  const update = (changes: Omit<UpdateNodegroupVersionCommandInput, keyof typeof NAMES> = {}) =>
    rig.client.send(new UpdateNodegroupVersionCommand({ ...NAMES, ...changes }));

  it.each<[string, Omit<UpdateNodegroupVersionCommandInput, keyof typeof NAMES>, object]>([
    ["the newest release of its own version unless told", {}, { Version: "1.35", ReleaseVersion: "1.35.6-20260714" }],
    ["the cluster's version", { version: "1.36" }, { Version: "1.36", ReleaseVersion: "1.36.2-20260714" }],
    [
      "the cluster's version by a release of it",
      { releaseVersion: "1.36.1-20260610" },
      { Version: "1.36", ReleaseVersion: "1.36.1-20260610" },
    ],
  ])("goes to %s", async (_, change, params) => {
    const { update: started } = await update(change);
    expect(started?.type).toBe("VersionUpdate");
    expect(paramsOf(started)).toEqual(params);
    const { clusterId } = rig.activateNodegroup("demo", "workers");
    expect(rig.state.updates.inProgress(clusterId, "workers")?.plan).toMatchObject({ force: false });
  });

  it.each<[string, Omit<UpdateNodegroupVersionCommandInput, keyof typeof NAMES>, string]>([
    [
      "another version than its own and the cluster's",
      { version: "1.34" },
      "Nodegroup Kubernetes version should be equal to Cluster kubernetes version 1.36 or NodeGroup kubernetes version 1.35",
    ],
    [
      "a release that is none of the version",
      { version: "1.36", releaseVersion: "1.35.6-20260714" },
      "Requested release version 1.35.6-20260714 is not valid for kubernetes version 1.36.",
    ],
    [
      "a launch template where there was none",
      { launchTemplate: { name: "x" } },
      "A launch template cannot be specified for a node group that was created without one",
    ],
    [
      "exactly what it has",
      { version: "1.35", releaseVersion: "1.35.3-20260409" },
      "No changes needed for the node group version provided",
    ],
  ])("refuses %s", async (_, change, message) => {
    expect(await refusal(update(change))).toMatchObject({ name: "InvalidParameterException", message, status: 400 });
  });

  it("moves to another version of its launch template, never to another template", async () => {
    await create({ nodegroupName: "lt", launchTemplate: { name: "base", version: "1" } });
    rig.activateNodegroup("demo", "lt");
    const move = (launchTemplate: object) => update({ nodegroupName: "lt", launchTemplate } as never);
    expect(await refusal(move({ name: "other", version: "2" }))).toMatchObject({ name: "InvalidParameterException" });
    expect(paramsOf((await move({ name: "base", version: "2" })).update)).toMatchObject({
      LaunchTemplateName: "base",
      LaunchTemplateVersion: "2",
    });
  });
});
