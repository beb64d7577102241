import {
  CreateEksAnywhereSubscriptionCommand,
  type CreateEksAnywhereSubscriptionCommandInput,
  DeleteEksAnywhereSubscriptionCommand,
  DescribeEksAnywhereSubscriptionCommand,
  type EKSClient,
  type EksAnywhereSubscriptionStatus,
  ListEksAnywhereSubscriptionsCommand,
  ListTagsForResourceCommand,
  paginateListEksAnywhereSubscriptions,
  UpdateEksAnywhereSubscriptionCommand,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PROFILES } from "../../../src/domain/profile.js";
import { createReconcilers, type Reconcilers } from "../../../src/reconcile/reconcilers.js";
import { type Rig, refusal, startRig } from "../gateway-rig.js";

let rig: Rig;
let reconcilers: Reconcilers;
let client: EKSClient;

/** Subscriptions need no clusters: the API and the reconcilers are enough, and years go by fast. */
async function start(profile: "instant" | "aws" = "instant"): Promise<void> {
  rig = await startRig({}, { nudge: (kind, key) => reconcilers.nudge(kind, key) });
  const silent = { debug: () => {}, warn: () => {}, error: () => {} };
  const { state, clock } = rig;
  reconcilers = createReconcilers({ state, clock, backends: new Map(), profile: PROFILES[profile], log: silent });
  reconcilers.start();
  ({ client } = rig);
}
async function stop(): Promise<void> {
  await reconcilers.stop();
  await rig.close();
}
beforeEach(() => start());
afterEach(stop);

const DAY_MS = 86_400_000;
async function advance(ms: number): Promise<void> {
  await reconcilers.idle();
  await rig.clock.advance(ms);
  await reconcilers.idle();
}

const subscribe = async (changes: Partial<CreateEksAnywhereSubscriptionCommandInput> = {}) => {
  const input = { name: "edge", term: { duration: 12, unit: "MONTHS" }, ...changes } as const;
  const { subscription } = await client.send(new CreateEksAnywhereSubscriptionCommand(input));
  return { id: "", ...subscription };
};
const show = async (id: string) => (await client.send(new DescribeEksAnywhereSubscriptionCommand({ id }))).subscription;
const list = async (includeStatus?: EksAnywhereSubscriptionStatus[]) =>
  (await client.send(new ListEksAnywhereSubscriptionsCommand({ includeStatus }))).subscriptions;

describe("CreateEksAnywhereSubscription", () => {
  it("answers the contract CREATING, with a licence for each cluster", async () => {
    const subscription = await subscribe({ licenseQuantity: 2, licenseType: "Cluster", tags: { a: "b" } });
    expect(subscription).toMatchObject({
      arn: `arn:aws:eks:us-east-1:000000000000:eks-anywhere-subscription/${subscription.id}`,
      createdAt: new Date("2026-11-22T09:00:00.250Z"),
      effectiveDate: new Date("2026-11-22T09:00:00.250Z"),
      expirationDate: new Date("2027-11-22T09:00:00.250Z"),
      licenseQuantity: 2,
      status: "CREATING",
      autoRenew: false,
      tags: { a: "b" },
    });
    expect(new Set(subscription.licenses?.map(({ id }) => id)).size).toBe(2);
    expect(subscription.licenseArns).toHaveLength(2);
    await reconcilers.idle();
    expect(await show(subscription.id)).toMatchObject({ status: "ACTIVE" });
    const tags = new ListTagsForResourceCommand({ resourceArn: subscription.arn });
    expect((await client.send(tags)).tags).toEqual({ a: "b" });
  });

  it("refuses other terms, too many licences and a name that is taken", async () => {
    const wrong: Partial<CreateEksAnywhereSubscriptionCommandInput>[] = [
      { term: { duration: 24, unit: "MONTHS" } },
      { term: { duration: 12 } },
      { licenseQuantity: 0 },
      { licenseQuantity: 101 },
    ];
    for (const changes of wrong) {
      expect(await refusal(subscribe(changes))).toMatchObject({ name: "InvalidParameterException", status: 400 });
    }
    await subscribe();
    expect(await refusal(subscribe())).toMatchObject({ message: "Subscription already exists with name: edge" });
  });

  it("answers the same again for the same token", async () => {
    const { id } = await subscribe({ clientRequestToken: "t" });
    expect((await subscribe({ clientRequestToken: "t" })).id).toBe(id);
    expect(await list()).toHaveLength(1);
  });

  it("takes as long as at AWS under that profile", async () => {
    await stop();
    await start("aws");
    const { id } = await subscribe();
    await advance(19 * 60_000);
    expect(await show(id)).toMatchObject({ status: "CREATING" });
    await advance(1 * 60_000);
    expect(await show(id)).toMatchObject({ status: "ACTIVE" });
  });
});

describe("a subscription", () => {
  it("that does not renew itself expires at the end of its term, and can be deleted only then", async () => {
    const { id } = await subscribe();
    const remove = () => client.send(new DeleteEksAnywhereSubscriptionCommand({ id }));
    await advance(334 * DAY_MS);
    expect(await show(id)).toMatchObject({ status: "ACTIVE" });
    await advance(DAY_MS);
    expect(await show(id)).toMatchObject({ status: "EXPIRING" });
    expect(await refusal(remove())).toMatchObject({ name: "InvalidRequestException" });
    await advance(30 * DAY_MS);
    expect(await show(id)).toMatchObject({ status: "EXPIRED" });
    expect((await remove()).subscription).toMatchObject({ id, status: "DELETING" });
    expect(await refusal(show(id))).toMatchObject({ name: "ResourceNotFoundException", status: 404 });
  });

  it("that renews itself begins another term", async () => {
    const { id } = await subscribe({ autoRenew: true });
    await advance(366 * DAY_MS);
    expect(await show(id)).toMatchObject({
      status: "ACTIVE",
      effectiveDate: new Date("2027-11-22T09:00:00.250Z"),
      expirationDate: new Date("2028-11-22T09:00:00.250Z"),
    });
    expect(rig.state.events.read({}).map(({ type }) => type)).toContain("SubscriptionRenewed");
  });

  it("can be told to renew itself, which keeps it from expiring", async () => {
    const { id } = await subscribe();
    await reconcilers.idle();
    const update = new UpdateEksAnywhereSubscriptionCommand({ id, autoRenew: true });
    expect((await client.send(update)).subscription).toMatchObject({ status: "UPDATING", autoRenew: true });
    await advance(366 * DAY_MS);
    expect(await show(id)).toMatchObject({ status: "ACTIVE", autoRenew: true });
  });

  it("is listed by status, ten a page unless asked otherwise", async () => {
    for (let n = 0; n < 12; n++) await subscribe({ name: `edge-${n}` });
    await reconcilers.idle();
    expect(await list()).toHaveLength(10);
    expect(await list(["CREATING"])).toEqual([]);
    const ids: (string | undefined)[] = [];
    for await (const page of paginateListEksAnywhereSubscriptions(
      { client, pageSize: 5 },
      { includeStatus: ["ACTIVE"] },
    ))
      ids.push(...(page.subscriptions ?? []).map(({ id }) => id));
    expect(new Set(ids).size).toBe(12);
  });
});
