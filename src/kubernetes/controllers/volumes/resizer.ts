import { formatSeconds } from "../../../clock/clock.js";
import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { compareQuantities } from "../../registry/quantity.js";
import { orAbsent } from "../../runtime/absent.js";
import { withCondition, withoutCondition } from "../../runtime/conditions.js";
import { isPodTerminal } from "../../runtime/pods.js";
import { claimNamesOf, DRIVERS } from "../../runtime/volumes.js";
import type {
  CSIDriver,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  VolumeAttributesClass,
} from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { CLAIMS, VOLUMES } from "./binder.js";

/**
 * The CSI drivers' external resizer, and the part of the kubelet that grows file systems: bound claims that ask for more get it, first the volume, then,
 * where a pod has it mounted, the file system; and volumes change their attributes when the claim names another VolumeAttributesClass.
 */
export const ATTRIBUTE_CLASSES = "volumeattributesclasses.storage.k8s.io";
/** How long a driver takes to grow or modify a volume, ms; and a kubelet to grow its file system. */
const WORKING_MS = [800, 2500] as const;
const GROWING_MS = 1000;

type Status = NonNullable<PersistentVolumeClaim["status"]>;

export const volumeResizerController = (): Controller =>
  defineController({ name: "csi-resizer", component: "external-resizer" }, ({ api, clock, events, queue }) => {
    const random = clock.random("csi-resizer");
    /** When the step that a claim is at is done, epoch ms. */
    const due = new Map<string, number>();

    /** True when the step has taken its time; otherwise the claim comes back then. */
    const isOver = (step: string, key: string, takesMs: () => number): boolean => {
      const id = `${step} ${key}`;
      const atMs = due.get(id) ?? clock.now() + takesMs();
      due.set(id, atMs);
      if (clock.now() < atMs) {
        queue.addAfter(key, atMs - clock.now());
        return false;
      }
      due.delete(id);
      return true;
    };
    const working = (): number => random.integer(...WORKING_MS);

    const writeStatus = (claim: PersistentVolumeClaim, status: Status): Promise<PersistentVolumeClaim> =>
      api.updateStatus<PersistentVolumeClaim>(CLAIMS, {
        ...claim,
        status: { ...claim.status, ...status, conditions: orAbsent(status.conditions ?? []) },
      });
    const condition = (type: string, message?: string) => ({
      type,
      status: "True",
      lastTransitionTime: formatSeconds(clock.now()),
      ...(message ? { message } : {}),
    });

    const isMounted = ({ metadata }: PersistentVolumeClaim): boolean =>
      api
        .list<Pod>("pods", { namespace: metadata.namespace })
        .some((pod) => pod.spec?.nodeName && !isPodTerminal(pod) && claimNamesOf(pod).includes(metadata.name));

    const growVolume = async (key: string, claim: PersistentVolumeClaim, volume: PersistentVolume, size: string) => {
      const { name } = volume.metadata;
      const status = claim.status ?? {};
      if (!status.conditions?.some(({ type }) => type === "Resizing")) {
        events.event(claim, "Normal", "Resizing", `External resizer is resizing volume ${name}`);
        const conditions = withCondition(status.conditions, condition("Resizing"));
        await writeStatus(claim, {
          ...status,
          conditions,
          allocatedResources: { storage: size },
          allocatedResourceStatuses: { storage: "ControllerResizeInProgress" },
        });
      }
      if (!isOver("grow", key, working)) return;
      await api.update<PersistentVolume>(VOLUMES, {
        ...volume,
        spec: { ...volume.spec, capacity: { ...volume.spec?.capacity, storage: size } },
      });
      const present = api.get<PersistentVolumeClaim>(CLAIMS, parseKey(key));
      if (!present) return;
      const waiting = "Waiting for user to (re-)start a pod to finish file system resize of volume on node.";
      const conditions = withCondition(
        withoutCondition(present.status?.conditions, "Resizing"),
        condition("FileSystemResizePending", waiting),
      );
      const allocatedResourceStatuses = { storage: "NodeResizePending" };
      await writeStatus(present, { ...present.status, conditions, allocatedResourceStatuses });
      events.event(present, "Normal", "FileSystemResizeRequired", "Require file system resize of volume on node");
    };

    const growFileSystem = async (key: string, claim: PersistentVolumeClaim, size: string): Promise<void> => {
      const isBlock = claim.spec?.volumeMode === "Block";
      if (!isBlock && (!isMounted(claim) || !isOver("file system", key, () => GROWING_MS))) return;
      const { allocatedResourceStatuses: _done, ...status } = claim.status ?? {};
      const conditions = withoutCondition(withoutCondition(status.conditions, "FileSystemResizePending"), "Resizing");
      const done = { ...claim, status: { ...status, conditions: orAbsent(conditions) } };
      await api.updateStatus<PersistentVolumeClaim>(CLAIMS, {
        ...done,
        status: { ...done.status, capacity: { ...status.capacity, storage: size } },
      });
      const message = `MountVolume.NodeExpandVolume succeeded for volume "${claim.spec?.volumeName}"`;
      if (!isBlock) events.event(claim, "Normal", "FileSystemResizeSuccessful", message);
    };

    const modify = async (key: string, claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> => {
      const wanted = claim.spec?.volumeAttributesClassName;
      const status = claim.status ?? {};
      if (!wanted || status.currentVolumeAttributesClassName === wanted) return;
      const attributes = api.get<VolumeAttributesClass>(ATTRIBUTE_CLASSES, { name: wanted });
      const phase = attributes ? "InProgress" : "Pending";
      if (status.modifyVolumeStatus?.status !== phase) {
        if (attributes)
          events.event(
            claim,
            "Normal",
            "VolumeModify",
            `external resizer is modifying volume ${claim.metadata.name} with vac ${wanted}`,
          );
        else
          events.event(
            claim,
            "Warning",
            "VolumeModifyFailed",
            `getting VolumeAttributesClass ${wanted} failed: not found`,
          );
        const modifyVolumeStatus = { status: phase, targetVolumeAttributesClassName: wanted };
        await writeStatus(claim, { ...status, modifyVolumeStatus });
      }
      if (!attributes) return queue.addAfter(key, 30_000);
      if (!isOver("modify", key, working)) return;
      await api.update<PersistentVolume>(VOLUMES, {
        ...volume,
        spec: { ...volume.spec, volumeAttributesClassName: wanted },
      });
      const present = api.get<PersistentVolumeClaim>(CLAIMS, parseKey(key));
      if (!present) return;
      const { modifyVolumeStatus: _done, ...rest } = present.status ?? {};
      const next = { ...rest, currentVolumeAttributesClassName: wanted };
      await api.updateStatus<PersistentVolumeClaim>(CLAIMS, { ...present, status: next });
      const message = `external resizer modified volume ${claim.metadata.name} with vac ${wanted} successfully`;
      events.event(present, "Normal", "VolumeModifySuccessful", message);
    };

    return {
      async reconcile(key) {
        const claim = api.get<PersistentVolumeClaim>(CLAIMS, parseKey(key));
        const name = claim?.spec?.volumeName;
        const volume = name ? api.get<PersistentVolume>(VOLUMES, { name }) : undefined;
        const driver = volume?.spec?.csi?.driver;
        if (!claim || !volume || claim.status?.phase !== "Bound" || !driver) return;
        if (!api.get<CSIDriver>(DRIVERS, { name: driver })) return;
        const size = claim.spec?.resources?.requests?.storage ?? "0";
        try {
          if (compareQuantities(volume.spec?.capacity?.storage ?? "0", size) < 0)
            await growVolume(key, claim, volume, size);
          else if (compareQuantities(claim.status.capacity?.storage ?? "0", size) < 0)
            await growFileSystem(key, claim, size);
          else await modify(key, claim, volume);
        } catch (error) {
          if (!isStatusError(error, "NotFound")) throw error;
        }
      },
      watches: [
        on<PersistentVolumeClaim>(CLAIMS, ({ type, object, previous }) =>
          type === "DELETED" || (previous?.spec === object.spec && previous?.status === object.status)
            ? undefined
            : keyOf(object),
        ),
        // A pod that mounts the volume lets its file system grow.
        on<Pod>("pods", ({ type, object, previous }) =>
          type === "DELETED" || !object.spec?.nodeName || previous?.spec?.nodeName === object.spec.nodeName
            ? undefined
            : claimNamesOf(object).map((name) => `${object.metadata.namespace}/${name}`),
        ),
        on<VolumeAttributesClass>(ATTRIBUTE_CLASSES, ({ type, object }) =>
          type === "ADDED"
            ? api
                .list<PersistentVolumeClaim>(CLAIMS)
                .filter(({ spec }) => spec?.volumeAttributesClassName === object.metadata.name)
                .map(keyOf)
            : undefined,
        ),
      ],
    };
  });
