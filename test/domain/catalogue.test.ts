import { describe, expect, it } from "vitest";
import {
  amiType,
  amiTypes,
  clusterVersion,
  clusterVersions,
  dayMs,
  defaultAmiType,
  defaultVersion,
  findZone,
  instanceType,
  isOffered,
  kubeletVersion,
  latestReleaseVersion,
  region,
  regions,
  releaseVersions,
  serverGitVersion,
  supportStatus,
  zonesOf,
} from "../../src/domain/catalogue/index.js";

describe("the catalogue", () => {
  it("knows one default version, and no version twice", () => {
    expect(
      clusterVersions()
        .filter(({ isDefault }) => isDefault)
        .map(({ version }) => version),
    ).toEqual([defaultVersion()]);
    expect(new Set(clusterVersions().map(({ version }) => version)).size).toBe(clusterVersions().length);
  });

  it.each([
    ["2025-07-22", "STANDARD_SUPPORT", true],
    ["2025-07-23", "EXTENDED_SUPPORT", true],
    ["2026-07-23", "UNSUPPORTED", true],
    ["2026-12-01", "UNSUPPORTED", false],
  ])("tells the support of 1.30 on %s", (day, status, offered) => {
    const version = clusterVersion("1.30");
    if (!version) throw new Error("1.30 is missing");
    expect(supportStatus(version, dayMs(day))).toBe(status);
    expect(isOffered(version, dayMs(day))).toBe(offered);
  });

  it("names releases in the form of each AMI family", () => {
    expect(latestReleaseVersion("1.36", "AL2023_x86_64_STANDARD")).toBe("1.36.2-20260714");
    expect(latestReleaseVersion("1.36", "BOTTLEROCKET_ARM_64")).toMatch(/^1\.55\.0-[0-9a-f]{8}$/);
    expect(latestReleaseVersion("1.36", "WINDOWS_CORE_2022_x86_64")).toBe("1.36-2026.07.14");
    expect(releaseVersions("1.36", "CUSTOM")).toEqual([]);
    expect(releaseVersions("1.28", "AL2023_x86_64_STANDARD")).toEqual([]);
    expect(releaseVersions("1.35", "AL2023_x86_64_STANDARD")).toHaveLength(8);
  });

  it("gives servers and kubelets the build suffixes seen on EKS", () => {
    expect(serverGitVersion("1.36")).toBe("v1.36.1-eks-0247562");
    expect(kubeletVersion("1.36", "1.36.1-20260610")).toBe("v1.36.1-eks-0de9cde");
    expect(kubeletVersion("1.36", "1.36.2-20260714")).toMatch(/^v1\.36\.2-eks-[0-9a-f]{7}$/);
    expect(kubeletVersion("1.35", "1.55.0-0a1b2c3d")).toMatch(/^v1\.35\.6-eks-/);
  });

  it("knows zones by name and id, and takes a region it has not heard of for one with three zones", () => {
    expect(findZone("us-east-1", "use1-az4")?.name).toBe("us-east-1c");
    expect(findZone("us-east-1", "us-east-1e")?.controlPlane).toBe(false);
    expect(zonesOf("us-gov-west-1").map(({ id }) => id)).toEqual(["usgw1-az1", "usgw1-az2", "usgw1-az3"]);
    expect(region("cn-north-1")).toMatchObject({ partition: "aws-cn", dnsSuffix: "amazonaws.com.cn" });
    expect(region("nowhere")).toBeUndefined();
    for (const { zones } of regions()) expect(new Set(zones.map(({ id }) => id)).size).toBe(zones.length);
  });

  it("knows instance types and AMI types", () => {
    expect(instanceType("t3.medium")).toMatchObject({
      vcpu: 2,
      memoryMiB: 4096,
      arch: "amd64",
      enis: 3,
      ipv4PerEni: 6,
    });
    expect(instanceType("g5.xlarge")?.accelerator).toEqual({ resource: "nvidia.com/gpu", model: "a10g", count: 1 });
    expect(instanceType("t3.gigantic")).toBeUndefined();
    expect(amiTypes()).toHaveLength(23);
    expect(amiType("AL2023_ARM_64_STANDARD")).toMatchObject({
      arch: "arm64",
      kernelVersion: "6.18.33-63.124.amzn2023.aarch64",
    });
    expect(defaultAmiType("1.30")).toBe("AL2023_x86_64_STANDARD");
    expect(defaultAmiType("1.29")).toBe("AL2_x86_64");
  });
});
