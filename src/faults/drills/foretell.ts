/** What lint says of the clusters of a drill before anything is broken in them. */
import type { Drill } from "./drill.js";
import { isGood, list, refusal } from "./kubernetes.js";
import type { LintFacts } from "./lint/facts.js";
import { readFacts } from "./lint/read-facts.js";
import type { DrillTarget } from "./target.js";
import { resolveAmount } from "./workloads.js";

/** Facts of a cluster as lint takes them; minimums are those of the drill where it says any. Throws what the APIs refuse. */
export function factsOf(target: DrillTarget, cluster: string, workloads: Drill["workloads"] = []): Promise<LintFacts> {
  return readFacts(
    {
      cluster,
      list: (path) => list<unknown>(target, cluster, path),
      eks: async (path) => {
        const answer = await target.eks({ method: "GET", path });
        if (!isGood(answer)) throw new Error(refusal(answer));
        return answer.body;
      },
    },
    {
      minimum: ({ kind, namespace, name, wanted }) => {
        const choice = workloads.find(
          (one) => one.cluster === cluster && one.kind === kind && one.namespace === namespace && one.name === name,
        );
        return choice?.minimum && resolveAmount(choice.minimum, wanted);
      },
    },
  );
}
