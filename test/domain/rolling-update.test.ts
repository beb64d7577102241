import { describe, expect, it } from "vitest";
import { drainSlots, maxUnavailable, surgeOf } from "../../src/domain/rolling-update.js";
import { nextClusterStatus, nextNodegroupStatus } from "../../src/domain/transitions.js";

describe("a node group's version update", () => {
  it.each([
    [{}, 10, 1],
    [{ maxUnavailable: 3 }, 10, 3],
    [{ maxUnavailablePercentage: 33 }, 10, 4],
    [{ maxUnavailablePercentage: 1 }, 0, 1],
    [{ maxUnavailablePercentage: 100 }, 450, 100],
  ])("with %j of %i nodes replaces %i at once", (config, desired, expected) => {
    expect(maxUnavailable(config, desired)).toBe(expected);
  });

  it("adds twice as many nodes as there are zones, or as many as may be unavailable", () => {
    expect(surgeOf(5, { maxUnavailable: 1 }, 10)).toBe(10);
    expect(surgeOf(5, { maxUnavailable: 20 }, 30)).toBe(20);
  });

  it("without a surge counts missing nodes against what may be unavailable", () => {
    const view = { config: { maxUnavailable: 2 }, desired: 6, inFlight: 0, inService: 5 };
    expect(drainSlots({ ...view, surge: 0 })).toBe(1);
    expect(drainSlots({ ...view, surge: 4 })).toBe(2);
    expect(drainSlots({ ...view, surge: 4, inFlight: 2 })).toBe(0);
  });
});

describe("status machines", () => {
  it("let through what EKS does and nothing else", () => {
    expect(nextClusterStatus("CREATING", "ACTIVE")).toBe("ACTIVE");
    expect(nextClusterStatus("ACTIVE", "ACTIVE")).toBe("ACTIVE");
    expect(() => nextClusterStatus("DELETING", "ACTIVE")).toThrow("a cluster cannot go from DELETING to ACTIVE");
    expect(() => nextNodegroupStatus("CREATE_FAILED", "ACTIVE")).toThrow(/node group/);
  });
});
