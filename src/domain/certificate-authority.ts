/** Certificate authorities of a cluster: the one that signs, and during a rotation the one that is to follow it or that it followed. */
import type { Scope } from "./model.js";

export type AuthorityActor = "CUSTOMER" | "EKS";

export interface CertificateAuthorityRecord extends Scope {
  clusterId: string;
  clusterName: string;
  id: string;
  createdAtMs: number;
  createdBy: AuthorityActor;
  /** When it last became the signer, and who made it so. */
  activatedAtMs?: number;
  activatedBy?: AuthorityActor;
  signingStatus: "IN_USE" | "ACTIVATING" | "NOT_USED";
  distributionStatus: "IN_PROGRESS" | "COMPLETE" | "FAILED" | "DELETING";
  /** When the control plane began to trust it; from there the trust is carried to nodes. */
  trustedAtMs?: number;
  /** Its public certificate, PEM; absent until it has been made. */
  certificate?: string;
}

const DAY_MS = 86_400_000;

/** Authorities are made for ten years. */
const VALIDITY_MS = 3650 * DAY_MS;
export const MAX_AUTHORITIES = 2;

/**
 * How long before the signer expires EKS acts by itself: it appends a successor, may activate it, does activate it. And how long after an activation the way
 * back is open. EKS has these steps and publishes no figures for them.
 */
export const ROTATION = {
  appendMs: 365 * DAY_MS,
  firstActivationMs: 180 * DAY_MS,
  finalActivationMs: 90 * DAY_MS,
  rollbackMs: 7 * DAY_MS,
} as const;

export const expiresAtMs = ({ createdAtMs }: CertificateAuthorityRecord): number => createdAtMs + VALIDITY_MS;

export const signerOf = (authorities: readonly CertificateAuthorityRecord[]): CertificateAuthorityRecord | undefined =>
  authorities.find(({ signingStatus }) => signingStatus === "IN_USE");

/** One that has never signed and is meant to. */
export const isSuccessor = ({ signingStatus, activatedAtMs }: CertificateAuthorityRecord): boolean =>
  signingStatus === "NOT_USED" && activatedAtMs === undefined;

/** Whether the signer can still give way to the one before it. */
export function mayRevert(signer: CertificateAuthorityRecord, nowMs: number): boolean {
  return signer.activatedAtMs !== undefined && nowMs - signer.activatedAtMs <= ROTATION.rollbackMs;
}
