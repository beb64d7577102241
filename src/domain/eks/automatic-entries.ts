/**
 * Access entries that EKS makes without being asked: for the cluster's creator, for its own service-linked role, for Auto Mode and for the nodes of
 * managed node groups and Fargate profiles. Only clusters whose authentication mode knows entries have them.
 */
import type { AccessEntryRecord, AccessEntryType } from "../access-entry.js";
import type { CapabilityType } from "../capability.js";
import type { ClusterRecord } from "../model.js";
import { newAccessEntry, withPolicies } from "./access-entry-rules.js";
import { defaultUsername, groupsOfType, type NodeEntryType } from "./access-entry-types.js";
import { type AccessPolicyName, accessPolicyArn } from "./access-policies.js";
import { partitionOf } from "./arns.js";
import { canonicalArn, parsePrincipal } from "./principals.js";

export interface AutomaticEntry {
  principalArn: string;
  type: AccessEntryType;
  /** For the whole cluster. */
  policies: readonly AccessPolicyName[];
  ofNodeRole?: boolean;
}

export const hasAccessEntries = (cluster: Pick<ClusterRecord, "accessConfig">): boolean =>
  cluster.accessConfig.authenticationMode !== "CONFIG_MAP";

/** Pairs of policies with which EKS works in the cluster under the cluster's own role while Auto Mode is on. */
const AUTO_MODE_POLICIES: readonly AccessPolicyName[] = [
  "AmazonEKSBlockStorageClusterPolicy",
  "AmazonEKSBlockStoragePolicy",
  "AmazonEKSComputeClusterPolicy",
  "AmazonEKSComputePolicy",
  "AmazonEKSLoadBalancingClusterPolicy",
  "AmazonEKSLoadBalancingPolicy",
  "AmazonEKSNetworkingClusterPolicy",
  "AmazonEKSNetworkingPolicy",
];

/** Those that come with access entries themselves: at creation, or when the authentication mode is changed. */
export function entriesOfCluster(cluster: ClusterRecord): AutomaticEntry[] {
  if (!hasAccessEntries(cluster)) return [];
  const { accountId, creatorArn, accessConfig } = cluster;
  return [
    ...(accessConfig.bootstrapClusterCreatorAdminPermissions
      ? [standard(canonicalArn(creatorArn), "AmazonEKSClusterAdminPolicy")]
      : []),
    standard(
      `arn:${partitionOf(cluster)}:iam::${accountId}:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS`,
      "AmazonEKSClusterInsightsPolicy",
      "AmazonEKSHybridPolicy",
    ),
    ...entriesOfAutoMode(cluster),
  ];
}

/** Those that come with Auto Mode. */
export function entriesOfAutoMode(cluster: ClusterRecord): AutomaticEntry[] {
  if (!hasAccessEntries(cluster) || cluster.computeConfig?.enabled !== true) return [];
  const { nodeRoleArn } = cluster.computeConfig;
  return [
    standard(cluster.roleArn, ...AUTO_MODE_POLICIES),
    ...(nodeRoleArn
      ? [{ principalArn: nodeRoleArn, type: "EC2" as const, policies: ["AmazonEKSAutoNodePolicy"] as const }]
      : []),
  ];
}

/** The one of nodes that EKS launches under a role. */
export const entriesOfNodeRole = (cluster: ClusterRecord, roleArn: string, type: NodeEntryType): AutomaticEntry[] =>
  hasAccessEntries(cluster) ? [{ principalArn: roleArn, type, policies: [], ofNodeRole: true }] : [];

/** By which EKS's software for a capability works in the cluster. */
const CAPABILITY_POLICIES: Readonly<Record<CapabilityType, readonly AccessPolicyName[]>> = {
  ACK: ["AmazonEKSACKPolicy"],
  ARGOCD: ["AmazonEKSArgoCDClusterPolicy", "AmazonEKSArgoCDPolicy"],
  KRO: ["AmazonEKSKROPolicy"],
};

/** The one of a capability's role. */
export const entryOfCapability = (roleArn: string, type: CapabilityType): AutomaticEntry =>
  standard(roleArn, ...CAPABILITY_POLICIES[type]);

const standard = (principalArn: string, ...policies: AccessPolicyName[]): AutomaticEntry => ({
  principalArn,
  type: "STANDARD",
  policies,
});

/** Undefined for principals that cannot have an entry. */
export function automaticEntry(
  cluster: ClusterRecord,
  { principalArn, type, policies, ofNodeRole }: AutomaticEntry,
  facts: { uuid: string; nowMs: number; principalId?: string | undefined },
): AccessEntryRecord | undefined {
  const principal = parsePrincipal(principalArn);
  if (!principal) return undefined;
  const entry = newAccessEntry(
    cluster,
    principalArn,
    { principal, type, username: defaultUsername(type, principal), kubernetesGroups: groupsOfType(type) },
    facts,
  );
  const associated = policies.map((name) => ({
    policyArn: accessPolicyArn(cluster.region, name),
    accessScope: { type: "cluster" as const, namespaces: [] },
    associatedAtMs: facts.nowMs,
    modifiedAtMs: facts.nowMs,
  }));
  return { ...withPolicies(entry, associated), ...(ofNodeRole ? { ofNodeRole } : {}) };
}
