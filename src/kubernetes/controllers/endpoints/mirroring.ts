import type { Controller } from "../../controller.js";
import { keyOf, parseKey } from "../../object.js";
import type {
  DiscoveryEndpointPort,
  Endpoint,
  EndpointAddress,
  EndpointSlice,
  Endpoints,
  Service,
} from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { type EndpointGroup, identity, planGroups, portsKey } from "./endpoint-slice-plan.js";
import { createOwnSlices, MANAGED_BY, SERVICE_NAME } from "./own-slices.js";
import { hasSelector } from "./service-pods.js";

/**
 * Mirrors Endpoints that somebody wrote for a Service without a selector into EndpointSlices, which is all that newer clients read. Upstream:
 * pkg/controller/endpointslicemirroring.
 */
const MANAGER = "endpointslicemirroring-controller.k8s.io";
const SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror";
const LEADER = "control-plane.alpha.kubernetes.io/leader";
/** Annotations that speak of the Endpoints object itself. */
const OWN_ANNOTATIONS: ReadonlySet<string> = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "endpoints.kubernetes.io/last-change-trigger-time",
]);
/** Addresses of one subset that are mirrored. */
const PER_SUBSET = 1000;
const FAMILIES = ["IPv4", "IPv6"] as const;

/** True for Endpoints that somebody else than us looks after. */
const isMirrored = ({ metadata: { labels, annotations } }: Endpoints): boolean =>
  labels?.[SKIP_MIRROR] !== "true" && annotations?.[LEADER] === undefined;

const endpointOf = ({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint => ({
  addresses: [ip],
  conditions: { ready },
  ...(hostname ? { hostname } : {}),
  ...(nodeName ? { nodeName } : {}),
  ...(targetRef ? { targetRef } : {}),
});

/** The slices' endpoints of one address family, and how many did not fit. */
function groupsOf(
  { subsets = [] }: Endpoints,
  family: string,
): { groups: Map<string, EndpointGroup>; skipped: number } {
  const groups = new Map<string, EndpointGroup>();
  let skipped = 0;
  for (const { addresses = [], notReadyAddresses = [], ports = [] } of subsets) {
    const of = (ip: string): boolean => ip.includes(":") === (family === "IPv6");
    const endpoints = [
      ...addresses.filter(({ ip }) => of(ip)).map((address) => endpointOf(address, true)),
      ...notReadyAddresses.filter(({ ip }) => of(ip)).map((address) => endpointOf(address, false)),
    ];
    if (endpoints.length === 0) continue;
    skipped += Math.max(0, endpoints.length - PER_SUBSET);
    const shown: DiscoveryEndpointPort[] = ports.map(({ name = "", port, protocol = "TCP", appProtocol }) => ({
      name,
      port,
      protocol,
      ...(appProtocol ? { appProtocol } : {}),
    }));
    const key = portsKey(shown);
    const group = groups.get(key) ?? { ports: shown, endpoints: new Map<string, Endpoint>() };
    groups.set(key, group);
    for (const endpoint of endpoints.slice(0, PER_SUBSET)) group.endpoints.set(identity(endpoint), endpoint);
  }
  return { groups, skipped };
}

export const endpointSliceMirroringController = (): Controller =>
  defineController(
    { name: "endpointslicemirroring-controller", component: "endpoint-slice-mirroring-controller" },
    (env) => {
      const { api, events } = env;
      const slices = createOwnSlices(env, MANAGER);

      const mirror = async (endpoints: Endpoints, present: readonly EndpointSlice[]): Promise<void> => {
        const labels = {
          ...endpoints.metadata.labels,
          [SERVICE_NAME]: endpoints.metadata.name,
          [MANAGED_BY]: MANAGER,
        };
        const kept = Object.entries(endpoints.metadata.annotations ?? {}).filter(([key]) => !OWN_ANNOTATIONS.has(key));
        const annotations = kept.length > 0 ? Object.fromEntries(kept) : undefined;
        for (const addressType of FAMILIES) {
          const ofFamily = present.filter((slice) => slice.addressType === addressType);
          const { groups, skipped } = groupsOf(endpoints, addressType);
          if (skipped > 0) {
            const message = `A max of ${PER_SUBSET} addresses can be mirrored to EndpointSlices per Endpoints subset. ${skipped} addresses were skipped`;
            events.event(endpoints, "Warning", "TooManyAddressesToMirror", message);
          }
          const plan = planGroups(groups, ofFamily, PER_SUBSET);
          const metadata = { labels, annotations };
          await slices.carryOut({ owner: endpoints, metadata, addressType, present: ofFamily, plan });
        }
      };

      return {
        async reconcile(key) {
          const present = slices.of(key);
          const endpoints = api.get<Endpoints>("endpoints", parseKey(key));
          const service = api.get<Service>("services", parseKey(key));
          if (!endpoints || !isMirrored(endpoints) || !service || hasSelector(service)) {
            for (const slice of present) await slices.remove(slice);
            return;
          }
          await mirror(endpoints, present);
        },
        watches: [
          slices.watch,
          on<Endpoints>("endpoints", ({ type, object }) => {
            // The endpoints of Services with a selector have slices of their own, and are most.
            const own = object.metadata.labels?.["endpoints.kubernetes.io/managed-by"] !== undefined;
            return own && type !== "DELETED" && !slices.has(keyOf(object)) ? undefined : keyOf(object);
          }),
          on<Service>("services", ({ type, object, previous }) =>
            type === "DELETED" || !previous || hasSelector(previous) !== hasSelector(object)
              ? keyOf(object)
              : undefined,
          ),
        ],
      };
    },
  );
