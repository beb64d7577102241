/** Capabilities. What they do in the cluster is the software's that EKS runs outside of it; it acts there under the capability's role. */
import type { CapabilityRecord } from "../../domain/capability.js";
import { checkPassRole } from "../../domain/eks/arns.js";
import { entryOfCapability, hasAccessEntries } from "../../domain/eks/automatic-entries.js";
import {
  checkCapabilityName,
  newCapability,
  noCapabilityFound,
  planCapabilityUpdate,
} from "../../domain/eks/capability-rules.js";
import { checkActive, checkUsable } from "../../domain/eks/refusals.js";
import { DomainError } from "../../domain/errors.js";
import type { ClusterRecord } from "../../domain/model.js";
import { grantAutomatically } from "./access-entries.js";
import { clusterResourceWorkKey, type EksOperations, type OperationContext, scheduleWork } from "./context.js";
import { resourceUuid } from "./identifiers.js";
import { findCluster } from "./lookup.js";
import { pageOf } from "./paging.js";
import { checkPassedRole } from "./passed-roles.js";
import { startCapabilityUpdate } from "./start-update.js";
import { capabilitySummaryView, capabilityView } from "./views/capabilities.js";

/** Who assumes the roles of capabilities. */
const CAPABILITIES_SERVICE = "capabilities.eks.amazonaws.com";

function findCapability(
  context: OperationContext,
  clusterName: string,
  name: string,
): { cluster: ClusterRecord; capability: CapabilityRecord } {
  const cluster = findCluster(context, clusterName);
  const capability = context.state.capabilities.get(cluster.id, name);
  if (!capability) throw noCapabilityFound(clusterName, name);
  return { cluster, capability };
}

const isBusy = ({ name, status, clusterName }: CapabilityRecord, what: string): DomainError =>
  new DomainError(
    "ResourceInUseException",
    `Capability ${name} cannot be ${what} as it is currently in ${status} state`,
    { clusterName },
  );

export const capabilities = {
  CreateCapability(input, context) {
    const { state, scope, clock } = context;
    const { clusterName, capabilityName, roleArn, type } = input;
    checkCapabilityName(capabilityName);
    checkPassRole(roleArn, scope.accountId);
    const cluster = findCluster(context, clusterName);
    checkActive(cluster);
    // The capability reaches the cluster by an access entry for its role.
    if (!hasAccessEntries(cluster)) {
      throw new DomainError(
        "InvalidRequestException",
        "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
        { clusterName },
      );
    }
    const capability = newCapability(input, {
      cluster,
      present: state.capabilities.list(cluster.id),
      uuid: resourceUuid(context, "capability", clusterName, capabilityName),
      nowMs: clock.now(),
    });
    checkPassedRole(context, roleArn, CAPABILITIES_SERVICE);
    state.capabilities.put(capability);
    grantAutomatically(context, cluster, [entryOfCapability(roleArn, type)]);
    scheduleWork(context, "capability", clusterResourceWorkKey(capability));
    return { capability: capabilityView(capability) };
  },

  DescribeCapability(input, context) {
    return { capability: capabilityView(findCapability(context, input.clusterName, input.capabilityName).capability) };
  },

  ListCapabilities(input, context) {
    const { state } = context;
    const cluster = findCluster(context, input.clusterName);
    const { keys, nextToken } = pageOf(context, ["ListCapabilities", cluster.id], input, (page) =>
      state.capabilities.names(cluster.id, page),
    );
    const listed = keys.flatMap((name) => state.capabilities.get(cluster.id, name) ?? []);
    return { capabilities: listed.map(capabilitySummaryView), nextToken };
  },

  UpdateCapability(input, context) {
    const { cluster, capability } = findCapability(context, input.clusterName, input.capabilityName);
    const { roleArn } = input;
    if (roleArn !== undefined) checkPassRole(roleArn, context.scope.accountId);
    checkUsable(cluster);
    if (capability.status !== "ACTIVE" && capability.status !== "DEGRADED") throw isBusy(capability, "updated");
    const { changes, params } = planCapabilityUpdate(capability, input);
    if (roleArn !== undefined) checkPassedRole(context, roleArn, CAPABILITIES_SERVICE);
    if (roleArn !== undefined) grantAutomatically(context, cluster, [entryOfCapability(roleArn, capability.type)]);
    return {
      update: startCapabilityUpdate(context, cluster, capability, {
        type: "CapabilityUpdate",
        params,
        plan: { ...changes },
      }),
    };
  },

  DeleteCapability(input, context) {
    const { state, clock } = context;
    const { capability } = findCapability(context, input.clusterName, input.capabilityName);
    // Asked again, it answers what it answered the first time.
    if (capability.status === "DELETING") return { capability: capabilityView(capability) };
    if (capability.status === "CREATING" || capability.status === "UPDATING") throw isBusy(capability, "deleted");
    const deleting = { ...capability, status: "DELETING" as const, modifiedAtMs: clock.now() };
    state.capabilities.put(deleting);
    scheduleWork(context, "capability", clusterResourceWorkKey(capability));
    return { capability: capabilityView(deleting) };
  },
} satisfies Partial<EksOperations>;
