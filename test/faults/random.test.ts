/**
 * Random faults, one upon the other, on the embedded backend, over restarts: whatever came, after `stop-all` everything is as it should be. EKSIM_FAULTS says how
 * many (more take proportionally longer), EKSIM_FAULTS_SEED which.
 */
import { afterEach, describe, expect, it } from "vitest";
import { createRandom, type Random } from "../../src/clock/random.js";
import { FAULTS, type Parameter } from "../../src/domain/faults/index.js";
import type { FaultRequest, FaultTarget } from "../../src/testkit/index.js";
import { ApiError } from "../../src/testkit/index.js";
import { CLUSTER, type Drill, isReady, startDrill, temporaryDataDir, ZONES } from "../reconcile/drill.js";

const COUNT = Number(process.env.EKSIM_FAULTS ?? 40);
const SEED = Number(process.env.EKSIM_FAULTS_SEED ?? 1);

let drill: Drill;
afterEach(() => drill.eksim.stop());

const parameterOf = (random: Random, name: string, { type, values, required }: Parameter): unknown => {
  if (!required && random.integer(0, 2) === 0) return undefined;
  if (name === "code") return "InternalFailure";
  if (name === "to") return random.pick(ZONES);
  if (type === "choice") return random.pick(values ?? []);
  if (type === "percent") return random.integer(1, 100);
  if (type === "duration") return random.pick(["1s", "10s", "30s"]);
  return undefined;
};

function requestOf(random: Random): FaultRequest {
  const definition = random.pick(FAULTS) as (typeof FAULTS)[number];
  const { name, target, lasts, endsAfterMs } = definition;
  const parameters = Object.fromEntries(
    Object.entries(definition.parameters).flatMap(([key, parameter]) => {
      const value = parameterOf(random, key, parameter);
      return value === undefined ? [] : [[key, value]];
    }),
  );
  if (name === "zone-link-impairment") parameters.latency = "1s";
  const takes = (member: keyof FaultTarget): boolean => target.takes.includes(member);
  const needs = (member: keyof FaultTarget): boolean => target.needs?.length === 1 && target.needs[0] === member;
  const aim: FaultTarget = {
    ...(takes("zone") && (needs("zone") || random.integer(0, 1) === 0) ? { zone: random.pick(ZONES) as string } : {}),
    ...(takes("cluster") ? { cluster: CLUSTER } : {}),
    ...(takes("namespace") ? { namespace: "default", podLabels: { app: "web" } } : {}),
    ...(takes("percent") && random.integer(0, 2) > 0 ? { percent: random.integer(1, 60) } : {}),
  };
  return {
    fault: name,
    target: aim,
    parameters,
    seed: random.integer(0, 1_000_000),
    emptyTargets: "skip",
    ...(lasts && !endsAfterMs && random.integer(0, 3) > 0 ? { duration: `${random.integer(1, 30)}m` } : {}),
    ...(random.integer(0, 4) === 0 ? { delay: `${random.integer(1, 10)}m` } : {}),
  };
}

/** What is not as it should be. */
async function wrongs(): Promise<string[]> {
  const found: string[] = [];
  const groups = ["workers", "spot"];
  const answer = await fetch(`${drill.eksim.endpoint}/_eksim/status`);
  const { clusters } = (await answer.json()) as {
    clusters: {
      instances: {
        instanceId: string;
        node: string;
        nodegroup: string;
        state: string;
        lifecycle: string;
        ready: boolean;
      }[];
    }[];
  };
  const instances = clusters.flatMap((cluster) => cluster.instances);
  for (const name of groups) {
    const group = await drill.describe(name);
    const inService = instances.filter(({ nodegroup, lifecycle }) => nodegroup === name && lifecycle === "InService");
    if (inService.length !== group?.scalingConfig.desiredSize) found.push(`${name}: ${inService.length} in service`);
    if (group?.status !== "ACTIVE") found.push(`${name}: ${group?.status} ${JSON.stringify(group?.health.issues)}`);
  }
  found.push(
    ...instances
      .filter(({ state, ready }) => state !== "running" || !ready)
      .map((each) => `${each.instanceId} ${each.lifecycle} ${each.state}`),
  );
  const nodes = await drill.nodes();
  const names = nodes.map(({ metadata }) => metadata.name).sort();
  if (JSON.stringify(names) !== JSON.stringify(instances.map(({ node }) => node).sort()))
    found.push(`nodes are ${names}`);
  found.push(...nodes.filter((node) => !isReady(node)).map(({ metadata }) => `${metadata.name} is not Ready`));
  for (const { name, state, members, membersUp, faults } of await drill.eksim.zones())
    if (state !== "available" || membersUp !== members || faults.length > 0)
      found.push(`${name}: ${state} ${membersUp}/${members}`);
  const ready = (await drill.podsOf("web")).filter(isReady).length;
  if (ready !== 6) found.push(`${ready} pods of web are Ready`);
  return found;
}

describe("random faults", () => {
  it(
    "leave nothing broken once all have ended",
    async () => {
      const random = createRandom(SEED, "random faults");
      drill = await startDrill({ dataDir: temporaryDataDir() });
      await drill.cluster();
      const scalingConfig = { minSize: 0, maxSize: 12, desiredSize: 6 };
      await drill.nodegroup("workers", { scalingConfig });
      await drill.nodegroup("spot", { scalingConfig: { ...scalingConfig, desiredSize: 3 }, capacityType: "SPOT" });
      await drill.deploy("web", 6);
      const log: string[] = [];
      for (let n = 0; n < COUNT; n++) {
        const request = requestOf(random);
        try {
          await drill.eksim.startFault(request);
          log.push(JSON.stringify(request));
        } catch (error) {
          // What does not fit the moment is refused; what breaks in here is not.
          if (!/count is|No |There is no|etcdserver/.test((error as Error).message)) throw error;
        }
        const [first] = drill.eksim.faults();
        if (first && random.integer(0, 4) === 0) await drill.eksim.stopFault(first.id);
        await drill.eksim.advance(`${random.integer(1, 600)}s`);
        if (random.integer(0, 19) === 0) await drill.restart();
      }
      await drill.eksim.stopAllFaults();
      expect(drill.eksim.faults()).toEqual([]);
      let left: string[] = [];
      for (let minutes = 0; minutes < 180; minutes += 10) {
        await drill.eksim.advance("10m");
        try {
          left = await wrongs();
        } catch (error) {
          if (!(error instanceof ApiError)) throw error;
          left = [error.message];
        }
        if (left.length === 0) break;
      }
      expect(left, log.slice(-15).join("\n")).toEqual([]);
    },
    Math.max(600_000, COUNT * 1000),
  );
});
