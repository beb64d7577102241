import { describe, expect, it } from "vitest";
import { startSoak } from "./soak/cluster.js";
import { always, atPeace, picture } from "./soak/invariants.js";
import { calm, crowd, NAMESPACES, operate, standStill } from "./soak/operations.js";

/**
 * A day of a busy cluster: random creates, deletes, changes, evictions and node failures on a stepped clock, the same for the same seed. The default run
 * takes fewer hours; EKSIM_SOAK_HOURS=24 takes the whole day, EKSIM_SOAK_SEED another one.
 */
const HOURS = Number(process.env.EKSIM_SOAK_HOURS ?? 5);
const SEED = process.env.EKSIM_SOAK_SEED ?? "1";
/** Operations between two looks at the whole. */
const STORM = 30;

describe("soak", () => {
  it(`${HOURS} hours leave no trace of disorder`, { timeout: 60_000 + HOURS * 60_000 }, async () => {
    const soak = await startSoak(6);
    const random = soak.clock.random(`soak-${SEED}`);
    for (const name of NAMESPACES) {
      await soak.cluster.api.create("namespaces", { metadata: { name } });
      await soak.cluster.api.create("resourcequotas", {
        metadata: { name: "pods", namespace: name },
        spec: { hard: { pods: "150" } },
      });
    }
    await crowd(soak);
    await soak.minutes(1);
    const endMs = soak.clock.now() + HOURS * 3_600_000;
    const done: string[] = [];
    while (soak.clock.now() < endMs) {
      for (let i = 0; i < STORM; i++) {
        const did = await operate(soak, random);
        if (did) done.push(did);
        await soak.clock.advance(random.integer(0, 90_000));
        expect(always(soak), done.slice(-5).join("; ")).toEqual([]);
      }
      await calm(soak);
      await soak.minutes(20);
      expect(always(soak)).toEqual([]);
      expect(atPeace(soak), done.slice(-STORM).join("; ")).toEqual([]);
    }
    expect(done.length).toBeGreaterThan(HOURS * 20);

    await standStill(soak);
    const before = picture(soak);
    await soak.restart();
    await soak.minutes(5);
    expect(picture(soak)).toEqual(before);
    expect([...always(soak), ...atPeace(soak)]).toEqual([]);
    await soak.cluster.close();
  });
});
