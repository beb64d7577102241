import { describe, expect, it } from "vitest";
import { nextPlatformVersionMs, platformVersionAt } from "../../../src/domain/catalogue/index.js";
import { decidePatching } from "../../../src/domain/eks/patching.js";

const day = (text: string): number => Date.parse(`${text}T00:00:00Z`);
const at = (text: string) => ({ nowMs: day(text), delayMs: () => 0 });
const cluster = (version: string, platformVersion: string, supportType: "STANDARD" | "EXTENDED") => ({
  version,
  platformVersion,
  upgradePolicy: { supportType },
  createdAtMs: day("2026-01-01"),
});

describe("platform versions", () => {
  it("are those of the user guide's list by the day", () => {
    expect(platformVersionAt("1.35", day("2026-03-20"))?.platformVersion).toBe("eks.8");
    expect(platformVersionAt("1.35", day("2026-11-01"))?.platformVersion).toBe("eks.9");
    expect(platformVersionAt("1.35", day("2025-11-01"))?.platformVersion).toBe("eks.3");
    expect(nextPlatformVersionMs("1.35", day("2026-03-20"))).toBe(day("2026-04-03"));
  });

  it("go on coming at EKS's pace after the list ends, and stop with the version's support", () => {
    expect(platformVersionAt("1.35", day("2026-12-22"))).toEqual({
      platformVersion: "eks.10",
      releasedAtMs: day("2026-12-22"),
    });
    expect(nextPlatformVersionMs("1.36", day("2026-11-01"))).toBe(day("2026-12-22"));
    expect(nextPlatformVersionMs("1.31", day("2026-11-27"))).toBeUndefined();
  });

  it("are brought to clusters that lag behind", () => {
    expect(decidePatching(cluster("1.35", "eks.8", "EXTENDED"), at("2026-11-01")).due).toEqual({
      kind: "platform-version",
      platformVersion: "eks.9",
    });
    expect(decidePatching(cluster("1.35", "eks.9", "EXTENDED"), at("2026-11-01"))).toEqual({
      nextCheckMs: day("2026-12-22"),
    });
  });
});

describe("the end of support", () => {
  it.each([
    ["1.34", "STANDARD", "2026-12-01", undefined],
    ["1.34", "STANDARD", "2026-12-02", "1.35"],
    ["1.34", "EXTENDED", "2026-12-02", undefined],
    ["1.31", "EXTENDED", "2026-11-25", undefined],
    ["1.31", "EXTENDED", "2026-11-26", "1.32"],
    // Nothing newer is known to go to.
    ["1.36", "STANDARD", "2027-09-01", undefined],
  ] as const)("of %s with policy %s on %s means an upgrade to %s", (version, policy, date, target) => {
    const { due } = decidePatching(cluster(version, "eks.999", policy), at(date));
    expect(due?.kind === "upgrade" ? due.version : undefined).toBe(target);
  });
});
