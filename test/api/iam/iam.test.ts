import {
  AddRoleToInstanceProfileCommand,
  AddUserToGroupCommand,
  AttachRolePolicyCommand,
  CreateAccessKeyCommand,
  CreateGroupCommand,
  CreateInstanceProfileCommand,
  CreateOpenIDConnectProviderCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  CreateServiceLinkedRoleCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteInstanceProfileCommand,
  DeletePolicyCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  DeleteUserCommand,
  DetachRolePolicyCommand,
  GetGroupCommand,
  GetInstanceProfileCommand,
  GetOpenIDConnectProviderCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  GetUserCommand,
  type IAMClient,
  ListAccessKeysCommand,
  ListAttachedRolePoliciesCommand,
  ListEntitiesForPolicyCommand,
  ListInstanceProfilesForRoleCommand,
  ListOpenIDConnectProvidersCommand,
  ListPoliciesCommand,
  ListPolicyVersionsCommand,
  ListRolesCommand,
  ListRoleTagsCommand,
  ListSAMLProvidersCommand,
  ListUsersCommand,
  PutRolePolicyCommand,
  PutUserPolicyCommand,
  RemoveRoleFromInstanceProfileCommand,
  SimulatePrincipalPolicyCommand,
  TagRoleCommand,
  UntagRoleCommand,
  UpdateAssumeRolePolicyCommand,
  UpdateRoleCommand,
} from "@aws-sdk/client-iam";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Rig, refusal, startRig } from "../gateway-rig.js";
import { iamClient } from "./iam-client.js";

const ACCOUNT = "000000000000";
const TRUST = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "eks.amazonaws.com" }, Action: "sts:AssumeRole" }],
});
const ALLOW = (Action: string, Effect = "Allow"): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: [{ Sid: "a & <b>", Effect, Action, Resource: "*" }] });

let rig: Rig;
let iam: IAMClient;
beforeAll(async () => {
  rig = await startRig();
  iam = iamClient(rig);
});
afterAll(async () => {
  iam.destroy();
  await rig.close();
});
const createRole = (RoleName: string, more: object = {}) =>
  iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: TRUST, ...more }));

describe("roles", () => {
  it("are made, shown, changed, listed and deleted", async () => {
    const { Role } = await createRole("node", {
      Path: "/eks/",
      Description: "of nodes",
      Tags: [{ Key: "team", Value: "a" }],
    });
    expect(Role).toEqual({
      Path: "/eks/",
      RoleName: "node",
      RoleId: expect.stringMatching(/^AROA[A-Z2-7]{17}$/),
      Arn: `arn:aws:iam::${ACCOUNT}:role/eks/node`,
      CreateDate: expect.any(Date),
      AssumeRolePolicyDocument: encodeURIComponent(TRUST),
      Description: "of nodes",
      MaxSessionDuration: 3600,
      Tags: [{ Key: "team", Value: "a" }],
    });
    await iam.send(new UpdateRoleCommand({ RoleName: "node", MaxSessionDuration: 7200 }));
    await iam.send(
      new TagRoleCommand({
        RoleName: "node",
        Tags: [
          { Key: "Team", Value: "b" },
          { Key: "stage", Value: "" },
        ],
      }),
    );
    await iam.send(new UntagRoleCommand({ RoleName: "node", TagKeys: ["stage"] }));
    expect((await iam.send(new ListRoleTagsCommand({ RoleName: "node" }))).Tags).toEqual([{ Key: "Team", Value: "b" }]);
    await iam.send(
      new UpdateAssumeRolePolicyCommand({ RoleName: "node", PolicyDocument: TRUST.replace("eks", "ec2") }),
    );
    // Names differ in more than case.
    const { Role: shown } = await iam.send(new GetRoleCommand({ RoleName: "NODE" }));
    expect(shown).toMatchObject({ RoleName: "node", MaxSessionDuration: 7200, RoleLastUsed: {} });
    expect(decodeURIComponent(shown?.AssumeRolePolicyDocument ?? "")).toContain("ec2.amazonaws.com");
    expect(await refusal(createRole("Node"))).toEqual({
      name: "EntityAlreadyExistsException",
      message: "Role with name Node already exists.",
      status: 409,
    });
    await iam.send(new DeleteRoleCommand({ RoleName: "node" }));
    expect(await refusal(iam.send(new GetRoleCommand({ RoleName: "node" })))).toEqual({
      name: "NoSuchEntityException",
      message: "The role with name node cannot be found.",
      status: 404,
    });
    // The same name again is another role.
    expect((await createRole("node")).Role?.RoleId).not.toBe(Role?.RoleId);
  });

  it("come in pages, by path", async () => {
    for (const name of ["p-1", "P-2", "p-3"]) await createRole(name, { Path: "/paged/" });
    const page = (more: object) => iam.send(new ListRolesCommand({ PathPrefix: "/paged/", MaxItems: 2, ...more }));
    const first = await page({});
    expect(first.Roles?.map(({ RoleName }) => RoleName)).toEqual(["p-1", "P-2"]);
    const second = await page({ Marker: first.Marker });
    expect(second.Roles?.map(({ RoleName }) => RoleName)).toEqual(["p-3"]);
    expect([first.IsTruncated, second.IsTruncated, second.Marker]).toEqual([true, false, undefined]);
  });

  it("of services are made for them and changed by nobody", async () => {
    const { Role } = await iam.send(
      new CreateServiceLinkedRoleCommand({ AWSServiceName: "eks-nodegroup.amazonaws.com" }),
    );
    expect(Role?.Arn).toBe(
      `arn:aws:iam::${ACCOUNT}:role/aws-service-role/eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup`,
    );
    const RoleName = "AWSServiceRoleForAmazonEKSNodegroup";
    expect(await refusal(iam.send(new DeleteRoleCommand({ RoleName })))).toMatchObject({
      name: "UnmodifiableEntityException",
    });
    const again = iam.send(new CreateServiceLinkedRoleCommand({ AWSServiceName: "eks-nodegroup.amazonaws.com" }));
    expect(await refusal(again)).toMatchObject({
      name: "InvalidInputException",
      message: `Service role name ${RoleName} has been taken in this account, please try a different suffix.`,
    });
  });

  it.each([
    [
      "a name with a blank",
      { RoleName: "a b" },
      "ValidationError",
      "at 'roleName' failed to satisfy constraint: Member must satisfy regular expression pattern",
    ],
    [
      "a session that is too short",
      { MaxSessionDuration: 60 },
      "ValidationError",
      "Member must have value greater than or equal to 3600",
    ],
    [
      "no document",
      { AssumeRolePolicyDocument: undefined },
      "ValidationError",
      "Value null at 'assumeRolePolicyDocument' failed to satisfy constraint: Member must not be null",
    ],
    [
      "no JSON",
      { AssumeRolePolicyDocument: "{" },
      "MalformedPolicyDocumentException",
      "This policy contains invalid Json",
    ],
  ])("are refused with %s", async (_, changes, name, message) => {
    expect(await refusal(createRole("bad", changes))).toMatchObject({
      name,
      message: expect.stringContaining(message),
    });
  });
});

describe("policies", () => {
  it("are attached to roles and in the way of their deletion", async () => {
    await createRole("cluster");
    const managed = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy";
    const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: "own", PolicyDocument: ALLOW("s3:*") }));
    for (const PolicyArn of [managed, Policy?.Arn])
      await iam.send(new AttachRolePolicyCommand({ RoleName: "cluster", PolicyArn }));
    await iam.send(new PutRolePolicyCommand({ RoleName: "cluster", PolicyName: "in", PolicyDocument: ALLOW("sqs:*") }));
    expect((await iam.send(new ListAttachedRolePoliciesCommand({ RoleName: "cluster" }))).AttachedPolicies).toEqual([
      { PolicyName: "AmazonEKSClusterPolicy", PolicyArn: managed },
      { PolicyName: "own", PolicyArn: Policy?.Arn },
    ]);
    const { PolicyDocument } = await iam.send(new GetRolePolicyCommand({ RoleName: "cluster", PolicyName: "in" }));
    expect(decodeURIComponent(PolicyDocument ?? "")).toBe(ALLOW("sqs:*"));
    expect((await iam.send(new ListEntitiesForPolicyCommand({ PolicyArn: managed }))).PolicyRoles).toMatchObject([
      { RoleName: "cluster" },
    ]);
    expect(await refusal(iam.send(new DeletePolicyCommand({ PolicyArn: Policy?.Arn })))).toMatchObject({
      name: "DeleteConflictException",
    });
    const remove = () => iam.send(new DeleteRoleCommand({ RoleName: "cluster" }));
    expect(await refusal(remove())).toEqual({
      name: "DeleteConflictException",
      message: "Cannot delete entity, must detach all policies first.",
      status: 409,
    });
    for (const PolicyArn of [managed, Policy?.Arn])
      await iam.send(new DetachRolePolicyCommand({ RoleName: "cluster", PolicyArn }));
    expect(await refusal(remove())).toMatchObject({ message: "Cannot delete entity, must delete policies first." });
    await iam.send(new DeleteRolePolicyCommand({ RoleName: "cluster", PolicyName: "in" }));
    await remove();
    await iam.send(new DeletePolicyCommand({ PolicyArn: Policy?.Arn }));
  });

  it("have versions, one of which counts", async () => {
    const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: "many", PolicyDocument: ALLOW("s3:*") }));
    const PolicyArn = Policy?.Arn;
    await iam.send(new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: ALLOW("sqs:*"), SetAsDefault: true }));
    const { Versions } = await iam.send(new ListPolicyVersionsCommand({ PolicyArn }));
    expect(Versions?.map(({ VersionId, IsDefaultVersion }) => [VersionId, IsDefaultVersion])).toEqual([
      ["v2", true],
      ["v1", false],
    ]);
    const { PolicyVersion } = await iam.send(new GetPolicyVersionCommand({ PolicyArn, VersionId: "v1" }));
    expect(decodeURIComponent(PolicyVersion?.Document ?? "")).toContain("s3:*");
    const { Policies } = await iam.send(new ListPoliciesCommand({ Scope: "Local" }));
    expect(Policies).toMatchObject([{ PolicyName: "many", DefaultVersionId: "v2", AttachmentCount: 0 }]);
  });

  it("are simulated with groups, boundaries and denials", async () => {
    await iam.send(
      new CreateUserCommand({ UserName: "sim", PermissionsBoundary: "arn:aws:iam::aws:policy/PowerUserAccess" }),
    );
    await iam.send(new CreateGroupCommand({ GroupName: "admins" }));
    await iam.send(new AddUserToGroupCommand({ GroupName: "admins", UserName: "sim" }));
    expect((await iam.send(new GetGroupCommand({ GroupName: "admins" }))).Users).toMatchObject([{ UserName: "sim" }]);
    rig.state.iam.groups.put({
      ...(rig.state.iam.groups.list({ accountId: ACCOUNT, region: "aws-global" })[0] as never as object),
      attachedPolicies: ["arn:aws:iam::aws:policy/AdministratorAccess"],
    } as never);
    await iam.send(
      new PutUserPolicyCommand({ UserName: "sim", PolicyName: "no", PolicyDocument: ALLOW("eks:Delete*", "Deny") }),
    );
    const { EvaluationResults } = await iam.send(
      new SimulatePrincipalPolicyCommand({
        PolicySourceArn: `arn:aws:iam::${ACCOUNT}:user/sim`,
        ActionNames: ["eks:ListClusters", "eks:DeleteCluster", "iam:CreateUser"],
      }),
    );
    expect(EvaluationResults?.map(({ EvalDecision }) => EvalDecision)).toEqual([
      "allowed",
      "explicitDeny",
      "implicitDeny",
    ]);
  });
});

describe("users", () => {
  it("have two keys at most, and are there as soon as they ask for themselves", async () => {
    expect((await iam.send(new GetUserCommand({}))).User).toMatchObject({
      UserName: "test",
      Arn: `arn:aws:iam::${ACCOUNT}:user/test`,
    });
    const { User } = await iam.send(new CreateUserCommand({ UserName: "eve", Path: "/x/" }));
    expect(User?.Arn).toBe(`arn:aws:iam::${ACCOUNT}:user/x/eve`);
    const make = () => iam.send(new CreateAccessKeyCommand({ UserName: "eve" }));
    const ids = [(await make()).AccessKey?.AccessKeyId, (await make()).AccessKey?.AccessKeyId];
    expect(await refusal(make())).toEqual({
      name: "LimitExceededException",
      message: "Cannot exceed quota for AccessKeysPerUser: 2",
      status: 409,
    });
    const { AccessKeyMetadata = [] } = await iam.send(new ListAccessKeysCommand({ UserName: "eve" }));
    expect(AccessKeyMetadata.map(({ AccessKeyId }) => AccessKeyId).sort()).toEqual([...ids].sort());
    expect(JSON.stringify(AccessKeyMetadata)).not.toContain("Secret");
    expect(await refusal(iam.send(new DeleteUserCommand({ UserName: "eve" })))).toMatchObject({
      message: "Cannot delete entity, must delete access keys first.",
    });
    for (const AccessKeyId of ids) await iam.send(new DeleteAccessKeyCommand({ UserName: "eve", AccessKeyId }));
    await iam.send(new DeleteUserCommand({ UserName: "eve" }));
    expect((await iam.send(new ListUsersCommand({ PathPrefix: "/x/" }))).Users).toEqual([]);
  });

  it("leave no secret in the event log", async () => {
    const { AccessKey } = await iam.send(new CreateAccessKeyCommand({}));
    const events = rig.state.events.read({});
    expect(events.map(({ type }) => type)).toContain("CreateAccessKey");
    expect(JSON.stringify(events)).not.toContain(AccessKey?.SecretAccessKey ?? "?");
  });
});

describe("the rest", () => {
  it("instance profiles hold one role", async () => {
    await createRole("of-nodes");
    const profile = { InstanceProfileName: "nodes" };
    await iam.send(new CreateInstanceProfileCommand(profile));
    await iam.send(new AddRoleToInstanceProfileCommand({ ...profile, RoleName: "of-nodes" }));
    expect((await iam.send(new GetInstanceProfileCommand(profile))).InstanceProfile).toMatchObject({
      Arn: `arn:aws:iam::${ACCOUNT}:instance-profile/nodes`,
      Roles: [{ RoleName: "of-nodes" }],
    });
    expect(
      (await iam.send(new ListInstanceProfilesForRoleCommand({ RoleName: "of-nodes" }))).InstanceProfiles,
    ).toHaveLength(1);
    expect(await refusal(iam.send(new DeleteRoleCommand({ RoleName: "of-nodes" })))).toMatchObject({
      message: "Cannot delete entity, must remove roles from instance profile first.",
    });
    expect(await refusal(iam.send(new DeleteInstanceProfileCommand(profile)))).toMatchObject({
      name: "DeleteConflictException",
    });
    await iam.send(new RemoveRoleFromInstanceProfileCommand({ ...profile, RoleName: "of-nodes" }));
    await iam.send(new DeleteInstanceProfileCommand(profile));
  });

  it("OIDC providers are known by their URL", async () => {
    const Url = "https://oidc.eks.us-east-1.amazonaws.com/id/ABC";
    const make = () => iam.send(new CreateOpenIDConnectProviderCommand({ Url, ClientIDList: ["sts.amazonaws.com"] }));
    const { OpenIDConnectProviderArn } = await make();
    expect(OpenIDConnectProviderArn).toBe(
      `arn:aws:iam::${ACCOUNT}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC`,
    );
    expect(await refusal(make())).toMatchObject({ name: "EntityAlreadyExistsException" });
    expect(await iam.send(new GetOpenIDConnectProviderCommand({ OpenIDConnectProviderArn }))).toMatchObject({
      Url: "oidc.eks.us-east-1.amazonaws.com/id/ABC",
      ClientIDList: ["sts.amazonaws.com"],
    });
    expect((await iam.send(new ListOpenIDConnectProvidersCommand({}))).OpenIDConnectProviderList).toEqual([
      { Arn: OpenIDConnectProviderArn },
    ]);
  });

  it("what is not there says so", async () => {
    expect(await refusal(iam.send(new ListSAMLProvidersCommand({})))).toMatchObject({
      name: "NotImplemented",
      message: "eksim does not implement ListSAMLProviders of iam yet",
    });
    expect(rig.logged).toEqual([]);
  });
});
