import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  countByZone,
  decideScaling,
  isAlive,
  type ScalingInstance,
  type ScalingView,
} from "../../src/domain/auto-scaling.js";

const ZONES = ["a", "b", "c"];

/** A group of machines to which decisions are applied; newcomers serve from the next round on, those that go are gone. */
function simulate(start: ScalingInstance[], desired: number, rounds: number, hasCapacity: (zone: string) => boolean) {
  let instances = start;
  let launched = 0;
  let most = 0;
  for (let round = 0; round < rounds; round++) {
    const decision = decideScaling({
      zones: ZONES,
      desired,
      instances,
      hasCapacity,
      nowMs: round,
      healthCheckPeriodMs: 0,
    });
    if (decision.actions.length === 0 && instances.every(({ lifecycle }) => lifecycle === "InService")) {
      return { instances, most, settled: true };
    }
    instances = instances.map((instance) => ({ ...instance, lifecycle: "InService" as const }));
    for (const action of decision.actions) {
      if (action.kind === "terminate") instances = instances.filter((other) => other.instanceId !== action.instanceId);
      else
        instances = [
          ...instances,
          anInstance(`n-${launched++}`, action.zone, { lifecycle: "Pending", launchedAtMs: round }),
        ];
    }
    most = Math.max(most, instances.filter(isAlive).length);
  }
  return { instances, most, settled: false };
}

function anInstance(instanceId: string, zone: string, changes: Partial<ScalingInstance> = {}): ScalingInstance {
  return { instanceId, zone, lifecycle: "InService", state: "running", statusCheck: "ok", launchedAtMs: 0, ...changes };
}

const decide = (instances: ScalingInstance[], desired: number, changes: Partial<ScalingView> = {}) =>
  decideScaling({
    zones: ZONES,
    desired,
    instances,
    hasCapacity: () => true,
    nowMs: 1_000,
    healthCheckPeriodMs: 0,
    ...changes,
  });

const launch = (zone: string, why: string) => ({ kind: "launch", zone, why });
const terminate = (instanceId: string, reason: string) => ({ kind: "terminate", instanceId, reason });

describe("an Auto Scaling group", () => {
  it("fills up in the poorest zones", () => {
    const { actions } = decide([anInstance("i-1", "a")], 3);
    expect(actions).toEqual([launch("b", "capacity"), launch("c", "capacity")]);
  });

  it("replaces an impaired instance after the health check period, not before", () => {
    const impaired = anInstance("i-1", "a", { statusCheck: "impaired", unhealthySinceMs: 900 });
    const others = [anInstance("i-2", "b"), anInstance("i-3", "c")];
    expect(decide([impaired, ...others], 3, { healthCheckPeriodMs: 200 })).toEqual({
      actions: [],
      unplaced: 0,
      refusedIn: [],
      nextCheckMs: 1_100,
    });
    expect(decide([impaired, ...others], 3).actions).toEqual([terminate("i-1", "unhealthy"), launch("a", "capacity")]);
  });

  it("hears of a stopped instance from EC2 itself, and waits for no status check to fail", () => {
    const times = { healthCheckPeriodMs: 60, statusCheckFailureMs: 120 };
    const lost = anInstance("i-1", "a", { statusCheck: "impaired", unhealthySinceMs: 900 });
    const stopped = anInstance("i-1", "a", { state: "stopped", unhealthySinceMs: 900 });
    expect(decide([lost], 1, times).nextCheckMs).toBe(1_080);
    expect(decide([stopped], 1, times).actions).toContainEqual(terminate("i-1", "unhealthy"));
  });

  it("launches nothing in a zone without capacity, says where it was refused, and how many it could place nowhere", () => {
    const some = decide([], 2, { hasCapacity: (zone) => zone === "c" });
    expect(some.actions).toEqual([launch("c", "capacity"), launch("c", "capacity")]);
    expect(some).toMatchObject({ unplaced: 0, refusedIn: ["a", "b"] });
    expect(decide([], 2, { hasCapacity: () => false })).toMatchObject({ unplaced: 2, refusedIn: ["a", "b"] });
  });

  it("asks EC2 for nothing while it waits after failures, and goes on terminating what is unhealthy", () => {
    const impaired = anInstance("i-1", "a", { statusCheck: "impaired", unhealthySinceMs: 0 });
    const skewed = ["b", "b", "b"].map((zone, index) => anInstance(`i-${index + 2}`, zone));
    expect(decide([impaired, ...skewed], 4, { mayLaunch: false })).toEqual({
      actions: [terminate("i-1", "unhealthy")],
      unplaced: 1,
      refusedIn: [],
    });
    expect(decide(skewed, 3, { mayLaunch: false }).actions).toEqual([]);
  });

  it("gives up an instance of the richest zone only when the newcomer serves", () => {
    const old = ["b", "b", "b", "c", "c", "c"].map((zone, index) => anInstance(`i-${index}`, zone));
    expect(decide(old, 6).actions).toEqual([launch("a", "rebalance")]);
    const joining = anInstance("n", "a", { lifecycle: "Pending" });
    expect(decide([...old, joining], 6).actions).toEqual([]);
    expect(decide([...old, { ...joining, lifecycle: "InService" }], 6).actions).toEqual([
      terminate("i-0", "rebalance"),
    ]);
  });

  it("levels no zones while AZRebalance is suspended, but fills up", () => {
    const old = ["b", "b", "b", "c"].map((zone, index) => anInstance(`i-${index}`, zone));
    expect(decide(old, 4, { rebalances: false }).actions).toEqual([]);
    expect(decide(old, 5, { rebalances: false }).actions).toEqual([launch("a", "capacity")]);
  });

  it("comes to rest at the desired size with level zones, whatever it starts from, overshooting by a tenth or one at most", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...ZONES), { maxLength: 25 }),
        fc.integer({ min: 0, max: 25 }),
        fc.uniqueArray(fc.constantFrom(...ZONES), { minLength: 1 }),
        (zones, desired, open) => {
          const start = zones.map((zone, index) => anInstance(`i-${index}`, zone));
          const { instances, most, settled } = simulate(start, desired, 200, (zone) => open.includes(zone));
          expect(settled).toBe(true);
          expect(instances).toHaveLength(desired);
          const counts = countByZone(instances);
          const levels = open.map((zone) => counts.get(zone) ?? 0);
          expect(Math.max(...counts.values(), ...levels) - Math.min(...levels)).toBeLessThanOrEqual(1);
          expect(most).toBeLessThanOrEqual(Math.max(start.length, desired + Math.max(1, Math.floor(desired / 10))));
        },
      ),
    );
  });

  it("survives outages, droughts, refusals and Spot notices in any order: in the end it is whole and level, and it never launched where there was no capacity", () => {
    const trouble = fc.record({
      dark: fc.subarray(ZONES),
      dry: fc.subarray(ZONES),
      shifted: fc.subarray(ZONES),
      atRisk: fc.nat({ max: 30 }),
      interrupted: fc.nat({ max: 30 }),
      rounds: fc.integer({ min: 1, max: 4 }),
    });
    const calm = { dark: [], dry: [], shifted: [], atRisk: 99, interrupted: 99, rounds: 60 };
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), fc.nat({ max: 3 }), fc.array(trouble), (desired, room, troubles) => {
        const maxSize = desired + room;
        const limit = maxSize + Math.max(1, Math.floor(desired / 10));
        let instances: ScalingInstance[] = [];
        let launched = 0;
        let nowMs = 0;
        for (const { dark, dry, shifted, atRisk, interrupted, rounds } of [...troubles, calm]) {
          const hasCapacity = (zone: string): boolean => !dark.includes(zone) && !dry.includes(zone);
          const broken = (instance: ScalingInstance): ScalingInstance => {
            const { unhealthySinceMs: _, ...well } = instance;
            return dark.includes(instance.zone)
              ? { ...instance, statusCheck: "impaired", unhealthySinceMs: instance.unhealthySinceMs ?? nowMs }
              : { ...well, statusCheck: "ok" };
          };
          instances = instances.map((instance, index) => ({
            ...instance,
            ...(index === atRisk ? { rebalanceRecommendedAtMs: nowMs } : {}),
            ...(index === interrupted ? { interruptionAtMs: nowMs + 120 } : {}),
          }));
          for (let round = 0; round < rounds; round++, nowMs++) {
            instances = instances.map(broken);
            const { actions } = decide(instances, desired, {
              zones: ZONES.filter((zone) => !shifted.includes(zone)),
              rebalances: shifted.length === 0,
              maxSize,
              hasCapacity,
              nowMs,
            });
            instances = instances.map((instance) => ({ ...instance, lifecycle: "InService" }));
            for (const action of actions) {
              if (action.kind === "terminate") {
                instances = instances.filter(({ instanceId }) => instanceId !== action.instanceId);
                continue;
              }
              expect(hasCapacity(action.zone) && !shifted.includes(action.zone)).toBe(true);
              instances.push(anInstance(`n-${launched++}`, action.zone, { lifecycle: "Pending", launchedAtMs: nowMs }));
            }
            expect(instances.length).toBeLessThanOrEqual(limit);
          }
        }
        expect(instances).toHaveLength(desired);
        expect(instances.every(({ rebalanceRecommendedAtMs }) => rebalanceRecommendedAtMs === undefined)).toBe(true);
        const counts = countByZone(instances);
        const levels = ZONES.map((zone) => counts.get(zone) ?? 0);
        expect(Math.max(...levels) - Math.min(...levels)).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe("Spot instances", () => {
  const atRisk = (instanceId: string, zone: string, sinceMs = 500) =>
    anInstance(instanceId, zone, { rebalanceRecommendedAtMs: sinceMs });

  it("that EC2 recommends to replace stay until their replacements serve, in whichever zone there is capacity", () => {
    const group = [atRisk("i-1", "a"), anInstance("i-2", "b"), anInstance("i-3", "c")];
    expect(decide(group, 3).actions).toEqual([launch("a", "rebalance-recommendation")]);
    expect(decide(group, 3, { hasCapacity: (zone) => zone === "c" }).actions).toEqual([
      launch("c", "rebalance-recommendation"),
    ]);
    const joining = anInstance("n", "a", { lifecycle: "Pending" });
    expect(decide([...group, joining], 3).actions).toEqual([]);
    expect(decide([...group, { ...joining, lifecycle: "InService" }], 3).actions).toEqual([
      terminate("i-1", "rebalance-recommendation"),
    ]);
  });

  it("are replaced together as far as the maximum size and a tenth or one allow, the first one recommended first", () => {
    const group = [atRisk("i-1", "a", 700), atRisk("i-2", "b", 600), atRisk("i-3", "c", 500)];
    expect(decide(group, 3).actions).toEqual([launch("a", "rebalance-recommendation")]);
    expect(decide(group, 3, { maxSize: 5 }).actions).toHaveLength(3);
    expect(decide([...group, anInstance("n", "a")], 3).actions).toEqual([terminate("i-3", "rebalance-recommendation")]);
  });

  it("that have been given notice go at once, and their replacements are launched at the same time", () => {
    const group = [anInstance("i-1", "a", { interruptionAtMs: 2_000 }), anInstance("i-2", "b"), anInstance("i-3", "c")];
    expect(decide(group, 3).actions).toEqual([terminate("i-1", "interruption"), launch("a", "capacity")]);
  });
});
