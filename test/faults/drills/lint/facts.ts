/** Facts of made-up clusters for lint's tables: nodes and pods that ask for nothing unless a test says so. */
import type {
  LintFacts,
  NodeFacts,
  NodegroupFacts,
  PodFacts,
  WorkloadFacts,
} from "../../../../src/faults/drills/lint/facts.js";
import { lintCluster } from "../../../../src/faults/drills/lint/lint.js";
import type { Prediction } from "../../../../src/faults/drills/result.js";

const GIB = 1024 ** 3;

export const node = (name: string, zone: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
  name,
  zone,
  ready: true,
  unschedulable: false,
  taints: [],
  allocatable: { cpu: 2000, memory: 8 * GIB, pods: 29 },
  replacedBy: "nobody",
  ...more,
  labels: {
    "topology.kubernetes.io/zone": zone,
    "kubernetes.io/hostname": name,
    "metadata.name": name,
    ...more.labels,
  },
});

export const pod = (workload: string, on: string | undefined, more: Partial<PodFacts> = {}): PodFacts => ({
  namespace: "default",
  name: `${workload}-on-${on}`,
  ...(on === undefined ? {} : { node: on }),
  ready: on !== undefined,
  terminating: false,
  workload: { kind: "Deployment", namespace: "default", name: workload },
  labels: { app: workload },
  requests: { pods: 1 },
  priority: 0,
  preempts: true,
  hostPorts: [],
  nodeSelector: {},
  tolerations: [],
  together: [],
  apart: [],
  spread: [],
  claims: [],
  ...more,
});

export const workload = (name: string, wanted: number, more: Partial<WorkloadFacts> = {}): WorkloadFacts => ({
  kind: "Deployment",
  namespace: "default",
  name,
  wanted,
  minimum: 1,
  spreadsOverZones: false,
  ...more,
});

export const nodegroup = (name: string, more: Partial<NodegroupFacts> = {}): NodegroupFacts => ({
  name,
  zones: ["a", "b", "c"],
  desired: 3,
  max: 6,
  instanceTypes: ["m5.large"],
  ...more,
});

/** One node in each of three zones. */
export const threeNodes = (more: Partial<NodeFacts> = {}): NodeFacts[] =>
  ["a", "b", "c"].map((zone) => node(`n-${zone}`, zone, more));

export const facts = (more: Partial<LintFacts>): LintFacts => ({
  cluster: "demo",
  nodes: threeNodes(),
  pods: [],
  workloads: [],
  claims: [],
  budgets: [],
  nodegroups: [],
  ...more,
});

/** What is said of the one workload, or of `name`, should zone `zone` be lost. */
export function said(world: LintFacts, zone = "a", name?: string): Prediction {
  const found = lintCluster(world).find((one) => one.zone === zone && (name === undefined || one.name === name));
  if (!found) throw new Error(`nothing is said of ${name ?? "anything"} without zone ${zone}`);
  return found;
}
