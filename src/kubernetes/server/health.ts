import type { RequestInfo } from "./request-info.js";
import type { Answer } from "./respond.js";

/** /healthz, /livez and /readyz as the API server answers them: `ok`, or the list of checks when one fails or `?verbose` asks for it. */

const ENDPOINTS = ["healthz", "livez", "readyz"] as const;

/** What the API server starts behind its first answer, in its order. */
const HOOKS = [
  "start-apiserver-admission-initializer",
  "generic-apiserver-start-informers",
  "priority-and-fairness-config-consumer",
  "priority-and-fairness-filter",
  "storage-object-count-tracker-hook",
  "start-apiextensions-informers",
  "start-apiextensions-controllers",
  "crd-informer-synced",
  "start-system-namespaces-controller",
  "start-cluster-authentication-info-controller",
  "start-kube-apiserver-identity-lease-controller",
  "start-kube-apiserver-identity-lease-garbage-collector",
  "storage-readiness",
  "start-legacy-token-tracking-controller",
  "start-service-ip-repair-controllers",
  "rbac/bootstrap-roles",
  "scheduling/bootstrap-system-priority-classes",
  "priority-and-fairness-config-producer",
  "bootstrap-controller",
  "start-kubernetes-service-cidr-controller",
  "aggregator-reload-proxy-client-cert",
  "start-kube-aggregator-informers",
  "apiservice-status-local-available-controller",
  "apiservice-status-remote-available-controller",
  "apiservice-registration-controller",
  "apiservice-discovery-controller",
  "kube-apiserver-autoregistration",
  "autoregister-completion",
  "apiservice-openapi-controller",
  "apiservice-openapiv3-controller",
].map((name) => (name === "autoregister-completion" ? name : `poststarthook/${name}`));

const FIRST = ["ping", "log", "etcd"];
const CHECKS: Readonly<Record<(typeof ENDPOINTS)[number], readonly string[]>> = {
  healthz: [...FIRST, ...HOOKS],
  livez: [...FIRST, ...HOOKS],
  readyz: [...FIRST, "etcd-readiness", "informer-sync", ...HOOKS, "shutdown"],
};

/** The endpoints and each single check of theirs. */
export const healthPaths = (): string[] =>
  ENDPOINTS.flatMap((endpoint) => [`/${endpoint}`, ...CHECKS[endpoint].map((name) => `/${endpoint}/${name}`)]);

/** Whether a path is a health check, whatever it asks for: those are never throttled (the FlowSchema `probes`). */
export const isHealthCheck = (path: string): boolean => ENDPOINTS.some((known) => known === path.split("/", 2)[1]);

/** Undefined for a path that is no health check. `etcdHealthy`: a majority of the control plane is up. */
export function answerHealth({ path, query }: RequestInfo, etcdHealthy: boolean): Answer | undefined {
  const [, first = "", ...rest] = path.split("/");
  const endpoint = ENDPOINTS.find((known) => known === first);
  if (!endpoint) return undefined;
  const single = rest.join("/");
  const names = CHECKS[endpoint];
  if (single && !names.includes(single)) return undefined;
  const excluded = new Set(query.getAll("exclude"));
  const passes = (name: string): boolean => etcdHealthy || !name.startsWith("etcd");
  const lines: string[] = [];
  let healthy = true;
  for (const name of single ? [single] : names) {
    if (excluded.has(name)) lines.push(`[+]${name} excluded: ok`);
    else if (passes(name)) lines.push(`[+]${name} ok`);
    else {
      healthy = false;
      lines.push(`[-]${name} failed: reason withheld`);
    }
  }
  const text = `${lines.join("\n")}\n`;
  if (!healthy)
    return {
      code: 500,
      body: single
        ? "internal server error: etcd failed: error getting data from etcd: context deadline exceeded\n"
        : `${text}${endpoint} check failed\n`,
    };
  return { code: 200, body: query.has("verbose") ? `${text}${endpoint} check passed\n` : "ok" };
}
