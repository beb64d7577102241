/**
 * Roles of nodes that EKS launches, in the ConfigMap `aws-auth`: clusters that read it get a mapping with the first group of a role and lose it with the
 * last one. Access entries of such roles are made by the API call that brings the role.
 */
import { type NodeEntryType, nodeRoleMapping } from "../domain/eks/access-entry-types.js";
import { AWS_AUTH } from "../domain/eks/aws-auth.js";
import { principalKey } from "../domain/eks/principals.js";
import type { ClusterRecord } from "../domain/model.js";
import { withNodeRole, withoutNodeRole } from "../identity/aws-auth.js";
import type { ReconcileContext } from "./context.js";

const readsAwsAuth = (cluster: ClusterRecord): boolean => cluster.accessConfig.authenticationMode !== "API";

/** Leaves a mapping of the role; one that is there stays as it is. */
export async function mapNodeRole(
  context: ReconcileContext,
  cluster: ClusterRecord,
  roleArn: string,
  type: NodeEntryType,
): Promise<void> {
  if (!readsAwsAuth(cluster)) return;
  await context
    .backendOf(cluster)
    .changeConfigMap?.(cluster.id, AWS_AUTH, (data) => withNodeRole(data, { roleArn, ...nodeRoleMapping(type) }));
}

/** To be called before the row of something that uses the role goes: with the last one, what EKS gave the role goes. */
export async function forgetNodeRole(
  context: ReconcileContext,
  cluster: ClusterRecord,
  roleArn: string,
): Promise<void> {
  const { state } = context;
  const key = principalKey(roleArn);
  const inUse = [
    ...state.nodegroups.list(cluster.id).map(({ nodeRole }) => nodeRole),
    ...state.fargateProfiles.list(cluster.id).map(({ podExecutionRoleArn }) => podExecutionRoleArn),
  ];
  if (inUse.filter((other) => principalKey(other) === key).length > 1) return;
  if (state.accessEntries.get(cluster.id, key)?.ofNodeRole) state.accessEntries.remove(cluster.id, key);
  if (!readsAwsAuth(cluster)) return;
  await context.backendOf(cluster).changeConfigMap?.(cluster.id, AWS_AUTH, (data) => withoutNodeRole(data, roleArn));
}
