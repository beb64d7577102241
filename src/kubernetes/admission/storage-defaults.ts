/** DefaultStorageClass, StorageObjectInUseProtection, PersistentVolumeClaimResize, DefaultIngressClass. */
import { forbidden } from "../errors.js";
import type { KubeObject } from "../object.js";
import { compareQuantities } from "../registry/quantity.js";
import type { Ingress, IngressClass, PersistentVolumeClaim, StorageClass } from "../schema/generated/types.js";
import { resourceName } from "../schema/resource-info.js";
import type { AdmissionPlugin, AdmissionReader } from "./plugin.js";

const DEFAULT_STORAGE_CLASS = "storageclass.kubernetes.io/is-default-class";
const DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class";
const LEGACY_STORAGE_CLASS = "volume.beta.kubernetes.io/storage-class";
const LEGACY_INGRESS_CLASS = "kubernetes.io/ingress.class";

/** Classes that an annotation marks as the default, newest first, then by name. */
function marked<T extends KubeObject>(reader: AdmissionReader, resource: string, annotation: string): T[] {
  const classes = reader.list(resource).filter(({ metadata }) => metadata.annotations?.[annotation] === "true") as T[];
  return classes.sort((a, b) =>
    a.metadata.creationTimestamp === b.metadata.creationTimestamp
      ? a.metadata.name < b.metadata.name
        ? -1
        : 1
      : a.metadata.creationTimestamp > b.metadata.creationTimestamp
        ? -1
        : 1,
  );
}

export const defaultStorageClass: AdmissionPlugin = {
  name: "DefaultStorageClass",
  admit({ operation, info, subresource, object }, reader) {
    if (info.resource !== "persistentvolumeclaims" || operation !== "CREATE" || subresource) return;
    const claim = object as PersistentVolumeClaim;
    if (
      !claim.spec ||
      claim.spec.storageClassName !== undefined ||
      claim.metadata.annotations?.[LEGACY_STORAGE_CLASS] !== undefined
    )
      return;
    const [first] = marked<StorageClass>(reader, "storageclasses.storage.k8s.io", DEFAULT_STORAGE_CLASS);
    if (first) claim.spec = { ...claim.spec, storageClassName: first.metadata.name };
  },
};

const PROTECTION: Readonly<Record<string, string>> = {
  persistentvolumeclaims: "kubernetes.io/pvc-protection",
  persistentvolumes: "kubernetes.io/pv-protection",
  "volumeattributesclasses.storage.k8s.io": "kubernetes.io/vac-protection",
};

export const storageObjectInUseProtection: AdmissionPlugin = {
  name: "StorageObjectInUseProtection",
  admit({ operation, info, subresource, object }) {
    const finalizer = PROTECTION[resourceName(info)];
    if (!finalizer || operation !== "CREATE" || subresource || !object) return;
    const finalizers = object.metadata.finalizers ?? [];
    if (!finalizers.includes(finalizer)) object.metadata.finalizers = [...finalizers, finalizer];
  },
};

export const persistentVolumeClaimResize: AdmissionPlugin = {
  name: "PersistentVolumeClaimResize",
  validate({ operation, info, subresource, object, previous, name }, reader) {
    if (info.resource !== "persistentvolumeclaims" || operation !== "UPDATE" || subresource) return;
    const [now, before] = [object, previous].map(
      (claim) => (claim as PersistentVolumeClaim).spec?.resources?.requests?.storage,
    );
    if (now === undefined || before === undefined || compareQuantities(now, before) <= 0) return;
    const claim = previous as PersistentVolumeClaim;
    if (claim.status?.phase !== "Bound")
      throw forbidden("", "persistentvolumeclaims", name, "Only bound persistent volume claims can be expanded");
    const className = claim.spec?.storageClassName ?? claim.metadata.annotations?.[LEGACY_STORAGE_CLASS];
    const storageClass = className
      ? (reader.get("storageclasses.storage.k8s.io", { name: className }) as StorageClass | undefined)
      : undefined;
    if (storageClass?.allowVolumeExpansion !== true) {
      throw forbidden(
        "",
        "persistentvolumeclaims",
        name,
        "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize",
      );
    }
  },
};

export const defaultIngressClass: AdmissionPlugin = {
  name: "DefaultIngressClass",
  admit({ operation, info, subresource, object }, reader) {
    if (info.resource !== "ingresses" || operation !== "CREATE" || subresource) return;
    const ingress = object as Ingress;
    if (!ingress.spec || ingress.spec.ingressClassName || ingress.metadata.annotations?.[LEGACY_INGRESS_CLASS]) return;
    const [first] = marked<IngressClass>(reader, "ingressclasses.networking.k8s.io", DEFAULT_INGRESS_CLASS);
    if (first) ingress.spec = { ...ingress.spec, ingressClassName: first.metadata.name };
  },
};
