import { describe, expect, it } from "vitest";
import { instanceMetadata, type MetadataSubject } from "../../src/domain/instance-metadata.js";

const subject: MetadataSubject = {
  accountId: "111122223333",
  instanceId: "i-0123456789abcdef0",
  name: "ip-10-0-1-23.ec2.internal",
  zone: "us-east-1b",
  zoneId: "use1-az2",
  region: "us-east-1",
  privateIp: "10.0.1.23",
  instanceType: "m7g.large",
  amiType: "AL2023_ARM_64_STANDARD",
  amiId: "ami-0123456789abcdef0",
  labels: { "eks.amazonaws.com/capacityType": "SPOT" },
};
const at = (path: string, over: Partial<MetadataSubject> = {}) => instanceMetadata({ ...subject, ...over }, path);

describe("instance metadata", () => {
  it.each([
    ["/latest/meta-data/instance-id", "i-0123456789abcdef0"],
    ["/latest/meta-data/placement/availability-zone", "us-east-1b"],
    ["/latest/meta-data/placement/region/", "us-east-1"],
    ["/2021-03-23/meta-data/local-ipv4", "10.0.1.23"],
    ["/latest/meta-data/instance-life-cycle", "spot"],
    ["/latest/meta-data/mac", "02:00:0a:00:01:17"],
    ["/latest/meta-data/services/partition", "aws"],
  ])("has %s", (path, text) => {
    expect(at(path)).toBe(text);
  });

  it("lists categories as EC2 does: names, with a slash where there is more", () => {
    expect(at("/latest")).toBe("meta-data/\ndynamic/");
    expect(at("/latest/meta-data/placement/")).toBe("availability-zone\navailability-zone-id\nregion");
    expect(at("/latest/meta-data")?.split("\n")).toEqual(expect.arrayContaining(["ami-id", "placement/", "services/"]));
  });

  it("has the identity document that AWS SDKs read the region from", () => {
    expect(JSON.parse(at("/latest/dynamic/instance-identity/document") ?? "")).toMatchObject({
      accountId: "111122223333",
      architecture: "arm64",
      availabilityZone: "us-east-1b",
      instanceId: "i-0123456789abcdef0",
      region: "us-east-1",
    });
  });

  it.each([
    "/",
    "/latest/meta-data/nothing",
    "/latest/meta-data/instance",
    "/elsewhere/meta-data",
    "/latest/meta-data/instance-id/x",
  ])("has nothing at %s", (path) => {
    expect(at(path)).toBeUndefined();
  });

  it("knows the partitions of China and the government", () => {
    expect(at("/latest/meta-data/services/partition", { region: "cn-north-1" })).toBe("aws-cn");
    expect(at("/latest/meta-data/services/domain", { region: "cn-north-1" })).toBe("amazonaws.com.cn");
    expect(at("/latest/meta-data/services/partition", { region: "us-gov-west-1" })).toBe("aws-us-gov");
  });
});
