import { afterEach, describe, expect, it } from "vitest";
import type { FargateSpec } from "../../src/backends/backend.js";
import type { FargateProfileRecord } from "../../src/domain/fargate.js";
import type { ClusterRecord } from "../../src/domain/model.js";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.js";
import { makeWorld, type World } from "./world.js";

let world: World<MemoryBackend>;
afterEach(() => world.stop());

const profileOf = ({ id, name, accountId, region }: ClusterRecord): FargateProfileRecord => ({
  accountId,
  region,
  clusterId: id,
  clusterName: name,
  name: "web",
  arn: `arn:aws:eks:${region}:${accountId}:fargateprofile/${name}/web/1`,
  createdAtMs: world.clock.now(),
  podExecutionRoleArn: `arn:aws:iam::${accountId}:role/pods`,
  subnets: ["subnet-a", "subnet-b"],
  selectors: [{ namespace: "default" }],
  status: "CREATING",
  healthIssues: [],
  tags: {},
});

async function settle(profile: FargateProfileRecord, status: string | undefined): Promise<void> {
  world.state.fargateProfiles.put(profile);
  world.reconcilers.nudge("fargate-profile", `${profile.clusterId}/web`);
  await world.until(() => world.state.fargateProfiles.get(profile.clusterId, "web")?.status === status);
}

describe("a Fargate profile", () => {
  it("cannot be made where the backend has no Fargate, and can be deleted then", async () => {
    world = makeWorld(createMemoryBackend);
    const profile = profileOf(await world.createCluster());
    await settle(profile, "CREATE_FAILED");
    const failed = world.state.fargateProfiles.get(profile.clusterId, "web") ?? profile;
    expect(failed.healthIssues).toMatchObject([{ code: "InternalFailure" }]);
    await settle({ ...failed, status: "DELETING" }, undefined);
  });

  it("is known to the backend with the zones that have power, from the moment it is ACTIVE until its pods have gone", async () => {
    const said: string[] = [];
    let remainingPods: string[] = [];
    world = makeWorld((clock) => ({
      ...createMemoryBackend(clock),
      setFargate: async (_: string, { profiles }: FargateSpec) => {
        said.push(profiles.map(({ name, zones }) => `${name} in ${zones.join(", ")}`).join("; "));
        return { remainingPods };
      },
    }));
    const cluster = await world.createCluster();
    const profile = profileOf(cluster);
    await settle(profile, "ACTIVE");
    expect(said).toEqual(["web in us-east-1a, us-east-1b"]);
    await world.faults.failZone(cluster, "us-east-1a");
    await world.reconcilers.idle();
    expect(said.at(-1)).toBe("web in us-east-1b");
    remainingPods = ["default/a"];
    world.state.fargateProfiles.put({ ...profile, status: "DELETING" });
    world.reconcilers.nudge("fargate-profile", `${cluster.id}/web`);
    await world.clock.advance(60_000);
    expect(said.at(-1)).toBe("");
    expect(world.state.fargateProfiles.get(cluster.id, "web")?.status).toBe("DELETING");
    remainingPods = [];
    await world.until(() => world.state.fargateProfiles.get(cluster.id, "web") === undefined, 10_000);
    expect(world.events().map((line) => line.split(" ")[1])).toEqual(
      expect.arrayContaining(["FargateProfileActive", "FargateProfileDeleted"]),
    );
  });
});
