/** What stands in the zone of a fault: masters and nodes, of every cluster that the fault reaches. */
import { meansWhoComes, type ZoneStock } from "../domain/faults/index.js";
import type { FaultRecord } from "../domain/model.js";
import { isUp, liveNodes } from "./node-targets.js";
import type { TargetSources } from "./target-search.js";
import { reaches } from "./wants.js";

/** Undefined for faults that mean nobody but those whom they have found. */
export async function zoneStock(sources: TargetSources, fault: FaultRecord): Promise<ZoneStock | undefined> {
  const zone = fault.targets.zone;
  if (zone === undefined || !meansWhoComes(fault)) return undefined;
  const { state } = sources;
  const clusters = state.clusters.all().filter((cluster) => reaches(fault, cluster));
  const masters = clusters.flatMap(({ id }) => state.members.list(id)).filter((member) => member.zone === zone).length;
  const instances = clusters
    .flatMap(({ id }) => state.instances.ofCluster(id))
    .filter((instance) => instance.zone === zone && isUp({ instance })).length;
  // Machines of Fargate's have no rows; the backend is only asked where nothing else could be said.
  const others =
    masters + instances > 0 ? [] : (await Promise.all(clusters.map((cluster) => liveNodes(sources, cluster)))).flat();
  return {
    clusters: clusters.length,
    masters,
    nodes: instances + others.filter((node) => node.zone === zone).length,
  };
}
