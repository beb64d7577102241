import https from "node:https";
import { signedHeaders } from "../../dist/identity/sigv4-signer.js";
import { BARE_FASTIFY, startEksimProcess, startServer } from "../server.mjs";

const RUNS = 7;
const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

async function call(endpoint, method, path, body = "") {
  const url = new URL(endpoint + path);
  const { host, ...headers } = signedHeaders({
    method,
    url,
    body,
    service: "eks",
    region: "us-east-1",
    credentials: CREDENTIALS,
    nowMs: Date.now(),
  });
  return (await fetch(url, { method, headers, ...(body ? { body } : {}) })).json();
}

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
      await call(
        eksim.endpoint,
        "POST",
        "/clusters",
        JSON.stringify({
          name,
          roleArn: "arn:aws:iam::000000000000:role/eks",
          resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
        }),
      );
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
