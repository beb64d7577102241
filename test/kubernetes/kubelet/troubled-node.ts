import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { CoreEvent, Node, Pod, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

export const SECOND = 1_000;
export const MINUTE = 60_000;

/** A whole cluster with one node, and what can be asked of it. */
export async function withNode() {
  const { cluster, clock } = await startSimulated();
  const { api } = cluster;
  await cluster.addNode(nodeSpec(0));
  await clock.advance(5 * SECOND);
  const pod = (name: string): Pod => {
    const found = api.get<Pod>("pods", { namespace: "default", name });
    if (!found) throw new Error(`no pod ${name}`);
    return found;
  };
  const node = (): Node => api.get<Node>("nodes", { name: "node-0" }) as Node;
  return {
    cluster,
    clock,
    api,
    pod,
    node,
    condition: (type: string) => conditionOf(node().status?.conditions, type),
    podCondition: (name: string, type: string) => conditionOf(pod(name).status?.conditions, type),
    container: (name: string) => pod(name).status?.containerStatuses?.[0],
    taints: () => (node().spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).sort(),
    trouble: (trouble: Parameters<typeof cluster.setNodeTroubles>[0][string] | undefined) =>
      cluster.setNodeTroubles(trouble ? { "node-0": trouble } : {}),
    run: (name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod["metadata"]> = {}) =>
      api.create<Pod>("pods", {
        metadata: { name, namespace: "default", ...metadata },
        spec: { containers: [{ name: "app", image: "nginx:1.29" }], ...spec },
      }),
    events: (about: string, reason?: string) =>
      api
        .list<CoreEvent>("events")
        .filter(
          ({ involvedObject, ...event }) => involvedObject.name === about && (!reason || event.reason === reason),
        ),
  };
}

export const withMemory = (request: string): Partial<PodSpec> => ({
  containers: [
    { name: "app", image: "nginx:1.29", resources: { requests: { memory: request }, limits: { memory: request } } },
  ],
});
