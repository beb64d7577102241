import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { type KubeObject, keyOf, parseKey } from "../../object.js";
import { orAbsent } from "../../runtime/absent.js";
import { isPodTerminal } from "../../runtime/pods.js";
import { claimNamesOf } from "../../runtime/volumes.js";
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  VolumeAttributesClass,
} from "../../schema/generated/types.js";
import { defineController, type Environment, on } from "../define-controller.js";
import { CLAIMS, VOLUMES } from "./binder.js";
import { ATTRIBUTE_CLASSES } from "./resizer.js";

/**
 * Storage that is in use does not go: admission puts a finalizer on every claim and volume, and these two controllers take it off once a deleted claim has
 * no pod left, or a deleted volume no claim.
 */
const CLAIM_FINALIZER = "kubernetes.io/pvc-protection";
const VOLUME_FINALIZER = "kubernetes.io/pv-protection";
const ATTRIBUTES_FINALIZER = "kubernetes.io/vac-protection";

const isLeaving = ({ metadata }: KubeObject, finalizer: string): boolean =>
  metadata.deletionTimestamp !== undefined && (metadata.finalizers?.includes(finalizer) ?? false);

async function release({ api }: Environment, resource: string, object: KubeObject, finalizer: string): Promise<void> {
  const finalizers = orAbsent(object.metadata.finalizers?.filter((present) => present !== finalizer));
  try {
    await api.update(resource, { ...object, metadata: { ...object.metadata, finalizers } });
  } catch (error) {
    if (!isStatusError(error, "NotFound")) throw error;
  }
}

export const claimProtectionController = (): Controller =>
  defineController({ name: "pvc-protection-controller" }, (env) => ({
    async reconcile(key) {
      const claim = env.api.get<PersistentVolumeClaim>(CLAIMS, parseKey(key));
      if (!claim || !isLeaving(claim, CLAIM_FINALIZER)) return;
      const { namespace, name } = claim.metadata;
      const pods = env.api.list<Pod>("pods", { namespace });
      if (pods.some((pod) => !isPodTerminal(pod) && claimNamesOf(pod).includes(name))) return;
      await release(env, CLAIMS, claim, CLAIM_FINALIZER);
    },
    watches: [
      on<PersistentVolumeClaim>(CLAIMS, ({ object }) =>
        isLeaving(object, CLAIM_FINALIZER) ? keyOf(object) : undefined,
      ),
      on<Pod>("pods", ({ type, object }) =>
        type === "DELETED" || isPodTerminal(object)
          ? claimNamesOf(object).map((name) => `${object.metadata.namespace}/${name}`)
          : undefined,
      ),
    ],
  }));

/** VolumeAttributesClasses that claims or volumes name stay as well. */
export const attributesProtectionController = (): Controller =>
  defineController({ name: "volumeattributesclass-protection-controller" }, (env) => {
    const { api } = env;
    const leaving = (): string[] =>
      api
        .list<VolumeAttributesClass>(ATTRIBUTE_CLASSES)
        .filter((object) => isLeaving(object, ATTRIBUTES_FINALIZER))
        .map(({ metadata }) => metadata.name);
    return {
      async reconcile(name) {
        const object = api.get<VolumeAttributesClass>(ATTRIBUTE_CLASSES, { name });
        if (!object || !isLeaving(object, ATTRIBUTES_FINALIZER)) return;
        const isNamed =
          api.list<PersistentVolume>(VOLUMES).some(({ spec }) => spec?.volumeAttributesClassName === name) ||
          api
            .list<PersistentVolumeClaim>(CLAIMS)
            .some(({ spec, status }) =>
              [
                spec?.volumeAttributesClassName,
                status?.currentVolumeAttributesClassName,
                status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
              ].includes(name),
            );
        if (!isNamed) await release(env, ATTRIBUTE_CLASSES, object, ATTRIBUTES_FINALIZER);
      },
      watches: [
        on<VolumeAttributesClass>(ATTRIBUTE_CLASSES, ({ object }) =>
          isLeaving(object, ATTRIBUTES_FINALIZER) ? object.metadata.name : undefined,
        ),
        on<PersistentVolumeClaim>(CLAIMS, ({ type }) => (type === "ADDED" ? undefined : leaving())),
        on<PersistentVolume>(VOLUMES, ({ type }) => (type === "ADDED" ? undefined : leaving())),
      ],
    };
  });

export const volumeProtectionController = (): Controller =>
  defineController({ name: "pv-protection-controller" }, (env) => ({
    async reconcile(key) {
      const volume = env.api.get<PersistentVolume>(VOLUMES, parseKey(key));
      if (volume && isLeaving(volume, VOLUME_FINALIZER) && volume.status?.phase !== "Bound") {
        await release(env, VOLUMES, volume, VOLUME_FINALIZER);
      }
    },
    watches: [
      on<PersistentVolume>(VOLUMES, ({ object }) => (isLeaving(object, VOLUME_FINALIZER) ? keyOf(object) : undefined)),
    ],
  }));
