/**
 * What clusters and their machines are called in Docker, and the labels by which eksim knows its own. kind cannot label what it makes, so the name of the
 * cluster itself, which kind puts on all of its containers, says whose it is: the data directory's own mark and the cluster's id are both in it.
 */
import type { ClusterSpec } from "../backend.js";

/** Labels of containers that eksim makes itself. */
export const LABELS = {
  owner: "eksim.dev/owner",
  cluster: "eksim.dev/cluster",
  instance: "eksim.dev/instance",
  node: "eksim.dev/node",
  member: "eksim.dev/member",
  zone: "eksim.dev/zone",
} as const;

/** Labels that kind knows its containers by. */
export const KIND_LABELS = { cluster: "io.x-k8s.kind.cluster", role: "io.x-k8s.kind.role" } as const;

export type KindRole = "control-plane" | "worker" | "external-load-balancer";

const PREFIX = "eksim";
/** kind's longest suffix is `-external-load-balancer`, and a host name may have 63 characters: 40 are left. */
const SLUG_LENGTH = 12;
const ID_LENGTH = 12;

/** Digits of the mark by which a data directory knows its clusters. */
export const OWNER_LENGTH = 6;

const ANYONES = new RegExp(`^${PREFIX}-[0-9a-f]{${OWNER_LENGTH}}-`);

/** `eksim-<owner>-<name>-<id>`: unique over accounts, regions and data directories, and a DNS label. */
export function kindClusterName(owner: string, { name, clusterId }: Pick<ClusterSpec, "name" | "clusterId">): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, SLUG_LENGTH)
    .replace(/^-+|-+$/g, "");
  return `${ownerPrefix(owner)}${slug === "" ? "" : `${slug}-`}${shortId(clusterId)}`;
}

/** What the names of all clusters of a data directory begin with. */
export const ownerPrefix = (owner: string): string => `${PREFIX}-${owner}-`;

/** Whether a name is one that some data directory gives to a cluster. */
export const isAnyonesName = (kindName: string): boolean => ANYONES.test(kindName);

const shortId = (clusterId: string): string =>
  clusterId
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .slice(0, ID_LENGTH);

/** Whether a name is one that `kindClusterName` gives to a cluster of that id. */
export const isNameOf = (kindName: string, owner: string, clusterId: string): boolean =>
  kindName.startsWith(ownerPrefix(owner)) && kindName.endsWith(`-${shortId(clusterId)}`);

/** kind numbers its masters from the second one on. `index` from 0. */
export const firstMasterName = (kindName: string, index: number): string =>
  `${kindName}-control-plane${index === 0 ? "" : index + 1}`;

/** A master that joined later; its id is never used again. */
export const masterName = (kindName: string, memberId: string): string => `${kindName}-${safe(memberId)}`;

export const workerName = (kindName: string, instanceId: string): string => `${kindName}-${safe(instanceId)}`;

export const loadBalancerName = (kindName: string): string => `${kindName}-external-load-balancer`;

/** Where masters are reached by machines that join. */
export const joinEndpoint = (kindName: string, masters: number): string =>
  `${masters > 1 ? loadBalancerName(kindName) : firstMasterName(kindName, 0)}:6443`;

const safe = (text: string): string => text.toLowerCase().replace(/[^a-z0-9.-]/g, "-");
