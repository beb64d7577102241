/** What is known of pods outside of Kubernetes: where each is, how it fares, and whose it is. */
import { isReady, type WithConditions, ZONE_LABEL } from "../../domain/kubernetes-objects.js";
import type { KubeApi } from "../../kubernetes/api.js";
import type { KubeObject } from "../../kubernetes/object.js";
import type { PodFacts } from "../backend.js";
import { podFacts, workloadOf } from "../objects/pod-facts.js";

export interface PodObject extends KubeObject {
  spec?: { nodeName?: string };
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}

type NodeObject = KubeObject & WithConditions;

/** Resources of owners that may have owners of their own. */
const MIDDLE_OWNERS: Readonly<Record<string, string>> = { ReplicaSet: "replicasets.apps", Job: "jobs.batch" };

const workloadIn = (api: KubeApi, pod: PodObject): PodFacts["workload"] =>
  workloadOf(pod, ({ kind, ...key }) => {
    const resource = MIDDLE_OWNERS[kind];
    return resource === undefined ? undefined : api.get(resource, key);
  });

/** Makes facts of pods; remembers whose they are, since owners go before their pods do. */
function podReader(api: KubeApi): { read(pod: PodObject): PodFacts; forget(pod: PodObject): void } {
  const workloads = new Map<string, PodFacts["workload"]>();
  return {
    read: (pod) => {
      const { uid } = pod.metadata;
      if (!workloads.has(uid)) workloads.set(uid, workloadIn(api, pod));
      const nodeName = pod.spec?.nodeName;
      const node = nodeName ? api.get<NodeObject>("nodes", { name: nodeName }) : undefined;
      const state = node && { zone: node.metadata.labels?.[ZONE_LABEL], ready: isReady(node) };
      return podFacts(pod, state, workloads.get(uid));
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
