/** What CreateCapability and UpdateCapability make of a request. Source: the SDK's documentation of these operations; wordings of refusals are our own. */
import type {
  AckConfiguration,
  ArgoCdConfiguration,
  CapabilityConfiguration,
  CapabilityRecord,
  CapabilityType,
  RoleMapping,
} from "../capability.js";
import { region } from "../catalogue/index.js";
import { DomainError } from "../errors.js";
import type { ClusterRecord } from "../model.js";
import { stableHex } from "../stable-hex.js";
import { capabilityArn, parseArn, partitionOf } from "./arns.js";
import { updateParams } from "./cluster-updates.js";
import { invalidParameter, noChangesNeeded } from "./refusals.js";
import { addTags } from "./tags.js";

interface ArgoCdRequest {
  namespace?: string;
  awsIdc: { idcInstanceArn: string; idcRegion?: string };
  rbacRoleMappings?: RoleMapping[];
  networkAccess?: { vpceIds?: string[] };
  endpointPrefix?: string;
}

interface AckRequest {
  enableCrossNamespace?: boolean;
  disabledServices?: string[];
}

export interface NewCapability {
  capabilityName: string;
  type: CapabilityType;
  roleArn: string;
  deletePropagationPolicy: "RETAIN";
  configuration?: { argoCd?: ArgoCdRequest; ack?: AckRequest };
  tags?: Record<string, string>;
}

export interface CapabilityChange {
  roleArn?: string;
  configuration?: {
    argoCd?: {
      rbacRoleMappings?: { addOrUpdateRoleMappings?: RoleMapping[]; removeRoleMappings?: RoleMapping[] };
      networkAccess?: { vpceIds?: string[] };
    };
    ack?: AckRequest;
  };
  deletePropagationPolicy?: "RETAIN";
}

/** Member of `configuration` that belongs to a type; kro has none. */
const CONFIGURATION_OF: Readonly<Record<CapabilityType, "argoCd" | "ack" | undefined>> = {
  ACK: "ack",
  ARGOCD: "argoCd",
  KRO: undefined,
};

/** Software that EKS runs at the time of this catalogue. */
const VERSIONS: Readonly<Record<CapabilityType, string>> = {
  ACK: "1.0.0",
  ARGOCD: "3.1.8-eks-1",
  KRO: "0.7.1-eks-1",
};

const DEFAULT_NAMESPACE = "argocd";
const NAME = /^[0-9A-Za-z][A-Za-z0-9\-_]{0,99}$/;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const VPC_ENDPOINT = /^vpce-[0-9a-zA-Z]+$/;

export const noCapabilityFound = (clusterName: string, name: string): DomainError =>
  new DomainError("ResourceNotFoundException", `No capability found for name: ${name}.`, { clusterName });

/** Names' form, which is judged before the cluster is looked for. */
export function checkCapabilityName(name: string): void {
  if (!NAME.test(name)) throw invalidParameter("The capability name parameter contains invalid characters");
}

/** `present` = the cluster's capabilities: there is one of each type at the most. */
export function newCapability(
  input: NewCapability,
  {
    cluster,
    present,
    uuid,
    nowMs,
  }: { cluster: ClusterRecord; present: readonly CapabilityRecord[]; uuid: string; nowMs: number },
): CapabilityRecord {
  const { capabilityName: name, type, roleArn, configuration = {} } = input;
  const { name: clusterName, accountId, region: regionName } = cluster;
  const taken = present.find((other) => other.name === name) ?? present.find((other) => other.type === type);
  if (taken) {
    const message =
      taken.name === name
        ? `Capability already exists with name ${name} and cluster name ${clusterName}`
        : `Capability of type ${type} already exists in cluster ${clusterName}: ${taken.name}`;
    throw new DomainError("ResourceInUseException", message, { clusterName });
  }
  checkMembers(type, configuration);
  return {
    accountId,
    region: regionName,
    clusterName,
    clusterId: cluster.id,
    name,
    arn: capabilityArn(cluster, clusterName, type, name, uuid),
    type,
    roleArn,
    status: "CREATING",
    version: VERSIONS[type],
    configuration: initialConfiguration(cluster, type, uuid, configuration),
    deletePropagationPolicy: input.deletePropagationPolicy,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    healthIssues: [],
    tags: addTags({}, input.tags ?? {}, "InvalidParameterException"),
  };
}

function checkMembers(type: CapabilityType, configuration: object): void {
  const own = CONFIGURATION_OF[type];
  const foreign = Object.keys(configuration).find((member) => member !== own);
  if (foreign) throw invalidParameter(`configuration.${foreign} cannot be specified for a capability of type ${type}`);
}

function initialConfiguration(
  cluster: ClusterRecord,
  type: CapabilityType,
  uuid: string,
  { argoCd, ack }: NonNullable<NewCapability["configuration"]>,
): CapabilityConfiguration {
  if (type === "ACK") return { ack: { enableCrossNamespace: false, ...ack } };
  if (type === "KRO") return {};
  if (!argoCd) throw invalidParameter("configuration.argoCd is required for a capability of type ARGOCD");
  return { argoCd: initialArgoCd(cluster, uuid, argoCd) };
}

function initialArgoCd(cluster: ClusterRecord, uuid: string, request: ArgoCdRequest): ArgoCdConfiguration {
  const { namespace = DEFAULT_NAMESPACE, awsIdc, rbacRoleMappings, networkAccess, endpointPrefix } = request;
  if (!DNS_LABEL.test(namespace)) {
    throw invalidParameter("Provided namespace value is not a valid RFC 1123 DNS label");
  }
  const instance = parseArn(awsIdc.idcInstanceArn);
  if (instance?.service !== "sso" || !instance.resource.startsWith("instance/")) {
    throw invalidParameter(`Invalid IAM Identity Center instance ARN: '${awsIdc.idcInstanceArn}'`);
  }
  if (endpointPrefix !== undefined && !DNS_LABEL.test(endpointPrefix)) {
    throw invalidParameter("The endpointPrefix parameter contains invalid characters");
  }
  if (networkAccess) checkNetworkAccess(networkAccess);
  checkMappings(rbacRoleMappings ?? []);
  const instanceId = instance.resource.slice("instance/".length);
  const unique = stableHex(uuid, 16);
  const suffix = region(cluster.region)?.dnsSuffix ?? "amazonaws.com";
  const host = endpointPrefix === undefined ? unique : `${endpointPrefix}-${unique.slice(0, 8)}`;
  return {
    namespace,
    awsIdc: {
      ...awsIdc,
      idcManagedApplicationArn: `arn:${partitionOf(cluster)}:sso::${cluster.accountId}:application/${instanceId}/apl-${unique}`,
    },
    ...(rbacRoleMappings ? { rbacRoleMappings } : {}),
    ...(networkAccess ? { networkAccess } : {}),
    serverUrl: `https://${host}.eks-capabilities.${cluster.region}.${suffix}`,
    ...(endpointPrefix === undefined ? {} : { endpointPrefix }),
  };
}

function checkNetworkAccess({ vpceIds = [] }: { vpceIds?: string[] }): void {
  const bad = vpceIds.find((id) => !VPC_ENDPOINT.test(id));
  if (bad !== undefined) throw invalidParameter(`Invalid VPC endpoint ID: '${bad}'`);
}

function checkMappings(mappings: readonly RoleMapping[]): void {
  const roles = mappings.map(({ role }) => role);
  const twice = roles.find((role, index) => roles.indexOf(role) !== index);
  if (twice) throw invalidParameter(`The role ${twice} is mapped more than once`);
  if (mappings.some(({ identities }) => identities.length === 0)) {
    throw invalidParameter("A role mapping must have at least one identity");
  }
}

export interface CapabilityPlan {
  /** The new values. */
  changes: Pick<CapabilityRecord, "roleArn" | "configuration">;
  params: { type: string; value: string }[];
}

/** Throws InvalidParameterException when nothing would change. The update shows what was asked for; values that are no texts as JSON. */
export function planCapabilityUpdate(capability: CapabilityRecord, change: CapabilityChange): CapabilityPlan {
  const { configuration: asked = {} } = change;
  checkMembers(capability.type, asked);
  const changes: CapabilityPlan["changes"] = {
    roleArn: change.roleArn ?? capability.roleArn,
    configuration: {
      ...(capability.configuration.argoCd
        ? { argoCd: changedArgoCd(capability.configuration.argoCd, asked.argoCd) }
        : {}),
      ...(capability.configuration.ack ? { ack: changedAck(capability.configuration.ack, asked.ack) } : {}),
    },
  };
  const { roleArn, configuration } = capability;
  if (JSON.stringify(changes) === JSON.stringify({ roleArn, configuration })) throw noChangesNeeded("capability");
  const { rbacRoleMappings, networkAccess } = asked.argoCd ?? {};
  const params = updateParams({
    RoleArn: change.roleArn,
    RoleMappingsToAddOrUpdate: rbacRoleMappings?.addOrUpdateRoleMappings,
    RoleMappingsToRemove: rbacRoleMappings?.removeRoleMappings,
    NetworkAccess: networkAccess,
    EnableCrossNamespace: asked.ack?.enableCrossNamespace,
    DisabledServices: asked.ack?.disabledServices,
  });
  return { changes, params };
}

function changedAck(
  present: AckConfiguration,
  { enableCrossNamespace, disabledServices }: AckRequest = {},
): AckConfiguration {
  return {
    ...present,
    ...(enableCrossNamespace === undefined ? {} : { enableCrossNamespace }),
    ...(disabledServices === undefined ? {} : { disabledServices }),
  };
}

function changedArgoCd(
  present: ArgoCdConfiguration,
  change: NonNullable<CapabilityChange["configuration"]>["argoCd"] = {},
): ArgoCdConfiguration {
  const { rbacRoleMappings: asked, networkAccess } = change;
  if (networkAccess) checkNetworkAccess(networkAccess);
  const rbacRoleMappings = asked ? changedMappings(present.rbacRoleMappings ?? [], asked) : present.rbacRoleMappings;
  return {
    ...present,
    ...(rbacRoleMappings ? { rbacRoleMappings } : {}),
    ...(networkAccess ? { networkAccess } : {}),
  };
}

/** A role that is mapped already gets the new identities in place of the old; removing takes identities from a role, and the role with its last one. */
function changedMappings(
  present: readonly RoleMapping[],
  {
    addOrUpdateRoleMappings = [],
    removeRoleMappings = [],
  }: { addOrUpdateRoleMappings?: RoleMapping[]; removeRoleMappings?: RoleMapping[] },
): RoleMapping[] {
  checkMappings(addOrUpdateRoleMappings);
  const byRole = new Map(present.map((mapping) => [mapping.role, mapping]));
  for (const { role, identities } of removeRoleMappings) {
    const kept = (byRole.get(role)?.identities ?? []).filter(
      ({ id, type }) => !identities.some((removed) => removed.id === id && removed.type === type),
    );
    if (kept.length > 0) byRole.set(role, { role, identities: kept });
    else byRole.delete(role);
  }
  for (const mapping of addOrUpdateRoleMappings) byRole.set(mapping.role, mapping);
  return [...byRole.values()];
}
