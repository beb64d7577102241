/** Rules of Services (upstream: ValidateService). */
import type { StatusCause } from "../../errors.js";
import type { ServiceSpec } from "../../schema/generated/types.js";
import { duplicate, forbiddenField, inRange, invalidValue, named, oneOf, required, requiredOneOf } from "./field.js";
import { dnsLabel, dnsSubdomain } from "./names.js";
import { validatePort } from "./probe-validation.js";
import { validateLabels } from "./rules.js";
import { isAddress } from "./service-addresses.js";
import { HEADLESS, mayHaveNodePorts } from "./service-types.js";

const PROTOCOLS = ["SCTP", "TCP", "UDP"];

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

/** A day. */
const LONGEST_AFFINITY_SECONDS = 86_400;

export function validateServiceSpec(spec: ServiceSpec): StatusCause[] {
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
  const timeout = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (
    spec.sessionAffinity === "ClientIP" &&
    timeout !== undefined &&
    (timeout <= 0 || timeout > LONGEST_AFFINITY_SECONDS)
  )
    causes.push(
      invalidValue(
        "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
        timeout,
        `must be greater than 0 and less than ${LONGEST_AFFINITY_SECONDS}`,
      ),
    );
  spec.loadBalancerSourceRanges?.forEach((range, index) => {
    const [address = "", bits = ""] = range.trim().split("/");
    const most = address.includes(":") ? 128 : 32;
    if (isAddress(address) && /^\d{1,3}$/.test(bits) && Number(bits) <= most) return;
    // Upstream spells this one field with a capital.
    const field = `spec.LoadBalancerSourceRanges[${index}]`;
    causes.push(invalidValue(field, range, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"));
  });
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

/** What may not change once it is set. */
export function validateServiceChange(spec: ServiceSpec, previous: ServiceSpec): StatusCause[] {
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
