/**
 * Pods that wait for other resources than they have (the resize subresource). Their kubelet has not let go of the old ones: the scheduler counts the greater
 * of both, and only the old ones of a resize that the node can never grant. Rule: PodRequests with UseStatusResources upstream.
 */
import type { Pod } from "../schema/generated/types.js";
import type { PodInfo } from "./pod-info.js";
import { podAssumedRequests, podRequests, type RequestsOf, raiseTo } from "./resources.js";

/** `Deferred` or `Infeasible`; undefined for the many pods that wait for nothing. */
export function pendingResize({ status }: Pod): string | undefined {
  for (const { type, reason } of status?.conditions ?? []) if (type === "PodResizePending") return reason;
  return undefined;
}

/** The same object for pods that wait for no resize. */
export function withHeldResources(info: PodInfo): PodInfo {
  const { spec, status } = info.pod;
  const reason = pendingResize(info.pod);
  if (!reason || !spec) return info;
  const held = new Map(
    [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].map(
      ({ name, allocatedResources }) => [name, allocatedResources],
    ),
  );
  const seen =
    (of: RequestsOf): RequestsOf =>
    (container) => {
      const requests = held.get(container.name);
      const wanted = of(container);
      if (!requests) return wanted;
      const present = of({ ...container, resources: { ...container.resources, requests } });
      if (reason === "Infeasible") return present;
      const greater = { ...wanted, ...(wanted.scalars ? { scalars: { ...wanted.scalars } } : {}) };
      raiseTo(greater, present);
      return greater;
    };
  const demand = { ...info.demand, requests: podRequests(spec, seen), assumed: podAssumedRequests(spec, seen) };
  return { ...info, demand };
}
