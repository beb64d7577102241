import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { remoteTarget } from "../../../src/cli/drill-target.js";
import type { DrillTarget } from "../../../src/faults/drills/target.js";
import { CLUSTER, type Drill, startDrill } from "../../reconcile/drill.js";

let drill: Drill;
let target: DrillTarget;
beforeAll(async () => {
  drill = await startDrill();
  await drill.cluster();
  await drill.nodegroup("workers", { scalingConfig: { minSize: 1, maxSize: 1, desiredSize: 1 } });
  await drill.deploy("web", 1);
  target = await remoteTarget({
    endpoint: drill.eksim.endpoint,
    accountId: "000000000000",
    region: "us-east-1",
  });
});
afterAll(() => drill.eksim.stop());

/** How long it took, in milliseconds of simulated time. */
const timed = async <T>(work: () => Promise<T>): Promise<{ value: T; tookMs: number }> => {
  const beganMs = drill.eksim.now();
  const value = await work();
  return { value, tookMs: drill.eksim.now() - beganMs };
};
const during = async <T>(fault: Parameters<DrillTarget["startFault"]>[0], work: () => Promise<T>): Promise<T> => {
  const { id } = await target.startFault(fault);
  try {
    return await work();
  } finally {
    await target.stopFault(id);
  }
};
const nodes = () => target.kubernetes(CLUSTER, { method: "GET", path: "/api/v1/nodes" });
const cluster = () => target.eks({ method: "GET", path: `/clusters/${CLUSTER}` });

/** Each call and each look is a request, on a busy machine. */
const PATIENCE_MS = 60_000;

describe("a drill in an emulator elsewhere, on a clock that is stepped", { timeout: PATIENCE_MS }, () => {
  it("moves time for commands in pods that take time, whether or not anything is broken", async () => {
    const [pod] = await drill.podsOf("web");
    const where = { namespace: "default", pod: pod?.metadata.name ?? "" };
    expect((await timed(() => target.exec(CLUSTER, where, ["true"]))).tookMs).toBe(0);
    for (const one of [target, await drill.eksim.drillTarget()]) {
      const { value, tookMs } = await timed(() => one.exec(CLUSTER, where, ["sleep", "3"]));
      expect(value).toMatchObject({ exitCode: 0 });
      expect(tookMs).toBeGreaterThanOrEqual(3000);
      expect(tookMs).toBeLessThan(10_000);
    }
  });

  it("moves time for answers that take time, and for no others", async () => {
    const { value, tookMs } = await timed(nodes);
    expect([value.status, tookMs]).toEqual([200, 0]);
    const latency = { fault: "api-server-latency", target: { cluster: CLUSTER }, parameters: { latency: "20s" } };
    const late = await during(latency, () => timed(nodes));
    expect(late.value.status).toBe(200);
    expect(late.tookMs).toBeGreaterThanOrEqual(20_000);
    expect(late.tookMs).toBeLessThan(25_000);
    expect(target.now()).toBe(drill.eksim.now());
  });

  it("moves time for calls of AWS as well", async () => {
    const latency = { fault: "aws-api-latency", parameters: { services: ["eks"], latency: "5s" } };
    const late = await during(latency, () => timed(cluster));
    expect(late.value.status).toBe(200);
    expect(late.tookMs).toBeGreaterThanOrEqual(5000);
    expect(late.tookMs).toBeLessThan(10_000);
  });

  it("gives up after a minute of simulated time", async () => {
    const latency = { fault: "api-server-latency", target: { cluster: CLUSTER }, parameters: { latency: "5m" } };
    const { value, tookMs } = await during(latency, () => timed(nodes));
    expect(value).toMatchObject({ status: 0, body: "no answer within 60 s" });
    expect(tookMs).toBe(60_000);
  });
});
