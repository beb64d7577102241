import {
  AssociateIdentityProviderConfigCommand,
  type AssociateIdentityProviderConfigCommandInput,
  CreateClusterCommand,
  DescribeClusterCommand,
  DescribeIdentityProviderConfigCommand,
  DisassociateIdentityProviderConfigCommand,
  ListIdentityProviderConfigsCommand,
  ListTagsForResourceCommand,
  TagResourceCommand,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, type Rig, refusal, startRig } from "../gateway-rig.js";

const OIDC = { identityProviderConfigName: "corp", issuerUrl: "https://idp.example.com/realm", clientId: "kubernetes" };
const NAMED = { clusterName: "demo", identityProviderConfig: { type: "oidc", name: "corp" } };

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.client.send(new CreateClusterCommand(CLUSTER));
  rig.activate("demo");
});
afterEach(() => rig.close());

const associate = (changes: Partial<AssociateIdentityProviderConfigCommandInput["oidc"]> = {}, more: object = {}) =>
  rig.client.send(
    new AssociateIdentityProviderConfigCommand({ clusterName: "demo", oidc: { ...OIDC, ...changes }, ...more }),
  );
const show = async () =>
  (await rig.client.send(new DescribeIdentityProviderConfigCommand(NAMED))).identityProviderConfig?.oidc;

describe("AssociateIdentityProviderConfig", () => {
  it("is an update of the cluster, which is UPDATING while the provider is CREATING", async () => {
    const { update, tags } = await associate({ groupsClaim: "groups" }, { tags: { team: "a" } });
    expect(tags).toEqual({ team: "a" });
    expect(update).toMatchObject({
      status: "InProgress",
      type: "AssociateIdentityProviderConfig",
      params: [{ type: "IdentityProviderConfig", value: '[{"type":"oidc","name":"corp"}]' }],
      errors: [],
    });
    const { cluster } = await rig.client.send(new DescribeClusterCommand({ name: "demo" }));
    expect(cluster?.status).toBe("UPDATING");
    expect(await show()).toEqual({
      ...OIDC,
      identityProviderConfigArn: expect.stringMatching(
        /^arn:aws:eks:us-east-1:000000000000:identityproviderconfig\/demo\/oidc\/corp\/[0-9a-f-]{36}$/,
      ),
      clusterName: "demo",
      groupsClaim: "groups",
      tags: { team: "a" },
      status: "CREATING",
    });
    expect(await refusal(associate({ identityProviderConfigName: "b" }))).toMatchObject({
      name: "ResourceInUseException",
      message: `Cannot AssociateIdentityProviderConfig because cluster demo currently has update ${update?.id} in progress`,
    });
  });

  it("allows ten a cluster, of issuers of their own", async () => {
    await associate();
    rig.finishUpdate("demo");
    expect(await refusal(associate())).toMatchObject({ name: "ResourceInUseException" });
    expect(await refusal(associate({ identityProviderConfigName: "b" }))).toMatchObject({
      name: "InvalidRequestException",
      clusterName: "demo",
    });
    for (let n = 1; n < 10; n++) {
      await associate({ identityProviderConfigName: `corp-${n}`, issuerUrl: `https://idp-${n}.example.com` });
      rig.finishUpdate("demo");
    }
    expect(
      await refusal(associate({ identityProviderConfigName: "b", issuerUrl: "https://b.example.com" })),
    ).toMatchObject({ name: "ResourceLimitExceededException" });
    const listed = await rig.client.send(new ListIdentityProviderConfigsCommand({ clusterName: "demo" }));
    expect(listed.identityProviderConfigs).toHaveLength(10);
    expect(listed.identityProviderConfigs?.[0]).toEqual({ type: "oidc", name: "corp" });
  });

  it("allows one a cluster before Kubernetes 1.32", async () => {
    await rig.client.send(new CreateClusterCommand({ ...CLUSTER, name: "old", version: "1.31" }));
    rig.activate("old");
    const second = { identityProviderConfigName: "b", issuerUrl: "https://b.example.com" };
    await associate({}, { clusterName: "old" });
    rig.finishUpdate("old");
    expect(await refusal(associate(second, { clusterName: "old" }))).toMatchObject({
      name: "InvalidRequestException",
      clusterName: "old",
    });
  });

  it.each<[string, Partial<AssociateIdentityProviderConfigCommandInput["oidc"]>, string]>([
    ["an issuer without TLS", { issuerUrl: "http://idp.example.com" }, "IssuerURL must use https:// scheme."],
    ["an issuer with a query", { issuerUrl: "https://idp.example.com/?a=b" }, "IssuerURL must be a URL without query"],
    [
      "a prefix of Kubernetes' own",
      { usernamePrefix: "system:" },
      "The prefix system: is reserved for Kubernetes system use",
    ],
    ["the same for groups", { groupsPrefix: "system:" }, "The prefix system: is reserved for Kubernetes system use"],
    ["a name that can be none", { identityProviderConfigName: "-a" }, "The identityProviderConfigName must begin"],
    [
      "too many claims",
      { requiredClaims: Object.fromEntries(Array.from({ length: 16 }, (_, n) => [`c${n}`, "v"])) },
      "At most 15 required claims can be specified",
    ],
  ])("refuses %s", async (_, changes, message) => {
    const refused = await refusal(associate(changes));
    expect(refused).toMatchObject({ name: "InvalidParameterException" });
    expect(refused.message).toContain(message);
    expect(await refusal(show())).toMatchObject({ name: "ResourceNotFoundException" });
  });

  it("leaves a config that nothing but its tags changes", async () => {
    await associate();
    const resourceArn = (await show())?.identityProviderConfigArn;
    await rig.client.send(new TagResourceCommand({ resourceArn, tags: { a: "b" } }));
    expect((await rig.client.send(new ListTagsForResourceCommand({ resourceArn }))).tags).toEqual({ a: "b" });
  });
});

describe("DisassociateIdentityProviderConfig", () => {
  const disassociate = (changes: object = {}) =>
    rig.client.send(new DisassociateIdentityProviderConfigCommand({ ...NAMED, ...changes }));

  it("is an update too, during which the config is DELETING", async () => {
    await associate();
    rig.finishUpdate("demo");
    const { update } = await disassociate();
    expect(update?.type).toBe("DisassociateIdentityProviderConfig");
    expect((await show())?.status).toBe("DELETING");
  });

  it("knows configs of type oidc by name", async () => {
    expect(await refusal(disassociate())).toMatchObject({
      name: "ResourceNotFoundException",
      message: "No identity provider config found for name: corp.",
    });
    expect(await refusal(disassociate({ identityProviderConfig: { type: "saml", name: "corp" } }))).toMatchObject({
      name: "InvalidParameterException",
    });
  });
});
