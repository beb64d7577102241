import {
  CreateClusterCommand,
  CreatePodIdentityAssociationCommand,
  type CreatePodIdentityAssociationCommandInput,
  DeletePodIdentityAssociationCommand,
  DescribePodIdentityAssociationCommand,
  ListPodIdentityAssociationsCommand,
  paginateListPodIdentityAssociations,
  TagResourceCommand,
  UpdatePodIdentityAssociationCommand,
  type UpdatePodIdentityAssociationCommandInput,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, NOW, type Rig, refusal, startRig } from "../gateway-rig.js";

const ROLE = "arn:aws:iam::000000000000:role/app";
const TARGET = "arn:aws:iam::111122223333:role/data";
const POLICY = '{"Version":"2012-10-17","Statement":[]}';
const WANTED = { clusterName: "demo", namespace: "web", serviceAccount: "shop", roleArn: ROLE };

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
  await rig.client.send(new CreateClusterCommand(CLUSTER));
  rig.activate("demo");
});
afterEach(() => rig.close());

const create = async (changes: Partial<CreatePodIdentityAssociationCommandInput> = {}) =>
  (await rig.client.send(new CreatePodIdentityAssociationCommand({ ...WANTED, ...changes }))).association;
const update = async (associationId = "", changes: Partial<UpdatePodIdentityAssociationCommandInput> = {}) =>
  (await rig.client.send(new UpdatePodIdentityAssociationCommand({ clusterName: "demo", associationId, ...changes })))
    .association;
const named = (associationId = "") => ({ clusterName: "demo", associationId });
const show = async (id?: string) =>
  (await rig.client.send(new DescribePodIdentityAssociationCommand(named(id)))).association;
const list = async (filter: object = {}) =>
  (await rig.client.send(new ListPodIdentityAssociationsCommand({ clusterName: "demo", ...filter }))).associations;

describe("CreatePodIdentityAssociation", () => {
  it("works in every authentication mode, at once, and asks neither for the namespace nor for the service account", async () => {
    const association = await create({ tags: { team: "a" } });
    expect(association).toEqual({
      ...WANTED,
      associationId: expect.stringMatching(/^a-[a-z0-9]{17}$/),
      associationArn: `arn:aws:eks:us-east-1:000000000000:podidentityassociation/demo/${association?.associationId}`,
      tags: { team: "a" },
      createdAt: new Date(NOW),
      modifiedAt: new Date(NOW),
      disableSessionTags: false,
    });
    expect(await show(association?.associationId)).toEqual(association);
  });

  it("gives an external id with a target role, which may be another account's", async () => {
    expect(await create({ targetRoleArn: TARGET })).toMatchObject({
      targetRoleArn: TARGET,
      externalId: "us-east-1/000000000000/demo/web/shop",
    });
  });

  it("makes one a service account", async () => {
    const first = await create();
    expect(await refusal(create())).toMatchObject({
      name: "ResourceInUseException",
      status: 409,
      message: `Association already exists: ${first?.associationId}`,
    });
    await create({ namespace: "other" });
    await create({ serviceAccount: "other" });
    expect(await list()).toHaveLength(3);
  });

  it("answers the same association for the same token", async () => {
    const first = await create({ clientRequestToken: "t" });
    expect(await create({ clientRequestToken: "t" })).toEqual(first);
    expect(await refusal(create({ clientRequestToken: "t", roleArn: `${ROLE}2` }))).toMatchObject({
      name: "InvalidParameterException",
    });
  });

  it.each<[string, Partial<CreatePodIdentityAssociationCommandInput>, string, string]>([
    [
      "a namespace that can be none",
      { namespace: "Web" },
      "InvalidParameterException",
      'The parameter namespace contains invalid characters. It should conform to the regular expression "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"',
    ],
    [
      "a service account that can be none",
      { serviceAccount: "a_b" },
      "InvalidParameterException",
      "The parameter serviceAccount contains invalid characters.",
    ],
    [
      "another account's role",
      { roleArn: "arn:aws:iam::111122223333:role/app" },
      "AccessDeniedException",
      "Cross-account pass role is not allowed.",
    ],
    ["no role at all", { roleArn: "app" }, "InvalidParameterException", "Invalid Role Arn: 'app'"],
    ["a target that is no role", { targetRoleArn: "x" }, "InvalidParameterException", "Invalid Role Arn: 'x'"],
    [
      "a policy beside session tags",
      { policy: POLICY },
      "InvalidParameterException",
      "When policy is specified, disableSessionTags must be set to true",
    ],
    [
      "a policy that is not JSON",
      { policy: "{", disableSessionTags: true },
      "InvalidParameterException",
      "The policy is not valid JSON",
    ],
  ])("refuses %s", async (_, changes, name, message) => {
    const refused = await refusal(create(changes));
    expect(refused).toMatchObject({ name });
    expect(refused.message).toContain(message);
    expect(await list()).toEqual([]);
  });

  it("is refused beyond 1000 a cluster", async () => {
    const association = await create();
    const cluster = rig.state.clusters.get({ accountId: "000000000000", region: "us-east-1", name: "demo" });
    const record = rig.state.podIdentityAssociations.get(cluster?.id ?? "", association?.associationId ?? "");
    if (!record) throw new Error("no record");
    rig.state.transaction(() => {
      for (let n = 1; n < 1000; n++)
        rig.state.podIdentityAssociations.put({ ...record, id: `a-${n}`, serviceAccount: `s${n}` });
    });
    expect(await refusal(create({ serviceAccount: "last" }))).toMatchObject({ name: "ResourceLimitExceededException" });
  });
});

describe("UpdatePodIdentityAssociation", () => {
  it("changes what it is told and nothing else", async () => {
    const association = await create({ targetRoleArn: TARGET });
    const id = association?.associationId;
    await rig.clock.advance(1000);
    const changed = await update(id, { roleArn: `${ROLE}2` });
    expect(changed).toEqual({ ...association, roleArn: `${ROLE}2`, modifiedAt: new Date(NOW + 1000) });
    expect(await update(id, { policy: POLICY, disableSessionTags: true })).toMatchObject({ policy: POLICY });
    expect(await refusal(update(id, { disableSessionTags: false }))).toMatchObject({
      message: "When policy is specified, disableSessionTags must be set to true",
    });
    const bare = await update(id, { targetRoleArn: "", policy: "" });
    for (const member of ["targetRoleArn", "externalId", "policy"]) expect(bare).not.toHaveProperty(member);
    expect(await show(id)).toEqual(bare);
  });

  it("asks for something to change", async () => {
    const association = await create();
    expect(await refusal(update(association?.associationId))).toMatchObject({ name: "InvalidParameterException" });
    expect(await refusal(update(association?.associationId, { roleArn: TARGET }))).toMatchObject({
      message: "Cross-account pass role is not allowed.",
    });
  });

  it("leaves those of an add-on to the add-on", async () => {
    const association = await create();
    const cluster = rig.state.clusters.get({ accountId: "000000000000", region: "us-east-1", name: "demo" });
    const record = rig.state.podIdentityAssociations.get(cluster?.id ?? "", association?.associationId ?? "");
    if (!record) throw new Error("no record");
    rig.state.podIdentityAssociations.put({ ...record, ownerArn: "arn:aws:eks:us-east-1:000000000000:addon/demo/x/y" });
    const id = association?.associationId;
    for (const attempt of [
      () => update(id, { roleArn: ROLE }),
      () => rig.client.send(new DeletePodIdentityAssociationCommand(named(id))),
    ]) {
      expect(await refusal(attempt())).toMatchObject({ name: "InvalidRequestException", clusterName: "demo" });
    }
    expect(await show(id)).toMatchObject({ ownerArn: "arn:aws:eks:us-east-1:000000000000:addon/demo/x/y" });
  });
});

describe("Pod identity associations", () => {
  it("are listed in short, by namespace and service account", async () => {
    const association = await create({ tags: { a: "b" } });
    await create({ serviceAccount: "other" });
    await create({ namespace: "other" });
    expect(await list({ namespace: "web", serviceAccount: "shop" })).toEqual([
      {
        clusterName: "demo",
        namespace: "web",
        serviceAccount: "shop",
        associationArn: association?.associationArn,
        associationId: association?.associationId,
      },
    ]);
    expect(await list({ namespace: "web" })).toHaveLength(2);
    expect(await list({ namespace: "none" })).toEqual([]);
    const seen: unknown[] = [];
    const paginator = paginateListPodIdentityAssociations({ client: rig.client, pageSize: 1 }, { clusterName: "demo" });
    for await (const page of paginator) seen.push(...(page.associations ?? []));
    expect(seen).toEqual(await list());
  });

  it("are gone when deleted, and can be tagged before", async () => {
    const association = await create();
    await rig.client.send(new TagResourceCommand({ resourceArn: association?.associationArn, tags: { a: "b" } }));
    const deleted = await rig.client.send(new DeletePodIdentityAssociationCommand(named(association?.associationId)));
    expect(deleted.association).toEqual({ ...association, tags: { a: "b" } });
    expect(await refusal(show(association?.associationId))).toMatchObject({
      name: "ResourceNotFoundException",
      status: 404,
      clusterName: "demo",
    });
    expect((await create())?.associationId).not.toBe(association?.associationId);
  });
});
