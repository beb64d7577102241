/**
 * What lint knows of a cluster: plain facts about nodes, pods, workloads, volumes, budgets and node groups as they are before anything is broken. Where they
 * come from is read-facts.ts; what follows from them is everything else here.
 */
import type { Requirement } from "../../../domain/auto-mode/requirements.js";

/** Amounts by resource name: `cpu` in thousandths of a core, `memory` and `ephemeral-storage` in bytes, everything else as it is counted. */
export type Amounts = Readonly<Record<string, number>>;

export type Labels = Readonly<Record<string, string>>;

/** Requirements of which all have to be met. */
export type Term = readonly Requirement[];

export interface Taint {
  key: string;
  value?: string;
  effect: string;
}

export interface Toleration {
  key?: string;
  operator?: string;
  value?: string;
  effect?: string;
  tolerationSeconds?: number;
}

export interface NodeFacts {
  name: string;
  zone: string;
  ready: boolean;
  /** Cordoned. */
  unschedulable: boolean;
  /** Of Kubernetes, and `metadata.name` for what asks for nodes by name. */
  labels: Labels;
  taints: readonly Taint[];
  /** With `pods`, the number of them that it takes, and `volumes:<driver>`. */
  allocatable: Amounts;
  /** Who puts another in its place when it is gone: its node group, a scaler that launches what pods need (Auto Mode, Karpenter), Fargate, or nobody. */
  replacedBy: "nodegroup" | "scaler" | "fargate" | "nobody";
  nodegroup?: string;
}

/** Pods that have to be, or must not be, where certain others are. */
export interface PodTerm {
  topologyKey: string;
  selector: Term;
  /** Undefined: in every namespace. */
  namespaces?: readonly string[];
}

/** A spread that is demanded, not only wished for. */
export interface SpreadRule {
  topologyKey: string;
  maxSkew: number;
  selector: Term;
  minDomains?: number;
}

export interface PodFacts {
  namespace: string;
  name: string;
  /** Absent: pending. */
  node?: string;
  ready: boolean;
  /** On its way out; it counts for nothing but the room that it takes. */
  terminating: boolean;
  /** Whose replica it is; absent for pods of Jobs and other things that lint says nothing about. */
  workload?: WorkloadName;
  labels: Labels;
  requests: Amounts;
  priority: number;
  /** Whether it may push out pods of lower priority. */
  preempts: boolean;
  /** `80/TCP`, or `80/TCP/10.0.0.1` of one address alone. */
  hostPorts: readonly string[];
  nodeSelector: Labels;
  /** Required node affinity: one of the terms has to be met; undefined: it asks for nothing. */
  nodeTerms?: readonly Term[];
  tolerations: readonly Toleration[];
  together: readonly PodTerm[];
  apart: readonly PodTerm[];
  spread: readonly SpreadRule[];
  /** Names of its claims, in its own namespace. */
  claims: readonly string[];
}

export interface WorkloadName {
  kind: string;
  namespace: string;
  name: string;
}

export interface WorkloadFacts extends WorkloadName {
  wanted: number;
  /** Ready replicas below which it does not do its work. */
  minimum: number;
  /** Its pods are asked to spread over zones, be it as a wish. */
  spreadsOverZones: boolean;
}

export interface ClaimFacts {
  namespace: string;
  name: string;
  /** One node at a time. */
  oneNode: boolean;
  /** CSI driver whose attachments nodes have a limit of. */
  driver?: string;
  /** Where its volume can be reached: one of the terms; undefined: from everywhere, or it is not bound yet. */
  reachableFrom?: readonly Term[];
}

export interface BudgetFacts {
  namespace: string;
  name: string;
  selector?: Term;
  /** A number or a percentage, as it is written. */
  minAvailable?: number | string;
  maxUnavailable?: number | string;
}

export interface NodegroupFacts {
  name: string;
  zones: readonly string[];
  desired: number;
  max: number;
  instanceTypes: readonly string[];
}

export interface LintFacts {
  cluster: string;
  nodes: readonly NodeFacts[];
  pods: readonly PodFacts[];
  workloads: readonly WorkloadFacts[];
  claims: readonly ClaimFacts[];
  budgets: readonly BudgetFacts[];
  nodegroups: readonly NodegroupFacts[];
}

export const workloadKeyOf = ({ kind, namespace, name }: WorkloadName): string => `${namespace}/${kind}/${name}`;

/** Zones in which nodes are, in order. */
export const zonesOf = ({ nodes }: Pick<LintFacts, "nodes">): string[] =>
  [...new Set(nodes.map(({ zone }) => zone))].sort();
