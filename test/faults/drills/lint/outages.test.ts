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

describe("predictions compared with zones that were really lost", () => {
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
});
