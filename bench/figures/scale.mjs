import { startEksim } from "../../dist/testkit/index.js";
import { createWorkload, waitForPods } from "../workload.mjs";

export async function figures() {
  const beforeMb = process.memoryUsage().rss / 1048576;
  const eksim = await startEksim({ clock: "stepped", seed: 1 });
  try {
    const beganMs = performance.now();
    const cpu = process.cpuUsage();
    await createWorkload(eksim, { nodes: 1000, pods: 10_000, instanceType: "m5.2xlarge" });
    await waitForPods(eksim, 10_000, "60m");
    const wall = (performance.now() - beganMs) / 1000;
    const used = process.cpuUsage(cpu);
    return [
      {
        figure: "1,000 nodes and 10,000 pods Running",
        value: wall,
        unit: "s",
        limit: 60,
        baseline: `${((used.user + used.system) / 1e6).toFixed(1)} s CPU`,
      },
      {
        figure: "memory with them",
        value: process.memoryUsage().rss / 1048576,
        unit: "MB",
        limit: 800,
        baseline: `${beforeMb.toFixed(0)} MB before`,
      },
    ];
  } finally {
    await eksim.stop();
  }
}
