/** One request of a drift test, and short ways to write the usual ones. */
import type { Ask } from "./subject.js";

export const NAMESPACE = "drift-test";
/** Every node of a kind cluster has it already. */
export const IMAGE = "registry.k8s.io/pause:3.10";

export interface Step extends Ask {
  does: string;
  path: string;
}

export const core = `/api/v1/namespaces/${NAMESPACE}`;
export const group = (name: string): string => `/apis/${name}/namespaces/${NAMESPACE}`;

export const JSON_PATCH = "application/json-patch+json";
export const MERGE = "application/merge-patch+json";
export const STRATEGIC = "application/strategic-merge-patch+json";
export const APPLY = "application/apply-patch+yaml";

export const containers = [{ name: "main", image: IMAGE, resources: { requests: { cpu: "10m" } } }];
export const template = (app: string) => ({ metadata: { labels: { app } }, spec: { containers } });
export const workload = (app: string) => ({ selector: { matchLabels: { app } }, template: template(app) });
export const named = (name: string, rest: object = {}) => ({ metadata: { name }, ...rest });

export const creates = (does: string, path: string, body: unknown, query = ""): Step => ({
  does,
  path: `${path}${query}`,
  method: "POST",
  body,
});
export const replaces = (does: string, path: string, body: unknown, query = ""): Step => ({
  does,
  path: `${path}${query}`,
  method: "PUT",
  body,
});
export const patches = (does: string, path: string, body: unknown, type: string, query = ""): Step => ({
  does,
  path: `${path}${query}`,
  method: "PATCH",
  body,
  headers: { "content-type": type },
});
export const deletes = (does: string, path: string, body?: unknown): Step => ({ does, path, method: "DELETE", body });
export const reads = (does: string, path: string, headers?: Record<string, string>): Step => ({
  does,
  path,
  ...(headers ? { headers } : {}),
});
