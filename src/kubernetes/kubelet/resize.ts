import { sameValue } from "../registry/strategies/equality.js";
import type { Shortage } from "../scheduler/plugins/node-resources.js";
import type { Container, Pod } from "../schema/generated/types.js";
import { type PodRuntime, specOf } from "./pod-runtime.js";

/** Resources of running pods that are changed in place (the resize subresource): given when the node has them, else waited for or refused. */

/** How often a resize that did not fit is tried again. */
export const RESIZE_RETRY_MS = 3_000;

const resizable = (pod: Pod): readonly Container[] => [
  ...(pod.spec?.containers ?? []),
  ...(pod.spec?.initContainers ?? []),
];

/** Names of the containers that ask for other resources than before. */
export function resizedContainers(before: Pod, after: Pod): string[] {
  const known = new Map(resizable(before).map((container) => [container.name, container.resources]));
  return resizable(after)
    .filter(({ name, resources }) => known.has(name) && !sameValue(known.get(name), resources))
    .map(({ name }) => name);
}

const allocation = (pod: Pod): NonNullable<PodRuntime["allocated"]> =>
  Object.fromEntries(resizable(pod).map(({ name, resources }) => [name, resources]));

/** `pod` is the pod as it was when it was given what it has. */
export function withPendingResize(runtime: PodRuntime, pod: Pod, lacks: readonly Shortage[]): PodRuntime {
  const never = lacks.find(({ requested, capacity }) => requested > capacity);
  const { resource, requested, used, capacity } = never ?? (lacks[0] as Shortage);
  const resizePending = never
    ? {
        reason: "Infeasible" as const,
        message: `Node didn't have enough capacity: ${resource}, requested: ${requested}, capacity: ${capacity}`,
      }
    : {
        reason: "Deferred" as const,
        message: `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`,
      };
  return { ...runtime, resizePending, allocated: runtime.allocated ?? allocation(pod) };
}

/** The pod has got what it asks for; containers whose policy says so are restarted for it. */
export function resized(runtime: PodRuntime, before: Pod, pod: Pod, changed: readonly string[]): PodRuntime {
  const { resizePending: _, ...rest } = runtime;
  const given = runtime.allocated ?? allocation(before);
  const containers = runtime.containers.map((container) => {
    const spec = specOf(pod, container);
    if (!spec || !changed.includes(container.name) || container.state.is !== "running") return container;
    const restarts = (spec.resizePolicy ?? []).some(
      ({ resourceName, restartPolicy }) =>
        restartPolicy === "RestartContainer" &&
        (["requests", "limits"] as const).some(
          (kind) => spec.resources?.[kind]?.[resourceName] !== given[container.name]?.[kind]?.[resourceName],
        ),
    );
    return restarts ? { ...container, restartForResize: true } : container;
  });
  return { ...rest, containers, allocated: allocation(pod) };
}
