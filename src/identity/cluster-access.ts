/** IAM's side of a cluster's API server: who a token stands for, and what access policies allow. Entries and modes are read at every request. */

import type { AccessEntryRecord, AssociatedPolicy } from "../domain/access-entry.js";
import { authenticatedGroups } from "../domain/eks/access-entry-types.js";
import { hasAccessEntries } from "../domain/eks/automatic-entries.js";
import { canonicalArn, principalKey } from "../domain/eks/principals.js";
import type { IdentityProviderConfigRecord } from "../domain/identity-provider-config.js";
import type { ClusterRecord } from "../domain/model.js";
import { type AccessRequest, allowingPolicy } from "./access-policies.js";
import { type AwsAuthData, type IdentityMapping, mappingOf } from "./aws-auth.js";
import type { Directory } from "./directory.js";
import { isEksToken, isFresh } from "./eks-token.js";
import { createTokenVerifier } from "./eks-token-identity.js";
import { createOidcAuthenticator, type OidcAuthentication } from "./oidc/oidc-authenticator.js";
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
const PRINCIPAL_ID = "principalId";

/** What EKS knows about a cluster's principals. */
export interface ClusterPrincipals {
  cluster: ClusterRecord;
  /** The access entry of a principal, by `principalKey`. */
  entryOf(key: string): AccessEntryRecord | undefined;
  /** The ConfigMap aws-auth as it is now. */
  awsAuth(): AwsAuthData | undefined;
  privateDnsNameOf: PrivateDnsNameOf;
}

/** What decides who a principal is in the cluster. */
export type MappingSource = "access-entry" | "aws-auth" | "cluster-creator";

export type FoundMapping = (IdentityMapping & { by: MappingSource; entry?: AccessEntryRecord }) | { error: string };

/**
 * Maps a principal to its Kubernetes user: by its access entry, else by aws-auth, as far as the cluster's authentication mode knows them. In CONFIG_MAP
 * mode the creator is the invisible `kubernetes-admin` of system:masters. Whoever is mapped by nothing is refused.
 */
export function mapPrincipal(known: ClusterPrincipals, principal: Principal): Authentication {
  const mapping = findMapping(known, principal);
  if ("error" in mapping) return mapping;
  const [username, ...groups] = [mapping.username, ...mapping.groups].map((template) =>
    fillTemplate(template, principal, known.privateDnsNameOf),
  );
  for (const filled of [username, ...groups]) if (filled && "error" in filled) return filled;
  const textOf = (filled: typeof username): string => (filled && "text" in filled ? filled.text : "");
  return { user: kubernetesUser(principal, textOf(username), groups.map(textOf)) };
}

/**
 * An entry is of the role or user that it was made for: one that was deleted and made again under the same name is somebody else, to whom it says nothing.
 * `principalId` undefined: nobody is known by that ARN any more.
 */
export const isEntryOf = (entry: AccessEntryRecord, principalId: string | undefined): boolean =>
  entry.principalId === undefined || entry.principalId === principalId;

/** As `mapPrincipal`, with the templates as they are. `userId` absent: whoever has the ARN. */
export function findMapping(
  known: Omit<ClusterPrincipals, "privateDnsNameOf">,
  { arn, accountId, userId }: Pick<Principal, "arn" | "accountId"> & { userId?: string },
): FoundMapping {
  const { cluster } = known;
  const canonical = canonicalArn(arn);
  const key = principalKey(canonical);
  // Who has an entry is not looked for in aws-auth any more.
  const entry = hasAccessEntries(cluster) ? known.entryOf(key) : undefined;
  const dead = entry !== undefined && !isEntryOf(entry, userId);
  if (entry && !dead)
    return { by: "access-entry", entry, username: entry.username, groups: authenticatedGroups(entry) };
  if (cluster.accessConfig.authenticationMode !== "API") {
    if (!hasAccessEntries(cluster) && principalKey(cluster.creatorArn) === key)
      return { by: "cluster-creator", username: "kubernetes-admin", groups: ["system:masters"] };
    const data = known.awsAuth();
    const mapped = data && mappingOf(data, canonical, accountId);
    if (mapped) return { by: "aws-auth", ...mapped };
  }
  const because = dead ? `: its access entry is for ${entry.principalId}, who had this name before` : "";
  return { error: `ARN is not mapped: ${canonical.toLowerCase()}${because}` };
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
      [PRINCIPAL_ID]: [principal.userId],
      sessionName: [principal.sessionName ?? ""],
      "sigs.k8s.io/aws-iam-authenticator/principalId": [principal.userId],
    },
  };
}

/** A token that was not accepted, as an explanation shows it: without the token. */
export interface TokenRefusal {
  /** Simulated time, epoch ms. */
  atMs: number;
  why: string;
  /** More than AWS would tell. */
  hint?: string;
  /** As far as the token says, rightly or not. */
  accessKeyId?: string;
  /** Of tokens that STS would have accepted. */
  principalArn?: string;
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
  /** As `authenticate`, for ID tokens of the OIDC providers that are associated with the cluster and ACTIVE. */
  authenticateOidc(token: string): Promise<OidcAuthentication> | undefined;
  /** The latest tokens that were not accepted, the last one first. */
  refusals(): readonly TokenRefusal[];
}

/** Who a token stands for, as long as nothing changes. */
interface RememberedUser {
  answer: Authentication;
  awsAuth: AwsAuthData | undefined;
  signedAtMs: number;
  expiresAtMs?: number;
}

/** Users and entries that are remembered for each cluster between two changes. */
const KEPT_USERS = 1_000;

/** Refused tokens that are remembered for each cluster. */
const KEPT_REFUSALS = 20;

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
  /** Who keys and ARNs belong to. Absent: every key is whom it implies. */
  directory?: Pick<Directory, "identify" | "uniqueIdOf">;
  /** Verify signatures also of keys that nobody gave out here. */
  verifySignatures?: boolean;
  /** Of a cluster, in order of name. */
  identityProvidersOf?: (clusterId: string) => readonly IdentityProviderConfigRecord[];
  /** A number that grows whenever anything changes of which the others tell: while it stands still, nobody is asked twice. */
  changes?: () => number;
}): ClusterAccess {
  const { clock, privateDnsNameOf, directory, ownHost, changes } = options;
  /** What was found out since the last change. */
  const memory = {
    version: Number.NaN,
    entries: new Map<string, AccessEntryRecord | undefined>(),
    users: new Map<string, RememberedUser>(),
  };

  /** False where nobody tells of changes. */
  const mayRemember = (): boolean => {
    const version = changes?.();
    if (version === undefined) return false;
    if (version === memory.version && memory.users.size < KEPT_USERS && memory.entries.size < KEPT_USERS) return true;
    memory.version = version;
    memory.entries.clear();
    memory.users.clear();
    return true;
  };

  const entryOf = (clusterId: string, key: string): AccessEntryRecord | undefined => {
    if (!mayRemember()) return options.entryOf(clusterId, key);
    const known = memory.entries.get(key);
    if (known !== undefined || memory.entries.has(key)) return known;
    const entry = options.entryOf(clusterId, key);
    memory.entries.set(key, entry);
    return entry;
  };
  const verify = createTokenVerifier({
    identify: directory?.identify ?? ((accessKeyId) => ({ principal: principalOfAccessKey(accessKeyId) })),
    verifySignatures: options.verifySignatures ?? false,
    ...(ownHost === undefined ? {} : { ownHost }),
  });
  const oidc = createOidcAuthenticator({
    clock,
    providers() {
      const cluster = options.cluster();
      const configs = cluster ? (options.identityProvidersOf?.(cluster.id) ?? []) : [];
      return configs.filter(({ status }) => status === "ACTIVE");
    },
  });
  const refusals: TokenRefusal[] = [];

  const refuse = (refusal: Omit<TokenRefusal, "atMs">): { error: string } => {
    refusals.unshift({ atMs: clock.now(), ...refusal });
    refusals.length = Math.min(refusals.length, KEPT_REFUSALS);
    return { error: refusal.why };
  };

  return {
    authenticate(token, awsAuth) {
      if (!isEksToken(token)) return undefined;
      const cluster = options.cluster();
      if (!cluster) return { error: "the cluster is gone" };
      const clocksMs = clock.kind === "real" ? [clock.now()] : [clock.now(), clock.wallNow()];
      const data = awsAuth();
      const known = mayRemember() ? memory.users.get(token) : undefined;
      if (
        known &&
        known.awsAuth === data &&
        isFresh(known.signedAtMs, clocksMs) &&
        (known.expiresAtMs === undefined || clock.now() < known.expiresAtMs)
      )
        return known.answer;
      const result = verify(token, cluster, clocksMs);
      if ("error" in result) {
        const { error, ...more } = result;
        return refuse({ why: error, ...more });
      }
      const { principal } = result;
      const mapped = mapPrincipal(
        { cluster, entryOf: (key) => entryOf(cluster.id, key), awsAuth: () => data, privateDnsNameOf },
        principal,
      );
      if ("user" in mapped) {
        const { principal: _, ...times } = result;
        if (mayRemember()) memory.users.set(token, { ...times, answer: mapped, awsAuth: data });
        return mapped;
      }
      return refuse({ why: mapped.error, accessKeyId: principal.accessKeyId, principalArn: principal.arn });
    },
    groupsOf(arn, awsAuth) {
      const cluster = options.cluster();
      if (!cluster) return [];
      const userId = directory ? directory.uniqueIdOf(arn) : entryOf(cluster.id, principalKey(arn))?.principalId;
      const mapping = findMapping(
        { cluster, entryOf: (key) => entryOf(cluster.id, key), awsAuth },
        { arn, accountId: cluster.accountId, ...(userId === undefined ? {} : { userId }) },
      );
      return "error" in mapping ? [] : mapping.groups;
    },
    authorize({ user, ...request }) {
      // Users that IAM did not authenticate have no such mark, and cost nothing here.
      const arn = user.extra?.[CANONICAL_ARN]?.[0];
      const cluster = arn === undefined ? undefined : options.cluster();
      if (arn === undefined || !cluster || !hasAccessEntries(cluster)) return NO_OPINION;
      const entry = entryOf(cluster.id, principalKey(arn));
      const principalId = user.extra?.[PRINCIPAL_ID]?.[0];
      const policy = entry && isEntryOf(entry, principalId) ? allowingPolicy(entry.policies, request) : undefined;
      return entry && policy
        ? { decision: "allow", reason: allowanceReason(entry, policy, request, principalId ?? arn) }
        : NO_OPINION;
    },
    authenticateOidc(token) {
      return oidc(token)?.then((result) => ("error" in result ? refuse({ why: result.error }) : result));
    },
    refusals: () => refusals,
  };
}

/** In the words of EKS's authorizer, as audit logs show them: it speaks of bindings, though no such objects are to be seen. */
function allowanceReason(
  entry: AccessEntryRecord,
  { policyArn, accessScope }: AssociatedPolicy,
  { resource }: AccessRequest,
  principalId: string,
): string {
  const binding = `${entry.principalArn}+${policyArn}`;
  const bound =
    accessScope.type === "namespace"
      ? `RoleBinding "${binding}/${resource?.namespace ?? ""}"`
      : `ClusterRoleBinding "${binding}"`;
  return `EKS Access Policy: allowed by ${bound} of ClusterRole "${policyArn}" to User "${principalId}"`;
}
