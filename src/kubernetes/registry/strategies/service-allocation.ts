/** Gives Services their cluster IPs, node ports and health check ports, or refuses the ones they ask for. */
import type { StatusCause } from "../../errors.js";
import type { Service, ServiceSpec } from "../../schema/generated/types.js";
import { mapItems, withDefaults, withField } from "./defaulting.js";
import { invalidValue } from "./field.js";
import { type AddressRange, freeAddress, freeNodePort, isAddress, NODE_PORTS } from "./service-addresses.js";
import { HEADLESS, hasNodePorts, mayHaveNodePorts, needsHealthPort } from "./service-types.js";

interface Taken {
  addresses: Set<string>;
  /** `TCP/30080` */
  nodePorts: Set<string>;
  nodePortNumbers: Set<number>;
}

function takenBy(others: readonly Service[], service: Service): Taken {
  const taken: Taken = { addresses: new Set(), nodePorts: new Set(), nodePortNumbers: new Set() };
  for (const other of others) {
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

const otherFamily = (family: string | undefined): string => (family === "IPv6" ? "IPv4" : "IPv6");

function allocateAddress(
  spec: ServiceSpec,
  previous: ServiceSpec | undefined,
  ranges: readonly AddressRange[],
  taken: Taken,
  seed: string,
): ServiceSpec | StatusCause {
  const family = { ipFamilies: [ranges[0]?.family ?? "IPv4"], ipFamilyPolicy: "SingleStack" };
  if (spec.ipFamilyPolicy === "RequireDualStack" && spec.clusterIP !== HEADLESS) {
    return invalidValue(
      "spec.ipFamilyPolicy",
      spec.ipFamilyPolicy,
      "this cluster is not configured for dual-stack services",
    );
  }
  const foreign = (spec.ipFamilies ?? []).findIndex((asked) => asked !== family.ipFamilies[0]);
  if (spec.clusterIP === HEADLESS) {
    // Nobody knows what will be behind a headless service without a selector: it is taken to be of both families.
    const both = {
      ipFamilies: [...family.ipFamilies, otherFamily(family.ipFamilies[0])],
      ipFamilyPolicy: "RequireDualStack",
    };
    const isOpen = Object.keys(spec.selector ?? {}).length === 0 && !spec.ipFamilies && !spec.ipFamilyPolicy;
    return withDefaults(spec, { clusterIPs: [HEADLESS], ...(isOpen ? both : family) });
  }
  if (foreign >= 0)
    return invalidValue(`spec.ipFamilies[${foreign}]`, spec.ipFamilies?.[foreign], "not configured on this cluster");
  const asked = spec.clusterIP || spec.clusterIPs?.[0];
  if (asked && !sharesAnAddress(spec, previous)) {
    const failed = (why: string): StatusCause =>
      invalidValue("spec.clusterIPs", [asked], `failed to allocate IP ${asked}: ${why}`);
    const offset = ranges.map((range) => range.offsetOf(asked)).find((found) => found !== undefined);
    if (!isAddress(asked))
      return invalidValue("spec.clusterIPs[0]", asked, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)");
    if (offset === undefined || offset === 0)
      return failed(
        `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${ranges.map(({ cidr }) => cidr).join(", ")}`,
      );
    if (taken.addresses.has(asked)) return failed("provided IP is already allocated");
  }
  let clusterIP = asked;
  for (const range of ranges) clusterIP ||= freeAddress(range, seed, taken.addresses);
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

/**
 * Replaces `service.spec` by one that has all its addresses and ports; `others` are the present Services, itself maybe among them. Ranges are tried in
 * their order; `reserved` are addresses that nobody gets.
 */
export function allocateService(
  service: Service,
  previous: Service | undefined,
  {
    ranges,
    others,
    reserved,
  }: { ranges: readonly AddressRange[]; others: readonly Service[]; reserved: () => readonly string[] },
): StatusCause[] {
  if (!service.spec) return [];
  const before = previous?.spec;
  const complete = service.spec.type === "ExternalName" || service.spec.clusterIPs?.length;
  if (complete && before && sharesAnAddress(service.spec, before) && !mayHaveNodePorts(service.spec)) return [];
  const taken = takenBy(others, service);
  const seed = `${service.metadata.namespace}/${service.metadata.name}`;
  if (service.spec.type !== "ExternalName") {
    for (const address of reserved()) taken.addresses.add(address);
    const allocated = allocateAddress(service.spec, before, ranges, taken, seed);
    if ("message" in allocated) return [allocated as StatusCause];
    service.spec = allocated as ServiceSpec;
  }
  const { spec, causes } = allocateNodePorts(service.spec, before, taken, seed);
  service.spec =
    needsHealthPort(spec) && !spec.healthCheckNodePort
      ? { ...spec, healthCheckNodePort: freeNodePort(`${seed}:health`, taken.nodePortNumbers) }
      : spec;
  return causes;
}
