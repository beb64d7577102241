/** Volumes, claims, storage classes and the objects of CSI drivers. */
import type { StatusCause } from "../../errors.js";
import type {
  CSIDriver,
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  StorageClass,
} from "../../schema/generated/types.js";
import { compareQuantities, isQuantity, parseQuantity } from "../quantity.js";
import { withDefaults, withField } from "./defaulting.js";
import { sameValue } from "./equality.js";
import { forbiddenField, invalidValue, named, oneOf, required, unsupported } from "./field.js";
import { dnsSubdomain } from "./names.js";
import { canonicalAmounts } from "./pod-defaults.js";
import { QUANTITY_TEXT } from "./resource-validation.js";
import { immutableFields, strategyOf, validateSelector } from "./rules.js";
import { validateNodeSelector } from "./scheduling-validation.js";

const ACCESS_MODES = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES = ["Block", "Filesystem"];
/** Members of a volume's spec that are no volume source. */
const VOLUME_MEMBERS = new Set([
  "accessModes",
  "capacity",
  "claimRef",
  "mountOptions",
  "nodeAffinity",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeAttributesClassName",
  "volumeMode",
]);

export function defaultClaimSpec(spec: PersistentVolumeClaimSpec): PersistentVolumeClaimSpec {
  const result = withDefaults(spec, { volumeMode: "Filesystem" });
  if (!result.resources) return result;
  let resources = withField(result.resources, "requests", canonicalAmounts(result.resources.requests));
  resources = withField(resources, "limits", canonicalAmounts(resources.limits));
  return withField(result, "resources", resources);
}

function validateAccessModes(field: string, modes: readonly string[] | undefined): StatusCause[] {
  if (!modes?.length) return [required(field, "at least 1 access mode is required")];
  const causes = modes.flatMap((mode) => (ACCESS_MODES.includes(mode) ? [] : [unsupported(field, mode, ACCESS_MODES)]));
  if (modes.includes("ReadWriteOncePod") && modes.length > 1)
    causes.push(forbiddenField(field, "may not use ReadWriteOncePod with other access modes"));
  return causes;
}

function validateStorageAmount(field: string, amount: string | undefined): StatusCause[] {
  if (amount === undefined) return [required(field)];
  if (!isQuantity(amount)) return [invalidValue(field, amount, QUANTITY_TEXT)];
  return parseQuantity(amount).value > 0n ? [] : [invalidValue(field, amount, "must be greater than zero")];
}

export function validateClaimSpec(field: string, spec: PersistentVolumeClaimSpec | undefined): StatusCause[] {
  const storageClass = spec?.storageClassName;
  return [
    ...validateAccessModes(`${field}.accessModes`, spec?.accessModes),
    ...validateSelector(`${field}.selector`, spec?.selector),
    ...validateStorageAmount(`${field}.resources[storage]`, spec?.resources?.requests?.storage),
    ...(storageClass ? named(`${field}.storageClassName`, storageClass, dnsSubdomain(storageClass)) : []),
    ...oneOf(`${field}.volumeMode`, spec?.volumeMode, VOLUME_MODES),
  ];
}

export const persistentVolumeClaims = strategyOf<PersistentVolumeClaim>({
  setDefaults(claim) {
    if (claim.spec) claim.spec = defaultClaimSpec(claim.spec);
  },
  prepareForCreate(claim) {
    claim.status = { phase: "Pending" };
  },
  validate: ({ spec }) => validateClaimSpec("spec", spec),
  validateUpdate({ spec, status }, { spec: before }) {
    const request = spec?.resources?.requests?.storage;
    const bound = Boolean(before?.volumeName);
    // An unbound claim may be given its volume; a bound one may grow.
    const comparable = {
      ...spec,
      volumeName: before?.volumeName ? spec?.volumeName : undefined,
      storageClassName: before?.storageClassName === undefined ? undefined : spec?.storageClassName,
      ...(bound ? { resources: before?.resources, volumeAttributesClassName: before?.volumeAttributesClassName } : {}),
    };
    if (!sameValue(comparable, before)) {
      return [
        forbiddenField(
          "spec",
          "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        ),
      ];
    }
    const earlier = before?.resources?.requests?.storage;
    const capacity = status?.capacity?.storage ?? earlier;
    // Shrinking is for taking back an expansion that failed. A claim may well have got a larger volume than it asked for.
    const shrinks = request && earlier && isQuantity(request) && compareQuantities(request, earlier) < 0;
    if (shrinks && capacity && compareQuantities(request, capacity) < 0) {
      return [forbiddenField("spec.resources.requests.storage", "field can not be less than status.capacity")];
    }
    return [];
  },
});

const sourcesOf = (spec: PersistentVolumeSpec | undefined): Record<string, unknown> =>
  Object.fromEntries(Object.entries(spec ?? {}).filter(([member, value]) => value && !VOLUME_MEMBERS.has(member)));

export const persistentVolumes = strategyOf<PersistentVolume>({
  setDefaults(volume) {
    if (!volume.spec) return;
    const spec = withDefaults(volume.spec, { persistentVolumeReclaimPolicy: "Retain", volumeMode: "Filesystem" });
    volume.spec = withField(spec, "capacity", canonicalAmounts(spec.capacity));
  },
  prepareForCreate(volume) {
    volume.status = { phase: "Pending" };
  },
  validate({ spec }) {
    const sources = Object.keys(sourcesOf(spec));
    const affinity = spec?.nodeAffinity?.required;
    return [
      ...validateAccessModes("spec.accessModes", spec?.accessModes),
      ...validateStorageAmount("spec.capacity[storage]", spec?.capacity?.storage),
      ...(sources.length === 0 ? [required("spec", "must specify a volume type")] : []),
      ...sources.slice(1).map((source) => forbiddenField(`spec.${source}`, "may not specify more than 1 volume type")),
      ...oneOf("spec.persistentVolumeReclaimPolicy", spec?.persistentVolumeReclaimPolicy, [
        "Delete",
        "Recycle",
        "Retain",
      ]),
      ...oneOf("spec.volumeMode", spec?.volumeMode, VOLUME_MODES),
      ...(spec?.csi && !spec.csi.volumeHandle ? [required("spec.csi.volumeHandle")] : []),
      ...(spec?.csi && !spec.csi.driver ? [required("spec.csi.driver")] : []),
      ...(spec?.local && !affinity ? [required("spec.nodeAffinity", "Local volume requires node affinity")] : []),
      ...(affinity ? validateNodeSelector("spec.nodeAffinity.required", affinity) : []),
    ];
  },
  validateUpdate(now, before) {
    const causes = immutableFields(now, before, ["spec.volumeMode"]);
    if (!sameValue(sourcesOf(now.spec), sourcesOf(before.spec))) {
      causes.push(
        forbiddenField("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"),
      );
    }
    if (before.spec?.nodeAffinity) causes.push(...immutableFields(now, before, ["spec.nodeAffinity"]));
    return causes;
  },
});

export const storageClasses = strategyOf<StorageClass>({
  setDefaults(storageClass) {
    storageClass.reclaimPolicy ??= "Delete";
    storageClass.volumeBindingMode ??= "Immediate";
  },
  validate: ({ provisioner, reclaimPolicy, volumeBindingMode }) => [
    ...(provisioner ? [] : [required("provisioner")]),
    ...oneOf("reclaimPolicy", reclaimPolicy, ["Delete", "Retain"]),
    ...oneOf("volumeBindingMode", volumeBindingMode, ["Immediate", "WaitForFirstConsumer"]),
  ],
  validateUpdate: (now, before) => [
    ...(["parameters", "provisioner"] as const).flatMap((field) =>
      sameValue(now[field], before[field]) ? [] : [forbiddenField(field, `updates to ${field} are forbidden.`)],
    ),
    ...immutableFields(now, before, ["reclaimPolicy", "volumeBindingMode"]),
  ],
});

export const csiDrivers = strategyOf<CSIDriver>({
  setDefaults(driver) {
    driver.spec = withDefaults(driver.spec ?? {}, {
      attachRequired: true,
      podInfoOnMount: false,
      storageCapacity: false,
      fsGroupPolicy: "ReadWriteOnceWithFSType",
      volumeLifecycleModes: ["Persistent"],
      requiresRepublish: false,
      seLinuxMount: false,
    });
  },
  validate: ({ spec }) => oneOf("spec.fsGroupPolicy", spec.fsGroupPolicy, ["File", "None", "ReadWriteOnceWithFSType"]),
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.attachRequired", "spec.volumeLifecycleModes"]),
});
