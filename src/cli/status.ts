import { call, targetOf } from "./client.js";
import { renderTable } from "./table.js";

interface Status {
  clusters: {
    name: string;
    status: string;
    version: string;
    endpoint?: string;
    nodegroups: { name: string; status: string; desired: number; inService: number }[];
    masters: { id: string; zone: string; status: string; networkInterface?: { privateIpAddress: string } }[];
    instances: {
      instanceId: string;
      nodegroup: string;
      /** Of an instance that EKS Auto Mode launched. */
      nodePool?: string;
      zone: string;
      lifecycle: string;
      node: string;
      ready: boolean;
    }[];
    zonalShifts: { id: string; zone: string; awayFrom: string; expiryTime: string; comment: string }[];
  }[];
  faults: { id: string; title: string; startedAt: string; endsAt?: string }[];
}

/** `eksim status`. */
export async function status(options: { endpoint?: string; region?: string; cluster?: string }): Promise<void> {
  const { clusters, faults } = await call<Status>(targetOf(options), "GET", "status", { cluster: options.cluster });
  if (clusters.length === 0) console.log("no clusters");
  for (const cluster of clusters) {
    console.log(`${cluster.name}  ${cluster.status}  ${cluster.version}  ${cluster.endpoint ?? ""}`.trimEnd());
    const masters = cluster.masters.map(({ zone, status, networkInterface }) =>
      [zone, status, networkInterface?.privateIpAddress].filter(Boolean).join(" "),
    );
    console.log(`  masters: ${masters.join(", ") || "none"}`);
    for (const group of cluster.nodegroups)
      console.log(`  node group ${group.name}: ${group.status}, ${group.inService} of ${group.desired} in service`);
    for (const shift of cluster.zonalShifts) {
      const why = shift.comment ? ` (${shift.comment})` : "";
      console.log(`  shifted away from ${shift.zone} (${shift.awayFrom}) until ${shift.expiryTime}${why}: ${shift.id}`);
    }
    if (cluster.instances.length > 0) {
      const rows = cluster.instances.map((i) => [
        i.instanceId,
        i.nodePool ?? i.nodegroup,
        i.zone,
        i.lifecycle,
        i.node,
        i.ready ? "Ready" : "NotReady",
      ]);
      console.log(
        renderTable(
          ["  INSTANCE", "GROUP", "ZONE", "LIFECYCLE", "NODE", "STATE"],
          rows.map((row) => [`  ${row[0]}`, ...row.slice(1)]),
        ),
      );
    }
  }
  for (const { id, title, startedAt, endsAt } of faults)
    console.log(
      `${id}: ${title} Since ${startedAt}, ${endsAt === undefined ? "until it is ended" : `until ${endsAt}`}.`,
    );
}
