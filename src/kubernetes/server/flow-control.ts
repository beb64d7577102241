/**
 * API Priority and Fairness as far as clients see it: which FlowSchema a request belongs to, told in headers of every answer. Nothing ever waits in a
 * queue here (upstream: staging/src/k8s.io/apiserver/pkg/util/flowcontrol).
 */
import type { UserInfo } from "../api.js";
import type { KubeObject } from "../object.js";
import type { Registry } from "../registry/registry.js";
import type {
  FlowcontrolSubject,
  FlowSchema,
  NonResourcePolicyRule,
  PolicyRulesWithSubjects,
  ResourcePolicyRule,
} from "../schema/generated/types.js";
import type { RequestInfo } from "./request-info.js";

const SCHEMAS = "flowschemas.flowcontrol.apiserver.k8s.io";
const LEVELS = "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io";
const ALL = "*";
/** What a schema without a precedence has. */
const DEFAULT_PRECEDENCE = 1000;

export interface FlowControl {
  /** The headers that tell the flow of a request; none while no schema matches. */
  headers(user: UserInfo, info: RequestInfo): readonly (readonly [name: string, value: string])[];
}

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes(ALL) || list.includes(value));

function matchesSubject({ kind, user, group, serviceAccount }: FlowcontrolSubject, caller: UserInfo): boolean {
  if (kind === "User") return user?.name === ALL || user?.name === caller.username;
  if (kind === "Group") return group?.name === ALL || (group !== undefined && caller.groups.includes(group.name));
  if (kind !== "ServiceAccount" || !serviceAccount) return false;
  const prefix = `system:serviceaccount:${serviceAccount.namespace}:`;
  return serviceAccount.name === ALL
    ? caller.username.startsWith(prefix)
    : caller.username === prefix + serviceAccount.name;
}

function matchesResource(
  { verbs, apiGroups, resources, namespaces, clusterScope }: ResourcePolicyRule,
  { verb, resource: target }: RequestInfo,
): boolean {
  if (!target || !has(verbs, verb) || !has(apiGroups, target.group)) return false;
  if (!has(resources, target.subresource ? `${target.resource}/${target.subresource}` : target.resource)) return false;
  return target.namespace ? has(namespaces, target.namespace) : clusterScope === true;
}

const matchesPath = ({ verbs, nonResourceURLs }: NonResourcePolicyRule, { verb, path }: RequestInfo): boolean =>
  has(verbs, verb) &&
  (nonResourceURLs ?? []).some(
    (url) => url === ALL || url === path || (url.endsWith("/*") && path.startsWith(url.slice(0, -1))),
  );

function matchesRule(rule: PolicyRulesWithSubjects, user: UserInfo, info: RequestInfo): boolean {
  if (!rule.subjects?.some((subject) => matchesSubject(subject, user))) return false;
  return info.resource
    ? (rule.resourceRules?.some((resources) => matchesResource(resources, info)) ?? false)
    : (rule.nonResourceRules?.some((paths) => matchesPath(paths, info)) ?? false);
}

export function createFlowControl({ store }: Registry): FlowControl {
  let sorted: readonly FlowSchema[] | undefined;
  store.subscribe(SCHEMAS, () => {
    sorted = undefined;
  });
  const precedence = ({ spec }: FlowSchema): number => spec?.matchingPrecedence ?? DEFAULT_PRECEDENCE;

  function schemas(): readonly FlowSchema[] {
    sorted ??= [...(store.list(SCHEMAS) as readonly KubeObject[] as readonly FlowSchema[])].sort(
      (a, b) => precedence(a) - precedence(b) || (a.metadata.name < b.metadata.name ? -1 : 1),
    );
    return sorted;
  }

  return {
    headers(user, info) {
      const schema = schemas().find(({ spec }) => spec?.rules?.some((rule) => matchesRule(rule, user, info)));
      const level = schema && store.get(LEVELS, undefined, schema.spec?.priorityLevelConfiguration?.name ?? "");
      if (!schema || !level) return [];
      return [
        ["X-Kubernetes-Pf-Flowschema-Uid", schema.metadata.uid],
        ["X-Kubernetes-Pf-Prioritylevel-Uid", level.metadata.uid],
      ];
    },
  };
}
