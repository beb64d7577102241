import { nodeMatchesTerm } from "../../runtime/node-affinity.js";
import { NO_PROVISIONER, SELECTED_NODE, volumeFor } from "../../runtime/volumes.js";
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from "../../schema/generated/types.js";
import type { NodeInfo } from "../node-info.js";
import { type FilterPlugin, type Refusal, refuse, refuseForGood } from "../plugin.js";
import { claimNameOf, type PodInfo } from "../pod-info.js";
import type { ClusterSnapshot } from "../snapshot.js";

/** VolumeBinding: bound claims pin the pod to where their volume is; claims that wait for a consumer get one. */

const CONFLICT = refuseForGood("node(s) didn't match PersistentVolume's node affinity");
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
    const name = claimNameOf(pod.pod.metadata.name, volume);
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

const WRONG_ZONE = refuseForGood("node(s) had no available volume zone");
const ONLY_ONE_POD = refuse(
  "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode",
);

/** Labels of volumes that tell where they are, of the time before they had a node affinity; several values are separated by `__`. */
const ZONE_LABELS = [
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
] as const;

/** VolumeZone: a volume that is labelled with a zone is used there only. Nodes without any zone do not mind. */
export const volumeZone: FilterPlugin = {
  name: "VolumeZone",
  wakesOn: ["node", "storage"],
  prepare: (pod, { lookups }) => {
    const places: { label: string; values: readonly string[] }[] = [];
    for (const { volumeName } of claimsFound(pod, lookups)) {
      const labels = (volumeName && lookups.volume(volumeName)?.metadata.labels) || {};
      for (const label of ZONE_LABELS) if (labels[label]) places.push({ label, values: labels[label].split("__") });
    }
    if (places.length === 0) return undefined;
    return ({ labels }) => {
      if (!ZONE_LABELS.some((label) => labels[label] !== undefined)) return undefined;
      return places.every(({ label, values }) => values.includes(labels[label] ?? "")) ? undefined : WRONG_ZONE;
    };
  },
};

/** VolumeRestrictions: of a ReadWriteOncePod claim there is one user in the whole cluster; evicting that one would help. */
export const volumeRestrictions: FilterPlugin = {
  name: "VolumeRestrictions",
  wakesOn: ["podGone", "storage"],
  prepare: (pod, cluster) => {
    const exclusive = claimsFound(pod, cluster.lookups).filter(({ modes }) => modes.includes("ReadWriteOncePod"));
    // On every node: where it runs does not matter to whoever may not run beside it.
    return exclusive.some(({ name }) => cluster.usersOf(pod.namespace, name) > 0) ? () => ONLY_ONE_POD : undefined;
  },
};

interface FoundClaim {
  name: string;
  volumeName: string | undefined;
  modes: readonly string[];
}

/** What is known of the pod's claims; missing ones are VolumeBinding's affair. */
function claimsFound(pod: PodInfo, lookups: ClusterSnapshot["lookups"]): FoundClaim[] {
  const found: FoundClaim[] = [];
  for (const volume of pod.demand.claims) {
    const name = claimNameOf(pod.pod.metadata.name, volume);
    const spec = lookups.claim(pod.namespace, name)?.spec;
    if (spec) found.push({ name, volumeName: spec.volumeName, modes: spec.accessModes ?? [] });
  }
  return found;
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
  const { promises } = cluster;
  for (const { claim, storageClass } of waiting) {
    const { uid, annotations } = claim.metadata;
    const chosen = promises.provision.get(uid) ?? annotations?.[SELECTED_NODE];
    // A provisioner is at work for another node, unless that node is gone.
    if (chosen && chosen !== node.name && cluster.node(chosen)) return CONFLICT;
    const promised = promises.volumes.get(uid);
    const isFree = (candidate: PersistentVolume): boolean =>
      promised ? candidate.metadata.name === promised : !promises.claims.has(candidate.metadata.name);
    const volume = volumeFor(
      claim,
      cluster.lookups.volumes(),
      (candidate) => !taken.includes(candidate) && isFree(candidate) && reaches(candidate, node),
    );
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

/** How far the claims of a pod that was given `node` have come (upstream's checkBindings). `problem`: they will not get there. */
export function bindingProgress(
  pod: PodInfo,
  node: NodeInfo,
  cluster: ClusterSnapshot,
): "waiting" | "bound" | { problem: string } {
  const { lookups } = cluster;
  if (!cluster.node(node.name)) return { problem: `failed to get node "${node.name}": node "${node.name}" not found` };
  let isWaiting = false;
  for (const source of pod.demand.claims) {
    const name = claimNameOf(pod.pod.metadata.name, source);
    const claim = lookups.claim(pod.namespace, name);
    if (!claim) return { problem: `failed to get PVC from API: persistentvolumeclaims "${name}" not found` };
    const volume = claim.spec?.volumeName ? lookups.volume(claim.spec.volumeName) : undefined;
    if (volume && !reaches(volume, node))
      return { problem: `pv "${volume.metadata.name}" node affinity doesn't match node "${node.name}"` };
    if (volume) continue;
    isWaiting = true;
    // A provisioner that cannot make the volume for that node takes the choice back, so that another node can be chosen.
    const chosen = claim.metadata.annotations?.[SELECTED_NODE];
    const isProvisioned = cluster.promises.provision.has(claim.metadata.uid) && !claim.spec?.volumeName;
    if (isProvisioned && chosen !== node.name)
      return {
        problem: `provisioning failed for PVC "${name}": selectedNode annotation value "${chosen ?? ""}" not set to scheduled node "${node.name}"`,
      };
  }
  return isWaiting ? "waiting" : "bound";
}
