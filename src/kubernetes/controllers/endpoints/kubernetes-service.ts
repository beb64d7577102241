import type { Controller } from "../../controller.js";
import { isEqual } from "../../runtime/hash.js";
import type { EndpointSlice, Endpoints } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";

/**
 * The endpoints of the `kubernetes` Service: the control-plane members that are up. Every API server of a real cluster keeps them itself
 * (pkg/controlplane/controller/kubernetesservice with the lease reconciler); no other controller touches them.
 */
const KEY = { namespace: "default", name: "kubernetes" };
const SLICES = "endpointslices.discovery.k8s.io";
const PORT = { name: "https", port: 443, protocol: "TCP" };

export const kubernetesServiceController = (): Controller =>
  defineController({ name: "kubernetes-service-controller" }, (env) => {
    const { api, queue, members, onMembersChanged } = env;
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

    return {
      async reconcile() {
        const all = members?.() ?? [];
        const up = all.filter(({ state }) => state === "up");
        // Without a majority nobody can write; its return is a change of the members.
        if (up.length * 2 <= all.length || !api.get("namespaces", { name: KEY.namespace })) return;
        const addresses = up.map(({ address }) => address).sort();
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
