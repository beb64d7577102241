import { CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkPassedRole } from "../../../src/api/eks/passed-roles.js";
import { createDirectory, type Directory } from "../../../src/identity/directory.js";
import { type Rig, startRig } from "../gateway-rig.js";

const ARN = "arn:aws:iam::000000000000:role/";
let rig: Rig;
let iam: IAMClient;
let directory: Directory;
beforeAll(async () => {
  rig = await startRig({ strict: true });
  iam = new IAMClient({
    endpoint: rig.url,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  directory = createDirectory({
    iam: rig.state.iam,
    strict: true,
    credentials: new Map(),
    clock: rig.clock,
    randomBytes: (count) => Buffer.alloc(count),
  });
  await iam.send(
    new CreateRoleCommand({
      RoleName: "cluster",
      AssumeRolePolicyDocument: JSON.stringify({
        Statement: [{ Effect: "Allow", Principal: { Service: "eks.amazonaws.com" }, Action: "sts:AssumeRole" }],
      }),
    }),
  );
});
afterAll(async () => {
  iam.destroy();
  await rig.close();
});

describe("roles that are passed to EKS", () => {
  const check = (name: string, service?: string, strict = true) =>
    checkPassedRole({ config: { strict }, directory }, ARN + name, service);

  it("are there and trust the service, where the emulator is strict", () => {
    expect(() => check("cluster", "eks.amazonaws.com")).not.toThrow();
    expect(() => check("cluster")).not.toThrow();
    const refused = (name: string): string =>
      `Role with arn: ${ARN}${name}, could not be assumed because it does not exist or the trusted entity is not correct`;
    expect(() => check("cluster", "ec2.amazonaws.com")).toThrow(refused("cluster"));
    expect(() => check("nobody", "eks.amazonaws.com")).toThrow(refused("nobody"));
  });

  it("are whatever they are called, where it is lenient", () => {
    expect(() => check("nobody", "eks.amazonaws.com", false)).not.toThrow();
  });
});
