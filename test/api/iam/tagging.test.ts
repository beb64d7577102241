import {
  CreateInstanceProfileCommand,
  CreateOpenIDConnectProviderCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  type IAMClient,
  ListInstanceProfileTagsCommand,
  ListOpenIDConnectProviderTagsCommand,
  ListPolicyTagsCommand,
  ListRoleTagsCommand,
  ListUserTagsCommand,
  type Tag,
  TagInstanceProfileCommand,
  TagOpenIDConnectProviderCommand,
  TagPolicyCommand,
  TagRoleCommand,
  TagUserCommand,
  UntagInstanceProfileCommand,
  UntagOpenIDConnectProviderCommand,
  UntagPolicyCommand,
  UntagRoleCommand,
  UntagUserCommand,
} from "@aws-sdk/client-iam";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Rig, refusal, startRig } from "../gateway-rig.js";
import { iamClient } from "./iam-client.js";

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

const DOCUMENT = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "s3:GetObject", Resource: "*" }],
});
const TRUST = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" }],
});
const POLICY = { PolicyArn: "arn:aws:iam::000000000000:policy/p" };
const PROVIDER = { OpenIDConnectProviderArn: "arn:aws:iam::000000000000:oidc-provider/issuer.example.com" };

interface Kind {
  create(): Promise<unknown>;
  tag(Tags: Tag[]): Promise<unknown>;
  untag(TagKeys: string[]): Promise<unknown>;
  list(): Promise<{ Tags?: Tag[] | undefined }>;
}

const KINDS: [string, Kind][] = [
  [
    "users",
    {
      create: () => iam.send(new CreateUserCommand({ UserName: "u" })),
      tag: (Tags) => iam.send(new TagUserCommand({ UserName: "u", Tags })),
      untag: (TagKeys) => iam.send(new UntagUserCommand({ UserName: "u", TagKeys })),
      list: () => iam.send(new ListUserTagsCommand({ UserName: "u" })),
    },
  ],
  [
    "roles",
    {
      create: () => iam.send(new CreateRoleCommand({ RoleName: "r", AssumeRolePolicyDocument: TRUST })),
      tag: (Tags) => iam.send(new TagRoleCommand({ RoleName: "r", Tags })),
      untag: (TagKeys) => iam.send(new UntagRoleCommand({ RoleName: "r", TagKeys })),
      list: () => iam.send(new ListRoleTagsCommand({ RoleName: "r" })),
    },
  ],
  [
    "instance profiles",
    {
      create: () => iam.send(new CreateInstanceProfileCommand({ InstanceProfileName: "i" })),
      tag: (Tags) => iam.send(new TagInstanceProfileCommand({ InstanceProfileName: "i", Tags })),
      untag: (TagKeys) => iam.send(new UntagInstanceProfileCommand({ InstanceProfileName: "i", TagKeys })),
      list: () => iam.send(new ListInstanceProfileTagsCommand({ InstanceProfileName: "i" })),
    },
  ],
  [
    "policies",
    {
      create: () => iam.send(new CreatePolicyCommand({ PolicyName: "p", PolicyDocument: DOCUMENT })),
      tag: (Tags) => iam.send(new TagPolicyCommand({ ...POLICY, Tags })),
      untag: (TagKeys) => iam.send(new UntagPolicyCommand({ ...POLICY, TagKeys })),
      list: () => iam.send(new ListPolicyTagsCommand(POLICY)),
    },
  ],
  [
    "OIDC providers",
    {
      create: () => iam.send(new CreateOpenIDConnectProviderCommand({ Url: "https://issuer.example.com" })),
      tag: (Tags) => iam.send(new TagOpenIDConnectProviderCommand({ ...PROVIDER, Tags })),
      untag: (TagKeys) => iam.send(new UntagOpenIDConnectProviderCommand({ ...PROVIDER, TagKeys })),
      list: () => iam.send(new ListOpenIDConnectProviderTagsCommand(PROVIDER)),
    },
  ],
];

it.each(KINDS)("%s take tags, show them and let them go", async (_kind, { create, tag, untag, list }) => {
  expect((await refusal(tag([{ Key: "team", Value: "a" }]))).name).toMatch(/^NoSuchEntity/);
  await create();
  await tag([
    { Key: "team", Value: "a" },
    { Key: "stage", Value: "" },
  ]);
  await tag([{ Key: "Team", Value: "b" }]);
  await untag(["stage"]);
  expect((await list()).Tags).toEqual([{ Key: "Team", Value: "b" }]);
});
