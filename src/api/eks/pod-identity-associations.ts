/** Pod identity associations: which role the pods of a service account get credentials of. They change at once. */
import {
  changedPodIdentity,
  checkNewPodIdentity,
  checkNotOwned,
  MAX_POD_IDENTITY_ASSOCIATIONS,
  type NewPodIdentityAssociation,
  newPodIdentity,
} from "../../domain/eks/pod-identity-rules.js";
import { checkUsable } from "../../domain/eks/refusals.js";
import { DomainError } from "../../domain/errors.js";
import type { ClusterRecord } from "../../domain/model.js";
import type { PodIdentityAssociationRecord } from "../../domain/pod-identity-association.js";
import type { EksOperations, OperationContext } from "./context.js";
import { podIdentityAssociationId } from "./identifiers.js";
import { findCluster } from "./lookup.js";
import { pageFrom, pageOf } from "./paging.js";
import { checkPassedRole } from "./passed-roles.js";
import { podIdentitySummary, podIdentityView } from "./views/access.js";

function findAssociation(
  context: OperationContext,
  { clusterName, associationId }: { clusterName: string; associationId: string },
): { cluster: ClusterRecord; association: PodIdentityAssociationRecord } {
  const cluster = findCluster(context, clusterName);
  const association = context.state.podIdentityAssociations.get(cluster.id, associationId);
  if (association) return { cluster, association };
  throw new DomainError(
    "ResourceNotFoundException",
    `No pod identity association found with ID: ${associationId} in cluster: ${clusterName}`,
    { clusterName },
  );
}

/**
 * Makes an association; `ownerArn` is the add-on that it is made for. Throws ResourceInUseException when the service account has one already. What
 * `checkNewPodIdentity` says is to be asked before.
 */
export function createPodIdentity(
  context: OperationContext,
  cluster: ClusterRecord,
  request: NewPodIdentityAssociation,
  ownerArn?: string,
): PodIdentityAssociationRecord {
  const { state, clock } = context;
  const { namespace, serviceAccount } = request;
  const present = state.podIdentityAssociations.list(cluster.id);
  const same = present.find((other) => other.namespace === namespace && other.serviceAccount === serviceAccount);
  if (same) {
    throw new DomainError("ResourceInUseException", `Association already exists: ${same.id}`, {
      clusterName: cluster.name,
    });
  }
  if (present.length >= MAX_POD_IDENTITY_ASSOCIATIONS) {
    throw new DomainError(
      "ResourceLimitExceededException",
      `Pod identity association limit exceeded: a cluster can have ${MAX_POD_IDENTITY_ASSOCIATIONS} associations`,
      { clusterName: cluster.name },
    );
  }
  const association = newPodIdentity(cluster, request, {
    id: podIdentityAssociationId(context, cluster.id, namespace, serviceAccount),
    nowMs: clock.now(),
    ...(ownerArn === undefined ? {} : { ownerArn }),
  });
  state.podIdentityAssociations.put(association);
  return association;
}

export const podIdentityAssociations = {
  CreatePodIdentityAssociation(input, context) {
    checkNewPodIdentity(input, context.scope.accountId);
    const cluster = findCluster(context, input.clusterName);
    checkUsable(cluster);
    const association = createPodIdentity(context, cluster, input);
    checkPassedRole(context, input.roleArn, "pods.eks.amazonaws.com");
    return { association: podIdentityView(association) };
  },

  DescribePodIdentityAssociation(input, context) {
    return { association: podIdentityView(findAssociation(context, input).association) };
  },

  ListPodIdentityAssociations(input, context) {
    const { namespace, serviceAccount } = input;
    const cluster = findCluster(context, input.clusterName);
    const listed = context.state.podIdentityAssociations
      .list(cluster.id)
      .filter(
        (association) =>
          (namespace === undefined || association.namespace === namespace) &&
          (serviceAccount === undefined || association.serviceAccount === serviceAccount),
      );
    const list = ["ListPodIdentityAssociations", cluster.id, namespace, serviceAccount];
    const { keys, nextToken } = pageOf(context, list, input, (page) =>
      pageFrom(
        listed.map(({ id }) => id),
        page,
      ),
    );
    const shown = listed.filter(({ id }) => keys.includes(id));
    return { associations: shown.map(podIdentitySummary), nextToken };
  },

  UpdatePodIdentityAssociation(input, context) {
    const { cluster, association } = findAssociation(context, input);
    checkNotOwned(association);
    const changed = changedPodIdentity(cluster, association, input, context.clock.now());
    context.state.podIdentityAssociations.put(changed);
    return { association: podIdentityView(changed) };
  },

  DeletePodIdentityAssociation(input, context) {
    const { cluster, association } = findAssociation(context, input);
    checkNotOwned(association);
    context.state.podIdentityAssociations.remove(cluster.id, association.id);
    return { association: podIdentityView(association) };
  },
} satisfies Partial<EksOperations>;
