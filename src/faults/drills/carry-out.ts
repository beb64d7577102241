/** What each kind of step does. Adding one is adding an entry here, and one where it is read. */
import type { Step, StepName } from "./drill.js";
import { isGood, KubernetesRefusal, refusal, remove, workloadPath } from "./kubernetes.js";
import { evaluate } from "./probes/evaluate.js";
import { applyAll, type Made } from "./setup.js";
import type { Stage } from "./stage.js";
import type { Answer } from "./target.js";
import { roundedDuration } from "./titles.js";

/** `failed`: the world is not as the drill expects it. `error`: the step could not be carried out. */
export class StepFailure extends Error {
  constructor(
    readonly verdict: "failed" | "error",
    message: string,
  ) {
    super(message);
    this.name = "StepFailure";
  }
}

export interface Doing {
  stage: Stage;
  made: Made;
  /** Clean-up goes on when the drill is interrupted. */
  uninterrupted: boolean;
}

export interface Done {
  message: string;
  faultId?: string;
}

type CarryOut<S extends StepName> = (step: Extract<Step, { step: S }>, doing: Doing) => Promise<Done>;

const clusterPath = (cluster: string): string => `/clusters/${encodeURIComponent(cluster)}`;

/** A refusal is an error, except where the step says which answer it expects. */
function checked(answer: Answer, what: string, status?: number): Done {
  if (status !== undefined) {
    if (answer.status !== status)
      throw new StepFailure("failed", `${what} answered ${refusal(answer)}, ${status} was expected`);
    return { message: `answered ${status} as expected` };
  }
  if (!isGood(answer)) throw new StepFailure("error", `${what} was refused: ${refusal(answer)}`);
  return { message: `answered ${answer.status}` };
}

const STEPS: { readonly [S in StepName]: CarryOut<S> } = {
  fault: async ({ fault, id }, { stage }) => {
    const started = await stage.target.startFault(fault);
    if (id !== undefined) stage.started.faults.set(id, started.id);
    const { title, zone, endedAtMs } = started;
    stage.faults.push({
      id: started.id,
      name: fault.fault,
      title,
      ...(zone ? { zone } : {}),
      startedAtMs: stage.target.now(),
      ...(endedAtMs === undefined ? {} : { endedAtMs }),
    });
    return { message: title, faultId: started.id };
  },

  stopFault: async ({ of }, { stage }) => {
    if (of === undefined) {
      const count = await stopFaults(stage);
      return { message: count === 1 ? "ended one fault" : `ended ${count} faults` };
    }
    const id = stage.started.faults.get(of);
    if (id === undefined) throw new StepFailure("error", `the fault of step ${of} was never started`);
    await stage.target.stopFault(id);
    noteEnd(stage, id);
    return { message: stage.faults.find((fault) => fault.id === id)?.title ?? id, faultId: id };
  },

  wait: async ({ ms }, { stage, uninterrupted }) => {
    await stage.pass(ms, undefined, { uninterrupted });
    return { message: `waited ${roundedDuration(ms)}` };
  },

  waitUntil: async ({ probe, withinMs }, { stage, uninterrupted }) => {
    let message = "";
    const beganMs = stage.target.now();
    const done = async (): Promise<boolean> => {
      const found = await evaluate(probe, stage);
      message = found.message;
      return found.ok;
    };
    if (await stage.pass(withinMs, done, { uninterrupted }))
      return { message: `after ${roundedDuration(stage.target.now() - beganMs)}: ${message}` };
    throw new StepFailure("failed", `not so after ${roundedDuration(withinMs)}: ${message}`);
  },

  eks: async ({ method, path, body, status }, { stage }) => {
    const answer = await stage.target.eks({ method, path, ...(body === undefined ? {} : { body }) });
    return checked(answer, `${method} ${path}`, status);
  },

  kubernetes: async ({ cluster, method, path, body, contentType, status }, { stage }) => {
    const answer = await stage.target.kubernetes(cluster, {
      method,
      path,
      ...(body === undefined ? {} : { body }),
      ...(contentType === undefined ? {} : { contentType }),
    });
    return checked(answer, `${method} ${path}`, status);
  },

  apply: async ({ cluster, manifests }, { stage, made }) => {
    await applyAll(stage, cluster, manifests, made);
    return { message: `applied ${manifests.length} objects` };
  },

  delete: async ({ cluster, objects }, { stage }) => {
    for (const object of objects) await remove(stage.target, cluster, object);
    return { message: `deleted ${objects.length} objects` };
  },

  scale: async ({ cluster, namespace, workload, replicas }, { stage }) => {
    const answer = await stage.target.kubernetes(cluster, {
      method: "PATCH",
      path: `${workloadPath(namespace, workload.kind, workload.name)}/scale`,
      body: { spec: { replicas } },
      contentType: "application/merge-patch+json",
    });
    checked(answer, `scaling ${workload.name}`);
    return { message: `${workload.kind.toLowerCase()}/${workload.name} wants ${replicas} replicas` };
  },

  scaleNodegroup: async ({ cluster, nodegroup, scalingConfig }, { stage }) =>
    checked(
      await stage.target.eks({
        method: "POST",
        path: `${clusterPath(cluster)}/node-groups/${encodeURIComponent(nodegroup)}/update-config`,
        body: { scalingConfig },
      }),
      `scaling node group ${nodegroup}`,
    ),

  upgradeCluster: async ({ cluster, version, force }, { stage }) =>
    checked(
      await stage.target.eks({
        method: "POST",
        path: `${clusterPath(cluster)}/updates`,
        body: { version, ...(force ? { force } : {}) },
      }),
      `the update of cluster ${cluster}`,
    ),

  upgradeNodegroup: async ({ cluster, nodegroup, input }, { stage }) =>
    checked(
      await stage.target.eks({
        method: "POST",
        path: `${clusterPath(cluster)}/node-groups/${encodeURIComponent(nodegroup)}/update-version`,
        body: input,
      }),
      `the update of node group ${nodegroup}`,
    ),

  zonalShift: async ({ cluster, awayFrom, expiresIn, comment, id }, { stage }) => {
    const shift = await stage.target.startZonalShift({ cluster, awayFrom, expiresIn, comment });
    stage.started.shifts.set(id ?? `shift ${stage.started.shifts.size}`, shift);
    return { message: `${cluster} is shifted away from ${awayFrom}` };
  },

  cancelZonalShift: async ({ of }, { stage }) => {
    const shift = stage.started.shifts.get(of);
    if (shift === undefined) throw new StepFailure("error", `the zonal shift of step ${of} was never started`);
    await stage.target.cancelZonalShift(shift);
    stage.started.shifts.delete(of);
    return { message: "cancelled" };
  },

  command: async ({ command, exitCode, timeoutMs }, { stage }) => {
    const outcome = await stage.target.command(command, timeoutMs);
    const output = outcome.output.trim().slice(-1000);
    if (outcome.exitCode === exitCode) return { message: output === "" ? `exited with ${exitCode}` : output };
    if (outcome.exitCode === undefined) throw new StepFailure("error", output);
    throw new StepFailure("failed", `exited with ${outcome.exitCode}, ${exitCode} was expected: ${output}`);
  },
};

/** Throws StepFailure, and the signal's reason. */
export async function carryOut(step: Step, doing: Doing): Promise<Done> {
  try {
    const done = await (STEPS[step.step] as CarryOut<StepName>)(step, doing);
    await doing.stage.target.settle();
    return done;
  } catch (error) {
    if (error instanceof StepFailure || doing.stage.signal?.aborted) throw error;
    if (error instanceof KubernetesRefusal) throw new StepFailure("error", `the API server: ${error.message}`);
    throw new StepFailure("error", (error as Error).message);
  }
}

/** Ends every fault of the drill that is on. Gives how many there were. */
export async function stopFaults(stage: Stage): Promise<number> {
  const on = stage.faults.filter(({ endedAtMs }) => endedAtMs === undefined);
  // The last one first, as things were before each of them.
  for (const { id } of [...on].reverse()) {
    await stage.target.stopFault(id);
    noteEnd(stage, id);
  }
  return on.length;
}

function noteEnd(stage: Stage, id: string): void {
  const index = stage.faults.findIndex((fault) => fault.id === id);
  const fault = stage.faults[index];
  if (fault && fault.endedAtMs === undefined) stage.faults[index] = { ...fault, endedAtMs: stage.target.now() };
}
