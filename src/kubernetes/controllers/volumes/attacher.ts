import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { isPodTerminal } from "../../runtime/pods.js";
import { TAINT } from "../../runtime/taints.js";
import { ATTACHMENTS, attachmentName, claimNamesOf, DRIVERS, needsAttachment } from "../../runtime/volumes.js";
import type {
  CSIDriver,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  VolumeAttachment,
} from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { readyCondition } from "../node/node-health.js";
import { CLAIMS, VOLUMES } from "./binder.js";

/**
 * Attach-detach controller and the drivers' attachers: a volume that pods of a node use is attached to it, and detached when the last of them has gone.
 * A node that does not answer cannot say that it has let go of a volume: it keeps it for six minutes, and nobody else gets it meanwhile, unless an
 * operator declares the node out of service. Upstream: pkg/controller/volume/attachdetach.
 */
/** maxWaitForUnmountDuration */
const UNMOUNT_WAIT_MS = 360_000;
/** How long a driver takes to attach a volume, ms. */
const ATTACHING_MS = [300, 1200] as const;
const SHARED_MODES: readonly string[] = ["ReadWriteMany", "ReadOnlyMany"];

export const attachDetachController = (): Controller =>
  defineController({ name: "attachdetach-controller" }, (env) => {
    const { api, clock, events, queue } = env;
    const random = clock.random("attachdetach-controller");
    /** When an attachment will be done, and since when a silent node's is no longer wanted, epoch ms. */
    const attached = new Map<string, number>();
    const unwanted = new Map<string, number>();
    /** Pods that have been told why they wait. */
    const told = new Set<string>();

    const podsOf = (volume: PersistentVolume | undefined): Pod[] => {
      const { namespace, name = "" } = volume?.spec?.claimRef ?? {};
      if (!namespace) return [];
      return api
        .list<Pod>("pods", { namespace })
        .filter((pod) => pod.spec?.nodeName && !isPodTerminal(pod) && claimNamesOf(pod).includes(name));
    };
    const attachmentsOf = (volume: string): VolumeAttachment[] =>
      api.list<VolumeAttachment>(ATTACHMENTS).filter(({ spec }) => spec.source.persistentVolumeName === volume);

    /** True when nobody has to fear that the node still writes to the volume. */
    const hasLetGo = (nodeName: string): boolean => {
      const node = api.get<Node>("nodes", { name: nodeName });
      if (!node) return false;
      const outOfService = node.spec?.taints?.some(({ key }) => key === TAINT.outOfService) ?? false;
      return outOfService || readyCondition(node)?.status === "True";
    };

    const detach = async ({ metadata: { name }, spec }: VolumeAttachment, volume: string): Promise<void> => {
      const sinceMs = unwanted.get(name) ?? clock.now();
      unwanted.set(name, sinceMs);
      const leftMs = sinceMs + UNMOUNT_WAIT_MS - clock.now();
      if (leftMs > 0 && !hasLetGo(spec.nodeName)) return queue.addAfter(volume, leftMs);
      unwanted.delete(name);
      attached.delete(name);
      try {
        await api.delete(ATTACHMENTS, { name });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    const refuse = (pod: Pod, volume: string, users: readonly Pod[]): void => {
      if (told.has(pod.metadata.uid)) return;
      told.add(pod.metadata.uid);
      const why =
        users.length > 0
          ? `Volume is already used by pod(s) ${users.map(({ metadata }) => metadata.name).join(", ")}`
          : "Volume is already exclusively attached to one node and can't be attached to another";
      events.event(pod, "Warning", "FailedAttachVolume", `Multi-Attach error for volume "${volume}" ${why}`);
    };

    /** One step towards an attachment to the pod's node. */
    const attach = async (pod: Pod, volume: PersistentVolume, driver: string): Promise<void> => {
      const nodeName = pod.spec?.nodeName ?? "";
      const volumeName = volume.metadata.name;
      const name = attachmentName(volumeName, nodeName);
      const present = api.get<VolumeAttachment>(ATTACHMENTS, { name });
      unwanted.delete(name);
      if (present?.status?.attached) return;
      if (!present) {
        const source = { persistentVolumeName: volumeName };
        await api.create<VolumeAttachment>(ATTACHMENTS, {
          metadata: { name },
          spec: { attacher: driver, nodeName, source },
        });
      }
      const dueMs = attached.get(name) ?? clock.now() + random.integer(...ATTACHING_MS);
      attached.set(name, dueMs);
      if (clock.now() < dueMs) return queue.addAfter(volumeName, dueMs - clock.now());
      attached.delete(name);
      if (!present) return;
      await api.updateStatus<VolumeAttachment>(ATTACHMENTS, { ...present, status: { attached: true } });
      const message = `AttachVolume.Attach succeeded for volume "${volumeName}" `;
      events.event(pod, "Normal", "SuccessfulAttachVolume", message);
    };

    return {
      async reconcile(name) {
        const volume = api.get<PersistentVolume>(VOLUMES, { name });
        const driverName = volume?.spec?.csi?.driver ?? attachmentsOf(name)[0]?.spec.attacher;
        const driver = driverName ? api.get<CSIDriver>(DRIVERS, { name: driverName }) : undefined;
        // A driver that is not installed attaches nothing, and detaches nothing either.
        if (!driverName || !needsAttachment(driver)) return;
        const pods = podsOf(volume);
        for (const attachment of attachmentsOf(name))
          if (!pods.some(({ spec }) => spec?.nodeName === attachment.spec.nodeName)) await detach(attachment, name);
        const isShared = volume?.spec?.accessModes?.some((mode) => SHARED_MODES.includes(mode)) ?? false;
        for (const pod of pods) {
          const elsewhere = attachmentsOf(name).filter(({ spec }) => spec.nodeName !== pod.spec?.nodeName);
          const users = pods.filter(({ spec }) => elsewhere.some((other) => other.spec.nodeName === spec?.nodeName));
          if (elsewhere.length > 0 && !isShared) refuse(pod, name, users);
          else if (volume) await attach(pod, volume, driverName);
        }
      },
      watches: [
        on<Pod>("pods", ({ type, object, previous }) => {
          if (!object.spec?.nodeName || !object.spec.volumes) return undefined;
          if (type === "DELETED") told.delete(object.metadata.uid);
          const same =
            previous !== undefined &&
            previous.spec?.nodeName === object.spec.nodeName &&
            isPodTerminal(previous) === isPodTerminal(object);
          if (same) return undefined;
          const { namespace } = object.metadata;
          return claimNamesOf(object).flatMap(
            (name) => api.get<PersistentVolumeClaim>(CLAIMS, { namespace, name })?.spec?.volumeName ?? [],
          );
        }),
        on<PersistentVolumeClaim>(CLAIMS, ({ type, object, previous }) =>
          type === "DELETED" || previous?.spec?.volumeName === object.spec?.volumeName
            ? undefined
            : object.spec?.volumeName,
        ),
        // Whoever waits for a volume may have it now.
        on<VolumeAttachment>(ATTACHMENTS, ({ type, object }) =>
          type === "MODIFIED" ? undefined : object.spec.source.persistentVolumeName,
        ),
        on<CSIDriver>(DRIVERS, ({ type, object }) =>
          type === "ADDED"
            ? api
                .list<PersistentVolume>(VOLUMES)
                .flatMap(({ metadata, spec }) => (spec?.csi?.driver === object.metadata.name ? metadata.name : []))
            : undefined,
        ),
        on<Node>("nodes", ({ type, object, previous }) => {
          const { name } = object.metadata;
          const before = previous && readyCondition(previous)?.status;
          const isSame =
            previous && before === readyCondition(object)?.status && previous.spec?.taints === object.spec?.taints;
          if (type === "DELETED" || isSame) return undefined;
          return api
            .list<VolumeAttachment>(ATTACHMENTS)
            .flatMap(({ spec }) => (spec.nodeName === name ? (spec.source.persistentVolumeName ?? []) : []));
        }),
      ],
    };
  });
