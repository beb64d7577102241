/** AssumeRoleForPodIdentity: credentials of the role that a pod's service account is associated with, for the agent on the pod's node. */
import type { Clock } from "../../clock/clock.js";
import type { CallTroubles } from "../../domain/call-trouble.js";
import { clusterArn } from "../../domain/eks/arns.js";
import type { RoleRecord, SessionRecord } from "../../domain/iam.js";
import { IamError } from "../../domain/iam-errors.js";
import type { ClusterRecord } from "../../domain/model.js";
import { POD_IDENTITY_PRINCIPAL } from "../../domain/pod-identity.js";
import type { PodIdentityAssociationRecord } from "../../domain/pod-identity-association.js";
import { type AssumeRoleDependencies, type AssumeRoleRequest, assumeRole } from "../../identity/assume-role.js";
import type { ClusterIssuers } from "../../identity/cluster-issuers.js";
import type { PodIdentityIndex } from "../../state/pod-identity-index.js";
import type { State } from "../../state/state.js";
import { sufferEksAuth } from "../troubled-calls.js";
import { checkCaller, type EksAuthCaller } from "./caller.js";
import { EksAuthError } from "./errors.js";
import { type PodToken, readPodToken } from "./pod-token.js";

export interface EksAuthDependencies extends AssumeRoleDependencies {
  state: State;
  clock: Clock;
  issuers: ClusterIssuers;
  podIdentityOf: PodIdentityIndex;
  /** What faults do to calls; none befall them unless given. */
  callTroubles?: CallTroubles;
  /** For names of sessions. */
  uuid(): string;
}

/** Life of a session in seconds, and of one that a target role's is made with. */
const SESSION_SECONDS = 6 * 3600;
const TARGET_SESSION_SECONDS = 3600;

export interface PodCredentials {
  cluster: ClusterRecord;
  token: PodToken;
  association: PodIdentityAssociationRecord;
  session: SessionRecord;
}

/** Throws EksAuthError. Writes the session and its line in the event log. */
export async function assumeRoleForPodIdentity(
  dependencies: EksAuthDependencies,
  caller: EksAuthCaller,
  { clusterName, token: jwt }: { clusterName: string; token: string },
): Promise<PodCredentials> {
  const { state, issuers, podIdentityOf } = dependencies;
  const trouble = dependencies.callTroubles?.(caller.scope, "eks-auth", () => "AssumeRoleForPodIdentity");
  if (trouble) await sufferEksAuth(trouble, dependencies.clock);
  const cluster = state.clusters.get({ ...caller.scope, name: clusterName });
  if (!cluster?.endpoint)
    throw new EksAuthError("ResourceNotFoundException", `No cluster found for name: ${clusterName}.`);
  checkCaller(dependencies, caller, cluster);
  const token = await readPodToken(issuers, cluster, jwt);
  return state.transaction(() => {
    const association = podIdentityOf(cluster.id, token.namespace, token.serviceAccount);
    if (!association) {
      throw new EksAuthError(
        "ResourceNotFoundException",
        `No association found for service account ${token.serviceAccount} in namespace ${token.namespace} of cluster ${clusterName}.`,
      );
    }
    const session = openSessions(dependencies, cluster, token, association);
    recordEvent(dependencies, caller, cluster, token, association, session);
    return { cluster, token, association, session };
  });
}

/** Session tags as EKS sets them; all of them are handed on to roles assumed from there. */
const sessionTags = (cluster: ClusterRecord, { namespace, serviceAccount, pod }: PodToken): Record<string, string> => ({
  "eks-cluster-arn": clusterArn(cluster, cluster.name),
  "eks-cluster-name": cluster.name,
  "kubernetes-namespace": namespace,
  "kubernetes-service-account": serviceAccount,
  "kubernetes-pod-name": pod.name,
  "kubernetes-pod-uid": pod.uid,
});

/** STS takes 64 characters: names of clusters and pods are cut so that the UUID is whole. */
const sessionNameOf = (cluster: ClusterRecord, { pod }: PodToken, uuid: string): string =>
  `eks-${cluster.name.slice(0, 10)}-${pod.name.slice(0, 10)}-${uuid}`;

/** The associated role's session, or that of its target role, which the associated role assumes. */
function openSessions(
  dependencies: EksAuthDependencies,
  cluster: ClusterRecord,
  token: PodToken,
  association: PodIdentityAssociationRecord,
): SessionRecord {
  const { roleArn, targetRoleArn, externalId, disableSessionTags, policy } = association;
  const tags = disableSessionTags ? {} : sessionTags(cluster, token);
  const sessionName = sessionNameOf(cluster, token, dependencies.uuid());
  const policies = policy ? [policy] : [];
  const own = { sessionName, action: "sts:AssumeRole" as const };
  const { role, session } = assume(dependencies, {
    ...own,
    roleArn,
    by: { kind: "Service", id: POD_IDENTITY_PRINCIPAL },
    durationSeconds: SESSION_SECONDS,
    tags,
    transitiveTagKeys: Object.keys(tags),
    // What a session policy leaves out is left out of the credentials that the pod gets, not of the way there.
    ...(targetRoleArn ? {} : { policies }),
    context: {
      "aws:sourcearn": clusterArn(cluster, cluster.name),
      "aws:sourceaccount": cluster.accountId,
      "aws:principalservicename": POD_IDENTITY_PRINCIPAL,
      "aws:principalisawsservice": "true",
    },
  });
  if (!targetRoleArn) return session;
  return assume(dependencies, {
    ...own,
    roleArn: targetRoleArn,
    by: { kind: "AWS", arn: session.arn, accountId: role.accountId, sourceId: role.id },
    session,
    durationSeconds: TARGET_SESSION_SECONDS,
    externalId,
    policies,
  }).session;
}

/** EKS tells nothing of why. */
function assume(
  dependencies: EksAuthDependencies,
  request: AssumeRoleRequest,
): { role: RoleRecord; session: SessionRecord } {
  try {
    return assumeRole(dependencies, request);
  } catch (error) {
    if (!(error instanceof IamError)) throw error;
    throw new EksAuthError(
      "AccessDeniedException",
      `Unauthorized Exception! EKS does not have permissions to assume the ${request.session ? "target" : "associated"} role.`,
    );
  }
}

function recordEvent(
  { state, clock }: EksAuthDependencies,
  { scope, principalArn, requestId }: EksAuthCaller,
  cluster: ClusterRecord,
  { namespace, serviceAccount, pod }: PodToken,
  { id }: PodIdentityAssociationRecord,
  session: SessionRecord,
): void {
  state.events.append({
    atMs: clock.now(),
    ...scope,
    clusterName: cluster.name,
    source: "api",
    type: "AssumeRoleForPodIdentity",
    subject: `${namespace}/${serviceAccount}`,
    message: `${principalArn} called AssumeRoleForPodIdentity for pod ${namespace}/${pod.name}`,
    detail: {
      requestId,
      principalArn,
      requestParameters: { clusterName: cluster.name },
      associationId: id,
      assumedRoleArn: session.arn,
    },
  });
}
