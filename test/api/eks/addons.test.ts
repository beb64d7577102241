import {
  CreateAddonCommand,
  type CreateAddonCommandInput,
  CreateClusterCommand,
  DeleteAddonCommand,
  DescribeAddonCommand,
  DescribeAddonConfigurationCommand,
  DescribeAddonVersionsCommand,
  DescribePodIdentityAssociationCommand,
  DescribeUpdateCommand,
  ListAddonsCommand,
  ListPodIdentityAssociationsCommand,
  ListTagsForResourceCommand,
  ListUpdatesCommand,
  paginateDescribeAddonVersions,
  paginateListAddons,
  TagResourceCommand,
  UpdateAddonCommand,
  type UpdateAddonCommandInput,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AddonRecord } from "../../../src/domain/addon.js";
import { CLUSTER, NOW, type Rig, refusal, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.client.send(new CreateClusterCommand(CLUSTER));
  rig.activate("demo");
  rig.nudges.length = 0;
});
afterEach(() => rig.close());

const COREDNS = { clusterName: "demo", addonName: "coredns" };
const ROLE = "arn:aws:iam::000000000000:role/addon";
const create = (changes: Partial<CreateAddonCommandInput> = {}) =>
  rig.client.send(new CreateAddonCommand({ ...COREDNS, ...changes }));
const update = (changes: Partial<UpdateAddonCommandInput> = {}) =>
  rig.client.send(new UpdateAddonCommand({ ...COREDNS, ...changes }));
const shown = async (addonName = "coredns") =>
  (await rig.client.send(new DescribeAddonCommand({ clusterName: "demo", addonName }))).addon;

/** What a reconciler would do. */
function change(changes: Partial<AddonRecord>, addonName = "coredns"): void {
  const cluster = rig.state.clusters.all()[0];
  const record = cluster && rig.state.addons.get(cluster.id, addonName);
  if (!record) throw new Error(`no add-on ${addonName}`);
  rig.state.addons.put({ ...record, ...changes });
}

describe("CreateAddon", () => {
  it("answers the add-on CREATING, in the default version of the cluster's Kubernetes version", async () => {
    const { addon } = await create();
    expect(addon).toEqual({
      addonName: "coredns",
      clusterName: "demo",
      status: "CREATING",
      addonVersion: "v1.14.3-eksbuild.11",
      health: { issues: [] },
      addonArn: expect.stringMatching(
        /^arn:aws:eks:us-east-1:000000000000:addon\/demo\/coredns\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
      ),
      createdAt: new Date(NOW),
      modifiedAt: new Date(NOW),
      tags: {},
      namespaceConfig: { namespace: "kube-system" },
    });
    expect(rig.nudges).toEqual([["addon", expect.stringMatching(/^[0-9A-F]{32}\/coredns$/)]]);
    expect(rig.state.events.read({ clusterName: "demo" }).at(-1)).toMatchObject({
      type: "CreateAddon",
      subject: "coredns",
    });
  });

  it("shows what was given, and who publishes what is not AWS's own", async () => {
    await create({
      addonName: "metrics-server",
      configurationValues: "replicaCount: 3",
      tags: { team: "a" },
      serviceAccountRoleArn: ROLE,
    });
    expect(await shown("metrics-server")).toMatchObject({
      configurationValues: "replicaCount: 3",
      serviceAccountRoleArn: ROLE,
      tags: { team: "a" },
      publisher: "eks",
      owner: "community",
    });
  });

  it.each([
    ["no cluster", { clusterName: "nobody" }, 404, "No cluster found for name: nobody."],
    [
      "an unknown add-on",
      { addonName: "nothing" },
      400,
      "Addon nothing specified is not supported in 1.36 kubernetes version",
    ],
    [
      "a version of another Kubernetes",
      { addonVersion: "v1.11.4-eksbuild.40" },
      400,
      "Addon version specified is not supported",
    ],
    [
      "text that is neither JSON nor YAML",
      { configurationValues: "{a: [" },
      400,
      "The ConfigurationValues provided is not in valid YAML or JSON format.",
    ],
    [
      "values that the schema does not know",
      { configurationValues: '{"nodeSelectors":{},"replicaCount":"2"}' },
      400,
      "ConfigurationValue provided in request is not supported: Json schema validation failed with error: " +
        "[$.nodeSelectors: is not defined in the schema and the schema does not allow additional properties, " +
        "$.replicaCount: string found, integer expected]",
    ],
    [
      "values that are no object",
      { configurationValues: "- a" },
      400,
      "ConfigurationValue provided in request is not supported: Json schema validation failed with error: [$: array found, object expected]",
    ],
    [
      "a namespace that is none",
      { namespaceConfig: { namespace: "Not_One" } },
      400,
      "Provided namespace value is not a valid RFC 1123 DNS label",
    ],
    [
      "a role of another account",
      { serviceAccountRoleArn: "arn:aws:iam::111122223333:role/x" },
      403,
      "Cross-account pass role is not allowed.",
    ],
    [
      "the same service account twice",
      { podIdentityAssociations: ["a", "a"].map((serviceAccount) => ({ serviceAccount, roleArn: ROLE })) },
      400,
      "The service account a is in podIdentityAssociations more than once",
    ],
  ])("refuses %s, and leaves nothing behind", async (_, changes: Partial<CreateAddonCommandInput>, status, message) => {
    expect(await refusal(create(changes))).toMatchObject({ status, message });
    const listed = await rig.client.send(new ListAddonsCommand({ clusterName: "demo" }));
    expect(listed.addons).toEqual([]);
    const associations = await rig.client.send(new ListPodIdentityAssociationsCommand({ clusterName: "demo" }));
    expect(associations.associations).toEqual([]);
  });

  it("refuses a second one, and one in a cluster that is not ACTIVE", async () => {
    await create();
    expect(await refusal(create())).toMatchObject({
      name: "ResourceInUseException",
      status: 409,
      message: "Addon already exists.",
    });
    rig.activate("demo", { status: "UPDATING" });
    expect(await refusal(create({ addonName: "vpc-cni" }))).toMatchObject({
      name: "InvalidRequestException",
      message: "Cluster 'demo' is not in ACTIVE status",
    });
  });

  it("gives the same answer again under the same token", async () => {
    const clientRequestToken = "token-1";
    const first = await create({ clientRequestToken });
    expect((await create({ clientRequestToken })).addon).toEqual(first.addon);
    expect(await refusal(create({ clientRequestToken, addonName: "vpc-cni" }))).toMatchObject({
      name: "InvalidParameterException",
    });
  });
});

describe("pod identity associations of an add-on", () => {
  const associations = async () =>
    (await rig.client.send(new ListPodIdentityAssociationsCommand({ clusterName: "demo" }))).associations ?? [];

  it("are made with it, belong to it, change and go with it", async () => {
    const { addon } = await create({
      addonName: "vpc-cni",
      podIdentityAssociations: [{ serviceAccount: "aws-node", roleArn: ROLE }],
    });
    const [first] = await associations();
    expect(first).toMatchObject({ namespace: "kube-system", serviceAccount: "aws-node", ownerArn: addon?.addonArn });
    expect(addon?.podIdentityAssociations).toEqual([first?.associationArn]);

    change({ status: "ACTIVE" }, "vpc-cni");
    await update({ addonName: "vpc-cni" });
    expect(await associations()).toHaveLength(1);

    change({ status: "ACTIVE" }, "vpc-cni");
    const roleArn = `${ROLE}-2`;
    await update({ addonName: "vpc-cni", podIdentityAssociations: [{ serviceAccount: "aws-node", roleArn }] });
    const { association } = await rig.client.send(
      new DescribePodIdentityAssociationCommand({ clusterName: "demo", associationId: first?.associationId }),
    );
    expect(association?.roleArn).toBe(roleArn);

    change({ status: "ACTIVE" }, "vpc-cni");
    await update({ addonName: "vpc-cni", podIdentityAssociations: [] });
    expect(await associations()).toEqual([]);
    expect(await shown("vpc-cni")).not.toHaveProperty("podIdentityAssociations");
  });
});

describe("UpdateAddon", () => {
  it("answers an update of the add-on's own, with what was asked for", async () => {
    await create();
    change({ status: "ACTIVE" });
    rig.nudges.length = 0;
    const { update: started } = await update({
      addonVersion: "v1.14.6-eksbuild.4",
      resolveConflicts: "PRESERVE",
      configurationValues: '{"replicaCount":3}',
    });
    expect(started).toMatchObject({
      status: "InProgress",
      type: "AddonUpdate",
      params: [
        { type: "AddonVersion", value: "v1.14.6-eksbuild.4" },
        { type: "ResolveConflicts", value: "PRESERVE" },
        { type: "ConfigurationValues", value: '{"replicaCount":3}' },
      ],
      errors: [],
    });
    expect(rig.nudges).toHaveLength(1);
    expect(await shown()).toMatchObject({ status: "UPDATING", addonVersion: "v1.14.3-eksbuild.11" });
    const ids = (input: { addonName?: string }) => rig.client.send(new ListUpdatesCommand({ name: "demo", ...input }));
    expect((await ids({ addonName: "coredns" })).updateIds).toEqual([started?.id]);
    expect((await ids({})).updateIds).toEqual([]);
    const named = { name: "demo", updateId: started?.id };
    const found = await rig.client.send(new DescribeUpdateCommand({ ...named, addonName: "coredns" }));
    expect(found.update?.id).toBe(started?.id);
    expect(await refusal(rig.client.send(new DescribeUpdateCommand(named)))).toMatchObject({ status: 404 });
    expect(await refusal(ids({ addonName: "vpc-cni" }))).toMatchObject({
      status: 404,
      message: "No addon: vpc-cni found in cluster: demo",
    });
  });

  it("of nothing is an update all the same", async () => {
    await create();
    change({ status: "ACTIVE" });
    expect((await update()).update).toMatchObject({ type: "AddonUpdate", params: [] });
  });

  it.each(["CREATING", "UPDATING", "DELETING"] as const)("is refused while the add-on is %s", async (status) => {
    await create();
    change({ status });
    expect(await refusal(update())).toMatchObject({
      name: "ResourceInUseException",
      message: `Addon coredns cannot be updated as it is currently in ${status} state`,
    });
  });

  it.each(["ACTIVE", "DEGRADED", "CREATE_FAILED", "UPDATE_FAILED"] as const)(
    "is taken while the add-on is %s",
    async (status) => {
      await create();
      change({ status });
      expect((await update()).update?.status).toBe("InProgress");
    },
  );

  it("refuses versions and values as CreateAddon does, and add-ons that are not there", async () => {
    expect(await refusal(update())).toMatchObject({ status: 404, message: "No addon: coredns found in cluster: demo" });
    await create();
    change({ status: "ACTIVE" });
    expect(await refusal(update({ addonVersion: "v9.9.9-eksbuild.1" }))).toMatchObject({
      message: "Addon version specified is not supported",
    });
    expect(await refusal(update({ configurationValues: "no: 1" }))).toMatchObject({
      name: "InvalidParameterException",
    });
    expect((await shown())?.status).toBe("ACTIVE");
  });
});

describe("DeleteAddon", () => {
  it("answers the add-on DELETING, however often it is asked, and calls its update off", async () => {
    await create();
    change({ status: "ACTIVE" });
    const started = (await update()).update;
    const remove = () => rig.client.send(new DeleteAddonCommand(COREDNS));
    expect((await remove()).addon?.status).toBe("DELETING");
    expect((await remove()).addon?.status).toBe("DELETING");
    const { update: ended } = await rig.client.send(
      new DescribeUpdateCommand({ name: "demo", addonName: "coredns", updateId: started?.id }),
    );
    expect(ended?.status).toBe("Cancelled");
  });

  it("refuses what is not there, and clusters that are not ACTIVE", async () => {
    expect(await refusal(rig.client.send(new DeleteAddonCommand(COREDNS)))).toMatchObject({ status: 404 });
    await create();
    rig.activate("demo", { status: "UPDATING" });
    expect(await refusal(rig.client.send(new DeleteAddonCommand(COREDNS)))).toMatchObject({
      name: "InvalidRequestException",
    });
  });
});

describe("ListAddons and tags", () => {
  it("go page by page in order of name", async () => {
    for (const addonName of ["vpc-cni", "coredns", "kube-proxy"]) await create({ addonName });
    const pages = paginateListAddons({ client: rig.client, pageSize: 2 }, { clusterName: "demo" });
    const listed: (string[] | undefined)[] = [];
    for await (const { addons } of pages) listed.push(addons);
    expect(listed).toEqual([["coredns", "kube-proxy"], ["vpc-cni"]]);
  });

  it("are known by the add-on's ARN", async () => {
    const resourceArn = (await create({ tags: { a: "1" } })).addon?.addonArn;
    await rig.client.send(new TagResourceCommand({ resourceArn, tags: { b: "2" } }));
    const { tags } = await rig.client.send(new ListTagsForResourceCommand({ resourceArn }));
    expect(tags).toEqual({ a: "1", b: "2" });
    expect((await shown())?.tags).toEqual({ a: "1", b: "2" });
  });
});

describe("DescribeAddonVersions", () => {
  const versions = (input: object = {}) => rig.client.send(new DescribeAddonVersionsCommand(input));

  it("lists every add-on, newest version first, with one default for each Kubernetes version", async () => {
    const { addons = [] } = await versions();
    expect(addons).toHaveLength(20);
    for (const { addonVersions = [], addonName } of addons) {
      const defaults = addonVersions.flatMap(({ compatibilities = [] }) =>
        compatibilities.flatMap(({ clusterVersion, defaultVersion }) => (defaultVersion ? [clusterVersion] : [])),
      );
      expect(new Set(defaults).size, addonName).toBe(defaults.length);
      expect(defaults, addonName).toContain("1.36");
    }
  });

  it("prunes add-ons, versions and compatibilities to a Kubernetes version", async () => {
    const { addons = [] } = await versions({ addonName: "coredns", kubernetesVersion: "1.34" });
    expect(addons).toHaveLength(1);
    expect(addons[0]).toMatchObject({
      addonName: "coredns",
      type: "networking",
      publisher: "eks",
      owner: "aws",
      defaultNamespace: "kube-system",
    });
    const listed = addons[0]?.addonVersions ?? [];
    expect(listed.map(({ addonVersion }) => addonVersion)).toEqual([
      "v1.13.2-eksbuild.19",
      "v1.13.2-eksbuild.11",
      "v1.13.2-eksbuild.7",
      "v1.12.4-eksbuild.29",
      "v1.12.4-eksbuild.18",
      "v1.12.4-eksbuild.10",
    ]);
    expect(listed.at(-1)?.compatibilities).toEqual([
      { clusterVersion: "1.34", platformVersions: ["*"], defaultVersion: true },
    ]);
    expect((await versions({ kubernetesVersion: "1.12" })).addons).toEqual([]);
  });

  it("filters by type and owner, and goes page by page", async () => {
    const { addons = [] } = await versions({ owners: ["community"], types: ["security"] });
    expect(addons.map(({ addonName }) => addonName)).toEqual(["cert-manager"]);
    let seen = 0;
    for await (const page of paginateDescribeAddonVersions({ client: rig.client, pageSize: 7 }, {})) {
      seen += page.addons?.length ?? 0;
    }
    expect(seen).toBe(20);
  });
});

describe("DescribeAddonConfiguration", () => {
  const configuration = (addonName: string, addonVersion: string) =>
    rig.client.send(new DescribeAddonConfigurationCommand({ addonName, addonVersion }));

  it("answers the schema that configuration values are held to, and the roles that are needed", async () => {
    const answer = await configuration("aws-ebs-csi-driver", "v1.66.0-eksbuild.1");
    expect(answer.podIdentityConfiguration).toEqual([
      {
        serviceAccount: "ebs-csi-controller-sa",
        recommendedManagedPolicies: ["arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy"],
      },
    ]);
    const schema = JSON.parse(answer.configurationSchema ?? "");
    expect(schema).toMatchObject({ type: "object", additionalProperties: false });
    expect(schema.properties.controller.properties.replicaCount).toEqual({ type: "integer", minimum: 0 });
    expect(schema.properties.defaultStorageClass.properties.enabled.type).toBe("boolean");
  });

  it("refuses what is not in the catalogue", async () => {
    expect(await refusal(configuration("nothing", "v1"))).toMatchObject({
      message: "Addon nothing specified is not supported",
    });
    expect(await refusal(configuration("coredns", "v1"))).toMatchObject({
      message: "Addon version specified is not supported",
    });
  });
});
