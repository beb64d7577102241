/** Services and what stands before and behind them. */
import type {
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressClass,
  IPAddress,
  NetworkPolicy,
  Service,
  ServiceCIDR,
} from "../schema/generated/types.js";
import { age, joined, listed, name, orNone, type Printer, printer, text, wideText } from "./column.js";
import { labelsText, selectorOrNone } from "./selector-text.js";

const SHOWN = 3;

/** Addresses that a load balancer answers on, sorted and without repetition. */
function loadBalancerAddresses(
  status: { loadBalancer?: { ingress?: readonly { ip?: string; hostname?: string }[] } } | undefined,
): string[] {
  const ingress = status?.loadBalancer?.ingress ?? [];
  return [...new Set(ingress.map(({ ip, hostname }) => ip || hostname || ""))]
    .filter((address) => address !== "")
    .sort();
}

function externalAddresses({ spec, status }: Service): string {
  const external = spec?.externalIPs ?? [];
  switch (spec?.type) {
    case "ClusterIP":
    case "NodePort":
      return orNone(joined(external));
    case "LoadBalancer":
      return joined([...loadBalancerAddresses(status), ...external]) || "<pending>";
    case "ExternalName":
      return spec.externalName ?? "";
    default:
      return "<unknown>";
  }
}

const servicePorts = ({ spec }: Service): string =>
  joined(
    (spec?.ports ?? []).map(
      ({ port, nodePort, protocol }) => `${port}${nodePort ? `:${nodePort}` : ""}/${protocol ?? "TCP"}`,
    ),
  );

/** IPv6 addresses stand in brackets before a port. */
const hostPort = (address: string, port: number): string =>
  address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;

function endpointAddresses({ subsets = [] }: Endpoints): string {
  if (subsets.length === 0) return "<none>";
  const all = subsets.flatMap(({ addresses = [], ports = [] }) =>
    // Headless services may have no ports.
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => hostPort(ip, port))),
  );
  return listed(all, SHOWN);
}

function ingressHosts({ spec }: Ingress): string {
  const hosts = (spec?.rules ?? []).map(({ host }) => host ?? "").filter((host) => host !== "");
  return hosts.length === 0 ? "*" : listed(hosts, SHOWN);
}

const ingressParameters = ({ spec }: IngressClass): string => {
  const parameters = spec?.parameters;
  if (!parameters) return "<none>";
  return `${parameters.kind}${parameters.apiGroup ? `.${parameters.apiGroup}` : ""}/${parameters.name}`;
};

function parentText({ spec }: IPAddress): string {
  const parent = spec?.parentRef;
  if (!parent) return "<none>";
  const { group, resource = "", namespace, name: parentName = "" } = parent;
  const qualified = group ? `${resource}.${group}` : resource;
  return [qualified.toLowerCase(), ...(namespace ? [namespace] : []), parentName].join("/");
}

export const networkingPrinters: Readonly<Record<string, Printer>> = {
  Service: printer<Service>(
    name,
    text("Type", ({ spec }) => spec?.type, "How the service is reached."),
    text("Cluster-IP", ({ spec }) => orNone(spec?.clusterIPs?.[0] ?? spec?.clusterIP), "Address inside the cluster."),
    text("External-IP", externalAddresses, "Addresses outside of the cluster."),
    text("Port(s)", (service) => orNone(servicePorts(service)), "Ports, with their node ports."),
    age,
    wideText("Selector", ({ spec }) => labelsText(spec?.selector), "Labels of the pods behind the service."),
  ),
  Endpoints: printer<Endpoints>(name, text("Endpoints", endpointAddresses, "Addresses and ports that serve."), age),
  EndpointSlice: printer<EndpointSlice>(
    name,
    text("AddressType", ({ addressType }) => addressType, "IPv4, IPv6 or FQDN."),
    text(
      "Ports",
      ({ ports }) =>
        listed(
          (ports ?? []).map((port) => String(port.port ?? port.name ?? "*")),
          SHOWN,
        ) || "<unset>",
      "Ports that every endpoint serves.",
    ),
    text(
      "Endpoints",
      ({ endpoints }) =>
        listed(
          (endpoints ?? []).flatMap(({ addresses }) => addresses),
          SHOWN,
        ) || "<unset>",
      "Addresses that serve.",
    ),
    age,
  ),
  Ingress: printer<Ingress>(
    name,
    text("Class", ({ spec }) => orNone(spec?.ingressClassName), "IngressClass that serves it."),
    text("Hosts", ingressHosts, "Hosts that requests are matched against."),
    text("Address", ({ status }) => joined(loadBalancerAddresses(status)), "Addresses of the load balancer."),
    text("Ports", ({ spec }) => (spec?.tls?.length ? "80, 443" : "80"), "Ports that are open."),
    age,
  ),
  IngressClass: printer<IngressClass>(
    name,
    text("Controller", ({ spec }) => spec?.controller, "Controller that serves the class."),
    text("Parameters", ingressParameters, "Object with further parameters."),
    age,
  ),
  NetworkPolicy: printer<NetworkPolicy>(
    name,
    text("Pod-Selector", ({ spec }) => selectorOrNone(spec?.podSelector), "Labels of the pods that the policy is for."),
    age,
  ),
  ServiceCIDR: printer<ServiceCIDR>(
    name,
    text("CIDRs", ({ spec }) => joined(spec?.cidrs), "Ranges that addresses of services are taken from."),
    age,
  ),
  IPAddress: printer<IPAddress>(name, text("ParentRef", parentText, "Object that the address belongs to.")),
};
