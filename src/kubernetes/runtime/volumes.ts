import { compareQuantities } from "../registry/quantity.js";
import type { CSIDriver, PersistentVolume, PersistentVolumeClaim, Pod } from "../schema/generated/types.js";
import { digestOf } from "./hash.js";
import { matcherOf } from "./label-selector.js";

/** Claims and volumes as everything that looks at them sees them: scheduler, kubelets and the volume controllers. */

/** Where a dynamic provisioner reads the scheduler's choice. */
export const SELECTED_NODE = "volume.kubernetes.io/selected-node";
/** The provisioner of classes whose volumes are made by hand. */
export const NO_PROVISIONER = "kubernetes.io/no-provisioner";

export const DRIVERS = "csidrivers.storage.k8s.io";
export const ATTACHMENTS = "volumeattachments.storage.k8s.io";

/** True for an installed driver whose volumes are attached to one node at a time; network file systems are mounted from anywhere. */
export const needsAttachment = (driver: CSIDriver | undefined): boolean =>
  driver !== undefined && driver.spec.attachRequired !== false;

/** The label that a driver with zonal volumes gives to its nodes beside the well-known one. */
export const driverZoneLabel = (driver: string): string => `topology.${driver}/zone`;

/** The name of the VolumeAttachment of a volume to a node. */
export const attachmentName = (volume: string, node: string): string => `csi-${digestOf(`${volume}^${node}`)}`;

/** Names of the claims that a pod mounts; an ephemeral volume's claim is named after pod and volume. */
export const claimNamesOf = (pod: Pod): string[] =>
  (pod.spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [persistentVolumeClaim.claimName];
    return ephemeral ? [`${pod.metadata.name}-${name}`] : [];
  });

/** True for a volume that is kept for this claim and no other. */
export const isKeptFor = ({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean =>
  spec?.claimRef?.namespace === metadata.namespace &&
  spec?.claimRef?.name === metadata.name &&
  (!spec?.claimRef?.uid || spec.claimRef.uid === metadata.uid);

/**
 * The volume that the claim should be bound to: the one that is kept for it, else the smallest available one that satisfies it. `suits` may rule volumes
 * out: those of other zones, or taken by the claim before.
 */
export function volumeFor(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  suits: (volume: PersistentVolume) => boolean,
): PersistentVolume | undefined {
  const size = claim.spec?.resources?.requests?.storage ?? "0";
  const modes = claim.spec?.accessModes ?? [];
  const matches = claim.spec?.selector ? matcherOf(claim.spec.selector) : undefined;
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    const { spec, status, metadata } = volume;
    const isKept = isKeptFor(volume, claim);
    const fits =
      (isKept || (!spec?.claimRef && status?.phase === "Available")) &&
      !metadata.deletionTimestamp &&
      (spec?.storageClassName ?? "") === (claim.spec?.storageClassName ?? "") &&
      (spec?.volumeMode ?? "Filesystem") === (claim.spec?.volumeMode ?? "Filesystem") &&
      modes.every((mode) => spec?.accessModes?.includes(mode)) &&
      compareQuantities(spec?.capacity?.storage ?? "0", size) >= 0 &&
      (matches?.(metadata.labels) ?? true) &&
      suits(volume);
    if (!fits) continue;
    if (isKept) return volume;
    if (!best || compareQuantities(spec?.capacity?.storage ?? "0", best.spec?.capacity?.storage ?? "0") < 0)
      best = volume;
  }
  return best;
}
