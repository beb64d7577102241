/** Pods: where each is, how it fares and whose it is; and their end. */
import { type Condition, isReady, ZONE_LABEL } from "../../domain/kubernetes-objects.js";
import { BackendError, type PodFacts, type PodName } from "../backend.js";
import type { Node } from "./drain.js";
import { asBackendError, type KubeClient, KubeRefusal, type WatchedObject } from "./kube-client.js";

interface Owner {
  kind: string;
  name: string;
  controller?: boolean;
}

interface Owned extends WatchedObject {
  metadata: {
    name: string;
    namespace?: string;
    uid: string;
    labels?: Record<string, string>;
    deletionTimestamp?: string;
    ownerReferences?: Owner[];
  };
}

interface Pod extends Owned {
  spec?: { nodeName?: string };
  status?: { phase?: string; conditions?: Condition[] };
}

/** Resources of owners that may have owners of their own. */
const MIDDLE_OWNERS: Readonly<Record<string, string>> = {
  ReplicaSet: "/apis/apps/v1/replicasets",
  Job: "/apis/batch/v1/jobs",
};

const controllerOf = ({ metadata }: Owned): Owner | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller);

function factsOf(pod: Pod, zoneOf: (nodeName: string) => string | undefined, top: Owner | undefined): PodFacts {
  const { name, namespace = "", uid, labels = {}, deletionTimestamp } = pod.metadata;
  const nodeName = pod.spec?.nodeName;
  const zone = nodeName ? zoneOf(nodeName) : undefined;
  return {
    namespace,
    name,
    uid,
    labels,
    ...(nodeName ? { nodeName } : {}),
    ...(zone ? { zone } : {}),
    phase: pod.status?.phase ?? "Pending",
    ready: isReady(pod),
    terminating: deletionTimestamp !== undefined,
    ...(top ? { workload: { kind: top.kind, name: top.name } } : {}),
  };
}

/** An owner that is gone hides those above it. */
function topOwner(pod: Owned, middle: ReadonlyMap<string, Owned>): Owner | undefined {
  const owner = controllerOf(pod);
  if (!owner) return undefined;
  const above = middle.get(`${owner.kind} ${pod.metadata.namespace}/${owner.name}`);
  return (above && topOwner(above, middle)) ?? owner;
}

export function pods(client: KubeClient): Promise<PodFacts[]> {
  return asBackendError(async () => {
    const list = async <T>(path: string): Promise<T[]> => (await client.request<{ items: T[] }>("GET", path)).items;
    const [all, nodes, ...owners] = await Promise.all([
      list<Pod>("/api/v1/pods"),
      list<Node>("/api/v1/nodes"),
      ...Object.entries(MIDDLE_OWNERS).map(async ([kind, path]) => ({ kind, items: await list<Owned>(path) })),
    ]);
    const zones = new Map(nodes.map(({ metadata }) => [metadata.name, metadata.labels?.[ZONE_LABEL]]));
    const middle = new Map(
      owners.flatMap(({ kind, items }) =>
        items.map((item): [string, Owned] => [`${kind} ${item.metadata.namespace}/${item.metadata.name}`, item]),
      ),
    );
    return all.map((pod) => factsOf(pod, (name) => zones.get(name), topOwner(pod, middle)));
  });
}

/** Tells of every pod at once, and then of every change. Zones and workloads are as known when the pod is first told of with a node. Returns how to stop. */
export function watchPods(
  client: KubeClient,
  listener: (change: { pod: PodFacts; gone: boolean }) => void,
): () => void {
  const zones = new Map<string, string | undefined>();
  const middle = new Map<string, Owned>();
  const stops = [
    client.watch<Node & WatchedObject>("/api/v1/nodes", ({ object: { metadata } }) => {
      zones.set(metadata.name, metadata.labels?.[ZONE_LABEL]);
    }),
    ...Object.entries(MIDDLE_OWNERS).map(([kind, path]) =>
      client.watch<Owned>(path, ({ type, object }) => {
        const key = `${kind} ${object.metadata.namespace}/${object.metadata.name}`;
        // Owners go before their pods do: those are kept as long as they are watched.
        if (type !== "DELETED") middle.set(key, object);
      }),
    ),
    client.watch<Pod>("/api/v1/pods", ({ type, object }) => {
      const facts = factsOf(object, (name) => zones.get(name), topOwner(object, middle));
      listener({ pod: facts, gone: type === "DELETED" });
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** Pods that are gone have ended. Containers cannot be made to fail from outside without touching their images. */
export async function endPods(
  client: KubeClient,
  ending: readonly PodName[],
  how: "delete" | "kill" | "crash" | "oom",
): Promise<void> {
  if (how === "crash" || how === "oom")
    throw new BackendError("unsupported", `the backend kind cannot make containers of pods end as if by ${how}`);
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
