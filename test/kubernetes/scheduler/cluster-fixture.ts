import { createClock } from "../../../src/clock/create-clock.js";
import { admissionPlugins } from "../../../src/kubernetes/admission/index.js";
import type { NodeSpec } from "../../../src/kubernetes/cluster.js";
import type { ImageBehaviour } from "../../../src/kubernetes/image-behaviour.js";
import { createKubelets } from "../../../src/kubernetes/kubelet/index.js";
import type { Persistence } from "../../../src/kubernetes/persistence.js";
import { ResourceCatalogue } from "../../../src/kubernetes/registry/catalogue.js";
import { createKubeApi } from "../../../src/kubernetes/registry/kube-api.js";
import { createRegistry } from "../../../src/kubernetes/registry/registry.js";
import { strategyFor } from "../../../src/kubernetes/registry/strategies/index.js";
import { createEventRecorder } from "../../../src/kubernetes/runtime/event-recorder.js";
import { createScheduler } from "../../../src/kubernetes/scheduler/index.js";
import type { CoreEvent, Node, Pod, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { createStore } from "../../../src/kubernetes/store/store.js";

/** The real API machinery on a stepped clock, without controllers: tests start the scheduler, the kubelets, or both. */
export interface FixtureOptions {
  persistence?: Persistence;
  startMs?: number;
  admission?: boolean;
  images?: Readonly<Record<string, ImageBehaviour>>;
}

export const START_MS = Date.parse("2026-03-01T12:00:00Z");

export async function startCluster({
  persistence,
  startMs = START_MS,
  admission = false,
  images,
}: FixtureOptions = {}) {
  const clock = createClock({ kind: "stepped" }, { seed: 7, startMs });
  const problems: unknown[] = [];
  const log = {
    debug: () => {},
    warn: (fields: Record<string, unknown>, message: string) => problems.push({ message, ...fields }),
    error: (fields: Record<string, unknown>, message: string) => problems.push({ message, ...fields }),
  };
  const store = createStore({ clock, persistence });
  const catalogue = new ResourceCatalogue({ infos: builtinResources(), strategyFor });
  const registry = createRegistry({ store, catalogue, clock, admission: admission ? admissionPlugins() : [] });
  const api = createKubeApi(registry, {
    user: { username: "test", groups: ["system:masters"] },
    fieldManager: "test",
    tracksOwnership: false,
  });
  for (const name of ["default", "kube-node-lease"])
    if (!api.get("namespaces", { name })) await api.create("namespaces", { metadata: { name } });
  const events = createEventRecorder({ api, clock, log, component: "default-scheduler" });
  const scheduler = createScheduler({ api, clock, log, events });
  const kubelets = createKubelets({ api, clock, log, images });

  const getPod = (name: string): Pod => {
    const pod = api.get<Pod>("pods", { namespace: "default", name });
    if (!pod) throw new Error(`no pod ${name}`);
    return pod;
  };
  return {
    api,
    clock,
    store,
    registry,
    scheduler,
    kubelets,
    problems,
    getPod,
    findPod: (name: string) => api.get<Pod>("pods", { namespace: "default", name }),
    getNode: (name: string) => api.get<Node>("nodes", { name }) as Node,
    nodeOf: (name: string) => getPod(name).spec?.nodeName,
    condition: (name: string, type: string) => getPod(name).status?.conditions?.find((c) => c.type === type),
    createPod: (name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod["metadata"]> = {}) =>
      api.create<Pod>("pods", {
        metadata: { name, namespace: "default", ...metadata },
        spec: { containers: [{ name: "app", image: "nginx:1.29" }], ...spec },
      }),
    /** A bare, ready Node without a kubelet. */
    createNode: async (name: string, node: TestNode = {}): Promise<Node> => {
      const capacity = { cpu: node.cpu ?? "2", memory: "4Gi", pods: "20", "ephemeral-storage": "20Gi" };
      const created = await api.create<Node>("nodes", {
        metadata: { name, labels: nodeLabels(name, node.zone ?? "a", node.labels) },
        spec: node.spec ?? {},
      });
      return api.updateStatus<Node>("nodes", { ...created, status: { allocatable: capacity, capacity } });
    },
    eventsAbout: (name: string) => api.list<CoreEvent>("events").filter((event) => event.involvedObject.name === name),
    reasons: (name: string) =>
      api
        .list<CoreEvent>("events")
        .filter((event) => event.involvedObject.name === name)
        .sort((a, b) => Date.parse(a.firstTimestamp ?? "") - Date.parse(b.firstTimestamp ?? ""))
        .map((event) => event.reason),
  };
}

interface TestNode {
  zone?: string;
  cpu?: string;
  spec?: Node["spec"];
  labels?: Record<string, string>;
}

export type Cluster = Awaited<ReturnType<typeof startCluster>>;

function nodeLabels(name: string, zone: string, labels: Record<string, string> = {}): Record<string, string> {
  return { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone, ...labels };
}

export function nodeSpec(name: string, extra: Partial<NodeSpec> = {}): NodeSpec {
  return {
    name,
    providerId: `aws:///${extra.zone ?? "a"}/i-${name}`,
    zone: "a",
    labels: nodeLabels(name, extra.zone ?? "a"),
    addresses: [
      { type: "InternalIP", address: "10.0.1.5" },
      { type: "Hostname", address: name },
    ],
    capacity: { cpu: "2", memory: "4Gi", pods: "17", "ephemeral-storage": "20Gi" },
    allocatable: { cpu: "1930m", memory: "3500Mi", pods: "17", "ephemeral-storage": "18Gi" },
    nodeInfo: { kubeletVersion: "v1.36.1-eks-0de9cde", osImage: "Amazon Linux 2023", bootID: "boot-0" },
    podCidr: "10.0.1.0/24",
    ...extra,
  };
}
