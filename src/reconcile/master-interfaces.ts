/** Network interfaces of masters in the cluster's subnets: made with a master, and moved when the cluster gets other subnets. */
import type { ClusterRecord, MemberRecord, NetworkInterface } from "../domain/model.js";
import { masterAddress, masterInterface } from "../domain/network-interface.js";
import { privateDnsName } from "../domain/node.js";
import type { ReconcileContext } from "./context.js";

/** The interface of a new master, to be put into its record; nothing for a cluster without subnets. */
export function interfaceFor(
  state: ReconcileContext["state"],
  cluster: ClusterRecord,
  master: Pick<MemberRecord, "id" | "zone">,
): { networkInterface?: NetworkInterface } {
  const others = state.members
    .list(cluster.id)
    .flatMap(({ id, networkInterface }) => (networkInterface && id !== master.id ? [networkInterface] : []));
  const networkInterface = masterInterface(
    cluster,
    master,
    others,
    (address) => state.instances.byDnsName(cluster.id, privateDnsName(cluster.region, address)) !== undefined,
  );
  return networkInterface ? { networkInterface } : {};
}

/** `cluster` as it will be: interfaces in subnets that it no longer has are made anew in those that it has. */
export async function moveInterfaces(context: ReconcileContext, cluster: ClusterRecord): Promise<void> {
  const { state } = context;
  const addresses: Record<string, string> = {};
  state.transaction(() => {
    for (const member of state.members.list(cluster.id)) {
      const { networkInterface: present, ...rest } = member;
      if (!present || cluster.vpcConfig.subnetIds.includes(present.subnetId)) continue;
      const { networkInterface } = interfaceFor(state, cluster, rest);
      if (!networkInterface) continue;
      addresses[member.id] = masterAddress(cluster, networkInterface);
      state.members.put({ ...rest, networkInterface });
    }
  });
  if (Object.keys(addresses).length > 0) await context.backendOf(cluster).setMemberAddresses?.(cluster.id, addresses);
}
