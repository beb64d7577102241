import type { KubeApi } from "../api.js";
import type { KubeObject } from "../object.js";
import type { ObjectMeta, OwnerReference } from "../schema/object-meta.js";

/** Owner references: who controls an object, and what an object owns. */

interface Owned {
  metadata: Pick<ObjectMeta, "ownerReferences">;
}

/** The one owner that manages the object, if any. */
export function controllerOf(object: Owned): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

export function isControlledBy(object: Owned, owner: KubeObject): boolean {
  return controllerOf(object)?.uid === owner.metadata.uid;
}

/** The reference that a controller puts on what it creates for `owner`. */
export function controllerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** Objects of `resource` that `owner` controls, in store order. */
export function controlledBy<T extends KubeObject>(api: KubeApi, resource: string, owner: KubeObject): T[] {
  return api.byIndex<T>(resource, "ownerUid", owner.metadata.uid).filter((object) => isControlledBy(object, owner));
}
