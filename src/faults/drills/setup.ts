/** Makes what a drill plays on: clusters with nodes and add-ons, and what runs in them. What is there already is taken as it is where the drill says so. */
import type { ClusterSetup, JsonObject, Manifest } from "./drill.js";
import { apply, isGood, refusal } from "./kubernetes.js";
import type { Stage } from "./stage.js";
import type { Answer } from "./target.js";

/** Things could not be made, or did not become what they have to be. */
class SetupError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "SetupError";
  }
}

/** What the drill has made so far, and has to take away where the emulator stays. */
export interface Made {
  /** In order of making. */
  clusters: string[];
  nodegroups: { cluster: string; name: string }[];
  fargateProfiles: { cluster: string; name: string }[];
  addons: { cluster: string; name: string }[];
  objects: { cluster: string; object: Manifest }[];
}

export const nothingMade = (): Made => ({
  clusters: [],
  nodegroups: [],
  fargateProfiles: [],
  addons: [],
  objects: [],
});

/** How long each thing may take to become ACTIVE, in milliseconds of simulated time. */
const LIMIT_MS = 3_600_000;

/** How often EKS is asked while it tells nothing, in milliseconds of simulated time. */
const ASK_EVERY_MS = 5000;

const ACCOUNT = "000000000000";
const SUBNETS = ["subnet-a", "subnet-b", "subnet-c"];

/** Members of requests that a drill about zones has no opinion on. */
const DEFAULTS = {
  cluster: { roleArn: `arn:aws:iam::${ACCOUNT}:role/eks`, resourcesVpcConfig: { subnetIds: SUBNETS } },
  nodegroup: { nodeRole: `arn:aws:iam::${ACCOUNT}:role/node`, subnets: SUBNETS },
  fargateProfile: { podExecutionRoleArn: `arn:aws:iam::${ACCOUNT}:role/fargate`, subnets: SUBNETS },
};

export async function setUp(stage: Stage, made: Made): Promise<void> {
  for (const cluster of stage.drill.clusters) await setUpCluster(stage, cluster, made);
}

async function setUpCluster(stage: Stage, setup: ClusterSetup, made: Made): Promise<void> {
  const { name } = setup;
  const base = `/clusters/${encodeURIComponent(name)}`;
  if (setup.use) {
    if (!isGood(await ask(stage, "GET", base))) throw new SetupError(`there is no cluster ${name} to use`);
  } else {
    const answer = await ask(stage, "POST", "/clusters", { name, ...DEFAULTS.cluster, ...setup.input });
    if (!isGood(answer)) throw new SetupError(`cluster ${name} cannot be made: ${refusal(answer)}`);
    made.clusters.push(name);
  }
  await untilActive(stage, base, "cluster", `cluster ${name}`);
  // Nothing of it has to wait for another: add-ons become ACTIVE when there are nodes for them.
  const waits: (() => Promise<void>)[] = [];
  for (const { name: nodegroup, input } of setup.nodegroups) {
    await create(stage, `${base}/node-groups`, `node group ${nodegroup}`, {
      nodegroupName: nodegroup,
      ...DEFAULTS.nodegroup,
      ...input,
    });
    made.nodegroups.push({ cluster: name, name: nodegroup });
    waits.push(() =>
      untilActive(
        stage,
        `${base}/node-groups/${encodeURIComponent(nodegroup)}`,
        "nodegroup",
        `node group ${nodegroup}`,
      ),
    );
  }
  for (const { name: profile, input } of setup.fargateProfiles) {
    await create(stage, `${base}/fargate-profiles`, `Fargate profile ${profile}`, {
      fargateProfileName: profile,
      ...DEFAULTS.fargateProfile,
      ...input,
    });
    made.fargateProfiles.push({ cluster: name, name: profile });
    // One profile after the other, as EKS wants it.
    await untilActive(
      stage,
      `${base}/fargate-profiles/${encodeURIComponent(profile)}`,
      "fargateProfile",
      `Fargate profile ${profile}`,
    );
  }
  for (const { name: addon, input } of setup.addons) {
    await create(stage, `${base}/addons`, `add-on ${addon}`, { addonName: addon, ...input });
    made.addons.push({ cluster: name, name: addon });
    waits.push(() => untilActive(stage, `${base}/addons/${encodeURIComponent(addon)}`, "addon", `add-on ${addon}`));
  }
  for (const wait of waits) await wait();
  await applyAll(stage, name, setup.manifests, made);
}

/** Throws KubernetesRefusal. */
export async function applyAll(stage: Stage, cluster: string, objects: readonly Manifest[], made: Made): Promise<void> {
  for (const object of objects) {
    if (await apply(stage.target, cluster, object)) made.objects.push({ cluster, object });
    await stage.target.settle();
  }
}

async function ask(stage: Stage, method: string, path: string, body?: JsonObject): Promise<Answer> {
  stage.signal?.throwIfAborted();
  const answer = await stage.target.eks({ method, path, ...(body ? { body } : {}) });
  await stage.target.settle();
  return answer;
}

async function create(stage: Stage, path: string, what: string, body: JsonObject): Promise<void> {
  const answer = await ask(stage, "POST", path, body);
  if (!isGood(answer)) throw new SetupError(`${what} cannot be made: ${refusal(answer)}`);
}

const FAILED: ReadonlySet<string> = new Set(["FAILED", "CREATE_FAILED", "DELETING"]);

async function untilActive(stage: Stage, path: string, member: string, what: string): Promise<void> {
  let status = "unknown";
  let issues = "";
  let asked = { atMs: Number.NEGATIVE_INFINITY, events: -1 };
  const isActive = async (): Promise<boolean> => {
    // EKS tells what becomes of what it makes; most of what changes meanwhile are nodes and pods.
    const nowMs = stage.target.now();
    if (stage.events.length === asked.events && nowMs < asked.atMs + ASK_EVERY_MS) return false;
    asked = { atMs: nowMs, events: stage.events.length };
    const answer = await ask(stage, "GET", path);
    if (!isGood(answer)) throw new SetupError(`${what}: ${refusal(answer)}`);
    const found = (answer.body as Record<string, { status: string; health?: { issues?: { message: string }[] } }>)[
      member
    ];
    status = found?.status ?? "unknown";
    issues = (found?.health?.issues ?? []).map(({ message }) => message).join(" ");
    if (FAILED.has(status)) throw new SetupError(`${what} is ${status}${issues ? `: ${issues}` : ""}`);
    return status === "ACTIVE";
  };
  if (await stage.pass(LIMIT_MS, isActive)) return;
  throw new SetupError(`${what} is still ${status} after an hour${issues ? `: ${issues}` : ""}`);
}
