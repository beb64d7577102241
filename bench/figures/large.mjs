import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cluster } from "../cluster.mjs";
import { call, cpuMs, rssMb, startEksimProcess } from "../server.mjs";

const NODES = 5000;
const PODS = 50_000;
/** Managed node groups have at most 450 nodes. */
const LARGEST_GROUP = 450;
const DEPLOYMENTS = 50;
const IDLE_MS = 30_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const deployment = (name, replicas) => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        containers: [{ name: "app", image: "nginx:1.29", resources: { requests: { cpu: "100m", memory: "64Mi" } } }],
      },
    },
  },
});

async function createWorkload(eksim, api) {
  for (let left = NODES, group = 0; left > 0; left -= LARGEST_GROUP, group++) {
    const size = Math.min(left, LARGEST_GROUP);
    await call(eksim.endpoint, "POST", "/clusters/large/node-groups", {
      nodegroupName: `workers-${group}`,
      nodeRole: "arn:aws:iam::000000000000:role/node",
      subnets: ["subnet-a", "subnet-b", "subnet-c"],
      instanceTypes: ["m5.2xlarge"],
      scalingConfig: { minSize: size, maxSize: size, desiredSize: size },
    });
  }
  for (let i = 0; i < DEPLOYMENTS; i++)
    await api.json("POST", "/apis/apps/v1/namespaces/default/deployments", deployment(`web-${i}`, PODS / DEPLOYMENTS));
}

const available = async (api) => {
  const { items } = await api.json("GET", "/apis/apps/v1/namespaces/default/deployments");
  return items.reduce((sum, { status }) => sum + (status?.availableReplicas ?? 0), 0);
};

/** Polls until `done`; gives the highest memory seen on the way, in MB. */
async function until(eksim, limitMs, done) {
  const beganMs = performance.now();
  let highestMb = 0;
  while (!(await done())) {
    highestMb = Math.max(highestMb, rssMb(eksim.pid));
    if (performance.now() - beganMs > limitMs) throw new Error(`not done within ${limitMs / 1000} s`);
    await sleep(1000);
  }
  return Math.max(highestMb, rssMb(eksim.pid));
}

export async function figures() {
  const directory = mkdtempSync(join(tmpdir(), "eksim-bench-"));
  const start = () => startEksimProcess("--data-dir", directory);
  let eksim = await start();
  try {
    let api = await cluster(eksim, "large");
    const beganMs = performance.now();
    const cpuBefore = cpuMs(eksim.pid);
    await createWorkload(eksim, api);
    const highestMb = await until(eksim, 900_000, async () => (await available(api)) === PODS);
    const runningSeconds = (performance.now() - beganMs) / 1000;
    const runningCpu = (cpuMs(eksim.pid) - cpuBefore) / 1000;

    await sleep(15_000);
    const idleBefore = cpuMs(eksim.pid);
    await sleep(IDLE_MS);
    const idlePercent = ((cpuMs(eksim.pid) - idleBefore) / IDLE_MS) * 100;
    const idleMb = rssMb(eksim.pid);

    const listBegan = performance.now();
    const listed = await api.send("GET", "/api/v1/pods");
    const listMs = performance.now() - listBegan;
    api.close();

    eksim.stop("SIGTERM");
    await eksim.ended;
    const restartBegan = performance.now();
    eksim = await start();
    api = await cluster(eksim, "large");
    const count = async () =>
      (await api.json("GET", "/api/v1/namespaces/default/pods?limit=1")).metadata.remainingItemCount + 1;
    await until(eksim, 60_000, async () => (await count().catch(() => 0)) === PODS);
    const restartSeconds = (performance.now() - restartBegan) / 1000;
    await api.send("GET", "/api/v1/pods");
    const listedSeconds = (performance.now() - restartBegan) / 1000;
    const restartCpu = cpuMs(eksim.pid) / 1000;
    api.close();
    return [
      {
        figure: `${NODES} nodes and ${PODS} pods Running, with a file`,
        value: runningSeconds,
        unit: "s",
        limit: 240,
        baseline: `${runningCpu.toFixed(0)} s CPU`,
      },
      {
        figure: "memory with them, at most",
        value: highestMb,
        unit: "MB",
        limit: 2560,
        baseline: `idle ${idleMb.toFixed(0)} MB`,
      },
      {
        figure: "CPU of one core when idle",
        value: idlePercent,
        unit: "%",
        limit: 10,
        baseline: `list of all: ${(listed.length / 1048576).toFixed(0)} MB in ${listMs.toFixed(0)} ms`,
      },
      {
        figure: `restart with ${PODS} pods in the file, until pages of them are answered`,
        value: restartSeconds,
        unit: "s",
        limit: 5,
        baseline: `all of them listed after ${listedSeconds.toFixed(1)} s, ${restartCpu.toFixed(1)} s CPU`,
      },
    ];
  } finally {
    eksim.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}
