/** Services: defaults by type, rules, and the cluster IPs and node ports they are given. */
import type { StatusCause } from "../../errors.js";
import type { Service, ServicePort, ServiceSpec } from "../../schema/generated/types.js";
import type { Strategy, WriteContext } from "../strategy.js";
import { validatePort } from "./container-validation.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { duplicate, forbiddenField, inRange, invalidValue, named, oneOf, required, requiredOneOf } from "./field.js";
import { dns1035Label, dnsLabel, dnsSubdomain } from "./names.js";
import { strategyOf, validateLabels } from "./rules.js";
import {
  type AddressRange,
  addressRange,
  freeAddress,
  freeNodePort,
  isAddress,
  NODE_PORTS,
} from "./service-addresses.js";

const CLIENT_IP_SECONDS = 10_800;
const PROTOCOLS = ["SCTP", "TCP", "UDP"];
const HEADLESS = "None";

const hasNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
const mayHaveNodePorts = (spec: ServiceSpec): boolean => spec.type === "NodePort" || spec.type === "LoadBalancer";
const needsHealthPort = (spec: ServiceSpec): boolean =>
  spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";

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
  if (spec.type === "ExternalName" && previous.type !== "ExternalName" && spec.clusterIP === previous.clusterIP) {
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
  result = withField(result, "ports", ports);
  return needsHealthPort(result) ? withDefaults(result, { healthCheckNodePort: previous.healthCheckNodePort }) : result;
}

function withoutNodePort({ nodePort: _dropped, ...port }: ServicePort): ServicePort {
  return port;
}

function validatePorts(spec: ServiceSpec): StatusCause[] {
  const ports = spec.ports ?? [];
  const names = new Set<string>();
  const pairs = new Set<string>();
  const nodePorts = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`;
    const causes: StatusCause[] = [];
    if (port.name) causes.push(...named(`${at}.name`, port.name, dnsLabel(port.name)));
    else if (ports.length > 1) causes.push(required(`${at}.name`));
    if (port.name && names.has(port.name)) causes.push(duplicate(`${at}.name`, port.name));
    names.add(port.name ?? "");
    causes.push(...inRange(`${at}.port`, port.port ?? 0, 1, 65535));
    causes.push(...requiredOneOf(`${at}.protocol`, port.protocol, PROTOCOLS));
    causes.push(...validatePort(`${at}.targetPort`, port.targetPort));
    const pair = `${port.protocol}/${port.port}`;
    if (pairs.has(pair)) causes.push(duplicate(at, { port: port.port, protocol: port.protocol }));
    pairs.add(pair);
    if (port.nodePort && !mayHaveNodePorts(spec)) {
      causes.push(forbiddenField(`${at}.nodePort`, `may not be used when \`type\` is '${spec.type}'`));
    } else if (port.nodePort) {
      const nodePair = `${port.protocol}/${port.nodePort}`;
      if (nodePorts.has(nodePair)) causes.push(duplicate(`${at}.nodePort`, port.nodePort));
      nodePorts.add(nodePair);
    }
    return causes;
  });
}

function validateSpec(spec: ServiceSpec): StatusCause[] {
  const headless = spec.clusterIP === HEADLESS;
  const causes = requiredOneOf("spec.type", spec.type, ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
  if (spec.type === "ExternalName") {
    if (spec.clusterIP) causes.push(forbiddenField("spec.clusterIP", "may not be set when `type` is 'ExternalName'"));
    const name = (spec.externalName ?? "").replace(/\.$/, "");
    causes.push(...(name ? named("spec.externalName", name, dnsSubdomain(name)) : [required("spec.externalName")]));
  } else if (!spec.ports?.length && !headless) causes.push(required("spec.ports"));
  if (spec.type === "LoadBalancer" && headless) {
    causes.push(invalidValue("spec.clusterIPs[0]", HEADLESS, "may not be set to 'None' for LoadBalancer services"));
  }
  if (spec.type === "NodePort" && headless)
    causes.push(invalidValue("spec.clusterIPs[0]", HEADLESS, "may not be set to 'None' for NodePort services"));
  causes.push(...validatePorts(spec), ...validateLabels("spec.selector", spec.selector));
  causes.push(...requiredOneOf("spec.sessionAffinity", spec.sessionAffinity, ["ClientIP", "None"]));
  causes.push(...oneOf("spec.internalTrafficPolicy", spec.internalTrafficPolicy, ["Cluster", "Local"]));
  causes.push(...oneOf("spec.externalTrafficPolicy", spec.externalTrafficPolicy, ["Cluster", "Local"]));
  causes.push(
    ...oneOf("spec.ipFamilyPolicy", spec.ipFamilyPolicy, ["PreferDualStack", "RequireDualStack", "SingleStack"]),
  );
  if (spec.externalTrafficPolicy && !mayHaveNodePorts(spec) && !spec.externalIPs?.length) {
    causes.push(
      invalidValue(
        "spec.externalTrafficPolicy",
        spec.externalTrafficPolicy,
        "may only be set for externally-accessible services",
      ),
    );
  }
  if (spec.loadBalancerClass && spec.type !== "LoadBalancer") {
    causes.push(forbiddenField("spec.loadBalancerClass", "may only be used when `type` is 'LoadBalancer'"));
  }
  if (spec.trafficDistribution) {
    causes.push(
      ...oneOf("spec.trafficDistribution", spec.trafficDistribution, [
        "PreferClose",
        "PreferSameNode",
        "PreferSameZone",
      ]),
    );
  }
  spec.externalIPs?.forEach((address, index) => {
    if (!isAddress(address))
      causes.push(
        invalidValue(
          `spec.externalIPs[${index}]`,
          address,
          "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        ),
      );
  });
  return causes;
}

function validateChange(spec: ServiceSpec, previous: ServiceSpec): StatusCause[] {
  const causes: StatusCause[] = [];
  const before = previous.clusterIP;
  if (before && spec.type !== "ExternalName" && previous.type !== "ExternalName" && spec.clusterIP !== before) {
    causes.push(invalidValue("spec.clusterIPs[0]", spec.clusterIPs ?? [spec.clusterIP], "may not change once set"));
  }
  if (
    previous.type === "LoadBalancer" &&
    spec.type === "LoadBalancer" &&
    spec.loadBalancerClass !== previous.loadBalancerClass
  ) {
    causes.push(invalidValue("spec.loadBalancerClass", spec.loadBalancerClass ?? null, "may not change once set"));
  }
  return causes;
}

interface Taken {
  addresses: Set<string>;
  /** `TCP/30080` */
  nodePorts: Set<string>;
  nodePortNumbers: Set<number>;
}

function takenByOthers(service: Service, context: WriteContext): Taken {
  const taken: Taken = { addresses: new Set(), nodePorts: new Set(), nodePortNumbers: new Set() };
  for (const other of context.list("services") as readonly Service[]) {
    if (other.metadata.name === service.metadata.name && other.metadata.namespace === service.metadata.namespace)
      continue;
    for (const address of other.spec?.clusterIPs ?? []) taken.addresses.add(address);
    for (const port of other.spec?.ports ?? []) if (port.nodePort) takePort(taken, port.protocol, port.nodePort);
    if (other.spec?.healthCheckNodePort) takePort(taken, "TCP", other.spec.healthCheckNodePort);
  }
  return taken;
}

function takePort(taken: Taken, protocol: string | undefined, port: number): void {
  taken.nodePorts.add(`${protocol ?? "TCP"}/${port}`);
  taken.nodePortNumbers.add(port);
}

const sharesAnAddress = (a: ServiceSpec, b: ServiceSpec | undefined): boolean =>
  b !== undefined && a.clusterIP === b.clusterIP;

function allocateAddress(
  spec: ServiceSpec,
  previous: ServiceSpec | undefined,
  range: AddressRange,
  taken: Taken,
  seed: string,
): ServiceSpec | StatusCause {
  const family = { ipFamilies: [range.family], ipFamilyPolicy: "SingleStack" };
  if (spec.ipFamilyPolicy === "RequireDualStack" && spec.clusterIP !== HEADLESS) {
    return invalidValue(
      "spec.ipFamilyPolicy",
      spec.ipFamilyPolicy,
      "this cluster is not configured for dual-stack services",
    );
  }
  if (spec.clusterIP === HEADLESS) return withDefaults(spec, { clusterIPs: [HEADLESS], ...family });
  const asked = spec.clusterIP || spec.clusterIPs?.[0];
  if (asked && !sharesAnAddress(spec, previous)) {
    const failed = (why: string): StatusCause =>
      invalidValue("spec.clusterIPs", [asked], `failed to allocate IP ${asked}: ${why}`);
    const offset = range.offsetOf(asked);
    if (!isAddress(asked))
      return invalidValue("spec.clusterIPs[0]", asked, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    if (offset === undefined || offset === 0)
      return failed(`the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${range.cidr}`);
    if (taken.addresses.has(asked)) return failed("provided IP is already allocated");
  }
  const clusterIP = asked || freeAddress(range, seed, taken.addresses);
  if (!clusterIP) return invalidValue("spec.clusterIPs", [], "failed to allocate a serviceIP: range is full");
  const result = { ...spec, clusterIP, clusterIPs: [clusterIP] };
  // PreferDualStack on a single-stack cluster is kept as asked; it simply has one address.
  return withDefaults(result, family);
}

function allocateNodePorts(
  spec: ServiceSpec,
  previous: ServiceSpec | undefined,
  taken: Taken,
  seed: string,
): { spec: ServiceSpec; causes: StatusCause[] } {
  const causes: StatusCause[] = [];
  const mine = new Map<number, string>();
  const kept = new Set((previous?.ports ?? []).map((port) => `${port.protocol}/${port.nodePort}`));
  (spec.ports ?? []).forEach((port, index) => {
    const at = `spec.ports[${index}].nodePort`;
    if (!port.nodePort || kept.has(`${port.protocol}/${port.nodePort}`)) return;
    const { least, most } = NODE_PORTS;
    if (port.nodePort < least || port.nodePort > most) {
      causes.push(
        invalidValue(
          at,
          port.nodePort,
          `provided port is not in the valid range. The range of valid ports is ${least}-${most}`,
        ),
      );
    } else if (taken.nodePorts.has(`${port.protocol}/${port.nodePort}`))
      causes.push(invalidValue(at, port.nodePort, "provided port is already allocated"));
  });
  for (const port of spec.ports ?? []) if (port.nodePort) takePort(taken, port.protocol, port.nodePort);
  if (!hasNodePorts(spec)) return { spec, causes };
  const ports = mapItems(spec.ports, (port) => {
    if (port.nodePort) return port;
    // The same port over another protocol shares the number, as upstream does for DNS.
    const twin = [...mine].find(([, service]) => service === String(port.port))?.[0];
    const nodePort = twin ?? freeNodePort(`${seed}:${port.protocol}/${port.port}`, taken.nodePortNumbers);
    if (nodePort === undefined) {
      causes.push(invalidValue("spec.ports", port.port, "failed to allocate a nodePort: range is full"));
      return port;
    }
    mine.set(nodePort, String(port.port));
    takePort(taken, port.protocol, nodePort);
    return { ...port, nodePort };
  });
  return { spec: withField(spec, "ports", ports), causes };
}

/** `serviceCidr`, e.g. `10.100.0.0/16`: where cluster IPs come from. */
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
    validate(service) {
      const { name } = service.metadata;
      return [
        ...named("metadata.name", name, dns1035Label(name)),
        ...(service.spec ? validateSpec(service.spec) : [required("spec.ports")]),
      ];
    },
    validateUpdate: (service, previous) =>
      service.spec && previous.spec ? validateChange(service.spec, previous.spec) : [],
    allocate(service, previous, context) {
      if (!service.spec) return [];
      const before = previous?.spec;
      const complete = service.spec.type === "ExternalName" || service.spec.clusterIPs?.length;
      if (complete && before && sharesAnAddress(service.spec, before) && !mayHaveNodePorts(service.spec)) return [];
      range ??= addressRange(serviceCidr);
      const taken = takenByOthers(service, context);
      const seed = `${service.metadata.namespace}/${service.metadata.name}`;
      if (service.spec.type !== "ExternalName") {
        const allocated = allocateAddress(service.spec, before, range, taken, seed);
        if ("message" in allocated) return [allocated as StatusCause];
        service.spec = allocated as ServiceSpec;
      }
      const { spec, causes } = allocateNodePorts(service.spec, before, taken, seed);
      service.spec = spec;
      if (needsHealthPort(spec) && !spec.healthCheckNodePort) {
        service.spec = { ...spec, healthCheckNodePort: freeNodePort(`${seed}:health`, taken.nodePortNumbers) };
      }
      return causes;
    },
  });
}
