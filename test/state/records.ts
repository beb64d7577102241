/** Records with plausible values for tests that only care for a few of their members. */
import type { ClusterRecord, FaultRecord, InstanceRecord, NodegroupRecord } from "../../src/domain/model.js";

export const SCOPE = { accountId: "000000000000", region: "us-east-1" };

export function aCluster(name: string, changes: Partial<ClusterRecord> = {}): ClusterRecord {
  return {
    ...SCOPE,
    name,
    arn: `arn:aws:eks:us-east-1:000000000000:cluster/${name}`,
    id: `ID-${name}`,
    createdAtMs: 0,
    status: "CREATING",
    version: "1.36",
    platformVersion: "eks.8",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    creatorArn: "arn:aws:iam::000000000000:user/test",
    vpcConfig: {
      subnetIds: ["subnet-a", "subnet-b", "subnet-c"],
      securityGroupIds: [],
      clusterSecurityGroupId: "sg-1",
      vpcId: "vpc-1",
      endpointPublicAccess: true,
      endpointPrivateAccess: false,
      publicAccessCidrs: ["0.0.0.0/0"],
    },
    networkConfig: { serviceIpv4Cidr: "10.100.0.0/16", ipFamily: "ipv4" },
    loggingEnabled: [],
    accessConfig: { authenticationMode: "CONFIG_MAP", bootstrapClusterCreatorAdminPermissions: true },
    upgradePolicy: { supportType: "EXTENDED" },
    deletionProtection: false,
    bootstrapSelfManagedAddons: true,
    port: 0,
    healthIssues: [],
    tags: {},
    backend: "embedded",
    ...changes,
  };
}

export function aNodegroup(
  cluster: ClusterRecord,
  name: string,
  changes: Partial<NodegroupRecord> = {},
): NodegroupRecord {
  return {
    ...SCOPE,
    clusterName: cluster.name,
    clusterId: cluster.id,
    name,
    arn: `arn:aws:eks:us-east-1:000000000000:nodegroup/${cluster.name}/${name}/uuid`,
    uuid: "52c9102a-ff44-c5cc-a5db-cb7148ff6893",
    createdAtMs: 0,
    modifiedAtMs: 0,
    status: "CREATING",
    version: "1.36",
    releaseVersion: "1.36.2-20260714",
    capacityType: "ON_DEMAND",
    scalingConfig: { minSize: 3, maxSize: 9, desiredSize: 6 },
    instanceTypes: ["t3.medium"],
    subnets: ["subnet-a", "subnet-b", "subnet-c"],
    amiType: "AL2023_x86_64_STANDARD",
    nodeRole: "arn:aws:iam::000000000000:role/node",
    diskSize: 20,
    labels: {},
    taints: [],
    updateConfig: { maxUnavailable: 1 },
    healthIssues: [],
    tags: {},
    ...changes,
  };
}

export function anInstance(
  cluster: ClusterRecord,
  instanceId: string,
  changes: Partial<InstanceRecord> = {},
): InstanceRecord {
  return {
    ...SCOPE,
    instanceId,
    clusterName: cluster.name,
    clusterId: cluster.id,
    nodegroupName: "workers",
    zone: "us-east-1a",
    subnetId: "subnet-a",
    instanceType: "t3.medium",
    privateIp: "10.0.0.10",
    privateDnsName: "ip-10-0-0-10.ec2.internal",
    amiId: "ami-1",
    version: "1.36",
    releaseVersion: "1.36.2-20260714",
    lifecycle: "InService",
    state: "running",
    statusCheck: "ok",
    launchedAtMs: 0,
    nodeReady: true,
    ...changes,
  };
}

export function aFault(id: string, changes: Partial<FaultRecord> = {}): FaultRecord {
  return {
    ...SCOPE,
    id,
    kind: "zone-power-loss",
    phase: "active",
    zone: "us-east-1a",
    target: { zone: "us-east-1a" },
    targets: { zone: "us-east-1a", newcomers: true },
    requestedAtMs: 0,
    startedAtMs: 0,
    parameters: {},
    seed: 1,
    undo: { clusters: {} },
    ...changes,
  };
}
