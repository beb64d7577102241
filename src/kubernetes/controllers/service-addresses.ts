import type { Controller } from "../controller.js";
import { isStatusError } from "../errors.js";
import type { IPAddress, Service } from "../schema/generated/types.js";
import { defineController, on } from "./define-controller.js";

/** Keeps an IPAddress for every cluster IP, which says whose it is. The allocation itself is the registry's, together with the Service. */
const RESOURCE = "ipaddresses.networking.k8s.io";
const HEADLESS = "None";
const MANAGED_BY = "ipaddress.kubernetes.io/managed-by";
const ALLOCATOR = "ipallocator.k8s.io";

export const serviceAddressController = (): Controller =>
  defineController({ name: "service-ip-address-controller" }, ({ api }) => {
    /** Services by their addresses. */
    const owners = new Map<string, { namespace: string; name: string }>();
    const addressesOf = ({ spec }: Service): string[] =>
      (spec?.clusterIPs ?? []).filter((address) => address !== HEADLESS && address !== "");
    return {
      async reconcile(address) {
        const owner = owners.get(address);
        const found = api.get<IPAddress>(RESOURCE, { name: address });
        const parent = found?.spec?.parentRef;
        // Addresses of others (load balancers, gateways) are theirs.
        if (found && found.metadata.labels?.[MANAGED_BY] !== ALLOCATOR) return;
        if (found && (!owner || parent?.name !== owner.name || parent.namespace !== owner.namespace)) {
          await api.delete(RESOURCE, { name: address }).catch((error: unknown) => {
            if (!isStatusError(error, "NotFound")) throw error;
          });
        } else if (owner && !found) {
          const labels = {
            "ipaddress.kubernetes.io/ip-family": address.includes(":") ? "IPv6" : "IPv4",
            [MANAGED_BY]: ALLOCATOR,
          };
          const parentRef = { group: "", resource: "services", ...owner };
          await api.create<IPAddress>(RESOURCE, { metadata: { name: address, labels }, spec: { parentRef } });
        }
      },
      watches: [
        on<Service>("services", ({ type, object, previous }) => {
          const { namespace = "", name } = object.metadata;
          const now = type === "DELETED" ? [] : addressesOf(object);
          const before = type === "DELETED" ? addressesOf(object) : previous ? addressesOf(previous) : [];
          const lost = before.filter((address) => !now.includes(address) && owners.get(address)?.name === name);
          const won = now.filter((address) => !owners.has(address));
          for (const address of lost) owners.delete(address);
          for (const address of won) owners.set(address, { namespace, name });
          return [...lost, ...won];
        }),
        // One that was taken away while its Service lives comes back; the deletion of another's makes room for the right one.
        on<IPAddress>(RESOURCE, ({ type, object }) => (type === "MODIFIED" ? undefined : object.metadata.name)),
      ],
    };
  });
