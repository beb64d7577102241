import { methodNotAllowed, StatusError } from "../errors.js";
import type { Binding } from "../registry/binding.js";
import { bindPod } from "../registry/subresources.js";
import { preferredVersion } from "../schema/resources.js";
import { decodeBody } from "../wire/decode.js";
import { negotiate } from "../wire/negotiate.js";
import { assertAllowed, attributesOf } from "./authorize.js";
import { readBody } from "./body.js";
import type { Exchange, ResourceExchange, ServerDependencies } from "./context.js";
import { writeOptions } from "./options.js";
import { asObject, callerOf, expectedOf, intoNamespace } from "./request-content.js";
import type { RequestInfo, ResourceTarget } from "./request-info.js";
import { createsByUpdate, RESOURCE_VERBS } from "./resource-requests.js";
import { type Answer, PageNotFound } from "./respond.js";
import { answerSubresource } from "./subresource-requests.js";

export const unknownPath = (): StatusError =>
  new StatusError(404, "NotFound", "the server could not find the requested resource", {});

/** Requests for groups of the API server's own reach its router, which says so in a Status; what else is not there is just a page that was not found. */
function notServed({ group }: ResourceTarget): StatusError {
  return group === "" || preferredVersion(group) !== undefined ? unknownPath() : new PageNotFound();
}

/** Groups whose kinds are questions: they are posted, answered and never stored. */
const REVIEW_GROUPS = new Set(["authentication.k8s.io", "authorization.k8s.io"]);

/**
 * Whether a request can be answered while etcd has no leader: reads that take what the API server's cache has (with a resourceVersion), watches that begin
 * there, and questions that are never stored.
 */
export function needsNoEtcd({ verb, query, resource }: RequestInfo): boolean {
  if (!resource) return true;
  if (verb === "create") return REVIEW_GROUPS.has(resource.group);
  if (resource.subresource !== undefined || !["get", "list", "watch"].includes(verb)) return false;
  return Boolean(query.get("resourceVersion")) && query.get("resourceVersionMatch") !== "Exact";
}

/** Finds what a resource request speaks of. Throws 404 for what is not served. */
export function resolve(dependencies: ServerDependencies, exchange: Exchange): ResourceExchange {
  const target = exchange.info.resource;
  const entry = target && dependencies.registry.catalogue.byPath(target.group, target.version, target.resource);
  if (!target || !entry) throw target ? notServed(target) : unknownPath();
  const { namespaced, resource } = entry.info;
  if (namespaced ? target.named && !target.namespace : target.namespace !== undefined && resource !== "namespaces")
    throw unknownPath();
  if (target.rest.length > 0 && target.subresource !== "proxy") throw unknownPath();
  // For a namespace's own requests the path's namespace is the object's name.
  return { ...exchange, entry, target: namespaced ? target : { ...target, namespace: undefined } };
}

/** Requests that become a connection, and therefore go their own way. */
const CONNECTIONS = new Set(["exec", "attach", "portforward", "proxy"]);

export const isConnection = ({ entry, target: { subresource } }: ResourceExchange): boolean =>
  subresource !== undefined &&
  CONNECTIONS.has(subresource) &&
  entry.info.group === "" &&
  entry.info.subresources.some(({ name }) => name === subresource);

/** Answers a resource request that is no watch; undefined when the answer is a stream that has begun. */
export function answerResource(
  dependencies: ServerDependencies,
  exchange: ResourceExchange,
): Answer | undefined | Promise<Answer | undefined> {
  const given = answerRequest(dependencies, exchange);
  const { definition, deprecation = definition?.deprecation } = exchange.entry;
  if (!deprecation) return given;
  const warned = (answer: Answer | undefined): Answer | undefined =>
    answer && { ...answer, warnings: [deprecation, ...(answer.warnings ?? [])] };
  return given instanceof Promise ? given.then(warned) : warned(given);
}

function answerRequest(
  dependencies: ServerDependencies,
  exchange: ResourceExchange,
): Answer | undefined | Promise<Answer | undefined> {
  const { entry, info, target } = exchange;
  if (target.subresource !== undefined) return answerSubresource(dependencies, exchange);
  const { verbs, namespaced, group, resource } = entry.info;
  if (!verbs.some((verb) => verb === info.verb)) throw methodNotAllowed();
  if (namespaced && info.verb === "create" && !target.namespace) throw methodNotAllowed();
  if (verbs.length === 1) {
    if (REVIEW_GROUPS.has(group)) return answerReview(dependencies, exchange);
    if (resource === "bindings") return bind(dependencies, exchange);
  }
  const handler = RESOURCE_VERBS[info.verb];
  if (!handler) throw methodNotAllowed();
  if (createsByUpdate(dependencies.registry, exchange)) {
    assertAllowed(dependencies.authorizers, { ...attributesOf(exchange.user, info), verb: "create" });
    return handler(dependencies.registry, { ...exchange, mayCreate: true });
  }
  return handler(dependencies.registry, exchange);
}

async function readPosted(exchange: ResourceExchange) {
  const { entry, request } = exchange;
  const options = writeOptions(exchange, "CreateOptions");
  const bytes = await readBody(request);
  const { object, warnings } = decodeBody({
    bytes,
    contentType: request.headers["content-type"],
    expected: expectedOf(entry),
    fieldValidation: options.fieldValidation,
  });
  return { object: intoNamespace(exchange, asObject(object)), warnings, options };
}

async function answerReview({ review }: ServerDependencies, exchange: ResourceExchange): Promise<Answer> {
  const { kind } = exchange.entry.info;
  // Reviews have no metadata to make a table of; whoever takes nothing else is told so.
  negotiate(exchange.request.headers.accept);
  if (!review) throw new StatusError(501, "NotImplemented", `${kind} is not implemented by this server`);
  const { object, warnings } = await readPosted(exchange);
  return { code: 201, body: await review(kind, object, exchange.user), warnings };
}

/** The old form of pods/binding: the pod's name is in the object. */
async function bind({ registry }: ServerDependencies, exchange: ResourceExchange): Promise<Answer> {
  const { object, options } = await readPosted(exchange);
  await bindPod(registry, callerOf(exchange), object as Binding, options);
  return { code: 201, body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 } };
}
