import { describe, expect, it } from "vitest";
import { type PolicyDocument, readPolicy, type Statement } from "../../../src/identity/policy/document.js";
import { evaluate, type PolicyRequest } from "../../../src/identity/policy/evaluate.js";
import { fillVariables, matches } from "../../../src/identity/policy/matching.js";

const ALICE = {
  kind: "AWS",
  arn: "arn:aws:iam::111122223333:user/alice",
  accountId: "111122223333",
  sourceId: "AIDAALICE",
} as const;
const SESSION = {
  kind: "AWS",
  arn: "arn:aws:sts::111122223333:assumed-role/builder/run-7",
  accountId: "111122223333",
  sourceId: "AROABUILDER",
} as const;

function decide(statements: Statement | Statement[], request: Partial<PolicyRequest> = {}) {
  const document: PolicyDocument = { Statement: Array.isArray(statements) ? statements : [statements] };
  return evaluate([{ name: "p", document }], {
    principal: ALICE,
    action: "eks:DescribeCluster",
    resource: "arn:aws:eks:eu-west-1:111122223333:cluster/demo",
    context: {},
    ...request,
  });
}
const allowing = (more: Partial<Statement>): Statement => ({ Effect: "Allow", Action: "*", Resource: "*", ...more });

/** `${name}` as it stands in a policy. */
const variable = (name: string): string => `$\{${name}}`;

describe("wildcards", () => {
  it.each([
    ["eks:*", "eks:DescribeCluster", true],
    ["eks:Describe?luster", "eks:DescribeCluster", true],
    ["*Cluster", "eks:DescribeCluster", true],
    ["eks:*Cluster*Config", "eks:UpdateClusterConfig", true],
    ["eks:*Cluster*Configs", "eks:UpdateClusterConfig", false],
    ["", "", true],
    ["?", "", false],
    ["a+b", "aab", false],
  ])("%j over %j: %s", (pattern, text, expected) => expect(matches(pattern, text)).toBe(expected));

  it("take no longer for patterns made to be slow", () => {
    expect(matches("*a".repeat(2000), "a".repeat(20_000).concat("b"))).toBe(false);
  });

  it("are not made by values of variables, nor by escapes", () => {
    const context = { "aws:username": "a*" };
    expect(matches(fillVariables(`home/${variable("aws:username")}`, context), "home/abc")).toBe(false);
    expect(matches(fillVariables(`home/${variable("aws:username")}`, context), "home/a*")).toBe(true);
    expect(matches(fillVariables(variable("*"), context), "*")).toBe(true);
    expect(matches(fillVariables(variable("*"), context), "x")).toBe(false);
    expect(fillVariables(variable("aws:PrincipalTag/team, 'none'"), {})).toBe("none");
  });
});

describe("statements", () => {
  it.each<[string, Statement | Statement[], string]>([
    ["deny without an Allow", [], "implicit-deny"],
    ["fit actions in any case", allowing({ Action: ["EKS:describe*"] }), "allow"],
    ["leave out NotAction", allowing({ NotAction: "eks:*", Action: undefined as never }), "implicit-deny"],
    ["fit resources", allowing({ Resource: "arn:aws:eks:*:111122223333:cluster/d*" }), "allow"],
    ["do not fit other resources", allowing({ Resource: "arn:aws:eks:*:111122223333:nodegroup/*" }), "implicit-deny"],
    ["fit what NotResource leaves", allowing({ Resource: undefined as never, NotResource: "arn:aws:s3:::*" }), "allow"],
    ["that deny go before those that allow", [allowing({}), { ...allowing({}), Effect: "Deny" }], "explicit-deny"],
  ])("%s", (_, statements, decision) => expect(decide(statements).decision).toBe(decision));
});

describe("principals of trust policies", () => {
  const trusting = (Principal: Statement["Principal"]): Statement => ({ Effect: "Allow", Action: "sts:*", Principal });
  const ask = (Principal: Statement["Principal"], principal: PolicyRequest["principal"] = ALICE) =>
    decide(trusting(Principal), { principal, action: "sts:AssumeRole" });

  it("name users, roles by their sessions, sessions, accounts and everybody", () => {
    expect(ask({ AWS: ALICE.arn })).toEqual({ decision: "allow", policy: "p", statement: "0" });
    expect(ask({ AWS: "arn:aws:iam::111122223333:role/builder" }, SESSION).decision).toBe("allow");
    expect(ask({ AWS: "arn:aws:iam::111122223333:role/ci/builder" }, SESSION).decision).toBe("allow");
    expect(ask({ AWS: SESSION.arn }, SESSION).decision).toBe("allow");
    expect(ask({ AWS: "AROABUILDER" }, SESSION).decision).toBe("allow");
    expect(ask("*").decision).toBe("allow");
    for (const AWS of ["111122223333", "arn:aws:iam::111122223333:root"])
      expect(ask({ AWS })).toMatchObject({ decision: "allow", throughAccount: true });
  });

  it("keep others out", () => {
    expect(ask({ AWS: "arn:aws:iam::111122223333:user/bob" }).decision).toBe("implicit-deny");
    expect(ask({ AWS: "444455556666" }).decision).toBe("implicit-deny");
    expect(ask({ AWS: "arn:aws:sts::111122223333:assumed-role/builder/run-8" }, SESSION).decision).toBe(
      "implicit-deny",
    );
    expect(ask({ Service: "ec2.amazonaws.com" }).decision).toBe("implicit-deny");
    expect(ask({ Service: "ec2.amazonaws.com" }, { kind: "Service", id: "pods.eks.amazonaws.com" }).decision).toBe(
      "implicit-deny",
    );
  });
});

describe("conditions", () => {
  const context = {
    "aws:sourceip": "10.0.1.7",
    "sts:externalid": "secret-7",
    "aws:epochtime": "1700000000",
    "aws:currenttime": "2026-11-22T09:00:00Z",
    "aws:tagkeys": ["team", "stage"],
    "aws:securetransport": "true",
    "aws:sourcearn": "arn:aws:eks:eu-west-1:111122223333:cluster/demo",
    n: "5",
  };
  it.each<[Record<string, Record<string, string | string[]>>, boolean]>([
    [{ StringEquals: { "sts:ExternalId": "secret-7" } }, true],
    [{ StringEquals: { "sts:ExternalId": "SECRET-7" } }, false],
    [{ StringEqualsIgnoreCase: { "sts:ExternalId": ["x", "SECRET-7"] } }, true],
    [{ StringNotEquals: { "sts:ExternalId": ["x", "secret-7"] } }, false],
    [{ StringNotEquals: { "not:there": "x" } }, true],
    [{ StringEquals: { "not:there": "x" } }, false],
    [{ StringEqualsIfExists: { "not:there": "x" } }, true],
    [{ StringLike: { "sts:ExternalId": "secret-*" } }, true],
    [{ StringNotLike: { "sts:ExternalId": "secret-*" } }, false],
    [{ ArnLike: { "aws:SourceArn": "arn:aws:eks:*:111122223333:cluster/*" } }, true],
    [{ ArnLike: { "aws:SourceArn": "arn:aws:eks:*:cluster/*" } }, false],
    [{ IpAddress: { "aws:SourceIp": ["192.168.0.0/16", "10.0.0.0/8"] } }, true],
    [{ NotIpAddress: { "aws:SourceIp": "10.0.0.0/8" } }, false],
    [{ NumericLessThan: { n: "6" } }, true],
    [{ NumericGreaterThanEquals: { n: "6" } }, false],
    [{ DateGreaterThan: { "aws:CurrentTime": "2026-01-01T00:00:00Z" } }, true],
    [{ DateLessThan: { "aws:EpochTime": "1600000000" } }, false],
    [{ Bool: { "aws:SecureTransport": "true" } }, true],
    [{ Null: { "not:there": "true" } }, true],
    [{ Null: { "sts:ExternalId": "true" } }, false],
    [{ "ForAllValues:StringEquals": { "aws:TagKeys": ["team", "stage", "x"] } }, true],
    [{ "ForAllValues:StringEquals": { "aws:TagKeys": ["team"] } }, false],
    [{ "ForAllValues:StringEquals": { "not:there": ["team"] } }, true],
    [{ "ForAnyValue:StringEquals": { "aws:TagKeys": ["stage"] } }, true],
    [{ "ForAnyValue:StringEquals": { "not:there": ["stage"] } }, false],
    [{ NoSuchOperator: { n: "5" } }, false],
    [{ StringEquals: { n: "5" }, StringLike: { n: "6" } }, false],
  ])("%j: %s", (Condition, holds) =>
    expect(decide(allowing({ Condition }), { context }).decision).toBe(holds ? "allow" : "implicit-deny"),
  );
});

describe("documents", () => {
  const trust = (statement: object) =>
    readPolicy(JSON.stringify({ Version: "2012-10-17", Statement: [statement] }), "trust");
  it.each([
    ["{", "This policy contains invalid Json"],
    ["[]", "Syntax errors in policy."],
    ['{"Version":"2013-01-01","Statement":[]}', "The policy is not in the valid JSON format."],
    ['{"Statement":{"Effect":"Allow","Action":"s3:*"}}', "Policy statement must contain resources."],
    [
      '{"Statement":{"Effect":"Allow","Action":"nope","Resource":"*"}}',
      "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ],
    [
      '{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Principal":"*"}}',
      "Policy document should not specify a principal.",
    ],
  ])("%j is refused", (text, error) => expect(readPolicy(text, "identity")).toEqual({ error }));

  it("of trust name principals that can be", () => {
    const base = { Effect: "Allow", Action: "sts:AssumeRole" };
    expect(trust(base)).toEqual({ error: "Missing required field Principal" });
    expect(trust({ ...base, Principal: "*", Resource: "*" })).toEqual({ error: "Has prohibited field Resource" });
    expect(trust({ ...base, Principal: { AWS: "bob" } })).toEqual({
      error: 'Invalid principal in policy: "AWS":"bob"',
    });
    expect(trust({ ...base, Principal: { Service: "pods.eks.amazonaws.com" } })).toHaveProperty("document");
  });
});
