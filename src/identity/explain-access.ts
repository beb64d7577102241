/**
 * Explains what `cluster-access` decides, by the same functions: which entry or mapping makes a principal a Kubernetes user, and which policy or binding
 * lets that user do something.
 */
import type { AccessEntryRecord } from "../domain/access-entry.js";
import type { AccessExplanation, AccessQuestion, AccessStep } from "../domain/access-explanation.js";
import { accessPolicyName } from "../domain/eks/access-policies.js";
import { hasAccessEntries } from "../domain/eks/automatic-entries.js";
import { canonicalArn, parsePrincipal, principalKey } from "../domain/eks/principals.js";
import type { ClusterRecord } from "../domain/model.js";
import { allowingPolicy, isInScope } from "./access-policies.js";
import { isWithoutRules } from "./access-policy-rules.js";
import { type AwsAuthData, mappingOf } from "./aws-auth.js";
import {
  type ClusterPrincipals,
  findMapping,
  isEntryOf,
  type KubernetesUser,
  mapPrincipal,
  type TokenRefusal,
} from "./cluster-access.js";
import type { Principal } from "./principal.js";
import type { PrivateDnsNameOf } from "./username-template.js";

/** What the cluster's own authorizers say to a question. */
export type Judge = (question: AccessQuestion & { user: KubernetesUser }) => {
  allowed: boolean;
  reason: string;
  /** Name of the one that allowed it. */
  by?: string;
};

export interface ExplanationSources {
  cluster: ClusterRecord;
  entryOf(key: string): AccessEntryRecord | undefined;
  awsAuth(): AwsAuthData | undefined;
  privateDnsNameOf: PrivateDnsNameOf;
  uniqueIdOf(arn: string): string | undefined;
  refusals(): readonly TokenRefusal[];
  judge: Judge;
}

/** Undefined when the ARN is none of a user, role, root, federated user or session. */
export function explainAccess(
  sources: ExplanationSources,
  arn: string,
  question?: AccessQuestion,
): AccessExplanation | undefined {
  const principal = principalBehind(arn, sources);
  if (!principal) return undefined;
  const { cluster } = sources;
  const { userId, ...named } = principal;
  const canonical = canonicalArn(arn);
  const entry = hasAccessEntries(cluster) ? sources.entryOf(principalKey(canonical)) : undefined;
  const known: ClusterPrincipals = sources;
  const result =
    userId === undefined
      ? { error: `IAM knows nobody by the ARN ${canonical}` }
      : mapPrincipal(known, { ...named, userId });
  const user = "user" in result ? result.user : undefined;
  const mapping = findMapping(known, { ...named, ...(userId === undefined ? {} : { userId }) });
  return {
    cluster: { name: cluster.name, authenticationMode: cluster.accessConfig.authenticationMode },
    principal: { arn, canonicalArn: canonical, ...(userId === undefined ? {} : { uniqueId: userId }) },
    authentication: {
      ...(user
        ? { outcome: "authenticated", username: user.username, groups: user.groups }
        : { outcome: "refused", why: "error" in result ? result.error : "" }),
      ...("by" in mapping ? { by: mapping.by } : {}),
      steps: [iamStep(canonical, userId), ...mappingSteps(known, principal, entry)],
    },
    ...(entry ? { entry: entryView(entry, userId) } : {}),
    ...(user && question
      ? { decision: decide(sources, user, entry && isEntryOf(entry, userId) ? entry : undefined, question) }
      : {}),
    refusedTokens: sources.refusals().map(({ atMs, ...refusal }) => ({ at: new Date(atMs).toISOString(), ...refusal })),
  };
}

/** A role stands for any of its sessions: what is made of their names is left as a template. */
function principalBehind(
  arn: string,
  { uniqueIdOf }: Pick<ExplanationSources, "uniqueIdOf">,
): (Omit<Principal, "userId"> & { userId?: string }) | undefined {
  const accessKeyId = "{{AccessKeyID}}";
  const userId = uniqueIdOf(canonicalArn(arn));
  const id = userId === undefined ? {} : { userId };
  const session = /^arn:[^:]+:sts::(\d{12}):(assumed-role\/[^/]+|federated-user)\/([^/]+)$/.exec(arn);
  if (session) {
    const [, accountId = "", kind, sessionName = ""] = session;
    // A federated user is who the name says: IAM has no record of any.
    if (kind === "federated-user")
      return { accountId, arn, accessKeyId, sessionName, userId: `${accountId}:${sessionName}` };
    return { accountId, arn, accessKeyId, sessionName, ...id };
  }
  const principal = parsePrincipal(arn);
  if (!principal) return undefined;
  const { kind, accountId, partition, name } = principal;
  if (kind !== "role") return { accountId, arn, accessKeyId, ...id };
  const sessionName = "{{SessionName}}";
  return {
    accountId,
    arn: `arn:${partition}:sts::${accountId}:assumed-role/${name}/${sessionName}`,
    accessKeyId,
    sessionName,
    ...id,
  };
}

const iamStep = (arn: string, userId: string | undefined): AccessStep => ({
  what: "IAM",
  outcome: userId === undefined ? "no" : "yes",
  why: userId === undefined ? `knows nobody by the ARN ${arn}` : `unique id ${userId}`,
});

function mappingSteps(
  { cluster, awsAuth }: ClusterPrincipals,
  { arn, accountId, userId }: { arn: string; accountId: string; userId?: string },
  entry: AccessEntryRecord | undefined,
): AccessStep[] {
  const mode = cluster.accessConfig.authenticationMode;
  const canonical = canonicalArn(arn);
  const alive = entry !== undefined && isEntryOf(entry, userId);
  const entryStep: AccessStep = !hasAccessEntries(cluster)
    ? { what: "access entry", outcome: "skipped", why: `the authentication mode is ${mode}` }
    : !entry
      ? { what: "access entry", outcome: "no", why: "there is none for this principal" }
      : alive
        ? { what: "access entry", outcome: "yes", why: `of type ${entry.type}, user name ${entry.username}` }
        : {
            what: "access entry",
            outcome: "no",
            why: `it is for ${entry.principalId}, who had this name before; delete it and create it anew`,
          };
  if (mode === "API")
    return [entryStep, { what: "aws-auth", outcome: "skipped", why: "the authentication mode is API" }];
  const isCreator = !hasAccessEntries(cluster) && principalKey(cluster.creatorArn) === principalKey(canonical);
  const creatorStep: AccessStep[] = hasAccessEntries(cluster)
    ? []
    : [
        {
          what: "cluster creator",
          outcome: isCreator ? "yes" : "no",
          why: isCreator ? "kubernetes-admin of system:masters" : `that is ${cluster.creatorArn}`,
        },
      ];
  if (alive || isCreator)
    return [
      entryStep,
      ...creatorStep,
      { what: "aws-auth", outcome: "skipped", why: "what came before goes before it" },
    ];
  const data = awsAuth();
  const mapped = data && mappingOf(data, canonical, accountId);
  return [
    entryStep,
    ...creatorStep,
    mapped
      ? { what: "aws-auth", outcome: "yes", why: `user name ${mapped.username}, groups ${listed(mapped.groups)}` }
      : {
          what: "aws-auth",
          outcome: "no",
          why: data ? `kube-system/aws-auth does not map ${canonical}` : "there is no ConfigMap kube-system/aws-auth",
        },
  ];
}

const listed = (items: readonly string[]): string => (items.length > 0 ? items.join(", ") : "none");

const entryView = (entry: AccessEntryRecord, userId: string | undefined): AccessExplanation["entry"] => ({
  principalArn: entry.principalArn,
  type: entry.type,
  ...(entry.principalId === undefined ? {} : { principalId: entry.principalId }),
  dead: !isEntryOf(entry, userId),
  kubernetesGroups: entry.kubernetesGroups,
  policies: entry.policies.map(({ policyArn, accessScope }) => ({
    name: accessPolicyName(policyArn),
    scope: accessScope.type,
    namespaces: accessScope.namespaces,
  })),
});

function decide(
  { judge }: ExplanationSources,
  user: KubernetesUser,
  entry: AccessEntryRecord | undefined,
  question: AccessQuestion,
): AccessExplanation["decision"] {
  const groups = [...user.groups, "system:authenticated"];
  const { allowed, reason, by } = judge({ ...question, user: { ...user, groups } });
  const policies = (entry?.policies ?? []).map((policy): AccessStep => {
    const name = accessPolicyName(policy.policyArn);
    const { type, namespaces } = policy.accessScope;
    const allows = allowingPolicy([policy], question) !== undefined;
    return {
      what: `access policy ${name}`,
      outcome: allows ? "yes" : "no",
      why: allows
        ? `allows it in its scope, ${type === "namespace" ? `namespaces ${namespaces.join(", ")}` : "the cluster"}`
        : isWithoutRules(name)
          ? "what it allows is known to AWS alone"
          : type === "namespace" && !isInScope(namespaces, question)
            ? `is for the namespaces ${namespaces.join(", ")} only`
            : "has no rule that allows it",
    };
  });
  return {
    question,
    allowed,
    reason: reason || (allowed ? "member of system:masters" : "neither an access policy nor RBAC allows it"),
    steps: [
      ...policies,
      by === "RBAC" || !allowed
        ? {
            what: "RBAC",
            outcome: allowed ? "yes" : "no",
            why: allowed
              ? reason || "system:masters may do everything"
              : "no binding of this user or its groups allows it",
          }
        : { what: "RBAC", outcome: "skipped", why: `decided before it, by ${by ?? "another authorizer"}` },
    ],
  };
}
