/** How RBAC rules match requests, and when one set of rules covers another (upstream: pkg/apis/rbac/v1 evaluation helpers and component-helpers/auth/rbac). */
import type { PolicyRule } from "../schema/generated/types.js";
import type { AccessAttributes } from "../security.js";

const ALL = "*";

const includes = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes(ALL) || list.includes(value));

/** `pods/log` is named whole, as `*` or by its subresource alone (`*` + `/log`). */
function matchesResource(
  resources: readonly string[] | undefined,
  resource: string,
  subresource: string | undefined,
): boolean {
  if (!resources) return false;
  if (!subresource) return includes(resources, resource);
  return includes(resources, `${resource}/${subresource}`) || resources.includes(`*/${subresource}`);
}

/** A `*` at the end stands for any rest of the path. */
function matchesPath(patterns: readonly string[] | undefined, path: string): boolean {
  return (patterns ?? []).some(
    (pattern) =>
      pattern === ALL || pattern === path || (pattern.endsWith(ALL) && path.startsWith(pattern.slice(0, -1))),
  );
}

export function ruleAllows(rule: PolicyRule, { verb, resource: target, path }: AccessAttributes): boolean {
  if (!includes(rule.verbs, verb)) return false;
  if (!target) return path !== undefined && matchesPath(rule.nonResourceURLs, path);
  if (!includes(rule.apiGroups, target.group) || !matchesResource(rule.resources, target.resource, target.subresource))
    return false;
  return !rule.resourceNames?.length || (target.name !== undefined && rule.resourceNames.includes(target.name));
}

/** One thing that a rule allows. */
interface Permission {
  verb: string;
  group?: string;
  resource?: string;
  name?: string;
  path?: string;
}

function permissionsOf(rule: PolicyRule): Permission[] {
  const found: Permission[] = [];
  for (const verb of rule.verbs ?? []) {
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        for (const name of rule.resourceNames?.length ? rule.resourceNames : [undefined])
          found.push({ verb, group, resource, name });
      }
    }
    for (const path of rule.nonResourceURLs ?? []) found.push({ verb, path });
  }
  return found;
}

function grants(rule: PolicyRule, { verb, group, resource, name, path }: Permission): boolean {
  if (!includes(rule.verbs, verb)) return false;
  if (path !== undefined) return matchesPath(rule.nonResourceURLs, path);
  if (!includes(rule.apiGroups, group ?? "")) return false;
  const [, subresource] = (resource ?? "").split("/");
  const covered =
    includes(rule.resources, resource ?? "") ||
    (subresource !== undefined && rule.resources?.includes(`*/${subresource}`) === true);
  return covered && (!rule.resourceNames?.length || (name !== undefined && rule.resourceNames.includes(name)));
}

/** What of `wanted` the holder of `held` does not hold himself; one narrow rule each. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  const missing: PolicyRule[] = [];
  for (const rule of wanted) {
    for (const permission of permissionsOf(rule)) {
      if (held.some((own) => grants(own, permission))) continue;
      const { verb, group, resource, name, path } = permission;
      missing.push(
        path !== undefined
          ? { verbs: [verb], nonResourceURLs: [path] }
          : {
              verbs: [verb],
              apiGroups: [group ?? ""],
              resources: [resource ?? ""],
              ...(name !== undefined ? { resourceNames: [name] } : {}),
            },
      );
    }
  }
  return missing;
}

const goList = (values: readonly string[] | undefined): string =>
  `[${(values ?? []).map((value) => JSON.stringify(value)).join(" ")}]`;

/** A rule as messages show it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`. */
export function describeRule(rule: PolicyRule): string {
  const parts = [
    ...(rule.nonResourceURLs?.length ? [`NonResourceURLs:${goList(rule.nonResourceURLs)}`] : []),
    ...(rule.apiGroups?.length ? [`APIGroups:${goList(rule.apiGroups)}`] : []),
    ...(rule.resources?.length ? [`Resources:${goList(rule.resources)}`] : []),
    ...(rule.resourceNames?.length ? [`ResourceNames:${goList(rule.resourceNames)}`] : []),
    `Verbs:${goList(rule.verbs)}`,
  ];
  return `{${parts.join(", ")}}`;
}
