/** What is known of pods outside of Kubernetes: where each is, how it fares, and whose it is. */
import { isReady, type WithConditions, ZONE_LABEL } from "../../domain/kubernetes-objects.js";
import type { KubeApi } from "../../kubernetes/api.js";
import type { KubeObject } from "../../kubernetes/object.js";
import type { PodFacts } from "../backend.js";

export interface PodObject extends KubeObject {
  spec?: { nodeName?: string };
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}

type NodeObject = KubeObject & WithConditions;

/** Resources of owners that may have owners of their own. */
const MIDDLE_OWNERS: Readonly<Record<string, string>> = { ReplicaSet: "replicasets.apps", Job: "jobs.batch" };

/** The workload at the top of a pod's owners. An owner that is gone hides those above it. */
function workloadOf(api: KubeApi, { metadata }: KubeObject): PodFacts["workload"] {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return undefined;
  const resource = MIDDLE_OWNERS[owner.kind];
  const namespace = metadata.namespace;
  const middle = resource && namespace ? api.get(resource, { namespace, name: owner.name }) : undefined;
  return (middle && workloadOf(api, middle)) ?? { kind: owner.kind, name: owner.name };
}

/** Makes facts of pods; remembers whose they are, since owners go before their pods do. */
export function podReader(api: KubeApi): { read(pod: PodObject): PodFacts; forget(pod: PodObject): void } {
  const workloads = new Map<string, PodFacts["workload"]>();
  return {
    read: (pod) => {
      const { name, namespace = "", uid, labels = {}, deletionTimestamp } = pod.metadata;
      if (!workloads.has(uid)) workloads.set(uid, workloadOf(api, pod));
      const workload = workloads.get(uid);
      const nodeName = pod.spec?.nodeName;
      const node = nodeName ? api.get<NodeObject>("nodes", { name: nodeName }) : undefined;
      const zone = node?.metadata.labels?.[ZONE_LABEL];
      return {
        namespace,
        name,
        uid,
        labels,
        ...(nodeName ? { nodeName, nodeReady: node !== undefined && isReady(node) } : {}),
        ...(zone ? { zone } : {}),
        phase: pod.status?.phase ?? "Pending",
        ready: isReady(pod),
        terminating: deletionTimestamp !== undefined,
        ...(workload ? { workload } : {}),
      };
    },
    forget: (pod) => void workloads.delete(pod.metadata.uid),
  };
}

/** All pods as they are now. */
export function listPods(api: KubeApi): PodFacts[] {
  const reader = podReader(api);
  return api.list<PodObject>("pods").map(reader.read);
}

/** Tells of every pod at once, and then of every change, also when their node becomes Ready, ceases to be, or goes. Returns how to stop. */
export function watchPods(api: KubeApi, listener: (change: { pod: PodFacts; gone: boolean }) => void): () => void {
  const reader = podReader(api);
  const stops = [
    api.watch<PodObject>("pods", ({ type, object }) => {
      listener({ pod: reader.read(object), gone: type === "DELETED" });
      if (type === "DELETED") reader.forget(object);
    }),
    api.watch<NodeObject>("nodes", ({ type, object, previous }) => {
      const wasReady = previous !== undefined && isReady(previous);
      if (type !== "DELETED" && wasReady === isReady(object)) return;
      for (const pod of api.byIndex<PodObject>("pods", "node", object.metadata.name))
        listener({ pod: reader.read(pod), gone: false });
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}
