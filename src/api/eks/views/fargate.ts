/** Fargate profiles as the API shows them. */
import type { FargateProfileRecord } from "../../../domain/fargate.js";
import type { FargateProfile } from "../../model/generated/operations.js";

export function fargateProfileView(profile: FargateProfileRecord): FargateProfile {
  return {
    fargateProfileName: profile.name,
    fargateProfileArn: profile.arn,
    clusterName: profile.clusterName,
    createdAt: profile.createdAtMs,
    podExecutionRoleArn: profile.podExecutionRoleArn,
    subnets: profile.subnets,
    selectors: profile.selectors as FargateProfile["selectors"],
    status: profile.status,
    tags: profile.tags,
    health: { issues: profile.healthIssues as NonNullable<FargateProfile["health"]>["issues"] },
  };
}
