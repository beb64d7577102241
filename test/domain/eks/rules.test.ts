import { describe, expect, it } from "vitest";
import { checkPassRole, clusterArn, oidcIssuer, parseArn } from "../../../src/domain/eks/arns.js";
import { applyLogging, loggingSetup } from "../../../src/domain/eks/logging.js";
import { isQualifiedName } from "../../../src/domain/eks/node-labels.js";
import { addTags, removeTags } from "../../../src/domain/eks/tags.js";

describe("ARNs", () => {
  it("carry the partition and domain of their region", () => {
    const scope = { accountId: "111122223333", region: "cn-north-1" };
    expect(clusterArn(scope, "demo")).toBe("arn:aws-cn:eks:cn-north-1:111122223333:cluster/demo");
    expect(oidcIssuer({ region: "cn-north-1", id: "AB" })).toBe("https://oidc.eks.cn-north-1.amazonaws.com.cn/id/AB");
  });

  it("keep colons of the resource", () => {
    expect(parseArn("arn:aws:x:r:1:a:b")?.resource).toBe("a:b");
    expect(parseArn("arn:aws:x")).toBeUndefined();
  });

  it.each(["", "role", "arn:aws:iam::1:role/x", "arn:aws:iam::000000000000:role/", "arn:aws:sts::000000000000:role/x"])(
    "that are not of a role are refused: %j",
    (arn) => {
      expect(() => checkPassRole(arn, "000000000000")).toThrow(`Invalid Role Arn: '${arn}'`);
    },
  );

  it("of roles may have a path", () => {
    expect(() => checkPassRole("arn:aws:iam::000000000000:role/a/b/c", "000000000000")).not.toThrow();
  });
});

describe("logging", () => {
  it("leaves alone what a request does not name", () => {
    const on = applyLogging(["audit"], { clusterLogging: [{ types: ["api"], enabled: true }] });
    expect(on).toEqual(["api", "audit"]);
    expect(applyLogging(on, { clusterLogging: [{ types: ["audit"], enabled: false }] })).toEqual(["api"]);
  });

  it("has no empty entry when all types are on", () => {
    expect(loggingSetup(["api", "audit", "authenticator", "controllerManager", "scheduler"])).toEqual([
      { types: ["api", "audit", "authenticator", "controllerManager", "scheduler"], enabled: true },
    ]);
  });
});

describe("label keys", () => {
  it.each(["a", "a.b-c_d", "example.com/tier", "a/b"])("may be %s", (key) => {
    expect(isQualifiedName(key)).toBe(true);
  });
  it.each(["", "-a", "a-", "a/b/c", "/a", "UPPER.com/a", "a b", "x".repeat(64)])("may not be %j", (key) => {
    expect(isQualifiedName(key)).toBe(false);
  });
});

describe("tags", () => {
  it("of AWS itself do not count to the fifty", () => {
    const own = Object.fromEntries(Array.from({ length: 49 }, (_, index) => [`k${index}`, ""]));
    const present = { "aws:cloudformation:stack-name": "s", ...own };
    expect(Object.keys(addTags(present, { last: "" }, "BadRequestException"))).toHaveLength(51);
    expect(() => addTags(present, { a: "", b: "" }, "BadRequestException")).toThrow("at most 50 tags");
  });

  it("may be of any script", () => {
    expect(addTags({}, { größe: "大 1" }, "BadRequestException")).toEqual({ größe: "大 1" });
    expect(removeTags({ a: "1", b: "2" }, ["a", "c"])).toEqual({ b: "2" });
  });
});
