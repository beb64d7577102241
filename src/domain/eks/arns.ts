/** Names that EKS makes up from other names: ARNs, issuer URLs, and how ARNs that come in are read. */
import { region } from "../catalogue/index.js";
import { DomainError } from "../errors.js";
import type { Scope } from "../model.js";

export const partitionOf = (scope: Pick<Scope, "region">): string => region(scope.region)?.partition ?? "aws";

const eksArn = (scope: Scope, resource: string): string =>
  `arn:${partitionOf(scope)}:eks:${scope.region}:${scope.accountId}:${resource}`;

export const clusterArn = (scope: Scope, name: string): string => eksArn(scope, `cluster/${name}`);

export const nodegroupArn = (scope: Scope, clusterName: string, nodegroupName: string, uuid: string): string =>
  eksArn(scope, `nodegroup/${clusterName}/${nodegroupName}/${uuid}`);

export const addonArn = (scope: Scope, clusterName: string, addonName: string, uuid: string): string =>
  eksArn(scope, `addon/${clusterName}/${addonName}/${uuid}`);

export const fargateProfileArn = (scope: Scope, clusterName: string, profileName: string, uuid: string): string =>
  eksArn(scope, `fargateprofile/${clusterName}/${profileName}/${uuid}`);

/** `type` = ACK, ARGOCD or KRO. */
export const capabilityArn = (scope: Scope, clusterName: string, type: string, name: string, uuid: string): string =>
  eksArn(scope, `capability/${clusterName}/${type.toLowerCase()}/${name}/${uuid}`);

export const subscriptionArn = (scope: Scope, id: string): string => eksArn(scope, `eks-anywhere-subscription/${id}`);

/** `principal` as domain/eks/principals has it; its path is left out. */
export const accessEntryArn = (
  scope: Scope,
  clusterName: string,
  principal: { kind: string; accountId: string; name: string },
  uuid: string,
): string =>
  eksArn(scope, `access-entry/${clusterName}/${principal.kind}/${principal.accountId}/${principal.name}/${uuid}`);

export const podIdentityAssociationArn = (scope: Scope, clusterName: string, id: string): string =>
  eksArn(scope, `podidentityassociation/${clusterName}/${id}`);

export const identityProviderConfigArn = (scope: Scope, clusterName: string, name: string, uuid: string): string =>
  eksArn(scope, `identityproviderconfig/${clusterName}/oidc/${name}/${uuid}`);

/** Issuer of a cluster's service account tokens; `id` is ClusterRecord.id. */
export const oidcIssuer = (cluster: { region: string; id: string }): string =>
  `https://oidc.eks.${cluster.region}.${region(cluster.region)?.dnsSuffix ?? "amazonaws.com"}/id/${cluster.id}`;

export interface Arn {
  partition: string;
  service: string;
  region: string;
  accountId: string;
  resource: string;
}

/** Parts of an ARN; undefined when the text is none. */
export function parseArn(text: string): Arn | undefined {
  const [prefix, partition = "", service = "", region = "", accountId = "", ...resource] = text.split(":");
  if (prefix !== "arn" || !/^aws(-[a-z]+)*$/.test(partition) || service === "" || resource.length === 0)
    return undefined;
  return { partition, service, region, accountId, resource: resource.join(":") };
}

/**
 * Checks that a role can be passed to EKS: an IAM role's ARN, of the caller's own account. EKS answers this before it looks at anything else. Throws
 * InvalidParameterException or AccessDeniedException.
 */
export function checkPassRole(roleArn: string, accountId: string): void {
  const arn = parseArn(roleArn);
  if (arn?.service !== "iam" || !/^\d{12}$/.test(arn.accountId) || !/^role\/./.test(arn.resource)) {
    throw new DomainError("InvalidParameterException", `Invalid Role Arn: '${roleArn}'`);
  }
  if (arn.accountId !== accountId) {
    throw new DomainError("AccessDeniedException", "Cross-account pass role is not allowed.");
  }
}
