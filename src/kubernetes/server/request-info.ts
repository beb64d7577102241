import { badRequest } from "../errors.js";

/** What a request is about, read from its method, raw path and query alone; the same notion that authorisation works with. */
export interface RequestInfo {
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`; for other paths the method in lower case. */
  verb: string;
  /** The path as it came, without its query. */
  path: string;
  query: URLSearchParams;
  /** Absent for paths outside of `/api/v1/…` and `/apis/<group>/<version>/…`. */
  resource?: ResourceTarget;
}

export interface ResourceTarget {
  group: string;
  version: string;
  resource: string;
  namespace?: string;
  /** Also set for a list or watch whose field selector names one object, because authorisation by name then applies. */
  name?: string;
  subresource?: string;
  /** What follows the subresource (of `proxy`). */
  rest: readonly string[];
  /** True when the name stands in the path. */
  named: boolean;
}

/** Whether a request of the method changes nothing. */
export const readsOnly = (method: string | undefined): boolean => method === "GET" || method === "HEAD";

const VERBS: Readonly<Record<string, string>> = {
  POST: "create",
  GET: "get",
  HEAD: "get",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};
/** Subresources of a namespace itself; every other third segment is a resource inside of it. */
const NAMESPACE_SUBRESOURCES = new Set(["status", "finalize"]);

const isTrue = (value: string | null): boolean => value === "" || value === "1" || value === "true";

/** Throws 400 for broken percent-encoding. */
export function parseRequest(method: string, url: string): RequestInfo {
  const mark = url.indexOf("?");
  const path = mark < 0 ? url : url.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1));
  const resource = parseResource(path);
  if (!resource) return { verb: method.toLowerCase(), path, query };
  const { deprecatedWatch, ...target } = resource;
  let verb = VERBS[method] ?? method.toLowerCase();
  if (deprecatedWatch) verb = "watch";
  else if (!target.named && verb === "get") verb = query.has("watch") && isTrue(query.get("watch")) ? "watch" : "list";
  else if (!target.named && verb === "delete") verb = "deletecollection";
  if (!target.named && verb !== "create") target.name = selectedName(query.get("fieldSelector"));
  return { verb, path, query, resource: target };
}

/** The name in a field selector such as `metadata.name=web`. */
function selectedName(fieldSelector: string | null): string | undefined {
  return fieldSelector ? /(?:^|,)metadata\.name==?([^,=]+)(?:,|$)/.exec(fieldSelector)?.[1] : undefined;
}

function parseResource(path: string): (ResourceTarget & { deprecatedWatch: boolean }) | undefined {
  if (!path.startsWith("/api/") && !path.startsWith("/apis/")) return undefined;
  let segments: string[];
  try {
    segments = path.split("/").slice(1).map(decodeURIComponent);
  } catch {
    throw badRequest(`the path of the request is not properly percent-encoded: ${path}`);
  }
  if (segments.at(-1) === "") segments.pop();
  const core = segments[0] === "api";
  const [group, version] = core ? ["", segments[1] ?? ""] : [segments[1] ?? "", segments[2] ?? ""];
  let rest = segments.slice(core ? 2 : 3);
  if (!version || rest.length === 0) return undefined;
  // The old way to ask for a watch: /api/v1/watch/pods.
  const deprecatedWatch = rest[0] === "watch" && rest.length > 1;
  if (deprecatedWatch) rest = rest.slice(1);

  let namespace: string | undefined;
  if (rest[0] === "namespaces" && core && (rest.length <= 2 || NAMESPACE_SUBRESOURCES.has(rest[2] as string))) {
    // The namespace itself: RBAC sees requests for it as inside of it.
    namespace = rest[1];
  } else if (rest[0] === "namespaces" && rest.length > 2) {
    namespace = rest[1];
    rest = rest.slice(2);
  }
  const [resource = "", name, subresource, ...after] = rest;
  return {
    group,
    version,
    resource,
    namespace,
    name,
    subresource,
    rest: after,
    named: name !== undefined,
    deprecatedWatch,
  };
}
