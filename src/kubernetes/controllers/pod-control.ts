import { isStatusError } from "../errors.js";
import type { Draft, KubeObject } from "../object.js";
import { controllerReference } from "../runtime/owners.js";
import type { Pod, PodTemplateSpec } from "../schema/generated/types.js";
import type { Environment } from "./define-controller.js";

/** How every workload controller creates and deletes its pods: from a template, in batches, with an event on the owner for each. */

/** A pod of `template`, named after its owner. */
export function podFromTemplate(template: PodTemplateSpec | undefined, owner: KubeObject): Draft<Pod> {
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    metadata: {
      generateName: podPrefix(owner.metadata.name),
      namespace: owner.metadata.namespace,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [controllerReference(owner)],
    },
    spec: template?.spec,
  };
}

/** Without the dash when the name would become invalid with it (upstream's validation.ValidatePodName on the prefix). */
const podPrefix = (name: string): string => (name.length + 1 + 5 > 253 ? name.slice(0, 247) : `${name}-`);

/** A namespace that is being deleted takes no new objects, and the owner goes soon as well: nothing to tell anybody. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  isStatusError(error, "Forbidden") &&
  (error.details?.causes ?? []).some((cause) => cause.reason === "NamespaceTerminating");

/** Creates one pod for `owner`; a refusal becomes a FailedCreate event and is thrown on. */
export async function createPod({ api, events }: Environment, owner: KubeObject, pod: Draft<Pod>): Promise<Pod> {
  try {
    const created = await api.create<Pod>("pods", pod);
    events.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`);
    return created;
  } catch (error) {
    if (!isNamespaceTerminating(error))
      events.event(owner, "Warning", "FailedCreate", `Error creating: ${messageOf(error)}`);
    throw error;
  }
}

/** Deletes one pod of `owner` with the pod's own grace period. One that is gone already is no failure. */
export async function deletePod({ api, events }: Environment, owner: KubeObject, pod: Pod): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  try {
    await api.delete("pods", { namespace, name }, { preconditions: { uid } });
    events.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
  } catch (error) {
    if (isStatusError(error, "NotFound")) return;
    events.event(owner, "Warning", "FailedDelete", `Error deleting: ${messageOf(error)}`);
    throw error;
  }
}

/**
 * Calls `create` `count` times in batches of 1, 2, 4, ...: when the first of many is refused (a quota, a webhook), the rest is not even tried.
 * Resolves with the number of successes and the first error.
 */
export async function slowStartBatch(
  count: number,
  create: (index: number) => Promise<unknown>,
): Promise<{ successes: number; error?: unknown }> {
  let successes = 0;
  for (let batch = 1; successes < count; batch *= 2) {
    const size = Math.min(batch, count - successes);
    const results = await Promise.allSettled(Array.from({ length: size }, (_, i) => create(successes + i)));
    successes += results.filter((result) => result.status === "fulfilled").length;
    const failed = results.find((result) => result.status === "rejected");
    if (failed) return { successes, error: failed.reason };
  }
  return { successes };
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
