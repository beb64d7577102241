/** Fargate profiles. They cannot be changed, and a cluster makes or unmakes one at a time. */
import { checkPassRole } from "../../domain/eks/arns.js";
import { entriesOfNodeRole } from "../../domain/eks/automatic-entries.js";
import {
  checkFargateProfileName,
  checkNoneInTransition,
  newFargateProfile,
  noFargateProfileFound,
} from "../../domain/eks/fargate-rules.js";
import { checkActive, checkSubnets } from "../../domain/eks/refusals.js";
import type { FargateProfileRecord } from "../../domain/fargate.js";
import type { ClusterRecord } from "../../domain/model.js";
import { grantAutomatically } from "./access-entries.js";
import { clusterResourceWorkKey, type EksOperations, type OperationContext, scheduleWork } from "./context.js";
import { resourceUuid } from "./identifiers.js";
import { findCluster } from "./lookup.js";
import { pageOf } from "./paging.js";
import { checkPassedRole } from "./passed-roles.js";
import { fargateProfileView } from "./views/fargate.js";

function findProfile(
  context: OperationContext,
  clusterName: string,
  name: string,
): { cluster: ClusterRecord; profile: FargateProfileRecord } {
  const cluster = findCluster(context, clusterName);
  const profile = context.state.fargateProfiles.get(cluster.id, name);
  if (!profile) throw noFargateProfileFound(clusterName, name);
  return { cluster, profile };
}

export const fargateProfiles = {
  CreateFargateProfile(input, context) {
    const { state, scope, clock, config } = context;
    const { clusterName, fargateProfileName, podExecutionRoleArn } = input;
    checkFargateProfileName(clusterName, fargateProfileName);
    checkPassRole(podExecutionRoleArn, scope.accountId);
    const cluster = findCluster(context, clusterName);
    checkActive(cluster);
    const profile = newFargateProfile(input, {
      cluster,
      present: state.fargateProfiles.list(cluster.id),
      uuid: resourceUuid(context, "fargate-profile", clusterName, fargateProfileName),
      nowMs: clock.now(),
    });
    checkSubnets(config, profile.subnets);
    checkPassedRole(context, podExecutionRoleArn, "eks-fargate-pods.amazonaws.com");
    state.fargateProfiles.put(profile);
    // The machines' kubelets join the cluster under this role.
    grantAutomatically(context, cluster, entriesOfNodeRole(cluster, podExecutionRoleArn, "FARGATE_LINUX"));
    scheduleWork(context, "fargate-profile", clusterResourceWorkKey(profile));
    return { fargateProfile: fargateProfileView(profile) };
  },

  DescribeFargateProfile(input, context) {
    const { profile } = findProfile(context, input.clusterName, input.fargateProfileName);
    return { fargateProfile: fargateProfileView(profile) };
  },

  ListFargateProfiles(input, context) {
    const cluster = findCluster(context, input.clusterName);
    const { keys, nextToken } = pageOf(context, ["ListFargateProfiles", cluster.id], input, (page) =>
      context.state.fargateProfiles.names(cluster.id, page),
    );
    return { fargateProfileNames: keys, nextToken };
  },

  DeleteFargateProfile(input, context) {
    const { state } = context;
    const { cluster, profile } = findProfile(context, input.clusterName, input.fargateProfileName);
    checkNoneInTransition("delete", profile.name, cluster.name, state.fargateProfiles.list(cluster.id));
    const deleting = { ...profile, status: "DELETING" as const };
    state.fargateProfiles.put(deleting);
    scheduleWork(context, "fargate-profile", clusterResourceWorkKey(profile));
    return { fargateProfile: fargateProfileView(deleting) };
  },
} satisfies Partial<EksOperations>;
