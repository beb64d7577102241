/** Takes away what a drill has broken and made. It goes on where something refuses, and says in the end what is left. */
import { carryOut, stopFaults } from "./carry-out.js";
import { isGood, refusal, remove } from "./kubernetes.js";
import type { Made } from "./setup.js";
import type { Stage } from "./stage.js";

/** How long deletions may take, in milliseconds of simulated time. */
const LIMIT_MS = 3_600_000;

/** Sentences about what could not be taken away; none when all is as it was. */
export async function cleanUp(stage: Stage, made: Made): Promise<string[]> {
  const left: string[] = [];
  const attempt = async (what: string, work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
      await stage.target.settle();
    } catch (error) {
      left.push(`${what}: ${(error as Error).message}`);
    }
  };
  await attempt("ending the faults", () => stopFaults(stage));
  for (const [id, shift] of stage.started.shifts)
    await attempt(`cancelling zonal shift ${id}`, () => stage.target.cancelZonalShift(shift));
  for (const step of stage.drill.cleanUp.steps)
    await attempt(step.title, () => carryOut(step, { stage, made, uninterrupted: true }));
  // An emulator of its own goes with the drill, and all that is in it.
  if (stage.target.isPrivate || !stage.drill.cleanUp.deleteClusters) return left;
  const gone = new Set(made.clusters);
  for (const { cluster, object } of [...made.objects].reverse()) {
    if (gone.has(cluster)) continue;
    await attempt(`deleting ${object.kind} ${object.metadata.name}`, () => remove(stage.target, cluster, object));
  }
  const pathOf = (family: string, { cluster, name }: { cluster: string; name: string }): string =>
    `/clusters/${encodeURIComponent(cluster)}/${family}/${encodeURIComponent(name)}`;
  const families = [
    ...made.addons.map((one) => pathOf("addons", one)),
    ...made.nodegroups.map((one) => pathOf("node-groups", one)),
  ];
  for (const path of families) await attempt(`deleting ${path}`, () => begin(stage, path));
  for (const path of families) await attempt(`deleting ${path}`, () => untilGone(stage, path));
  const rest = [
    // One after the other, as EKS wants it with Fargate profiles.
    ...made.fargateProfiles.map((one) => pathOf("fargate-profiles", one)),
    ...made.clusters.map((name) => `/clusters/${encodeURIComponent(name)}`),
  ];
  for (const path of rest) {
    await attempt(`deleting ${path}`, async () => {
      await begin(stage, path);
      await untilGone(stage, path);
    });
  }
  return left;
}

async function begin(stage: Stage, path: string): Promise<void> {
  const answer = await stage.target.eks({ method: "DELETE", path });
  if (!isGood(answer) && answer.status !== 404) throw new Error(refusal(answer));
}

async function untilGone(stage: Stage, path: string): Promise<void> {
  const isGone = async (): Promise<boolean> => (await stage.target.eks({ method: "GET", path })).status === 404;
  if (!(await stage.pass(LIMIT_MS, isGone, { uninterrupted: true })))
    throw new Error("it is still there after an hour");
}
