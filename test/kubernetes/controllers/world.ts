import { createClock } from "../../../src/clock/create-clock.js";
import { admissionPlugins } from "../../../src/kubernetes/admission/index.js";
import type { KubeApi } from "../../../src/kubernetes/api.js";
import type { Controller } from "../../../src/kubernetes/controller.js";
import { startControllers } from "../../../src/kubernetes/controllers/index.js";
import { type KubeObject, keyOf, parseKey } from "../../../src/kubernetes/object.js";
import { ResourceCatalogue } from "../../../src/kubernetes/registry/catalogue.js";
import { createKubeApi } from "../../../src/kubernetes/registry/kube-api.js";
import { createRegistry } from "../../../src/kubernetes/registry/registry.js";
import { createStrategies } from "../../../src/kubernetes/registry/strategies/index.js";
import { controllerOf } from "../../../src/kubernetes/runtime/owners.js";
import type { CoreEvent, Deployment, Node, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { createStore } from "../../../src/kubernetes/store/store.js";

export const START_MS = Date.parse("2026-01-01T00:00:00Z");
const seconds = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

export interface WorldOptions {
  controllers?: readonly Controller[];
  /** Pods start on nodes by themselves; off, they stay as the controllers made them. */
  kubelets?: boolean;
  /** Seconds from creation to Ready. */
  readyAfterMs?: number;
}

/**
 * The real API machinery and controllers on a stepped clock, with the simplest scheduler and kubelets there can be: pods go to the ready node with the
 * fewest of them, become ready after a while, and end at once when deleted, unless their node is silent.
 */
export async function startWorld({ controllers, kubelets = true, readyAfterMs = 1000 }: WorldOptions = {}) {
  const clock = createClock({ kind: "stepped" }, { seed: 1, startMs: START_MS });
  const store = createStore({ clock });
  const catalogue = new ResourceCatalogue({
    infos: builtinResources(),
    strategyFor: createStrategies({ serviceCidr: "10.100.0.0/16" }),
  });
  const registry = createRegistry({ store, catalogue, clock, admission: admissionPlugins() });
  const warnings: { message: string; fields: Record<string, unknown> }[] = [];
  const note = (fields: Record<string, unknown>, message: string): void => void warnings.push({ message, fields });
  const user = { username: "system:admin", groups: ["system:masters"] };
  const tracking = { fieldManager: "test", tracksOwnership: false };
  const base = createKubeApi(registry, { user, ...tracking });
  // The registry's own `as` belongs to the server's wiring; users do not matter here.
  const api: KubeApi = base;
  const silent = new Set<string>();
  const missing = new Set<string>();
  const stoppedMachines = new Set<string>();

  for (const name of ["default", "kube-system"]) await api.create("namespaces", { metadata: { name } });

  const stop = startControllers(
    {
      api,
      clock,
      log: { debug: () => {}, warn: note, error: note },
      heartbeats: {
        lastRenewalMs: (name) => (silent.has(name) ? silentSince.get(name) : Math.floor(clock.now() / 10_000) * 10_000),
      },
      cloud: {
        state: (id) => (missing.has(id) ? "missing" : stoppedMachines.has(id) ? "stopped" : "running"),
      },
      caCert: "CERT",
    },
    controllers,
  );
  const silentSince = new Map<string, number>();

  const addNode = (
    name: string,
    zone = "a",
    extra: { taints?: { key: string; effect: string }[]; labels?: Record<string, string> } = {},
  ) =>
    api
      .create<Node>("nodes", {
        metadata: {
          name,
          labels: {
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/region": "r",
            "topology.kubernetes.io/zone": zone,
            ...extra.labels,
          },
        },
        spec: { providerID: `aws:///${zone}/${name}`, ...(extra.taints ? { taints: extra.taints } : {}) },
      })
      .then(() => setReady(name, "True"));

  const setReady = async (name: string, status: string): Promise<void> => {
    const node = api.get<Node>("nodes", { name });
    if (!node) return;
    const time = seconds(clock.now());
    const condition = { lastHeartbeatTime: time, lastTransitionTime: time };
    await api.updateStatus<Node>("nodes", {
      ...node,
      status: {
        ...node.status,
        conditions: [
          { type: "Ready", status, reason: status === "True" ? "KubeletReady" : "KubeletNotReady", ...condition },
          { type: "MemoryPressure", status: "False", reason: "KubeletHasSufficientMemory", ...condition },
        ],
      },
    });
  };

  let addresses = 0;
  const act = async (key: string): Promise<void> => {
    const pod = api.get<Pod>("pods", parseKey(key));
    if (!pod) return;
    const nodeName = pod.spec?.nodeName;
    if (pod.metadata.deletionTimestamp) {
      if (!nodeName || !silent.has(nodeName)) await api.delete("pods", pod.metadata, { gracePeriodSeconds: 0 });
      return;
    }
    if (!nodeName) {
      const fitting = api
        .list<Node>("nodes")
        .filter((node) => {
          const pinned =
            pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms[0]
              ?.matchFields?.[0]?.values?.[0];
          if (pinned) return node.metadata.name === pinned;
          return !(node.spec?.taints ?? []).some(({ effect }) => effect !== "PreferNoSchedule");
        })
        .map(({ metadata: { name } }) => ({ name, pods: api.byIndex("pods", "node", name).length }))
        .sort((a, b) => a.pods - b.pods);
      const target = fitting[0];
      if (!target) return;
      await api.create(
        "pods",
        {
          metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace },
          target: { kind: "Node", name: target.name },
        } as never,
        { subresource: "binding" },
      );
      clock.timer(readyAfterMs, () => void clock.track(markReady(key)));
    }
  };

  const markReady = async (key: string): Promise<void> => {
    const pod = api.get<Pod>("pods", parseKey(key));
    if (!pod || silent.has(pod.spec?.nodeName ?? "")) return;
    const ip = `10.1.${Math.floor(addresses / 250)}.${(addresses++ % 250) + 1}`;
    const time = seconds(clock.now());
    await api.updateStatus<Pod>("pods", {
      ...pod,
      status: {
        ...pod.status,
        phase: "Running",
        podIP: ip,
        podIPs: [{ ip }],
        conditions: [
          ...(pod.status?.conditions ?? []).filter(({ type }) => type !== "Ready"),
          { type: "Ready", status: "True", lastTransitionTime: time },
        ],
      },
    });
  };

  if (kubelets) {
    api.watch<Pod>("pods", ({ type, object }) => {
      if (type !== "DELETED") clock.defer(() => void clock.track(act(keyOf(object))));
    });
    api.watch<Node>("nodes", ({ type }) => {
      if (type === "DELETED") return;
      clock.defer(() => {
        for (const pod of api.list<Pod>("pods")) if (!pod.spec?.nodeName) void clock.track(act(keyOf(pod)));
      });
    });
  }
  await clock.settled();

  return {
    api,
    clock,
    stop,
    warnings,
    addNode,
    setReady,
    missing,
    stoppedMachines,
    silence(name: string) {
      silentSince.set(name, Math.floor(clock.now() / 10_000) * 10_000);
      silent.add(name);
    },
    async wake(name: string) {
      silent.delete(name);
      await setReady(name, "True");
      for (const pod of api.byIndex<Pod>("pods", "node", name)) await act(keyOf(pod));
    },
    get: <T extends KubeObject>(resource: string, name: string, namespace?: string) =>
      api.get<T>(resource, { namespace, name }),
    pods: (labels?: Record<string, string>) =>
      api
        .list<Pod>("pods", { namespace: "default" })
        .filter((pod) => Object.entries(labels ?? {}).every(([key, value]) => pod.metadata.labels?.[key] === value)),
    ownedBy: (name: string) => api.list<Pod>("pods").filter((pod) => controllerOf(pod)?.name === name),
    events: (reason: string) => api.list<CoreEvent>("events").filter((event) => event.reason === reason),
    async seconds(count: number) {
      await clock.advance(count * 1000);
    },
  };
}

export type World = Awaited<ReturnType<typeof startWorld>>;

export const template = (labels: Record<string, string> = { app: "web" }, image = "nginx:1") => ({
  metadata: { labels },
  spec: { containers: [{ name: "c", image }] },
});

export const deployment = (name: string, replicas: number, spec: Partial<Deployment["spec"]> = {}) => ({
  metadata: { name, namespace: "default" },
  spec: { replicas, selector: { matchLabels: { app: "web" } }, template: template(), ...spec },
});
