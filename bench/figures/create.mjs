import https from "node:https";
import { BARE_FASTIFY, call, clusterInput, startEksimProcess, startServer } from "../server.mjs";

const RUNS = 7;
/** An emulator that has been left alone for so long has prepared for its first cluster. */
const SETTLED_MS = 1500;
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Resolves when the cluster's endpoint has answered over TLS with its own CA. */
const answers = (cluster) =>
  new Promise((resolve, reject) => {
    const ca = Buffer.from(cluster.certificateAuthority.data, "base64").toString();
    https
      .get(`${cluster.endpoint}/readyz`, { ca, agent: false }, (response) => response.resume().on("end", resolve))
      .on("error", reject);
  });

async function createMs(eksim, name) {
  const beganMs = performance.now();
  await call(eksim.endpoint, "POST", "/clusters", clusterInput(name));
  let cluster;
  do cluster = (await call(eksim.endpoint, "GET", `/clusters/${name}`)).cluster;
  while (cluster.status !== "ACTIVE");
  await answers(cluster);
  return performance.now() - beganMs;
}

export async function figures() {
  const bare = await startServer(BARE_FASTIFY);
  const times = [];
  const baselines = [];
  const firsts = [];
  try {
    for (const waitMs of [0, SETTLED_MS]) {
      const eksim = await startEksimProcess();
      try {
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        firsts.push(await createMs(eksim, "first"));
        for (let i = 0; waitMs > 0 && i < RUNS; i++) {
          times.push(await createMs(eksim, `bench-${i}`));
          const bareBeganMs = performance.now();
          await call(bare.endpoint, "GET", "/");
          baselines.push(performance.now() - bareBeganMs);
        }
      } finally {
        eksim.stop();
      }
    }
  } finally {
    bare.stop();
  }
  const [atOnce, settled] = firsts;
  const figure = "CreateCluster to ACTIVE with a working endpoint";
  const baseline = `one bare request ${median(baselines).toFixed(1)} ms`;
  return [
    {
      figure: `${figure}, in the instant of the start`,
      value: atOnce,
      unit: "ms",
      baseline: "loads the Kubernetes side",
    },
    { figure: `${figure}, first`, value: settled, unit: "ms", limit: 100, baseline },
    { figure, value: median(times), unit: "ms", limit: 100, baseline },
  ];
}
