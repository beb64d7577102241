/** What EKS Pod Identity and IAM roles for service accounts agree on between pods, the agent and IAM. */

/** Who EKS Auth is in the trust policies of roles, and the audience of tokens that are for it. */
export const POD_IDENTITY_PRINCIPAL = "pods.eks.amazonaws.com";

/** Audience of tokens that are for AssumeRoleWithWebIdentity. */
export const STS_AUDIENCE = "sts.amazonaws.com";

/** Link-local addresses of the agent on every node. */
export const AGENT_ADDRESSES = { ipv4: "169.254.170.23", ipv6: "fd00:ec2::23" } as const;

/** Path of credentials there. */
export const AGENT_PATH = "/v1/credentials";

/** Default life of projected tokens, in seconds; Pod Identity's lie between the two, so that they are not renewed all at once. */
export const TOKEN_SECONDS = { default: 86_400, leastByDefault: 79_200, least: 600 } as const;

/** Prefix of annotations that the webhook reads. */
const PREFIX = "eks.amazonaws.com";

export const ANNOTATIONS = {
  roleArn: `${PREFIX}/role-arn`,
  audience: `${PREFIX}/audience`,
  regionalEndpoints: `${PREFIX}/sts-regional-endpoints`,
  tokenExpiration: `${PREFIX}/token-expiration`,
  skipContainers: `${PREFIX}/skip-containers`,
} as const;

/** Label of pods that are given credentials by the agent. */
export const POD_IDENTITY_LABEL = `${PREFIX}/pod-identity`;
