/**
 * Judges requests by EKS's access policies: rules like those of a ClusterRole, judged beside RBAC and shown by no object of the cluster. What each policy
 * allows is in `access-policy-rules`.
 */
import type { AssociatedPolicy } from "../domain/access-entry.js";
import { type AccessPolicyName, accessPolicyName } from "../domain/eks/access-policies.js";
import { matchesStars } from "../domain/star-pattern.js";
import { ALL_PATHS, POLICY_RULES, type PolicyRule } from "./access-policy-rules.js";

/** What is asked: the part of the API server's attributes that policies look at. */
export interface AccessRequest {
  verb: string;
  /** Absent for a path. */
  resource?: { group: string; resource: string; subresource?: string; namespace?: string; name?: string };
}

/** A policy's rules, ready to be asked. */
interface Compiled {
  /** `<group> <resource> <verb>`, each maybe `*`. */
  plain: ReadonlySet<string>;
  /** Rules that name objects, families of groups or subresources of all resources. */
  special: readonly PolicyRule[];
}

const compiled = new Map<string, Compiled>();

const isSpecial = ([group, resources, , names]: PolicyRule): boolean =>
  names !== undefined || group.startsWith("*.") || resources.includes("*/");

function rulesOf(policy: string): Compiled {
  let known = compiled.get(policy);
  if (!known) {
    const rules = POLICY_RULES[policy as AccessPolicyName] ?? [];
    const plain = rules
      .filter((rule) => !isSpecial(rule))
      .flatMap(([group, resources, verbs]) =>
        resources.split(" ").flatMap((resource) => verbs.split(" ").map((verb) => `${group} ${resource} ${verb}`)),
      );
    known = { plain: new Set(plain), special: rules.filter(isSpecial) };
    compiled.set(policy, known);
  }
  return known;
}

/** The first policy that allows the request; undefined when none does. */
export function allowingPolicy(
  policies: readonly AssociatedPolicy[],
  request: AccessRequest,
): AssociatedPolicy | undefined {
  return policies.find(
    ({ policyArn, accessScope }) =>
      (accessScope.type !== "namespace" || isInScope(accessScope.namespaces, request)) &&
      allows(accessPolicyName(policyArn), request),
  );
}

function allows(policy: string, { verb, resource: target }: AccessRequest): boolean {
  if (!target) return (ALL_PATHS as readonly string[]).includes(policy);
  const { plain, special } = rulesOf(policy);
  const { group, name, subresource } = target;
  const resource = subresource ? `${target.resource}/${subresource}` : target.resource;
  for (const g of [group, "*"])
    for (const r of [resource, "*"]) if (plain.has(`${g} ${r} ${verb}`) || plain.has(`${g} ${r} *`)) return true;
  const has = (list: string, value: string): boolean => list === "*" || list.split(" ").includes(value);
  return special.some(
    ([family, resources, verbs, names]) =>
      (family === "*" || family === group || (family.startsWith("*.") && group.endsWith(family.slice(1)))) &&
      (has(resources, resource) || (subresource !== undefined && has(resources, `*/${subresource}`))) &&
      has(verbs, verb) &&
      // As in RBAC: who asks for no object in particular asks for all of them.
      (names === undefined || (name !== undefined && has(names, name))),
  );
}

/** In a scope of namespaces nothing of the cluster as a whole is granted, and so no Namespace either, whatever the rules say. */
export function isInScope(namespaces: readonly string[], { resource: target }: AccessRequest): boolean {
  const namespace = target?.namespace;
  if (!target || !namespace || (target.group === "" && target.resource === "namespaces")) return false;
  return namespaces.some((pattern) => matchesStars(pattern, namespace));
}
