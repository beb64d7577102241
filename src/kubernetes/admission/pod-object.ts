/** What plugins that look at pods share: which requests are theirs, and changing a pod's containers without writing to shared objects. */
import type { Container, Pod, PodSpec } from "../schema/generated/types.js";
import type { AdmissionRequest } from "./plugin.js";

/** The pod of a request that creates (or, when asked for, updates) one; undefined for every other request. */
export function podOf(
  { operation, info, subresource, object }: AdmissionRequest,
  operations: readonly string[] = ["CREATE"],
): (Pod & { spec: PodSpec }) | undefined {
  if (info.resource !== "pods" || info.group !== "" || subresource || !operations.includes(operation)) return undefined;
  const pod = object as Pod | undefined;
  return pod?.spec ? (pod as Pod & { spec: PodSpec }) : undefined;
}

/** Every container and init container passed through `change`; a spec with nothing changed is the same spec. */
export function mapContainers(spec: PodSpec, change: (container: Container) => Container): PodSpec {
  let result = spec;
  for (const list of ["containers", "initContainers"] as const) {
    const before = result[list];
    if (!before) continue;
    const after = before.map(change);
    if (after.some((container, index) => container !== before[index])) result = { ...result, [list]: after };
  }
  return result;
}

export const allContainers = (spec: PodSpec): Container[] => [...(spec.initContainers ?? []), ...spec.containers];
