import { compareQuantities } from "../../registry/quantity.js";
import { matcherOf } from "../../runtime/label-selector.js";
import { nodeMatchesTerm } from "../../runtime/node-affinity.js";
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from "../../schema/generated/types.js";
import type { NodeInfo } from "../node-info.js";
import { type FilterPlugin, type Refusal, refuseForGood } from "../plugin.js";
import type { PodInfo } from "../pod-info.js";
import type { ClusterSnapshot } from "../snapshot.js";

/** VolumeBinding: bound claims pin the pod to where their volume is; claims that wait for a consumer get one. */

/** Where a dynamic provisioner reads the scheduler's choice. */
export const SELECTED_NODE = "volume.kubernetes.io/selected-node";
const NO_PROVISIONER = "kubernetes.io/no-provisioner";

const CONFLICT = refuseForGood("node(s) had volume node affinity conflict");
const NO_VOLUME = refuseForGood("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
const NOTHING_TO_BIND = refuseForGood("node(s) didn't find available persistent volumes to bind");
const UNBOUND = refuseForGood("pod has unbound immediate PersistentVolumeClaims");

interface Waiting {
  claim: PersistentVolumeClaim;
  storageClass: StorageClass;
}

interface Claims {
  /** undefined: bound to a volume that is not there. */
  bound: (PersistentVolume | undefined)[];
  waiting: Waiting[];
}

/** The pod's claims, or why no node can take it. */
function claimsOf(pod: PodInfo, { lookups }: ClusterSnapshot): Claims | Refusal {
  const claims: Claims = { bound: [], waiting: [] };
  for (const volume of pod.demand.claims) {
    const name = volume.persistentVolumeClaim?.claimName ?? `${pod.pod.metadata.name}-${volume.name}`;
    const claim = lookups.claim(pod.namespace, name);
    if (!claim)
      return refuseForGood(
        volume.ephemeral
          ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
          : `persistentvolumeclaim "${name}" not found`,
      );
    if (claim.metadata.deletionTimestamp) return refuseForGood(`persistentvolumeclaim "${name}" is being deleted`);
    if (claim.status?.phase === "Lost")
      return refuseForGood(
        `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec?.volumeName}"`,
      );
    if (claim.spec?.volumeName) {
      claims.bound.push(lookups.volume(claim.spec.volumeName));
      continue;
    }
    const storageClass = claim.spec?.storageClassName ? lookups.storageClass(claim.spec.storageClassName) : undefined;
    if (storageClass?.volumeBindingMode !== "WaitForFirstConsumer") return UNBOUND;
    claims.waiting.push({ claim, storageClass });
  }
  return claims;
}

function reaches(volume: PersistentVolume, node: NodeInfo): boolean {
  const required = volume.spec?.nodeAffinity?.required;
  return !required || required.nodeSelectorTerms.some((term) => nodeMatchesTerm(node.node as Node, term));
}

/** StorageClass.allowedTopologies: an OR of terms, each an AND of label values. */
function allows(storageClass: StorageClass, node: NodeInfo): boolean {
  const terms = storageClass.allowedTopologies ?? [];
  return (
    terms.length === 0 ||
    terms.some((term) =>
      (term.matchLabelExpressions ?? []).every(({ key, values }) => values.includes(node.labels[key] ?? "")),
    )
  );
}

/** The smallest available volume on the node that satisfies the claim. */
function volumeFor(
  { claim }: Waiting,
  node: NodeInfo,
  taken: readonly PersistentVolume[],
  cluster: ClusterSnapshot,
): PersistentVolume | undefined {
  const size = claim.spec?.resources?.requests?.storage ?? "0";
  const modes = claim.spec?.accessModes ?? [];
  const matches = claim.spec?.selector ? matcherOf(claim.spec.selector) : undefined;
  let best: PersistentVolume | undefined;
  for (const volume of cluster.lookups.volumes()) {
    const spec = volume.spec;
    const forUs =
      spec?.claimRef?.namespace === claim.metadata.namespace && spec?.claimRef?.name === claim.metadata.name;
    const fits =
      (forUs || (!spec?.claimRef && volume.status?.phase === "Available")) &&
      !taken.includes(volume) &&
      (spec?.storageClassName ?? "") === (claim.spec?.storageClassName ?? "") &&
      (spec?.volumeMode ?? "Filesystem") === (claim.spec?.volumeMode ?? "Filesystem") &&
      modes.every((mode) => spec?.accessModes?.includes(mode)) &&
      compareQuantities(spec?.capacity?.storage ?? "0", size) >= 0 &&
      (matches?.(volume.metadata.labels) ?? true) &&
      reaches(volume, node);
    if (!fits) continue;
    if (forUs) return volume;
    if (!best || compareQuantities(spec?.capacity?.storage ?? "0", best.spec?.capacity?.storage ?? "0") < 0)
      best = volume;
  }
  return best;
}

/** What must happen to the pod's waiting claims before it can be bound to `node`. */
export interface VolumeWork {
  /** To be provisioned for the node. */
  provision: PersistentVolumeClaim[];
  /** To be bound to volumes that exist. */
  bind: { claim: PersistentVolumeClaim; volume: PersistentVolume }[];
}

function workFor(waiting: readonly Waiting[], node: NodeInfo, cluster: ClusterSnapshot): VolumeWork | Refusal {
  const work: VolumeWork = { provision: [], bind: [] };
  const taken: PersistentVolume[] = [];
  for (const entry of waiting) {
    const { claim, storageClass } = entry;
    const chosen = claim.metadata.annotations?.[SELECTED_NODE];
    // A provisioner is at work for another node, unless that node is gone.
    if (chosen && chosen !== node.name && cluster.node(chosen)) return CONFLICT;
    const volume = volumeFor(entry, node, taken, cluster);
    if (volume) {
      taken.push(volume);
      work.bind.push({ claim, volume });
    } else if (storageClass.provisioner === NO_PROVISIONER || !allows(storageClass, node)) return NOTHING_TO_BIND;
    else work.provision.push(claim);
  }
  return work;
}

const isRefusal = (value: object): value is Refusal => "reasons" in value;

export const volumeBinding: FilterPlugin = {
  name: "VolumeBinding",
  wakesOn: ["node", "storage"],
  prepare: (pod, cluster) => {
    if (pod.demand.claims.length === 0) return undefined;
    const claims = claimsOf(pod, cluster);
    if (isRefusal(claims)) return claims;
    return (node) => {
      for (const volume of claims.bound) {
        if (!volume) return NO_VOLUME;
        if (!reaches(volume, node)) return CONFLICT;
      }
      const work = workFor(claims.waiting, node, cluster);
      return isRefusal(work) ? work : undefined;
    };
  },
};

/** The work left for a pod that was given `node`; undefined when all its claims are bound. */
export function volumeWork(pod: PodInfo, node: NodeInfo, cluster: ClusterSnapshot): VolumeWork | undefined {
  if (pod.demand.claims.length === 0) return undefined;
  const claims = claimsOf(pod, cluster);
  if (isRefusal(claims) || claims.waiting.length === 0) return undefined;
  const work = workFor(claims.waiting, node, cluster);
  return isRefusal(work) ? undefined : work;
}
