import type { KubeApi } from "../api.js";
import type { EndpointSlice, Node, Pod, Service } from "../schema/generated/types.js";
import { hostnameOf, qualifiedNameOf } from "./machine/environment.js";

/** Names as the pods of a cluster know them: what their hosts file and the cluster's DNS say (the DNS specification of Kubernetes). */
export interface ClusterNames {
  /** Whether the pod's own host knows the name, or it is an address: no name server is asked. */
  isLocal(host: string, pod: Pod): boolean;
  /** Addresses behind a name; none when there is no such name. */
  resolve(host: string, pod: Pod, podIP: string | undefined): readonly string[];
  /** The data of DNS records of the name, as `dig +short` prints them. */
  records(name: string, type: string, pod: Pod, podIP: string | undefined): readonly string[];
}

const SLICES = "endpointslices.discovery.k8s.io";
const SERVICE_NAME = "kubernetes.io/service-name";
export const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1"]);
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$|:/;
/** The name that DNS has for each address of a pod. */
const POD_NAME = /^(\d+-\d+-\d+-\d+)\.[^.]+\.pod(?:\.cluster\.local\.?)?$/;
/** Stands for whatever is outside of the cluster (TEST-NET-3). */
const OUTSIDE = "203.0.113.10";

const isClusterName = (host: string): boolean =>
  !host.includes(".") || /\.svc\.?$|\.svc\.|\.cluster\.local\.?$/.test(host);
const fullName = ({ metadata }: Service): string => `${metadata.name}.${metadata.namespace}.svc.cluster.local.`;
const isHeadless = ({ spec }: Service): boolean => spec?.clusterIP === "None";

export const slicesOf = (api: KubeApi, { metadata }: Service): readonly EndpointSlice[] =>
  api.list<EndpointSlice>(SLICES, {
    namespace: metadata.namespace,
    labelSelector: `${SERVICE_NAME}=${metadata.name}`,
  });

export function createClusterNames(api: KubeApi): ClusterNames {
  const service = (namespace: string | undefined, name: string): Service | undefined =>
    api.get<Service>("services", { namespace, name });

  /** The service that a name means to a pod of `namespace`, and the host before it (pods of headless services). */
  const serviceNamed = (name: string, namespace: string | undefined): { found: Service; host?: string } | undefined => {
    const parts = name
      .replace(/\.$/, "")
      .replace(/\.svc(?:\.cluster(?:\.local)?)?$/, "")
      .split(".");
    const [last = "", before, first] = [...parts].reverse();
    const direct =
      parts.length === 1 ? service(namespace, last) : parts.length === 2 ? service(last, before ?? "") : undefined;
    if (direct) return { found: direct };
    const headless =
      parts.length === 2 ? service(namespace, last) : parts.length === 3 ? service(last, before ?? "") : undefined;
    return headless ? { found: headless, host: parts.length === 2 ? before : first } : undefined;
  };

  const readyEndpoints = (found: Service) =>
    slicesOf(api, found).flatMap(({ endpoints, ports }) =>
      (endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready !== false || found.spec?.publishNotReadyAddresses)
        .map((endpoint) => ({ ...endpoint, ports })),
    );

  const headlessAddresses = (found: Service, host: string | undefined): string[] =>
    readyEndpoints(found)
      .filter(({ hostname }) => host === undefined || hostname === host)
      .flatMap(({ addresses }) => addresses);

  const resolve = (host: string, pod: Pod, podIP: string | undefined, depth = 0): readonly string[] => {
    if (ADDRESS.test(host)) return [host];
    if (LOOPBACK.has(host)) return ["127.0.0.1"];
    if (host === hostnameOf(pod) || host === qualifiedNameOf(pod)) return podIP ? [podIP] : [];
    const alias = pod.spec?.hostAliases?.find(({ hostnames }) => hostnames?.includes(host));
    if (alias) return [alias.ip];
    const dashed = POD_NAME.exec(host)?.[1];
    if (dashed !== undefined) return [dashed.replaceAll("-", ".")];
    const named = serviceNamed(host, pod.metadata.namespace);
    if (named) {
      const { found } = named;
      if (found.spec?.type === "ExternalName")
        return depth < 5 ? resolve(found.spec.externalName ?? "", pod, podIP, depth + 1) : [];
      if (found.spec?.clusterIP && !isHeadless(found) && named.host === undefined) return [found.spec.clusterIP];
      return headlessAddresses(found, named.host);
    }
    if (isClusterName(host)) {
      const node = api.get<Node>("nodes", { name: host });
      const address = node?.status?.addresses?.find(({ type }) => type === "InternalIP")?.address;
      return address ? [address] : [];
    }
    return [OUTSIDE];
  };

  const alias = (name: string, pod: Pod): readonly string[] => {
    const { found, host } = serviceNamed(name, pod.metadata.namespace) ?? {};
    return found?.spec?.type === "ExternalName" && host === undefined ? [`${found.spec.externalName}.`] : [];
  };

  /** `_port._protocol.service...`: one record for the service, or one for each of its pods when it is headless. */
  const ports = (name: string, pod: Pod): readonly string[] => {
    const [, port, protocol, host = ""] = /^_([^.]+)\._([^.]+)\.(.+)$/.exec(name) ?? [];
    const { found } = serviceNamed(host, pod.metadata.namespace) ?? {};
    const matches = (candidate: { name?: string; protocol?: string }): boolean =>
      candidate.name === port && (candidate.protocol ?? "TCP").toLowerCase() === protocol;
    if (!found) return [];
    if (!isHeadless(found)) {
      const at = found.spec?.ports?.find(matches);
      return at ? [`0 100 ${at.port} ${fullName(found)}`] : [];
    }
    return readyEndpoints(found).flatMap(({ addresses, hostname, ports }) => {
      const at = ports?.find(matches);
      const own = hostname ?? addresses[0]?.replaceAll(".", "-");
      return at ? [`0 100 ${at.port} ${own}.${fullName(found)}`] : [];
    });
  };

  const pointer = (name: string): readonly string[] => {
    const reversed = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa\.?$/.exec(name)?.slice(1);
    const address = reversed?.reverse().join(".");
    for (const found of address === undefined ? [] : api.list<Service>("services")) {
      if (found.spec?.clusterIP === address) return [fullName(found)];
      if (!isHeadless(found)) continue;
      const endpoint = readyEndpoints(found).find(({ addresses }) => addresses[0] === address);
      if (endpoint) return [`${endpoint.hostname ?? address?.replaceAll(".", "-")}.${fullName(found)}`];
    }
    return [];
  };

  return {
    isLocal: (host, pod) =>
      ADDRESS.test(host) ||
      LOOPBACK.has(host) ||
      host === hostnameOf(pod) ||
      host === qualifiedNameOf(pod) ||
      pod.spec?.hostAliases?.some(({ hostnames }) => hostnames?.includes(host)) === true,
    resolve,
    records(name, type, pod, podIP) {
      switch (type) {
        case "A":
        case "AAAA":
          return resolve(name, pod, podIP).filter((address) => address.includes(":") === (type === "AAAA"));
        case "CNAME":
          return alias(name, pod);
        case "SRV":
          return ports(name, pod);
        case "PTR":
          return pointer(name);
        default:
          return [];
      }
    },
  };
}
