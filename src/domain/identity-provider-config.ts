/** An OIDC provider whose tokens a cluster's API server takes. One a cluster; nothing of it but its tags ever changes. */
export interface IdentityProviderConfigRecord {
  clusterId: string;
  clusterName: string;
  name: string;
  arn: string;
  issuerUrl: string;
  clientId: string;
  /** `sub` when absent. */
  usernameClaim?: string;
  usernamePrefix?: string;
  groupsClaim?: string;
  groupsPrefix?: string;
  requiredClaims?: Record<string, string>;
  status: "CREATING" | "ACTIVE" | "DELETING";
  tags: Record<string, string>;
}
