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

/** `get apps/deployments/scale in web named shop`, `list nodes`, `get /metrics`. */
function request(text: string) {
  const [, verb = "", target = "", namespace, name] = /^(\S+) (\S+?)(?: in (\S+))?(?: named (\S+))?$/.exec(text) ?? [];
  if (target.startsWith("/")) return { verb, path: target };
  const parts = target.split("/");
  const group = /^(apps|batch|policy)\/|^[^/]+\.[^/]+\//.test(target) ? (parts.shift() ?? "") : "";
  const [resource = "", subresource] = parts;
  return {
    verb,
    resource: {
      group,
      resource,
      ...(subresource ? { subresource } : {}),
      ...(namespace ? { namespace } : {}),
      ...(name ? { name } : {}),
    },
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
        "get apps/deployments/rollback in web",
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
    [
      "AmazonEKSSecretAdminPolicy",
      ["delete secrets in web", "deletecollection secrets in web"],
      ["get configmaps in web"],
    ],
    ["AmazonEKSHybridPolicy", ["list nodes"], ["get nodes", "list pods"]],
    [
      "AmazonEKSClusterInsightsPolicy",
      ["list nodes", "get nodes/status", "get apps/daemonsets in kube-system named kube-proxy"],
      [
        "get apps/daemonsets in kube-system named aws-node",
        "get apps/daemonsets in kube-system",
        "list apps/daemonsets in kube-system",
        "watch nodes",
      ],
    ],
    [
      "AmazonEKSAutoNodePolicy",
      ["impersonate users named eks-auto:kube-proxy", "list services", "patch nodes/status", "create events in web"],
      ["impersonate users", "impersonate users named eks-auto:other", "delete nodes", "get secrets in web"],
    ],
    [
      "AmazonEKSBlockStoragePolicy",
      [
        "create coordination.k8s.io/leases in kube-system",
        "update coordination.k8s.io/leases in kube-system named ebs-csi-eks-amazonaws-com",
      ],
      ["update coordination.k8s.io/leases in kube-system named other", "get coordination.k8s.io/leases in kube-system"],
    ],
    [
      "AmazonEKSBlockStorageClusterPolicy",
      [
        "create storage.k8s.io/csidrivers",
        "delete persistentvolumes",
        "patch persistentvolumeclaims/status in web",
        "patch storage.k8s.io/volumeattachments/status",
        "delete snapshot.storage.k8s.io/volumesnapshots in web",
      ],
      ["create storage.k8s.io/storageclasses", "delete persistentvolumeclaims in web", "delete pods in web"],
    ],
    [
      "AmazonEKSComputePolicy",
      ["create coordination.k8s.io/leases in kube-system", "watch coordination.k8s.io/leases"],
      ["list coordination.k8s.io/leases", "delete coordination.k8s.io/leases in kube-system"],
    ],
    [
      "AmazonEKSComputeClusterPolicy",
      [
        "delete karpenter.sh/nodeclaims",
        "create eks.amazonaws.com/nodeclasses",
        "create pods/eviction in web",
        "delete nodes",
        "create apiextensions.k8s.io/customresourcedefinitions",
        "delete apiextensions.k8s.io/customresourcedefinitions named nodepools.karpenter.sh",
      ],
      [
        "delete apiextensions.k8s.io/customresourcedefinitions named other.example.com",
        "create pods in web",
        "get secrets in web",
      ],
    ],
    [
      "AmazonEKSLoadBalancingClusterPolicy",
      [
        "patch services/status in web",
        "update networking.k8s.io/ingresses in web",
        "list networking.k8s.io/ingressclasses",
        "update admissionregistration.k8s.io/mutatingwebhookconfigurations named eks-load-balancing-webhook",
      ],
      [
        "create networking.k8s.io/ingressclasses",
        "update admissionregistration.k8s.io/mutatingwebhookconfigurations named mine",
        "create pods in web",
      ],
    ],
    [
      "AmazonEKSNetworkingClusterPolicy",
      ["delete eks.amazonaws.com/cninodes", "list apiextensions.k8s.io/customresourcedefinitions", "watch pods"],
      ["delete apiextensions.k8s.io/customresourcedefinitions named nodepools.karpenter.sh", "list nodes"],
    ],
    [
      "AmazonEKSACKPolicy",
      ["update s3.services.k8s.aws/buckets/status in web", "get services.k8s.aws/adoptedresources in web"],
      ["get secrets in web", "get services.k8s.aws.example.com/buckets in web"],
    ],
    ["AmazonEKSKROPolicy", ["create kro.run/webapps in web", "delete kro.run/resourcegraphdefinitions"], ["get pods"]],
    [
      "AmazonEKSArgoCDPolicy",
      ["create argoproj.io/applications in argocd", "get secrets in argocd"],
      ["get pods in argocd"],
    ],
    ["AmazonEKSArgoCDClusterPolicy", ["create namespaces"], ["get secrets in argocd"]],
    [
      "AmazonARCRegionSwitchScalingPolicy",
      ["patch apps/deployments/scale in web", "get apps/statefulsets in web", "update example.com/things/scale in web"],
      ["delete apps/deployments in web", "patch apps/deployments in web"],
    ],
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
