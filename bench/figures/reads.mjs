import autocannon from "autocannon";
import { signedHeaders } from "../../dist/identity/sigv4-signer.js";
import { BARE_FASTIFY, cpuMs, startEksimProcess, startServer } from "../server.mjs";

const REQUESTS = 15_000;
const ROUNDS = 3;
const CREDENTIALS = { accessKeyId: "test", secretAccessKey: "test" };

const headersFor = (url, method = "GET", body = "") => {
  const { host, ...headers } = signedHeaders({
    method,
    url,
    body,
    service: "eks",
    region: "us-east-1",
    credentials: CREDENTIALS,
    nowMs: Date.now(),
  });
  return headers;
};

/** Server CPU of one request, in microseconds: the least of some rounds, because noise only ever adds. */
async function cpuMicros(server, path, headers) {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i <= ROUNDS; i++) {
    const before = cpuMs(server.pid);
    const result = await autocannon({ url: server.endpoint + path, headers, amount: REQUESTS, connections: 10 });
    if (result.non2xx > 0) throw new Error(`${path}: ${result.non2xx} refusals`);
    // The first round warms up the compiler.
    if (i > 0) least = Math.min(least, ((cpuMs(server.pid) - before) * 1000) / REQUESTS);
  }
  return least;
}

export async function figures() {
  const eksim = await startEksimProcess();
  const create = new URL(`${eksim.endpoint}/clusters`);
  const results = [];
  try {
    for (let i = 0; i < 10; i++) {
      const body = JSON.stringify({
        name: `bench-${i}`,
        roleArn: "arn:aws:iam::000000000000:role/eks",
        resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
      });
      await fetch(create, { method: "POST", body, headers: headersFor(create, "POST", body) });
    }
    for (let ready = false; !ready; ) {
      const url = new URL(`${eksim.endpoint}/clusters/bench-9`);
      ready = (await (await fetch(url, { headers: headersFor(url) })).json()).cluster.status === "ACTIVE";
    }
    for (const [figure, path] of [
      ["DescribeCluster", "/clusters/bench-1"],
      ["ListClusters", "/clusters"],
    ]) {
      const url = new URL(eksim.endpoint + path);
      const headers = headersFor(url);
      const bytes = await (await fetch(url, { headers })).text();
      const bare = await startServer(BARE_FASTIFY, [bytes]);
      const bareMicros = await cpuMicros(bare, path, headers);
      const ourMicros = await cpuMicros(eksim, path, headers);
      bare.stop();
      results.push({
        figure: `${figure}, server CPU`,
        value: ourMicros / bareMicros,
        unit: "x",
        limit: 2,
        baseline: `${ourMicros.toFixed(0)} us against bare Fastify's ${bareMicros.toFixed(0)} us`,
      });
    }
  } finally {
    eksim.stop();
  }
  return results;
}
