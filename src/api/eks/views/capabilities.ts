/** Capabilities as the API shows them. */
import type { CapabilityRecord } from "../../../domain/capability.js";
import type { Capability, CapabilitySummary } from "../../model/generated/operations.js";

export function capabilityView(capability: CapabilityRecord): Capability {
  const { configuration } = capability;
  return {
    capabilityName: capability.name,
    arn: capability.arn,
    clusterName: capability.clusterName,
    type: capability.type,
    roleArn: capability.roleArn,
    status: capability.status,
    version: capability.version,
    // kro has nothing to configure.
    ...(Object.keys(configuration).length > 0 ? { configuration } : {}),
    tags: capability.tags,
    health: { issues: capability.healthIssues },
    createdAt: capability.createdAtMs,
    modifiedAt: capability.modifiedAtMs,
    deletePropagationPolicy: capability.deletePropagationPolicy,
  };
}

export const capabilitySummaryView = (capability: CapabilityRecord): CapabilitySummary => ({
  capabilityName: capability.name,
  arn: capability.arn,
  type: capability.type,
  status: capability.status,
  version: capability.version,
  createdAt: capability.createdAtMs,
  modifiedAt: capability.modifiedAtMs,
});
