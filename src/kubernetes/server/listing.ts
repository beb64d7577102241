import type { ListOptions } from "../api.js";
import { badRequest, expired, foreignError, invalid, StatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import { parseSelection, select, selectPage } from "../registry/reading.js";
import type { Registry } from "../registry/registry.js";
import { forbiddenField, unsupported } from "../registry/strategies/field.js";
import { jsonFault } from "../wire/json-fault.js";
import type { ResourceExchange } from "./context.js";
import { integerParameter, parseProblem } from "./options.js";

/** One page of a list, at one revision. */
export interface Page {
  objects: readonly KubeObject[];
  revision: number;
  continue?: string;
  remainingItemCount?: number;
}

interface ContinueToken {
  v: "meta.k8s.io/v1";
  /** Revision of the list's first page; -1: whatever is current, for a list that gave up being consistent. */
  rv: number;
  /** Key after which the next page starts. */
  start: string;
}

/** Keys as etcd orders them. */
const startKey = ({ metadata }: KubeObject): string => `${metadata.namespace ?? ""}/${metadata.name}`;

const encodeToken = (rv: number, start: string): string =>
  Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv, start } satisfies ContinueToken)).toString("base64url");

const invalidToken = (why: string): StatusError =>
  badRequest(`invalid continue token: continue key is not valid: ${why}`);

function decodeToken(text: string): ContinueToken {
  let token: Partial<ContinueToken> | null;
  try {
    token = JSON.parse(Buffer.from(text, "base64url").toString()) as Partial<ContinueToken> | null;
  } catch {
    const fault = jsonFault(Buffer.from(text, "base64url").toString("latin1"));
    throw invalidToken(fault ?? "illegal base64 data");
  }
  if (token?.v !== "meta.k8s.io/v1")
    throw invalidToken(`server does not recognize this encoded version ${token?.v ?? ""}`);
  if (!token.rv || !token.start) throw invalidToken("incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
  return token as ContinueToken;
}

/** 410 that carries a token with which the client may go on, at the price of a consistent list. */
class ExpiredContinue extends StatusError {
  constructor(readonly token: string) {
    super(
      410,
      "Expired",
      "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    );
  }

  override toStatus(): Record<string, unknown> {
    return { ...super.toStatus(), metadata: { continue: this.token } };
  }
}

/** A revision that the store has not reached yet: the client has seen a future that is not this server's. */
function tooLargeRevision(asked: number, present: number): StatusError {
  return new StatusError(504, "Timeout", `Timeout: Too large resource version: ${asked}, current: ${present}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}

const INVALID_REVISION = /^(?!\d{1,19}$)/;

/** What is wrong with a text for a resource version; undefined when nothing is. */
const revisionProblem = (text: string): string | undefined =>
  INVALID_REVISION.test(text)
    ? `resourceVersion: Invalid value: ${JSON.stringify(text)}: ${parseProblem("ParseUint", text)}`
    : undefined;

/** `resourceVersion` of a watch or of one object as a number; 0 for absent or "0". What is none is refused without a reason, as upstream does it. */
export function parseRevision(text: string | null): number {
  const problem = text ? revisionProblem(text) : undefined;
  if (problem) throw foreignError(problem);
  return Number(text ?? 0);
}

const listOptionsError = (field: string, detail: string): StatusError =>
  invalid("meta.k8s.io", "ListOptions", "", [forbiddenField(field, detail)]);

interface ListParameters {
  limit: number;
  token?: ContinueToken;
  revision: number;
  exact: boolean;
}

function parseParameters(query: URLSearchParams): ListParameters {
  const match = query.get("resourceVersionMatch") || undefined;
  const asked = query.get("resourceVersion") || undefined;
  const text = query.get("continue") || undefined;
  if (match && !asked)
    throw listOptionsError(
      "resourceVersionMatch",
      "resourceVersionMatch is forbidden unless resourceVersion is provided",
    );
  if (match && text)
    throw listOptionsError("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided");
  if (match && match !== "Exact" && match !== "NotOlderThan") {
    throw invalid("meta.k8s.io", "ListOptions", "", [
      unsupported("resourceVersionMatch", match, ["Exact", "NotOlderThan", ""]),
    ]);
  }
  if (match === "Exact" && asked === "0") {
    throw listOptionsError("resourceVersionMatch", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
  }
  if (query.get("sendInitialEvents"))
    throw listOptionsError("sendInitialEvents", "sendInitialEvents is forbidden for list");
  const limit = Math.max(0, integerParameter(query, "limit") ?? 0);
  integerParameter(query, "timeoutSeconds");
  const token = text ? decodeToken(text) : undefined;
  if (token && asked && asked !== "0")
    throw badRequest("specifying resource version is not allowed when using continue");
  const problem = asked === undefined ? undefined : revisionProblem(asked);
  if (problem) throw badRequest(`invalid resource version: ${problem}`);
  return {
    limit,
    token,
    revision: Number(asked ?? 0),
    exact: match === "Exact",
  };
}

/** The selection of a list, watch or deletecollection. */
export function selectionOf({ entry, target, info }: ResourceExchange) {
  const options: ListOptions = {
    namespace: entry.info.namespaced ? target.namespace : undefined,
    labelSelector: info.query.get("labelSelector") ?? "",
    fieldSelector: info.query.get("fieldSelector") ?? "",
  };
  // A name in the path of a watch selects that object alone.
  if (target.named && target.name) options.fieldSelector = `metadata.name=${target.name}`;
  return parseSelection(entry, options);
}

function pageOf({ objects, remaining }: { objects: readonly KubeObject[]; remaining: number }, revision: number): Page {
  const last = objects.at(-1);
  if (remaining === 0 || !last) return { objects, revision };
  return { objects, revision, continue: encodeToken(revision, startKey(last)), remainingItemCount: remaining };
}

export function listPage(registry: Registry, exchange: ResourceExchange): Page {
  const { entry } = exchange;
  const selection = selectionOf(exchange);
  const parameters = parseParameters(exchange.info.query);
  const { limit, token } = parameters;
  const present = registry.store.revision;
  if (parameters.revision > present) throw tooLargeRevision(parameters.revision, present);
  const at = token ? token.rv : parameters.exact ? parameters.revision : -1;

  let objects: readonly KubeObject[];
  let revision = present;
  if (limit > 0 && !selection.matches && (at < 0 || at === present)) {
    const { namespace } = selection;
    const page = selectPage(registry, entry, { namespace, limit, ...(token ? { after: token.start } : {}) });
    if (page) return pageOf(page, revision);
  }
  if (at < 0 || at === present) objects = select(registry, entry, selection);
  else {
    const readable = at <= present && at >= registry.compactedRevision;
    const past = readable ? registry.store.listAt(entry.storage, selection.namespace, at) : undefined;
    if (!past)
      throw token
        ? new ExpiredContinue(encodeToken(-1, token.start))
        : expired("The resourceVersion for the provided list is too old.");
    objects = selection.matches ? past.filter(selection.matches) : past;
    revision = at;
  }
  if (token) objects = objects.filter((object) => startKey(object) > token.start);
  if (limit === 0 || objects.length <= limit) return { objects, revision };
  const page = objects.slice(0, limit);
  return {
    objects: page,
    revision,
    continue: encodeToken(revision, startKey(page[limit - 1] as KubeObject)),
    // Upstream cannot count what a selector leaves, and so says nothing then.
    ...(selection.matches ? {} : { remainingItemCount: objects.length - limit }),
  };
}
