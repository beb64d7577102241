/** Access entries, pod identity associations and identity provider configurations as the API shows them. */
import type { AccessEntryRecord, AssociatedPolicy } from "../../../domain/access-entry.js";
import type { IdentityProviderConfigRecord } from "../../../domain/identity-provider-config.js";
import type { PodIdentityAssociationRecord } from "../../../domain/pod-identity-association.js";
import type {
  AccessEntry,
  AssociatedAccessPolicy,
  OidcIdentityProviderConfig,
  PodIdentityAssociation,
  PodIdentityAssociationSummary,
} from "../../model/generated/operations.js";

export function accessEntryView(entry: AccessEntryRecord): AccessEntry {
  return {
    clusterName: entry.clusterName,
    principalArn: entry.principalArn,
    kubernetesGroups: entry.kubernetesGroups,
    accessEntryArn: entry.arn,
    createdAt: entry.createdAtMs,
    modifiedAt: entry.modifiedAtMs,
    tags: entry.tags,
    username: entry.username,
    type: entry.type,
  };
}

export function associatedPolicyView(policy: AssociatedPolicy): AssociatedAccessPolicy {
  return {
    policyArn: policy.policyArn,
    accessScope: policy.accessScope,
    associatedAt: policy.associatedAtMs,
    modifiedAt: policy.modifiedAtMs,
  };
}

export function podIdentitySummary(association: PodIdentityAssociationRecord): PodIdentityAssociationSummary {
  return {
    clusterName: association.clusterName,
    namespace: association.namespace,
    serviceAccount: association.serviceAccount,
    associationArn: association.arn,
    associationId: association.id,
    ownerArn: association.ownerArn,
  };
}

export function podIdentityView(association: PodIdentityAssociationRecord): PodIdentityAssociation {
  return {
    ...podIdentitySummary(association),
    roleArn: association.roleArn,
    tags: association.tags,
    createdAt: association.createdAtMs,
    modifiedAt: association.modifiedAtMs,
    disableSessionTags: association.disableSessionTags,
    targetRoleArn: association.targetRoleArn,
    externalId: association.externalId,
    policy: association.policy,
  };
}

export function oidcView(config: IdentityProviderConfigRecord): OidcIdentityProviderConfig {
  return {
    identityProviderConfigName: config.name,
    identityProviderConfigArn: config.arn,
    clusterName: config.clusterName,
    issuerUrl: config.issuerUrl,
    clientId: config.clientId,
    usernameClaim: config.usernameClaim,
    usernamePrefix: config.usernamePrefix,
    groupsClaim: config.groupsClaim,
    groupsPrefix: config.groupsPrefix,
    requiredClaims: config.requiredClaims,
    tags: config.tags,
    status: config.status,
  };
}
