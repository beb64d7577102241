import { describe, expect, it } from "vitest";
import { operationNames } from "../../../src/api/model/operation-names.js";
import { findDrill, libraryNames, loadDrill, NoSuchDrill } from "../../../src/faults/drills/library.js";
import type { DrillResult, WorkloadResult } from "../../../src/faults/drills/result.js";
import { runDrill } from "../../../src/faults/drills/run-drill.js";
import { startEksim } from "../../../src/testkit/index.js";
import { CLOCK_START } from "./play.js";

const MINUTE_MS = 60_000;
const READERS = { operationsOf: operationNames };
/** On a busy machine. */
const PATIENCE_MS = 180_000;

const workload = (result: DrillResult, name: string): WorkloadResult => {
  const found = result.workloads.find((one) => one.name === name);
  if (!found) throw new Error(`no workload ${name}`);
  return found;
};

/** What must be seen in each beside its own expectations. A drill without an entry here fails. */
const SEEN: Readonly<Record<string, (result: DrillResult) => void>> = {
  "one-zone-power-loss": (result) => {
    const web = workload(result, "web");
    expect(web).toMatchObject({ wanted: 6, lowestReady: 4, minutesBelowMinimum: 0 });
    expect(web.recoveredMs).toBeLessThan(10 * MINUTE_MS);
    // Its volume comes back with the zone, and no sooner.
    expect(workload(result, "queue").recoveredMs).toBeGreaterThan(45 * MINUTE_MS);
  },
  "zone-isolation": (result) => {
    // Nobody is sure that the old pods are dead until the zone can be heard again.
    expect(workload(result, "ledger").recoveredMs).toBeGreaterThan(20 * MINUTE_MS);
    expect(workload(result, "web").recoveredMs).toBeGreaterThan(5 * MINUTE_MS);
  },
  "node-loss-during-upgrade": (result) => {
    expect(result.events.filter(({ type }) => type === "InstanceKilled")).toHaveLength(3);
  },
  "two-zone-loss": (result) => {
    const away = result.samples.filter(({ apiAvailable }) => !apiAvailable);
    expect(away.length).toBeGreaterThan(0);
    expect(result.samples.at(-1)?.apiAvailable).toBe(true);
  },
  "spot-storm": (result) => {
    expect(result.events.filter(({ type }) => type === "SpotInterruptionWarning")).toHaveLength(4);
    expect(workload(result, "render").lowestReady).toBeLessThan(6);
  },
  "capacity-drought": (result) => {
    expect(workload(result, "web").recoveredMs).toBeGreaterThan(40 * MINUTE_MS);
    expect(result.events.some(({ type }) => type === "NodegroupDegraded")).toBe(true);
  },
  "stuck-pdb": (result) => {
    const failed = result.events.find(({ type }) => type === "UpdateFailed");
    expect(failed?.detail).toMatchObject({ errorCode: "PodEvictionFailure" });
    expect(workload(result, "vault").lowestReady).toBe(1);
  },
  "gray-failure": (result) => {
    const last = result.samples.at(-1)?.zones["us-east-1c"];
    expect(last).toMatchObject({ nodes: 2, readyNodes: 2 });
    // Six for the group at the start, and none since.
    expect(result.events.filter(({ type }) => type === "InstanceLaunched")).toHaveLength(6);
  },
};

describe("the library of drills", () => {
  it.each(libraryNames())(
    "%s comes as its description says",
    async (name) => {
      const drill = loadDrill(name, READERS);
      const eksim = await startEksim({ seed: 1, clockStart: CLOCK_START, profile: drill.options.profile });
      try {
        const result = await runDrill(drill, await eksim.drillTarget({ isPrivate: true }));
        expect([result.verdict, result.why]).toEqual(["passed", undefined]);
        expect(result.faults.filter(({ endedAtMs }) => endedAtMs === undefined)).toEqual([]);
        expect(await eksim.faults()).toEqual([]);
        SEEN[name]?.(result);
      } finally {
        await eksim.stop();
      }
    },
    PATIENCE_MS,
  );

  it("has something to see in each", () => {
    expect(Object.keys(SEEN).sort()).toEqual(libraryNames());
  });

  it("says of each in a sentence what happens, and then what survives and what does not", () => {
    for (const name of libraryNames()) {
      const { description = "", name: own } = loadDrill(name, READERS);
      expect(own).toBe(name);
      expect(description).toContain("What survives:");
      expect(description.split("\n\n")[0]?.length).toBeGreaterThan(30);
    }
  });

  it("gives the text of a drill by its name, and names all where there is none of it", () => {
    expect(findDrill("spot-storm").content).toContain("name: spot-storm");
    expect(() => loadDrill("spot-strom", READERS)).toThrow(NoSuchDrill);
    expect(() => loadDrill("spot-strom", READERS)).toThrow(
      /drills that come with eksim: capacity-drought, gray-failure/,
    );
    expect(() => loadDrill("./none.yaml", READERS)).toThrow("there is no file ./none.yaml");
  });
});
