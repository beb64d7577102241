import { describe, expect, it } from "vitest";
import type { MemberRecord } from "../../src/domain/model.js";
import { decideMemberRepair } from "../../src/domain/repair.js";

const HOME = ["a", "b", "c"];
const member = (id: string, zone: string, failedSinceMs?: number): MemberRecord => ({
  clusterId: "C",
  id,
  zone,
  version: "1.36",
  ...(failedSinceMs === undefined ? { status: "READY" as const } : { status: "FAILED" as const, failedSinceMs }),
});
const decide = (members: MemberRecord[], nowMs: number, dark: string[] = []) =>
  decideMemberRepair({ members, homeZones: HOME, hasPower: (zone) => !dark.includes(zone), nowMs, lossMs: 100 });

describe("a lost master", () => {
  const rest = [member("2", "b"), member("3", "c")];

  it.each([
    ["is waited for", decide([member("1", "a", 50), ...rest], 120), { nextCheckMs: 150 }],
    [
      "is made anew in its own zone",
      decide([member("1", "a", 50), ...rest], 150),
      { replace: { lostId: "1", zone: "a", why: "lost" } },
    ],
    [
      "is made anew elsewhere while its zone is dark",
      decide([member("1", "a", 0), ...rest], 200, ["a"]),
      { replace: { lostId: "1", zone: "b", why: "lost" } },
    ],
    [
      "stays lost without a quorum",
      decide([member("1", "a", 0), member("2", "b", 0), member("3", "c")], 900, ["a", "b"]),
      {},
    ],
  ])("%s", (_, decision, expected) => {
    expect(decision).toEqual(expected);
  });

  it("comes home when its zone has power again", () => {
    const standIn = [...rest, member("4", "b")];
    expect(decide(standIn, 900, ["a"])).toEqual({});
    expect(decide(standIn, 900)).toEqual({ replace: { lostId: "4", zone: "a", why: "return-to-zone" } });
    expect(decide([...rest, member("5", "a")], 900)).toEqual({});
  });
});
