import type { RequestInfo } from "./request-info.js";
import type { Answer } from "./respond.js";

/** /healthz, /livez and /readyz as the API server answers them: `ok`, or the list of checks when one fails or `?verbose` asks for it. */

const ENDPOINTS = ["healthz", "livez", "readyz"] as const;

/** Names of the checks in the API server's order; readyz adds those of its second row. */
const CHECKS = [
  "ping",
  "log",
  "etcd",
  "poststarthook/start-apiextensions-informers",
  "poststarthook/rbac/bootstrap-roles",
  "poststarthook/scheduling/bootstrap-system-priority-classes",
];
const READY_CHECKS = ["etcd-readiness", "informer-sync", "shutdown"];

/** Undefined for a path that is no health check. `etcdHealthy`: a majority of the control plane is up. */
export function answerHealth({ path, query }: RequestInfo, etcdHealthy: boolean): Answer | undefined {
  const [, endpoint = "", ...rest] = path.split("/");
  if (!ENDPOINTS.some((known) => known === endpoint)) return undefined;
  const single = rest.join("/");
  const names = endpoint === "readyz" ? [...CHECKS.slice(0, 3), ...READY_CHECKS, ...CHECKS.slice(3)] : CHECKS;
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
