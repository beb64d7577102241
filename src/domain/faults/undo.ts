/** What a fault may have changed in a cluster, written into its record before it acts; and what of that several records have in common. */
import type { ClusterUndo, HealthIssue } from "../model.js";
import type { ClusterWants } from "./definition.js";

/** What has to be put back once the fault wants this no more. */
export function undoOf({
  machines,
  zonesWithoutPower,
  mastersDown,
  impairments,
  issues,
  notices,
}: ClusterWants): ClusterUndo {
  return {
    ...(machines && Object.keys(machines).length > 0 ? { machines } : {}),
    ...(zonesWithoutPower && zonesWithoutPower.length > 0 ? { zonesWithoutPower } : {}),
    ...(mastersDown && mastersDown.length > 0 ? { mastersDown } : {}),
    ...(impairments ? { impaired: true as const } : {}),
    ...(issues && issues.length > 0 ? { issues } : {}),
    ...(notices && Object.keys(notices).length > 0 ? { notices: Object.keys(notices) } : {}),
  };
}

/** Everything that any of them says; of a machine that has had more than one trouble, any that EC2 knows of. */
export function mergeUndo(all: readonly ClusterUndo[]): ClusterUndo {
  const machines: Record<string, string> = {};
  for (const each of all) {
    for (const [name, trouble] of Object.entries(each.machines ?? {})) {
      if (!isKnownToEc2(machines[name])) machines[name] = trouble;
    }
  }
  const issues = new Map<string, HealthIssue>();
  for (const issue of all.flatMap((each) => each.issues ?? [])) issues.set(JSON.stringify(issue), issue);
  return {
    ...(Object.keys(machines).length > 0 ? { machines } : {}),
    ...union("zonesWithoutPower", all),
    ...union("mastersDown", all),
    ...(all.some(({ impaired }) => impaired) ? { impaired: true as const } : {}),
    ...(issues.size > 0 ? { issues: [...issues.values()] } : {}),
    ...union("notices", all),
  };
}

/** Troubles that show on the instance: its status checks fail, or it is stopped. */
export const isKnownToEc2 = (trouble: string | undefined): boolean => trouble === "off" || trouble === "stopped";

function union<M extends "zonesWithoutPower" | "mastersDown" | "notices">(
  member: M,
  all: readonly ClusterUndo[],
): { [member in M]?: readonly string[] } {
  const values = [...new Set(all.flatMap((each) => each[member] ?? []))];
  const found: { [member in M]?: readonly string[] } = {};
  if (values.length > 0) found[member] = values;
  return found;
}
