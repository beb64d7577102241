/** What a fault of a zone hits when it begins, in a sentence: it means whatever stands in the zone, which may be nothing yet. */
import { knownFault } from "./catalogue.js";
import type { ActingFault } from "./definition.js";

/** What stands in the zone, as far as the fault reaches. */
export interface ZoneStock {
  /** In the region, whether or not they stand in the zone. */
  clusters: number;
  masters: number;
  nodes: number;
}

/** Whether newcomers are hit too, so that nobody knows from its targets alone how much it is. */
export const meansWhoComes = ({ targets }: Pick<ActingFault, "targets">): boolean => targets.newcomers === true;

/** To be put behind the sentence of its beginning. */
export function hitWords(fault: ActingFault, stock: ZoneStock): string {
  const zone = fault.targets.zone ?? fault.zone ?? "";
  const { nodes, pods } = fault.targets;
  const definition = knownFault(fault);
  if (definition?.target.type === "node")
    return `It hits ${count(nodes?.length ?? 0, "node")} now, and those that come.`;
  if (definition?.target.type === "pod") return `It hits ${count(pods?.length ?? 0, "pod")} now, and those that come.`;
  if (stock.masters + stock.nodes === 0) {
    const why = stock.clusters === 0 ? ", for there is no cluster in the region" : "";
    return `Nothing stands in ${zone} now${why}; what comes will be hit.`;
  }
  if (definition?.takesCapacity)
    return stock.nodes === 0
      ? `No node stands in ${zone} now; what is launched there will be hit.`
      : `${count(stock.nodes, "node")} in ${zone} ${stock.nodes === 1 ? "goes" : "go"} on; what is launched there will be hit.`;
  const things = [
    ...(stock.masters > 0 ? [count(stock.masters, "master")] : []),
    ...(stock.nodes > 0 ? [count(stock.nodes, "node")] : []),
  ];
  return `It hits ${things.join(" and ")} now, and what comes.`;
}

const count = (size: number, thing: string): string => `${size} ${thing}${size === 1 ? "" : "s"}`;
