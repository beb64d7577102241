/**
 * Rotating a cluster's certificate authority: append a successor, let everything trust it, activate it, delete the old one. Each step is an update of the
 * cluster. Rules as the API's documentation gives them.
 */
import {
  type AuthorityActor,
  type CertificateAuthorityRecord,
  isSuccessor,
  MAX_AUTHORITIES,
  mayRevert,
  signerOf,
} from "../certificate-authority.js";
import { DomainError } from "../errors.js";
import type { ClusterRecord, UpdateRecord } from "../model.js";
import { updateParams } from "./cluster-updates.js";

export type AuthorityAction = "append" | "activate" | "remove";

/** What an update of authorities leads to, and which of them it is about. */
export interface AuthorityPlan {
  kind: typeof AUTHORITY_UPDATE;
  action: AuthorityAction;
  authorityId: string;
  trusted: string[];
  signing: string;
}

export interface AuthorityChange {
  /** The authority as it is while the update runs. */
  authority: CertificateAuthorityRecord;
  update: Pick<UpdateRecord, "type" | "params"> & { plan: Record<string, unknown> };
}

export const AUTHORITY_UPDATE = "CertificateAuthorityUpdate";

type Authorities = readonly CertificateAuthorityRecord[];

function change(
  action: AuthorityAction,
  authority: CertificateAuthorityRecord,
  trusted: string[],
  signing: string,
): AuthorityChange {
  const plan: AuthorityPlan = { kind: AUTHORITY_UPDATE, action, authorityId: authority.id, trusted, signing };
  const params = updateParams({
    CertificateAuthorityId: authority.id,
    ...(action === "activate" ? { ActiveCertificateAuthority: signing } : { TrustedCertificateAuthorities: trusted }),
  });
  return { authority, update: { type: AUTHORITY_UPDATE, params, plan: { ...plan } } };
}

const idsOf = (authorities: Authorities): string[] => authorities.map(({ id }) => id);

const signerId = (authorities: Authorities): string => signerOf(authorities)?.id ?? "";

/** A second authority that is trusted and does not sign. Throws ResourceLimitExceededException when there are two. */
export function appendAuthority(
  cluster: ClusterRecord,
  present: Authorities,
  made: { id: string; by: AuthorityActor; nowMs: number },
): AuthorityChange {
  const { accountId, region, id: clusterId, name: clusterName } = cluster;
  if (present.length >= MAX_AUTHORITIES) {
    throw new DomainError(
      "ResourceLimitExceededException",
      `Cluster ${clusterName} has ${MAX_AUTHORITIES} certificate authorities; delete the one that is not in use first`,
      { clusterName },
    );
  }
  const authority: CertificateAuthorityRecord = {
    accountId,
    region,
    clusterId,
    clusterName,
    id: made.id,
    createdAtMs: made.nowMs,
    createdBy: made.by,
    signingStatus: "NOT_USED",
    distributionStatus: "IN_PROGRESS",
  };
  return change("append", authority, [...idsOf(present), made.id], signerId(present));
}

/** The successor signs from now on; or, for a limited period, the outgoing one again. Throws InvalidParameterException. */
export function activateAuthority(
  authority: CertificateAuthorityRecord,
  present: Authorities,
  nowMs: number,
): AuthorityChange {
  const { id, clusterName, signingStatus, distributionStatus } = authority;
  const refuse = (why: string): DomainError =>
    new DomainError("InvalidParameterException", `Certificate authority ${id} cannot be activated because ${why}`, {
      clusterName,
    });
  if (signingStatus === "IN_USE") throw refuse("it is already in use");
  if (distributionStatus !== "COMPLETE") throw refuse(`its distribution status is ${distributionStatus}`);
  const signer = signerOf(present);
  if (!isSuccessor(authority) && signer && !mayRevert(signer, nowMs)) {
    throw refuse("the period in which the rotation can be rolled back has ended");
  }
  return change("activate", { ...authority, signingStatus: "ACTIVATING" }, idsOf(present), id);
}

/** It is not trusted any more. Throws ResourceInUseException for the signer, and for EKS's own successor: the only way on. */
export function removeAuthority(authority: CertificateAuthorityRecord, present: Authorities): AuthorityChange {
  const { id, clusterName, signingStatus, createdBy } = authority;
  const refuse = (why: string): DomainError =>
    new DomainError("ResourceInUseException", `Certificate authority ${id} cannot be deleted because ${why}`, {
      clusterName,
    });
  if (signingStatus !== "NOT_USED") throw refuse("it signs the certificates of the cluster");
  if (createdBy === "EKS" && isSuccessor(authority)) {
    throw refuse("Amazon EKS appended it and it is the only successor");
  }
  const kept = idsOf(present).filter((other) => other !== id);
  return change("remove", { ...authority, distributionStatus: "DELETING" }, kept, signerId(present));
}
