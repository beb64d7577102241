import { afterEach, describe, expect, it } from "vitest";
import { BackendError, type ClusterObjects } from "../../src/backends/backend.js";
import type { AddonRecord } from "../../src/domain/addon.js";
import type { ClusterRecord } from "../../src/domain/model.js";
import { SCOPE } from "../state/records.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

/** A cluster that takes whatever it is given, unless a test says otherwise. */
const WILLING: ClusterObjects = {
  apply: async () => [],
  remove: async () => {},
  replicas: async () => ({ missing: [], lacking: [] }),
};

let world: World<MemoryBackend>;
let cluster: ClusterRecord;
afterEach(() => world.stop());

async function start(objects: ClusterObjects | undefined): Promise<void> {
  world = makeWorld((clock) => {
    const backend = createMemoryBackend(clock);
    return objects ? { ...backend, objects } : backend;
  });
  cluster = await world.createCluster();
}

function put(changes: Partial<AddonRecord>): void {
  const { id, name } = cluster;
  const nowMs = world.clock.now();
  world.state.addons.put({
    ...SCOPE,
    clusterId: id,
    clusterName: name,
    name: "metrics-server",
    arn: "arn:aws:eks:us-east-1:000000000000:addon/demo/metrics-server/1",
    version: "v0.8.1-eksbuild.6",
    namespace: "kube-system",
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    status: "CREATING",
    healthIssues: [],
    tags: {},
    resolveConflicts: "NONE",
    ...changes,
  });
  world.reconcilers.nudge("addon", `${id}/metrics-server`);
}
const addon = (): AddonRecord | undefined => world.state.addons.get(cluster.id, "metrics-server");

describe("an add-on", () => {
  it("cannot be created where the backend takes none, and says so", async () => {
    await start(undefined);
    put({});
    await world.until(() => addon()?.status === "CREATE_FAILED");
    expect(addon()?.healthIssues).toEqual([
      {
        code: "InternalFailure",
        message: "The backend embedded takes no add-ons",
        resourceIds: ["metrics-server"],
      },
    ]);
  });

  it("whose objects cannot be taken away is DELETE_FAILED, until it is asked again and they can", async () => {
    let refused = true;
    await start({
      ...WILLING,
      remove: async () => {
        if (refused) throw new BackendError("failed", "somebody says no");
      },
    });
    put({ status: "DELETING", objects: [{ resource: "services", namespace: "kube-system", name: "metrics-server" }] });
    await world.until(() => addon()?.status === "DELETE_FAILED");
    expect(addon()?.healthIssues[0]).toMatchObject({ code: "AdmissionRequestDenied", message: "somebody says no" });
    refused = false;
    put({ ...addon(), status: "DELETING" });
    await world.until(() => addon() === undefined);
  });

  it("is tried again for as long as the API server does not answer", async () => {
    let failures = 3;
    await start({
      ...WILLING,
      apply: async () => {
        if (failures-- > 0) throw new BackendError("unavailable", "no quorum");
        return [];
      },
    });
    put({});
    await world.until(() => addon()?.status === "ACTIVE");
    expect(failures).toBe(-1);
  });

  it("that is deleted while an update is at work on its objects goes, and the update stays called off", async () => {
    const update = {
      ...SCOPE,
      id: "update-1",
      clusterName: "demo",
      addonName: "metrics-server",
      type: "AddonUpdate",
      params: [],
      createdAtMs: 0,
      errors: [],
      plan: { changes: { version: "v0.9.0-eksbuild.7" }, resolveConflicts: "NONE" },
    };
    await start({
      ...WILLING,
      apply: async () => {
        world.state.updates.put({ ...update, clusterId: cluster.id, status: "Cancelled" });
        put({ ...addon(), status: "DELETING" });
        return [];
      },
    });
    world.state.updates.put({ ...update, clusterId: cluster.id, status: "InProgress" });
    put({ status: "UPDATING", updateId: "update-1", objects: [] });
    await world.until(() => addon() === undefined);
    expect(world.state.updates.get(cluster.id, "update-1")?.status).toBe("Cancelled");
  });
});
