import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countByZone, decideScaling, isAlive, type ScalingInstance } from "../../src/domain/auto-scaling.js";

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

const decide = (
  instances: ScalingInstance[],
  desired: number,
  changes: Partial<Parameters<typeof decideScaling>[0]> = {},
) =>
  decideScaling({
    zones: ZONES,
    desired,
    instances,
    hasCapacity: () => true,
    nowMs: 1_000,
    healthCheckPeriodMs: 0,
    ...changes,
  });

describe("an Auto Scaling group", () => {
  it("fills up in the poorest zones", () => {
    const { actions } = decide([anInstance("i-1", "a")], 3);
    expect(actions).toEqual([
      { kind: "launch", zone: "b", why: "capacity" },
      { kind: "launch", zone: "c", why: "capacity" },
    ]);
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
    expect(decide([impaired, ...others], 3).actions).toEqual([
      { kind: "terminate", instanceId: "i-1", reason: "unhealthy" },
      { kind: "launch", zone: "a", why: "capacity" },
    ]);
  });

  it("launches nothing in a zone without capacity, and says how many it could place nowhere", () => {
    const { actions, unplaced } = decide([], 2, { hasCapacity: (zone) => zone === "c" });
    expect(actions.map((action) => action.kind === "launch" && action.zone)).toEqual(["c", "c"]);
    expect(unplaced).toBe(0);
    expect(decide([], 2, { hasCapacity: () => false }).unplaced).toBe(2);
  });

  it("gives up an instance of the richest zone only when the newcomer serves", () => {
    const old = ["b", "b", "b", "c", "c", "c"].map((zone, index) => anInstance(`i-${index}`, zone));
    expect(decide(old, 6).actions).toEqual([{ kind: "launch", zone: "a", why: "rebalance" }]);
    const joining = anInstance("n", "a", { lifecycle: "Pending" });
    expect(decide([...old, joining], 6).actions).toEqual([]);
    expect(decide([...old, { ...joining, lifecycle: "InService" }], 6).actions).toEqual([
      { kind: "terminate", instanceId: "i-0", reason: "rebalance" },
    ]);
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
});
