/** Calls of a cluster's API server that drills make: lists, objects by their kinds, apply and delete. */
import type { Manifest } from "./drill.js";
import type { Answer, DrillTarget } from "./target.js";

/** What an answer says when it is a refusal: `404 NotFound: deployments.apps "web" not found`. */
export function refusal({ status, body }: Answer): string {
  if (status === 0) return String(body);
  const { message, reason } = (typeof body === "object" && body !== null ? body : {}) as {
    message?: unknown;
    reason?: unknown;
  };
  const words = typeof message === "string" ? message : typeof body === "string" ? body.trim() : "";
  return [status, ...(typeof reason === "string" ? [reason] : [])].join(" ") + (words ? `: ${words}` : "");
}

/** The API answered, and not with a refusal. */
export const isGood = ({ status }: Answer): boolean => status >= 200 && status < 300;

/** The API server refuses, or does not answer. */
export class KubernetesRefusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "KubernetesRefusal";
  }
}

/** The body of a good answer. Throws KubernetesRefusal. */
export async function get<T>(target: DrillTarget, cluster: string, path: string): Promise<T> {
  const answer = await target.kubernetes(cluster, { method: "GET", path });
  if (!isGood(answer)) throw new KubernetesRefusal(answer.status, refusal(answer));
  return answer.body as T;
}

export const list = async <T>(target: DrillTarget, cluster: string, path: string): Promise<T[]> =>
  (await get<{ items?: T[] }>(target, cluster, path)).items ?? [];

const WORKLOAD_RESOURCES = { Deployment: "deployments", StatefulSet: "statefulsets", DaemonSet: "daemonsets" } as const;

export const workloadPath = (namespace: string, kind: keyof typeof WORKLOAD_RESOURCES, name: string): string =>
  `/apis/apps/v1/namespaces/${encodeURIComponent(namespace)}/${WORKLOAD_RESOURCES[kind]}/${encodeURIComponent(name)}`;

interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
}

const groupPath = (apiVersion: string): string =>
  apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

/** Where an object is found. Throws KubernetesRefusal, also when the cluster has no such kind. */
async function pathOf(target: DrillTarget, cluster: string, { apiVersion, kind, metadata }: Manifest): Promise<string> {
  const base = groupPath(apiVersion);
  const { resources = [] } = await get<{ resources?: ApiResource[] }>(target, cluster, base);
  const resource = resources.find((one) => one.kind === kind && !one.name.includes("/"));
  if (!resource) throw new KubernetesRefusal(404, `the cluster has no kind ${kind} in ${apiVersion}`);
  const namespace = resource.namespaced ? `/namespaces/${encodeURIComponent(metadata.namespace ?? "default")}` : "";
  return `${base}${namespace}/${resource.name}/${encodeURIComponent(metadata.name)}`;
}

/** Field manager of what drills apply. */
const MANAGER = "eksim-drill";

/** Server-side apply. Resolves with whether the object is new. Throws KubernetesRefusal. */
export async function apply(target: DrillTarget, cluster: string, object: Manifest): Promise<boolean> {
  const path = await pathOf(target, cluster, object);
  const answer = await target.kubernetes(cluster, {
    method: "PATCH",
    path: `${path}?fieldManager=${MANAGER}&force=true`,
    body: object,
    contentType: "application/apply-patch+yaml",
  });
  if (!isGood(answer)) throw new KubernetesRefusal(answer.status, refusal(answer));
  return answer.status === 201;
}

/** Whether it is there. Throws KubernetesRefusal. */
export async function exists(target: DrillTarget, cluster: string, object: Manifest): Promise<boolean> {
  const answer = await target.kubernetes(cluster, { method: "GET", path: await pathOf(target, cluster, object) });
  if (!isGood(answer) && answer.status !== 404) throw new KubernetesRefusal(answer.status, refusal(answer));
  return isGood(answer);
}

/** Deletes it with what belongs to it; nothing when it is not there. Throws KubernetesRefusal. */
export async function remove(target: DrillTarget, cluster: string, object: Manifest): Promise<void> {
  const answer = await target.kubernetes(cluster, {
    method: "DELETE",
    path: await pathOf(target, cluster, object),
    body: { kind: "DeleteOptions", apiVersion: "v1", propagationPolicy: "Background" },
  });
  if (!isGood(answer) && answer.status !== 404) throw new KubernetesRefusal(answer.status, refusal(answer));
}
