import type { ZoneSummary } from "../domain/fault-control.js";
import { call, targetOf } from "./client.js";
import { renderTable } from "./table.js";

interface TargetOptions {
  endpoint?: string;
  region?: string;
  cluster?: string;
}

/** `eksim zones`. */
export async function listZones(options: TargetOptions): Promise<void> {
  const { zones } = await call<{ zones: ZoneSummary[] }>(targetOf(options), "GET", "zones", {
    cluster: options.cluster,
  });
  const rows = zones.map((zone) => [
    zone.name,
    zone.id,
    zone.state,
    `${zone.membersUp}/${zone.members}`,
    `${zone.readyNodes}/${zone.nodes}`,
    `${zone.readyPods}/${zone.pods}`,
    zone.faults.map(({ fault, id }) => `${fault} (${id})`).join(", "),
  ]);
  console.log(renderTable(["ZONE", "ID", "STATE", "MASTERS UP", "NODES READY", "PODS READY", "FAULTS"], rows));
}

/** `eksim zone fail`. */
export async function failZone(zone: string, options: TargetOptions): Promise<void> {
  const { message } = await call<{ message: string }>(
    targetOf(options, zone),
    "POST",
    `zones/${encodeURIComponent(zone)}/fail`,
    { cluster: options.cluster },
  );
  console.log(message);
}

/** `eksim zone restore`. */
export async function restoreZone(zone: string, options: TargetOptions): Promise<void> {
  const { message } = await call<{ message: string }>(
    targetOf(options, zone),
    "POST",
    `zones/${encodeURIComponent(zone)}/restore`,
    { cluster: options.cluster },
  );
  console.log(message);
}

/** `eksim node kill`. */
export async function killNode(node: string, options: TargetOptions): Promise<void> {
  const { message } = await call<{ message: string }>(
    targetOf(options),
    "POST",
    `nodes/${encodeURIComponent(node)}/kill`,
    { cluster: options.cluster },
  );
  console.log(message);
}
