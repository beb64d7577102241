// The backend kind against kind itself, where there is Docker: EKSIM_BENCH_KIND=1 npm run bench kind
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startEksim } from "../../dist/testkit/index.js";

const run = promisify(execFile);
const IMAGE = "kindest/node:v1.36.2";
const SUBNETS = ["subnet-a", "subnet-b", "subnet-c"];
const PLAIN = "eksim-bench-plain";
/** Creations of either side, in turn: a machine that others use is never equally busy twice. */
const ROUNDS = 3;

/** Why there is nothing to measure, or undefined. */
async function whyNot() {
  // It takes minutes and gigabytes: nobody has that by the way.
  if (process.env.EKSIM_BENCH_KIND !== "1") return "set EKSIM_BENCH_KIND=1 to measure it";
  for (const [tool, ...args] of [
    ["docker", "info"],
    ["docker", "image", "inspect", IMAGE],
    ["kind", "version"],
  ]) {
    try {
      await run(tool, args, { timeout: 15_000, killSignal: "SIGKILL" });
    } catch (error) {
      return `${tool} ${args.join(" ")} failed: ${error.message.split("\n")[0]}`;
    }
  }
  return undefined;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Seconds until `done`, looked at often. */
async function timed(work, done = () => true) {
  const beganMs = performance.now();
  await work();
  while (!(await Promise.resolve(done()).catch(() => false))) {
    if (performance.now() - beganMs > 900_000) throw new Error("not reached within 15 minutes");
    await sleep(250);
  }
  return (performance.now() - beganMs) / 1000;
}

/** kind alone, with as many masters, and what the machine itself asks for. */
async function plainCreate(dir) {
  const { stdout } = await run("docker", ["info", "--format", "{{.CgroupVersion}}"]);
  const config = {
    kind: "Cluster",
    apiVersion: "kind.x-k8s.io/v1alpha4",
    nodes: [1, 2, 3].map(() => ({ role: "control-plane" })),
    ...(stdout.trim() === "1"
      ? { kubeadmConfigPatches: [JSON.stringify({ kind: "KubeletConfiguration", failCgroupV1: false })] }
      : {}),
  };
  const file = join(dir, "plain.json");
  writeFileSync(file, JSON.stringify(config));
  const kubeconfig = ["--kubeconfig", join(dir, "plain.kubeconfig")];
  try {
    return await timed(() =>
      run("kind", ["create", "cluster", "--name", PLAIN, "--config", file, "--image", IMAGE, ...kubeconfig]),
    );
  } finally {
    await run("kind", ["delete", "cluster", "--name", PLAIN, ...kubeconfig]);
  }
}

const shown = (values) => values.map((value) => value.toFixed(1)).join(", ");
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const create = (eksim) =>
  timed(
    () =>
      eksim.eks("POST", "/clusters", {
        name: "bench",
        roleArn: "arn:aws:iam::000000000000:role/eks",
        resourcesVpcConfig: { subnetIds: SUBNETS },
      }),
    async () => (await eksim.eks("GET", "/clusters/bench")).cluster.status === "ACTIVE",
  );

/** Seconds until nothing is left of it. */
const remove = (eksim) =>
  timed(
    () => eksim.eks("DELETE", "/clusters/bench").catch(() => {}),
    async () => {
      const gone = await eksim.eks("GET", "/clusters/bench").then(
        () => false,
        () => true,
      );
      // Its node group may be on its way still.
      if (!gone) await eksim.eks("DELETE", "/clusters/bench").catch(() => {});
      return gone;
    },
  );

export async function figures() {
  const why = await whyNot();
  if (why !== undefined) {
    process.stderr.write(`  not measured: ${why}\n`);
    return [];
  }
  const dir = mkdtempSync(join(tmpdir(), "eksim-bench-kind-"));
  // First without being counted: files of the image are read from the disk once.
  await plainCreate(dir);
  const eksim = await startEksim({ clock: "real", backend: "kind", dataDir: join(dir, "data") });
  const ready = async () => {
    const { items } = await eksim.kubernetes("bench", "GET", "/api/v1/nodes?labelSelector=eks.amazonaws.com/nodegroup");
    const isReady = ({ status }) => status.conditions.some(({ type, status: is }) => type === "Ready" && is === "True");
    return items.filter(isReady).map(({ metadata }) => metadata.name);
  };
  const has = (count) => async () => (await ready()).length === count;
  try {
    const plain = [];
    const created = [];
    const deleted = [];
    for (let round = 1; round <= ROUNDS; round++) {
      plain.push(await plainCreate(dir));
      created.push(await create(eksim));
      if (round < ROUNDS) deleted.push(await remove(eksim));
    }
    await timed(
      () =>
        eksim.eks("POST", "/clusters/bench/node-groups", {
          nodegroupName: "workers",
          nodeRole: "arn:aws:iam::000000000000:role/node",
          subnets: SUBNETS,
          scalingConfig: { minSize: 3, maxSize: 6, desiredSize: 3 },
        }),
      async () =>
        (await eksim.eks("GET", "/clusters/bench/node-groups/workers")).nodegroup.status === "ACTIVE" &&
        (await has(3)()),
    );
    const scaled = await timed(
      () =>
        eksim.eks("POST", "/clusters/bench/node-groups/workers/update-config", {
          scalingConfig: { desiredSize: 6 },
        }),
      has(6),
    );
    const before = await ready();
    const { stdout } = await run("docker", ["ps", "--quiet", "--filter", `label=eksim.dev/node=${before[0]}`]);
    const replaced = await timed(
      () => run("docker", ["kill", stdout.trim()]),
      async () => (await ready()).some((name) => !before.includes(name)),
    );
    return [
      {
        figure: "kind cluster of three masters ACTIVE, against kind alone",
        value: (median(created) / median(plain)) * 100,
        unit: "%",
        limit: 110,
        baseline: `${shown(plain)} s kind create cluster; ${shown(created)} s here`,
      },
      { figure: "kind cluster of three masters deleted", value: median(deleted), unit: "s" },
      { figure: "kind node group from 3 to 6 nodes Ready", value: scaled, unit: "s", limit: 45 },
      { figure: "kind worker killed, its successor Ready", value: replaced, unit: "s", limit: 60 },
    ];
  } finally {
    await eksim.eks("DELETE", "/clusters/bench/node-groups/workers").catch(() => {});
    await remove(eksim).catch((error) => process.stderr.write(`  the cluster bench is left: ${error.message}\n`));
    await eksim.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
