import type { Controller } from "../../controller.js";
import { keyOf, parseKey } from "../../object.js";
import { isConditionTrue } from "../../runtime/conditions.js";
import type { Endpoint, Node, Pod, Service } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { planSlices } from "./endpoint-slice-plan.js";
import { createOwnSlices, MANAGED_BY, SERVICE_NAME } from "./own-slices.js";
import { createGathering, hasEndpoints, isHeadless, podsBehind } from "./service-pods.js";
import { cpuShares, hintsByCpu, hintsByDistance, isAuto } from "./topology-hints.js";

/** EndpointSlices of Services with a selector. The plan is in endpoint-slice-plan.ts. */
const MANAGER = "endpointslice-controller.k8s.io";
const HEADLESS = "service.kubernetes.io/headless";
const ZONE = "topology.kubernetes.io/zone";

const IS_FAMILY: Readonly<Record<string, (address: string) => boolean>> = {
  IPv4: (address) => !address.includes(":"),
  IPv6: (address) => address.includes(":"),
};

export const endpointSliceController = (): Controller =>
  defineController({ name: "endpointslice-controller", component: "endpoint-slice-controller" }, (env) => {
    const { api, events, queue, withdrawnZones } = env;
    const slices = createOwnSlices(env, MANAGER);
    const gathering = createGathering(api, queue);
    /** Services of topology mode Auto, by key. */
    const autos = new Set<string>();

    const zoneOf = (nodeName: string | undefined): string | undefined =>
      nodeName ? api.get<Node>("nodes", { name: nodeName })?.metadata.labels?.[ZONE] : undefined;
    const isWithdrawn = ({ spec }: Pod): boolean => withdrawnZones?.has(zoneOf(spec?.nodeName) ?? "") === true;
    const stopFollowing = withdrawnZones?.onChange(() => {
      for (const service of api.list<Service>("services")) if (hasEndpoints(service)) queue.add(keyOf(service));
    });

    const reconcile = async (key: string): Promise<void> => {
      const service = api.get<Service>("services", parseKey(key));
      const present = slices.of(key);
      if (!service || service.metadata.deletionTimestamp) {
        gathering.note(key, 0);
        queue.forget(key);
        // The garbage collector takes them with the Service.
        return;
      }
      if (!hasEndpoints(service)) {
        // A Service that lost its selector keeps its slices: from now on they are the user's. ExternalName has none.
        if (service.spec?.type === "ExternalName") for (const slice of present) await slices.remove(slice);
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
          pods: pods.filter((pod) => !isWithdrawn(pod)),
          addressOf: ({ status }) =>
            (status?.podIPs ?? [{ ip: status?.podIP }]).find(({ ip }) => ip !== undefined && isFamily(ip))?.ip,
          zoneOf,
          hint: hinting(service, family),
        });
        const metadata = { labels: labelsFor(service) };
        await slices.carryOut({ owner: service, metadata, addressType: family, present: ofFamily, plan });
      }
      for (const slice of present) if (!families.includes(slice.addressType)) await slices.remove(slice);
    };

    /** What was last said about the hints of a Service of topology mode Auto, by key and family. */
    const told = new Map<string, string>();
    const tell = (service: Service, family: string, refused: string | undefined): void => {
      const about = `${keyOf(service)} ${family}`;
      const before = told.get(about);
      const now = refused ?? "";
      if (before === now || (before === undefined && refused === undefined && !isAuto(service))) return;
      told.set(about, now);
      const where = `, addressType: ${family}`;
      if (refused) events.event(service, "Warning", "TopologyAwareHintsDisabled", `${refused}${where}`);
      else
        events.event(service, "Normal", "TopologyAwareHintsEnabled", `Topology Aware Hints has been enabled${where}`);
    };

    const hinting = (service: Service, family: string) => {
      if (isAuto(service)) {
        return (endpoints: readonly Endpoint[]) => {
          const hints = hintsByCpu(cpuShares(api.list<Node>("nodes")), endpoints);
          tell(service, family, hints.refused);
          return hints.endpoints ?? endpoints;
        };
      }
      const distribution = service.spec?.trafficDistribution;
      return distribution ? (endpoints: readonly Endpoint[]) => hintsByDistance(distribution, endpoints) : undefined;
    };

    return {
      reconcile,
      stop: () => stopFollowing?.(),
      watches: [
        slices.watch,
        on<Service>("services", ({ type, object }) => {
          const key = keyOf(object);
          if (type !== "DELETED" && isAuto(object)) autos.add(key);
          else autos.delete(key);
          return type === "DELETED" ? undefined : key;
        }),
        on<Pod>("pods", gathering.keys),
        // A node's zone shows in its endpoints; its CPUs count in the hints of topology mode Auto.
        on<Node>("nodes", ({ type, object, previous }) => {
          const zoneChanged = previous && previous.metadata.labels?.[ZONE] !== object.metadata.labels?.[ZONE];
          if (zoneChanged) return slices.keys();
          const sameCpus =
            type === "MODIFIED" &&
            previous?.status?.allocatable?.cpu === object.status?.allocatable?.cpu &&
            isConditionTrue(previous?.status?.conditions, "Ready") ===
              isConditionTrue(object.status?.conditions, "Ready");
          return sameCpus ? undefined : [...autos];
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
