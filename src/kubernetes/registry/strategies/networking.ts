/** Ingresses, IngressClasses, NetworkPolicies, EndpointSlices, Endpoints and ServiceCIDRs. */
import { formatSeconds } from "../../../clock/clock.js";
import type { StatusCause } from "../../errors.js";
import type {
  EndpointSlice,
  Endpoints,
  Ingress,
  IngressBackend,
  IngressClass,
  IPAddress,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  ServiceCIDR,
} from "../../schema/generated/types.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import {
  duplicate,
  forbiddenField,
  inRange,
  invalidValue,
  named,
  oneOf,
  required,
  requiredOneOf,
  tooMany,
  unsupported,
} from "./field.js";
import { dns1035Label, dnsLabel, dnsSubdomain, portName, qualifiedName } from "./names.js";
import { validatePort } from "./probe-validation.js";
import { immutableFields, strategyOf, validateSelector } from "./rules.js";
import { addressRange, canonicalAddress, isAddress, isCidr } from "./service-addresses.js";

const MAX_ENDPOINTS = 1000;

function validateBackend(field: string, { service, resource }: IngressBackend): StatusCause[] {
  if (service && resource) return [invalidValue(field, "", "cannot set both resource and service backends")];
  if (resource) return resource.kind && resource.name ? [] : [required(`${field}.resource`)];
  if (!service?.name) return [required(`${field}.service.name`)];
  const { name, port } = service;
  const causes = named(`${field}.service.name`, name, dns1035Label(name));
  if (port?.name && port.number)
    return [...causes, invalidValue(`${field}.service.port`, "", "cannot set both port name & port number")];
  if (port?.name) return [...causes, ...named(`${field}.service.port.name`, port.name, portName(port.name))];
  return port?.number
    ? [...causes, ...inRange(`${field}.service.port.number`, port.number, 1, 65535)]
    : [...causes, required(field, "port name or number is required")];
}

function validateHost(field: string, host: string): StatusCause[] {
  if (isAddress(host)) return [invalidValue(field, host, "must be a DNS name, not an IP address")];
  return named(field, host, dnsSubdomain(host.startsWith("*.") ? host.slice(2) : host));
}

export const ingresses = strategyOf<Ingress>({
  prepareForCreate(ingress) {
    ingress.status = { loadBalancer: {} };
  },
  validate({ spec, metadata }) {
    if (!spec?.rules?.length && !spec?.defaultBackend) {
      return [invalidValue("spec", spec?.rules ?? [], "either `defaultBackend` or `rules` must be specified")];
    }
    const causes = spec.defaultBackend ? validateBackend("spec.defaultBackend", spec.defaultBackend) : [];
    spec.rules?.forEach((rule, index) => {
      const at = `spec.rules[${index}]`;
      if (rule.host) causes.push(...validateHost(`${at}.host`, rule.host));
      if (rule.http && !rule.http.paths?.length) causes.push(required(`${at}.http.paths`));
      rule.http?.paths?.forEach((path, position) => {
        const here = `${at}.http.paths[${position}]`;
        if (!path.pathType) causes.push(required(`${here}.pathType`, "pathType must be specified"));
        else causes.push(...oneOf(`${here}.pathType`, path.pathType, ["Exact", "ImplementationSpecific", "Prefix"]));
        const absolute = path.path?.startsWith("/") ?? false;
        const mayBeEmpty = path.pathType === "ImplementationSpecific" && !path.path;
        if (!absolute && !mayBeEmpty)
          causes.push(invalidValue(`${here}.path`, path.path ?? "", "must be an absolute path"));
        causes.push(...validateBackend(`${here}.backend`, path.backend ?? {}));
      });
    });
    if (spec.ingressClassName) {
      causes.push(...named("spec.ingressClassName", spec.ingressClassName, dnsSubdomain(spec.ingressClassName)));
      if (metadata.annotations?.["kubernetes.io/ingress.class"]) {
        causes.push(
          invalidValue(
            "metadata.annotations.kubernetes.io/ingress.class",
            metadata.annotations["kubernetes.io/ingress.class"],
            "can not be set when the class field is also set",
          ),
        );
      }
    }
    return causes;
  },
  warnings: ({ metadata }) =>
    metadata.annotations?.["kubernetes.io/ingress.class"]
      ? ["annotation \"kubernetes.io/ingress.class\" is deprecated, please use 'spec.ingressClassName' instead"]
      : [],
});

/** The range that the API server was started with. */
export const DEFAULT_SERVICE_CIDR = "kubernetes";

export const serviceCidrs = strategyOf<ServiceCIDR>({
  prepareForCreate(range, { nowMs }) {
    // The API server's own range is ready from the start; the others' controller makes them so.
    const ready = {
      type: "Ready",
      status: "True",
      reason: "",
      message: "Kubernetes Service CIDR is ready",
      lastTransitionTime: formatSeconds(nowMs),
    };
    range.status = range.metadata.name === DEFAULT_SERVICE_CIDR ? { conditions: [ready] } : {};
  },
  validate({ spec }) {
    const cidrs = spec?.cidrs ?? [];
    if (cidrs.length === 0) return [required("spec.cidrs", "at least one CIDR required")];
    if (cidrs.length > 2) return [invalidValue("spec", { cidrs }, "may only hold up to 2 values")];
    return cidrs.flatMap((cidr, index) => {
      const at = `spec.cidrs[${index}]`;
      if (!isCidr(cidr))
        return [invalidValue(at, cidr, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)")];
      const canonical = `${addressRange(cidr).at(0)}/${cidr.split("/")[1]}`;
      return canonical === cidr
        ? []
        : [invalidValue(at, cidr, `must be in canonical form (${JSON.stringify(canonical)})`)];
    });
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.cidrs"]),
});

export const ipAddresses = strategyOf<IPAddress>({
  validate({ metadata: { name }, spec }) {
    const causes: StatusCause[] = [];
    const canonical = canonicalAddress(name);
    if (canonical === undefined) {
      const text = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
      causes.push(invalidValue("metadata.name", name, text));
    } else if (canonical !== name)
      causes.push(invalidValue("metadata.name", name, `must be in canonical form (${JSON.stringify(canonical)})`));
    const parent = spec?.parentRef;
    if (!parent) return [...causes, required("spec.parentRef")];
    if (!parent.resource) causes.push(required("spec.parentRef.resource"));
    if (!parent.name) causes.push(required("spec.parentRef.name"));
    return causes;
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.parentRef"]),
});

export const ingressClasses = strategyOf<IngressClass>({
  setDefaults(ingressClass) {
    const parameters = ingressClass.spec?.parameters;
    if (parameters)
      ingressClass.spec = { ...ingressClass.spec, parameters: withDefaults(parameters, { scope: "Cluster" }) };
  },
  validate({ spec }) {
    const controller = spec?.controller;
    if (!controller) return [required("spec.controller")];
    if (controller.length > 250) return [tooMany("spec.controller", controller.length, 250)];
    const [domain = "", ...path] = controller.split("/");
    if (path.length === 0)
      return [invalidValue("spec.controller", controller, 'must be a domain-prefixed path (such as "acme.io/foo")')];
    return named("spec.controller", domain, dnsSubdomain(domain));
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["spec.controller"]),
});

function validatePeers(field: string, peers: readonly NetworkPolicyPeer[] | undefined): StatusCause[] {
  return (peers ?? []).flatMap((peer, index) => {
    const at = `${field}[${index}]`;
    if (!peer.ipBlock && !peer.podSelector && !peer.namespaceSelector) return [required(at, "must specify a peer")];
    if (peer.ipBlock && (peer.podSelector || peer.namespaceSelector)) {
      return [forbiddenField(at, "may not specify both ipBlock and another peer")];
    }
    const block = peer.ipBlock;
    return [
      ...validateSelector(`${at}.podSelector`, peer.podSelector),
      ...validateSelector(`${at}.namespaceSelector`, peer.namespaceSelector),
      ...(block && !block.cidr ? [required(`${at}.ipBlock.cidr`)] : []),
      ...(block?.cidr && !isCidr(block.cidr)
        ? [
            invalidValue(
              `${at}.ipBlock.cidr`,
              block.cidr,
              "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
            ),
          ]
        : []),
    ];
  });
}

function validatePolicyPorts(field: string, ports: readonly NetworkPolicyPort[] | undefined): StatusCause[] {
  return (ports ?? []).flatMap((port, index) => {
    const at = `${field}[${index}]`;
    const causes = [
      ...requiredOneOf(`${at}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]),
      ...(port.port === undefined ? [] : validatePort(`${at}.port`, port.port)),
    ];
    if (port.endPort === undefined) return causes;
    if (typeof port.port !== "number")
      return [...causes, required(`${at}.port`, "must be specified when endPort is specified")];
    return port.endPort < port.port
      ? [...causes, invalidValue(`${at}.endPort`, port.endPort, "must be greater than or equal to `port`")]
      : causes;
  });
}

const defaultPorts = <R extends { ports?: NetworkPolicyPort[] }>(rule: R): R =>
  withField(
    rule,
    "ports",
    mapItems(rule.ports, (port) => withDefaults(port, { protocol: "TCP" })),
  );

export const networkPolicies = strategyOf<NetworkPolicy>({
  setDefaults(policy) {
    const spec = policy.spec;
    if (!spec) return;
    let result = withDefaults(spec, {
      policyTypes: spec.egress?.length ? ["Ingress", "Egress"] : ["Ingress"],
      podSelector: {},
    });
    result = withField(result, "ingress", mapItems(result.ingress, defaultPorts));
    policy.spec = withField(result, "egress", mapItems(result.egress, defaultPorts));
  },
  validate({ spec }) {
    if (!spec) return [];
    const causes = validateSelector("spec.podSelector", spec.podSelector);
    spec.ingress?.forEach((rule, index) => {
      causes.push(
        ...validatePolicyPorts(`spec.ingress[${index}].ports`, rule.ports),
        ...validatePeers(`spec.ingress[${index}].from`, rule.from),
      );
    });
    spec.egress?.forEach((rule, index) => {
      causes.push(
        ...validatePolicyPorts(`spec.egress[${index}].ports`, rule.ports),
        ...validatePeers(`spec.egress[${index}].to`, rule.to),
      );
    });
    spec.policyTypes?.forEach((type, index) => {
      if (type !== "Ingress" && type !== "Egress")
        causes.push(unsupported(`spec.policyTypes[${index}]`, type, ["Egress", "Ingress"]));
    });
    return causes;
  },
});

export const endpointSlices = strategyOf<EndpointSlice>({
  setDefaults(slice) {
    slice.endpoints ??= [];
    const ports = mapItems(slice.ports, (port) => withDefaults(port, { name: "", protocol: "TCP" }));
    if (ports) slice.ports = ports;
  },
  validate({ addressType, endpoints = [], ports = [] }) {
    const causes = requiredOneOf("addressType", addressType, ["FQDN", "IPv4", "IPv6"]);
    if (endpoints.length > MAX_ENDPOINTS) causes.push(tooMany("endpoints", endpoints.length, MAX_ENDPOINTS));
    endpoints.forEach((endpoint, index) => {
      const at = `endpoints[${index}]`;
      if (!endpoint.addresses?.length) causes.push(required(`${at}.addresses`, "must contain at least 1 address"));
      endpoint.addresses?.forEach((address, position) => {
        const wrong =
          addressType === "FQDN"
            ? dnsSubdomain(address)
            : !isAddress(address) || address.includes(":") !== (addressType === "IPv6")
              ? [`must be a valid ${addressType} address`]
              : [];
        causes.push(...named(`${at}.addresses[${position}]`, address, wrong));
      });
      if (endpoint.hostname) causes.push(...named(`${at}.hostname`, endpoint.hostname, dnsLabel(endpoint.hostname)));
    });
    const names = new Set<string>();
    ports.forEach((port, index) => {
      if (port.name) causes.push(...named(`ports[${index}].name`, port.name, dnsLabel(port.name)));
      if (names.has(port.name ?? "")) causes.push(duplicate(`ports[${index}].name`, port.name ?? ""));
      names.add(port.name ?? "");
      if (port.appProtocol)
        causes.push(...named(`ports[${index}].appProtocol`, port.appProtocol, qualifiedName(port.appProtocol)));
    });
    return causes;
  },
  validateUpdate: (now, before) => immutableFields(now, before, ["addressType"]),
});

export const endpoints = strategyOf<Endpoints>({
  setDefaults(object) {
    const subsets = mapItems(object.subsets, (subset) =>
      withField(
        subset,
        "ports",
        mapItems(subset.ports, (port) => withDefaults(port, { protocol: "TCP" })),
      ),
    );
    if (subsets) object.subsets = subsets;
  },
  validate: ({ subsets = [] }) =>
    subsets.flatMap((subset, index) => {
      const at = `subsets[${index}]`;
      const addresses = [...(subset.addresses ?? []), ...(subset.notReadyAddresses ?? [])];
      if (addresses.length === 0) return [required(at, "must specify `addresses` or `notReadyAddresses`")];
      return addresses.flatMap(({ ip }, position) =>
        isAddress(ip)
          ? []
          : [
              invalidValue(
                `${at}.addresses[${position}].ip`,
                ip,
                "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
              ),
            ],
      );
    }),
});
