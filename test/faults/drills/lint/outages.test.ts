import { afterEach, describe, expect, it } from "vitest";
import { judgePredictions } from "../../../../src/faults/drills/lint/judge.js";
import { lintCluster } from "../../../../src/faults/drills/lint/lint.js";
import type { Prediction } from "../../../../src/faults/drills/result.js";
import { inZone, ownVolume, spread, startWorld, type World, ZONES } from "./outage.js";

let world: World | undefined;
afterEach(async () => {
  await world?.eksim.stop();
  world = undefined;
});

const say = ({ name, says, held, seen }: Prediction): unknown => ({ name, says, held, ...(held ? {} : { seen }) });

/** What was said of the workloads in the namespace default for a zone, and whether it came so. */
async function outageOf(one: World, zone: string): Promise<Prediction[]> {
  const facts = await one.facts();
  const said = lintCluster(facts).filter((prediction) => prediction.namespace === "default");
  const result = await one.lose(zone, facts);
  return judgePredictions(said, result).filter((prediction) => prediction.zone === zone);
}

// Whole outages, minute by minute: on a machine with much else to do they take their time.
describe("predictions compared with zones that were really lost", { timeout: 300_000 }, () => {
  it("what is spread survives, what is pinned, alone or too tight does not", async () => {
    world = await startWorld();
    await world.nodegroup("general", { desired: 6 });
    await world.workload("Deployment", "spread", { replicas: 6, pod: spread("spread"), budget: { minAvailable: 4 } });
    await world.workload("Deployment", "tight", { replicas: 3, pod: spread("tight"), budget: { minAvailable: 3 } });
    await world.workload("Deployment", "pinned", { replicas: 2, pod: inZone(ZONES[0]) });
    await world.workload("Deployment", "elsewhere", { replicas: 2, pod: inZone(ZONES[1]) });
    await world.workload("StatefulSet", "ledger", { replicas: 1, pod: inZone(ZONES[0]), more: ownVolume });
    await world.workload("StatefulSet", "database", {
      replicas: 3,
      pod: spread("database", "DoNotSchedule"),
      more: ownVolume,
      budget: { maxUnavailable: 1 },
    });
    await world.workload("StatefulSet", "quorum", {
      replicas: 3,
      pod: spread("quorum", "DoNotSchedule"),
      more: ownVolume,
      budget: { minAvailable: 3 },
    });
    await world.workload("DaemonSet", "agent");
    await world.settle();
    const predictions = await outageOf(world, ZONES[0]);
    expect(predictions.map(say)).toEqual([
      { name: "agent", says: "survives", held: true },
      { name: "elsewhere", says: "survives", held: true },
      { name: "pinned", says: "loses-every-replica", held: true },
      { name: "spread", says: "survives", held: true },
      { name: "tight", says: "below-minimum", held: true },
      { name: "database", says: "survives", held: true },
      { name: "ledger", says: "loses-its-volume", held: true },
      { name: "quorum", says: "loses-its-volume", held: true },
    ]);
  });

  it("what has no room, no node or no neighbour elsewhere stays away, and lint said so", async () => {
    world = await startWorld();
    // Full groups: what the lost zone had is launched elsewhere, and nothing beyond that.
    await world.nodegroup("general", { desired: 3, max: 3 });
    await world.nodegroup("single", { subnets: ["subnet-a"], desired: 1 });
    const onHost = (name: string): Record<string, unknown> => ({
      affinity: {
        podAntiAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: [
            { topologyKey: "topology.kubernetes.io/zone", labelSelector: { matchLabels: { app: name } } },
          ],
        },
      },
    });
    const general = { nodeSelector: { group: "general" } };
    await world.workload("Deployment", "alone", { replicas: 1, pod: { nodeSelector: { group: "single" } } });
    await world.workload("Deployment", "a-zone-each", {
      replicas: 3,
      pod: { ...general, ...onHost("a-zone-each") },
      budget: { minAvailable: 2 },
    });
    await world.workload("Deployment", "big", {
      replicas: 3,
      pod: { ...general, ...spread("big", "DoNotSchedule") },
      requests: { cpu: "1200m" },
    });
    await world.workload("Deployment", "strict", {
      replicas: 3,
      pod: { ...general, ...spread("strict", "DoNotSchedule") },
      budget: { maxUnavailable: 0 },
    });
    await world.settle();
    const predictions = await outageOf(world, ZONES[0]);
    expect(predictions.map(say)).toEqual([
      { name: "a-zone-each", says: "survives", held: true },
      { name: "alone", says: "loses-every-replica", held: true },
      { name: "big", says: "survives", held: true },
      { name: "strict", says: "below-minimum", held: true },
    ]);
    // What was said of places came so too: pending at the end are those of which it was said, and no others.
    const found = Object.fromEntries(
      predictions.map(({ name, message }) => [name, message.includes("no place") ? 1 : 0]),
    );
    expect(found).toEqual({ "a-zone-each": 1, alone: 1, big: 0, strict: 0 });
    expect(world.pendingWhileLost()).toEqual(["a-zone-each", "alone"]);
  });

  it("holds of each zone in turn", async () => {
    world = await startWorld();
    await world.nodegroup("general", { desired: 3 });
    await world.workload("Deployment", "two", { replicas: 2, pod: spread("two") });
    await world.workload("Deployment", "four", { replicas: 4, pod: spread("four"), budget: { minAvailable: 3 } });
    await world.workload("StatefulSet", "ledger", { replicas: 1, more: ownVolume });
    await world.settle();
    for (const zone of ZONES) {
      const predictions = await outageOf(world, zone);
      expect(
        predictions.map(({ held }) => held),
        zone,
      ).toEqual([true, true, true]);
      await world.settle();
    }
  });
});
