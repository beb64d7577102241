/** Services: defaults by type, and what of the server's own choices an update keeps. Rules and allocation have files of their own. */
import type { KubeObject } from "../../object.js";
import type { IPAddress, Service, ServiceCIDR, ServicePort, ServiceSpec } from "../../schema/generated/types.js";
import type { Strategy } from "../strategy.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { required } from "./field.js";
import { strategyOf } from "./rules.js";
import { type AddressRange, addressRange } from "./service-addresses.js";
import { allocateService } from "./service-allocation.js";
import { hasNodePorts, mayHaveNodePorts, needsHealthPort } from "./service-types.js";
import { validateServiceChange, validateServiceSpec } from "./service-validation.js";

const CLIENT_IP_SECONDS = 10_800;
function defaultSpec(spec: ServiceSpec): ServiceSpec {
  let result = withDefaults(spec, { type: "ClusterIP", sessionAffinity: "None" });
  if (result.type !== "ExternalName") result = withDefaults(result, { internalTrafficPolicy: "Cluster" });
  if (mayHaveNodePorts(result)) result = withDefaults(result, { externalTrafficPolicy: "Cluster" });
  if (result.type === "LoadBalancer") result = withDefaults(result, { allocateLoadBalancerNodePorts: true });
  if (result.sessionAffinity === "ClientIP") {
    const timeoutSeconds = result.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? CLIENT_IP_SECONDS;
    result = withDefaults(result, { sessionAffinityConfig: { clientIP: { timeoutSeconds } } });
  }
  return withField(
    result,
    "ports",
    mapItems(result.ports, (port) => {
      const targetPort = port.targetPort === 0 || port.targetPort === "" ? undefined : port.targetPort;
      return withDefaults(withField(port, "targetPort", targetPort), { protocol: "TCP", targetPort: port.port });
    }),
  );
}

/** What the server once chose stays when an update leaves it out, and goes when the new type has no use for it. */
function carryAllocations(spec: ServiceSpec, previous: ServiceSpec): ServiceSpec {
  let result = spec;
  if (spec.type !== "ExternalName" && previous.type !== "ExternalName") {
    result = withDefaults(result, { clusterIP: previous.clusterIP });
    if (result.clusterIP === "" && previous.clusterIP) result = { ...result, clusterIP: previous.clusterIP };
    if (result.clusterIP === previous.clusterIP) {
      result = withDefaults(result, {
        clusterIPs: previous.clusterIPs,
        ipFamilies: previous.ipFamilies,
        ipFamilyPolicy: previous.ipFamilyPolicy,
      });
    }
  }
  // A cleared address takes the list of addresses with it, as the address that is simply left does.
  const givesUpAddress = !spec.clusterIP || spec.clusterIP === previous.clusterIP;
  if (spec.type === "ExternalName" && previous.type !== "ExternalName" && givesUpAddress) {
    const { clusterIP: _ip, clusterIPs: _ips, ipFamilies: _families, ipFamilyPolicy: _policy, ...rest } = result;
    result = rest;
  }
  const keepNodePorts = hasNodePorts(spec) && hasNodePorts(previous);
  const old = new Map((previous.ports ?? []).map((port) => [`${port.protocol}/${port.port}`, port.nodePort]));
  const ports = mapItems(result.ports, (port) => {
    const before = old.get(`${port.protocol}/${port.port}`);
    if (keepNodePorts && !port.nodePort && before) return { ...port, nodePort: before };
    // A port number left over from a type that had node ports.
    if (!mayHaveNodePorts(spec) && port.nodePort && port.nodePort === before) return withoutNodePort(port);
    return port;
  });
  result = dropForeignFields(withField(result, "ports", ports), previous);
  return needsHealthPort(result) ? withDefaults(result, { healthCheckNodePort: previous.healthCheckNodePort }) : result;
}

/** Fields that only some types have, by when a Service has them. */
const TYPE_FIELDS: readonly { field: keyof ServiceSpec; belongs: (spec: ServiceSpec) => boolean }[] = [
  { field: "externalTrafficPolicy", belongs: mayHaveNodePorts },
  { field: "healthCheckNodePort", belongs: needsHealthPort },
  { field: "allocateLoadBalancerNodePorts", belongs: ({ type }) => type === "LoadBalancer" },
  { field: "loadBalancerClass", belongs: ({ type }) => type === "LoadBalancer" },
  { field: "internalTrafficPolicy", belongs: ({ type }) => type !== "ExternalName" },
];

/** What an update leaves as it was although the new type has no such field goes by itself. */
function dropForeignFields(spec: ServiceSpec, previous: ServiceSpec): ServiceSpec {
  let result = spec;
  for (const { field, belongs } of TYPE_FIELDS) {
    if (result[field] === undefined || result[field] !== previous[field] || belongs(result)) continue;
    const { [field]: _dropped, ...rest } = result;
    result = rest;
  }
  return result;
}

function withoutNodePort({ nodePort: _dropped, ...port }: ServicePort): ServicePort {
  return port;
}

const ADDRESSES = "ipaddresses.networking.k8s.io";

/** Addresses that others than Services have reserved. */
const reserved = (addresses: readonly KubeObject[]): string[] =>
  (addresses as readonly IPAddress[])
    .filter(({ spec }) => spec?.parentRef?.resource !== "services")
    .map(({ metadata }) => metadata.name);

/** Ranges that were added to the cluster's first one and are ready. */
const addedRanges = (objects: readonly KubeObject[], first: AddressRange): AddressRange[] =>
  (objects as readonly ServiceCIDR[])
    .filter(({ metadata, status }) => {
      const ready = status?.conditions?.find(({ type }) => type === "Ready");
      return metadata.deletionTimestamp === undefined && ready?.status === "True";
    })
    .flatMap(({ spec }) => spec?.cidrs ?? [])
    .filter((cidr) => cidr !== first.cidr)
    .map(addressRange)
    .filter(({ family }) => family === first.family);

/** `serviceCidr`, e.g. `10.100.0.0/16`: where cluster IPs come from at first. */
export function servicesStrategy(serviceCidr: string): Strategy {
  let range: AddressRange | undefined;
  return strategyOf<Service>({
    setDefaults(service) {
      if (service.spec) service.spec = defaultSpec(service.spec);
    },
    prepareForCreate(service) {
      service.status = { loadBalancer: {} };
    },
    prepareForUpdate(service, previous) {
      if (service.spec && previous.spec) service.spec = carryAllocations(service.spec, previous.spec);
    },
    prepareForSubresource(service) {
      const ingress = service.status?.loadBalancer?.ingress;
      // An address is one that nodes may answer by themselves, unless the load balancer's maker says otherwise.
      const complete = mapItems(ingress, (entry) => (entry.ip ? withDefaults(entry, { ipMode: "VIP" }) : entry));
      if (complete !== ingress)
        service.status = { ...service.status, loadBalancer: { ...service.status?.loadBalancer, ingress: complete } };
    },
    validate: (service) => (service.spec ? validateServiceSpec(service.spec) : [required("spec.ports")]),
    validateUpdate: (service, previous) =>
      service.spec && previous.spec ? validateServiceChange(service.spec, previous.spec) : [],
    allocate(service, previous, context) {
      range ??= addressRange(serviceCidr);
      return allocateService(service, previous, {
        ranges: [range, ...addedRanges(context.list("servicecidrs.networking.k8s.io"), range)],
        others: context.list("services") as readonly Service[],
        reserved: () => reserved(context.list(ADDRESSES)),
      });
    },
  });
}
