import type { Controller } from "../../controller.js";
import { isStatusError } from "../../errors.js";
import { keyOf, parseKey } from "../../object.js";
import { isEqual } from "../../runtime/hash.js";
import { isPodReady } from "../../runtime/pods.js";
import type { EndpointAddress, EndpointSubset, Endpoints, Pod, Service } from "../../schema/generated/types.js";
import { defineController, on } from "../define-controller.js";
import { isNamespaceTerminating } from "../pod-control.js";
import {
  createGathering,
  hasEndpoints,
  hostnameOf,
  isHeadless,
  podsBehind,
  portsOf,
  type ResolvedPort,
} from "./service-pods.js";

/** The older Endpoints objects, one a Service with a selector: still read by many clients, capped at 1000 addresses. */
const CAPACITY = 1000;
const OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity";
const MANAGED_BY = "endpoints.kubernetes.io/managed-by";
const MANAGER = "endpoint-controller";
const HEADLESS = "service.kubernetes.io/headless";

export const endpointsController = (): Controller =>
  defineController({ name: "endpoint-controller" }, ({ api, queue }) => {
    const gathering = createGathering(api, queue);
    /** Services that have just gone, by key. */
    const deleted = new Set<string>();

    const reconcile = async (key: string): Promise<void> => {
      const service = api.get<Service>("services", parseKey(key));
      const present = api.get<Endpoints>("endpoints", parseKey(key));
      if (!service) {
        gathering.note(key, 0);
        queue.forget(key);
        // A Service takes its endpoints with it, whoever wrote them.
        if (present && (deleted.delete(key) || present.metadata.labels?.[MANAGED_BY] === MANAGER))
          await remove(present);
        deleted.delete(key);
        return;
      }
      if (!hasEndpoints(service)) return;
      const { pods, selected } = podsBehind(api, service);
      gathering.note(key, selected);
      const { subsets, truncated } = subsetsOf(service, pods);
      const labels = {
        ...service.metadata.labels,
        [MANAGED_BY]: MANAGER,
        ...(isHeadless(service) ? { [HEADLESS]: "" } : {}),
      };
      const { [OVER_CAPACITY]: _, ...others } = present?.metadata.annotations ?? {};
      const annotations = truncated ? { ...others, [OVER_CAPACITY]: "truncated" } : others;
      if (
        present &&
        isEqual(present.subsets ?? [], subsets) &&
        isEqual(present.metadata.labels, labels) &&
        isEqual(present.metadata.annotations ?? {}, annotations)
      ) {
        return;
      }
      const wanted = {
        ...(subsets.length ? { subsets } : { subsets: undefined }),
      };
      if (present) {
        await api.update<Endpoints>("endpoints", {
          ...present,
          ...wanted,
          metadata: { ...present.metadata, labels, annotations },
        });
        return;
      }
      try {
        const { namespace, name } = service.metadata;
        await api.create<Endpoints>("endpoints", { ...wanted, metadata: { name, namespace, labels, annotations } });
      } catch (error) {
        if (!isNamespaceTerminating(error)) throw error;
      }
    };

    const remove = async ({ metadata: { namespace, name, uid } }: Endpoints): Promise<void> => {
      try {
        await api.delete("endpoints", { namespace, name }, { preconditions: { uid } });
      } catch (error) {
        if (!isStatusError(error, "NotFound")) throw error;
      }
    };

    return {
      reconcile,
      watches: [
        on<Service>("services", ({ type, object }) => {
          if (type === "DELETED") deleted.add(keyOf(object));
          else deleted.delete(keyOf(object));
          return keyOf(object);
        }),
        on<Pod>("pods", gathering.keys),
        on<Endpoints>("endpoints", ({ type, object }) => (type === "ADDED" ? undefined : keyOf(object))),
      ],
    };
  });

/** Addresses grouped by their ports and sorted by IP, ready and not ready ones apart. Pods on their way out are in neither list. */
function subsetsOf(service: Service, pods: readonly Pod[]): { subsets: EndpointSubset[]; truncated: boolean } {
  const publishAll = service.spec?.publishNotReadyAddresses === true;
  const listed = pods.filter((pod) => publishAll || pod.metadata.deletionTimestamp === undefined);
  const groups = new Map<string, EndpointSubset & { ready: EndpointAddress[]; notReady: EndpointAddress[] }>();
  for (const pod of listed.slice(0, CAPACITY)) {
    const { ports, key } = portsOf(service, pod);
    if (ports.length === 0 && !isHeadless(service)) continue;
    const group = groups.get(key) ?? { ready: [], notReady: [], ...(ports.length ? { ports: ports.map(named) } : {}) };
    groups.set(key, group);
    (publishAll || isPodReady(pod) ? group.ready : group.notReady).push(addressOf(service, pod));
  }
  const byIp = (a: EndpointAddress, b: EndpointAddress): number => (a.ip < b.ip ? -1 : 1);
  const subsets = [...groups]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([, { ready, notReady, ports }]): EndpointSubset => ({
        ...(ready.length ? { addresses: ready.sort(byIp) } : {}),
        ...(notReady.length ? { notReadyAddresses: notReady.sort(byIp) } : {}),
        ...(ports ? { ports } : {}),
      }),
    );
  return { subsets, truncated: listed.length > CAPACITY };
}

/** Endpoints leave the name out where there is none. */
const named = ({ name, ...port }: ResolvedPort) => (name ? { name, ...port } : port);

function addressOf(service: Service, pod: Pod): EndpointAddress {
  const hostname = hostnameOf(service, pod);
  const { namespace, name, uid } = pod.metadata;
  return {
    ip: pod.status?.podIP ?? "",
    ...(hostname ? { hostname } : {}),
    ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
    targetRef: { kind: "Pod", namespace, name, uid },
  };
}
