import {
  CancelUpdateCommand,
  CreateClusterCommand,
  CreateNodegroupCommand,
  DescribeClusterCommand,
  DescribeUpdateCommand,
  ListUpdatesCommand,
  UpdateClusterConfigCommand,
  UpdateClusterVersionCommand,
  UpdateNodegroupConfigCommand,
  UpdateNodegroupVersionCommand,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, NODEGROUP, type Rig, refusal, startRig } from "../gateway-rig.js";

const DAY_MS = 86_400_000;
const NAMES = { clusterName: "demo", nodegroupName: "workers" };

let rig: Rig;
const setUp = async (version: string): Promise<void> => {
  await rig.client.send(new CreateClusterCommand({ ...CLUSTER, version }));
  rig.activate("demo");
};
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

const toVersion = (version: string) => rig.client.send(new UpdateClusterVersionCommand({ name: "demo", version }));
const upgrade = async (version: string): Promise<void> => {
  await toVersion(version);
  rig.finishUpdate("demo");
};
const describeUpdate = (updateId = "", more = {}) =>
  rig.client.send(new DescribeUpdateCommand({ name: "demo", updateId, ...more }));

describe("UpdateClusterVersion", () => {
  it("goes one minor up and says which platform version that gives", async () => {
    await setUp("1.34");
    const { update } = await toVersion("1.35");
    expect(update).toMatchObject({ type: "VersionUpdate", status: "InProgress" });
    expect(update?.params).toEqual([
      { type: "Version", value: "1.35" },
      { type: "PlatformVersion", value: "eks.9" },
    ]);
    rig.finishUpdate("demo");
    const { cluster } = await rig.client.send(new DescribeClusterCommand({ name: "demo" }));
    expect(cluster).toMatchObject({ version: "1.35", platformVersion: "eks.9", status: "ACTIVE" });
  });

  it.each([
    ["two minors up", "1.34", "1.36", "Unsupported Kubernetes minor version update from 1.34 to 1.36"],
    ["where it is", "1.34", "1.34", "Unsupported Kubernetes minor version update from 1.34 to 1.34"],
    ["back without an upgrade before", "1.34", "1.33", "Unsupported Kubernetes minor version update from 1.34 to 1.33"],
    ["to what does not exist", "1.36", "1.37", "unsupported Kubernetes version 1.37"],
  ])("refuses to go %s", async (_, from, to, message) => {
    await setUp(from);
    expect(await refusal(toVersion(to))).toMatchObject({ name: "InvalidParameterException", message });
  });

  it("lets node groups lag three minors behind and no more", async () => {
    await setUp("1.32");
    await rig.client.send(new CreateNodegroupCommand(NODEGROUP));
    rig.activateNodegroup("demo", "workers");
    for (const version of ["1.33", "1.34", "1.35"]) await upgrade(version);
    expect(await refusal(toVersion("1.36"))).toEqual({
      name: "InvalidParameterException",
      message: "Nodegroups workers must be updated to match cluster version 1.35 before updating cluster version",
      status: 400,
      clusterName: "demo",
    });
  });

  it("rolls back within a week of an upgrade, node groups first", async () => {
    await setUp("1.35");
    await rig.client.send(new CreateNodegroupCommand(NODEGROUP));
    rig.activateNodegroup("demo", "workers");
    await upgrade("1.36");
    const groupTo = (version: string) => rig.client.send(new UpdateNodegroupVersionCommand({ ...NAMES, version }));
    await groupTo("1.36");
    rig.finishUpdate("demo", "workers");
    expect(await refusal(toVersion("1.35"))).toMatchObject({ name: "InvalidParameterException" });
    await groupTo("1.35");
    rig.finishUpdate("demo", "workers");
    expect((await toVersion("1.35")).update?.type).toBe("VersionRollback");
    rig.finishUpdate("demo");
    // Once is enough.
    expect(await refusal(toVersion("1.34"))).toMatchObject({ name: "InvalidParameterException" });
  });

  it("rolls back no more after a week", async () => {
    await setUp("1.35");
    await upgrade("1.36");
    await rig.clock.advance(7 * DAY_MS + 1);
    expect(await refusal(toVersion("1.35"))).toMatchObject({
      message: "Unsupported Kubernetes minor version update from 1.36 to 1.35",
    });
  });
});

describe("DescribeUpdate and ListUpdates", () => {
  it("keep updates of the cluster apart from those of a node group", async () => {
    await setUp("1.36");
    await rig.client.send(new CreateNodegroupCommand(NODEGROUP));
    rig.activateNodegroup("demo", "workers");
    const ofCluster = await rig.client.send(new UpdateClusterConfigCommand({ name: "demo", deletionProtection: true }));
    const ofGroup = await rig.client.send(
      new UpdateNodegroupConfigCommand({ ...NAMES, labels: { addOrUpdateLabels: { a: "b" } } }),
    );
    const list = async (input = {}) =>
      (await rig.client.send(new ListUpdatesCommand({ name: "demo", ...input }))).updateIds;
    expect(await list()).toEqual([ofCluster.update?.id]);
    expect(await list({ nodegroupName: "workers" })).toEqual([ofGroup.update?.id]);
    expect((await describeUpdate(ofGroup.update?.id, { nodegroupName: "workers" })).update).toEqual(ofGroup.update);
    expect(await refusal(describeUpdate(ofGroup.update?.id))).toMatchObject({
      name: "ResourceNotFoundException",
      message: `No update found for ID: ${ofGroup.update?.id}`,
      status: 404,
    });
    expect(await refusal(list({ nodegroupName: "none" }))).toMatchObject({ name: "ResourceNotFoundException" });
  });

  it("always shows the errors of an update, if only an empty list", async () => {
    await setUp("1.36");
    const { update } = await rig.client.send(
      new UpdateClusterConfigCommand({ name: "demo", deletionProtection: true }),
    );
    const { text } = await rig.raw("GET", `/clusters/demo/updates/${update?.id}`);
    expect(text).toContain('"errors":[]');
  });

  it("page through ids, oldest first", async () => {
    await setUp("1.36");
    const ids: (string | undefined)[] = [];
    for (const deletionProtection of [true, false, true]) {
      const { update } = await rig.client.send(new UpdateClusterConfigCommand({ name: "demo", deletionProtection }));
      ids.push(update?.id);
      rig.finishUpdate("demo");
    }
    const page = (nextToken?: string) =>
      rig.client.send(new ListUpdatesCommand({ name: "demo", maxResults: 2, nextToken }));
    const first = await page();
    const second = await page(first.nextToken);
    expect([first.updateIds, second.updateIds, second.nextToken]).toEqual([ids.slice(0, 2), ids.slice(2), undefined]);
  });
});

describe("CancelUpdate", () => {
  const cancel = (updateId = "") => rig.client.send(new CancelUpdateCommand({ name: "demo", updateId }));

  it("calls off the roll-back of an Auto Mode cluster", async () => {
    await setUp("1.35");
    await upgrade("1.36");
    rig.activate("demo", { computeConfig: { enabled: true } });
    const { update } = await toVersion("1.35");
    expect((await cancel(update?.id)).update).toMatchObject({
      status: "Cancelled",
      cancellation: { status: "Successful" },
    });
    expect((await rig.client.send(new DescribeClusterCommand({ name: "demo" }))).cluster).toMatchObject({
      status: "ACTIVE",
      version: "1.36",
    });
    expect(await refusal(cancel(update?.id))).toMatchObject({ name: "InvalidStateException" });
  });

  it("refuses every other update", async () => {
    await setUp("1.35");
    const { update } = await toVersion("1.36");
    expect(await refusal(cancel(update?.id))).toMatchObject({ name: "InvalidStateException", status: 400 });
    expect(await refusal(cancel("none"))).toMatchObject({ name: "ResourceNotFoundException" });
  });
});
