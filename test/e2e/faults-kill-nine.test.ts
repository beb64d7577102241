/**
 * A process that is killed, again and again, in the middle of breaking and mending things: faults that were acknowledged are on in the next life, those whose end
 * was acknowledged are not, and in the end nothing is broken.
 */
import { once } from "node:events";
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { createRandom } from "../../src/clock/random.js";
import type { FaultRequest, FaultView } from "../../src/testkit/index.js";
import { type RunningEksim, runEksim, temporaryDirectory } from "./process.js";

const KILLS = 100;
const LONGEST_LIFE_MS = 300;
const PATIENCE_MS = 120_000;

const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];
/** EKSIM_FAULTS_SEED says which. */
const random = createRandom(Number(process.env.EKSIM_FAULTS_SEED ?? 1), "faults-kill-nine");
const dataDir = temporaryDirectory();
/** By id: acknowledged starts, and ends that were asked for. */
const started = new Map<string, FaultRequest>();
const ending = new Set<string>();
const ended = new Set<string>();

const start = (): Promise<RunningEksim> =>
  runEksim(["--data-dir", dataDir, "--clock", "scaled:60", "--log-level", "error"]);

async function call<T>({ endpoint }: RunningEksim, method: string, path: string, body?: unknown): Promise<T> {
  const answer = await fetch(endpoint + path, {
    method,
    ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as T;
}

const AUTHORIZATION =
  "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/eks/aws4_request, SignedHeaders=host, Signature=0";
const eks = async ({ endpoint }: RunningEksim, method: string, path: string, body?: unknown): Promise<void> => {
  const answer = await fetch(endpoint + path, {
    method,
    headers: { authorization: AUTHORIZATION },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
};

interface Status {
  clusters: {
    status: string;
    masters: { status: string }[];
    nodegroups: { status: string; inService: number }[];
    instances: { state: string; statusCheck: string; ready: boolean }[];
  }[];
}
const status = (eksim: RunningEksim): Promise<Status> => call<Status>(eksim, "GET", "/_eksim/status");

async function until(done: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + PATIENCE_MS;
  while (!(await done())) {
    if (performance.now() > endMs) throw new Error("it has not come about");
    await pause(50);
  }
}

function anyFault(): FaultRequest {
  const zone = random.pick(ZONES) as string;
  return random.pick<FaultRequest>([
    { fault: "zone-power-loss", target: { zone } },
    { fault: "zone-isolation", target: { zone } },
    { fault: "node-freeze", target: { zone }, emptyTargets: "skip" },
    { fault: "instance-stop", target: { cluster: "c", percent: 30 }, emptyTargets: "skip" },
    { fault: "master-loss", target: { cluster: "c" }, emptyTargets: "skip" },
    { fault: "quorum-loss", target: { cluster: "c" }, emptyTargets: "skip" },
    { fault: "node-pressure", target: { zone }, emptyTargets: "skip" },
    { fault: "api-server-latency", target: { cluster: "c" } },
    { fault: "health-issue", target: { cluster: "c", nodegroup: "n" }, parameters: { code: "InternalFailure" } },
    { fault: "insufficient-capacity", target: { zone } },
  ]) as FaultRequest;
}

async function live(eksim: RunningEksim): Promise<void> {
  const open = [...started.keys()].filter((id) => !ending.has(id));
  const [oldest] = open;
  if (oldest !== undefined && (open.length > 3 || random.integer(0, 1) === 0)) {
    ending.add(oldest);
    await call(eksim, "DELETE", `/_eksim/faults/${oldest}`);
    ended.add(oldest);
    return;
  }
  const request = anyFault();
  const fault = await call<FaultView>(eksim, "POST", "/_eksim/faults", request);
  if (fault.phase === "active") started.set(fault.id, request);
}

async function check(eksim: RunningEksim): Promise<void> {
  const on = new Map(
    (await call<{ faults: FaultView[] }>(eksim, "GET", "/_eksim/faults")).faults.map((fault) => [fault.id, fault]),
  );
  for (const [id, request] of started) {
    if (!ending.has(id)) expect(on.get(id)?.fault, `${id} is lost`).toBe(request.fault);
    if (ended.has(id)) expect(on.has(id), `${id} is on again`).toBe(false);
  }
  for (const { id, phase } of on.values()) {
    expect(phase).toBe("active");
    // Begun, and killed before it could be told.
    if (!started.has(id)) started.set(id, { fault: on.get(id)?.fault ?? "" });
  }
}

it(`${KILLS} kills in the middle of faults leave nothing broken`, { timeout: 1_800_000 }, async () => {
  let eksim = await start();
  const subnetIds = ["subnet-a", "subnet-b", "subnet-c"];
  const [roleArn, nodeRole] = ["arn:aws:iam::000000000000:role/eks", "arn:aws:iam::000000000000:role/node"];
  await eks(eksim, "POST", "/clusters", { name: "c", roleArn, resourcesVpcConfig: { subnetIds } });
  await until(async () => (await status(eksim)).clusters[0]?.status === "ACTIVE");
  const scalingConfig = { minSize: 0, maxSize: 12, desiredSize: 6 };
  await eks(eksim, "POST", "/clusters/c/node-groups", {
    nodegroupName: "n",
    nodeRole,
    subnets: subnetIds,
    scalingConfig,
  });
  await until(async () => (await status(eksim)).clusters[0]?.nodegroups[0]?.status === "ACTIVE");
  for (let kill = 0; kill < KILLS; kill++) {
    await check(eksim);
    const exited = once(eksim.process, "exit");
    const { process } = eksim;
    let alive = true;
    setTimeout(
      () => {
        alive = false;
        process.kill("SIGKILL");
      },
      random.integer(0, LONGEST_LIFE_MS),
    );
    while (alive) {
      await live(eksim).catch((error: Error) => {
        // What is refused for the moment is refused; everything else is the kill.
        if (/: 5\d\d /.test(error.message)) throw error;
      });
      await pause(1);
    }
    await exited;
    eksim = await start();
  }
  await check(eksim);
  expect(started.size).toBeGreaterThan(KILLS / 4);
  await call(eksim, "DELETE", "/_eksim/faults");
  const isWell = async (): Promise<boolean> => {
    const [cluster] = (await status(eksim)).clusters;
    const zones = await call<{ zones: { state: string; membersUp: number; readyNodes: number }[] }>(
      eksim,
      "GET",
      "/_eksim/zones",
    );
    return (
      cluster !== undefined &&
      cluster.masters.length === 3 &&
      cluster.masters.every((master) => master.status === "READY") &&
      cluster.nodegroups.every((group) => group.status === "ACTIVE" && group.inService === 6) &&
      cluster.instances.length === 6 &&
      cluster.instances.every(({ state, ready }) => state === "running" && ready) &&
      zones.zones.every(
        ({ state, membersUp, readyNodes }) => state === "available" && membersUp === 1 && readyNodes === 2,
      )
    );
  };
  try {
    await until(isWell);
  } catch (error) {
    throw new Error(JSON.stringify(await status(eksim)), { cause: error });
  } finally {
    await eksim.end("SIGKILL");
  }
});
