/** Taking a cluster away, with everything that belongs to it, and finding those that nobody knows. */
import type { KindContext } from "./cluster.js";
import { isNameOf, KIND_LABELS, ownerPrefix } from "./names.js";

/** kind takes every container that carries the cluster's label, those that eksim has added included, with their volumes. */
export async function removeContainersOf({ engine, runner, files }: KindContext, kindName: string): Promise<void> {
  const label = { [KIND_LABELS.cluster]: kindName };
  if (!kindName.startsWith(ownerPrefix(await files.owner())) || (await engine.containers(label)).length === 0) return;
  // A kubeconfig that nobody has: the user's own is not to be touched. kind makes its directory.
  const args = ["--name", kindName, "--kubeconfig", files.paths(kindName).kubeconfig];
  await runner.run("kind", ["delete", "cluster", ...args], { timeoutMs: 5 * 60_000 });
  await files.remove(kindName);
  const left = await engine.containers(label);
  await engine.remove(left.map(({ name }) => name));
}

/** Containers, volumes, files and, with the last cluster, the network that eksim has made. */
export async function removeCluster(context: KindContext, clusterId: string): Promise<void> {
  const { files } = context;
  const known = await files.read(clusterId);
  const names = known ? [known.kindName] : await kindNamesOf(context, clusterId);
  for (const name of names) await removeContainersOf(context, name);
  await files.remove(clusterId);
  await dropNetwork(context);
}

/** The network goes with the last cluster; one that is being made has its files already. */
export function dropNetwork({ files, locks, metadata, whereabouts }: KindContext): Promise<void> {
  return locks.exclusive(NETWORK_LOCK, async () => {
    // The next network may give other addresses.
    if ((await files.list()).length === 0 && (await whereabouts.leave())) metadata.close();
  });
}

/** Key of the lock under which the network comes and goes. */
export const NETWORK_LOCK = "network";

/** Names in Docker of clusters of this data directory. */
async function ownNames({ engine, files }: KindContext): Promise<string[]> {
  const prefix = ownerPrefix(await files.owner());
  return (await engine.labelValues(KIND_LABELS.cluster)).filter((name) => name.startsWith(prefix));
}

/** A cluster that was never completed has no file; its name tells its id. One that is asked for by its name in Docker is meant too. */
async function kindNamesOf(context: KindContext, clusterId: string): Promise<string[]> {
  const owner = await context.files.owner();
  return (await ownNames(context)).filter((name) => name === clusterId || isNameOf(name, owner, clusterId));
}

/** Ids of clusters that are there in part at least; those without a file go by their names in Docker. */
export async function inventory(context: KindContext): Promise<string[]> {
  const { files } = context;
  const ids = await files.list();
  const known = await Promise.all(ids.map((id) => files.read(id)));
  const owner = await files.owner();
  const unnamed = (await ownNames(context)).filter(
    (name) => !known.some((file) => file?.kindName === name) && !ids.some((id) => isNameOf(name, owner, id)),
  );
  return [...ids, ...unnamed];
}
