import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { zonesOf } from "../../src/domain/catalogue/index.js";
import { chooseScaleIn, clusterZones, placeInstances, zonesOfSubnets } from "../../src/domain/zones.js";

const ZONES = ["a", "b", "c", "d"];
const zone = fc.constantFrom(...ZONES);

describe("subnets that nobody knows", () => {
  it("get the region's first three zones in order of first appearance, again and again", () => {
    const order = ["subnet-x", "subnet-y", "subnet-x", "subnet-z", "subnet-4"];
    const zones = zonesOfSubnets("us-east-1", order);
    expect(order.map((id) => zones.get(id)?.id)).toEqual(["use1-az1", "use1-az2", "use1-az1", "use1-az4", "use1-az1"]);
    expect(zones.get("subnet-unnamed")).toBeUndefined();
  });
});

describe("masters", () => {
  it("stand in zones that can hold control planes, twice in one where a region has only two", () => {
    expect(clusterZones("us-east-1").map(({ name }) => name)).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
    expect(clusterZones("us-west-1").map(({ name }) => name)).toEqual(["us-west-1a", "us-west-1b", "us-west-1a"]);
    expect(
      zonesOf("us-east-1")
        .filter(({ controlPlane }) => !controlPlane)
        .map(({ id }) => id),
    ).toEqual(["use1-az3"]);
  });
});

describe("spreading", () => {
  it("never leaves healthy zones further apart than they were, or than one", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 6 }), { minLength: 4, maxLength: 4 }),
        fc.uniqueArray(zone, { minLength: 1 }),
        fc.nat({ max: 30 }),
        (sizes, healthy, count) => {
          const counts = new Map(ZONES.map((name, index) => [name, sizes[index] as number]));
          const placed = placeInstances({ zones: ZONES, counts, healthy: (name) => healthy.includes(name), count });
          expect(placed).toHaveLength(count);
          expect(placed.every((name) => healthy.includes(name))).toBe(true);
          const spread = (extra: readonly string[]): number => {
            const after = healthy.map(
              (name) => (counts.get(name) ?? 0) + extra.filter((other) => other === name).length,
            );
            return Math.max(...after) - Math.min(...after);
          };
          expect(spread(placed)).toBeLessThanOrEqual(Math.max(1, spread([])));
        },
      ),
    );
  });

  it("places nothing when no zone is healthy", () => {
    expect(placeInstances({ zones: ZONES, counts: new Map(), healthy: () => false, count: 3 })).toEqual([]);
  });
});

describe("scale-in", () => {
  const instance = (instanceId: string, where: string, launchedAtMs: number, lifecycle = "InService") => ({
    instanceId,
    zone: where,
    launchedAtMs,
    lifecycle,
  });

  it("takes the oldest of the fullest zone, and what does not serve yet before it", () => {
    const all = [instance("i-1", "a", 1), instance("i-2", "b", 2), instance("i-3", "b", 3), instance("i-4", "c", 0)];
    expect(chooseScaleIn(all, 1, 10).map(({ instanceId }) => instanceId)).toEqual(["i-2"]);
    expect(chooseScaleIn([...all, instance("i-5", "b", 9, "Pending")], 1, 10).map((i) => i.instanceId)).toEqual([
      "i-5",
    ]);
    expect(chooseScaleIn(all, 9, 10)).toHaveLength(4);
  });

  it("never empties a zone further below the others than one", () => {
    fc.assert(
      fc.property(fc.array(zone, { minLength: 1, maxLength: 30 }), fc.nat({ max: 30 }), (zones, count) => {
        const all = zones.map((name, index) => instance(`i-${index}`, name, index));
        const gone = new Set(chooseScaleIn(all, count, 30));
        expect(gone.size).toBe(Math.min(count, all.length));
        const sizes = (kept: typeof all): number[] =>
          [...new Set(zones)].map((name) => kept.filter((other) => other.zone === name).length);
        const spread = (numbers: number[]): number => Math.max(...numbers) - Math.min(...numbers);
        expect(spread(sizes(all.filter((other) => !gone.has(other))))).toBeLessThanOrEqual(
          Math.max(1, spread(sizes(all))),
        );
      }),
    );
  });
});
