import type { KubeApi } from "../../api.js";
import type { Controller } from "../../controller.js";
import { keyOf, parseKey } from "../../object.js";
import { isEqual } from "../../runtime/hash.js";
import { isKeptFor, NO_PROVISIONER, SELECTED_NODE, volumeFor } from "../../runtime/volumes.js";
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";

/**
 * Binds claims to volumes that fit, hands claims without one to their class's provisioner, and tells what has become of either. A claim of a class that
 * waits for its first consumer is bound once the scheduler has chosen a node. Upstream: pkg/controller/volume/persistentvolume.
 */
export const CLAIMS = "persistentvolumeclaims";
export const VOLUMES = "persistentvolumes";
export const CLASSES = "storageclasses.storage.k8s.io";

/** Tells the provisioner that a claim is its business. */
export const PROVISIONER = "volume.kubernetes.io/storage-provisioner";
const LEGACY_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner";
const BIND_COMPLETED = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller";

/** Drivers that have taken over what used to be built into Kubernetes (csi-translation-lib): old classes are theirs. */
const MIGRATED: Readonly<Record<string, string>> = {
  "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
  "kubernetes.io/azure-disk": "disk.csi.azure.com",
  "kubernetes.io/azure-file": "file.csi.azure.com",
  "kubernetes.io/cinder": "cinder.csi.openstack.org",
  "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
  "kubernetes.io/portworx-volume": "pxd.portworx.com",
  "kubernetes.io/vsphere-volume": "csi.vsphere.vmware.com",
};
const MIGRATED_TO = "pv.kubernetes.io/migrated-to";

const DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class";

const volumeKey = (name: string): string => `#${name}`;

export const classOf = (api: KubeApi, claim: PersistentVolumeClaim): StorageClass | undefined =>
  claim.spec?.storageClassName ? api.get<StorageClass>(CLASSES, { name: claim.spec.storageClassName }) : undefined;

/** True while the claim waits for the scheduler to choose a node for its first pod. */
export const awaitsConsumer = (claim: PersistentVolumeClaim, storageClass: StorageClass | undefined): boolean =>
  storageClass?.volumeBindingMode === "WaitForFirstConsumer" && !claim.metadata.annotations?.[SELECTED_NODE];

export const volumeBinderController = (): Controller =>
  defineController({ name: "persistent-volume-binder", component: "persistentvolume-controller" }, (env) => {
    const { api, events, queue } = env;

    const setVolumePhase = async (volume: PersistentVolume, phase: string): Promise<void> => {
      if (volume.status?.phase !== phase)
        await api.updateStatus<PersistentVolume>(VOLUMES, { ...volume, status: { ...volume.status, phase } });
    };
    const setClaimStatus = async (
      claim: PersistentVolumeClaim,
      status: PersistentVolumeClaim["status"],
    ): Promise<void> => {
      if (!isEqual(claim.status, status))
        await api.updateStatus<PersistentVolumeClaim>(CLAIMS, { ...claim, status: { ...claim.status, ...status } });
    };

    /** Both sides get to know each other, the volume first: after a crash in between the claim finds the volume that is kept for it. */
    const bind = async (claim: PersistentVolumeClaim, found: PersistentVolume): Promise<void> => {
      let volume = found;
      const { namespace, name, uid } = claim.metadata;
      if (volume.spec?.claimRef?.uid !== uid) {
        const wasFree = volume.spec?.claimRef === undefined;
        const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid };
        const annotations = { ...volume.metadata.annotations, ...(wasFree ? { [BOUND_BY_CONTROLLER]: "yes" } : {}) };
        volume = await api.update<PersistentVolume>(VOLUMES, {
          ...volume,
          metadata: { ...volume.metadata, annotations },
          spec: { ...volume.spec, claimRef },
        });
      }
      await setVolumePhase(volume, "Bound");
      let bound = claim;
      const isNew = claim.spec?.volumeName === undefined;
      if (isNew || claim.metadata.annotations?.[BIND_COMPLETED] === undefined) {
        const annotations = {
          ...claim.metadata.annotations,
          [BIND_COMPLETED]: "yes",
          ...(isNew ? { [BOUND_BY_CONTROLLER]: "yes" } : {}),
        };
        bound = await api.update<PersistentVolumeClaim>(CLAIMS, {
          ...claim,
          metadata: { ...claim.metadata, annotations },
          spec: { ...claim.spec, volumeName: volume.metadata.name },
        });
      }
      const { accessModes, capacity } = volume.spec ?? {};
      // A claim that is bound already hears of a larger volume when its file system has grown (resizer.ts).
      const held = bound.status?.phase === "Bound" ? (bound.status.capacity ?? capacity) : capacity;
      const attributesClass = volume.spec?.volumeAttributesClassName;
      const current =
        bound.status?.phase !== "Bound" && attributesClass ? { currentVolumeAttributesClassName: attributesClass } : {};
      await setClaimStatus(bound, { ...bound.status, ...current, phase: "Bound", accessModes, capacity: held });
    };

    const lose = async (claim: PersistentVolumeClaim, reason: string, message: string): Promise<void> => {
      if (claim.status?.phase !== "Lost") events.event(claim, "Warning", reason, message);
      await setClaimStatus(claim, { phase: "Lost" });
    };

    /** A claim that names its volume. */
    const syncNamed = async (claim: PersistentVolumeClaim, name: string): Promise<void> => {
      const volume = api.get<PersistentVolume>(VOLUMES, { name });
      const wasBound = claim.metadata.annotations?.[BIND_COMPLETED] !== undefined;
      if (volume && (!volume.spec?.claimRef || isKeptFor(volume, claim))) return bind(claim, volume);
      if (!wasBound) {
        if (volume)
          events.event(
            claim,
            "Warning",
            "FailedBinding",
            `volume ${JSON.stringify(name)} already bound to a different claim.`,
          );
        return;
      }
      if (volume) return lose(claim, "ClaimMisbound", "Bound claim has volume bound to different claim");
      return lose(claim, "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
    };

    const requestVolume = async (claim: PersistentVolumeClaim, named: string): Promise<void> => {
      const migrated = MIGRATED[named];
      const provisioner = migrated ?? named;
      if (claim.metadata.annotations?.[PROVISIONER] === provisioner) return;
      const annotations = {
        ...claim.metadata.annotations,
        [PROVISIONER]: provisioner,
        [LEGACY_PROVISIONER]: provisioner,
        ...(migrated ? { [MIGRATED_TO]: migrated } : {}),
      };
      const asked = await api.update<PersistentVolumeClaim>(CLAIMS, {
        ...claim,
        metadata: { ...claim.metadata, annotations },
      });
      const who = `either by the external provisioner '${provisioner}' or manually by the system administrator`;
      const message = `Waiting for a volume to be created ${who}. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
      events.event(asked, "Normal", "ExternalProvisioning", message);
    };

    const defaultClass = (): StorageClass | undefined =>
      api
        .list<StorageClass>(CLASSES)
        .filter(({ metadata }) => metadata.annotations?.[DEFAULT_CLASS] === "true")
        .sort((a, b) => (a.metadata.creationTimestamp > b.metadata.creationTimestamp ? -1 : 1))[0];

    const syncClaim = async (claim: PersistentVolumeClaim): Promise<void> => {
      const { spec, metadata } = claim;
      if (spec?.volumeName) return syncNamed(claim, spec.volumeName);
      if (metadata.deletionTimestamp) return;
      if (spec && spec.storageClassName === undefined) {
        // Claims from before there was a default class are given it when there is one.
        const storageClassName = defaultClass()?.metadata.name;
        if (storageClassName) {
          await api.update<PersistentVolumeClaim>(CLAIMS, { ...claim, spec: { ...spec, storageClassName } });
          return;
        }
      }
      const storageClass = classOf(api, claim);
      // A class that waits takes only the volume that the scheduler has set aside for the claim.
      const isDelayed = storageClass?.volumeBindingMode === "WaitForFirstConsumer";
      const volumes = api.list<PersistentVolume>(VOLUMES);
      const volume = volumeFor(claim, volumes, (candidate) => !isDelayed || isKeptFor(candidate, claim));
      if (volume) return bind(claim, volume);
      if (awaitsConsumer(claim, storageClass)) {
        events.event(
          claim,
          "Normal",
          "WaitForFirstConsumer",
          "waiting for first consumer to be created before binding",
        );
      } else if (!spec?.storageClassName) {
        const message = "no persistent volumes available for this claim and no storage class is set";
        events.event(claim, "Normal", "FailedBinding", message);
      } else if (!storageClass) {
        const message = `storageclass.storage.k8s.io ${JSON.stringify(spec.storageClassName)} not found`;
        events.event(claim, "Warning", "ProvisioningFailed", message);
      } else if (storageClass.provisioner !== NO_PROVISIONER) await requestVolume(claim, storageClass.provisioner);
    };

    const syncVolume = async (volume: PersistentVolume): Promise<void> => {
      const { claimRef } = volume.spec ?? {};
      if (!claimRef) return setVolumePhase(volume, "Available");
      const { namespace = "", name = "", uid } = claimRef;
      const claim = api.get<PersistentVolumeClaim>(CLAIMS, { namespace, name });
      // Kept for a claim that is still to come.
      if (!claim && !uid) return setVolumePhase(volume, "Available");
      if (claim && isKeptFor(volume, claim)) return syncClaim(claim);
      await setVolumePhase(volume, "Released");
    };

    /** Claims that a new volume or class may help. */
    const pending = (): string[] =>
      api
        .list<PersistentVolumeClaim>(CLAIMS)
        .filter(({ status }) => status?.phase === "Pending")
        .map(keyOf);

    return {
      async reconcile(key) {
        if (key.startsWith("#")) {
          const volume = api.get<PersistentVolume>(VOLUMES, { name: key.slice(1) });
          return volume ? syncVolume(volume) : queue.forget(key);
        }
        const claim = api.get<PersistentVolumeClaim>(CLAIMS, parseKey(key));
        return claim ? syncClaim(claim) : queue.forget(key);
      },
      watches: [
        on<PersistentVolumeClaim>(CLAIMS, ({ type, object, previous }) => {
          const { volumeName } = object.spec ?? {};
          if (type === "DELETED") return volumeName ? volumeKey(volumeName) : undefined;
          const same = previous?.spec === object.spec && previous?.metadata.annotations === object.metadata.annotations;
          return same ? undefined : keyOf(object);
        }),
        on<PersistentVolume>(VOLUMES, ({ type, object, previous }) => {
          const { claimRef } = object.spec ?? {};
          const claims = claimRef?.name ? [`${claimRef.namespace}/${claimRef.name}`] : [];
          if (type === "DELETED") return claims;
          const becameFree =
            !claimRef && object.status?.phase === "Available" && previous?.status?.phase !== "Available";
          if (becameFree) return pending();
          return previous?.spec === object.spec ? undefined : volumeKey(object.metadata.name);
        }),
        on<StorageClass>(CLASSES, ({ type, object, previous }) =>
          type === "ADDED" || (type === "MODIFIED" && previous?.metadata.annotations !== object.metadata.annotations)
            ? pending()
            : undefined,
        ),
      ],
    };
  });
