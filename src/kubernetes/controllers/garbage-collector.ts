import type { WatchEvent } from "../api.js";
import type { Controller } from "../controller.js";
import { isStatusError } from "../errors.js";
import { type KubeObject, keyOf, parseKey } from "../object.js";
import { orAbsent } from "../runtime/absent.js";
import type { OwnerReference } from "../schema/object-meta.js";
import { type ResourceInfo, resourceName } from "../schema/resource-info.js";
import { defineController, on } from "./define-controller.js";
import { resourceOfReference, servedResources } from "./served-resources.js";

/**
 * Garbage collection by owner references. Background: dependents go once no owner is left. Foreground: an owner that is deleted waits for the dependents
 * that block it. Orphan: dependents lose the reference and stay. Upstream keeps a graph of its own; here the store's index by owner uid is that graph.
 */
const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";

/** Kinds that are never collected, as upstream's default ignored resources; leases and events would only cost time. */
const IGNORED: ReadonlySet<string> = new Set(["events"]);

/** Uids of departed owners that are remembered. */
const MOST_DEPARTED = 1_000;

type OwnerState = "solid" | "waiting" | "absent";

export const garbageCollector = (): Controller =>
  defineController({ name: "generic-garbage-collector", component: "garbage-collector-controller" }, (env) => {
    const { api, events, queue } = env;
    /** Owners that went lately: what they owned need not be asked about other namespaces. */
    const departed = new Set<string>();
    const resources = servedResources(env, (info) => !IGNORED.has(resourceName(info)));

    const workKey = (resource: string, object: KubeObject): string => `${resource} ${keyOf(object)}`;

    const ownerOf = (
      object: KubeObject,
      reference: OwnerReference,
    ): { info: ResourceInfo; owner?: KubeObject } | undefined => {
      const info = resourceOfReference(env, reference);
      if (!info) return undefined;
      const namespace = info.namespaced ? object.metadata.namespace : undefined;
      const owner = api.get(resourceName(info), { namespace, name: reference.name });
      return owner?.metadata.uid === reference.uid ? { info, owner } : { info };
    };

    /** An owner of a kind that is not served counts as there: nobody can know. */
    const stateOf = (object: KubeObject, reference: OwnerReference): OwnerState => {
      const found = ownerOf(object, reference);
      // Neither can it be known of an owner in a namespace when the object is in none.
      if (!found || (found.info.namespaced && !object.metadata.namespace)) return "solid";
      if (!found.owner) return "absent";
      return isWaiting(found.owner) ? "waiting" : "solid";
    };

    const dependentsOf = (owner: KubeObject): { resource: string; object: KubeObject }[] =>
      resources
        .names()
        .flatMap((resource) =>
          api.byIndex(resource, "ownerUid", owner.metadata.uid).map((object) => ({ resource, object })),
        );

    const reconcile = async (key: string): Promise<void> => {
      const space = key.indexOf(" ");
      const resource = key.slice(0, space);
      // A custom resource may have been withdrawn since.
      if (!resources.names().includes(resource)) return queue.forget(key);
      const object = api.get(resource, parseKey(key.slice(space + 1)));
      if (!object) return queue.forget(key);
      if (object.metadata.deletionTimestamp) {
        if (isWaiting(object)) await releaseForeground(resource, object);
        else if (object.metadata.finalizers?.includes(ORPHAN)) await orphanDependents(resource, object);
        return;
      }
      await collect(resource, object);
    };

    const collect = async (resource: string, object: KubeObject): Promise<void> => {
      const references = object.metadata.ownerReferences ?? [];
      const states = references.map((reference) => stateOf(object, reference));
      if (states.every((state) => state === "solid")) return;
      references.forEach((reference, i) => {
        if (states[i] === "absent") tellOfForeignOwner(object, reference);
      });
      if (states.includes("solid")) {
        await rewrite(resource, object, {
          ownerReferences: orAbsent(references.filter((_, i) => states[i] === "solid")),
        });
        return;
      }
      const finalizers = object.metadata.finalizers ?? [];
      const dependents = states.includes("waiting") ? dependentsOf(object) : [];
      // Owners in a circle would wait for each other for ever: the one that closes it lets go of its own.
      if (dependents.some((dependent) => isWaiting(dependent.object)))
        await rewrite(resource, object, {
          ownerReferences: references.map((reference) => ({ ...reference, blockOwnerDeletion: false })),
        });
      const propagationPolicy =
        dependents.length > 0
          ? "Foreground"
          : finalizers.includes(ORPHAN)
            ? "Orphan"
            : finalizers.includes(FOREGROUND)
              ? "Foreground"
              : "Background";
      const { namespace, name, uid } = object.metadata;
      try {
        await api.delete(resource, { namespace, name }, { propagationPolicy, preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    /** An owner in another namespace counts as absent, which is nearly always a mistake. */
    const tellOfForeignOwner = (object: KubeObject, reference: OwnerReference): void => {
      const { namespace } = object.metadata;
      const info = departed.has(reference.uid) ? undefined : resourceOfReference(env, reference);
      if (!info?.namespaced || !namespace) return;
      if (!api.list(resourceName(info)).some(({ metadata }) => metadata.uid === reference.uid)) return;
      const { apiVersion, kind, name, uid } = reference;
      const text = `[${apiVersion}/${kind}, namespace: ${namespace}, name: ${name}, uid: ${uid}]`;
      events.event(
        object,
        "Warning",
        "OwnerRefInvalidNamespace",
        `ownerRef ${text} does not exist in namespace "${namespace}"`,
      );
    };

    const releaseForeground = async (resource: string, owner: KubeObject): Promise<void> => {
      const { uid } = owner.metadata;
      const blocking = dependentsOf(owner).filter(({ object }) =>
        object.metadata.ownerReferences?.some((reference) => reference.uid === uid && reference.blockOwnerDeletion),
      );
      if (blocking.length === 0) return removeFinalizer(resource, owner, FOREGROUND);
      for (const { resource, object } of blocking)
        if (!object.metadata.deletionTimestamp) queue.add(workKey(resource, object));
    };

    const orphanDependents = async (resource: string, owner: KubeObject): Promise<void> => {
      const { uid } = owner.metadata;
      for (const { resource, object } of dependentsOf(owner)) {
        const ownerReferences = orAbsent(object.metadata.ownerReferences?.filter((reference) => reference.uid !== uid));
        await rewrite(resource, object, { ownerReferences });
      }
      await removeFinalizer(resource, owner, ORPHAN);
    };

    const removeFinalizer = (resource: string, object: KubeObject, finalizer: string): Promise<void> =>
      rewrite(resource, object, {
        finalizers: orAbsent(object.metadata.finalizers?.filter((present) => present !== finalizer)),
      });

    const rewrite = async (
      resource: string,
      object: KubeObject,
      change: Partial<KubeObject["metadata"]>,
    ): Promise<void> => {
      try {
        await api.update(resource, { ...object, metadata: { ...object.metadata, ...change } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    const noteDeparture = (uid: string): void => {
      departed.add(uid);
      const [first] = departed;
      if (departed.size > MOST_DEPARTED && first !== undefined) departed.delete(first);
    };

    /** What an event asks for: the object itself, its dependents, or an owner that waits for it. */
    const keysOf = (resource: string, { type, object, previous }: WatchEvent): string[] => {
      const keys: string[] = [];
      const references = object.metadata.ownerReferences;
      if (type === "DELETED") {
        noteDeparture(object.metadata.uid);
        for (const dependent of dependentsOf(object)) keys.push(workKey(dependent.resource, dependent.object));
      } else if (object.metadata.deletionTimestamp) {
        if (hasOwn(object) && previous?.metadata.finalizers !== object.metadata.finalizers)
          keys.push(workKey(resource, object));
      } else if (references && previous?.metadata.ownerReferences !== references) {
        if (references.some((reference) => stateOf(object, reference) !== "solid"))
          keys.push(workKey(resource, object));
      }
      // A dependent that went, or let go of its owner, may have been the last one to block it.
      const released = type === "DELETED" ? references : previous?.metadata.ownerReferences;
      if (released && (type === "DELETED" || released !== references)) {
        for (const reference of released) {
          const found = ownerOf(object, reference);
          if (found?.owner && isWaiting(found.owner)) keys.push(workKey(resourceName(found.info), found.owner));
        }
      }
      return keys;
    };

    return {
      reconcile,
      watches: [],
      each: { resources, watch: (resource) => on<KubeObject>(resource, (event) => keysOf(resource, event)) },
    };
  });

const isWaiting = (object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers?.includes(FOREGROUND) ?? false);

/** One of the two finalizers that are the garbage collector's. */
const hasOwn = (object: KubeObject): boolean =>
  object.metadata.finalizers?.some((finalizer) => finalizer === FOREGROUND || finalizer === ORPHAN) ?? false;
