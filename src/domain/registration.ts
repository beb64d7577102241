/** Kubernetes clusters of elsewhere that are shown in EKS through its connector. They share the names of EKS's own clusters and nothing else with them. */
import type { Scope } from "./model.js";

export interface RegistrationRecord extends Scope {
  name: string;
  arn: string;
  createdAtMs: number;
  /** PENDING until the connector's agent has been installed there, FAILED when nobody did so in time. */
  status: "PENDING" | "ACTIVE" | "FAILED";
  provider: string;
  /** Role that the agent speaks to Systems Manager with. */
  roleArn: string;
  /** What the agent's manifest carries. */
  activationId: string;
  activationCode: string;
  activationExpiryMs: number;
  tags: Record<string, string>;
}

/** How long the agent may take to report, from the registration on: three days. */
export const ACTIVATION_WINDOW_MS = 3 * 86_400_000;

/** Quota of an account in a region. */
export const MAX_REGISTRATIONS = 10;

/** A registration that nobody activated in time is no longer on any list; its name is taken until it is deregistered. */
export const isListed = ({ status }: RegistrationRecord): boolean => status !== "FAILED";
