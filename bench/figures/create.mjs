import https from "node:https";
import { BARE_FASTIFY, call, clusterInput, startEksimProcess, startServer } from "../server.mjs";

const RUNS = 7;
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Resolves when the cluster's endpoint has answered over TLS with its own CA. */
const answers = (cluster) =>
  new Promise((resolve, reject) => {
    const ca = Buffer.from(cluster.certificateAuthority.data, "base64").toString();
    https
      .get(`${cluster.endpoint}/readyz`, { ca, agent: false }, (response) => response.resume().on("end", resolve))
      .on("error", reject);
  });

export async function figures() {
  const eksim = await startEksimProcess();
  const bare = await startServer(BARE_FASTIFY);
  const times = [];
  const baselines = [];
  try {
    for (let i = 0; i < RUNS; i++) {
      const name = `bench-${i}`;
      const beganMs = performance.now();
      await call(eksim.endpoint, "POST", "/clusters", clusterInput(name));
      let cluster;
      do cluster = (await call(eksim.endpoint, "GET", `/clusters/${name}`)).cluster;
      while (cluster.status !== "ACTIVE");
      await answers(cluster);
      times.push(performance.now() - beganMs);
      const bareBeganMs = performance.now();
      await call(bare.endpoint, "GET", "/");
      baselines.push(performance.now() - bareBeganMs);
    }
  } finally {
    eksim.stop();
    bare.stop();
  }
  return [
    {
      figure: "CreateCluster to ACTIVE with a working endpoint, first",
      value: times[0],
      unit: "ms",
      baseline: "loads the Kubernetes side",
    },
    {
      figure: "CreateCluster to ACTIVE with a working endpoint",
      value: median(times),
      unit: "ms",
      limit: 100,
      baseline: `one bare request ${median(baselines).toFixed(1)} ms`,
    },
  ];
}
