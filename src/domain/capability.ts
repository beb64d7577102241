/** Capabilities: Argo CD, ACK and kro, which EKS runs for a cluster outside of it. */
import type { Scope } from "./model.js";

export type CapabilityType = "ACK" | "ARGOCD" | "KRO";

export type CapabilityStatus =
  | "CREATING"
  | "CREATE_FAILED"
  | "UPDATING"
  | "DELETING"
  | "DELETE_FAILED"
  | "ACTIVE"
  | "DEGRADED";

export interface RoleMapping {
  role: "ADMIN" | "EDITOR" | "VIEWER";
  identities: { id: string; type: "SSO_USER" | "SSO_GROUP" }[];
}

export interface ArgoCdConfiguration {
  namespace: string;
  awsIdc: { idcInstanceArn: string; idcRegion?: string; idcManagedApplicationArn: string };
  rbacRoleMappings?: RoleMapping[];
  /** With VPC endpoints the server is reached through them alone. */
  networkAccess?: { vpceIds?: string[] };
  serverUrl: string;
  endpointPrefix?: string;
}

export interface AckConfiguration {
  enableCrossNamespace: boolean;
  disabledServices?: string[];
}

export interface CapabilityConfiguration {
  argoCd?: ArgoCdConfiguration;
  ack?: AckConfiguration;
}

export interface CapabilityRecord extends Scope {
  clusterName: string;
  clusterId: string;
  name: string;
  arn: string;
  type: CapabilityType;
  roleArn: string;
  status: CapabilityStatus;
  /** Of the software that runs. */
  version: string;
  configuration: CapabilityConfiguration;
  deletePropagationPolicy: "RETAIN";
  createdAtMs: number;
  modifiedAtMs: number;
  healthIssues: { code: "AccessDenied" | "ClusterUnreachable"; message: string }[];
  tags: Record<string, string>;
  /** When the deletion was begun. */
  deletingSinceMs?: number;
}
