import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { isEqual } from "../../runtime/hash.js";
import { controllerReference } from "../../runtime/owners.js";
import type { EndpointSlice, Node, Pod, Service } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { isNamespaceTerminating } from "../pod-control.js";
import { planSlices, type SlicePlan } from "./endpoint-slice-plan.js";
import { createGathering, hasEndpoints, isHeadless, podsBehind } from "./service-pods.js";

/** EndpointSlices of Services with a selector. The plan is in endpoint-slice-plan.ts. */
const RESOURCE = "endpointslices.discovery.k8s.io";
const SERVICE_NAME = "kubernetes.io/service-name";
const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const MANAGER = "endpointslice-controller.k8s.io";
const HEADLESS = "service.kubernetes.io/headless";
const ZONE = "topology.kubernetes.io/zone";

const IS_FAMILY: Readonly<Record<string, (address: string) => boolean>> = {
  IPv4: (address) => !address.includes(":"),
  IPv6: (address) => address.includes(":"),
};

export const endpointSliceController = (): Controller =>
  defineController({ name: "endpointslice-controller", component: "endpoint-slice-controller" }, (env) => {
    const { api, queue } = env;
    /** Our slices of each Service, by key. */
    const slicesOf = new Map<string, Map<string, EndpointSlice>>();
    const gathering = createGathering(api, queue);

    const serviceKey = (slice: EndpointSlice): string =>
      `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME]}`;
    const isOurs = (slice: EndpointSlice): boolean =>
      slice.metadata.labels?.[MANAGED_BY] === MANAGER && slice.metadata.labels[SERVICE_NAME] !== undefined;

    const reconcile = async (key: string): Promise<void> => {
      const service = api.get<Service>("services", parseKey(key));
      const present = [...(slicesOf.get(key)?.values() ?? [])];
      if (!service || service.metadata.deletionTimestamp) {
        gathering.note(key, 0);
        queue.forget(key);
        // The garbage collector takes them with the Service.
        return;
      }
      if (!hasEndpoints(service)) {
        // A Service that lost its selector keeps its slices: from now on they are the user's. ExternalName has none.
        if (service.spec?.type === "ExternalName") for (const slice of present) await remove(slice);
        return;
      }
      const { pods, selected } = podsBehind(api, service);
      gathering.note(key, selected);
      const families = service.spec?.ipFamilies ?? ["IPv4"];
      for (const family of families) {
        const isFamily = IS_FAMILY[family];
        if (!isFamily) continue;
        const ofFamily = present.filter((slice) => slice.addressType === family);
        const plan = planSlices({
          service,
          present: ofFamily,
          pods,
          addressOf: ({ status }) =>
            (status?.podIPs ?? [{ ip: status?.podIP }]).find(({ ip }) => ip !== undefined && isFamily(ip))?.ip,
          zoneOf: (nodeName) =>
            nodeName ? api.get<Node>("nodes", { name: nodeName })?.metadata.labels?.[ZONE] : undefined,
        });
        await carryOut(service, family, ofFamily, plan);
      }
      for (const slice of present) if (!families.includes(slice.addressType)) await remove(slice);
    };

    const carryOut = async (
      service: Service,
      addressType: string,
      present: readonly EndpointSlice[],
      plan: SlicePlan,
    ): Promise<void> => {
      const labels = labelsFor(service);
      const updates = new Map(plan.update.map((slice) => [slice.metadata.name, slice] as const));
      for (const slice of present) {
        if (plan.remove.includes(slice)) continue;
        const changed = updates.get(slice.metadata.name) ?? slice;
        if (changed === slice && isEqual(labels, slice.metadata.labels)) continue;
        await api.update<EndpointSlice>(RESOURCE, { ...changed, metadata: { ...slice.metadata, labels } });
      }
      try {
        for (const { ports, endpoints } of plan.create) {
          await api.create<EndpointSlice>(RESOURCE, {
            metadata: {
              generateName: `${service.metadata.name}-`,
              namespace: service.metadata.namespace,
              labels,
              ownerReferences: [controllerReference(service)],
            },
            addressType,
            endpoints,
            ...(ports ? { ports } : {}),
          });
        }
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
      for (const slice of plan.remove) await remove(slice);
    };

    const remove = async ({ metadata: { namespace, name, uid } }: EndpointSlice): Promise<void> => {
      try {
        await api.delete(RESOURCE, { namespace, name }, { preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    return {
      reconcile,
      watches: [
        on<EndpointSlice>(RESOURCE, ({ type, object }) => {
          if (!isOurs(object)) return undefined;
          const key = serviceKey(object);
          const slices = slicesOf.get(key) ?? new Map<string, EndpointSlice>();
          slicesOf.set(key, slices);
          if (type !== "DELETED") slices.set(object.metadata.name, object);
          else if (slices.delete(object.metadata.name) && slices.size === 0) slicesOf.delete(key);
          return key;
        }),
        on<Service>("services", ({ type, object }) => (type === "DELETED" ? undefined : keyOf(object))),
        on<Pod>("pods", gathering.keys),
        // A node's zone shows in its endpoints.
        on<Node>("nodes", ({ object, previous }) => {
          if (!previous || previous.metadata.labels?.[ZONE] === object.metadata.labels?.[ZONE]) return undefined;
          return [...slicesOf.keys()];
        }),
      ],
    };
  });

const RESERVED: ReadonlySet<string> = new Set([SERVICE_NAME, MANAGED_BY, HEADLESS]);

/** The Service's own labels, and those that clients find slices by. */
function labelsFor(service: Service): Record<string, string> {
  const own = Object.entries(service.metadata.labels ?? {}).filter(([key]) => !RESERVED.has(key));
  return {
    ...Object.fromEntries(own),
    [SERVICE_NAME]: service.metadata.name,
    [MANAGED_BY]: MANAGER,
    ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
  };
}
