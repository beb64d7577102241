import { describe, expect, it } from "vitest";
import { jsonReport, REPORT_SCHEMA_VERSION } from "../../../../src/faults/drills/report/json.js";
import type { DrillResult } from "../../../../src/faults/drills/result.js";
import { event, outage } from "../result.js";

/** The same value with the members of every object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, reversed(member)]),
  );
}

describe("the JSON report", () => {
  it("says the version of its schema and the verdict first, and events last", () => {
    const members = Object.keys(JSON.parse(jsonReport(outage({ why: "nothing" }))) as object);
    expect(members.slice(0, 5)).toEqual(["schemaVersion", "name", "description", "verdict", "why"]);
    expect(members.at(-1)).toBe("events");
    expect(JSON.parse(jsonReport(outage()))).toMatchObject({ schemaVersion: REPORT_SCHEMA_VERSION });
  });

  it("has everything of the result but the machine's own time", () => {
    const { wallMs: _, ...told } = outage();
    expect(JSON.parse(jsonReport(outage()))).toEqual({ schemaVersion: REPORT_SCHEMA_VERSION, ...told });
  });

  it("has the same bytes in whatever order the result was put together, and however long it took", () => {
    const result = outage({ events: [event(3, "NodeReady", "Ready.", { detail: { b: [{ y: 1, x: 2 }], a: "1" } })] });
    expect(jsonReport({ ...(reversed(result) as DrillResult), wallMs: 1 })).toBe(jsonReport(result));
  });
});
