/** Who asks EKS Auth: the agent of a node, under the node's role. */
import { clusterArn, parseArn } from "../../domain/eks/arns.js";
import type { SessionRecord } from "../../domain/iam.js";
import type { ClusterRecord, Scope } from "../../domain/model.js";
import type { AssumeRoleDependencies } from "../../identity/assume-role.js";
import { authorize } from "../../identity/policy/authorize.js";
import type { State } from "../../state/state.js";
import { EksAuthError } from "./errors.js";

export interface EksAuthCaller {
  scope: Scope;
  principalArn: string;
  /** The temporary credentials that it signs with. */
  session?: SessionRecord;
  requestId: string;
}

const ACTION = "eks-auth:AssumeRoleForPodIdentity";

/**
 * A Deny of the caller's own policies counts always; that they have to allow it, in a strict emulator only. Callers that nobody made in IAM have no policies.
 * Throws AccessDeniedException.
 */
export function checkCaller(
  { directory, policies }: AssumeRoleDependencies,
  { principalArn: arn, scope, session }: EksAuthCaller,
  cluster: ClusterRecord,
): void {
  const identity = directory.role(arn) ?? directory.user(arn);
  if (!identity) return;
  const resource = clusterArn(cluster, cluster.name);
  const principal = { kind: "AWS" as const, arn, accountId: scope.accountId, sourceId: identity.id };
  const { decision } = authorize(policies, identity, session, { principal, action: ACTION, resource, context: {} });
  if (decision === "allow" || (decision === "implicit-deny" && !directory.strict)) return;
  throw new EksAuthError(
    "AccessDeniedException",
    `User: ${arn} is not authorized to perform: ${ACTION} on resource: ${resource}`,
  );
}

/** The session of an instance under its node's role; nobody in particular where the node is none of EKS's own. */
export function nodePrincipalArn(state: State, cluster: ClusterRecord, nodeName: string | undefined): string {
  const instance = nodeName === undefined ? undefined : state.instances.byDnsName(cluster.id, nodeName);
  const nodegroup = instance && state.nodegroups.get(cluster, instance.nodegroupName);
  const roleArn = nodegroup?.nodeRole ?? cluster.computeConfig?.nodeRoleArn;
  const role = roleArn === undefined ? undefined : parseArn(roleArn);
  if (!instance || !role) return "eks-pod-identity-agent";
  const roleName = role.resource.split("/").at(-1);
  return `arn:${role.partition}:sts::${role.accountId}:assumed-role/${roleName}/${instance.instanceId}`;
}
