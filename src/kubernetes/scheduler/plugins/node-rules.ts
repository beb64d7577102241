import { nodeMatchesPodAffinity, nodeMatchesTerm } from "../../runtime/node-affinity.js";
import { TAINT } from "../../runtime/taints.js";
import type { Node, NodeSelectorTerm, PodSpec, Taint } from "../../schema/generated/types.js";
import { type FilterPlugin, normaliseToMax, refuse, refuseForGood, type ScorePlugin } from "../plugin.js";

/** Rules about the node itself: cordons, names, taints, labels, host ports. */

const UNSCHEDULABLE_TAINT: Taint = { key: TAINT.unschedulable, effect: "NoSchedule" };
const UNSCHEDULABLE = refuseForGood("node(s) were unschedulable");

export const nodeUnschedulable: FilterPlugin = {
  name: "NodeUnschedulable",
  wakesOn: ["node"],
  prepare: (pod) => {
    if (pod.demand.tolerates(UNSCHEDULABLE_TAINT)) return undefined;
    return (node) => (node.node?.spec?.unschedulable ? UNSCHEDULABLE : undefined);
  },
};

const OTHER_NAME = refuseForGood("node(s) didn't match the requested node name");

export const nodeName: FilterPlugin = {
  name: "NodeName",
  wakesOn: ["node"],
  prepare: (pod) => {
    const wanted = pod.pod.spec?.nodeName;
    return wanted ? (node) => (node.name === wanted ? undefined : OTHER_NAME) : undefined;
  },
};

/** Since 1.35 without saying which: nodes with many different taints made the text endless. */
const TAINTED = refuseForGood("node(s) had untolerated taint(s)");

export const taintToleration: FilterPlugin = {
  name: "TaintToleration",
  wakesOn: ["node"],
  prepare: (pod) => (node) => {
    for (const taint of node.hardTaints) if (!pod.demand.tolerates(taint)) return TAINTED;
    return undefined;
  },
};

export const untaintedFirst: ScorePlugin = {
  name: "TaintToleration",
  weight: 3,
  prepare: (pod, _cluster, nodes) => {
    if (!nodes.some((node) => node.softTaints.length > 0)) return undefined;
    return (node) => {
      let count = 0;
      for (const taint of node.softTaints) if (!pod.demand.tolerates(taint)) count++;
      return count;
    };
  },
  normalise: (scores) => normaliseToMax(scores, true),
};

const NO_MATCH = refuseForGood("node(s) didn't match Pod's node affinity/selector");

export const nodeAffinity: FilterPlugin = {
  name: "NodeAffinity",
  wakesOn: ["node"],
  prepare: (pod) => {
    if (!pod.demand.hasNodeAffinity) return undefined;
    const spec = pod.pod.spec as PodSpec;
    return (node) => (nodeMatchesPodAffinity(node.node as Node, spec) ? undefined : NO_MATCH);
  },
};

const isEmptyTerm = (term: NodeSelectorTerm): boolean => !term.matchExpressions?.length && !term.matchFields?.length;

export const preferredNodes: ScorePlugin = {
  name: "NodeAffinity",
  weight: 2,
  prepare: (pod) => {
    // An empty preference prefers nothing.
    const terms = pod.demand.preferredNodes.filter((term) => !isEmptyTerm(term.preference));
    if (terms.length === 0) return undefined;
    return (node) => {
      let sum = 0;
      for (const term of terms) if (nodeMatchesTerm(node.node as Node, term.preference)) sum += term.weight;
      return sum;
    };
  },
  normalise: (scores) => normaliseToMax(scores, false),
};

const PORTS_TAKEN = refuse("node(s) didn't have free ports for the requested pod ports");

export const nodePorts: FilterPlugin = {
  name: "NodePorts",
  wakesOn: ["node", "podGone"],
  prepare: (pod) => {
    const ports = pod.demand.hostPorts;
    return ports.length === 0 ? undefined : (node) => (node.hasPortConflict(ports) ? PORTS_TAKEN : undefined);
  },
};
