/**
 * The RBAC authorizer. Bindings are resolved to their rules once and kept by subject until a role or binding changes; each user's own grants are kept too, so
 * that a decision only walks over the few rules that speak about that user.
 */
import { LRUCache } from "lru-cache";
import type { KubeApi, UserInfo } from "../api.js";
import type { KubeObject } from "../object.js";
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  RbacSubject,
  Role,
  RoleBinding,
  RoleRef,
} from "../schema/generated/types.js";
import type { AccessAttributes, Authorizer } from "../security.js";
import { ruleAllows } from "./rules.js";

export const ROLES = "roles.rbac.authorization.k8s.io";
export const CLUSTER_ROLES = "clusterroles.rbac.authorization.k8s.io";
const ROLE_BINDINGS = "rolebindings.rbac.authorization.k8s.io";
const CLUSTER_ROLE_BINDINGS = "clusterrolebindings.rbac.authorization.k8s.io";
/** Members of this group may do everything, whatever roles say. */
export const MASTERS = "system:masters";
/** Users whose grants are kept between requests. */
const KNOWN_USERS = 2000;

export interface RbacAuthorizer extends Authorizer {
  /** All rules that hold for a user, cluster-wide and in one namespace. */
  rulesFor(user: UserInfo, namespace: string | undefined): PolicyRule[];
  /** The rules of the role that a binding points to; undefined when there is no such role. */
  rulesOf(roleRef: RoleRef, namespace: string | undefined): readonly PolicyRule[] | undefined;
  /** Stops watching. */
  stop(): void;
}

interface Grant {
  /** Absent: everywhere. */
  namespace?: string;
  rules: readonly PolicyRule[];
  /** How the decision's reason tells it, up to the subject. */
  because: string;
  subject: string;
}

type GrantsBySubject = Map<string, Grant[]>;

/** `namespace`: the binding's, which is that of a service account that is named without one. */
const subjectKey = (subject: RbacSubject, namespace = ""): string =>
  subject.kind === "ServiceAccount"
    ? `User system:serviceaccount:${subject.namespace || namespace}:${subject.name}`
    : `${subject.kind} ${subject.name}`;

const describeSubject = (subject: RbacSubject): string =>
  subject.kind === "ServiceAccount"
    ? `ServiceAccount "${subject.name}/${subject.namespace ?? ""}"`
    : `${subject.kind} "${subject.name}"`;

/** `api`: the roles and bindings are read from it and watched. */
export function createRbacAuthorizer({ api }: { api: Pick<KubeApi, "get" | "list" | "watch"> }): RbacAuthorizer {
  let index: GrantsBySubject | undefined;
  const byUser = new LRUCache<string, readonly Grant[]>({ max: KNOWN_USERS });

  const rulesOf = ({ kind, name }: RoleRef, namespace: string | undefined): readonly PolicyRule[] | undefined => {
    const role =
      kind === "ClusterRole"
        ? api.get<ClusterRole>(CLUSTER_ROLES, { name })
        : api.get<Role>(ROLES, { namespace, name });
    return role && (role.rules ?? []);
  };

  function build(): GrantsBySubject {
    const grants: GrantsBySubject = new Map();
    const add = (binding: RoleBinding | ClusterRoleBinding, namespace: string | undefined, shown: string): void => {
      const rules = rulesOf(binding.roleRef, namespace);
      // A role that is not there (yet) gives nothing.
      if (!rules) return;
      const because = `RBAC: allowed by ${shown} of ${binding.roleRef.kind} "${binding.roleRef.name}" to`;
      for (const subject of binding.subjects ?? []) {
        const key = subjectKey(subject, namespace);
        const grant: Grant = { namespace, rules, because, subject: describeSubject(subject) };
        const present = grants.get(key);
        if (present) present.push(grant);
        else grants.set(key, [grant]);
      }
    };
    for (const binding of api.list<ClusterRoleBinding>(CLUSTER_ROLE_BINDINGS))
      add(binding, undefined, `ClusterRoleBinding "${binding.metadata.name}"`);
    for (const binding of api.list<RoleBinding>(ROLE_BINDINGS)) {
      const { name, namespace } = binding.metadata;
      add(binding, namespace, `RoleBinding "${name}/${namespace}"`);
    }
    return grants;
  }

  function grantsOf(user: UserInfo): readonly Grant[] {
    if (!index) {
      index = build();
      byUser.clear();
    }
    const key = `${user.username}\n${user.groups.join("\n")}`;
    const known = byUser.get(key);
    if (known) return known;
    const found = [...(index.get(`User ${user.username}`) ?? [])];
    for (const group of user.groups) found.push(...(index.get(`Group ${group}`) ?? []));
    byUser.set(key, found);
    return found;
  }

  const forget = (): void => {
    index = undefined;
  };
  const stops = [ROLES, CLUSTER_ROLES, ROLE_BINDINGS, CLUSTER_ROLE_BINDINGS].map((resource) =>
    api.watch<KubeObject>(resource, forget),
  );

  const applies = (grant: Grant, namespace: string | undefined): boolean =>
    grant.namespace === undefined || grant.namespace === namespace;

  return {
    name: "RBAC",
    authorize(attributes: AccessAttributes) {
      if (attributes.user.groups.includes(MASTERS)) return { decision: "allow", reason: "" };
      const namespace = attributes.resource?.namespace;
      for (const grant of grantsOf(attributes.user)) {
        // Paths are nobody's namespace: only cluster-wide bindings speak about them.
        if (!applies(grant, attributes.resource ? namespace : undefined)) continue;
        for (const rule of grant.rules) {
          if (ruleAllows(rule, attributes)) return { decision: "allow", reason: `${grant.because} ${grant.subject}` };
        }
      }
      return { decision: "no-opinion", reason: "" };
    },
    rulesFor: (user, namespace) => {
      const rules = grantsOf(user)
        .filter((grant) => applies(grant, namespace))
        .flatMap((grant) => grant.rules);
      return user.groups.includes(MASTERS)
        ? [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }, { nonResourceURLs: ["*"], verbs: ["*"] }, ...rules]
        : rules;
    },
    rulesOf,
    stop: () => {
      for (const stop of stops) stop();
    },
  };
}
