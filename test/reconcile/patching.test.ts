import { afterEach, describe, expect, it } from "vitest";
import type { UpdateRecord } from "../../src/domain/model.js";
import { SCOPE } from "../state/records.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

const worlds: World[] = [];
const world = (options: Parameters<typeof makeWorld>[1] = {}): World<MemoryBackend> => {
  const made = makeWorld(createMemoryBackend, options);
  worlds.push(made);
  return made;
};
afterEach(async () => {
  for (const made of worlds.splice(0)) await made.stop();
});

const DAY_MS = 86_400_000;
const NOVEMBER = Date.UTC(2026, 10, 1);

function startVersionUpdate(w: World, version: string): UpdateRecord {
  const cluster = w.cluster();
  if (!cluster) throw new Error("no cluster");
  const update: UpdateRecord = {
    ...SCOPE,
    id: "u",
    clusterName: cluster.name,
    clusterId: cluster.id,
    status: "InProgress",
    type: "VersionUpdate",
    params: [],
    createdAtMs: w.clock.now(),
    errors: [],
    plan: { version, platformVersion: "eks.8" },
  };
  w.state.updates.put(update);
  w.state.clusters.put({ ...cluster, status: "UPDATING" });
  w.reconcilers.nudge("cluster", cluster.id);
  return update;
}

describe("a version update of the control plane", () => {
  it("swaps the masters one zone after the other, and only then is the cluster of the new version", async () => {
    const w = world({ profile: "aws" });
    const { id } = await w.createCluster("demo", { version: "1.35", platformVersion: "eks.9" });
    startVersionUpdate(w, "1.36");
    const versions = () =>
      w.state.members
        .list(id)
        .map(({ zone, version }) => `${zone} ${version}`)
        .sort();
    await w.until(() => versions().filter((text) => text.endsWith("1.36")).length === 1);
    expect(versions()).toEqual(["us-east-1a 1.36", "us-east-1b 1.35", "us-east-1c 1.35"]);
    expect(w.cluster()).toMatchObject({ status: "UPDATING", version: "1.35" });
    await w.until(() => w.cluster()?.status === "ACTIVE");
    expect(versions()).toEqual(["us-east-1a 1.36", "us-east-1b 1.36", "us-east-1c 1.36"]);
    expect(w.cluster()).toMatchObject({ version: "1.36", platformVersion: "eks.8" });
    const swaps = w.state.events.read({}).filter(({ type }) => type === "MasterReplaced");
    expect(swaps.map(({ zone }) => zone)).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
    expect(new Set(swaps.map(({ atMs }) => atMs)).size).toBe(3);
    expect(w.backend.calls.filter((call) => /^(replaceMember|upgradeControlPlane)/.test(call)).at(-1)).toBe(
      "upgradeControlPlane 1.36",
    );
  });

  it("waits for a lost master to be made anew, so that the quorum is never at stake", async () => {
    const w = world();
    const { id } = await w.createCluster("demo", { version: "1.35" });
    await w.faults.failZone(SCOPE, "us-east-1b");
    await w.until(() => w.state.members.list(id).some(({ status }) => status === "FAILED"));
    startVersionUpdate(w, "1.36");
    await w.until(() => w.cluster()?.status === "ACTIVE");
    expect(w.state.updates.get(id, "u")?.status).toBe("Successful");
    const types = w.state.events.read({}).filter(({ type }) => type === "MasterReplaced");
    expect(types[0]?.message).toContain("which was lost");
  });

  it("fails after an hour without a whole control plane; the cluster stays at its version", async () => {
    const w = world();
    const { id } = await w.createCluster("demo", { version: "1.35" });
    await w.faults.failZone(SCOPE, "us-east-1b");
    await w.faults.failZone(SCOPE, "us-east-1c");
    await w.until(() => w.state.members.list(id).filter(({ status }) => status === "FAILED").length === 2);
    startVersionUpdate(w, "1.36");
    await w.until(() => w.state.updates.get(id, "u")?.status === "Failed", 2 * 3_600_000);
    expect(w.state.updates.get(id, "u")?.errors[0]?.errorCode).toBe("Unknown");
    expect(w.cluster()).toMatchObject({ status: "ACTIVE", version: "1.35" });
    expect(w.state.members.list(id).every(({ version }) => version === "1.35")).toBe(true);
  });

  it("goes on after a restart where it was", async () => {
    const before = world({ profile: "aws" });
    const { id } = await before.createCluster("demo", { version: "1.35" });
    startVersionUpdate(before, "1.36");
    const swapped = (w: World) => w.state.members.list(id).filter(({ version }) => version === "1.36").length;
    await before.until(() => swapped(before) === 2);
    await before.reconcilers.stop();
    const after = makeWorld(() => before.backend, {
      state: before.state,
      startMs: before.clock.now(),
      profile: "aws",
    });
    worlds.push(after);
    await after.until(() => after.cluster()?.status === "ACTIVE");
    expect(swapped(after)).toBe(3);
    expect(after.backend.calls.filter((call) => call.startsWith("replaceMember"))).toHaveLength(3);
  });
});

describe("automatic patching", () => {
  it("brings a new platform version to clusters one by one, without an update and without the cluster leaving ACTIVE", async () => {
    const w = world({ startMs: Date.UTC(2026, 2, 10) });
    for (const name of ["demo", "other"]) await w.createCluster(name, { version: "1.35", platformVersion: "eks.5" });
    await w.until(() => w.cluster("other")?.platformVersion === "eks.8", 30 * DAY_MS);
    await w.until(() => w.cluster("demo")?.platformVersion === "eks.8", 30 * DAY_MS);
    const told = w.state.events.read({}).filter(({ type }) => type === "PlatformVersionUpdated");
    expect(told).toHaveLength(2);
    expect(told[0]?.atMs).toBeGreaterThanOrEqual(Date.UTC(2026, 2, 18));
    expect(told[0]?.atMs).not.toBe(told[1]?.atMs);
    expect(w.state.updates.ids("IDdemo", {}, { limit: 9 })).toEqual([]);
  });

  it("upgrades the control plane when standard support ends for policy STANDARD, and shows the update", async () => {
    const w = world({ startMs: NOVEMBER });
    const { id } = await w.createCluster("demo", {
      version: "1.34",
      platformVersion: "eks.19",
      upgradePolicy: { supportType: "STANDARD" },
    });
    await w.createCluster("patient", { version: "1.34", platformVersion: "eks.19" });
    await w.until(() => w.cluster()?.version === "1.35", 60 * DAY_MS);
    expect(w.clock.now()).toBeGreaterThanOrEqual(Date.UTC(2026, 11, 2));
    const [updateId = ""] = w.state.updates.ids(id, {}, { limit: 9 });
    expect(w.state.updates.get(id, updateId)).toMatchObject({
      type: "VersionUpdate",
      status: "Successful",
      params: [
        { type: "Version", value: "1.35" },
        { type: "PlatformVersion", value: "eks.9" },
      ],
    });
    expect(w.events().filter((line) => line.includes("AutomaticUpgradeStarted"))).toHaveLength(1);
    expect(w.cluster("patient")?.version).toBe("1.34");
  });

  it("upgrades the control plane alone when extended support ends", async () => {
    const w = world({ startMs: NOVEMBER });
    const cluster = await w.createCluster("demo", { version: "1.31", platformVersion: "eks.56" });
    await w.createNodegroup(cluster, "workers", { version: "1.31", releaseVersion: "1.31.14-20260714" });
    await w.until(() => w.cluster()?.version === "1.32", 60 * DAY_MS);
    expect(w.group("workers")?.version).toBe("1.31");
    expect(w.state.members.list(cluster.id).every(({ version }) => version === "1.32")).toBe(true);
  });

  it("heeds a policy that is changed before support ends", async () => {
    const w = world({ startMs: NOVEMBER });
    const cluster = await w.createCluster("demo", {
      version: "1.34",
      platformVersion: "eks.19",
      upgradePolicy: { supportType: "STANDARD" },
    });
    w.state.clusters.put({ ...cluster, upgradePolicy: { supportType: "EXTENDED" } });
    await w.clock.advance(60 * DAY_MS);
    expect(w.cluster()?.version).toBe("1.34");
  });
});
