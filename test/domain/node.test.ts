import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instanceTypes } from "../../src/domain/catalogue/index.js";
import {
  kubernetesTaints,
  machineLabels,
  maxPods,
  nodeInfo,
  nodeResources,
  podCidr,
  privateDnsName,
  privateIp,
  providerId,
  reservedCpuMillis,
} from "../../src/domain/node.js";

describe("a managed node", () => {
  it("is named as EC2 names it in its region", () => {
    expect(privateDnsName("us-east-1", "10.0.1.106")).toBe("ip-10-0-1-106.ec2.internal");
    expect(privateDnsName("ca-central-1", "10.0.0.25")).toBe("ip-10-0-0-25.ca-central-1.compute.internal");
    expect(providerId("us-east-1a", "i-1")).toBe("aws:///us-east-1a/i-1");
  });

  it("offers what the EKS AMI leaves of its instance type", () => {
    const { capacity, allocatable } = nodeResources("m5.large", 20);
    expect(capacity).toMatchObject({ cpu: "2", pods: "29", memory: "7759462Ki", "ephemeral-storage": "20959212Ki" });
    // 8 GiB less 7.5 %, less 255 MiB + 11 MiB for each of 29 pods, less 100 MiB; storage as seen on real nodes.
    expect(allocatable).toMatchObject({ cpu: "1930m", pods: "29", "ephemeral-storage": "18242267924" });
    expect(allocatable.memory).toBe(`${7759462 - (255 + 11 * 29 + 100) * 1024}Ki`);
  });

  it.each([
    [1, 60],
    [2, 70],
    [4, 80],
    [8, 90],
    [96, 310],
  ])("with %i cores keeps %i thousandths of a core to itself", (cores, millis) => {
    expect(reservedCpuMillis(cores)).toBe(millis);
  });

  it("of any known type offers something, and no more than it has", () => {
    for (const type of instanceTypes()) {
      const { capacity, allocatable } = nodeResources(type.name, 20);
      expect(Number.parseInt(allocatable.cpu ?? "", 10)).toBeLessThan(type.vcpu * 1000);
      expect(Number.parseInt(allocatable.memory ?? "", 10)).toBeLessThan(Number.parseInt(capacity.memory ?? "", 10));
      expect(maxPods(type)).toBeGreaterThanOrEqual(4);
    }
  });

  it("says which software it runs", () => {
    const info = nodeInfo({
      instanceId: "i-1",
      amiType: "BOTTLEROCKET_x86_64_NVIDIA",
      instanceType: "g5.xlarge",
      version: "1.36",
      releaseVersion: "1.36.1-20260610",
    });
    expect(info).toMatchObject({
      osImage: "Bottlerocket OS 1.55.0 (aws-k8s-1.36-nvidia)",
      kubeletVersion: "v1.36.1-eks-0de9cde",
      architecture: "amd64",
    });
    expect(info.systemUUID).toMatch(/^ec2[0-9a-f]{5}-[0-9a-f]{4}-/);
  });

  it("carries the labels of the cloud controller and taints in Kubernetes' spelling", () => {
    const labels = machineLabels({
      name: "n",
      region: "us-east-1",
      zone: "us-east-1a",
      zoneId: "use1-az1",
      instanceType: "t4g.medium",
      amiType: "AL2023_ARM_64_STANDARD",
      clusterName: "demo",
    });
    expect(labels).toMatchObject({
      "kubernetes.io/arch": "arm64",
      "topology.kubernetes.io/zone": "us-east-1a",
      "topology.k8s.aws/zone-id": "use1-az1",
    });
    expect(kubernetesTaints([{ key: "a", value: "", effect: "NO_EXECUTE" }])).toEqual([
      { key: "a", effect: "NoExecute" },
    ]);
  });

  it("has an address in its zone's subnet and a pod range of its own", () => {
    fc.assert(
      fc.property(fc.nat(3), fc.nat(4090), fc.nat(3), fc.nat(4090), (zone, host, otherZone, otherHost) => {
        const [ip, other] = [privateIp(zone, host), privateIp(otherZone, otherHost)];
        expect(ip).toMatch(/^10\.0\.\d{1,2}\.\d{1,3}$/);
        expect(podCidr(ip)).toMatch(/^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.\d{1,3}\.0\/24$/);
        expect(podCidr(ip) === podCidr(other)).toBe(ip === other);
      }),
    );
  });
});
