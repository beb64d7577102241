/**
 * Which requests admission policies and webhooks are about: rules, selectors and the equivalence of versions, as apiserver's `predicates` and
 * `policy/matching` have them.
 */
import { notFound } from "../errors.js";
import type { KubeObject } from "../object.js";
import { matcherOf } from "../runtime/label-selector.js";
import type { LabelSelector, NamedRuleWithOperations } from "../schema/generated/types.js";
import type { ResourceInfo } from "../schema/resource-info.js";
import type { AdmissionReader, AdmissionRequest } from "./plugin.js";

export interface MatchCriteria {
  /** Absent: every request (bindings without rules). */
  readonly rules?: readonly NamedRuleWithOperations[];
  readonly excluded?: readonly NamedRuleWithOperations[];
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  readonly matchPolicy?: string;
}

const includes = (choices: readonly string[] | undefined, wanted: string): boolean =>
  choices?.some((choice) => choice === "*" || choice === wanted) ?? false;

const isNamespace = ({ info }: AdmissionRequest): boolean => info.resource === "namespaces" && info.group === "";

function scopeMatches(scope: string | undefined, request: AdmissionRequest): boolean {
  const namespaced = request.namespace !== undefined && !isNamespace(request);
  return scope === "Namespaced" ? namespaced : scope === "Cluster" ? !namespaced : true;
}

function resourceMatches(resources: readonly string[] | undefined, resource: string, subresource = ""): boolean {
  for (const pattern of resources ?? []) {
    const [name, sub = ""] = pattern.split("/", 2);
    if ((name === "*" || name === resource) && (sub === "*" || sub === subresource)) return true;
  }
  return false;
}

function ruleMatches(rule: NamedRuleWithOperations, request: AdmissionRequest, info: ResourceInfo): boolean {
  return (
    includes(rule.operations, request.operation) &&
    includes(rule.apiGroups, info.group) &&
    includes(rule.apiVersions, info.version) &&
    resourceMatches(rule.resources, info.resource, request.subresource) &&
    scopeMatches(rule.scope, request) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(request.name))
  );
}

/** The other versions in which the same objects are served. */
export type Equivalents = (info: ResourceInfo) => readonly ResourceInfo[];

/** The version in which a rule speaks of the request: its own, or with policy Equivalent another one. */
function matchedBy(
  rules: readonly NamedRuleWithOperations[],
  request: AdmissionRequest,
  equivalents: readonly ResourceInfo[],
): ResourceInfo | undefined {
  const { info } = request;
  if (rules.some((rule) => ruleMatches(rule, request, info))) return info;
  for (const other of equivalents) if (rules.some((rule) => ruleMatches(rule, request, other))) return other;
  return undefined;
}

const hasTerms = (selector: LabelSelector | undefined): selector is LabelSelector =>
  selector !== undefined &&
  (Object.keys(selector.matchLabels ?? {}).length > 0 || (selector.matchExpressions?.length ?? 0) > 0);

/** Throws 404 when the namespace is not there. */
function namespaceMatches(
  selector: LabelSelector | undefined,
  request: AdmissionRequest,
  reader: AdmissionReader,
): boolean {
  if (!hasTerms(selector)) return true;
  if (isNamespace(request)) {
    const object = request.subresource === undefined ? (request.object ?? request.previous) : request.previous;
    return matcherOf(selector)(object?.metadata.labels);
  }
  // What belongs to no namespace is never exempted by one.
  if (request.namespace === undefined) return true;
  const namespace = reader.get("namespaces", { name: request.namespace });
  if (!namespace) throw notFound("", "namespaces", request.namespace);
  return matcherOf(selector)(namespace.metadata.labels);
}

function objectMatches(selector: LabelSelector | undefined, { object, previous }: AdmissionRequest): boolean {
  if (!hasTerms(selector)) return true;
  const matches = matcherOf(selector);
  const meets = (candidate: KubeObject | undefined): boolean =>
    candidate?.metadata !== undefined && matches(candidate.metadata.labels);
  return meets(object) || meets(previous);
}

/** The version in which the criteria are about the request; undefined when they are not. Throws StatusError for a namespace that is not there. */
export function matchRequest(
  criteria: MatchCriteria,
  request: AdmissionRequest,
  reader: AdmissionReader,
  equivalents: Equivalents,
): ResourceInfo | undefined {
  const others = criteria.matchPolicy === "Exact" ? [] : equivalents(request.info);
  // The rules first: they are the cheapest to look at, and most requests fail them.
  const matched = criteria.rules ? matchedBy(criteria.rules, request, others) : request.info;
  if (!matched) return undefined;
  if (criteria.excluded?.length && matchedBy(criteria.excluded, request, others)) return undefined;
  if (!objectMatches(criteria.objectSelector, request)) return undefined;
  return namespaceMatches(criteria.namespaceSelector, request, reader) ? matched : undefined;
}

const EXEMPT = new Set([
  "validatingwebhookconfigurations",
  "mutatingwebhookconfigurations",
  "validatingadmissionpolicies",
  "validatingadmissionpolicybindings",
  "mutatingadmissionpolicies",
  "mutatingadmissionpolicybindings",
]);

/** The configuration of admission itself can always be changed: nobody can lock everybody out. */
export const isExempt = ({ info }: AdmissionRequest): boolean =>
  info.group === "admissionregistration.k8s.io" && EXEMPT.has(info.resource);
