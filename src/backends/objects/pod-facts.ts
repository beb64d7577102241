/** What is told of a pod, whichever backend it is in: where it is, how it fares and whose it is. */
import { type Condition, controllerOf, isReady, type Owned } from "../../domain/kubernetes-objects.js";
import type { PodFacts } from "../contract/observations.js";

export interface DescribedPod {
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    labels?: Readonly<Record<string, string>>;
    deletionTimestamp?: string;
  };
  spec?: { nodeName?: string };
  status?: { phase?: string; conditions?: readonly Condition[] };
}

/** The workload at the top of a pod's owners. An owner that is gone hides those above it. `ownerOf` finds one that may have an owner of its own. */
export function workloadOf(
  object: Owned,
  ownerOf: (name: { kind: string; namespace: string; name: string }) => Owned | undefined,
): PodFacts["workload"] {
  const owner = controllerOf(object);
  if (!owner) return undefined;
  const { kind, name } = owner;
  const above = ownerOf({ kind, namespace: object.metadata.namespace ?? "", name });
  return (above && workloadOf(above, ownerOf)) ?? { kind, name };
}

/** `node`: what is known of the one it is on; undefined when that is not there, or when it has none. */
export function podFacts(
  pod: DescribedPod,
  node: { zone: string | undefined; ready: boolean } | undefined,
  workload: PodFacts["workload"],
): PodFacts {
  const { name, namespace = "", uid, labels = {}, deletionTimestamp } = pod.metadata;
  const nodeName = pod.spec?.nodeName;
  return {
    namespace,
    name,
    uid,
    labels,
    ...(nodeName ? { nodeName, nodeReady: node?.ready ?? false } : {}),
    ...(node?.zone ? { zone: node.zone } : {}),
    phase: pod.status?.phase ?? "Pending",
    ready: isReady(pod),
    terminating: deletionTimestamp !== undefined,
    ...(workload ? { workload } : {}),
  };
}
