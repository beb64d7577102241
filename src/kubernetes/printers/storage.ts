/** Volumes, claims, classes and drivers. */
import type {
  CSIDriver,
  CSINode,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  VolumeAttachment,
  VolumeAttributesClass,
} from "../schema/generated/types.js";
import {
  age,
  boolean,
  integer,
  joined,
  name,
  nameWith,
  orNone,
  orUnset,
  type Printable,
  type Printer,
  printer,
  text,
  wideText,
} from "./column.js";

const ACCESS_MODES: readonly (readonly [string, string])[] = [
  ["ReadWriteOnce", "RWO"],
  ["ReadOnlyMany", "ROX"],
  ["ReadWriteMany", "RWX"],
  ["ReadWriteOncePod", "RWOP"],
];

const accessModes = (modes: readonly string[] | undefined): string =>
  joined(ACCESS_MODES.filter(([mode]) => modes?.includes(mode)).map(([, short]) => short));

/** The annotation of old times stands before the field. */
const classOf = ({ metadata, spec }: Printable & { spec?: { storageClassName?: string } }): string =>
  metadata.annotations?.["volume.beta.kubernetes.io/storage-class"] ?? spec?.storageClassName ?? "";

const phaseOf = ({ metadata, status }: Printable & { status?: { phase?: string } }): string =>
  metadata.deletionTimestamp ? "Terminating" : (status?.phase ?? "");

/** Marks the class that is the default one. */
const nameWithDefault = (...annotations: string[]) =>
  nameWith<Printable>(({ metadata }) =>
    annotations.some((annotation) => metadata.annotations?.[annotation] === "true")
      ? `${metadata.name} (default)`
      : metadata.name,
  );

const claimOf = ({ spec }: PersistentVolume): string =>
  spec?.claimRef ? `${spec.claimRef.namespace ?? ""}/${spec.claimRef.name ?? ""}` : "";

export const storagePrinters: Readonly<Record<string, Printer>> = {
  PersistentVolume: printer<PersistentVolume>(
    name,
    text("Capacity", ({ spec }) => spec?.capacity?.storage ?? "0", "Size of the volume."),
    text("Access Modes", ({ spec }) => accessModes(spec?.accessModes), "Ways in which it can be mounted."),
    text("Reclaim Policy", ({ spec }) => spec?.persistentVolumeReclaimPolicy, "What happens when its claim is gone."),
    text("Status", phaseOf, "Phase of the volume."),
    text("Claim", claimOf, "Claim that it is bound to."),
    text("StorageClass", classOf, "Class of the volume."),
    text(
      "VolumeAttributesClass",
      ({ spec }) => orUnset(spec?.volumeAttributesClassName),
      "Attributes class of the volume.",
    ),
    text("Reason", ({ status }) => status?.reason, "Why it failed."),
    age,
    wideText("VolumeMode", ({ spec }) => orUnset(spec?.volumeMode), "File system or raw block."),
  ),
  PersistentVolumeClaim: printer<PersistentVolumeClaim>(
    name,
    text("Status", phaseOf, "Phase of the claim."),
    text("Volume", ({ spec }) => spec?.volumeName, "Volume that it is bound to."),
    text(
      "Capacity",
      ({ spec, status }) => (spec?.volumeName ? (status?.capacity?.storage ?? "0") : ""),
      "Size of the volume.",
    ),
    text(
      "Access Modes",
      ({ spec, status }) => (spec?.volumeName ? accessModes(status?.accessModes) : ""),
      "Ways in which it can be mounted.",
    ),
    text("StorageClass", classOf, "Class of the claim."),
    text(
      "VolumeAttributesClass",
      ({ spec }) => orUnset(spec?.volumeAttributesClassName),
      "Attributes class of the claim.",
    ),
    age,
    wideText("VolumeMode", ({ spec }) => orUnset(spec?.volumeMode), "File system or raw block."),
  ),
  StorageClass: printer<StorageClass>(
    nameWithDefault("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"),
    text("Provisioner", ({ provisioner }) => provisioner, "Who makes volumes of the class."),
    text(
      "ReclaimPolicy",
      ({ reclaimPolicy }) => reclaimPolicy ?? "Delete",
      "What happens to a volume when its claim is gone.",
    ),
    text(
      "VolumeBindingMode",
      ({ volumeBindingMode }) => volumeBindingMode ?? "Immediate",
      "When volumes are made and bound.",
    ),
    text(
      "AllowVolumeExpansion",
      ({ allowVolumeExpansion }) => allowVolumeExpansion ?? false,
      "Whether volumes can grow.",
    ),
    age,
  ),
  VolumeAttributesClass: printer<VolumeAttributesClass>(
    nameWithDefault(
      "volumeattributesclass.kubernetes.io/is-default-class",
      "volumeattributesclass.alpha.kubernetes.io/is-default-class",
    ),
    text("DriverName", ({ driverName }) => driverName, "Driver that the attributes are for."),
    age,
  ),
  VolumeAttachment: printer<VolumeAttachment>(
    name,
    {
      ...text<VolumeAttachment>("Attacher", ({ spec }) => spec?.attacher, "Driver that attaches the volume."),
      format: "name",
    },
    text("PV", ({ spec }) => spec?.source?.persistentVolumeName, "Volume to attach."),
    text("Node", ({ spec }) => spec?.nodeName, "Node to attach it to."),
    boolean("Attached", ({ status }) => status?.attached ?? false, "Whether it is attached."),
    age,
  ),
  CSINode: printer<CSINode>(
    name,
    integer("Drivers", ({ spec }) => spec?.drivers?.length, "Drivers that are registered on the node."),
    age,
  ),
  CSIDriver: printer<CSIDriver>(
    name,
    boolean(
      "AttachRequired",
      ({ spec }) => spec?.attachRequired ?? true,
      "Whether volumes are attached before they are mounted.",
    ),
    boolean("PodInfoOnMount", ({ spec }) => spec?.podInfoOnMount ?? false, "Whether the driver is told about the pod."),
    boolean(
      "StorageCapacity",
      ({ spec }) => spec?.storageCapacity ?? false,
      "Whether the scheduler heeds the driver's capacity.",
    ),
    text(
      "TokenRequests",
      ({ spec }) => (spec?.tokenRequests ? joined(spec.tokenRequests.map(({ audience }) => audience)) : "<unset>"),
      "Audiences of the tokens that the driver gets.",
    ),
    boolean(
      "RequiresRepublish",
      ({ spec }) => spec?.requiresRepublish ?? false,
      "Whether mounted volumes are refreshed.",
    ),
    text("Modes", ({ spec }) => orNone(joined(spec?.volumeLifecycleModes)), "Kinds of volumes that the driver knows."),
    age,
  ),
};
