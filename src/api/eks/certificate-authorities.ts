/** Certificate authorities of clusters and their rotation. */
import {
  type CertificateAuthorityRecord,
  expiresAtMs,
  isSuccessor,
  mayRevert,
  ROTATION,
  signerOf,
} from "../../domain/certificate-authority.js";
import {
  AUTHORITY_UPDATE,
  type AuthorityChange,
  activateAuthority,
  appendAuthority,
  removeAuthority,
} from "../../domain/eks/certificate-authorities.js";
import { checkUpdatable } from "../../domain/eks/refusals.js";
import { DomainError } from "../../domain/errors.js";
import type { ClusterRecord } from "../../domain/model.js";
import type { CertificateAuthority, CertificateAuthoritySummary, Update } from "../model/generated/operations.js";
import type { EksOperations, OperationContext } from "./context.js";
import { authorityId } from "./identifiers.js";
import { findCluster } from "./lookup.js";
import { pageOf } from "./paging.js";
import { startClusterUpdate } from "./start-update.js";

function summaryView(authority: CertificateAuthorityRecord): CertificateAuthoritySummary {
  return {
    id: authority.id,
    createdAt: authority.createdAtMs,
    createdBy: authority.createdBy,
    activatedAt: authority.activatedAtMs,
    activatedBy: authority.activatedBy,
    signingStatus: authority.signingStatus,
    distributionStatus: authority.distributionStatus,
  };
}

function view(
  authority: CertificateAuthorityRecord,
  present: readonly CertificateAuthorityRecord[],
  nowMs: number,
): CertificateAuthority {
  const signer = signerOf(present);
  const goesBefore = signer && isSuccessor(authority) ? expiresAtMs(signer) : undefined;
  return {
    ...summaryView(authority),
    validity: { notBefore: authority.createdAtMs, notAfter: expiresAtMs(authority) },
    scheduledEvents:
      goesBefore === undefined
        ? undefined
        : {
            firstAutoActivation: goesBefore - ROTATION.firstActivationMs,
            finalAutoActivation: goesBefore - ROTATION.finalActivationMs,
          },
    rollbackAvailable: authority === signer && present.length > 1 && mayRevert(authority, nowMs),
    data: authority.certificate && btoa(authority.certificate),
  };
}

function findAuthority({ state }: OperationContext, cluster: ClusterRecord, id: string): CertificateAuthorityRecord {
  const authority = state.certificateAuthorities.get(cluster.id, id);
  if (!authority) {
    throw new DomainError("ResourceNotFoundException", `No certificate authority found for ID: ${id}.`, {
      clusterName: cluster.name,
    });
  }
  return authority;
}

/** The cluster, which takes one update at a time, with what it trusts. */
function updatable(
  context: OperationContext,
  clusterName: string,
): { cluster: ClusterRecord; present: CertificateAuthorityRecord[] } {
  const { state } = context;
  const cluster = findCluster(context, clusterName);
  return { cluster, present: state.certificateAuthorities.list(cluster.id) };
}

function start(
  context: OperationContext,
  cluster: ClusterRecord,
  { authority, update }: AuthorityChange,
): { update: Update; certificateAuthority: CertificateAuthoritySummary } {
  context.state.certificateAuthorities.put(authority);
  return { update: startClusterUpdate(context, cluster, update), certificateAuthority: summaryView(authority) };
}

const checkFree = ({ state }: OperationContext, cluster: ClusterRecord): void =>
  checkUpdatable(cluster, AUTHORITY_UPDATE, state.updates.inProgress(cluster.id));

export const certificateAuthorities = {
  CreateCertificateAuthority(input, context) {
    const { cluster, present } = updatable(context, input.clusterName);
    checkFree(context, cluster);
    const made = { id: authorityId(context, cluster.id), by: "CUSTOMER" as const, nowMs: context.clock.now() };
    return start(context, cluster, appendAuthority(cluster, present, made));
  },

  ActivateCertificateAuthority(input, context) {
    const { cluster, present } = updatable(context, input.clusterName);
    const authority = findAuthority(context, cluster, input.certificateAuthorityId);
    checkFree(context, cluster);
    return start(context, cluster, activateAuthority(authority, present, context.clock.now()));
  },

  DeleteCertificateAuthority(input, context) {
    const { cluster, present } = updatable(context, input.clusterName);
    const authority = findAuthority(context, cluster, input.certificateAuthorityId);
    checkFree(context, cluster);
    return start(context, cluster, removeAuthority(authority, present));
  },

  DescribeCertificateAuthority(input, context) {
    const { state, clock } = context;
    const cluster = findCluster(context, input.clusterName);
    findAuthority(context, cluster, input.certificateAuthorityId);
    const present = state.certificateAuthorities.list(cluster.id);
    const authority = present.find(({ id }) => id === input.certificateAuthorityId);
    return { certificateAuthority: authority && view(authority, present, clock.now()) };
  },

  ListCertificateAuthorities(input, context) {
    const { state } = context;
    const cluster = findCluster(context, input.clusterName);
    const { keys, nextToken } = pageOf(context, ["ListCertificateAuthorities", cluster.id], input, (page) =>
      state.certificateAuthorities.names(cluster.id, page),
    );
    const found = keys.flatMap((id) => state.certificateAuthorities.get(cluster.id, id) ?? []);
    return { certificateAuthorities: found.map(summaryView), nextToken };
  },
} satisfies Partial<EksOperations>;
