/**
 * Certificate authorities carried out in the cluster: its endpoint presents a certificate of the signer, and what it hands out as root CA is all that it trusts.
 * As the signer's end comes near, EKS takes the steps of a rotation by itself.
 */
import {
  type CertificateAuthorityRecord,
  expiresAtMs,
  isSuccessor,
  ROTATION,
  signerOf,
} from "../domain/certificate-authority.js";
import {
  type AuthorityAction,
  type AuthorityChange,
  type AuthorityPlan,
  activateAuthority,
  appendAuthority,
} from "../domain/eks/certificate-authorities.js";
import type { ClusterRecord, UpdateRecord } from "../domain/model.js";
import { stableHex } from "../domain/stable-hex.js";
import { nextClusterStatus } from "../domain/transitions.js";
import { emit, type ReconcileContext } from "./context.js";

/** The authority that a cluster is born with. To be called in the transaction that puts down where the cluster answers. */
export function recordFirstAuthority(
  { state }: Pick<ReconcileContext, "state">,
  cluster: ClusterRecord,
  certificate: string,
): Pick<ClusterRecord, "activeCertificateAuthority"> {
  const signer = signerOf(state.certificateAuthorities.list(cluster.id));
  if (signer) return { activeCertificateAuthority: { id: signer.id, activatedBy: signer.activatedBy ?? "EKS" } };
  const { accountId, region, createdAtMs } = cluster;
  const id = `ca-${stableHex(`first certificate authority of ${cluster.id}`, 17)}`;
  state.certificateAuthorities.put({
    accountId,
    region,
    clusterId: cluster.id,
    clusterName: cluster.name,
    id,
    createdAtMs,
    createdBy: "EKS",
    activatedAtMs: createdAtMs,
    activatedBy: "EKS",
    signingStatus: "IN_USE",
    distributionStatus: "COMPLETE",
    trustedAtMs: createdAtMs,
    certificate,
  });
  return { activeCertificateAuthority: { id, activatedBy: "EKS" } };
}

/** What becomes of the authority that a plan is about, by its action; undefined: it is gone. */
const DONE: Record<
  AuthorityAction,
  (authority: CertificateAuthorityRecord, nowMs: number) => CertificateAuthorityRecord | undefined
> = {
  append: (authority, nowMs) => ({ ...authority, trustedAtMs: nowMs }),
  activate: (authority, nowMs) => ({ ...authority, signingStatus: "IN_USE", activatedAtMs: nowMs }),
  remove: () => undefined,
};
/** And when the backend cannot do it. */
const FAILED: Record<AuthorityAction, Partial<CertificateAuthorityRecord>> = {
  append: { distributionStatus: "FAILED" },
  activate: { signingStatus: "NOT_USED" },
  remove: { distributionStatus: "COMPLETE" },
};
/** Type of the event, and what it says. */
const EVENTS: Record<AuthorityAction, [string, string]> = {
  append: ["CertificateAuthorityTrusted", "is trusted by"],
  activate: ["CertificateAuthorityActivated", "signs the certificates of"],
  remove: ["CertificateAuthorityRemoved", "is no longer trusted by"],
};

/** Carries the update out in the backend. Repeated after a crash, it leads to the same. */
export async function changeAuthorities(
  context: ReconcileContext,
  cluster: ClusterRecord,
  update: UpdateRecord,
): Promise<{ changes: Partial<ClusterRecord> } | { error: UpdateRecord["errors"][number] }> {
  const { state, clock } = context;
  const { action, authorityId, trusted, signing, by } = update.plan as unknown as AuthorityPlan & { by?: "EKS" };
  const backend = context.backendOf(cluster);
  const authority = state.certificateAuthorities.get(cluster.id, authorityId);
  if (!backend.setAuthorities) {
    if (authority) state.certificateAuthorities.put({ ...authority, ...FAILED[action] });
    const errorMessage = `the backend ${backend.name} cannot change certificate authorities`;
    return { error: { errorCode: "OperationNotPermitted", errorMessage, resourceIds: [authorityId] } };
  }
  const { bundle, certificates } = await backend.setAuthorities(cluster.id, { trusted, signing });
  const activatedBy = by ?? "CUSTOMER";
  state.transaction(() => {
    for (const present of state.certificateAuthorities.list(cluster.id)) {
      const certificate = certificates[present.id];
      const known = { ...present, ...(certificate === undefined ? {} : { certificate }) };
      if (present.id !== authorityId) {
        const gaveWay = action === "activate" && present.signingStatus === "IN_USE";
        state.certificateAuthorities.put(gaveWay ? { ...known, signingStatus: "NOT_USED" } : known);
        continue;
      }
      const done = DONE[action](known, clock.now());
      if (!done) state.certificateAuthorities.remove(cluster.id, authorityId);
      else state.certificateAuthorities.put(action === "activate" ? { ...done, activatedBy } : done);
    }
    const [type, what] = EVENTS[action];
    const message = `Certificate authority ${authorityId} ${what} cluster ${cluster.name}.`;
    emit(context, cluster, { source: "cluster", type, subject: authorityId, message });
  });
  context.schedule("authorities", cluster.id);
  return {
    changes: {
      certificateAuthorityPem: bundle,
      ...(action === "activate" ? { activeCertificateAuthority: { id: signing, activatedBy } } : {}),
    },
  };
}

/** What time does to authorities: their trust reaches the nodes; EKS appends and activates successors. */
export async function reconcileAuthorities(context: ReconcileContext, clusterId: string): Promise<void> {
  const { state, clock, profile } = context;
  const cluster = state.clusters.byId(clusterId);
  if (!cluster || cluster.status === "DELETING") return;
  const again = (dueMs: number): void => context.schedule("authorities", clusterId, dueMs);
  for (const authority of state.certificateAuthorities.list(clusterId)) {
    const { trustedAtMs, distributionStatus } = authority;
    if (distributionStatus !== "IN_PROGRESS" || trustedAtMs === undefined) continue;
    const dueMs = trustedAtMs + profile.authorityDistributionMs;
    if (clock.now() < dueMs) again(dueMs);
    else distributed(context, cluster, authority);
  }
  const present = state.certificateAuthorities.list(clusterId);
  const signer = signerOf(present);
  if (!signer) return;
  const successor = present.find(isSuccessor);
  const dueMs = expiresAtMs(signer) - (successor ? ROTATION.finalActivationMs : ROTATION.appendMs);
  if (clock.now() < dueMs) return again(dueMs);
  // While something else is being done to the cluster, its end brings this back.
  if (cluster.status !== "ACTIVE" || state.updates.inProgress(clusterId)) return;
  if (successor?.distributionStatus === "COMPLETE") {
    return startByEks(context, cluster, activateAuthority(successor, present, clock.now()));
  }
  if (present.length === 1) {
    const id = `ca-${stableHex(`certificate authority of ${clusterId} of ${clock.now()}`, 17)}`;
    startByEks(context, cluster, appendAuthority(cluster, present, { id, by: "EKS", nowMs: clock.now() }));
  }
}

function distributed(context: ReconcileContext, cluster: ClusterRecord, authority: CertificateAuthorityRecord): void {
  context.state.transaction(() => {
    context.state.certificateAuthorities.put({ ...authority, distributionStatus: "COMPLETE" });
    emit(context, cluster, {
      source: "cluster",
      type: "CertificateAuthorityDistributed",
      subject: authority.id,
      message: `Every component of cluster ${cluster.name} trusts certificate authority ${authority.id}.`,
    });
  });
}

function startByEks(context: ReconcileContext, cluster: ClusterRecord, { authority, update }: AuthorityChange): void {
  const { state, clock } = context;
  const { accountId, region, id: clusterId, name: clusterName } = cluster;
  state.transaction(() => {
    state.certificateAuthorities.put(authority);
    state.updates.put({
      accountId,
      region,
      id: clock.random(`certificate authority update of ${clusterId} at ${clock.now()}`).uuid(),
      clusterName,
      clusterId,
      status: "InProgress",
      ...update,
      plan: { ...update.plan, by: "EKS" },
      createdAtMs: clock.now(),
      errors: [],
    });
    state.clusters.put({ ...cluster, status: nextClusterStatus(cluster.status, "UPDATING") });
  });
  context.schedule("cluster", clusterId);
}
