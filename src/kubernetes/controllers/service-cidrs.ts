import { formatSeconds } from "../../clock/clock.js";
import type { Controller } from "../controller.js";
import { addressRange } from "../registry/strategies/service-addresses.js";
import { orAbsent } from "../runtime/absent.js";
import { conditionOf, withCondition } from "../runtime/conditions.js";
import type { IPAddress, ServiceCIDR } from "../schema/generated/types.js";
import { defineController, on } from "./define-controller.js";

/**
 * Ranges of cluster IPs: makes new ones ready to be allocated from, and keeps those that are deleted as long as addresses of theirs are in use that no other
 * range holds. Upstream: pkg/controller/servicecidrs.
 */
const SERVICE_CIDRS = "servicecidrs.networking.k8s.io";
const ADDRESSES = "ipaddresses.networking.k8s.io";
const FINALIZER = "networking.k8s.io/service-cidr-finalizer";
/** How long a range is out of use before it goes, so that every API server has heard of it, ms. */
const GRACE_MS = 10_000;

const isReadyRange = ({ metadata, status }: ServiceCIDR): boolean =>
  metadata.deletionTimestamp === undefined && conditionOf(status?.conditions, "Ready")?.status === "True";

const contains = ({ spec }: ServiceCIDR, address: string): boolean =>
  (spec?.cidrs ?? []).some((cidr) => addressRange(cidr).offsetOf(address) !== undefined);

export const serviceCidrController = (): Controller =>
  defineController({ name: "service-cidrs-controller" }, ({ api, clock, events, queue }) => {
    const setReady = async (range: ServiceCIDR, status: string, reason: string, message: string): Promise<void> => {
      const present = range.status?.conditions;
      const lastTransitionTime = formatSeconds(clock.now());
      const conditions = withCondition(present, { type: "Ready", status, reason, message, lastTransitionTime });
      if (conditions !== present)
        await api.updateStatus<ServiceCIDR>(SERVICE_CIDRS, { ...range, status: { ...range.status, conditions } });
    };

    /** Writes the finalizers; the present object, since its status is written next. */
    const setFinalizers = (range: ServiceCIDR, finalizers: readonly string[]): Promise<ServiceCIDR> =>
      api.update<ServiceCIDR>(SERVICE_CIDRS, {
        ...range,
        metadata: { ...range.metadata, finalizers: orAbsent([...finalizers]) },
      });

    const isNeeded = (range: ServiceCIDR): boolean => {
      const others = api.list<ServiceCIDR>(SERVICE_CIDRS).filter((other) => other !== range && isReadyRange(other));
      return api
        .list<IPAddress>(ADDRESSES)
        .some(({ metadata: { name } }) => contains(range, name) && !others.some((other) => contains(other, name)));
    };

    const end = async (range: ServiceCIDR): Promise<void> => {
      const { name, finalizers = [], deletionTimestamp } = range.metadata;
      if (!finalizers.includes(FINALIZER)) return;
      if (isNeeded(range)) {
        const message =
          "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
        return setReady(range, "False", "Terminating", message);
      }
      const leftMs = Date.parse(deletionTimestamp ?? "") + GRACE_MS - clock.now();
      if (leftMs > 0) return queue.addAfter(name, leftMs);
      await setFinalizers(
        range,
        finalizers.filter((finalizer) => finalizer !== FINALIZER),
      );
    };

    return {
      async reconcile(name) {
        const range = api.get<ServiceCIDR>(SERVICE_CIDRS, { name });
        if (!range) return queue.forget(name);
        const { finalizers = [], deletionTimestamp } = range.metadata;
        if (deletionTimestamp) return end(range);
        const held = finalizers.includes(FINALIZER) ? range : await setFinalizers(range, [...finalizers, FINALIZER]);
        if (isReadyRange(held)) return;
        await setReady(held, "True", "", "Kubernetes Service CIDR is ready");
        events.event(held, "Normal", "KubernetesServiceCIDRReady", "Kubernetes Service CIDR is ready");
      },
      watches: [
        on<ServiceCIDR>(SERVICE_CIDRS, ({ type, object }) => (type === "DELETED" ? undefined : object.metadata.name)),
        // An address that is free again may have been the last one of a range on its way out.
        on<IPAddress>(ADDRESSES, ({ type }) =>
          type === "DELETED"
            ? api
                .list<ServiceCIDR>(SERVICE_CIDRS)
                .filter(({ metadata }) => metadata.deletionTimestamp)
                .map(({ metadata }) => metadata.name)
            : undefined,
        ),
      ],
    };
  });
