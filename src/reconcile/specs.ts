/** Records -> what a backend is told. */
import type { ClusterSpec, EndpointAccess, MemberSpec, NodeSpec } from "../backends/backend.js";
import { AUTO_MODE_DISK_GIB } from "../domain/auto-mode/requirements.js";
import { findZone, region } from "../domain/catalogue/index.js";
import type { ClusterRecord, InstanceRecord, MemberRecord, NodegroupRecord } from "../domain/model.js";
import { masterAddress } from "../domain/network-interface.js";
import { kubernetesTaints, machineLabels, nodegroupLabels } from "../domain/node.js";

/** Root volume of nodes whose group names no size, GiB. */
const DEFAULT_DISK_GIB = 20;

export function clusterSpec(cluster: ClusterRecord, members: readonly MemberRecord[]): ClusterSpec {
  const { serviceIpv4Cidr, serviceIpv6Cidr } = cluster.networkConfig;
  return {
    clusterId: cluster.id,
    name: cluster.name,
    accountId: cluster.accountId,
    region: cluster.region,
    version: cluster.version,
    serviceCidr: serviceIpv4Cidr ?? serviceIpv6Cidr ?? "10.100.0.0/16",
    port: cluster.port,
    members: members.map((member) => memberSpec(cluster, member)),
    oidcIssuer: `https://oidc.eks.${cluster.region}.${region(cluster.region)?.dnsSuffix ?? "amazonaws.com"}/id/${cluster.id}`,
    bootstrapSelfManagedAddons: cluster.bootstrapSelfManagedAddons,
    endpointAccess: endpointAccess(cluster),
  };
}

/** What a backend is told of a master. */
export function memberSpec(
  cluster: ClusterRecord,
  { id, zone, networkInterface }: Pick<MemberRecord, "id" | "zone" | "networkInterface">,
): MemberSpec {
  return { id, zone, ...(networkInterface ? { address: masterAddress(cluster, networkInterface) } : {}) };
}

export function endpointAccess({ vpcConfig }: ClusterRecord): EndpointAccess {
  const { endpointPublicAccess, endpointPrivateAccess, publicAccessCidrs } = vpcConfig;
  return { endpointPublicAccess, endpointPrivateAccess, publicAccessCidrs };
}

/** What an instance joins as; undefined when its node group is gone. */
export function instanceSpec(instance: InstanceRecord, group: NodegroupRecord | undefined): NodeSpec | undefined {
  if (instance.nodePool) return machine(instance, instance.nodePool, AUTO_MODE_DISK_GIB);
  return group && nodeSpec(instance, group);
}

export function nodeSpec(instance: InstanceRecord, group: NodegroupRecord): NodeSpec {
  return machine(
    instance,
    {
      amiType: group.amiType,
      labels: nodegroupLabels(group, instance.amiId),
      taints: kubernetesTaints(group.taints),
    },
    group.diskSize ?? DEFAULT_DISK_GIB,
  );
}

function machine(
  instance: InstanceRecord,
  { amiType, labels, taints }: Pick<NodeSpec, "amiType" | "labels" | "taints">,
  diskSizeGiB: number,
): NodeSpec {
  const { clusterName, region: regionName, zone, instanceType } = instance;
  const zoneId = findZone(regionName, zone)?.id ?? zone;
  const name = instance.privateDnsName;
  return {
    instanceId: instance.instanceId,
    name,
    zone,
    zoneId,
    region: regionName,
    privateIp: instance.privateIp,
    instanceType,
    version: instance.version,
    releaseVersion: instance.releaseVersion,
    amiType,
    amiId: instance.amiId,
    diskSizeGiB,
    labels: {
      ...labels,
      ...machineLabels({ name, region: regionName, zone, zoneId, instanceType, amiType, clusterName }),
    },
    taints,
  };
}
