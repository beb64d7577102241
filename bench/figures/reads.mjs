import autocannon from "autocannon";
import { BARE_FASTIFY, call, clusterInput, cpuMs, headersFor, startEksimProcess, startServer } from "../server.mjs";

const REQUESTS = 15_000;
const ROUNDS = 3;

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
  const results = [];
  try {
    for (let i = 0; i < 10; i++) await call(eksim.endpoint, "POST", "/clusters", clusterInput(`bench-${i}`));
    for (let status = ""; status !== "ACTIVE"; )
      ({ status } = (await call(eksim.endpoint, "GET", "/clusters/bench-9")).cluster);
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
