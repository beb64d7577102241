/** A backend without Kubernetes: nodes become Ready a moment after they are added, and vanish a moment after they are gone. */
import {
  BackendError,
  type ClusterBackend,
  type ClusterSpec,
  type NodePatch,
  type NodeSpec,
  type Observation,
} from "../../src/backends/backend.js";
import type { Clock } from "../../src/clock/clock.js";

interface Node {
  spec: NodeSpec;
  ready: boolean;
  power: string;
  unschedulable: boolean;
  /** Pods that no eviction moves. */
  stuckPods: string[];
  unhealthy: readonly { type: string; reason: string }[];
}

interface Cluster {
  spec: ClusterSpec;
  nodes: Map<string, Node>;
  members: Map<string, { zone: string; state: "up" | "down" }>;
  listeners: Set<(observation: Observation) => void>;
}

export interface MemoryBackend extends ClusterBackend {
  clusters: Map<string, Cluster>;
  calls: string[];
  /** The next call of that name rejects. */
  failNext(method: string, error: Error): void;
  /** What the node monitoring agent finds from now on: conditions that are not True. */
  report(clusterId: string, nodeName: string, unhealthy: readonly { type: string; reason: string }[]): void;
}

const JOIN_MS = 5_000;
const SILENCE_MS = 40_000;

export function createMemoryBackend(clock: Clock): MemoryBackend {
  const clusters = new Map<string, Cluster>();
  const failures = new Map<string, Error>();
  const calls: string[] = [];
  const called = (method: string, ...rest: string[]): void => {
    calls.push([method, ...rest].join(" "));
    const failure = failures.get(method);
    failures.delete(method);
    if (failure) throw failure;
  };
  const find = (clusterId: string): Cluster => {
    const cluster = clusters.get(clusterId);
    if (!cluster) throw new BackendError("missing", `no cluster ${clusterId}`);
    return cluster;
  };
  const nodeOf = (clusterId: string, name: string): Node => {
    const node = find(clusterId).nodes.get(name);
    if (!node) throw new BackendError("missing", `no node ${name}`);
    return node;
  };
  const tell = (cluster: Cluster, observation: Observation): void => {
    for (const listener of cluster.listeners) listener(observation);
  };
  const seen = ({ ready, spec, unhealthy }: Node): Observation => ({
    kind: "node",
    nodeName: spec.name,
    ready,
    present: true,
    unhealthy: [...(ready ? [] : [{ type: "Ready", reason: "NodeStatusUnknown" }]), ...unhealthy],
  });
  const setReady = (cluster: Cluster, node: Node, ready: boolean): void => {
    if (node.ready === ready || !cluster.nodes.has(node.spec.name)) return;
    node.ready = ready;
    tell(cluster, seen(node));
  };
  return {
    name: "embedded",
    clusters,
    calls,
    failNext: (method, error) => failures.set(method, error),
    report: (clusterId, name, unhealthy) => {
      const node = nodeOf(clusterId, name);
      node.unhealthy = unhealthy;
      tell(find(clusterId), seen(node));
    },
    rebootNode: async (clusterId, name) => {
      called("rebootNode", name);
      nodeOf(clusterId, name);
    },
    createCluster: async (spec) => {
      called("createCluster", spec.name);
      if (!clusters.has(spec.clusterId)) {
        const members = new Map(spec.members.map(({ id, zone }) => [id, { zone, state: "up" as const }]));
        clusters.set(spec.clusterId, { spec, nodes: new Map(), members, listeners: new Set() });
      }
      return { endpoint: "https://127.0.0.1:1", port: 1, certificateAuthority: "CA" };
    },
    adoptCluster: async (spec, nodes) => {
      called("adoptCluster", spec.name);
      const cluster = find(spec.clusterId);
      const missingNodes = nodes.map(({ name }) => name).filter((name) => !cluster.nodes.has(name));
      return { endpoint: "https://127.0.0.1:1", port: 1, certificateAuthority: "CA", missingNodes };
    },
    deleteCluster: async (clusterId) => {
      called("deleteCluster");
      clusters.delete(clusterId);
    },
    addNode: async (clusterId, spec) => {
      called("addNode", spec.name);
      const cluster = find(clusterId);
      if (cluster.nodes.has(spec.name)) return;
      const node: Node = { spec, ready: false, power: "running", unschedulable: false, stuckPods: [], unhealthy: [] };
      cluster.nodes.set(spec.name, node);
      clock.timer(JOIN_MS, () => {
        if (node.power === "running") setReady(cluster, node, true);
      });
    },
    removeNode: async (clusterId, name) => {
      called("removeNode", name);
      const cluster = find(clusterId);
      const node = cluster.nodes.get(name);
      if (!node || node.power === "gone") return;
      node.power = "gone";
      clock.timer(SILENCE_MS, () => {
        setReady(cluster, node, false);
        cluster.nodes.delete(name);
        tell(cluster, { kind: "node", nodeName: name, ready: false, present: false });
      });
    },
    drainNode: async (clusterId, name) => {
      called("drainNode", name);
      const node = nodeOf(clusterId, name);
      node.unschedulable = true;
      return { remainingPods: node.stuckPods, hopeless: false, refusals: {} };
    },
    patchNode: async (clusterId, name, patch: NodePatch) => {
      called("patchNode", name);
      const node = nodeOf(clusterId, name);
      if (patch.unschedulable !== undefined) node.unschedulable = patch.unschedulable;
      const labels: Record<string, string> = { ...node.spec.labels };
      for (const [key, value] of Object.entries(patch.labels ?? {})) {
        if (value === null) delete labels[key];
        else labels[key] = value;
      }
      node.spec = { ...node.spec, labels };
    },
    setNodePower: async (clusterId, name, power) => {
      called("setNodePower", name, power);
      const cluster = find(clusterId);
      const node = nodeOf(clusterId, name);
      node.power = power;
      clock.timer(power === "running" ? JOIN_MS : SILENCE_MS, () => {
        if (node.power === power) setReady(cluster, node, power === "running");
      });
    },
    setMember: async (clusterId, id, state) => {
      called("setMember", id, state);
      const cluster = find(clusterId);
      const member = cluster.members.get(id);
      if (!member) throw new BackendError("missing", `no member ${id}`);
      member.state = state;
      tell(cluster, { kind: "member", memberId: id, state });
    },
    replaceMember: async (clusterId, lostId, member) => {
      called("replaceMember", lostId, member.id, member.zone);
      const { members } = find(clusterId);
      members.delete(lostId);
      members.set(member.id, { zone: member.zone, state: "up" });
    },
    upgradeControlPlane: async (clusterId, version) => {
      called("upgradeControlPlane", version);
      find(clusterId);
    },
    observe: (clusterId, listener) => {
      const cluster = find(clusterId);
      cluster.listeners.add(listener);
      for (const node of cluster.nodes.values()) {
        listener(seen(node));
      }
      for (const [memberId, { state }] of cluster.members) listener({ kind: "member", memberId, state });
      return () => cluster.listeners.delete(listener);
    },
    summary: async (clusterId) => {
      const zones: Awaited<ReturnType<ClusterBackend["summary"]>>["zones"] = {};
      const at = (zone: string) => {
        zones[zone] ??= { nodes: 0, readyNodes: 0, pods: 0, readyPods: 0, members: 0, membersUp: 0 };
        return zones[zone];
      };
      const cluster = find(clusterId);
      for (const { zone, state } of cluster.members.values()) {
        at(zone).members++;
        if (state === "up") at(zone).membersUp++;
      }
      for (const { spec, ready } of cluster.nodes.values()) {
        at(spec.zone).nodes++;
        if (ready) at(spec.zone).readyNodes++;
      }
      return { zones, pendingPods: 0, apiAvailable: true };
    },
    inventory: async () => [...clusters.keys()],
    close: async () => {},
  };
}
