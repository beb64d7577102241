/** The access policies that EKS offers. What they allow is written down where requests are judged. */
import { DomainError } from "../errors.js";
import { partitionOf } from "./arns.js";
import { invalidParameter } from "./refusals.js";

/**
 * Names that anybody may associate (of the pairs of Auto Mode the guide keeps only those of storage and compute for AWS), those kept for service-linked
 * roles, and those that AWS does not even list. As ListAccessPolicies answers them.
 */
const POLICIES = {
  forAnyone: [
    "AIDevOpsAgentAccessPolicy",
    "AmazonAIOpsAssistantPolicy",
    "AmazonARCRegionSwitchScalingPolicy",
    "AmazonEKSACKPolicy",
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSArgoCDClusterPolicy",
    "AmazonEKSArgoCDPolicy",
    "AmazonEKSAutoNodePolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSEventPolicy",
    "AmazonEKSKROPolicy",
    "AmazonEKSLoadBalancingClusterPolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingClusterPolicy",
    "AmazonEKSNetworkingPolicy",
    "AmazonEKSSecretAdminPolicy",
    "AmazonEKSSecretReaderPolicy",
    "AmazonEKSViewPolicy",
    "AmazonEMRJobPolicy",
    "AmazonSagemakerHyperpodClusterPolicy",
    "AmazonSagemakerHyperpodControllerPolicy",
    "AmazonSagemakerHyperpodSpacePolicy",
    "AmazonSagemakerHyperpodSpaceTemplatePolicy",
    "AmazonSagemakerHyperpodSystemNamespacePolicy",
    "AmazonSagemakerHyperpodUserClusterPolicy",
  ],
  forServices: [
    "AmazonEKSBlockStorageClusterPolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSComputeClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSHybridPolicy",
    "AmazonEKSPodIdentityPolicy",
  ],
  unlisted: ["AmazonEKSClusterInsightsPolicy"],
} as const;

export type AccessPolicyName = (typeof POLICIES)["forAnyone" | "forServices" | "unlisted"][number];

/** All names that are listed, in order of their letters' codes. */
export const ACCESS_POLICIES: readonly AccessPolicyName[] = [...POLICIES.forAnyone, ...POLICIES.forServices].sort();

/** AWS's own account and no region, in the partition of `regionName`. */
export const accessPolicyArn = (regionName: string, name: AccessPolicyName): string =>
  `arn:${partitionOf({ region: regionName })}:eks::aws:cluster-access-policy/${name}`;

/** The name in an ARN of `accessPolicyArn`. */
export const accessPolicyName = (arn: string): string => arn.slice(arn.lastIndexOf("/") + 1);

/** The policy that a request names. Throws InvalidParameterException for what is no such ARN, ResourceNotFoundException for one of no policy. */
export function findAccessPolicy(policyArn: string, regionName: string): AccessPolicyName {
  if (!/^arn:aws(-[a-z]+)*:eks::aws:cluster-access-policy\/[A-Za-z0-9-]+$/.test(policyArn)) {
    throw invalidParameter("The policyArn parameter format is not valid");
  }
  const name = [...ACCESS_POLICIES, ...POLICIES.unlisted].find(
    (known) => accessPolicyArn(regionName, known) === policyArn,
  );
  if (!name) throw new DomainError("ResourceNotFoundException", "The specified policyArn could not be found.");
  return name;
}

export const isServicePolicy = (name: AccessPolicyName): boolean =>
  ([...POLICIES.forServices, ...POLICIES.unlisted] as readonly string[]).includes(name);
