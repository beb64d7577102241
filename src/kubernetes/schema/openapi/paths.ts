/** Paths and operations of resources as OpenAPI describes them, made from the verbs and subresources of each. */
import type { ResourceInfo, SubresourceInfo, Verb } from "../resource-info.js";
import type { Dialect, Json, Operation, QueryParameter } from "./dialect.js";

/** Names of the components that the operations of one resource speak of. */
export interface ResourceComponents {
  object: string;
  list: string;
  /** By subresource; absent where the answer is no object (log, exec). */
  subresources: Readonly<Record<string, string | undefined>>;
  deleteOptions: string;
  status: string;
  patch: string;
  /** False for custom resources, which have no strategic merge. */
  strategicMerge: boolean;
}

const text = (name: string, description: string): QueryParameter => ({ name, description, type: "string" });
const flag = (name: string, description: string): QueryParameter => ({ name, description, type: "boolean" });
const count = (name: string, description: string): QueryParameter => ({ name, description, type: "integer" });

const PRETTY = text("pretty", "If 'true', the output is indented.");
const DRY_RUN = text("dryRun", "'All': everything is done except the write itself.");
const WRITE = [
  DRY_RUN,
  text("fieldManager", "Name under which the written fields are owned. At most 128 printable characters."),
  text("fieldValidation", "What to do about unknown and duplicate fields: Ignore, Warn (the default) or Strict."),
];
const SELECT = [
  text("continue", "Token of the previous page."),
  text("fieldSelector", "Restricts the objects by their fields."),
  text("labelSelector", "Restricts the objects by their labels."),
  count("limit", "Largest number of objects to answer."),
  text("resourceVersion", "Constraint on the revision that the answer is made from."),
  text("resourceVersionMatch", "How resourceVersion is applied to lists."),
  flag("sendInitialEvents", "Begins a watch with the present objects, then a bookmark."),
  count("timeoutSeconds", "Ends the call after so many seconds."),
];
const WATCH = [
  flag("allowWatchBookmarks", "Asks for bookmark events."),
  flag("watch", "Watches the objects instead of listing them."),
];
const DELETE = [
  DRY_RUN,
  count("gracePeriodSeconds", "Seconds before the object is removed; 0 is at once."),
  text("propagationPolicy", "What happens to dependents: Orphan, Background or Foreground."),
];

/** What each verb is in HTTP and in the documents. `id` begins operation ids. */
const VERBS: Readonly<
  Record<Exclude<Verb, "watch">, { method: string; action: string; id: string; query: readonly QueryParameter[] }>
> = {
  create: { method: "post", action: "post", id: "create", query: WRITE },
  delete: { method: "delete", action: "delete", id: "delete", query: DELETE },
  deletecollection: { method: "delete", action: "deletecollection", id: "delete", query: [...DELETE, ...SELECT] },
  get: { method: "get", action: "get", id: "read", query: [] },
  list: { method: "get", action: "list", id: "list", query: [...WATCH, ...SELECT] },
  patch: {
    method: "patch",
    action: "patch",
    id: "patch",
    query: [...WRITE, flag("force", "Takes over fields that others own. Only for apply patches.")],
  },
  update: { method: "put", action: "put", id: "replace", query: WRITE },
};

const COLLECTION_VERBS = ["create", "deletecollection", "list"] as const;
const ITEM_VERBS = ["delete", "get", "patch", "update"] as const;
/** Subresources that open a connection: any of their verbs is the action `connect`. */
const CONNECTIONS = new Set(["attach", "exec", "portforward", "proxy"]);

const PRODUCES = ["application/json"];
const PATCHES = ["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];
const STRATEGIC = "application/strategic-merge-patch+json";

/** All paths of one resource: collections, item and subresources. */
export function resourcePaths(
  dialect: Dialect,
  info: ResourceInfo,
  components: ResourceComponents,
): Record<string, Json> {
  const root = info.group ? `/apis/${info.group}/${info.version}` : `/api/${info.version}`;
  const collection = `${root}/${info.namespaced ? "namespaces/{namespace}/" : ""}${info.resource}`;
  const paths: Record<string, Json> = {};
  const place = (
    path: string,
    verbs: readonly Exclude<Verb, "watch">[],
    sub?: SubresourceInfo,
    everywhere = false,
  ): void => {
    const served = sub?.verbs ?? info.verbs;
    const operations = verbs
      .filter((verb) => served.includes(verb))
      .map((verb) => [VERBS[verb].method, operation(dialect, info, components, verb, sub, everywhere)]);
    if (operations.length === 0) return;
    paths[path] = { ...Object.fromEntries(operations), parameters: pathParameters(dialect, info, path) };
  };
  place(collection, COLLECTION_VERBS);
  if (info.namespaced) place(`${root}/${info.resource}`, ["list"], undefined, true);
  place(`${collection}/{name}`, ITEM_VERBS);
  for (const sub of info.subresources) place(`${collection}/{name}/${sub.name}`, ["create", ...ITEM_VERBS], sub);
  return paths;
}

const pathParameters = (dialect: Dialect, info: ResourceInfo, path: string): Json[] => [
  ...(path.includes("{name}") ? [dialect.pathParameter("name", `name of the ${info.kind}`)] : []),
  ...(path.includes("{namespace}")
    ? [dialect.pathParameter("namespace", "object name and auth scope, such as for teams and projects")]
    : []),
];

function operation(
  dialect: Dialect,
  info: ResourceInfo,
  components: ResourceComponents,
  verb: Exclude<Verb, "watch">,
  sub: SubresourceInfo | undefined,
  everywhere: boolean,
): Json {
  const { action, id, query } = VERBS[verb];
  const connect = sub !== undefined && CONNECTIONS.has(sub.name);
  const tag = tagOf(info);
  const scope = `${verb === "deletecollection" ? "Collection" : ""}${info.namespaced && !everywhere ? "Namespaced" : ""}`;
  const suffix = `${capital(sub?.name ?? "")}${everywhere ? "ForAllNamespaces" : ""}`;
  const kind = sub
    ? { group: sub.group ?? info.group, version: sub.version ?? info.version, kind: sub.kind }
    : { group: info.group, version: info.version, kind: info.kind };
  return {
    tags: [tag],
    description: describe(verb, info, sub, connect),
    operationId: `${connect ? `connect${capital(VERBS[verb].method)}` : id}${capital(tag.replace(/_v/, "V"))}${scope}${info.kind}${suffix}`,
    ...dialect.operation(shapeOf(components, verb, sub, query, connect)),
    "x-kubernetes-action": connect ? "connect" : action,
    "x-kubernetes-group-version-kind": kind,
  };
}

function shapeOf(
  components: ResourceComponents,
  verb: Exclude<Verb, "watch">,
  sub: SubresourceInfo | undefined,
  query: readonly QueryParameter[],
  connect: boolean,
): Operation {
  const object = sub ? components.subresources[sub.name] : components.object;
  const unauthorized = { description: "Unauthorized" };
  const ok = (component: string | undefined): Operation["responses"][string] => ({ description: "OK", component });
  if (connect || !object)
    return { query: connect ? [] : [PRETTY], produces: ["*/*"], responses: { 200: ok(undefined), 401: unauthorized } };
  const shape = { query: [PRETTY, ...query], produces: PRODUCES };
  switch (verb) {
    case "create":
      return {
        ...shape,
        body: { mediaTypes: ["*/*"], component: object },
        responses: {
          200: ok(object),
          201: { description: "Created", component: object },
          202: { description: "Accepted", component: object },
          401: unauthorized,
        },
      };
    case "update":
      return {
        ...shape,
        body: { mediaTypes: ["*/*"], component: object },
        responses: { 200: ok(object), 201: { description: "Created", component: object }, 401: unauthorized },
      };
    case "patch":
      return {
        ...shape,
        body: {
          mediaTypes: components.strategicMerge ? [...PATCHES, STRATEGIC] : PATCHES,
          component: components.patch,
        },
        responses: { 200: ok(object), 201: { description: "Created", component: object }, 401: unauthorized },
      };
    case "delete":
      return {
        ...shape,
        body: { mediaTypes: ["*/*"], component: components.deleteOptions },
        responses: {
          200: ok(components.status),
          202: { description: "Accepted", component: components.status },
          401: unauthorized,
        },
      };
    case "deletecollection":
      return {
        ...shape,
        body: { mediaTypes: ["*/*"], component: components.deleteOptions },
        responses: { 200: ok(components.status), 401: unauthorized },
      };
    case "list":
      return {
        ...shape,
        produces: [...PRODUCES, "application/json;stream=watch"],
        responses: { 200: ok(components.list), 401: unauthorized },
      };
    case "get":
      return { ...shape, responses: { 200: ok(object), 401: unauthorized } };
  }
}

/** `apps_v1`, `core_v1`, `rbacAuthorization_v1`: what documents call a group version. */
function tagOf({ group, version }: { group: string; version: string }): string {
  const words = (group || "core").replace(/\.k8s\.io$/, "").split(/[.-]/);
  return `${words.map((word, index) => (index === 0 ? word : capital(word))).join("")}_${version}`;
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

const DEEDS: Readonly<Record<Exclude<Verb, "watch">, (what: string) => string>> = {
  create: (what) => `create a ${what}`,
  delete: (what) => `delete a ${what}`,
  deletecollection: (what) => `delete collection of ${what}`,
  get: (what) => `read the specified ${what}`,
  list: (what) => `list or watch objects of kind ${what}`,
  patch: (what) => `partially update the specified ${what}`,
  update: (what) => `replace the specified ${what}`,
};

function describe(
  verb: Exclude<Verb, "watch">,
  info: ResourceInfo,
  sub: SubresourceInfo | undefined,
  connect: boolean,
): string {
  if (connect) return `connect ${VERBS[verb].method.toUpperCase()} requests to ${sub?.name} of ${info.kind}`;
  return DEEDS[verb](sub ? `${sub.name} of the ${info.kind}` : info.kind);
}
