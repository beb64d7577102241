/**
 * What is left in the container engine of clusters and machines that nobody knows any more. Only what eksim itself has made counts: names with the mark of this
 * data directory, and machines of its own clusters. What other data directories have is told, and never touched.
 */
import type { KnownCluster, Orphan } from "../backend.js";
import { type Held, type KindContext, upMasters } from "./cluster.js";
import { inventory, removeCluster } from "./delete.js";
import type { Container } from "./engine.js";
import { removeEtcdMember } from "./etcd.js";
import type { ClusterFile } from "./files.js";
import { isAnyonesName, isNameOf, KIND_LABELS, LABELS, ownerPrefix } from "./names.js";

/** `known` is asked after the engine: rows are written before the machines that they stand for. */
export async function collectGarbage(
  context: KindContext,
  held: (clusterId: string) => Held | undefined,
  known: () => readonly KnownCluster[],
  remove: boolean,
): Promise<Orphan[]> {
  const { engine, files, locks } = context;
  const owner = await files.owner();
  const ids = await inventory(context);
  const names = await engine.labelValues(KIND_LABELS.cluster);
  const clusters = known();
  const isKnown = (id: string): boolean =>
    clusters.some(({ clusterId }) => clusterId === id || isNameOf(id, owner, clusterId));

  const orphans: Orphan[] = [];
  for (const id of ids.filter((one) => !isKnown(one))) {
    const name = (await files.read(id))?.kindName ?? id;
    if (remove) await locks.exclusive(id, () => removeCluster(context, id));
    orphans.push({ kind: "cluster", name, why: "no EKS cluster stands behind it", removed: remove });
  }
  for (const cluster of clusters) {
    const found = await locks.exclusive(cluster.clusterId, () =>
      machinesOf(context, held(cluster.clusterId), { clusterId: cluster.clusterId, known, remove }),
    );
    orphans.push(...found);
  }
  for (const name of names.filter((one) => isAnyonesName(one) && !one.startsWith(ownerPrefix(owner))))
    orphans.push({
      kind: "foreign",
      name,
      why: `another data directory has made it; if that is gone: kind delete cluster --name ${name}`,
      removed: false,
    });
  return orphans;
}

/** Machines of a cluster that is known, for which there is no instance and no master. */
async function machinesOf(
  context: KindContext,
  held: Held | undefined,
  { clusterId, known, remove }: { clusterId: string; known: () => readonly KnownCluster[]; remove: boolean },
): Promise<Orphan[]> {
  const { engine, files } = context;
  const file = await files.read(clusterId);
  // It is being made, or has never been.
  if (!file) return [];
  const containers = await engine.containers({ [KIND_LABELS.cluster]: file.kindName });
  // Again, since machines may have been launched since.
  const cluster = known().find((one) => one.clusterId === clusterId);
  if (!cluster) return [];
  const strangers = containers.filter((container) => isStranger(container, file, cluster));
  if (remove) {
    for (const stranger of strangers.filter(({ role }) => role === "control-plane")) {
      // A member of etcd that is gone for good counts against the quorum until it has left.
      if (held && upMasters(held).length > 0)
        await removeEtcdMember(engine, upMasters(held), { container: stranger.name, address: stranger.address });
    }
    await engine.remove(strangers.map(({ name }) => name));
  }
  return strangers.map(({ name, role }) => ({
    kind: "machine",
    name,
    cluster: file.spec.name,
    why: role === "control-plane" ? "no master stands behind it" : "no instance stands behind it",
    removed: remove,
  }));
}

/** Only machines that eksim has made carry its labels; those of kind are the first masters and the load balancer, which the file knows. */
function isStranger({ name, labels }: Container, file: ClusterFile, cluster: KnownCluster): boolean {
  const instance = labels[LABELS.instance];
  if (instance !== undefined) return !cluster.instanceIds.includes(instance);
  const member = labels[LABELS.member];
  if (member === undefined) return false;
  return !cluster.memberIds.includes(member) && !file.masters.some(({ container }) => container === name);
}
