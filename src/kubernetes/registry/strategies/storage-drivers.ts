/** The objects through which storage drivers and the cluster speak: attachments, drivers by node, capacities, classes of attributes. */
import type { StatusCause } from "../../errors.js";
import type {
  CSINode,
  CSIStorageCapacity,
  VolumeAttachment,
  VolumeAttributesClass,
} from "../../schema/generated/types.js";
import { sameValue } from "./equality.js";
import { duplicate, forbiddenField, invalidValue, named, required } from "./field.js";
import { dnsSubdomain } from "./names.js";
import { immutableFields, strategyOf } from "./rules.js";

export const volumeAttachments = strategyOf<VolumeAttachment>({
  validate({ spec }) {
    const { attacher, nodeName, source } = spec ?? {};
    const sources = [source?.inlineVolumeSpec, source?.persistentVolumeName].filter(Boolean).length;
    return [
      ...(attacher
        ? named("spec.attacher", attacher, dnsSubdomain(attacher.toLowerCase()))
        : [required("spec.attacher")]),
      ...(nodeName ? named("spec.nodeName", nodeName, dnsSubdomain(nodeName)) : [required("spec.nodeName")]),
      ...(sources === 1
        ? []
        : [
            sources === 0
              ? required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName")
              : forbiddenField("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"),
          ]),
    ];
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["spec"]),
});

export const csiNodes = strategyOf<CSINode>({
  setDefaults(node) {
    // Go writes the list even when it is empty.
    if (!node.spec?.drivers) node.spec = { ...node.spec, drivers: [] };
  },
  validate({ spec }) {
    const seen = new Set<string>();
    return spec.drivers.flatMap(({ name, nodeID, allocatable }, index): StatusCause[] => {
      const at = `spec.drivers[${index}]`;
      const causes = name ? named(`${at}.name`, name, dnsSubdomain(name.toLowerCase())) : [required(`${at}.name`)];
      if (!nodeID) causes.push(required(`${at}.nodeID`));
      if (allocatable?.count !== undefined && allocatable.count < 0)
        causes.push(invalidValue(`${at}.allocatable.count`, allocatable.count, "must be greater than or equal to 0"));
      if (name && seen.has(name)) causes.push(duplicate(`${at}.name`, name));
      seen.add(name);
      return causes;
    });
  },
  validateUpdate(now, before) {
    const known = new Map(before.spec.drivers.map((driver) => [driver.name, driver]));
    return now.spec.drivers.flatMap((driver, index) => {
      const earlier = known.get(driver.name);
      if (!earlier || sameValue({ ...driver, allocatable: undefined }, { ...earlier, allocatable: undefined }))
        return [];
      return [invalidValue(`spec.drivers[${index}]`, driver, "field is immutable")];
    });
  },
});

export const csiStorageCapacities = strategyOf<CSIStorageCapacity>({
  validate: ({ storageClassName }) =>
    storageClassName
      ? named("storageClassName", storageClassName, dnsSubdomain(storageClassName))
      : [required("storageClassName")],
  validateUpdate: (now, before) => immutableFields(now, before, ["nodeTopology", "storageClassName"]),
});

export const volumeAttributesClasses = strategyOf<VolumeAttributesClass>({
  validate: ({ driverName, parameters }) => [
    ...(driverName
      ? named("driverName", driverName, dnsSubdomain(driverName.toLowerCase()))
      : [required("driverName")]),
    ...(Object.keys(parameters ?? {}).length > 0
      ? []
      : [required("parameters", "must contain at least one key/value pair")]),
  ],
  validateUpdate: (now, before) =>
    (["driverName", "parameters"] as const).flatMap((field) =>
      sameValue(now[field], before[field]) ? [] : [forbiddenField(field, `updates to ${field} are forbidden.`)],
    ),
});
