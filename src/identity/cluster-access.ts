/** IAM's side of a cluster's API server: who a token stands for, and what access policies allow. Entries and modes are read at every request. */

import type { AccessEntryRecord } from "../domain/access-entry.js";
import { authenticatedGroups } from "../domain/eks/access-entry-types.js";
import { hasAccessEntries } from "../domain/eks/automatic-entries.js";
import { canonicalArn, principalKey } from "../domain/eks/principals.js";
import type { ClusterRecord } from "../domain/model.js";
import { type AccessRequest, allowingPolicy } from "./access-policies.js";
import { type AwsAuthData, type IdentityMapping, mappingOf } from "./aws-auth.js";
import { checkEksToken, type EksTokenClaims, isEksToken, isFresh } from "./eks-token.js";
import { refuteTokenSignature } from "./eks-token-signature.js";
import { type Principal, principalOfAccessKey } from "./principal.js";
import { fillTemplate, type PrivateDnsNameOf } from "./username-template.js";

/** A Kubernetes user as authentication gives it; `system:authenticated` is added by the API server. */
export interface KubernetesUser {
  username: string;
  uid: string;
  groups: string[];
  extra: Record<string, string[]>;
}

export type Authentication = { user: KubernetesUser } | { error: string };

const CANONICAL_ARN = "canonicalArn";

/** What EKS knows about a cluster's principals. */
export interface ClusterPrincipals {
  cluster: ClusterRecord;
  /** The access entry of a principal, by `principalKey`. */
  entryOf(key: string): AccessEntryRecord | undefined;
  /** The ConfigMap aws-auth as it is now. */
  awsAuth(): AwsAuthData | undefined;
  privateDnsNameOf: PrivateDnsNameOf;
}

/**
 * Maps a principal to its Kubernetes user: by its access entry, else by aws-auth, as far as the cluster's authentication mode knows them. In CONFIG_MAP
 * mode the creator is the invisible `kubernetes-admin` of system:masters. Every other principal is known by its ARN and has no rights of its own.
 */
export function mapPrincipal(known: ClusterPrincipals, principal: Principal): Authentication {
  const mapping = mappingFor(known, canonicalArn(principal.arn), principal.accountId);
  const [username, ...groups] = [mapping.username, ...mapping.groups].map((template) =>
    fillTemplate(template, principal, known.privateDnsNameOf),
  );
  for (const filled of [username, ...groups]) if (filled && "error" in filled) return filled;
  const textOf = (filled: typeof username): string => (filled && "text" in filled ? filled.text : "");
  return { user: kubernetesUser(principal, textOf(username), groups.map(textOf)) };
}

function mappingFor(known: ClusterPrincipals, arn: string, accountId: string): IdentityMapping {
  const { cluster } = known;
  // Who has an entry is not looked for in aws-auth any more.
  const entry = hasAccessEntries(cluster) ? known.entryOf(principalKey(arn)) : undefined;
  if (entry) return { username: entry.username, groups: authenticatedGroups(entry) };
  if (cluster.accessConfig.authenticationMode !== "API") {
    const isCreator = !hasAccessEntries(cluster) && principalKey(cluster.creatorArn) === principalKey(arn);
    if (isCreator) return { username: "kubernetes-admin", groups: ["system:masters"] };
    const data = known.awsAuth();
    const mapped = data && mappingOf(data, arn, accountId);
    if (mapped) return mapped;
  }
  return { username: arn, groups: [] };
}

function kubernetesUser(principal: Principal, username: string, groups: string[]): KubernetesUser {
  return {
    username,
    uid: `aws-iam-authenticator:${principal.accountId}:${principal.userId}`,
    groups,
    extra: {
      accessKeyId: [principal.accessKeyId],
      arn: [principal.arn],
      [CANONICAL_ARN]: [canonicalArn(principal.arn)],
      principalId: [principal.userId],
      sessionName: [principal.sessionName ?? ""],
      "sigs.k8s.io/aws-iam-authenticator/principalId": [principal.userId],
    },
  };
}

export interface ClusterAccess {
  /** `undefined`: not an EKS token. `awsAuth` reads the data of the ConfigMap of that name. Never throws. */
  authenticate(token: string, awsAuth: () => AwsAuthData | undefined): Authentication | undefined;
  /** Kubernetes groups of a principal that would come with this ARN; none when the cluster does not know it. */
  groupsOf(arn: string, awsAuth: () => AwsAuthData | undefined): readonly string[];
  /** The authorizer of EKS access policies, which stands beside RBAC. */
  authorize(request: AccessRequest & { user: { extra?: Readonly<Record<string, readonly string[]>> } }): {
    decision: "allow" | "no-opinion";
    reason: string;
  };
}

/** Tokens remembered for each cluster; those that were forgotten are merely checked whole again. */
const GOOD_TOKENS = 1_000;

const NO_OPINION = { decision: "no-opinion", reason: "" } as const;

/**
 * `cluster` and `entryOf` are asked at every decision, so that what is changed or deleted counts at once; `ownHost` is a name under which this emulator is
 * reached, where it stands in for STS.
 */
export function createClusterAccess(options: {
  cluster: () => ClusterRecord | undefined;
  entryOf: (clusterId: string, key: string) => AccessEntryRecord | undefined;
  privateDnsNameOf: PrivateDnsNameOf;
  clock: { kind: string; now(): number; wallNow(): number };
  ownHost?: string;
  /** Secret of an access key: given, the signatures of tokens are verified with it. */
  secretFor?: (accessKeyId: string) => string | undefined;
}): ClusterAccess {
  const { clock, entryOf, privateDnsNameOf, secretFor } = options;
  /** Tokens found to be good: a client sends the same one with each of its requests, and only its age has to be looked at again. */
  const good = new Map<string, { claims: EksTokenClaims; principal: Principal }>();

  const checked = (
    token: string,
    clocksMs: readonly number[],
  ): { claims: EksTokenClaims; principal: Principal } | { error: string } => {
    const known = good.get(token);
    if (known && isFresh(known.claims.signedAtMs, clocksMs)) return known;
    const result = checkEksToken(token, clocksMs, options.ownHost);
    if ("error" in result) return result;
    const { claims } = result;
    const found = { claims, principal: principalOfAccessKey(claims.accessKeyId) };
    if (good.size >= GOOD_TOKENS) good.clear();
    good.set(token, found);
    return found;
  };

  return {
    authenticate(token, awsAuth) {
      if (!isEksToken(token)) return undefined;
      const cluster = options.cluster();
      if (!cluster) return { error: "the cluster is gone" };
      const clocksMs = clock.kind === "real" ? [clock.now()] : [clock.now(), clock.wallNow()];
      const result = checked(token, clocksMs);
      if ("error" in result) return result;
      if (secretFor) {
        const { accessKeyId } = result.claims;
        const wrong = refuteTokenSignature(token, {
          clusterName: cluster.name,
          accessKeyId,
          secret: secretFor(accessKeyId),
        });
        if (wrong) return wrong;
      }
      return mapPrincipal(
        { cluster, entryOf: (key) => entryOf(cluster.id, key), awsAuth, privateDnsNameOf },
        result.principal,
      );
    },
    groupsOf(arn, awsAuth) {
      const cluster = options.cluster();
      if (!cluster) return [];
      const known = { cluster, entryOf: (key: string) => entryOf(cluster.id, key), awsAuth, privateDnsNameOf };
      return mappingFor(known, canonicalArn(arn), cluster.accountId).groups;
    },
    authorize({ user, ...request }) {
      // Users that IAM did not authenticate have no such mark, and cost nothing here.
      const arn = user.extra?.[CANONICAL_ARN]?.[0];
      const cluster = arn === undefined ? undefined : options.cluster();
      if (arn === undefined || !cluster || !hasAccessEntries(cluster)) return NO_OPINION;
      const policy = allowingPolicy(entryOf(cluster.id, principalKey(arn))?.policies ?? [], request);
      return policy ? { decision: "allow", reason: `EKS access policy ${policy}` } : NO_OPINION;
    },
  };
}
