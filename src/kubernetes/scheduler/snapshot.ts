import type {
  LabelSelector,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "../schema/generated/types.js";
import { NodeInfo } from "./node-info.js";
import { type AffinityTerm, claimNameOf, type PodInfo, type WeightedTerm } from "./pod-info.js";
import { createPodSets, type PodSets } from "./pod-sets.js";

/** What rules look up beside nodes and pods. Answered from the API server's store. */
export interface ClusterLookups {
  namespaceLabels(name: string): Readonly<Record<string, string>> | undefined;
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumes(): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
  /** How many volumes each CSI driver can attach to the node; drivers without a limit are absent. */
  volumeLimits(nodeName: string): ReadonlyMap<string, number>;
  /** Selectors of the Services and the controller that the pod belongs to, for the default spread constraints; empty: none. */
  groupSelectors(pod: PodInfo): readonly LabelSelector[];
}

/** An affinity term that placed pods carry, and how many of them by node. */
export interface CarriedTerm {
  readonly term: AffinityTerm;
  /** For scores; 0 for required anti-affinity, which filters. */
  readonly weight: number;
  readonly counts: Map<NodeInfo, number>;
}

/** Upstream's hardPodAffinityWeight: what a required affinity of a placed pod is worth to the pods it likes. */
const HARD_AFFINITY_WEIGHT = 1;

/** Volumes that pods have been given before the API server says so; claims by their uid, volumes by name. */
export interface VolumePromises {
  /** Nodes that volumes are being made for, by claim. */
  readonly provision: Map<string, string>;
  /** Volumes that claims are being bound to, by claim; and the other way round. */
  readonly volumes: Map<string, string>;
  readonly claims: Map<string, string>;
}

interface Placement {
  pod: PodInfo;
  node: NodeInfo;
}

/**
 * The cluster as planning sees it, kept up to date change by change: nodes with the pods placed on them (also the ones just decided, before the API
 * server confirms) and the counts that spread and affinity rules need.
 */
export class ClusterSnapshot {
  readonly lookups: ClusterLookups;
  readonly podSets: PodSets;
  readonly promises: VolumePromises = { provision: new Map(), volumes: new Map(), claims: new Map() };
  /** Required anti-affinity of placed pods: it also keeps others away from them. */
  readonly repelling = new Map<string, CarriedTerm>();
  /** Preferences of placed pods about pods to come. */
  readonly preferring = new Map<string, CarriedTerm>();
  readonly #nodes = new Map<string, NodeInfo>();
  readonly #placements = new Map<string, Placement>();
  /** Placed pods by the claims they use. */
  readonly #claimUsers = new Map<string, number>();
  #ordered: readonly NodeInfo[] | undefined;

  constructor(lookups: ClusterLookups) {
    this.lookups = lookups;
    this.podSets = createPodSets({
      pods: () => this.#placed(),
      namespaceLabels: (namespace) => lookups.namespaceLabels(namespace),
    });
  }

  *#placed(): Iterable<readonly [PodInfo, NodeInfo]> {
    for (const { pod, node } of this.#placements.values()) yield [pod, node];
  }

  node(name: string): NodeInfo | undefined {
    const info = this.#nodes.get(name);
    return info?.node ? info : undefined;
  }

  /** All nodes, zones taking turns (upstream's nodeTree), so that a sample of them sees every zone. */
  nodes(): readonly NodeInfo[] {
    this.#ordered ??= interleaveZones([...this.#nodes.values()].filter((info) => info.node));
    return this.#ordered;
  }

  setNode(node: Node): NodeInfo {
    const info = this.#info(node.metadata.name);
    const zone = info.zone;
    const known = info.node !== undefined;
    info.setNode(node);
    if (!known || info.zone !== zone) this.#ordered = undefined;
    return info;
  }

  removeNode(name: string): void {
    const info = this.#nodes.get(name);
    if (!info) return;
    info.setNode(undefined);
    this.#ordered = undefined;
    // Pods may outlive their node for a while; they are forgotten as their own deletions arrive.
    if (info.pods.size === 0) this.#nodes.delete(name);
  }

  placement(key: string): Readonly<Placement> | undefined {
    return this.#placements.get(key);
  }

  /** Placed pods that use the claim. */
  usersOf(namespace: string, claim: string): number {
    return this.#claimUsers.get(`${namespace}/${claim}`) ?? 0;
  }

  get podCount(): number {
    return this.#placements.size;
  }

  /** Puts the pod on the node; an earlier placement of the same pod gives way. */
  place(pod: PodInfo, nodeName: string): void {
    const present = this.#placements.get(pod.key);
    if (present) {
      if (present.pod === pod && present.node.name === nodeName) return;
      this.remove(pod.key);
    }
    this.#put(pod, this.#info(nodeName));
  }

  remove(key: string): Placement | undefined {
    const present = this.#placements.get(key);
    if (present) this.#take(present);
    return present;
  }

  /** Runs `fn` as though `gone` were not placed and `extra` were placed on `node`; everything is as before afterwards. */
  supposing<T>(node: NodeInfo, gone: readonly PodInfo[], extra: readonly PodInfo[], fn: () => T): T {
    for (const pod of gone) this.#take({ pod, node });
    for (const pod of extra) this.#put(pod, node);
    try {
      return fn();
    } finally {
      for (const pod of extra) this.#take({ pod, node });
      for (const pod of gone) this.#put(pod, node);
    }
  }

  #info(name: string): NodeInfo {
    let info = this.#nodes.get(name);
    if (!info) {
      info = new NodeInfo(name);
      this.#nodes.set(name, info);
    }
    return info;
  }

  #put(pod: PodInfo, node: NodeInfo): void {
    this.#placements.set(pod.key, { pod, node });
    node.addPod(pod);
    this.podSets.added(pod, node);
    this.#carry(pod, node, 1);
  }

  #take({ pod, node }: Placement): void {
    this.#placements.delete(pod.key);
    node.removePod(pod);
    this.podSets.removed(pod, node);
    this.#carry(pod, node, -1);
    if (!node.node && node.pods.size === 0 && this.#nodes.get(node.name) === node) this.#nodes.delete(node.name);
  }

  #carry(pod: PodInfo, node: NodeInfo, by: 1 | -1): void {
    for (const volume of pod.demand.claims) {
      const key = `${pod.namespace}/${claimNameOf(pod.pod.metadata.name, volume)}`;
      const users = (this.#claimUsers.get(key) ?? 0) + by;
      if (users > 0) this.#claimUsers.set(key, users);
      else this.#claimUsers.delete(key);
    }
    const affinity = pod.affinity;
    if (!affinity) return;
    for (const term of affinity.requiredAnti) count(this.repelling, term, 0, node, by);
    for (const term of affinity.required) count(this.preferring, term, HARD_AFFINITY_WEIGHT, node, by);
    for (const term of affinity.preferred) count(this.preferring, term, (term as WeightedTerm).weight, node, by);
  }
}

function count(terms: Map<string, CarriedTerm>, term: AffinityTerm, weight: number, node: NodeInfo, by: 1 | -1): void {
  const id = `${weight}|${term.id}`;
  let carried = terms.get(id);
  if (!carried) {
    carried = { term, weight, counts: new Map() };
    terms.set(id, carried);
  }
  const next = (carried.counts.get(node) ?? 0) + by;
  if (next > 0) carried.counts.set(node, next);
  else carried.counts.delete(node);
  if (carried.counts.size === 0) terms.delete(id);
}

function interleaveZones(nodes: readonly NodeInfo[]): NodeInfo[] {
  const zones = new Map<string, NodeInfo[]>();
  for (const node of nodes) {
    const zone = zones.get(node.zone);
    if (zone) zone.push(node);
    else zones.set(node.zone, [node]);
  }
  const ordered: NodeInfo[] = [];
  const lists = [...zones.values()];
  for (let i = 0; ordered.length < nodes.length; i++)
    for (const list of lists) {
      const node = list[i];
      if (node) ordered.push(node);
    }
  return ordered;
}
