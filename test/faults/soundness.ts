/** What must hold of an emulator that nothing is wrong with: everything that there should be is there once, whoever is asked for it, and nothing else is left. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { CLUSTER, type Drill, isReady, ZONES } from "../reconcile/drill.js";

/** What there should be. */
export interface Wanted {
  dataDir: string;
  /** Desired size of each node group. */
  nodegroups: Readonly<Record<string, number>>;
  /** Replicas by the label `app` in the namespace default. */
  apps: Readonly<Record<string, number>>;
  /** Volumes that these keep. */
  volumes: number;
}

/** An instance as `/_eksim/status` tells of it. */
export interface Instance {
  instanceId: string;
  node: string;
  nodegroup: string;
  zone: string;
  state: string;
  lifecycle: string;
  statusCheck: string;
  ready: boolean;
}

interface Status {
  clusters: {
    status: string;
    masters: { id: string; zone: string; status: string }[];
    instances: Instance[];
  }[];
}

interface KubeObject {
  metadata: {
    name: string;
    namespace?: string;
    labels?: Record<string, string>;
    deletionTimestamp?: string;
    ownerReferences?: { kind: string; uid: string }[];
  };
}
interface Node extends KubeObject {
  spec: { providerID: string; taints?: { key: string }[]; unschedulable?: boolean };
  status: { conditions: { type: string; status: string }[] };
}
interface Pod extends KubeObject {
  spec: { nodeName?: string };
  status: { phase: string; conditions?: { type: string; status: string }[] };
}
interface Lease extends KubeObject {
  spec: { renewTime: string };
}
interface Volume extends KubeObject {
  spec: { claimRef?: { name: string } };
  status: { phase: string };
}
interface Attachment extends KubeObject {
  spec: { nodeName: string; source: { persistentVolumeName: string } };
  status: { attached: boolean };
}
interface KubeEvent extends KubeObject {
  lastTimestamp?: string;
  eventTime?: string;
}

/** How old a node's last sign of life may be: two renewals. */
const SILENCE_MS = 20_000;
/** Events live for an hour, and go with a round of a minute, after a restart with the next. */
const OLDEST_EVENT_MS = 3_600_000 + 180_000;

const sorted = (items: Iterable<string>): string => [...items].sort().join(" ");

/** What is not as it should be, in words. Rejects as long as the APIs do not answer. */
export async function wrongs(drill: Drill, wanted: Wanted): Promise<string[]> {
  const { clusters } = (await (await fetch(`${drill.eksim.endpoint}/_eksim/status`)).json()) as Status;
  const [cluster, ...others] = clusters;
  if (!cluster || others.length > 0) return [`there are ${clusters.length} clusters`];
  return [
    ...(await wrongsOfEks(drill, wanted)),
    ...wrongsOfEc2(cluster, wanted),
    ...(await wrongsOfKubernetes(drill, cluster, wanted)),
    ...(await wrongsOfZones(drill)),
    ...wrongsOfRows(wanted),
  ];
}

/** Groups are as large as they should be, and EKS finds nothing wrong. */
async function wrongsOfEks(drill: Drill, { nodegroups }: Wanted): Promise<string[]> {
  const found: string[] = [];
  const path = `/clusters/${CLUSTER}`;
  const { cluster } = await drill.eksim.eks<{ cluster: { status: string; health?: { issues: unknown[] } } }>(
    "GET",
    path,
  );
  if (cluster.status !== "ACTIVE" || cluster.health?.issues.length)
    found.push(`cluster: ${cluster.status} ${JSON.stringify(cluster.health)}`);
  for (const [name, desired] of Object.entries(nodegroups)) {
    const group = await drill.describe(name);
    if (group?.status !== "ACTIVE" || group.health.issues.length > 0 || group.scalingConfig.desiredSize !== desired)
      found.push(`${name}: ${group?.status} ${group?.scalingConfig.desiredSize} ${JSON.stringify(group?.health)}`);
  }
  return found;
}

/** No instance and no master is lost, doubled, unwell or out of balance. */
function wrongsOfEc2({ masters, instances }: Status["clusters"][number], { nodegroups }: Wanted): string[] {
  const found: string[] = [];
  if (sorted(masters.map(({ zone, status }) => `${zone}:${status}`)) !== sorted(ZONES.map((zone) => `${zone}:READY`)))
    found.push(`masters: ${JSON.stringify(masters)}`);
  for (const ids of [
    masters.map(({ id }) => id),
    instances.map(({ instanceId }) => instanceId),
    instances.map(({ node }) => node),
  ])
    if (new Set(ids).size !== ids.length) found.push(`doubled: ${sorted(ids)}`);
  for (const { instanceId, nodegroup, lifecycle, state, statusCheck, ready } of instances)
    if (
      !(nodegroup in nodegroups) ||
      lifecycle !== "InService" ||
      state !== "running" ||
      statusCheck !== "ok" ||
      !ready
    )
      found.push(`${instanceId} of ${nodegroup}: ${lifecycle} ${state} ${statusCheck} ready=${ready}`);
  for (const [name, desired] of Object.entries(nodegroups)) {
    const own = instances.filter(({ nodegroup }) => nodegroup === name);
    if (own.length !== desired) found.push(`${name} has ${own.length} instances`);
    const spread = ZONES.map((each) => own.filter(({ zone }) => zone === each).length);
    if (Math.max(...spread) - Math.min(...spread) > 1) found.push(`${name} is spread ${spread.join("/")}`);
  }
  return found;
}

async function wrongsOfKubernetes(
  drill: Drill,
  { instances }: Status["clusters"][number],
  { apps, volumes }: Wanted,
): Promise<string[]> {
  const found: string[] = [];
  const list = async <T>(path: string): Promise<T[]> =>
    (await drill.eksim.kubernetes<{ items: T[] }>(CLUSTER, "GET", path)).items;
  const namesOf = (objects: readonly KubeObject[]): string => sorted(objects.map(({ metadata }) => metadata.name));
  const nowMs = drill.eksim.now();

  const nodes = await list<Node>("/api/v1/nodes");
  const machines = sorted(instances.map(({ node, zone, instanceId }) => `${node}=aws:///${zone}/${instanceId}`));
  if (sorted(nodes.map(({ metadata, spec }) => `${metadata.name}=${spec.providerID}`)) !== machines)
    found.push(`nodes are ${namesOf(nodes)}, instances ${machines}`);
  for (const { metadata, spec, status } of nodes) {
    const unwell = status.conditions.filter(({ type, status }) => (status === "True") !== type.endsWith("Ready"));
    if (unwell.length > 0 || spec.unschedulable || spec.taints?.length || metadata.deletionTimestamp)
      found.push(`${metadata.name}: ${JSON.stringify({ unwell, spec })}`);
  }
  const leases = await list<Lease>("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases");
  if (namesOf(leases) !== namesOf(nodes)) found.push(`leases are ${namesOf(leases)}`);
  for (const { metadata, spec } of leases)
    if (Math.abs(nowMs - Date.parse(spec.renewTime)) > SILENCE_MS)
      found.push(`${metadata.name} is silent since ${spec.renewTime}`);
  const csiNodes = await list<KubeObject>("/apis/storage.k8s.io/v1/csinodes");
  if (namesOf(csiNodes) !== namesOf(nodes)) found.push(`CSINodes are ${namesOf(csiNodes)}`);

  const pods = await list<Pod>("/api/v1/pods");
  const alive = pods.filter(({ status }) => status.phase !== "Succeeded" && status.phase !== "Failed");
  for (const { metadata, spec, status } of alive)
    if (
      metadata.deletionTimestamp ||
      !isReady({ status }) ||
      !nodes.some((node) => node.metadata.name === spec.nodeName)
    )
      found.push(`pod ${metadata.name} on ${spec.nodeName}: ${status.phase} ${metadata.deletionTimestamp ?? ""}`);
  for (const [app, replicas] of Object.entries(apps)) {
    const own = alive.filter(({ metadata }) => metadata.namespace === "default" && metadata.labels?.app === app);
    if (own.length !== replicas) found.push(`${own.length} pods of ${app}`);
  }
  for (const { metadata, status } of await list<KubeObject & { status: Record<string, number | undefined> }>(
    "/apis/apps/v1/daemonsets",
  ))
    if (
      status.numberReady !== nodes.length ||
      status.desiredNumberScheduled !== nodes.length ||
      status.numberMisscheduled
    )
      found.push(`DaemonSet ${metadata.name}: ${JSON.stringify(status)}`);
  for (const { metadata, status } of await list<KubeObject & { status: Record<string, number | undefined> }>(
    "/apis/apps/v1/deployments",
  ))
    if (status.readyReplicas !== status.replicas || status.unavailableReplicas)
      found.push(`Deployment ${metadata.name}: ${JSON.stringify(status)}`);

  const persistent = await list<Volume>("/api/v1/persistentvolumes");
  const claims = new Set(persistent.map(({ spec }) => spec.claimRef?.name));
  if (
    persistent.length !== volumes ||
    claims.size !== volumes ||
    persistent.some(({ status }) => status.phase !== "Bound")
  )
    found.push(`volumes: ${JSON.stringify(persistent.map(({ spec, status }) => [spec.claimRef?.name, status.phase]))}`);
  const attachments = await list<Attachment>("/apis/storage.k8s.io/v1/volumeattachments");
  if (
    sorted(attachments.map(({ spec }) => spec.source.persistentVolumeName)) !== namesOf(persistent) ||
    attachments.some(({ status }) => !status.attached)
  )
    found.push(`attachments: ${JSON.stringify(attachments.map(({ spec, status }) => [spec, status]))}`);

  const events = await list<KubeEvent>("/api/v1/events");
  const old = events.filter(
    ({ lastTimestamp, eventTime }) => nowMs - Date.parse(lastTimestamp ?? eventTime ?? "") > OLDEST_EVENT_MS,
  );
  if (old.length > 0)
    found.push(`${old.length} of ${events.length} events are too old, such as ${JSON.stringify(old[0])}`);
  return found;
}

async function wrongsOfZones(drill: Drill): Promise<string[]> {
  return (await drill.eksim.zones())
    .filter(
      ({ state, members, membersUp, faults }) => state !== "available" || membersUp !== members || faults.length > 0,
    )
    .map(({ name, state, members, membersUp }) => `${name}: ${state} ${membersUp}/${members}`);
}

/** Nothing waits, acts, or is still to be undone. */
function wrongsOfRows({ dataDir }: Wanted): string[] {
  const file = readdirSync(dataDir).find((name) => name.endsWith(".db"));
  if (!file) return [`there is no state file in ${dataDir}`];
  const db = new Database(join(dataDir, file), { readonly: true });
  try {
    const rows = db
      .prepare<[], { body: string }>(
        `SELECT body FROM faults WHERE ended <> 1 OR json_extract(body, '$.phase') <> 'ended' OR json_extract(body, '$.undo.pending')`,
      )
      .all();
    return rows.map(({ body }) => `left of a fault: ${body}`);
  } finally {
    db.close();
  }
}
