import { cluster } from "../cluster.mjs";
import { BARE_FASTIFY, cpuMs, rssMb, startEksimProcess, startServer } from "../server.mjs";

const ROUND = 2000;
const ROUNDS = 4;
const WATCHERS = 100;
const LISTED = 10_000;
const NAMESPACE = "/api/v1/namespaces/default/pods";

/** A pod that nobody but the API server minds: it names a scheduler that there is not. */
const pod = JSON.stringify({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { generateName: "bench-", labels: { app: "bench", tier: "web" } },
  spec: {
    schedulerName: "nobody",
    containers: [
      {
        name: "app",
        image: "nginx:1.29",
        ports: [{ name: "http", containerPort: 8080 }],
        env: [
          { name: "MODE", value: "bench" },
          { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
        ],
        resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { memory: "128Mi" } },
        readinessProbe: { httpGet: { path: "/ready", port: "http" } },
      },
    ],
  },
});

/** Server CPU of one creation, in microseconds: the least of some rounds, because noise only ever adds. */
async function createMicros(eksim, api) {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ROUNDS; i++) {
    const before = cpuMs(eksim.pid);
    await api.createAll(NAMESPACE, Array(ROUND).fill(pod));
    least = Math.min(least, ((cpuMs(eksim.pid) - before) * 1000) / ROUND);
  }
  return least;
}

/** Milliseconds from the request to the last byte of a list. */
async function listMs(api, path) {
  const times = [];
  for (let i = 0; i < 5; i++) {
    const beganMs = performance.now();
    await api.send("GET", path);
    times.push(performance.now() - beganMs);
  }
  const [first, ...later] = times;
  return { first, later: Math.min(...later) };
}

async function bareMicros() {
  const bare = await startServer(BARE_FASTIFY);
  const before = cpuMs(bare.pid);
  for (let i = 0; i < ROUND; i++) await (await fetch(bare.endpoint)).arrayBuffer();
  const used = ((cpuMs(bare.pid) - before) * 1000) / ROUND;
  bare.stop();
  return used;
}

export async function figures() {
  const baseline = `a bare request without TLS ${(await bareMicros()).toFixed(0)} us`;
  const eksim = await startEksimProcess();
  const stops = [];
  try {
    const api = await cluster(eksim, "bench");
    const alone = await createMicros(eksim, api);
    const memoryMb = rssMb(eksim.pid);
    const present = JSON.parse(await api.send("GET", `${NAMESPACE}?limit=1`)).metadata.remainingItemCount + 1;
    await api.createAll(NAMESPACE, Array(LISTED - present).fill(pod));
    const list = await listMs(api, NAMESPACE);
    const cached = await listMs(api, `${NAMESPACE}?resourceVersion=0`);
    let bytes = 0;
    for (let i = 0; i < WATCHERS; i++) {
      const { resourceVersion } = JSON.parse(await api.send("GET", `${NAMESPACE}?limit=1`)).metadata;
      stops.push(
        await api.watch(`${NAMESPACE}?watch=true&resourceVersion=${resourceVersion}`, (chunk) => {
          bytes += chunk.length;
        }),
      );
    }
    const watched = await createMicros(eksim, api);
    if (bytes < WATCHERS * ROUND * ROUNDS * pod.length) throw new Error("the watchers have not seen every pod");
    return [
      { figure: "create a pod, server CPU", value: alone, unit: "us", limit: 120, baseline },
      {
        figure: `create a pod that ${WATCHERS} watch, server CPU`,
        value: watched,
        unit: "us",
        limit: 1000,
        baseline: `${((bytes / WATCHERS / ROUND / ROUNDS) * 1).toFixed(0)} bytes an event`,
      },
      {
        figure: `list ${LISTED} pods`,
        value: list.first,
        unit: "ms",
        limit: 150,
        baseline: `again ${list.later.toFixed(0)} ms, from the cache ${cached.later.toFixed(0)} ms; ${memoryMb.toFixed(0)} MB`,
      },
    ];
  } finally {
    for (const stop of stops) stop();
    eksim.stop();
  }
}
