import {
  AssociateAccessPolicyCommand,
  type AssociateAccessPolicyCommandInput,
  CreateAccessEntryCommand,
  type CreateAccessEntryCommandInput,
  CreateClusterCommand,
  CreateNodegroupCommand,
  DeleteAccessEntryCommand,
  DescribeAccessEntryCommand,
  DisassociateAccessPolicyCommand,
  ListAccessEntriesCommand,
  ListAccessPoliciesCommand,
  ListAssociatedAccessPoliciesCommand,
  ListTagsForResourceCommand,
  paginateListAccessEntries,
  TagResourceCommand,
  UpdateAccessEntryCommand,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, NODEGROUP, NOW, type Rig, refusal, startRig } from "../gateway-rig.js";

const ACCOUNT = "000000000000";
const ROLE = `arn:aws:iam::${ACCOUNT}:role/ops/Admin`;
const USER = `arn:aws:iam::${ACCOUNT}:user/ann`;
const CREATOR = `arn:aws:iam::${ACCOUNT}:user/test`;
const SERVICE_ROLE = `arn:aws:iam::${ACCOUNT}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS`;
const policyArn = (name: string) => `arn:aws:eks::aws:cluster-access-policy/${name}`;
const VIEW = policyArn("AmazonEKSViewPolicy");

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.client.send(new CreateClusterCommand({ ...CLUSTER, accessConfig: { authenticationMode: "API" } }));
  rig.activate("demo");
});
afterEach(() => rig.close());

const create = (changes: Partial<CreateAccessEntryCommandInput> = {}) =>
  rig.client.send(new CreateAccessEntryCommand({ clusterName: "demo", principalArn: ROLE, ...changes }));
const describeEntry = async (principalArn = ROLE) =>
  (await rig.client.send(new DescribeAccessEntryCommand({ clusterName: "demo", principalArn }))).accessEntry;
const list = async (clusterName = "demo") =>
  (await rig.client.send(new ListAccessEntriesCommand({ clusterName }))).accessEntries;
const associate = (changes: Partial<AssociateAccessPolicyCommandInput> = {}) =>
  rig.client.send(
    new AssociateAccessPolicyCommand({
      clusterName: "demo",
      principalArn: ROLE,
      policyArn: VIEW,
      accessScope: { type: "cluster" },
      ...changes,
    }),
  );
const policiesOf = async (principalArn = ROLE) =>
  (await rig.client.send(new ListAssociatedAccessPoliciesCommand({ clusterName: "demo", principalArn })))
    .associatedAccessPolicies;

describe("CreateAccessEntry", () => {
  it("answers a STANDARD entry with the user name of the role's sessions and no groups", async () => {
    const { accessEntry } = await create({ tags: { team: "a" } });
    expect(accessEntry).toEqual({
      clusterName: "demo",
      principalArn: ROLE,
      kubernetesGroups: [],
      accessEntryArn: expect.stringMatching(
        /^arn:aws:eks:us-east-1:000000000000:access-entry\/demo\/role\/000000000000\/Admin\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
      ),
      createdAt: new Date(NOW),
      modifiedAt: new Date(NOW),
      tags: { team: "a" },
      username: `arn:aws:sts::${ACCOUNT}:assumed-role/Admin/{{SessionName}}`,
      type: "STANDARD",
    });
    expect(await describeEntry()).toEqual(accessEntry);
  });

  it.each<[string, string, string, string[]]>([
    ["STANDARD", USER, USER, []],
    ["EC2_LINUX", ROLE, "system:node:{{EC2PrivateDNSName}}", ["system:nodes"]],
    ["EC2_WINDOWS", ROLE, "system:node:{{EC2PrivateDNSName}}", ["system:nodes", "eks:kube-proxy-windows"]],
    ["FARGATE_LINUX", ROLE, "system:node:{{SessionName}}", ["system:nodes", "system:node-proxier"]],
    ["HYBRID_LINUX", ROLE, "system:node:{{SessionName}}", ["system:nodes"]],
    ["EC2", ROLE, "system:node:{{EC2PrivateDNSName}}", ["system:nodes"]],
  ])("knows users of type %s", async (type, principalArn, username, kubernetesGroups) => {
    const { accessEntry } = await create({ type, principalArn });
    expect(accessEntry).toMatchObject({ type, username, kubernetesGroups });
  });

  const system = "it cannot start with system:";
  it.each<[string, Partial<CreateAccessEntryCommandInput>, string]>([
    [
      "a session for a principal",
      { principalArn: `arn:aws:sts::${ACCOUNT}:assumed-role/Admin/me` },
      "The specified principalArn is invalid: invalid principal.",
    ],
    [
      "something that is no ARN",
      { principalArn: "Admin" },
      "The specified principalArn is invalid: invalid principal.",
    ],
    [
      "a service-linked role",
      { principalArn: SERVICE_ROLE },
      "The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role",
    ],
    [
      "groups of a node type",
      { type: "EC2_LINUX", kubernetesGroups: ["a"] },
      'The specified kubernetesGroups is invalid: setting kubernetesGroups is not allowed when the type is "EC2_LINUX"',
    ],
    [
      "a user name of a node type",
      { type: "EC2_LINUX", username: "a" },
      'The specified username is invalid: setting username is not allowed when the type is "EC2_LINUX"',
    ],
    [
      "a reserved group",
      { kubernetesGroups: ["a", "system:masters"] },
      `The kubernetes group name system:masters is invalid, ${system}`,
    ],
    ["a reserved user name", { username: "eks:me" }, "The username must not begin with eks:"],
    [
      "a session's name that could be any user's",
      { username: "{{SessionName}}" },
      "The username must have a colon before {{SessionName}} or {{SessionNameRaw}}",
    ],
    [
      "a user as a node",
      { type: "EC2_LINUX", principalArn: USER },
      "AccessEntry principalArn must be IAM role when using types [EC2_LINUX, EC2_WINDOWS, FARGATE_LINUX, HYBRID_LINUX, EC2]",
    ],
    [
      "another account's role as a node",
      { type: "FARGATE_LINUX", principalArn: "arn:aws:iam::111122223333:role/node" },
      "AccessEntry principalArn must be from the same account as the cluster when using types [EC2_LINUX, EC2_WINDOWS, FARGATE_LINUX, HYBRID_LINUX, EC2]",
    ],
  ])("refuses %s, before it looks for the cluster", async (_, changes, message) => {
    for (const clusterName of ["demo", "missing"]) {
      expect(await refusal(create({ ...changes, clusterName }))).toMatchObject({
        name: "InvalidParameterException",
        message,
      });
    }
    expect(await list()).toHaveLength(2);
  });

  it("takes another account's principal as STANDARD", async () => {
    const { accessEntry } = await create({ principalArn: "arn:aws:iam::111122223333:role/Guest" });
    expect(accessEntry?.accessEntryArn).toContain(":000000000000:access-entry/demo/role/111122223333/Guest/");
  });

  it("allows one entry a principal, and the creator has one", async () => {
    await create();
    const inUse = {
      name: "ResourceInUseException",
      status: 409,
      message: "The specified access entry resource is already in use on this cluster.",
    };
    expect(await refusal(create())).toMatchObject(inUse);
    expect(await refusal(create({ principalArn: CREATOR }))).toMatchObject(inUse);
    expect(await refusal(create({ principalArn: ROLE.replace("ops/", "") }))).toMatchObject(inUse);
  });

  it("answers the same entry for the same token, and makes another once that one is deleted", async () => {
    const first = await create({ clientRequestToken: "t" });
    expect((await create({ clientRequestToken: "t" })).accessEntry).toEqual(first.accessEntry);
    await rig.client.send(new DeleteAccessEntryCommand({ clusterName: "demo", principalArn: ROLE }));
    const second = await create({ clientRequestToken: "t" });
    expect(second.accessEntry?.accessEntryArn).not.toBe(first.accessEntry?.accessEntryArn);
  });

  it("is refused while the authentication mode is CONFIG_MAP, as every call about entries is", async () => {
    await rig.client.send(new CreateClusterCommand({ ...CLUSTER, name: "old" }));
    rig.activate("old");
    const refused = {
      name: "InvalidRequestException",
      message:
        "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
      clusterName: "old",
    };
    expect(await refusal(create({ clusterName: "old" }))).toMatchObject(refused);
    expect(await refusal(list("old"))).toMatchObject(refused);
    expect(await refusal(associate({ clusterName: "old" }))).toMatchObject(refused);
  });

  it("is refused before the cluster is there and as it goes, but not during an update", async () => {
    rig.activate("demo", { status: "UPDATING" });
    await create();
    for (const status of ["CREATING", "DELETING"] as const) {
      rig.activate("demo", { status });
      expect(await refusal(create({ principalArn: USER }))).toMatchObject({
        name: "InvalidRequestException",
        message: "Cluster 'demo' is not in ACTIVE status",
      });
    }
  });
});

describe("Entries that EKS makes", () => {
  it("are the creator's, as cluster administrator, and the one of EKS's own role", async () => {
    expect(await list()).toEqual([SERVICE_ROLE, CREATOR]);
    expect(await describeEntry(CREATOR)).toMatchObject({ type: "STANDARD", username: CREATOR, kubernetesGroups: [] });
    expect(await policiesOf(CREATOR)).toEqual([
      {
        policyArn: policyArn("AmazonEKSClusterAdminPolicy"),
        accessScope: { type: "cluster", namespaces: [] },
        associatedAt: new Date(NOW),
        modifiedAt: new Date(NOW),
      },
    ]);
  });

  it("leave out the creator when it asks for no rights", async () => {
    const accessConfig = { authenticationMode: "API", bootstrapClusterCreatorAdminPermissions: false } as const;
    await rig.client.send(new CreateClusterCommand({ ...CLUSTER, name: "closed", accessConfig }));
    expect(await list("closed")).toEqual([SERVICE_ROLE]);
  });

  it("come with the first node group of a role; an entry that is there already stays", async () => {
    await rig.client.send(new CreateNodegroupCommand(NODEGROUP));
    expect(await describeEntry(NODEGROUP.nodeRole)).toMatchObject({ type: "EC2_LINUX" });
    const { accessEntry } = await create({ type: "EC2" });
    await rig.client.send(new CreateNodegroupCommand({ ...NODEGROUP, nodegroupName: "b", nodeRole: ROLE }));
    expect(await describeEntry()).toEqual(accessEntry);
  });

  it("come with Auto Mode for the cluster's own role and for the role of its nodes", async () => {
    const nodeRoleArn = `arn:aws:iam::${ACCOUNT}:role/auto-node`;
    await rig.client.send(
      new CreateClusterCommand({
        ...CLUSTER,
        name: "auto",
        accessConfig: { authenticationMode: "API" },
        bootstrapSelfManagedAddons: false,
        computeConfig: { enabled: true, nodePools: ["general-purpose"], nodeRoleArn },
        storageConfig: { blockStorage: { enabled: true } },
        kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
      }),
    );
    expect(await list("auto")).toEqual([nodeRoleArn, SERVICE_ROLE, CLUSTER.roleArn, CREATOR]);
    const nodes = await rig.client.send(
      new ListAssociatedAccessPoliciesCommand({ clusterName: "auto", principalArn: nodeRoleArn }),
    );
    expect(nodes.associatedAccessPolicies?.map((associated) => associated.policyArn)).toEqual([
      policyArn("AmazonEKSAutoNodePolicy"),
    ]);
    const own = await rig.client.send(
      new ListAssociatedAccessPoliciesCommand({ clusterName: "auto", principalArn: CLUSTER.roleArn }),
    );
    expect(own.associatedAccessPolicies).toHaveLength(8);
  });

  it("cannot be touched where they are of a service-linked role", async () => {
    const message =
      "The caller is not allowed to modify access entries with a principalArn value of a Service Linked Role";
    const names = { clusterName: "demo", principalArn: SERVICE_ROLE };
    expect(await refusal(rig.client.send(new DeleteAccessEntryCommand(names)))).toMatchObject({ message });
    expect(await refusal(rig.client.send(new UpdateAccessEntryCommand(names)))).toMatchObject({ message });
    expect(await refusal(associate({ principalArn: SERVICE_ROLE }))).toMatchObject({ message });
  });
});

describe("Changing an access entry", () => {
  it("UpdateAccessEntry leaves alone what it is not told", async () => {
    await create({ kubernetesGroups: ["a"] });
    await rig.clock.advance(1000);
    const update = (changes: object) =>
      rig.client.send(new UpdateAccessEntryCommand({ clusterName: "demo", principalArn: ROLE, ...changes }));
    const named = await update({ username: "ops:{{SessionName}}" });
    expect(named.accessEntry).toMatchObject({
      username: "ops:{{SessionName}}",
      kubernetesGroups: ["a"],
      createdAt: new Date(NOW),
      modifiedAt: new Date(NOW + 1000),
    });
    expect((await update({ kubernetesGroups: [] })).accessEntry).toMatchObject({
      username: "ops:{{SessionName}}",
      kubernetesGroups: [],
    });
    expect(await refusal(update({ kubernetesGroups: ["iam:x"] }))).toMatchObject({
      message: "The kubernetes group name iam:x is invalid, it cannot start with iam:",
    });
  });

  it("DeleteAccessEntry leaves nothing to describe", async () => {
    await create();
    const remove = () => rig.client.send(new DeleteAccessEntryCommand({ clusterName: "demo", principalArn: ROLE }));
    await remove();
    const missing = {
      name: "ResourceNotFoundException",
      status: 404,
      message:
        "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
    };
    expect(await refusal(remove())).toMatchObject(missing);
    expect(await refusal(describeEntry())).toMatchObject(missing);
    expect(await refusal(associate())).toMatchObject(missing);
  });

  it("can be tagged by ARN", async () => {
    for (const principalArn of [ROLE, USER, "arn:aws:iam::111122223333:root"]) {
      const resourceArn = (await create({ principalArn })).accessEntry?.accessEntryArn;
      await rig.client.send(new TagResourceCommand({ resourceArn, tags: { a: "b" } }));
      expect((await rig.client.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual({ a: "b" });
      expect((await describeEntry(principalArn))?.tags).toEqual({ a: "b" });
    }
  });
});

describe("Access policies", () => {
  it("are listed with name and ARN", async () => {
    const { accessPolicies = [] } = await rig.client.send(new ListAccessPoliciesCommand({}));
    expect(accessPolicies).toContainEqual({ name: "AmazonEKSViewPolicy", arn: VIEW });
    const page = await rig.client.send(new ListAccessPoliciesCommand({ maxResults: 5 }));
    const rest = await rig.client.send(new ListAccessPoliciesCommand({ nextToken: page.nextToken }));
    expect([...(page.accessPolicies ?? []), ...(rest.accessPolicies ?? [])]).toEqual(accessPolicies);
  });

  it("are associated at once; associating anew changes the scope alone", async () => {
    await create();
    expect(await associate()).toMatchObject({
      clusterName: "demo",
      principalArn: ROLE,
      associatedAccessPolicy: {
        policyArn: VIEW,
        accessScope: { type: "cluster", namespaces: [] },
        associatedAt: new Date(NOW),
        modifiedAt: new Date(NOW),
      },
    });
    await rig.clock.advance(1000);
    const accessScope = { type: "namespace", namespaces: ["web"] } as const;
    await associate({ accessScope: { type: "namespace", namespaces: ["web"] } });
    expect(await policiesOf()).toEqual([
      { policyArn: VIEW, accessScope, associatedAt: new Date(NOW), modifiedAt: new Date(NOW + 1000) },
    ]);
    await rig.client.send(
      new DisassociateAccessPolicyCommand({ clusterName: "demo", principalArn: ROLE, policyArn: VIEW }),
    );
    expect(await policiesOf()).toEqual([]);
  });

  it.each<[string, Partial<AssociateAccessPolicyCommandInput>, string, string]>([
    ["another ARN", { policyArn: ROLE }, "InvalidParameterException", "The policyArn parameter format is not valid"],
    [
      "a policy that is none",
      { policyArn: policyArn("Nothing") },
      "ResourceNotFoundException",
      "The specified policyArn could not be found.",
    ],
    [
      "a namespace scope without namespaces",
      { accessScope: { type: "namespace" } },
      "InvalidParameterException",
      "At least 1 namespace must be provided if the type is set as namespace",
    ],
    [
      "namespaces in a cluster scope",
      { accessScope: { type: "cluster", namespaces: ["a"] } },
      "InvalidParameterException",
      "accessScope should not include namespaces if the type is not set as namespace",
    ],
    [
      "a policy of AWS's own roles",
      { policyArn: policyArn("AmazonEKSHybridPolicy") },
      "InvalidParameterException",
      "The specified policyArn can only be associated with service-linked roles",
    ],
  ])("AssociateAccessPolicy refuses %s", async (_, changes, name, message) => {
    await create();
    expect(await refusal(associate(changes))).toMatchObject({ name, message });
    expect(await policiesOf()).toEqual([]);
  });

  it("are for STANDARD entries, but for the one of Auto Mode's nodes", async () => {
    await create({ type: "EC2" });
    expect(await refusal(associate())).toMatchObject({
      name: "InvalidRequestException",
      message: 'This operation can only be performed on Access Entries with a type of "STANDARD"',
    });
    await associate({ policyArn: policyArn("AmazonEKSAutoNodePolicy") });
    expect(await policiesOf()).toHaveLength(1);
  });

  it("cannot be taken away where they are not", async () => {
    await create();
    const names = { clusterName: "demo", principalArn: ROLE, policyArn: VIEW };
    expect(await refusal(rig.client.send(new DisassociateAccessPolicyCommand(names)))).toMatchObject({
      name: "ResourceNotFoundException",
      message: "The specified policyArn could not be found.",
    });
  });
});

describe("ListAccessEntries", () => {
  it("pages, and filters by policy", async () => {
    for (const name of ["c", "a", "b"]) await create({ principalArn: `arn:aws:iam::${ACCOUNT}:role/p/${name}` });
    await associate({ principalArn: `arn:aws:iam::${ACCOUNT}:role/p/b` });
    const seen: string[] = [];
    for await (const page of paginateListAccessEntries({ client: rig.client, pageSize: 2 }, { clusterName: "demo" })) {
      expect(page.accessEntries?.length).toBeLessThanOrEqual(2);
      seen.push(...(page.accessEntries ?? []));
    }
    expect(seen).toEqual(await list());
    expect(seen).toHaveLength(5);
    const filtered = await rig.client.send(
      new ListAccessEntriesCommand({ clusterName: "demo", associatedPolicyArn: VIEW }),
    );
    expect(filtered.accessEntries).toEqual([`arn:aws:iam::${ACCOUNT}:role/p/b`]);
  });
});
