import {
  CreateCapabilityCommand,
  type CreateCapabilityCommandInput,
  CreateClusterCommand,
  DeleteCapabilityCommand,
  DescribeAccessEntryCommand,
  DescribeCapabilityCommand,
  DescribeUpdateCommand,
  ListAssociatedAccessPoliciesCommand,
  ListCapabilitiesCommand,
  ListTagsForResourceCommand,
  ListUpdatesCommand,
  TagResourceCommand,
  UpdateCapabilityCommand,
  type UpdateCapabilityCommandInput,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CapabilityStatus } from "../../../src/domain/capability.js";
import { CLUSTER, NOW, type Rig, refusal, SCOPE, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.client.send(new CreateClusterCommand({ ...CLUSTER, accessConfig: { authenticationMode: "API" } }));
  rig.activate("demo");
  rig.nudges.length = 0;
});
afterEach(() => rig.close());

const ROLE = "arn:aws:iam::000000000000:role/capability";
const IDC = "arn:aws:sso:::instance/ssoins-1234567890abcdef";
const KRO = {
  clusterName: "demo",
  capabilityName: "graphs",
  type: "KRO",
  roleArn: ROLE,
  deletePropagationPolicy: "RETAIN",
} as const;
const ARGOCD = {
  ...KRO,
  capabilityName: "gitops",
  type: "ARGOCD",
  configuration: { argoCd: { awsIdc: { idcInstanceArn: IDC } } },
} as const;
const ACK = { ...KRO, capabilityName: "aws", type: "ACK" } as const;

const create = (input: CreateCapabilityCommandInput) => rig.client.send(new CreateCapabilityCommand(input));
const update = (input: Omit<UpdateCapabilityCommandInput, "clusterName">) =>
  rig.client.send(new UpdateCapabilityCommand({ clusterName: "demo", ...input }));
const remove = (capabilityName: string) =>
  rig.client.send(new DeleteCapabilityCommand({ clusterName: "demo", capabilityName }));
const clusterId = () => rig.state.clusters.get({ ...SCOPE, name: "demo" })?.id ?? "";
/** What the reconciler would do. */
function settle(name: string, status: CapabilityStatus = "ACTIVE", changes: object = {}): void {
  const capability = rig.state.capabilities.get(clusterId(), name);
  if (capability) rig.state.capabilities.put({ ...capability, ...changes, status });
}

describe("CreateCapability", () => {
  it("answers the capability CREATING", async () => {
    const { capability } = await create(KRO);
    expect(capability).toEqual({
      capabilityName: "graphs",
      arn: expect.stringMatching(/^arn:aws:eks:us-east-1:000000000000:capability\/demo\/kro\/graphs\/[0-9a-f-]{36}$/),
      clusterName: "demo",
      type: "KRO",
      roleArn: ROLE,
      status: "CREATING",
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      tags: {},
      health: { issues: [] },
      createdAt: new Date(NOW),
      modifiedAt: new Date(NOW),
      deletePropagationPolicy: "RETAIN",
    });
    expect(rig.nudges).toEqual([["capability", `${clusterId()}/graphs`]]);
  });

  it("gives Argo CD a namespace, a server and an application in IAM Identity Center", async () => {
    const { capability } = await create(ARGOCD);
    expect(capability?.configuration?.argoCd).toEqual({
      namespace: "argocd",
      awsIdc: {
        idcInstanceArn: IDC,
        idcManagedApplicationArn: expect.stringMatching(
          /^arn:aws:sso::000000000000:application\/ssoins-1234567890abcdef\/apl-[0-9a-f]{16}$/,
        ),
      },
      serverUrl: expect.stringMatching(/^https:\/\/[0-9a-f]{16}\.eks-capabilities\.us-east-1\.amazonaws\.com$/),
    });
  });

  it("builds the server's name from a prefix", async () => {
    const { capability } = await create({
      ...ARGOCD,
      configuration: { argoCd: { ...ARGOCD.configuration.argoCd, endpointPrefix: "team" } },
    });
    expect(capability?.configuration?.argoCd).toMatchObject({
      endpointPrefix: "team",
      serverUrl: expect.stringMatching(/^https:\/\/team-[0-9a-f]{8}\.eks-capabilities\./),
    });
  });

  it("keeps references of ACK within their namespace unless told otherwise", async () => {
    const { capability } = await create(ACK);
    expect(capability?.configuration).toEqual({ ack: { enableCrossNamespace: false } });
  });

  it("gives the role an access entry with the policies of the type", async () => {
    await create(ARGOCD);
    const principal = { clusterName: "demo", principalArn: ROLE };
    const { accessEntry } = await rig.client.send(new DescribeAccessEntryCommand(principal));
    expect(accessEntry?.type).toBe("STANDARD");
    const { associatedAccessPolicies } = await rig.client.send(new ListAssociatedAccessPoliciesCommand(principal));
    expect(associatedAccessPolicies?.map(({ policyArn }) => policyArn?.split("/").at(-1))).toEqual([
      "AmazonEKSArgoCDClusterPolicy",
      "AmazonEKSArgoCDPolicy",
    ]);
  });

  it.each([
    [{ ...ARGOCD, configuration: undefined }, "configuration.argoCd is required for a capability of type ARGOCD"],
    [
      { ...KRO, configuration: ARGOCD.configuration },
      "configuration.argoCd cannot be specified for a capability of type KRO",
    ],
    [
      { ...ARGOCD, configuration: { ...ARGOCD.configuration, ack: {} } },
      "configuration.ack cannot be specified for a capability of type ARGOCD",
    ],
    [
      { ...ARGOCD, configuration: { argoCd: { awsIdc: { idcInstanceArn: "mine" } } } },
      "Invalid IAM Identity Center instance ARN: 'mine'",
    ],
    [
      { ...ARGOCD, configuration: { argoCd: { ...ARGOCD.configuration.argoCd, namespace: "Not A Name" } } },
      "Provided namespace value is not a valid RFC 1123 DNS label",
    ],
    [
      {
        ...ARGOCD,
        configuration: { argoCd: { ...ARGOCD.configuration.argoCd, networkAccess: { vpceIds: ["vpc-1"] } } },
      },
      "Invalid VPC endpoint ID: 'vpc-1'",
    ],
    [{ ...KRO, capabilityName: "a b" }, "The capability name parameter contains invalid characters"],
    [{ ...KRO, roleArn: "me" }, "Invalid Role Arn: 'me'"],
  ] as [CreateCapabilityCommandInput, string][])("refuses %j", async (input, message) => {
    expect(await refusal(create(input))).toMatchObject({ name: "InvalidParameterException", message });
    expect(rig.state.capabilities.count(clusterId())).toBe(0);
  });

  it("refuses a name or a type that the cluster has already", async () => {
    await create(KRO);
    expect(await refusal(create({ ...ACK, capabilityName: "graphs" }))).toMatchObject({
      name: "ResourceInUseException",
      message: "Capability already exists with name graphs and cluster name demo",
    });
    expect(await refusal(create({ ...KRO, capabilityName: "more" }))).toMatchObject({
      name: "ResourceInUseException",
      message: "Capability of type KRO already exists in cluster demo: graphs",
    });
    await create(ACK);
  });

  it("refuses a cluster without access entries", async () => {
    rig.activate("demo", {
      accessConfig: { authenticationMode: "CONFIG_MAP", bootstrapClusterCreatorAdminPermissions: true },
    });
    expect(await refusal(create(KRO))).toMatchObject({
      name: "InvalidRequestException",
      message:
        "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
    });
  });

  it("answers the same for the same token", async () => {
    const first = await create({ ...KRO, clientRequestToken: "t" });
    settle("graphs");
    expect((await create({ ...KRO, clientRequestToken: "t" })).capability).toEqual(first.capability);
  });
});

describe("UpdateCapability", () => {
  const mapping = (role: "ADMIN" | "EDITOR" | "VIEWER", ...ids: string[]) => ({
    role,
    identities: ids.map((id) => ({ id, type: "SSO_USER" as const })),
  });

  it("starts an update that is found under the capability alone, and shows what was asked for", async () => {
    await create(ARGOCD);
    settle("gitops");
    const started = await update({
      capabilityName: "gitops",
      roleArn: `${ROLE}2`,
      configuration: {
        argoCd: {
          rbacRoleMappings: { addOrUpdateRoleMappings: [mapping("ADMIN", "u1")] },
          networkAccess: { vpceIds: ["vpce-1"] },
        },
      },
    });
    expect(started.update).toMatchObject({
      status: "InProgress",
      type: "CapabilityUpdate",
      params: [
        { type: "RoleArn", value: `${ROLE}2` },
        { type: "RoleMappingsToAddOrUpdate", value: JSON.stringify([mapping("ADMIN", "u1")]) },
        { type: "NetworkAccess", value: '{"vpceIds":["vpce-1"]}' },
      ],
    });
    const updateId = started.update?.id ?? "";
    const of = { name: "demo", capabilityName: "gitops" };
    expect((await rig.client.send(new ListUpdatesCommand(of))).updateIds).toEqual([updateId]);
    expect((await rig.client.send(new DescribeUpdateCommand({ ...of, updateId }))).update?.id).toBe(updateId);
    expect((await rig.client.send(new ListUpdatesCommand({ name: "demo" }))).updateIds).toEqual([]);
    const { capability } = await rig.client.send(
      new DescribeCapabilityCommand({ clusterName: "demo", capabilityName: "gitops" }),
    );
    expect(capability?.status).toBe("UPDATING");
  });

  it("sets a role's identities anew, and takes a role away with its last identity", async () => {
    const argoCd = {
      ...ARGOCD.configuration.argoCd,
      rbacRoleMappings: [mapping("ADMIN", "u1", "u2"), mapping("VIEWER", "u3")],
    };
    await create({ ...ARGOCD, configuration: { argoCd } });
    settle("gitops");
    await update({
      capabilityName: "gitops",
      configuration: {
        argoCd: {
          rbacRoleMappings: {
            addOrUpdateRoleMappings: [mapping("ADMIN", "u9"), mapping("EDITOR", "u4")],
            removeRoleMappings: [mapping("VIEWER", "u3")],
          },
        },
      },
    });
    const [id = ""] = rig.state.updates.ids(clusterId(), { capabilityName: "gitops" }, { limit: 1 });
    expect(rig.state.updates.get(clusterId(), id)?.plan).toMatchObject({
      configuration: { argoCd: { rbacRoleMappings: [mapping("ADMIN", "u9"), mapping("EDITOR", "u4")] } },
    });
  });

  it("replaces the list of ACK's disabled services", async () => {
    await create({ ...ACK, configuration: { ack: { disabledServices: ["s3"] } } });
    settle("aws");
    const { update: started } = await update({
      capabilityName: "aws",
      configuration: { ack: { disabledServices: [] } },
    });
    expect(started?.params).toEqual([{ type: "DisabledServices", value: "[]" }]);
  });

  it("refuses what would change nothing, and what is not of its type", async () => {
    await create(ACK);
    settle("aws");
    const refusalOf = (input: object) => refusal(update({ capabilityName: "aws", ...input }));
    const noChange = { name: "InvalidParameterException", message: "No changes needed for the capability provided" };
    expect(await refusalOf({})).toMatchObject(noChange);
    expect(await refusalOf({ roleArn: ROLE, deletePropagationPolicy: "RETAIN" })).toMatchObject(noChange);
    expect(await refusalOf({ configuration: { argoCd: {} } })).toMatchObject({
      message: "configuration.argoCd cannot be specified for a capability of type ACK",
    });
  });

  it.each(["CREATING", "UPDATING", "DELETING"] as const)("refuses while the capability is %s", async (status) => {
    await create(KRO);
    settle("graphs", status);
    expect(await refusal(update({ capabilityName: "graphs", roleArn: `${ROLE}2` }))).toMatchObject({
      name: "ResourceInUseException",
      message: `Capability graphs cannot be updated as it is currently in ${status} state`,
    });
  });
});

describe("DeleteCapability", () => {
  it("answers the capability DELETING, again and again", async () => {
    await create(KRO);
    settle("graphs");
    expect((await remove("graphs")).capability?.status).toBe("DELETING");
    expect((await remove("graphs")).capability?.status).toBe("DELETING");
  });

  it("refuses while it is being made, and one that is not there", async () => {
    await create(KRO);
    expect(await refusal(remove("graphs"))).toMatchObject({ name: "ResourceInUseException" });
    expect(await refusal(remove("none"))).toMatchObject({ name: "ResourceNotFoundException", clusterName: "demo" });
  });
});

describe("capabilities of a cluster", () => {
  it("are listed in pages, with what a list shows of them", async () => {
    await create(KRO);
    await create(ACK);
    const first = await rig.client.send(new ListCapabilitiesCommand({ clusterName: "demo", maxResults: 1 }));
    expect(first.capabilities).toEqual([
      {
        capabilityName: "aws",
        arn: expect.stringContaining(":capability/demo/ack/aws/"),
        type: "ACK",
        status: "CREATING",
        version: expect.any(String),
        createdAt: new Date(NOW),
        modifiedAt: new Date(NOW),
      },
    ]);
    const { nextToken } = first;
    const second = await rig.client.send(
      new ListCapabilitiesCommand({ clusterName: "demo", maxResults: 1, nextToken }),
    );
    expect(second.capabilities?.map(({ capabilityName }) => capabilityName)).toEqual(["graphs"]);
    expect(second.nextToken).toBeUndefined();
  });

  it("have tags", async () => {
    const resourceArn = (await create({ ...KRO, tags: { a: "1" } })).capability?.arn ?? "";
    await rig.client.send(new TagResourceCommand({ resourceArn, tags: { b: "2" } }));
    expect((await rig.client.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual({ a: "1", b: "2" });
  });
});
