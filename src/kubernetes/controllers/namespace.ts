import { formatSeconds } from "../../clock/clock.js";
import type { Controller } from "../controller.js";
import { isStatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import { withCondition } from "../runtime/conditions.js";
import { isEqual } from "../runtime/hash.js";
import type { Namespace, NamespaceCondition } from "../schema/generated/types.js";
import { defineController, on } from "./define-controller.js";
import { messageOf } from "./pod-control.js";
import { servedResources } from "./served-resources.js";

/**
 * Deletes what is inside a namespace that is being deleted, pods first, and lets the namespace go once it is empty. Meanwhile its conditions tell what is
 * left and what holds it.
 */
const FINALIZER = "kubernetes";

/** Many deletions in a row are looked at together. */
const SETTLE_MS = 100;

interface Left {
  resource: string;
  objects: readonly KubeObject[];
}

export const namespaceController = (): Controller =>
  defineController({ name: "namespace-controller" }, (env) => {
    const { api, clock, queue } = env;
    const resources = servedResources(env, (info) => info.namespaced);
    const terminating = new Set<string>();

    const contents = (namespace: string): Left[] =>
      resources.names().flatMap((resource) => {
        const objects = api.list(resource, { namespace });
        return objects.length > 0 ? [{ resource, objects }] : [];
      });

    /** Deletes what is not on its way out yet; resolves with what went wrong. */
    const deleteAll = async (left: readonly Left[]): Promise<string[]> => {
      const failures: string[] = [];
      for (const { resource, objects } of left) {
        for (const { metadata } of objects) {
          if (metadata.deletionTimestamp) continue;
          const { namespace, name, uid } = metadata;
          try {
            await api.delete(
              resource,
              { namespace, name },
              { propagationPolicy: "Background", preconditions: { uid } },
            );
          } catch (error) {
            if (!isStatusError(error, "NotFound")) failures.push(messageOf(error));
          }
        }
      }
      return failures;
    };

    const reconcile = async (name: string): Promise<void> => {
      const namespace = api.get<Namespace>("namespaces", { name });
      if (!namespace?.metadata.deletionTimestamp) {
        terminating.delete(name);
        return queue.forget(name);
      }
      if (!namespace.spec?.finalizers?.includes(FINALIZER)) return;
      const present = contents(name);
      const pods = present.filter(({ resource }) => resource === "pods");
      // Pods go first, while what they may still need (NetworkPolicies, ConfigMaps) is there (upstream's OrderedNamespaceDeletion).
      const failures = await deleteAll(pods);
      if (api.list("pods", { namespace: name }).length === 0) failures.push(...(await deleteAll(present)));
      const left = contents(name);
      await writeStatus(name, left, failures);
      if (failures.length > 0) throw new Error(`namespace ${name}: ${failures.join("; ")}`);
      if (left.length === 0) await finalize(name);
    };

    const writeStatus = async (name: string, left: readonly Left[], failures: readonly string[]): Promise<void> => {
      const namespace = api.get<Namespace>("namespaces", { name });
      if (!namespace) return;
      const conditions = deletionConditions(namespace.status?.conditions, left, failures, clock.now());
      const status = { ...namespace.status, phase: "Terminating", conditions };
      if (!isEqual(status, namespace.status)) await api.updateStatus<Namespace>("namespaces", { ...namespace, status });
    };

    const finalize = async (name: string): Promise<void> => {
      const namespace = api.get<Namespace>("namespaces", { name });
      if (!namespace) return;
      const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER);
      const changed = { ...namespace, spec: { ...namespace.spec, finalizers } };
      await api.update<Namespace>("namespaces", changed, { subresource: "finalize" });
    };

    return {
      reconcile,
      watches: [
        on<Namespace>("namespaces", ({ type, object }) => {
          const { name, deletionTimestamp } = object.metadata;
          if (!deletionTimestamp || type === "DELETED") return terminating.has(name) ? name : undefined;
          if (terminating.has(name)) return undefined;
          terminating.add(name);
          return name;
        }),
      ],
      each: {
        resources,
        changesOnly: true,
        watch: (resource) =>
          on<KubeObject>(resource, ({ type, object }) => {
            const { namespace } = object.metadata;
            if (namespace && type !== "MODIFIED" && terminating.has(namespace)) queue.addAfter(namespace, SETTLE_MS);
            return undefined;
          }),
      },
    };
  });

interface Said {
  type: string;
  status: "True" | "False";
  reason: string;
  message: string;
}

const counted = (counts: ReadonlyMap<string, number>, text: (name: string, count: number) => string): string =>
  [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => text(name, count))
    .join(", ");

/** The five conditions of a namespace that is being deleted, in upstream's words. */
function deletionConditions(
  present: readonly NamespaceCondition[] | undefined,
  left: readonly Left[],
  failures: readonly string[],
  nowMs: number,
): NamespaceCondition[] {
  const remaining = new Map(left.map(({ resource, objects }) => [resource, objects.length] as const));
  const held = new Map<string, number>();
  for (const { objects } of left) {
    for (const { metadata } of objects) {
      for (const finalizer of metadata.finalizers ?? []) held.set(finalizer, (held.get(finalizer) ?? 0) + 1);
    }
  }
  const all: Said[] = [
    {
      type: "NamespaceDeletionDiscoveryFailure",
      status: "False",
      reason: "ResourcesDiscovered",
      message: "All resources successfully discovered",
    },
    {
      type: "NamespaceDeletionGroupVersionParsingFailure",
      status: "False",
      reason: "ParsedGroupVersions",
      message: "All legacy kube types successfully parsed",
    },
    failures.length > 0
      ? {
          type: "NamespaceDeletionContentFailure",
          status: "True",
          reason: "ContentDeletionFailed",
          message: `Failed to delete all resource types, ${failures.length} remaining: ${failures.join(", ")}`,
        }
      : {
          type: "NamespaceDeletionContentFailure",
          status: "False",
          reason: "ContentDeleted",
          message: "All content successfully deleted, may be waiting on finalization",
        },
    remaining.size > 0
      ? {
          type: "NamespaceContentRemaining",
          status: "True",
          reason: "SomeResourcesRemain",
          // The group follows the resource even when it is empty, hence the dot after core ones.
          message: `Some resources are remaining: ${counted(remaining, (name, count) => `${name.includes(".") ? name : `${name}.`} has ${count} resource instances`)}`,
        }
      : {
          type: "NamespaceContentRemaining",
          status: "False",
          reason: "ContentRemoved",
          message: "All content successfully removed",
        },
    held.size > 0
      ? {
          type: "NamespaceFinalizersRemaining",
          status: "True",
          reason: "SomeFinalizersRemain",
          message: `Some content in the namespace has finalizers remaining: ${counted(held, (name, count) => `${name} in ${count} resource instances`)}`,
        }
      : {
          type: "NamespaceFinalizersRemaining",
          status: "False",
          reason: "ContentHasNoFinalizers",
          message: "All content-preserving finalizers finished",
        },
  ];
  const lastTransitionTime = formatSeconds(nowMs);
  return all.reduce<NamespaceCondition[]>(
    (conditions, said) => withCondition(conditions, { ...said, lastTransitionTime }),
    (present ?? []) as NamespaceCondition[],
  );
}
