import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { createAutoModeCluster } from "./auto-mode.js";

const dataDir = mkdtempSync(join(tmpdir(), "eksim-"));
let eksim: Eksim;
afterAll(async () => {
  await eksim.stop();
  rmSync(dataDir, { recursive: true });
});

interface List {
  items: { metadata: { name: string }; status: { phase?: string } }[];
}
const list = async (path: string) => (await eksim.kubernetes<List>("demo", "GET", path)).items;
const running = async () =>
  (await list("/api/v1/namespaces/default/pods")).filter(({ status }) => status.phase === "Running").length;
const nodes = async () => (await list("/api/v1/nodes")).map(({ metadata }) => metadata.name).sort();
const scale = (replicas: number) =>
  eksim.kubernetes("demo", "PUT", "/apis/apps/v1/namespaces/default/deployments/web/scale", {
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata: { name: "web", namespace: "default" },
    spec: { replicas },
  });

it("nodes of EKS Auto Mode outlive a restart, and more come and go after it as before", async () => {
  eksim = await startEksim({ seed: 1, dataDir });
  await createAutoModeCluster(eksim, { replicas: 1, cpu: "1500m" });
  const before = await nodes();
  expect(before).toHaveLength(1);
  // Stopped while two more nodes are on their way.
  await scale(3);
  await eksim.advance("2s");
  await eksim.stop();
  eksim = await startEksim({ seed: 1, dataDir });
  await eksim.advance("3m");
  expect(await running()).toBe(3);
  expect(await nodes()).toEqual(expect.arrayContaining(before));
  await scale(0);
  await eksim.advance("5m");
  expect(await nodes()).toEqual([]);
});
