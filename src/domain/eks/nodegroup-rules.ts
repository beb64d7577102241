/** What CreateNodegroup makes of a request: EKS's rules and the defaults of what was not said. */
import { amiType, defaultAmiType, instanceType, minorOf } from "../catalogue/index.js";
import type { ClusterRecord, NodegroupRecord, NodegroupTaint, ScalingConfig } from "../model.js";
import { nodegroupArn } from "./arns.js";
import { checkLabels, checkTaints } from "./node-labels.js";
import {
  checkNodeRepair,
  initialScaling,
  type NodeRepair,
  type UpdateBehaviour,
  updateBehaviour,
  type WarmPool,
  warmPool,
} from "./nodegroup-settings.js";
import { checkNodegroupVersion, chooseRelease } from "./nodegroup-versions.js";
import { invalidParameter } from "./refusals.js";
import { addTags } from "./tags.js";

export interface LaunchTemplate {
  id?: string;
  name?: string;
  version?: string;
}

export interface NewNodegroup {
  nodegroupName: string;
  subnets: string[];
  nodeRole: string;
  scalingConfig?: Partial<ScalingConfig>;
  diskSize?: number;
  instanceTypes?: string[];
  amiType?: string;
  remoteAccess?: { ec2SshKey?: string; sourceSecurityGroups?: string[] };
  labels?: Record<string, string>;
  taints?: { key?: string; value?: string; effect?: string }[];
  tags?: Record<string, string>;
  clientRequestToken?: string;
  launchTemplate?: LaunchTemplate;
  updateConfig?: UpdateBehaviour;
  nodeRepairConfig?: NodeRepair;
  warmPoolConfig?: WarmPool;
  capacityType?: string;
  version?: string;
  releaseVersion?: string;
}

const DEFAULT_DISK_GIB = { linux: 20, windows: 50 };
const DEFAULT_INSTANCE_TYPES = ["t3.medium"];
const MAX_INSTANCE_TYPES = 20;
/** Newest minor version that AMIs of Amazon Linux 2 exist for. */
const LAST_AL2_MINOR = 32;

/** Names' form. EKS answers this before it looks for the cluster. */
export function checkNodegroupName(name: string): void {
  if (!/^[0-9A-Za-z][A-Za-z0-9\-_]*$/.test(name)) {
    throw invalidParameter("The nodegroup name parameter contains invalid characters");
  }
  if (name.length > 63) throw invalidParameter("nodeGroupName can't be longer than 63 characters!");
}

/** The row of a new node group, CREATING. `uuid` ends its ARN. Throws InvalidParameterException for what EKS would not make. */
export function newNodegroup(
  request: NewNodegroup,
  facts: { cluster: ClusterRecord; uuid: string; nowMs: number },
): NodegroupRecord {
  const { cluster, uuid, nowMs } = facts;
  const { launchTemplate, labels = {} } = request;
  const { accountId, region } = cluster;
  if (request.subnets.length === 0) throw invalidParameter("At least one subnet must be specified");
  if (launchTemplate) checkLaunchTemplate(request, launchTemplate);
  const image = chooseImage(request, cluster);
  const capacityType = request.capacityType ?? "ON_DEMAND";
  const taints = taintsOf(request.taints);
  checkLabels(labels);
  checkTaints(taints);
  if (request.nodeRepairConfig) checkNodeRepair(request.nodeRepairConfig);
  if (request.remoteAccess && !request.remoteAccess.ec2SshKey) {
    throw invalidParameter("ec2SshKey in remote-access can't be empty");
  }
  return {
    accountId,
    region,
    clusterName: cluster.name,
    clusterId: cluster.id,
    name: request.nodegroupName,
    arn: nodegroupArn(cluster, cluster.name, request.nodegroupName, uuid),
    uuid,
    createdAtMs: nowMs,
    modifiedAtMs: nowMs,
    status: "CREATING",
    ...image,
    capacityType,
    scalingConfig: initialScaling(request.scalingConfig),
    subnets: request.subnets,
    nodeRole: request.nodeRole,
    ...(launchTemplate
      ? { launchTemplate: { ...launchTemplate, version: launchTemplate.version ?? "1" } }
      : { diskSize: request.diskSize ?? DEFAULT_DISK_GIB[amiType(image.amiType)?.os ?? "linux"] }),
    labels,
    taints,
    ...(request.remoteAccess ? { remoteAccess: request.remoteAccess } : {}),
    updateConfig: updateBehaviour(request.updateConfig),
    nodeRepairConfig: { enabled: false, ...request.nodeRepairConfig },
    ...(request.warmPoolConfig
      ? { warmPoolConfig: { ...warmPool(request.warmPoolConfig, { capacityType, amiType: image.amiType }) } }
      : {}),
    healthIssues: [],
    tags: addTags({}, request.tags ?? {}, "InvalidParameterException"),
    ...(request.clientRequestToken ? { clientRequestToken: request.clientRequestToken } : {}),
  };
}

/** A taint needs a key and an effect although the model marks neither as required. */
export function taintsOf(taints: readonly { key?: string; value?: string; effect?: string }[] = []): NodegroupTaint[] {
  return taints.map(({ key, value, effect }) => {
    if (!key) throw invalidParameter("invalid taint spec: the key of a taint must be specified");
    if (!effect) throw invalidParameter("invalid taint spec: the effect of a taint must be specified");
    return { key, ...(value === undefined ? {} : { value }), effect };
  });
}

/** A launch template is named by id or by name, and takes over what it can say itself. */
function checkLaunchTemplate(request: NewNodegroup, { id, name }: LaunchTemplate): void {
  if (id && name) throw invalidParameter("Either provide launch template ID or launch template name in the request.");
  if (!id && !name) {
    throw invalidParameter("Either a launch template ID or a launch template name must be specified in the request.");
  }
  if (request.diskSize !== undefined) throw invalidParameter("Disk size must be specified within the launch template.");
  if (request.remoteAccess) {
    throw invalidParameter("Remote access configuration cannot be specified with a launch template.");
  }
}

/** What the nodes are made of: versions, AMI type and instance types, which have to go together. */
function chooseImage(
  request: NewNodegroup,
  cluster: ClusterRecord,
): Pick<NodegroupRecord, "version" | "releaseVersion" | "amiType" | "instanceTypes"> {
  const amiTypeName = request.amiType ?? defaultAmiType(request.version ?? cluster.version);
  if (amiTypeName === "CUSTOM") {
    if (!request.launchTemplate)
      throw invalidParameter("Launch template details can't be null for Custom ami type node group");
    if (request.version !== undefined) {
      throw invalidParameter("You cannot specify the field kubernetesVersion when using custom AMIs");
    }
    if (request.releaseVersion !== undefined) {
      throw invalidParameter("You cannot specify the field releaseVersion when using custom AMIs");
    }
  }
  const version = request.version ?? cluster.version;
  checkNodegroupVersion(version, cluster.version);
  if (amiTypeName.startsWith("AL2_") && minorOf(version) > LAST_AL2_MINOR) {
    throw invalidParameter(
      `AMI Type ${amiTypeName} is only supported for kubernetes versions 1.${LAST_AL2_MINOR} or earlier`,
    );
  }
  const instanceTypes = request.instanceTypes?.length ? request.instanceTypes : DEFAULT_INSTANCE_TYPES;
  checkInstanceTypes(instanceTypes, amiTypeName);
  const { id, name, version: templateVersion } = request.launchTemplate ?? {};
  return {
    version,
    releaseVersion: chooseRelease({
      version,
      amiType: amiTypeName,
      asked: request.releaseVersion,
      launchTemplate: `${id ?? name} ${templateVersion ?? "1"}`,
    }),
    amiType: amiTypeName,
    instanceTypes,
  };
}

function checkInstanceTypes(names: readonly string[], amiTypeName: string): void {
  if (names.length > MAX_INSTANCE_TYPES) {
    throw invalidParameter(`At most ${MAX_INSTANCE_TYPES} instance types can be specified`);
  }
  const unknown = names.filter((name) => !instanceType(name));
  if (unknown.length > 0) {
    throw invalidParameter(`The following supplied instance types do not exist: [${unknown.join(", ")}]`);
  }
  const arch = amiType(amiTypeName)?.arch;
  const unfit = arch === undefined ? [] : names.filter((name) => instanceType(name)?.arch !== arch);
  if (unfit.length > 0) {
    throw invalidParameter(`[${unfit.join(", ")}] is not a valid instance type for requested amiType ${amiTypeName}`);
  }
}
