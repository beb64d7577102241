/** Pods: where each is, how it fares and whose it is; and their end. */
import { type Condition, isReady, type OwnerReference, ZONE_LABEL } from "../../domain/kubernetes-objects.js";
import type { PodFacts, PodName } from "../backend.js";
import { podFacts, workloadOf } from "../objects/pod-facts.js";
import type { Node } from "./drain.js";
import { asBackendError, type KubeClient, KubeRefusal, type WatchedObject } from "./kube-client.js";

interface OwnedObject extends WatchedObject {
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    labels?: Record<string, string>;
    deletionTimestamp?: string;
    ownerReferences?: OwnerReference[];
  };
}

interface Pod extends OwnedObject {
  spec?: { nodeName?: string };
  status?: { phase?: string; conditions?: Condition[] };
}

/** Resources of owners that may have owners of their own. */
const MIDDLE_OWNERS: Readonly<Record<string, string>> = {
  ReplicaSet: "/apis/apps/v1/replicasets",
  Job: "/apis/batch/v1/jobs",
};

interface NodeState {
  zone: string | undefined;
  ready: boolean;
}

const stateOf = (node: Node): NodeState => ({ zone: node.metadata.labels?.[ZONE_LABEL], ready: isReady(node) });

const keyOf = (kind: string, namespace: string | undefined, name: string): string => `${kind} ${namespace}/${name}`;

function factsOf(pod: Pod, nodes: ReadonlyMap<string, NodeState>, middle: ReadonlyMap<string, OwnedObject>): PodFacts {
  const workload = workloadOf(pod, ({ kind, namespace, name }) => middle.get(keyOf(kind, namespace, name)));
  return podFacts(pod, nodes.get(pod.spec?.nodeName ?? ""), workload);
}

export function pods(client: KubeClient): Promise<PodFacts[]> {
  return asBackendError(async () => {
    const list = async <T>(path: string): Promise<T[]> => (await client.request<{ items: T[] }>("GET", path)).items;
    const [all, nodes, ...owners] = await Promise.all([
      list<Pod>("/api/v1/pods"),
      list<Node>("/api/v1/nodes"),
      ...Object.entries(MIDDLE_OWNERS).map(async ([kind, path]) => ({ kind, items: await list<OwnedObject>(path) })),
    ]);
    const states = new Map(nodes.map((node) => [node.metadata.name, stateOf(node)]));
    const middle = new Map(
      owners.flatMap(({ kind, items }) =>
        items.map((item): [string, OwnedObject] => [keyOf(kind, item.metadata.namespace, item.metadata.name), item]),
      ),
    );
    return all.map((pod) => factsOf(pod, states, middle));
  });
}

/** Tells of every pod at once, and then of every change, also when their node becomes Ready, ceases to be, or goes. Returns how to stop. */
export function watchPods(
  client: KubeClient,
  listener: (change: { pod: PodFacts; gone: boolean }) => void,
): () => void {
  const nodes = new Map<string, NodeState>();
  const known = new Map<string, Pod>();
  const middle = new Map<string, OwnedObject>();
  const tell = (pod: Pod, gone: boolean): void => listener({ pod: factsOf(pod, nodes, middle), gone });
  const stops = [
    client.watch<Node & WatchedObject>("/api/v1/nodes", ({ type, object }) => {
      const { name } = object.metadata;
      const present = stateOf(object);
      // Pods that outlive their node stood where they stood.
      const state = type === "DELETED" ? { ...present, ready: false } : present;
      const before = nodes.get(name);
      nodes.set(name, state);
      if (before?.ready === state.ready && before.zone === state.zone) return;
      for (const pod of known.values()) if (pod.spec?.nodeName === name) tell(pod, false);
    }),
    ...Object.entries(MIDDLE_OWNERS).map(([kind, path]) =>
      client.watch<OwnedObject>(path, ({ type, object }) => {
        const { namespace, name } = object.metadata;
        // Owners go before their pods do: those are kept as long as they are watched.
        if (type !== "DELETED") middle.set(keyOf(kind, namespace, name), object);
      }),
    ),
    client.watch<Pod>("/api/v1/pods", ({ type, object }) => {
      const gone = type === "DELETED";
      if (gone) known.delete(object.metadata.uid);
      else known.set(object.metadata.uid, object);
      tell(object, gone);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** They are deleted: with their grace period, or at once. Pods that are gone have ended. */
export async function deletePods(
  client: KubeClient,
  ending: readonly PodName[],
  how: "delete" | "kill",
): Promise<void> {
  return asBackendError(async () => {
    await Promise.all(
      ending.map(async ({ namespace, name }) => {
        const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods/${encodeURIComponent(name)}`;
        try {
          await client.request("DELETE", path, how === "kill" ? { query: { gracePeriodSeconds: "0" } } : {});
        } catch (error) {
          if (!(error instanceof KubeRefusal && error.status === 404)) throw error;
        }
      }),
    );
  });
}
