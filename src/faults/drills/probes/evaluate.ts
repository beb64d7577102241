/** Asks what a probe asks. */
import type { Probe, ProbeName } from "../drill.js";
import { KubernetesRefusal } from "../kubernetes.js";
import type { Stage } from "../stage.js";
import { ASKED, foreseen } from "./asked.js";
import { SEEN, seeNodes } from "./seen.js";
import { type ProbeVerdict, verdict } from "./verdict.js";

type See = (probe: Probe, stage: Stage) => ProbeVerdict;
type Ask<P extends Probe = Probe> = (probe: P, stage: Stage) => Promise<ProbeVerdict>;

/** Everything that looks do not answer has somebody to be asked; a probe without either does not compile. */
const ASKS: {
  readonly [P in Exclude<ProbeName, "not" | keyof typeof SEEN>]: Ask<Extract<Probe, { probe: P }>>;
} = ASKED;

function seer(probe: Probe): See | undefined {
  if (probe.probe === "nodes") return probe.nodegroup === undefined ? (seeNodes as See) : undefined;
  return (SEEN as Partial<Record<Probe["probe"], unknown>>)[probe.probe] as See | undefined;
}

/** What looks and events alone say; undefined: somebody has to be asked. */
export function see(probe: Probe, stage: Stage): ProbeVerdict | undefined {
  if (probe.probe === "not") {
    const of = see(probe.of, stage);
    return of && verdict(!of.ok, of.message);
  }
  return seer(probe)?.(probe, stage);
}

/** Whether looks and events are enough to answer it at every moment. */
export const isSeen = (probe: Probe): boolean => (probe.probe === "not" ? isSeen(probe.of) : seer(probe) !== undefined);

export const isOfEvents = (probe: Probe): boolean =>
  probe.probe === "not" ? isOfEvents(probe.of) : probe.probe === "events";

/** What it says now. Refusals and silence of the APIs are answers: it is not met. */
export async function evaluate(probe: Probe, stage: Stage): Promise<ProbeVerdict> {
  if (probe.probe === "not") {
    const of = await evaluate(probe.of, stage);
    return verdict(!of.ok, of.message);
  }
  const known = see(probe, stage) ?? foreseen(probe, stage);
  if (known) return known;
  try {
    return await ((ASKS as Record<string, unknown>)[probe.probe] as Ask)(probe, stage);
  } catch (error) {
    if (error instanceof KubernetesRefusal) return verdict(false, `the API server: ${error.message}`);
    throw error;
  }
}
