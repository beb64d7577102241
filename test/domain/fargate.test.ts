import { describe, expect, it } from "vitest";
import {
  capacityText,
  fargateIp,
  fargateNode,
  fargateSize,
  profileFor,
  selectorMatches,
} from "../../src/domain/fargate.js";

const GIB = 1024;

describe("sizes of Fargate", () => {
  it.each([
    [0, 0, "0.25vCPU 0.5GB"],
    [250, 256, "0.25vCPU 0.5GB"],
    [250, 257, "0.25vCPU 1GB"],
    [251, 0, "0.5vCPU 1GB"],
    [250, 2 * GIB, "0.5vCPU 3GB"],
    [1000, 4 * GIB, "1vCPU 5GB"],
    [2000, 10 * GIB, "2vCPU 11GB"],
    [4000, 29.75 * GIB, "4vCPU 30GB"],
    [4000, 30 * GIB, "8vCPU 32GB"],
    [8000, 17 * GIB, "8vCPU 20GB"],
    [8001, 0, "16vCPU 32GB"],
    [16_000, 119.75 * GIB, "16vCPU 120GB"],
  ])("%i m and %i MiB, with what Fargate adds, make %s", (cpuMillis, memoryMiB, text) => {
    expect(capacityText(fargateSize({ cpuMillis, memoryMiB, diskGiB: 0 }) ?? { cpuMillis: 0, memoryMiB: 0 })).toBe(
      text,
    );
  });

  it("have 20 GiB of disk, or what is requested up to 175", () => {
    const diskOf = (diskGiB: number) => fargateSize({ cpuMillis: 0, memoryMiB: 0, diskGiB })?.diskGiB;
    expect([0, 20, 50.5, 175, 176].map(diskOf)).toEqual([20, 20, 51, 175, undefined]);
  });

  it("end at 16 vCPU and 120 GB", () => {
    expect(fargateSize({ cpuMillis: 16_001, memoryMiB: 0, diskGiB: 0 })).toBeUndefined();
    expect(fargateSize({ cpuMillis: 0, memoryMiB: 119.76 * GIB, diskGiB: 0 })).toBeUndefined();
  });
});

describe("selectors of Fargate profiles", () => {
  it.each([
    [{ namespace: "default" }, "default", {}, true],
    [{ namespace: "default" }, "default-2", {}, false],
    [{ namespace: "prod-*" }, "prod-eu", {}, true],
    [{ namespace: "*-prod" }, "eu-prod", {}, true],
    [{ namespace: "team-?" }, "team-a", {}, true],
    [{ namespace: "team-?" }, "team-ab", {}, false],
    [{ namespace: "a.b" }, "axb", {}, false],
    [{ namespace: "d", labels: { app: "web" } }, "d", { app: "web", tier: "x" }, true],
    [{ namespace: "d", labels: { app: "web" } }, "d", { app: "db" }, false],
    [{ namespace: "d", labels: { app: "web", tier: "x" } }, "d", { app: "web" }, false],
    [{ namespace: "d", labels: { "app*": "w?b" } }, "d", { "app.kubernetes.io/name": "wab" }, true],
    [{ namespace: `${"*a".repeat(20)}b` }, "a".repeat(63), {}, false],
    [{ namespace: `${"*a".repeat(20)}*` }, "a".repeat(63), {}, true],
    [{ namespace: "a*b?d" }, "a-b-bcd", {}, true],
  ])("%j on a pod in %s with %j: %s", (selector, namespace, labels, matches) => {
    expect(selectorMatches(selector, namespace, labels as Record<string, string>)).toBe(matches);
  });

  it("a pod that matches several profiles gets the first by name, or the one it names", () => {
    const all = { selectors: [{ namespace: "*" }] };
    const profiles = [
      { name: "b", ...all },
      { name: "a", ...all },
      { name: "c", selectors: [{ namespace: "other" }] },
    ];
    const named = (name: string) => profileFor(profiles, "default", { "eks.amazonaws.com/fargate-profile": name });
    expect(profileFor(profiles, "default")?.name).toBe("a");
    expect(named("b")?.name).toBe("b");
    expect(named("c")).toBeUndefined();
  });
});

describe("machines of Fargate", () => {
  it("are named and labelled as on EKS, and take one pod", () => {
    const node = fargateNode({
      region: "eu-west-1",
      zone: "eu-west-1b",
      token: "1a2b3c4d5e-00000000000000000000000000000000",
      privateIp: "10.0.80.7",
      version: "1.36",
      size: { cpuMillis: 250, memoryMiB: 512, diskGiB: 20 },
    });
    expect(node).toMatchObject({
      name: "fargate-ip-10-0-80-7.eu-west-1.compute.internal",
      providerId:
        "aws:///eu-west-1b/1a2b3c4d5e-00000000000000000000000000000000/fargate-ip-10-0-80-7.eu-west-1.compute.internal",
      labels: {
        "eks.amazonaws.com/compute-type": "fargate",
        "kubernetes.io/hostname": "ip-10-0-80-7.eu-west-1.compute.internal",
        "topology.kubernetes.io/zone": "eu-west-1b",
      },
      taints: [{ key: "eks.amazonaws.com/compute-type", value: "fargate", effect: "NoSchedule" }],
      allocatable: { pods: "1" },
      nodeInfo: { kubeletVersion: expect.stringMatching(/^v1\.36\.\d+-eks-/) },
    });
    expect(node.labels).not.toHaveProperty("node.kubernetes.io/instance-type");
  });

  it("have addresses that no instance has", () => {
    const third = Array.from({ length: 4 * 4091 }, (_, i) => Number(fargateIp(i % 4, i >> 2).split(".")[2]));
    expect(Math.min(...third)).toBe(64);
    expect(Math.max(...third)).toBe(127);
  });
});
