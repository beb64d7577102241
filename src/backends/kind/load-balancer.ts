/** kind's load balancer before the API servers, kept in step with the masters there are. It reads its file anew by itself. */
import { BackendError } from "../backend.js";
import type { Engine } from "./engine.js";
import { loadBalancerName } from "./names.js";

const FILE = "/home/envoy/cds.yaml";

interface Endpoint {
  endpoint?: { address?: { socket_address?: { address?: string; port_value?: number } } };
}

interface Resource {
  load_assignment?: { endpoints?: { lb_endpoints?: Endpoint[] }[] };
}

/** A master by its name, or somebody else. */
export type BalancedTo = string | { address: string; port: number };

/** The file with exactly these backends, in everything else as it was. */
export async function withBackends(text: string, backends: readonly BalancedTo[]): Promise<string> {
  const { parse, stringify } = await import("yaml");
  const config = parse(text) as { resources?: Resource[] } | null;
  const group = config?.resources?.[0]?.load_assignment?.endpoints?.[0];
  const [model] = group?.lb_endpoints ?? [];
  if (!group || !model?.endpoint)
    throw new BackendError("failed", `${FILE} of the load balancer is not as kind writes it`);
  group.lb_endpoints = backends.map((backend) => {
    const { address, port } = typeof backend === "string" ? { address: backend, port: 6443 } : backend;
    return { ...model, endpoint: { ...model.endpoint, address: { socket_address: { address, port_value: port } } } };
  });
  // In the form that kind itself writes: not every balancer that stands in for Envoy reads JSON.
  return stringify(config);
}

/** Sends requests there from a moment later on. */
export async function setBackends(engine: Engine, kindName: string, backends: readonly BalancedTo[]): Promise<void> {
  const balancer = loadBalancerName(kindName);
  const { stdout } = await engine.exec(balancer, ["cat", FILE]);
  await engine.write(balancer, `${FILE}.tmp`, await withBackends(stdout, backends));
  // It watches for the rename, and must never see half a file.
  await engine.exec(balancer, ["mv", `${FILE}.tmp`, FILE]);
}
