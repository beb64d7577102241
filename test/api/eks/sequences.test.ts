import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OperationName } from "../../../src/api/model/generated/operations.js";
import { isStepped } from "../../../src/clock/create-clock.js";
import { readConfig } from "../../../src/config.js";
import { createLog } from "../../../src/log.js";
import { type Emulator, startEmulator } from "../../../src/main.js";
import { checkedOperations } from "../checked-answers.js";
import { AUTHORIZATION, CLUSTER, SCOPE } from "../gateway-rig.js";
import { requestOf } from "../samples.js";

/**
 * Any sequence of calls: an emulator of its own for each, and a model of the rules beside it that says what each call must be answered. Calls whose outcome the
 * model does not know are only held to be answered properly.
 */
interface World {
  emulator: Emulator;
  dataDir: string;
  profile: Profile;
  /** Client request tokens used so far. */
  tokens: number;
  /** Names (or ids) of what there is, by cluster and family; families of a cluster that is not there are absent. */
  clusters: Map<string, Map<string, Map<string, string>>>;
}

/** With the durations of AWS, calls meet what is still being made. */
type Profile = "instant" | "aws";

type Input = Record<string, unknown>;

interface Answer {
  status: number;
  code: string;
  message: string;
  body: Record<string, Record<string, unknown>>;
}

async function call({ emulator }: World, operation: OperationName, input: Input): Promise<Answer> {
  const { path, ...request } = requestOf(operation, input);
  const response = await fetch(emulator.endpoint + path, { ...request, headers: { authorization: AUTHORIZATION } });
  const body = (await response.json()) as Answer["body"] & { message?: string };
  const code = response.headers.get("x-amzn-errortype") ?? "";
  const { message = "" } = body;
  expect([operation, code, message, response.status < 500]).toEqual([operation, code, message, true]);
  return { status: response.status, code, message, body };
}

/** A call that makes something, sent twice as after a lost answer: the second makes nothing, and is answered the same. */
async function create(world: World, operation: OperationName, input: Input): Promise<Answer> {
  const once = { ...input, clientRequestToken: `token-${world.tokens++}` };
  const answer = await call(world, operation, once);
  if (answer.status === 200) expect(await call(world, operation, once)).toEqual(answer);
  return answer;
}

const role = (name: string): string => `arn:aws:iam::${SCOPE.accountId}:role/${name}`;
const SUBNETS = ["subnet-a", "subnet-b"];

/** What a cluster can have several of. */
interface Family {
  create: OperationName;
  remove: OperationName;
  describe: OperationName;
  /** Member of inputs that names one. */
  key: string;
  names: readonly string[];
  input: Input;
  /** Member of the answers with the resource, and of the resource with its id where that is not the name. */
  answer: string;
  id?: string;
  blocksCluster?: true;
}

const FAMILIES: Record<string, Family> = {
  nodegroup: {
    create: "CreateNodegroup",
    remove: "DeleteNodegroup",
    describe: "DescribeNodegroup",
    key: "nodegroupName",
    names: ["one", "two"],
    input: { nodeRole: role("node"), subnets: SUBNETS, scalingConfig: { minSize: 0, maxSize: 2, desiredSize: 1 } },
    answer: "nodegroup",
    blocksCluster: true,
  },
  addon: {
    create: "CreateAddon",
    remove: "DeleteAddon",
    describe: "DescribeAddon",
    key: "addonName",
    names: ["coredns", "metrics-server"],
    input: { resolveConflicts: "OVERWRITE" },
    answer: "addon",
  },
  fargateProfile: {
    create: "CreateFargateProfile",
    remove: "DeleteFargateProfile",
    describe: "DescribeFargateProfile",
    key: "fargateProfileName",
    names: ["batch", "web"],
    input: { podExecutionRoleArn: role("fargate"), subnets: SUBNETS, selectors: [{ namespace: "default" }] },
    answer: "fargateProfile",
    blocksCluster: true,
  },
  accessEntry: {
    create: "CreateAccessEntry",
    remove: "DeleteAccessEntry",
    describe: "DescribeAccessEntry",
    key: "principalArn",
    names: [role("alice"), role("bob")],
    input: {},
    answer: "accessEntry",
  },
  podIdentityAssociation: {
    create: "CreatePodIdentityAssociation",
    remove: "DeletePodIdentityAssociation",
    describe: "DescribePodIdentityAssociation",
    key: "serviceAccount",
    names: ["reader", "writer"],
    input: { namespace: "default", roleArn: role("pod") },
    answer: "association",
    id: "associationId",
  },
  capability: {
    create: "CreateCapability",
    remove: "DeleteCapability",
    describe: "DescribeCapability",
    key: "capabilityName",
    names: ["kro"],
    input: { type: "KRO", roleArn: role("kro"), deletePropagationPolicy: "RETAIN" },
    answer: "capability",
  },
};

/** Calls whose answers depend on more than what there is. */
const POKES: Record<string, (clusterName: string) => [OperationName, Input]> = {
  logging: (name) => [
    "UpdateClusterConfig",
    { name, logging: { clusterLogging: [{ types: ["api"], enabled: true }] } },
  ],
  upgrade: (name) => ["UpdateClusterVersion", { name, version: "1.36" }],
  rollback: (name) => ["UpdateClusterVersion", { name, version: "1.35" }],
  scale: (clusterName) => [
    "UpdateNodegroupConfig",
    { clusterName, nodegroupName: "one", scalingConfig: { desiredSize: 2 } },
  ],
  nodes: (clusterName) => ["UpdateNodegroupVersion", { clusterName, nodegroupName: "one" }],
  addonVersion: (clusterName) => ["UpdateAddon", { clusterName, addonName: "coredns", resolveConflicts: "OVERWRITE" }],
  authority: (clusterName) => ["CreateCertificateAuthority", { clusterName }],
  insights: (clusterName) => ["StartInsightsRefresh", { clusterName }],
  policy: (clusterName) => [
    "AssociateAccessPolicy",
    {
      clusterName,
      principalArn: role("alice"),
      policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy",
      accessScope: { type: "cluster" },
    },
  ],
  provider: (clusterName) => [
    "AssociateIdentityProviderConfig",
    { clusterName, oidc: { identityProviderConfigName: "sso", issuerUrl: "https://sso.example.com", clientId: "eks" } },
  ],
  tags: (name) => [
    "TagResource",
    { resourceArn: `arn:aws:eks:us-east-1:${SCOPE.accountId}:cluster/${name}`, tags: { a: name } },
  ],
  updates: (name) => ["ListUpdates", { name }],
};

/** After this long nothing is under way any more. */
const SETTLED_MINUTES = 90;

const CLUSTERS = ["red", "red", "red", "blue"];

type Step =
  | { kind: "cluster"; cluster: string; verb: "create" | "remove" }
  | { kind: "resource"; cluster: string; family: string; name: number; verb: "create" | "remove" }
  | { kind: "poke"; cluster: string; poke: string }
  | { kind: "restart" }
  | { kind: "time"; minutes: number };

const cluster = fc.constantFrom(...CLUSTERS);
const verb = fc.constantFrom("create" as const, "create" as const, "remove" as const);
const step: fc.Arbitrary<{ step: Step; settle: boolean }> = fc.record({
  settle: fc.boolean(),
  step: fc.oneof(
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("cluster" as const), cluster, verb }) },
    {
      weight: 10,
      arbitrary: fc.record({
        kind: fc.constant("resource" as const),
        cluster,
        family: fc.constantFrom(...Object.keys(FAMILIES)),
        name: fc.nat(1),
        verb,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("poke" as const),
        cluster,
        poke: fc.constantFrom(...Object.keys(POKES)),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("time" as const), minutes: fc.nat(30) }) },
  ),
});

async function start({ dataDir, profile }: Pick<World, "dataDir" | "profile">): Promise<Emulator> {
  const flags = { port: "0", "data-dir": dataDir, profile, clock: "stepped", "log-level": "silent" } as const;
  const config = readConfig({ ...flags, "clock-start": "2026-11-22T09:00:00Z" }, {});
  return startEmulator({ config, log: createLog(config), version: "test", operations: checkedOperations() });
}

async function advance({ emulator }: World, minutes: number): Promise<void> {
  await emulator.idle();
  if (isStepped(emulator.clock)) await emulator.clock.advance(minutes * 60_000);
  await emulator.idle();
}

/** What the model says that a create or remove must be answered: a code, or none. `undefined` where it cannot tell. */
function expected(world: World, wanted: Step): string | undefined {
  if (wanted.kind === "cluster") {
    const present = world.clusters.get(wanted.cluster);
    if (wanted.verb === "create") return present ? "ResourceInUseException" : "";
    if (!present) return "ResourceNotFoundException";
    const blocked = Object.entries(FAMILIES).some(([name, family]) => family.blocksCluster && present.get(name)?.size);
    return blocked ? "ResourceInUseException" : "";
  }
  if (wanted.kind !== "resource") return undefined;
  const present = world.clusters.get(wanted.cluster)?.get(wanted.family);
  if (!present) return "ResourceNotFoundException";
  const { names } = FAMILIES[wanted.family] as Family;
  const taken = present.has(names[wanted.name % names.length] as string);
  if (wanted.verb === "create") return taken ? "ResourceInUseException" : "";
  return taken ? "" : "ResourceNotFoundException";
}

async function take(world: World, wanted: Step): Promise<Answer | undefined> {
  switch (wanted.kind) {
    case "time":
      await advance(world, wanted.minutes);
      return undefined;
    case "restart":
      await world.emulator.stop();
      world.emulator = await start(world);
      return undefined;
    case "poke": {
      const [operation, input] = (POKES[wanted.poke] as (name: string) => [OperationName, Input])(wanted.cluster);
      return call(world, operation, input);
    }
    case "cluster": {
      const { cluster: name } = wanted;
      const accessConfig = { authenticationMode: "API_AND_CONFIG_MAP" };
      const answer =
        wanted.verb === "create"
          ? await create(world, "CreateCluster", { ...CLUSTER, name, version: "1.35", accessConfig })
          : await call(world, "DeleteCluster", { name });
      if (answer.status === 200) {
        if (wanted.verb === "remove") world.clusters.delete(name);
        else world.clusters.set(name, new Map(Object.keys(FAMILIES).map((family) => [family, new Map()])));
      }
      return answer;
    }
    case "resource": {
      const family = FAMILIES[wanted.family] as Family;
      const name = family.names[wanted.name % family.names.length] as string;
      const present = world.clusters.get(wanted.cluster)?.get(wanted.family);
      if (wanted.verb === "create") {
        const input = { clusterName: wanted.cluster, [family.key]: name, ...family.input };
        const answer = await create(world, family.create, input);
        const id = family.id ? answer.body[family.answer]?.[family.id] : name;
        if (answer.status === 200) present?.set(name, String(id));
        return answer;
      }
      const id = present?.get(name) ?? (family.id ? "a-00000000000000000" : name);
      const answer = await call(world, family.remove, { clusterName: wanted.cluster, [family.id ?? family.key]: id });
      if (answer.status === 200) present?.delete(name);
      return answer;
    }
  }
}

/** Nothing is stuck: in the end everything that there is has come to rest. */
async function expectRest(world: World): Promise<void> {
  await advance(world, SETTLED_MINUTES);
  for (const [name, families] of world.clusters) {
    const { body } = await call(world, "DescribeCluster", { name });
    expect([name, body.cluster?.status]).toEqual([name, "ACTIVE"]);
    for (const [kind, present] of families) {
      const { describe: operation, key, id: idMember, answer } = FAMILIES[kind] as Family;
      for (const id of present.values()) {
        const described = await call(world, operation, { clusterName: name, [idMember ?? key]: id });
        expect([kind, id, described.code]).toEqual([kind, id, ""]);
        const { status = "ACTIVE" } = described.body[answer] ?? {};
        expect([kind, id, ["ACTIVE", "DEGRADED"].includes(String(status)) || status]).toEqual([kind, id, true]);
      }
    }
  }
}

/** Whatever is left can be deleted, and then nothing is left. */
async function expectDeletable(world: World): Promise<void> {
  for (const [name, families] of [...world.clusters]) {
    for (const [kind, present] of families) {
      const family = FAMILIES[kind] as Family;
      for (const id of present.values()) {
        const removed = await call(world, family.remove, { clusterName: name, [family.id ?? family.key]: id });
        expect([kind, id, removed.code, removed.message]).toEqual([kind, id, "", ""]);
        await advance(world, SETTLED_MINUTES);
      }
    }
    const removed = await call(world, "DeleteCluster", { name });
    expect([name, removed.code, removed.message]).toEqual([name, "", ""]);
  }
  await advance(world, SETTLED_MINUTES);
  const { state } = world.emulator;
  expect(state.clusters.names(SCOPE, { limit: 10 })).toEqual([]);
}

/** Tables of the state file in which every row belongs to a cluster. */
const TABLES = ["clusters", "members", "nodegroups", "instances", "updates", "secrets", "objects", "cluster_resources"];

/** The file of an emulator that has stopped holds nothing of clusters that are gone. */
function expectNothingKept(dataDir: string): void {
  const db = new Database(join(dataDir, "state.db"), { readonly: true });
  try {
    for (const table of TABLES) expect([table, db.prepare(`SELECT * FROM ${table}`).all()]).toEqual([table, []]);
  } finally {
    db.close();
  }
}

async function run(profile: Profile, steps: readonly { step: Step; settle: boolean }[]): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "eksim-sequences-"));
  const emulator = await start({ dataDir, profile });
  const world: World = { emulator, dataDir, profile, tokens: 0, clusters: new Map() };
  try {
    // Almost everything takes a cluster.
    await take(world, { kind: "cluster", cluster: "red", verb: "create" });
    await advance(world, SETTLED_MINUTES);
    let settled = true;
    for (const { step: wanted, settle } of steps) {
      const code = settled ? expected(world, wanted) : undefined;
      const answer = await take(world, wanted);
      if (code !== undefined) expect([wanted, answer?.code, answer?.message]).toEqual([wanted, code, answer?.message]);
      if (settle) await advance(world, SETTLED_MINUTES);
      settled = settle;
    }
    await expectRest(world);
    await expectDeletable(world);
  } catch (error) {
    await world.emulator.stop();
    await rm(dataDir, { recursive: true });
    throw error;
  }
  await world.emulator.stop();
  try {
    expectNothingKept(dataDir);
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

describe("any sequence of calls", () => {
  it("is answered by the rules, comes to rest, and leaves only what can be deleted", { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Profile>("instant", "aws"),
        fc.array(step, { minLength: 20, maxLength: 60, size: "max" }),
        run,
      ),
      {
        numRuns: Number(process.env.EKSIM_SEQUENCES ?? 4),
        seed: 20261122,
        endOnFailure: false,
      },
    );
  });
});
