/** Nodes of EKS Auto Mode that are not any more what their pool or the control plane's version asks for: they go one at a time, when others serve in their place. */
import type { NodeDemand } from "../backends/backend.js";
import { decideReplacement } from "../domain/auto-mode/consolidation.js";
import type { ClusterRecord } from "../domain/model.js";
import { loadedNode } from "./autopool-consolidation.js";
import { autoInstances, offeringFilter, planningView } from "./autopool-launch.js";
import { replaceFirst } from "./autopool-replacements.js";
import type { ReconcileContext } from "./context.js";
import { terminateInstance } from "./launch.js";

/** How long a node stays that cannot be replaced, until that is tried again, in milliseconds. */
const RETRY_MS = 60_000;

/** Replaces the first of the instances whose pods find a place. Returns when to try again, where none of them do. */
export async function replaceDrifted(
  context: ReconcileContext,
  cluster: ClusterRecord,
  demand: NodeDemand,
  drifted: readonly string[],
): Promise<number | undefined> {
  if (drifted.length === 0) return undefined;
  const loads = await context.backendOf(cluster).nodeLoads?.(cluster.id);
  const all = autoInstances(context, cluster);
  const filter = offeringFilter(context, cluster);
  for (const instanceId of drifted) {
    const instance = all.find((each) => each.instanceId === instanceId);
    if (instance?.lifecycle !== "InService") continue;
    const load = loads?.find(({ name }) => name === instance.privateDnsName);
    const view = {
      ...planningView(context, cluster, demand, filter),
      waiting: demand.pods,
      loads: (loads ?? []).map((each) => loadedNode(each, [])),
    };
    // What has no node has nothing that could be moved.
    const own = load && view.loads.find(({ name }) => name === load.name);
    const nodes = own ? decideReplacement(view, { node: own, instanceId }) : [];
    if (!nodes) continue;
    if (nodes.length === 0) context.state.transaction(() => terminateInstance(context, cluster, instanceId, "drift"));
    else await replaceFirst(context, cluster, demand, { instances: [instance], nodes, reason: "drift", filter });
    return undefined;
  }
  return context.clock.now() + RETRY_MS;
}
