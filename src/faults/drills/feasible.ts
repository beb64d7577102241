/** What of a drill its emulator could not carry out, found out before anything of it is done. */
import type { PlannedAct } from "../../domain/foresight.js";
import { BACKEND_TAG, type ClusterSetup, type Drill, type Step } from "./drill.js";
import { isGood } from "./kubernetes.js";
import type { DrillTarget } from "./target.js";

interface Planned {
  /** As sentences name it: `step 2 (fault node-freeze ...)`. */
  what: string;
  act: PlannedAct;
}

/** A sentence for each thing that cannot be; none where nothing is known to speak against the drill. */
export async function whatCannotBe(drill: Drill, target: DrillTarget): Promise<string[]> {
  const backends = new Map<string, string>();
  for (const cluster of drill.clusters) backends.set(cluster.name, await backendOf(cluster, target));
  const planned = plan(drill, backends);
  const refusals = await target.foresee(planned.map(({ act }) => act));
  const said = planned.flatMap(({ what }, index) => (refusals[index] ? `${what}: ${refusals[index]}` : []));
  return [...new Set(said)];
}

async function backendOf({ name, use, input }: ClusterSetup, target: DrillTarget): Promise<string> {
  const tagged = (tags: unknown): string | undefined => (tags as Record<string, string> | undefined)?.[BACKEND_TAG];
  if (!use) return tagged(input.tags) ?? target.backend;
  const answer = await target.eks({ method: "GET", path: `/clusters/${encodeURIComponent(name)}` });
  // That there is none is told by the setup.
  if (!isGood(answer)) return target.backend;
  return tagged((answer.body as { cluster?: { tags?: unknown } }).cluster?.tags) ?? target.backend;
}

function plan(drill: Drill, backends: ReadonlyMap<string, string>): Planned[] {
  const on = (cluster: string): string => backends.get(cluster) ?? "";
  const version = (input: Readonly<Record<string, unknown>>): { version?: string } =>
    typeof input.version === "string" ? { version: input.version } : {};
  const setup = drill.clusters.flatMap(({ name, use, input, nodegroups, fargateProfiles, addons }): Planned[] => [
    ...(use
      ? []
      : [{ what: `cluster ${name}`, act: { backend: on(name), act: "version", ...version(input) } as const }]),
    ...nodegroups
      .filter((group) => group.input.version !== undefined)
      .map((group) => ({
        what: `node group ${group.name}`,
        act: { backend: on(name), act: "version", ...version(group.input) } as const,
      })),
    ...addons.map((addon) => ({
      what: `add-on ${addon.name}`,
      act: { backend: on(name), act: "addon", addon: addon.name } as const,
    })),
    ...fargateProfiles.map((profile) => ({
      what: `Fargate profile ${profile.name}`,
      act: { backend: on(name), act: "fargate" } as const,
    })),
  ]);
  const ofSteps = (steps: readonly Step[], where: string): Planned[] =>
    steps.flatMap((step, index) =>
      actsOf(step, backends).map((act) => ({ what: `${where} ${index + 1} (${step.title})`, act })),
    );
  return [...setup, ...ofSteps(drill.steps, "step"), ...ofSteps(drill.cleanUp.steps, "clean-up step")];
}

function actsOf(step: Step, backends: ReadonlyMap<string, string>): PlannedAct[] {
  const on = (cluster: string): string => backends.get(cluster) ?? "";
  switch (step.step) {
    case "fault": {
      const cluster = step.fault.target?.cluster;
      const meant = cluster === undefined ? new Set(backends.values()) : [on(cluster)];
      return [...meant].map((backend) => ({ backend, act: "fault", fault: step.fault }));
    }
    case "zonalShift":
      return [{ backend: on(step.cluster), act: "zonal-shift" }];
    case "upgradeCluster":
      return [{ backend: on(step.cluster), act: "version", version: step.version }];
    case "upgradeNodegroup": {
      const { version } = step.input;
      return typeof version === "string" ? [{ backend: on(step.cluster), act: "version", version }] : [];
    }
    default:
      return [];
  }
}
