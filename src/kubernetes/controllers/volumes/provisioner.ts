import { hash32 } from "../../../clock/random.js";
import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { orAbsent } from "../../runtime/absent.js";
import { digestOf } from "../../runtime/hash.js";
import { DRIVERS, driverZoneLabel, needsAttachment, SELECTED_NODE } from "../../runtime/volumes.js";
import type {
  CSIDriver,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { awaitsConsumer, CLAIMS, classOf, PROVISIONER, VOLUMES } from "./binder.js";

/**
 * The CSI drivers' external provisioner: wherever a CSIDriver object says that a driver is installed, claims of its storage classes get volumes, and
 * volumes that nobody claims any more go as their class asks. A driver that attaches its volumes to nodes has them in one zone, that of the node the
 * scheduler chose; others (network file systems) reach every node.
 */
const ZONE = "topology.kubernetes.io/zone";
const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by";
/** How long a driver takes to make a volume, ms. */
const PROVISIONING_MS = [300, 1200] as const;

/** Keeps a volume until the driver has deleted what it stands for. */
const FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer";

const volumeNameOf = ({ metadata }: PersistentVolumeClaim): string => `pvc-${metadata.uid}`;
const volumeKey = (name: string): string => `#${name}`;

export const volumeProvisionerController = (): Controller =>
  defineController({ name: "csi-provisioner" }, (env) => {
    const { api, clock, events, queue } = env;
    const random = clock.random("csi-provisioner");
    /** When the volumes being made are done, epoch ms, by claim. */
    const ready = new Map<string, number>();

    const driverOf = (claim: PersistentVolumeClaim): CSIDriver | undefined => {
      const name = claim.metadata.annotations?.[PROVISIONER];
      return name ? api.get<CSIDriver>(DRIVERS, { name }) : undefined;
    };

    /** The zone of a volume that only nodes of one zone can reach. */
    const zoneFor = (
      claim: PersistentVolumeClaim,
      { allowedTopologies, provisioner }: StorageClass,
    ): string | undefined => {
      const selected = claim.metadata.annotations?.[SELECTED_NODE];
      if (selected) return api.get<Node>("nodes", { name: selected })?.metadata.labels?.[ZONE];
      const allowed = (allowedTopologies ?? []).flatMap(({ matchLabelExpressions = [] }) =>
        matchLabelExpressions.flatMap(({ key, values }) =>
          key === ZONE || key === driverZoneLabel(provisioner) ? values : [],
        ),
      );
      const present = api.list<Node>("nodes").flatMap(({ metadata }) => metadata.labels?.[ZONE] ?? []);
      const zones = [...new Set(present)].filter((zone) => allowed.length === 0 || allowed.includes(zone)).sort();
      return zones[hash32(keyOf(claim)) % zones.length];
    };

    const provision = async (
      claim: PersistentVolumeClaim,
      driver: CSIDriver,
      storageClass: StorageClass,
    ): Promise<void> => {
      const name = volumeNameOf(claim);
      const zone = needsAttachment(driver) ? zoneFor(claim, storageClass) : undefined;
      const { namespace, uid } = claim.metadata;
      const { parameters = {} } = storageClass;
      const attributesClass = claim.spec?.volumeAttributesClassName;
      const inZone = zone && {
        nodeSelectorTerms: [{ matchExpressions: [{ key: ZONE, operator: "In", values: [zone] }] }],
      };
      await api.create<PersistentVolume>(VOLUMES, {
        metadata: {
          name,
          annotations: { [PROVISIONED_BY]: driver.metadata.name },
          ...(storageClass.reclaimPolicy === "Delete" ? { finalizers: [FINALIZER] } : {}),
        },
        spec: {
          accessModes: claim.spec?.accessModes,
          capacity: { storage: claim.spec?.resources?.requests?.storage ?? "0" },
          claimRef: { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name: claim.metadata.name, uid },
          csi: {
            driver: driver.metadata.name,
            volumeHandle: needsAttachment(driver) ? `vol-0${digestOf(uid).slice(0, 16)}` : name,
            fsType: parameters["csi.storage.k8s.io/fstype"] ?? parameters.fsType ?? "ext4",
          },
          ...(storageClass.mountOptions ? { mountOptions: storageClass.mountOptions } : {}),
          ...(inZone ? { nodeAffinity: { required: inZone } } : {}),
          persistentVolumeReclaimPolicy: storageClass.reclaimPolicy,
          storageClassName: storageClass.metadata.name,
          volumeMode: claim.spec?.volumeMode,
          ...(attributesClass ? { volumeAttributesClassName: attributesClass } : {}),
        },
      });
      events.event(claim, "Normal", "ProvisioningSucceeded", `Successfully provisioned volume ${name}`);
    };

    const syncClaim = async (key: string): Promise<void> => {
      const claim = api.get<PersistentVolumeClaim>(CLAIMS, parseKey(key));
      const storageClass = claim && classOf(api, claim);
      const driver = claim && driverOf(claim);
      const isWanted = claim && !claim.spec?.volumeName && !claim.metadata.deletionTimestamp;
      if (!isWanted || !storageClass || !driver || awaitsConsumer(claim, storageClass)) {
        ready.delete(key);
        return;
      }
      if (api.get(VOLUMES, { name: volumeNameOf(claim) })) return;
      let readyMs = ready.get(key);
      if (readyMs === undefined) {
        readyMs = clock.now() + random.integer(...PROVISIONING_MS);
        ready.set(key, readyMs);
        const message = `External provisioner is provisioning volume for claim "${key}"`;
        events.event(claim, "Normal", "Provisioning", message);
      }
      if (clock.now() < readyMs) return queue.addAfter(key, readyMs - clock.now());
      ready.delete(key);
      await provision(claim, driver, storageClass);
    };

    const syncVolume = async (name: string): Promise<void> => {
      const volume = api.get<PersistentVolume>(VOLUMES, { name });
      const driver = volume?.metadata.annotations?.[PROVISIONED_BY];
      if (!volume || !driver || !api.get(DRIVERS, { name: driver })) return;
      const { deletionTimestamp, uid, finalizers = [] } = volume.metadata;
      const isUnused = volume.status?.phase === "Released" || volume.status?.phase === "Available";
      const isReclaimed = volume.spec?.persistentVolumeReclaimPolicy === "Delete" && isUnused;
      if (!isReclaimed && !(deletionTimestamp && isUnused)) return;
      try {
        const held = finalizers.filter((finalizer) => finalizer !== FINALIZER);
        const free =
          held.length === finalizers.length
            ? volume
            : await api.update<PersistentVolume>(VOLUMES, {
                ...volume,
                metadata: { ...volume.metadata, finalizers: orAbsent(held) },
              });
        if (!free.metadata.deletionTimestamp) await api.delete(VOLUMES, { name }, { preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    return {
      reconcile: (key) => (key.startsWith("#") ? syncVolume(key.slice(1)) : syncClaim(key)),
      watches: [
        on<PersistentVolumeClaim>(CLAIMS, ({ type, object }) =>
          type === "DELETED" || object.metadata.annotations?.[PROVISIONER] ? keyOf(object) : undefined,
        ),
        on<PersistentVolume>(VOLUMES, ({ type, object }) =>
          type !== "DELETED" && (object.status?.phase === "Released" || object.metadata.deletionTimestamp)
            ? volumeKey(object.metadata.name)
            : undefined,
        ),
        // A driver that is installed later finds what has been waiting for it.
        on<CSIDriver>(DRIVERS, ({ type, object }) =>
          type === "ADDED"
            ? [
                ...api
                  .list<PersistentVolumeClaim>(CLAIMS)
                  .filter((claim) => driverOf(claim) === object)
                  .map(keyOf),
                ...api.list<PersistentVolume>(VOLUMES).map(({ metadata }) => volumeKey(metadata.name)),
              ]
            : undefined,
        ),
      ],
    };
  });
