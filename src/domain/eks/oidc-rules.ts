/** What AssociateIdentityProviderConfig makes of a request, and what it refuses. */
import { DomainError } from "../errors.js";
import type { IdentityProviderConfigRecord } from "../identity-provider-config.js";
import type { ClusterRecord } from "../model.js";
import { identityProviderConfigArn } from "./arns.js";
import { invalidParameter } from "./refusals.js";
import { addTags } from "./tags.js";

export interface NewIdentityProvider {
  identityProviderConfigName: string;
  issuerUrl: string;
  clientId: string;
  usernameClaim?: string;
  usernamePrefix?: string;
  groupsClaim?: string;
  groupsPrefix?: string;
  requiredClaims?: Record<string, string>;
}

/** Quota; names are at most 63, values at most 253 characters long. */
const MAX_REQUIRED_CLAIMS = 15;
const NAME = /^[0-9A-Za-z][A-Za-z0-9\-_]{0,99}$/;

/** Checks that EKS makes before it looks for the cluster. Throws InvalidParameterException. */
export function checkIdentityProvider(request: NewIdentityProvider): void {
  if (!NAME.test(request.identityProviderConfigName)) {
    throw invalidParameter(
      "The identityProviderConfigName must begin with a letter or digit, have only letters, digits, hyphens and underscores, and be at most 100 characters long",
    );
  }
  if (!request.issuerUrl.startsWith("https://")) throw invalidParameter("IssuerURL must use https:// scheme.");
  if (!URL_WITHOUT_QUERY.test(request.issuerUrl)) {
    throw invalidParameter("IssuerURL must be a URL without query parameters or a fragment.");
  }
  if (request.clientId === "") throw invalidParameter("ClientID must not be empty.");
  for (const prefix of [request.usernamePrefix, request.groupsPrefix]) {
    if (prefix?.startsWith("system:")) {
      throw invalidParameter("The prefix system: is reserved for Kubernetes system use");
    }
  }
  if (Object.keys(request.requiredClaims ?? {}).length > MAX_REQUIRED_CLAIMS) {
    throw invalidParameter(`At most ${MAX_REQUIRED_CLAIMS} required claims can be specified`);
  }
}

/** Host, maybe with a port, and a path. */
const URL_WITHOUT_QUERY = /^https:\/\/[A-Za-z0-9.-]+(:\d{1,5})?(\/[^\s?#]*)?$/;

/** Since Kubernetes 1.32 a cluster takes several providers, of different issuers; before that one. The quota is the user guide's. */
const MAX_PROVIDERS = 10;
/** Of all configurations of a cluster together, in bytes. */
const MAX_SIZE = 12 * 1024;

const maxProviders = (version: string): number => (Number(version.split(".")[1]) >= 32 ? MAX_PROVIDERS : 1);

/** Those that come or go count as well. Throws ResourceInUseException, ResourceLimitExceededException or InvalidRequestException. */
export function checkRoomForProvider(
  cluster: ClusterRecord,
  request: NewIdentityProvider,
  present: readonly IdentityProviderConfigRecord[],
): void {
  const { identityProviderConfigName: name, issuerUrl } = request;
  const facts = { clusterName: cluster.name };
  if (present.some((config) => config.name === name)) {
    throw new DomainError(
      "ResourceInUseException",
      `Identity provider config already exists with name: ${name}`,
      facts,
    );
  }
  const max = maxProviders(cluster.version);
  if (max === 1 && present.length > 0) {
    throw new DomainError(
      "InvalidRequestException",
      `Cluster ${cluster.name} already has an identity provider config of type oidc; only one can be associated`,
      facts,
    );
  }
  if (present.some((config) => config.issuerUrl === issuerUrl)) {
    throw new DomainError(
      "InvalidRequestException",
      `Cluster ${cluster.name} already has an identity provider config with issuer URL ${issuerUrl}`,
      facts,
    );
  }
  const sizeOf = (config: object): number => JSON.stringify(config).length;
  const size = present.reduce((sum, { tags, arn, clusterId, ...config }) => sum + sizeOf(config), sizeOf(request));
  if (present.length >= max || size > MAX_SIZE) {
    throw new DomainError(
      "ResourceLimitExceededException",
      `Cluster ${cluster.name} cannot have more than ${max} identity provider configs, of ${MAX_SIZE / 1024} KB together`,
      facts,
    );
  }
}

/** Kept as it was asked for: the API server's defaults (the claim `sub`, the issuer as prefix) are not shown, or Terraform would see a difference. */
export function newIdentityProvider(
  cluster: ClusterRecord,
  request: NewIdentityProvider,
  { uuid, tags = {} }: { uuid: string; tags?: Record<string, string> | undefined },
): IdentityProviderConfigRecord {
  const { identityProviderConfigName: name, ...rest } = request;
  return {
    ...rest,
    clusterId: cluster.id,
    clusterName: cluster.name,
    name,
    arn: identityProviderConfigArn(cluster, cluster.name, name, uuid),
    status: "CREATING",
    tags: addTags({}, tags, "InvalidParameterException"),
  };
}
