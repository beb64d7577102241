import { startEksim } from "../../dist/testkit/index.js";
import { createWorkload, waitForPods } from "../workload.mjs";

export async function figures() {
  const eksim = await startEksim({ clock: "stepped", seed: 1 });
  try {
    await createWorkload(eksim, { nodes: 30, pods: 300, instanceType: "m5.2xlarge" });
    await waitForPods(eksim, 300, "20m");
    const cpu = process.cpuUsage();
    const beganMs = performance.now();
    await eksim.failZone("us-east-1a", { cluster: "bench" });
    await eksim.advance("45m");
    await eksim.restoreZone("us-east-1a", { cluster: "bench" });
    await eksim.idle();
    const wall = (performance.now() - beganMs) / 1000;
    const used = process.cpuUsage(cpu);
    return [
      {
        figure: "45-minute zone outage, 30 nodes, 300 pods",
        value: wall,
        unit: "s",
        limit: 2,
        baseline: `${((used.user + used.system) / 1e6).toFixed(2)} s CPU; 2,700 s simulated`,
      },
    ];
  } finally {
    await eksim.stop();
  }
}
