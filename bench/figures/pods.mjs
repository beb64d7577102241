import { createClock } from "../../dist/clock/create-clock.js";
import { admissionPlugins } from "../../dist/kubernetes/admission/index.js";
import { ResourceCatalogue } from "../../dist/kubernetes/registry/catalogue.js";
import { createKubeApi } from "../../dist/kubernetes/registry/kube-api.js";
import { createRegistry } from "../../dist/kubernetes/registry/registry.js";
import { createStrategies } from "../../dist/kubernetes/registry/strategies/index.js";
import { builtinResources } from "../../dist/kubernetes/schema/resources.js";
import { createStore } from "../../dist/kubernetes/store/store.js";
import { cluster } from "../cluster.mjs";
import { cpuMs, rssMb, startEksimProcess } from "../server.mjs";

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

/** CPU of one creation without the wire, in microseconds: defaults, admission, validation, ownership, store. */
async function machineryMicros() {
  const clock = createClock({ kind: "real" }, { seed: 1 });
  const strategyFor = createStrategies({ serviceCidr: "10.100.0.0/16" });
  const registry = createRegistry({
    store: createStore({ clock }),
    catalogue: new ResourceCatalogue({ infos: builtinResources(), strategyFor }),
    clock,
    admission: admissionPlugins(),
  });
  const user = { username: "bench", groups: ["system:masters"] };
  const api = createKubeApi(registry, { user, fieldManager: "bench", tracksOwnership: true });
  await api.create("namespaces", { metadata: { name: "default" } });
  await api.create("serviceaccounts", { metadata: { name: "default", namespace: "default" } });
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 2 * ROUNDS; i++) {
    const drafts = Array.from({ length: ROUND }, () => JSON.parse(pod));
    for (const draft of drafts) draft.metadata.namespace = "default";
    const before = process.cpuUsage();
    for (const draft of drafts) await api.create("pods", draft);
    const { user: inUser, system } = process.cpuUsage(before);
    least = Math.min(least, (inUser + system) / ROUND);
  }
  clock.stop();
  return least;
}

/** Server CPU of the cheapest request there is, in microseconds: the share of HTTPS and of knowing the caller. */
async function requestMicros(eksim, api) {
  const before = cpuMs(eksim.pid);
  for (let i = 0; i < ROUND; i += 10) await Promise.all(Array.from({ length: 10 }, () => api.send("GET", "/version")));
  return ((cpuMs(eksim.pid) - before) * 1000) / ROUND;
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

export async function figures() {
  const machinery = await machineryMicros();
  const eksim = await startEksimProcess();
  const stops = [];
  try {
    const api = await cluster(eksim, "bench");
    const alone = await createMicros(eksim, api);
    const bare = await requestMicros(eksim, api);
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
      { figure: "create a pod, without the wire, CPU", value: machinery, unit: "us", limit: 120 },
      {
        figure: "create a pod over HTTPS, server CPU",
        value: alone,
        unit: "us",
        baseline: `GET /version over HTTPS ${bare.toFixed(0)} us`,
      },
      {
        figure: `create a pod that ${WATCHERS} watch, server CPU`,
        value: watched,
        unit: "us",
        limit: 1000,
        baseline: `${(bytes / WATCHERS / ROUND / ROUNDS).toFixed(0)} bytes an event`,
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
