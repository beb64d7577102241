// 45 minutes without one zone: what automatic replacement, evictions and reports of a cluster cost.
import { startEksim } from "../../dist/testkit/index.js";
import { createWorkload, waitForPods } from "../workload.mjs";

const SIZES = [
  { nodes: 30, pods: 300, limit: 1 },
  { nodes: 300, pods: 3000, limit: 8 },
];

export async function figures() {
  const rows = [];
  for (const size of SIZES) rows.push(await measure(size));
  return rows;
}

async function measure({ nodes, pods, limit }) {
  const eksim = await startEksim({ clock: "stepped", seed: 1 });
  try {
    await createWorkload(eksim, { nodes, pods, instanceType: "m5.2xlarge" });
    await waitForPods(eksim, pods, "20m");
    const cpu = process.cpuUsage();
    const beganMs = performance.now();
    await eksim.failZone("us-east-1a", { cluster: "bench" });
    await eksim.advance("45m");
    await eksim.restoreZone("us-east-1a", { cluster: "bench" });
    await eksim.idle();
    const wall = (performance.now() - beganMs) / 1000;
    const used = process.cpuUsage(cpu);
    return {
      figure: `45-minute zone outage, ${nodes} nodes, ${pods.toLocaleString("en")} pods`,
      value: wall,
      unit: "s",
      limit,
      baseline: `${((used.user + used.system) / 1e6).toFixed(2)} s CPU; 2,700 s simulated`,
    };
  } finally {
    await eksim.stop();
  }
}
