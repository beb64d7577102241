import { afterEach, describe, expect, it } from "vitest";
import type { Drill } from "../../../src/faults/drills/drill.js";
import { factsOf } from "../../../src/faults/drills/foretell.js";
import { judgePredictions } from "../../../src/faults/drills/lint/judge.js";
import { lintCluster } from "../../../src/faults/drills/lint/lint.js";
import type { DrillResult, WorkloadResult } from "../../../src/faults/drills/result.js";
import { runDrill } from "../../../src/faults/drills/run-drill.js";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";
import { CLOCK_START, shopDrill } from "./play.js";

/** Drills take seconds on a busy machine. */
const PATIENCE_MS = 120_000;

const running: Eksim[] = [];
afterEach(async () => {
  for (const eksim of running.splice(0)) await eksim.stop();
});

/** Foretold and judged, as `eksim drill run` has it. */
async function run(drill: Drill): Promise<DrillResult> {
  const eksim = await startEksim({ seed: 1, clockStart: CLOCK_START });
  running.push(eksim);
  const target = await eksim.drillTarget();
  return runDrill(drill, target, {
    predict: async (cluster) => lintCluster(await factsOf(target, cluster)),
    judge: judgePredictions,
  });
}

const web = (result: DrillResult, cluster = "shop"): WorkloadResult => {
  const found = result.workloads.find((one) => one.cluster === cluster && one.name === "web");
  if (!found) throw new Error(`no workload web of ${cluster}: ${JSON.stringify(result.workloads)}`);
  return found;
};

describe("workloads of the same name in two clusters", () => {
  it(
    "are told apart: each prediction is held against the workload that it is of",
    async () => {
      const drill = shopDrill(`
steps:
  - { fault: zone-power-loss, target: { cluster: shop, zone: us-east-1a }, duration: 10m }
  - wait: 20m
`);
      const clusters = drill.clusters.flatMap((shop) => [{ ...shop, name: "office" }, shop]);
      const result = await run({ ...drill, clusters });
      expect([result.verdict, result.why]).toEqual(["passed", undefined]);
      expect(result.workloads.map(({ cluster, name, lowestReady }) => [cluster, name, lowestReady])).toEqual([
        ["office", "web", 3],
        ["shop", "web", 2],
      ]);
      const judged = result.predictions.filter(({ seen }) => seen !== undefined);
      expect(judged.map(({ cluster, zone, name, held }) => [cluster, zone, name, held])).toEqual([
        ["shop", "us-east-1a", "web", true],
      ]);
      expect(judged[0]?.seen).toMatch(/^2 of 3 ready at the lowest/);
      expect(result.predictions.some(({ cluster, name }) => cluster === "office" && name === "web")).toBe(true);
    },
    PATIENCE_MS,
  );
});

describe("a workload is rescheduled", () => {
  it(
    "when the place of its last lost replica is taken, be it in the very moment of the eviction",
    async () => {
      const result = await run(
        shopDrill(`
steps:
  - { fault: zone-power-loss, target: { zone: us-east-1a } }
  - wait: 20m
`),
      );
      const { firstNotReadyMs = Number.NaN, firstEvictedMs, rescheduledMs, recoveredMs } = web(result);
      expect(firstEvictedMs).toBeGreaterThan(firstNotReadyMs);
      expect(rescheduledMs).toBe(firstEvictedMs);
      expect(recoveredMs).toBeGreaterThan(rescheduledMs ?? Number.NaN);
    },
    PATIENCE_MS,
  );

  it(
    "when a pod is killed and another made at once, although no moment ends with one too few",
    async () => {
      const result = await run(
        shopDrill(`
steps:
  - { fault: pod-kill, target: { namespace: default, podLabels: { app: web }, count: 1 } }
  - wait: 5m
`),
      );
      const { firstEvictedMs, rescheduledMs, recoveredMs = Number.NaN } = web(result);
      expect(firstEvictedMs).toBeDefined();
      expect(rescheduledMs).toBe(firstEvictedMs);
      expect(recoveredMs).toBeGreaterThan(rescheduledMs ?? Number.NaN);
    },
    PATIENCE_MS,
  );

  it(
    "not while a replica is still held to stand on a node that is not Ready",
    async () => {
      // Both nodes freeze; the first pod is given up 300 s after its node is NotReady, the other some seconds later, at the rate of their zone.
      const result = await run(
        shopDrill(`
steps:
  - { fault: node-freeze, target: { nodegroup: workers, zone: us-east-1a } }
  - wait: 1m
  - { fault: node-freeze, target: { nodegroup: workers, zone: us-east-1b } }
  - wait: 20m
`),
      );
      const { firstEvictedMs = Number.NaN, rescheduledMs = Number.NaN } = web(result);
      expect(firstEvictedMs).toBeGreaterThan(300_000);
      expect(rescheduledMs).toBeGreaterThan(firstEvictedMs + 30_000);
    },
    PATIENCE_MS,
  );

  it(
    "never, while no node is left that is Ready",
    async () => {
      const result = await run(
        shopDrill(`
steps:
  - { fault: node-freeze, target: { nodegroup: workers } }
  - wait: 10m
`),
      );
      expect(web(result)).toMatchObject({ lowestReady: 0 });
      expect(web(result).rescheduledMs).toBeUndefined();
    },
    PATIENCE_MS,
  );
});
