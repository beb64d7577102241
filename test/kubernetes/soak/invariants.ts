import type { KubeApi } from "../../../src/kubernetes/api.js";
import { type KubeObject, keyOf } from "../../../src/kubernetes/object.js";
import { controllerOf } from "../../../src/kubernetes/runtime/owners.js";
import { isPodActive, isPodReady, isPodTerminal } from "../../../src/kubernetes/runtime/pods.js";
import type {
  DaemonSet,
  Deployment,
  EndpointSlice,
  Job,
  Node,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Service,
  StatefulSet,
} from "../../../src/kubernetes/schema/generated/types.js";
import type { SoakCluster } from "./cluster.js";
import { CROWDED, NAMESPACES } from "./operations.js";

/** What must hold of a cluster; each function answers what does not. */
const ours = <T extends KubeObject>(api: KubeApi, resource: string): T[] =>
  NAMESPACES.flatMap((namespace) => [...api.list<T>(resource, { namespace })]);

const OWNERS = [
  "deployments.apps",
  "replicasets.apps",
  "replicationcontrollers",
  "statefulsets.apps",
  "daemonsets.apps",
  "jobs.batch",
  "cronjobs.batch",
];

/** At every moment, whatever is going on. */
export function always({ cluster: { api }, ear, log }: SoakCluster): string[] {
  const faults = [...ear.faults, ...log.filter((line) => !line.includes("exceeded quota"))];
  if (ear.heard !== api.revision) faults.push(`heard up to ${ear.heard} of ${api.revision}`);
  for (const [resource, objects] of ear.known) {
    const listed = api.list(resource);
    const isSame = listed.length === objects.size && listed.every((object) => objects.get(keyOf(object)) === object);
    // Heartbeats are put into what is read of nodes and leases.
    if (!isSame && !["nodes", "leases.coordination.k8s.io"].includes(resource))
      faults.push(`${resource}: events tell of ${objects.size}, a list of ${listed.length}`);
  }
  for (const quota of api.list<ResourceQuota>("resourcequotas")) {
    const pods = api
      .list<Pod>("pods", { namespace: quota.metadata.namespace })
      .filter((pod) => !isPodTerminal(pod)).length;
    if (pods > Number(quota.spec?.hard?.pods)) faults.push(`${pods} pods under a quota of ${quota.spec?.hard?.pods}`);
  }
  const perNode = new Map<string, number>();
  for (const pod of api.list<Pod>("pods")) {
    const node = pod.spec?.nodeName;
    if (node && !isPodTerminal(pod)) perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  for (const [node, pods] of perNode) if (pods > 29) faults.push(`${pods} pods on ${node}`);
  return faults;
}

/** After the storm: what is there is what was asked for. */
export function atPeace({ cluster: { api } }: SoakCluster): string[] {
  const faults: string[] = [];
  const crowded = api.list<Pod>("pods", { namespace: CROWDED.namespace }).filter((pod) => !isPodTerminal(pod));
  const [quota] = api.list<ResourceQuota>("resourcequotas", { namespace: CROWDED.namespace });
  const counts = [crowded.length, Number(quota?.status?.used?.pods)];
  if (counts.some((count) => count !== CROWDED.pods))
    faults.push(`the crowded namespace has ${counts.join(", ")} pods`);
  const claim = (holds: boolean, what: string): void => void (holds || faults.push(what));
  const pods = ours<Pod>(api, "pods");
  const owned = (owner: KubeObject): Pod[] =>
    pods.filter((pod) => controllerOf(pod)?.uid === owner.metadata.uid && isPodActive(pod));
  const uids = new Set(OWNERS.flatMap((resource) => ours(api, resource).map(({ metadata }) => metadata.uid)));
  for (const controller of ours<ReplicationController>(api, "replicationcontrollers")) {
    const count = owned(controller).length;
    claim(count === controller.spec?.replicas, `ReplicationController ${keyOf(controller)} has ${count} pods`);
  }
  for (const object of [...pods, ...ours<ReplicaSet>(api, "replicasets.apps")]) {
    const owner = controllerOf(object);
    claim(owner !== undefined && uids.has(owner.uid), `${object.kind} ${keyOf(object)} has no owner any more`);
    claim(object.metadata.deletionTimestamp === undefined, `${object.kind} ${keyOf(object)} is still on its way out`);
  }
  const nodes = new Map(api.list<Node>("nodes").map((node) => [node.metadata.name, node]));
  const addresses = new Set<string>();
  for (const pod of pods.filter(isPodActive)) {
    claim(nodes.has(pod.spec?.nodeName ?? ""), `pod ${keyOf(pod)} is on no node: ${JSON.stringify(pod.status)}`);
    claim(isPodReady(pod), `pod ${keyOf(pod)} is not ready: ${JSON.stringify(pod.status?.conditions)}`);
    const { podIP = "" } = pod.status ?? {};
    claim(!addresses.has(podIP), `pod ${keyOf(pod)} shares its address ${podIP}`);
    addresses.add(podIP);
  }
  for (const deployment of ours<Deployment>(api, "deployments.apps")) {
    const { replicas = 1 } = deployment.spec ?? {};
    const sets = ours<ReplicaSet>(api, "replicasets.apps").filter(
      (set) => controllerOf(set)?.uid === deployment.metadata.uid,
    );
    const count = sets.flatMap(owned).length;
    claim(count === replicas, `Deployment ${keyOf(deployment)} has ${count} of ${replicas} pods`);
    claim(sets.filter((set) => set.spec?.replicas).length <= 1, `Deployment ${keyOf(deployment)} is still rolling`);
    claim(sets.length <= 3, `Deployment ${keyOf(deployment)} keeps ${sets.length} ReplicaSets`);
    const { status, metadata } = deployment;
    claim(
      (status?.availableReplicas ?? 0) === replicas &&
        status?.terminatingReplicas === 0 &&
        status.observedGeneration === metadata.generation,
      `Deployment ${keyOf(deployment)} says ${JSON.stringify(status)}`,
    );
  }
  for (const set of ours<StatefulSet>(api, "statefulsets.apps")) {
    const { replicas = 1 } = set.spec ?? {};
    const names = owned(set).map(({ metadata }) => metadata.name);
    const wanted = Array.from({ length: replicas }, (_, ordinal) => `${set.metadata.name}-${ordinal}`);
    claim(names.sort().join() === wanted.join(), `StatefulSet ${keyOf(set)} has ${names.join()}`);
    claim(
      set.status?.currentRevision === set.status?.updateRevision && (set.status?.readyReplicas ?? 0) === replicas,
      `StatefulSet ${keyOf(set)} says ${JSON.stringify(set.status)}`,
    );
  }
  for (const set of ours<DaemonSet>(api, "daemonsets.apps")) {
    const on = new Set(owned(set).map(({ spec }) => spec?.nodeName));
    claim(on.size === nodes.size && owned(set).length === nodes.size, `DaemonSet ${keyOf(set)} runs on ${on.size}`);
    claim(
      set.status?.numberReady === nodes.size && set.status.updatedNumberScheduled === nodes.size,
      `DaemonSet ${keyOf(set)} says ${JSON.stringify(set.status)}`,
    );
  }
  for (const job of ours<Job>(api, "jobs.batch")) {
    const { active = 0, uncountedTerminatedPods, succeeded = 0, failed = 0 } = job.status ?? {};
    claim(active === owned(job).length, `Job ${keyOf(job)} says ${JSON.stringify(job.status)}`);
    claim(
      Object.keys(uncountedTerminatedPods ?? {}).length === 0,
      `Job ${keyOf(job)} has not counted: ${JSON.stringify(job.status)}`,
    );
    const ended = pods.filter((pod) => controllerOf(pod)?.uid === job.metadata.uid && isPodTerminal(pod));
    claim(succeeded + failed >= ended.length, `Job ${keyOf(job)} counts ${succeeded}+${failed} of ${ended.length}`);
    claim(
      ended.every(({ metadata }) => !metadata.finalizers?.length),
      `Job ${keyOf(job)} holds pods that have ended`,
    );
  }
  for (const service of ours<Service>(api, "services")) {
    const { namespace, name } = service.metadata;
    const expected = pods
      .filter((pod) => pod.metadata.namespace === namespace && isPodReady(pod) && isPodActive(pod))
      .filter((pod) => pod.metadata.labels?.app === service.spec?.selector?.app)
      .map((pod) => pod.status?.podIP ?? "");
    const listed = api
      .list<EndpointSlice>("endpointslices.discovery.k8s.io", { namespace })
      .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === name)
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready)
      .flatMap((endpoint) => endpoint.addresses);
    claim(listed.sort().join() === expected.sort().join(), `Service ${keyOf(service)} leads to ${listed.join()}`);
  }
  for (const budget of ours<PodDisruptionBudget>(api, "poddisruptionbudgets.policy")) {
    const ready = pods.filter(
      (pod) =>
        pod.metadata.namespace === budget.metadata.namespace &&
        pod.metadata.labels?.app === budget.spec?.selector?.matchLabels?.app &&
        isPodReady(pod) &&
        isPodActive(pod),
    ).length;
    claim(budget.status?.currentHealthy === ready, `budget ${keyOf(budget)} counts ${budget.status?.currentHealthy}`);
  }
  for (const quota of ours<ResourceQuota>(api, "resourcequotas")) {
    const used = pods.filter(
      (pod) => pod.metadata.namespace === quota.metadata.namespace && !isPodTerminal(pod),
    ).length;
    claim(
      Number(quota.status?.used?.pods) === used,
      `quota ${keyOf(quota)} counts ${quota.status?.used?.pods} of ${used}`,
    );
  }
  return faults;
}

const STEADY = [
  "namespaces",
  "pods",
  "services",
  "serviceaccounts",
  "configmaps",
  "deployments.apps",
  "replicasets.apps",
  "statefulsets.apps",
  "daemonsets.apps",
  "controllerrevisions.apps",
  "endpointslices.discovery.k8s.io",
  "poddisruptionbudgets.policy",
  "resourcequotas",
];

/** Everything that a restart must leave alone, each with its revision. */
export const picture = ({ cluster: { api } }: SoakCluster): Record<string, KubeObject> =>
  Object.fromEntries(
    STEADY.flatMap((resource) => api.list(resource).map((object) => [`${resource} ${keyOf(object)}`, object])),
  );
