// The 20 most used operations, with one cluster in the store and with a thousand: p50, p99 and CPU of each, and how much the other clusters add.
import { mkdtempSync, rmSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { call, clusterInput, cpuMs, headersFor, startEksimProcess } from "../server.mjs";

const OTHERS = 999;
/** Quota of clusters of an account in a region. */
const CLUSTERS_A_SCOPE = 100;
/** Half of the calls of an operation, and each has two turns with either store: a noisy moment meets both. */
const READS = 400;
const WRITES = 60;
const CREATIONS = 4;
const TURNS = 2;

const NODE_ROLE = "arn:aws:iam::000000000000:role/node";
const NODEGROUP = "/clusters/bench/node-groups/workers";
const ADDON = "/clusters/bench/addons/coredns";
const CLUSTER_TAGS = `/tags/${encodeURIComponent("arn:aws:eks:us-east-1:000000000000:cluster/bench")}`;
const entryOf = (i) => `arn:aws:iam::000000000000:role/entry-${i}`;
const entryPath = (arn) => `/clusters/bench/access-entries/${encodeURIComponent(arn)}`;

const read = (path) => ({ amount: READS, request: () => ["GET", path], grows: false });
const write = (request) => ({ amount: WRITES, request });
/** `grows: false`: must take as long with a thousand clusters in the store as with one. `settled` is what to wait for after a call, outside of its time. */
const operations = (updateId) => ({
  DescribeCluster: read("/clusters/bench"),
  ListClusters: read("/clusters"),
  DescribeNodegroup: read(NODEGROUP),
  ListNodegroups: read("/clusters/bench/node-groups"),
  DescribeUpdate: read(`/clusters/bench/updates/${updateId}`),
  ListUpdates: read("/clusters/bench/updates"),
  DescribeAddon: read(ADDON),
  ListAddons: read("/clusters/bench/addons"),
  DescribeAddonVersions: read("/addons/supported-versions?addonName=coredns"),
  DescribeClusterVersions: read("/cluster-versions"),
  DescribeAccessEntry: read(entryPath(NODE_ROLE)),
  ListAccessEntries: read("/clusters/bench/access-entries"),
  ListInsights: { ...read(""), request: () => ["POST", "/clusters/bench/insights", {}] },
  ListTagsForResource: read(CLUSTER_TAGS),
  TagResource: write((i) => ["POST", CLUSTER_TAGS, { tags: { turn: String(i) } }]),
  CreateAccessEntry: write((i) => ["POST", "/clusters/bench/access-entries", { principalArn: entryOf(i) }]),
  DeleteAccessEntry: write((i) => ["DELETE", entryPath(entryOf(i))]),
  UpdateNodegroupConfig: {
    ...write((i) => ["POST", `${NODEGROUP}/update-config`, { labels: { addOrUpdateLabels: { turn: String(i) } } }]),
    settled: (server) => until(server, NODEGROUP, ({ nodegroup }) => nodegroup.status === "ACTIVE"),
  },
  CreateCluster: {
    amount: CREATIONS,
    request: (i) => ["POST", "/clusters", clusterInput(`made-${i}`)],
    settled: (server, i) => until(server, `/clusters/made-${i}`, ({ cluster }) => cluster.status === "ACTIVE"),
  },
  DeleteCluster: {
    amount: CREATIONS,
    request: (i) => ["DELETE", `/clusters/made-${i}`],
    settled: (server, i) => until(server, `/clusters/made-${i}`, ({ cluster }) => cluster === undefined),
  },
});

async function until(server, path, done) {
  while (!done(await call(server.endpoint, "GET", path))) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** One cluster with everything that is asked about; gives the id of one of its updates. */
async function furnish(server) {
  const { endpoint } = server;
  await call(endpoint, "POST", "/clusters", {
    ...clusterInput("bench"),
    accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" },
  });
  const active = () => until(server, "/clusters/bench", ({ cluster }) => cluster.status === "ACTIVE");
  await active();
  const { update } = await call(endpoint, "POST", "/clusters/bench/update-config", {
    logging: { clusterLogging: [{ types: ["api"], enabled: true }] },
  });
  await active();
  await call(endpoint, "POST", "/clusters/bench/node-groups", {
    nodegroupName: "workers",
    nodeRole: NODE_ROLE,
    subnets: ["subnet-a", "subnet-b"],
    scalingConfig: { minSize: 2, maxSize: 2, desiredSize: 2 },
  });
  await until(server, NODEGROUP, ({ nodegroup }) => nodegroup.status === "ACTIVE");
  await call(endpoint, "POST", "/clusters/bench/addons", { addonName: "coredns", resolveConflicts: "OVERWRITE" });
  await until(server, ADDON, ({ addon }) => addon.status === "ACTIVE");
  return update.id;
}

/** Tables that hold the rest of a cluster, and the columns by which two clusters' rows differ. */
const PARTS = ["members", "nodegroups", "updates", "cluster_resources", "instances"];

/**
 * Writes rows of other clusters into a state file: each like those of the one that is there, with its node group, updates and add-ons, but FAILED. Such a
 * cluster is looked up and listed like every other and has no Kubernetes, which would take a hundred times the time and memory of what is measured here.
 * An account has as many in a region as its quota lets it have; the account that is measured has its one.
 */
function addOthers(file) {
  const db = new Database(file);
  const [cluster] = db.prepare("SELECT * FROM clusters").all();
  const insert = (table, row) => {
    const columns = Object.keys(row).filter((column) => column !== "position");
    const places = columns.map((column) => `@${column}`);
    db.prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places.join(", ")})`).run(row);
  };
  const parts = PARTS.map((table) => [
    table,
    db.prepare(`SELECT * FROM ${table} WHERE cluster_id = ?`).all(cluster.id),
  ]);
  db.transaction(() => {
    for (let i = 1; i <= OTHERS; i++) {
      const id = i.toString(16).toUpperCase().padStart(32, "0");
      const account = String(111111111111 + Math.floor(i / CLUSTERS_A_SCOPE));
      const moved = (row) =>
        Object.fromEntries(
          Object.entries(row).map(([column, value]) => [
            column,
            typeof value === "string"
              ? value
                  .replaceAll(cluster.id, id)
                  .replaceAll("000000000000", account)
                  .replaceAll("bench", `other-${i}`)
                  .replaceAll(/\bi-[0-9a-f]{4}/g, `i-${i.toString(16).padStart(4, "0")}`)
              : value,
          ]),
        );
      const row = moved(cluster);
      const body = { ...JSON.parse(row.body), status: "FAILED", port: 0 };
      insert("clusters", { ...row, body: JSON.stringify(body) });
      for (const [table, rows] of parts) for (const part of rows) insert(table, moved(part));
    }
  })();
  db.close();
}

/** An emulator with its own state file; with `others`, it has been started a second time over a file that has them. */
async function startWithStore(directory, others) {
  const first = await startEksimProcess("--data-dir", directory);
  const updateId = await furnish(first);
  if (!others) return { server: first, table: operations(updateId) };
  first.stop();
  await first.ended;
  addOthers(join(directory, "state.db"));
  const server = await startEksimProcess("--data-dir", directory);
  const { clusters } = await (await fetch(`${server.endpoint}/_eksim/health`)).json();
  if (clusters !== OTHERS + 1) throw new Error(`${clusters} clusters in the store`);
  return { server, table: operations(updateId) };
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** Milliseconds from the request to the end of its answer, over one open connection. */
function timed(server, [method, path, body]) {
  const url = new URL(server.endpoint + path);
  const text = body ? JSON.stringify(body) : "";
  const headers = { ...headersFor(url, method, text), "content-length": Buffer.byteLength(text) };
  return new Promise((resolve, reject) => {
    const beganMs = performance.now();
    const request = http.request(url, { method, headers, agent }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        const ms = performance.now() - beganMs;
        if (response.statusCode === 200) resolve(ms);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${Buffer.concat(chunks)}`));
      });
    });
    request.on("error", reject).end(text);
  });
}

/** Adds one turn of an operation to what is known of it. The CPU is that of the whole server, with what the call sets off in the cluster. */
async function measure({ server, table }, name, turn, into) {
  const { amount, request, settled } = table[name];
  const before = cpuMs(server.pid);
  for (let i = 0; i < amount; i++) {
    const number = turn * amount + i;
    into.times.push(await timed(server, request(number)));
    await settled?.(server, number);
  }
  into.cpuMs += cpuMs(server.pid) - before;
}

const quantile = (times, share) =>
  times.sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))];
const shown = ({ times, cpuMs: ms }) =>
  `${quantile(times, 0.5).toFixed(2)} / ${quantile(times, 0.99).toFixed(2)} ms, ${((ms * 1000) / times.length).toFixed(0)} us`;

export async function figures() {
  const directories = [0, 1].map(() => mkdtempSync(join(tmpdir(), "eksim-bench-")));
  const stores = [];
  try {
    for (const [index, directory] of directories.entries()) stores.push(await startWithStore(directory, index > 0));
    const results = [];
    for (const [name, { grows }] of Object.entries(stores[0].table)) {
      const [one, thousand] = stores.map(() => ({ times: [], cpuMs: 0 }));
      const both = [
        [stores[0], one],
        [stores[1], thousand],
      ];
      // A turn first that is not counted warms up the compiler.
      if (grows === false) for (const [store] of both) await measure(store, name, 0, { times: [], cpuMs: 0 });
      for (let turn = 0; turn < TURNS; turn++) {
        for (const [store, into] of turn % 2 ? both.reverse() : both) await measure(store, name, turn, into);
      }
      results.push({
        figure: `${name}: p50 with 1,000 clusters in the store against 1`,
        value: quantile(thousand.times, 0.5) / quantile(one.times, 0.5),
        unit: "x",
        ...(grows === false ? { limit: 1.5 } : {}),
        baseline: `p50 / p99, CPU: 1: ${shown(one)}; 1,000: ${shown(thousand)}`,
      });
    }
    return results;
  } finally {
    agent.destroy();
    for (const { server } of stores) server.stop();
    await Promise.all(stores.map(({ server }) => server.ended));
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  }
}
