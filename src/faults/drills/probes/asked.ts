/** Probes that somebody has to answer: the APIs of EKS and Kubernetes, a program in a pod, a command on this machine. */
import { matchesStars } from "../../../domain/star-pattern.js";
import type { Probe, ProbeName } from "../drill.js";
import { exists, get, isGood, list, refusal, workloadPath } from "../kubernetes.js";
import { type Stage, workloadKey } from "../stage.js";
import type { Answer } from "../target.js";
import { judgeNodes } from "./seen.js";
import { bounded, type ProbeVerdict, verdict } from "./verdict.js";

type Ask<P extends ProbeName> = (probe: Extract<Probe, { probe: P }>, stage: Stage) => Promise<ProbeVerdict>;

interface Condition {
  type: string;
  status: string;
}

interface PodObject {
  metadata: { name: string; deletionTimestamp?: string };
  spec: { nodeName?: string };
  status: { phase?: string; conditions?: Condition[] };
}

interface NodeObject {
  metadata: { name: string; labels?: Record<string, string> };
  spec: { unschedulable?: boolean };
  status: { conditions?: Condition[] };
}

interface WorkloadObject {
  metadata: { generation?: number };
  spec: { replicas?: number };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    readyReplicas?: number;
    availableReplicas?: number;
    desiredNumberScheduled?: number;
    updatedNumberScheduled?: number;
    numberAvailable?: number;
  };
}

const ZONE_LABEL = "topology.kubernetes.io/zone";
const NODEGROUP_LABEL = "eks.amazonaws.com/nodegroup";

const isReady = ({ status }: { status: { conditions?: Condition[] } }): boolean =>
  status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;

const query = (values: Record<string, string | undefined>): string => {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? "" : `?${new URLSearchParams(given).toString()}`;
};

const text = (body: unknown): string => (typeof body === "string" ? body : (JSON.stringify(body) ?? ""));

export const ASKED = {
  rollout: async ({ cluster, namespace, workload }, { target }) => {
    const name = `${workload.kind.toLowerCase()}/${workload.name}`;
    const object = await get<WorkloadObject>(target, cluster, workloadPath(namespace, workload.kind, workload.name));
    const status = object.status ?? {};
    const isDaemonSet = workload.kind === "DaemonSet";
    const wanted = isDaemonSet ? (status.desiredNumberScheduled ?? 0) : (object.spec.replicas ?? 1);
    const updated = (isDaemonSet ? status.updatedNumberScheduled : status.updatedReplicas) ?? 0;
    const available = (isDaemonSet ? status.numberAvailable : status.availableReplicas) ?? 0;
    if ((status.observedGeneration ?? 0) < (object.metadata.generation ?? 0))
      return verdict(false, `${name} has a new specification that nobody has looked at yet`);
    if (updated < wanted) return verdict(false, `${updated} of ${wanted} replicas of ${name} are up to date`);
    if (!isDaemonSet && (status.replicas ?? 0) > updated)
      return verdict(false, `${(status.replicas ?? 0) - updated} old replicas of ${name} are still there`);
    return verdict(available >= wanted, `${available} of ${wanted} replicas of ${name} are available`);
  },

  pods: async ({ cluster, namespace, selector, zone, phase, ready, atLeast, atMost }, { target }) => {
    const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods${query({ labelSelector: selector })}`;
    const pods = await list<PodObject>(target, cluster, path);
    const zones = zone === undefined ? undefined : await zonesOfNodes(target, cluster);
    const meant = pods.filter(
      (pod) =>
        (phase === undefined || pod.status.phase === phase) &&
        (!ready || (isReady(pod) && pod.metadata.deletionTimestamp === undefined)) &&
        (zones === undefined || zones.get(pod.spec.nodeName ?? "") === zone),
    );
    const words = [phase, ready ? "ready" : undefined, "pods", selector && `of ${selector}`, zone && `in ${zone}`];
    return bounded(meant.length, words.filter(Boolean).join(" "), { atLeast, atMost });
  },

  nodes: async ({ cluster, nodegroup, zone, atLeast, atMost, spread }, { target, view }) => {
    const nodes = await list<NodeObject>(
      target,
      cluster,
      `/api/v1/nodes${query({ labelSelector: nodegroup && `${NODEGROUP_LABEL}=${nodegroup}` })}`,
    );
    const zones = Object.keys(view(cluster).zones).filter((name) => zone === undefined || name === zone);
    const counts = new Map(zones.map((name) => [name, 0]));
    for (const node of nodes.filter(isReady)) {
      const at = node.metadata.labels?.[ZONE_LABEL] ?? "unknown";
      if (zone === undefined || at === zone) counts.set(at, (counts.get(at) ?? 0) + 1);
    }
    return judgeNodes(counts, { zone, atLeast, atMost, spread });
  },

  apiAvailable: async ({ cluster }, { target }) => {
    // Not /readyz, which answers for a server that cannot read: what users do is what counts.
    const answer = await target.kubernetes(cluster, { method: "GET", path: "/api/v1/namespaces/default" });
    return verdict(isGood(answer), isGood(answer) ? "the API server answers" : `the API server: ${refusal(answer)}`);
  },

  http: async ({ cluster, namespace, service, port, path, status, contains }, { target }) => {
    const named = port === undefined ? service : `${service}:${port}`;
    const answer = await target.kubernetes(cluster, {
      method: "GET",
      path: `/api/v1/namespaces/${encodeURIComponent(namespace)}/services/${encodeURIComponent(named)}/proxy${path}`,
    });
    if (answer.status !== status)
      return verdict(false, `${service}${path} answers ${refusal(answer)}, ${status} wanted`);
    return withText(`${service}${path} answers ${answer.status}`, text(answer.body), contains);
  },

  exec: async ({ cluster, namespace, pod, selector, container, command, exitCode, contains }, { target }) => {
    const name = pod ?? (await firstReady({ target }, cluster, namespace, selector));
    if (name === undefined) return verdict(false, `no pod of ${selector} is ready`);
    const outcome = await target.exec(cluster, { namespace, pod: name, ...(container ? { container } : {}) }, command);
    return judgeOutcome(command, outcome, exitCode, contains);
  },

  object: async ({ cluster, object, exists: wanted }, { target }) => {
    const isThere = await exists(target, cluster, object);
    const said = `${object.kind.toLowerCase()}/${object.metadata.name} is ${isThere ? "" : "not "}there`;
    return verdict(isThere === wanted, said);
  },

  nodegroup: async ({ cluster, nodegroup, status, healthy, issue }, { target }) => {
    const answer = await target.eks({
      method: "GET",
      path: `/clusters/${encodeURIComponent(cluster)}/node-groups/${encodeURIComponent(nodegroup)}`,
    });
    const found = (answer.body as { nodegroup?: EksResource } | null)?.nodegroup;
    return judgeResource(`node group ${nodegroup}`, answer, found, { status, healthy, issue });
  },

  cluster: async ({ cluster, status, healthy, version }, { target }) => {
    const answer = await target.eks({ method: "GET", path: `/clusters/${encodeURIComponent(cluster)}` });
    const found = (answer.body as { cluster?: EksResource } | null)?.cluster;
    const judged = judgeResource(`cluster ${cluster}`, answer, found, { status, healthy });
    if (!judged.ok || version === undefined || !found) return judged;
    return verdict(found.version === version, `cluster ${cluster} is at ${found.version}`);
  },

  command: async ({ command, exitCode, timeoutMs, contains }, { target }) =>
    judgeOutcome(command, await target.command(command, timeoutMs), exitCode, contains),
} satisfies { [P in ProbeName]?: Ask<P> };

interface EksResource {
  status: string;
  version?: string;
  health?: { issues?: { code: string; message: string }[] };
}

function judgeResource(
  what: string,
  answer: Answer,
  found: EksResource | undefined,
  wanted: { status?: string | undefined; healthy?: boolean | undefined; issue?: string | undefined },
): ProbeVerdict {
  if (!isGood(answer) || !found) return verdict(false, `${what}: ${refusal(answer)}`);
  const issues = found.health?.issues ?? [];
  const codes = issues.map(({ code }) => code).join(", ");
  const said = `${what} is ${found.status}, ${codes === "" ? "healthy" : `in trouble: ${codes}`}`;
  return verdict(
    (wanted.status === undefined || found.status === wanted.status) &&
      (wanted.healthy === undefined || wanted.healthy === (issues.length === 0)) &&
      (wanted.issue === undefined || issues.some(({ code }) => code === wanted.issue)),
    said,
  );
}

function judgeOutcome(
  command: readonly string[],
  outcome: { exitCode?: number; output: string },
  exitCode: number,
  contains: string | undefined,
): ProbeVerdict {
  const said = `\`${command.join(" ")}\``;
  const output = outcome.output.trim().slice(-500);
  if (outcome.exitCode === undefined) return verdict(false, `${said}: ${output}`);
  if (outcome.exitCode !== exitCode)
    return verdict(false, `${said} exits with ${outcome.exitCode}, ${exitCode} wanted${output ? `: ${output}` : ""}`);
  return withText(`${said} exits with ${exitCode}`, outcome.output, contains);
}

function withText(said: string, answer: string, contains: string | undefined): ProbeVerdict {
  if (contains === undefined || matchesStars(`*${contains}*`, answer)) return verdict(true, said);
  return verdict(false, `${said} without ${JSON.stringify(contains)}: ${answer.trim().slice(0, 200)}`);
}

async function zonesOfNodes(target: Stage["target"], cluster: string): Promise<Map<string, string | undefined>> {
  const nodes = await list<NodeObject>(target, cluster, "/api/v1/nodes");
  return new Map(nodes.map(({ metadata }) => [metadata.name, metadata.labels?.[ZONE_LABEL]]));
}

async function firstReady(
  { target }: Pick<Stage, "target">,
  cluster: string,
  namespace: string,
  selector: string | undefined,
): Promise<string | undefined> {
  const path = `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods${query({ labelSelector: selector })}`;
  const pods = await list<PodObject>(target, cluster, path);
  return pods.find((pod) => isReady(pod) && pod.metadata.deletionTimestamp === undefined)?.metadata.name;
}

/** Why asking would be in vain: what has been seen says enough. Undefined: it has to be asked. */
export function foreseen(probe: Probe, stage: Stage): ProbeVerdict | undefined {
  if (probe.probe === "apiAvailable" && !stage.view(probe.cluster).apiAvailable)
    return verdict(false, "the masters have no quorum");
  if (probe.probe !== "rollout") return undefined;
  const { cluster, namespace, workload } = probe;
  const wanted = stage.wantedOf(cluster, namespace, workload);
  const counts = stage.view(cluster).workloads.get(workloadKey(namespace, workload.kind, workload.name));
  if (wanted === undefined || !counts || workload.kind === "DaemonSet" || counts.ready >= wanted) return undefined;
  const name = `${workload.kind.toLowerCase()}/${workload.name}`;
  return verdict(false, `${counts.ready} of ${wanted} replicas of ${name} are ready`);
}
