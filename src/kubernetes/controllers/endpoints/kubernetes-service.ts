import type { Controller } from "../../controller.js";
import type { Member } from "../../members.js";
import { isEqual } from "../../runtime/hash.js";
import type { EndpointSlice, Endpoints } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";

/**
 * The endpoints of the `kubernetes` Service: the control-plane members that serve. Every API server of a real cluster keeps them itself
 * (pkg/controlplane/controller/kubernetesservice with the lease reconciler); no other controller touches them. One that is gone stays among them until its
 * lease is over.
 */
const KEY = { namespace: "default", name: "kubernetes" };
const SLICES = "endpointslices.discovery.k8s.io";
/** DefaultEndpointReconcilerTTL. */
const LEASE_MS = 15_000;
const PORT = { name: "https", port: 443, protocol: "TCP" };

export const kubernetesServiceController = (): Controller =>
  defineController({ name: "kubernetes-service-controller" }, (env) => {
    const { api, clock, queue, members, onMembersChanged } = env;
    /** When each member was first seen not to serve, by id. */
    const lostMs = new Map<string, number>();
    const stop = onMembersChanged?.(() => queue.add(KEY.name));

    const writeEndpoints = async (addresses: readonly string[]): Promise<void> => {
      const subsets = addresses.length ? [{ addresses: addresses.map((ip) => ({ ip })), ports: [PORT] }] : undefined;
      const labels = { "endpointslice.kubernetes.io/skip-mirror": "true" };
      const present = api.get<Endpoints>("endpoints", KEY);
      if (!present) await api.create<Endpoints>("endpoints", { metadata: { ...KEY, labels }, subsets });
      else if (!isEqual(present.subsets, subsets) || !isEqual(present.metadata.labels, labels))
        await api.update<Endpoints>("endpoints", { ...present, metadata: { ...present.metadata, labels }, subsets });
    };

    const writeSlice = async (addresses: readonly string[]): Promise<void> => {
      const addressType = addresses[0]?.includes(":") ? "IPv6" : "IPv4";
      const labels = { "kubernetes.io/service-name": KEY.name };
      const endpoints = addresses.map((address) => ({ addresses: [address], conditions: { ready: true } }));
      const wanted = { addressType, endpoints, ports: [PORT] };
      const present = api.get<EndpointSlice>(SLICES, KEY);
      if (present && present.addressType !== addressType) await api.delete(SLICES, KEY);
      else if (present) {
        const { endpoints: before, ports } = present;
        if (isEqual({ addressType, endpoints: before, ports }, wanted) && isEqual(present.metadata.labels, labels))
          return;
        await api.update<EndpointSlice>(SLICES, { ...present, ...wanted, metadata: { ...present.metadata, labels } });
        return;
      }
      await api.create<EndpointSlice>(SLICES, { metadata: { ...KEY, labels }, ...wanted });
    };

    /** Whether the lease of a member that does not serve any more still runs: it is one that had an endpoint. */
    const isLeased = ({ id, address }: Member): boolean => {
      const since = lostMs.get(id) ?? clock.now();
      lostMs.set(id, since);
      const leftMs = since + LEASE_MS - clock.now();
      if (leftMs <= 0) return false;
      const { subsets = [] } = api.get<Endpoints>("endpoints", KEY) ?? {};
      if (!subsets.some(({ addresses }) => addresses?.some(({ ip }) => ip === address))) return false;
      queue.addAfter(KEY.name, leftMs);
      return true;
    };

    return {
      async reconcile() {
        const all = members?.() ?? [];
        for (const { id, serving } of all) if (serving) lostMs.delete(id);
        // Without a majority nobody can write; its return is a change of the members.
        if (!all.some(({ serving }) => serving) || !api.get("namespaces", { name: KEY.namespace })) return;
        const addresses = all
          .filter((member) => member.serving || isLeased(member))
          .map(({ address }) => address)
          .sort();
        await writeEndpoints(addresses);
        await writeSlice(addresses);
      },
      watches: [
        on<Endpoints>("endpoints", ({ object: { metadata } }) =>
          metadata.name === KEY.name && metadata.namespace === KEY.namespace ? KEY.name : undefined,
        ),
        on<EndpointSlice>(SLICES, ({ object: { metadata } }) =>
          metadata.name === KEY.name && metadata.namespace === KEY.namespace ? KEY.name : undefined,
        ),
      ],
      start: () => queue.add(KEY.name),
      stop: () => stop?.(),
    };
  });
