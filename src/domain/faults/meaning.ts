/** Words and small choices that entries of the catalogue share: whom a fault means, and how that is said. */
import type { ActingFault, ClusterFacts, ClusterWants, MachineTrouble } from "./definition.js";
import { durationText } from "./parameters.js";

/** Nodes of the cluster that the fault means: those found when it began, and those that have come since where newcomers count. */
export function nodesOf(fault: ActingFault, cluster: ClusterFacts): ClusterFacts["nodes"] {
  const { targets, target } = fault;
  if (targets.newcomers) {
    return cluster.nodes.filter(
      ({ zone, nodegroup }) =>
        zone === targets.zone && (target.nodegroup === undefined || target.nodegroup === nodegroup),
    );
  }
  const names = new Set(targets.nodes?.filter(({ clusterId }) => clusterId === cluster.id).map(({ name }) => name));
  return cluster.nodes.filter(({ name }) => names.has(name));
}

/** The same value for every node that is meant. */
export function byNode<T>(fault: ActingFault, cluster: ClusterFacts, value: T): Record<string, T> {
  return Object.fromEntries(nodesOf(fault, cluster).map(({ name }) => [name, value]));
}

export const machines =
  (trouble: MachineTrouble) =>
  (fault: ActingFault, cluster: ClusterFacts): ClusterWants => ({ machines: byNode(fault, cluster, trouble) });

/** How many names a sentence lists. */
const LISTED = 3;

export function listed(names: readonly string[]): string {
  if (names.length <= LISTED) return names.join(", ");
  return `${names.slice(0, LISTED).join(", ")} and ${names.length - LISTED} more`;
}

/** ` for cluster demo`, where it is one cluster's. */
export const whose = ({ clusterName }: ActingFault): string => (clusterName ? ` for cluster ${clusterName}` : "");

/** `node a`, `nodes a, b`, `all nodes in us-east-1a`. */
export function theNodes({ target, targets }: ActingFault): string {
  if (targets.newcomers) {
    const group = target.nodegroup ? ` of node group ${target.nodegroup}` : "";
    return `all nodes${group} in ${targets.zone}`;
  }
  const names = (targets.nodes ?? []).map(({ name }) => name);
  return `${names.length === 1 ? "node" : "nodes"} ${listed(names)}`;
}

export function theInstances({ targets }: ActingFault): string {
  const ids = (targets.nodes ?? []).map(({ instanceId, name }) => instanceId ?? name);
  return `${ids.length === 1 ? "instance" : "instances"} ${listed(ids)}`;
}

export function thePods({ targets }: ActingFault): string {
  const names = (targets.pods ?? []).map(({ namespace, name }) => `${namespace}/${name}`);
  if (targets.newcomers) return `pods in ${targets.zone}`;
  return `${names.length === 1 ? "pod" : "pods"} ${listed(names)}`;
}

/** `every cluster`, `cluster demo`. */
export const theCluster = ({ clusterName }: ActingFault): string =>
  clusterName ? `cluster ${clusterName}` : "every cluster";

export const capitalised = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const isMany = ({ targets }: ActingFault): boolean =>
  targets.newcomers === true || (targets.nodes ?? targets.pods ?? targets.masters ?? []).length !== 1;

/** A parameter as it was read. */
export const text = (fault: Pick<ActingFault, "parameters">, name: string): string => String(fault.parameters[name]);
export const number = (fault: Pick<ActingFault, "parameters">, name: string): number =>
  Number(fault.parameters[name] ?? 0);
export const list = (fault: Pick<ActingFault, "parameters">, name: string): readonly string[] =>
  (fault.parameters[name] as readonly string[] | undefined) ?? [];
export const duration = (fault: Pick<ActingFault, "parameters">, name: string): string =>
  durationText(number(fault, name));
