import fc from "fast-check";
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

describe("masters under outages of zones and losses of single machines, in any order", () => {
  const moment = fc.record({
    dark: fc.subarray(HOME),
    lost: fc.nat({ max: 5 }),
    minutes: fc.integer({ min: 1, max: 12 }),
  });
  const calm = { dark: [], lost: 99, minutes: 60 };

  it.each([
    ["three zones", HOME],
    ["a region with two", ["a", "b", "a"]],
  ])("are replaced one at a time, with power and a quorum alone, and stand one a zone in the end (%s)", (_, homes) => {
    fc.assert(
      fc.property(fc.array(moment, { maxLength: 8 }), (moments) => {
        let members = homes.map((zone, index) => member(String(index + 1), zone));
        let made = members.length;
        let nowMs = 0;
        for (const { dark, lost, minutes } of [...moments, calm]) {
          // A machine that is broken by itself is mended with the next moment, unless it was replaced before.
          const broken = members[lost]?.id;
          for (let minute = 0; minute < minutes; minute++, nowMs += 60) {
            members = members.map(({ id, zone, failedSinceMs }) =>
              dark.includes(zone) || id === broken ? member(id, zone, failedSinceMs ?? nowMs) : member(id, zone),
            );
            const up = members.filter(({ status }) => status === "READY").length;
            const { replace } = decideMemberRepair({
              members,
              homeZones: homes,
              hasPower: (zone) => !dark.includes(zone),
              nowMs,
              lossMs: 300,
            });
            if (!replace) continue;
            expect(up * 2).toBeGreaterThan(members.length);
            expect(dark).not.toContain(replace.zone);
            const kept = members.filter(({ id }) => id !== replace.lostId);
            expect(kept).toHaveLength(members.length - 1);
            // The others alone are a quorum of what there is while the new one joins.
            expect(kept.filter(({ status }) => status === "READY").length * 2).toBeGreaterThan(members.length);
            members = [...kept, member(String(++made), replace.zone)];
          }
        }
        expect(members.map(({ zone, status }) => [zone, status]).sort()).toEqual(
          homes.map((zone) => [zone, "READY"]).sort(),
        );
      }),
    );
  });
});
