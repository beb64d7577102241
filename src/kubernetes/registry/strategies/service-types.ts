/** What follows from a Service's type. */
import type { ServiceSpec } from "../../schema/generated/types.js";

/** clusterIP of a Service without an address. */
export const HEADLESS = "None";

/** The server gives node ports to every port. */
export const hasNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === "NodePort" || (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
/** Node ports may be asked for. */
export const mayHaveNodePorts = (spec: ServiceSpec): boolean =>
  spec.type === "NodePort" || spec.type === "LoadBalancer";
/** Load balancers ask at this port which nodes have endpoints. */
export const needsHealthPort = (spec: ServiceSpec): boolean =>
  spec.type === "LoadBalancer" && spec.externalTrafficPolicy === "Local";
