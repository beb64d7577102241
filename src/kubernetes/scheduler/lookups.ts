import type { KubeApi } from "../api.js";
import { matcherOfMap } from "../runtime/label-selector.js";
import { controllerOf } from "../runtime/owners.js";
import type {
  CSINode,
  LabelSelector,
  Namespace,
  PersistentVolume,
  PersistentVolumeClaim,
  ReplicaSet,
  ReplicationController,
  Service,
  StatefulSet,
  StorageClass,
} from "../schema/generated/types.js";
import type { PodInfo } from "./pod-info.js";
import type { ClusterLookups } from "./snapshot.js";

/** Answers the planner's look-ups from the API server. Services are kept by namespace: every pod that is placed asks for those that select it. */

/** Controllers whose selector tells which pods belong together (upstream's helper.DefaultSelector). */
const GROUP_CONTROLLERS: Readonly<
  Record<string, { resource: string; selector: (owner: never) => LabelSelector | undefined }>
> = {
  ReplicaSet: { resource: "replicasets.apps", selector: (owner: ReplicaSet) => owner.spec?.selector },
  StatefulSet: { resource: "statefulsets.apps", selector: (owner: StatefulSet) => owner.spec?.selector },
  ReplicationController: {
    resource: "replicationcontrollers",
    selector: (owner: ReplicationController) => asLabelSelector(owner.spec?.selector),
  },
};

const asSelectors = new WeakMap<object, LabelSelector>();

function asLabelSelector(map: Record<string, string> | undefined): LabelSelector | undefined {
  if (!map || Object.keys(map).length === 0) return undefined;
  let selector = asSelectors.get(map);
  if (!selector) {
    selector = { matchLabels: map };
    asSelectors.set(map, selector);
  }
  return selector;
}

const NO_LIMITS: ReadonlyMap<string, number> = new Map();

function limitsOf(node: CSINode | undefined): ReadonlyMap<string, number> {
  const limits = new Map<string, number>();
  for (const { name, allocatable } of node?.spec.drivers ?? [])
    if (allocatable?.count !== undefined) limits.set(name, allocatable.count);
  return limits.size > 0 ? limits : NO_LIMITS;
}

export interface WatchedLookups extends ClusterLookups {
  stop(): void;
}

export function createLookups(api: KubeApi): WatchedLookups {
  const services = new Map<string, Map<string, Service>>();
  const stop = api.watch<Service>("services", ({ type, object }) => {
    const { namespace = "", name } = object.metadata;
    const inNamespace = services.get(namespace);
    if (type === "DELETED") inNamespace?.delete(name);
    else if (inNamespace) inNamespace.set(name, object);
    else services.set(namespace, new Map([[name, object]]));
  });

  const groupSelectors = (pod: PodInfo): LabelSelector[] => {
    const selectors: LabelSelector[] = [];
    for (const service of services.get(pod.namespace)?.values() ?? []) {
      const map = service.spec?.selector;
      const selector = matcherOfMap(map)(pod.labels) ? asLabelSelector(map) : undefined;
      if (selector) selectors.push(selector);
    }
    const owner = controllerOf(pod.pod);
    const group = owner ? GROUP_CONTROLLERS[owner.kind] : undefined;
    if (owner && group) {
      const object = api.get(group.resource, { namespace: pod.namespace, name: owner.name });
      const selector = object ? group.selector(object as never) : undefined;
      if (selector) selectors.push(selector);
    }
    return selectors;
  };

  return {
    namespaceLabels: (name) => api.get<Namespace>("namespaces", { name })?.metadata.labels,
    claim: (namespace, name) => api.get<PersistentVolumeClaim>("persistentvolumeclaims", { namespace, name }),
    volume: (name) => api.get<PersistentVolume>("persistentvolumes", { name }),
    volumes: () => api.list<PersistentVolume>("persistentvolumes"),
    storageClass: (name) => api.get<StorageClass>("storageclasses.storage.k8s.io", { name }),
    volumeLimits: (name) => limitsOf(api.get<CSINode>("csinodes.storage.k8s.io", { name })),
    groupSelectors,
    stop,
  };
}
