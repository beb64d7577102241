import { describe, expect, it } from "vitest";
import type { AssociatedPolicy } from "../../src/domain/access-entry.js";
import { ACCESS_POLICIES, type AccessPolicyName, accessPolicyArn } from "../../src/domain/eks/access-policies.js";
import { allowingPolicy } from "../../src/identity/access-policies.js";

const policy = (name: AccessPolicyName, ...namespaces: string[]): AssociatedPolicy => ({
  policyArn: accessPolicyArn("us-east-1", name),
  accessScope: { type: namespaces.length > 0 ? "namespace" : "cluster", namespaces },
  associatedAtMs: 0,
  modifiedAtMs: 0,
});

/** `get apps/deployments/scale in web`, `list nodes`, `get /metrics`. */
function request(text: string) {
  const [verb = "", target = "", , namespace] = text.split(" ");
  if (target.startsWith("/")) return { verb, path: target };
  const parts = target.split("/");
  const group = /^(apps|batch|policy|rbac|authorization|networking)/.test(target) ? (parts.shift() ?? "") : "";
  const [resource = "", subresource] = parts;
  return {
    verb,
    resource: { group, resource, ...(subresource ? { subresource } : {}), ...(namespace ? { namespace } : {}) },
  };
}

const allows = (policies: AssociatedPolicy[], text: string): boolean =>
  allowingPolicy(policies, request(text)) !== undefined;

describe("EKS access policies", () => {
  it.each<[AccessPolicyName, string[], string[]]>([
    [
      "AmazonEKSClusterAdminPolicy",
      ["delete nodes", "escalate rbac.authorization.k8s.io/clusterroles", "get /metrics", "impersonate users"],
      [],
    ],
    [
      "AmazonEKSAdminPolicy",
      [
        "create rbac.authorization.k8s.io/rolebindings in web",
        "create authorization.k8s.io/localsubjectaccessreviews in web",
        "delete secrets in web",
      ],
      ["create rbac.authorization.k8s.io/clusterroles", "list nodes", "delete namespaces in web", "get /metrics"],
    ],
    [
      "AmazonEKSEditPolicy",
      [
        "create apps/deployments in web",
        "patch apps/statefulsets/scale in web",
        "create pods/exec in web",
        "update secrets in web",
        "impersonate serviceaccounts in web",
        "list namespaces",
        "get pods/log in web",
      ],
      [
        "create rbac.authorization.k8s.io/roles in web",
        "update apps/deployments/status in web",
        "delete resourcequotas in web",
        "impersonate users",
      ],
    ],
    [
      "AmazonEKSViewPolicy",
      [
        "get pods in web",
        "watch apps/deployments in web",
        "list policy/poddisruptionbudgets in web",
        "get pods/log in web",
      ],
      ["get secrets in web", "create pods/exec in web", "get pods/exec in web", "create pods in web", "list nodes"],
    ],
    [
      "AmazonEKSAdminViewPolicy",
      ["get secrets in web", "list nodes", "watch rbac.authorization.k8s.io/clusterroles"],
      ["get /metrics", "create pods in web"],
    ],
    ["AmazonEKSSecretReaderPolicy", ["get secrets in web"], ["get pods in web", "create secrets in web"]],
    ["AmazonEKSHybridPolicy", [], ["list nodes"]],
  ])("%s", (name, allowed, refused) => {
    for (const text of allowed) expect([text, allows([policy(name)], text)]).toEqual([text, true]);
    for (const text of refused) expect([text, allows([policy(name)], text)]).toEqual([text, false]);
  });

  it("grant nothing outside the namespaces of their scope, and nothing of the cluster as a whole", () => {
    const scoped = [policy("AmazonEKSClusterAdminPolicy", "web", "team-*-dev")];
    expect(allows(scoped, "delete pods in web")).toBe(true);
    expect(allows(scoped, "delete pods in team-a-dev")).toBe(true);
    for (const text of [
      "delete pods in team-a-prod",
      "delete pods in webshop",
      "list pods",
      "delete nodes",
      "get namespaces in web",
      "get /metrics",
    ]) {
      expect([text, allows(scoped, text)]).toEqual([text, false]);
    }
  });

  it("add up: each is asked in its own scope", () => {
    const both = [policy("AmazonEKSViewPolicy"), policy("AmazonEKSEditPolicy", "web")];
    expect(allows(both, "get pods in shop")).toBe(true);
    expect(allows(both, "delete pods in web")).toBe(true);
    expect(allows(both, "delete pods in shop")).toBe(false);
  });

  it("are listed once each, in alphabetical order", () => {
    expect([...new Set(ACCESS_POLICIES)].sort()).toEqual(ACCESS_POLICIES);
  });

  it.each([
    ["*", "anything", true],
    ["dev-*", "dev-", true],
    ["dev-*", "dev", false],
    ["*-dev", "a-dev", true],
    ["a*b*c", "a-b-b-c", true],
    ["a*b*c", "a-c", false],
    ["ab*ba", "aba", false],
  ])("take %s for %s: %s", (pattern, namespace, expected) => {
    expect(allows([policy("AmazonEKSViewPolicy", pattern)], `get pods in ${namespace}`)).toBe(expected);
  });
});
