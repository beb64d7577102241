import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { explanationText } from "../../src/cli/explain-access.js";
import type { AccessExplanation } from "../../src/domain/access-explanation.js";
import { createEksToken } from "../../src/identity/sigv4-signer.js";
import { type Eksim, startEksim } from "../../src/testkit/index.js";

const userArn = (name: string) => `arn:aws:iam::000000000000:user/${name}`;
const ROLE = "arn:aws:iam::000000000000:role/team/Deployer";

let eksim: Eksim;

beforeAll(async () => {
  eksim = await startEksim({ seed: 1 });
  for (const [name, authenticationMode] of [
    ["demo", "API_AND_CONFIG_MAP"],
    ["api", "API"],
    ["map", "CONFIG_MAP"],
  ]) {
    await eksim.eks("POST", "/clusters", {
      name,
      roleArn: "arn:aws:iam::000000000000:role/eks",
      resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
      accessConfig: { authenticationMode },
    });
  }
  await eksim.advance("1s");
  await eksim.eks("POST", "/clusters/demo/access-entries", { principalArn: ROLE, kubernetesGroups: ["deployers"] });
  for (const [policy, accessScope] of [
    ["AmazonEKSEditPolicy", { type: "namespace", namespaces: ["web", "team-*"] }],
    ["AmazonEMRJobPolicy", { type: "cluster" }],
  ]) {
    await eksim.eks("POST", `/clusters/demo/access-entries/${encodeURIComponent(ROLE)}/access-policies`, {
      policyArn: `arn:aws:eks::aws:cluster-access-policy/${policy}`,
      accessScope,
    });
  }
  await eksim.kubernetes("demo", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
    metadata: { name: "deployers" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "deployers" }],
  });
  await eksim.kubernetes("demo", "POST", "/api/v1/namespaces/kube-system/configmaps", {
    metadata: { name: "aws-auth" },
    data: { mapUsers: `- userarn: ${userArn("mapped")}\n  username: corp:mapped\n  groups: [deployers]\n` },
  });
});
afterAll(() => eksim.stop());

async function explain(principal: string, more: Record<string, string> = {}): Promise<AccessExplanation> {
  const query = new URLSearchParams({ cluster: "demo", principal, ...more });
  const response = await fetch(`${eksim.endpoint}/_eksim/explain-access?${query}`);
  const body = (await response.json()) as AccessExplanation & { message?: string };
  if (!response.ok) throw new Error(body.message);
  return body;
}

const outcomes = (steps: { what: string; outcome: string }[] = []) =>
  steps.map(({ what, outcome }) => `${what}: ${outcome}`);

describe("The explanation of who a principal is in a cluster", () => {
  it("names the access entry, with its policies", async () => {
    const { authentication, entry, decision } = await explain(ROLE);
    expect(authentication).toMatchObject({
      outcome: "authenticated",
      by: "access-entry",
      username: "arn:aws:sts::000000000000:assumed-role/Deployer/{{SessionName}}",
      groups: ["deployers"],
    });
    expect(outcomes(authentication.steps)).toEqual(["IAM: yes", "access entry: yes", "aws-auth: skipped"]);
    expect(entry).toMatchObject({
      principalArn: ROLE,
      dead: false,
      policies: [
        { name: "AmazonEKSEditPolicy", scope: "namespace", namespaces: ["web", "team-*"] },
        { name: "AmazonEMRJobPolicy", scope: "cluster" },
      ],
    });
    expect(decision).toBeUndefined();
  });

  it("takes a session for its role, and names the user by it", async () => {
    const { authentication } = await explain("arn:aws:sts::000000000000:assumed-role/Deployer/ann@example.com");
    expect(authentication.username).toBe("arn:aws:sts::000000000000:assumed-role/Deployer/ann-example.com");
  });

  it("names aws-auth, and says when nothing maps somebody", async () => {
    expect((await explain(userArn("mapped"))).authentication).toMatchObject({
      by: "aws-auth",
      username: "corp:mapped",
    });
    const { authentication } = await explain(userArn("stranger"));
    expect(authentication).toMatchObject({
      outcome: "refused",
      why: "ARN is not mapped: arn:aws:iam::000000000000:user/stranger",
    });
    expect(outcomes(authentication.steps)).toEqual(["IAM: yes", "access entry: no", "aws-auth: no"]);
  });

  it.each([
    ["api", ["IAM: yes", "access entry: yes", "aws-auth: skipped"]],
    ["map", ["IAM: yes", "access entry: skipped", "cluster creator: yes", "aws-auth: skipped"]],
  ])("asks only what the mode of cluster %s knows", async (cluster, expected) => {
    expect(outcomes((await explain(userArn("test"), { cluster })).authentication.steps)).toEqual(expected);
  });

  it.each([
    ["arn:aws:s3:::bucket", {}, "no ARN of an IAM user"],
    [ROLE, { verb: "get" }, "either a resource"],
    [ROLE, { resource: "pods" }, "verb is missing"],
    [ROLE, { verb: "get", resource: "unicorns" }, "no resource unicorns"],
    [ROLE, { cluster: "other" }, "No cluster found for name: other."],
  ])("is refused for %s %o", async (principal, more, message) => {
    await expect(explain(principal, more)).rejects.toThrow(message);
  });
});

describe("The explanation of what a principal may do", () => {
  it.each<[string, Record<string, string>, boolean, RegExp, string[]]>([
    [
      "the policy that allows it",
      { verb: "create", resource: "deploy", namespace: "team-a" },
      true,
      /^EKS Access Policy: allowed by RoleBinding ".*role\/team\/Deployer\+arn:aws:eks::aws:cluster-access-policy\/AmazonEKSEditPolicy\/team-a" of ClusterRole .* to User "AROA\w{17}"$/,
      ["access policy AmazonEKSEditPolicy: yes", "access policy AmazonEMRJobPolicy: no", "RBAC: skipped"],
    ],
    [
      "the binding that allows it",
      { verb: "list", resource: "pods", namespace: "kube-system" },
      true,
      /^RBAC: allowed by ClusterRoleBinding "deployers" of ClusterRole "view" to Group "deployers"$/,
      ["access policy AmazonEKSEditPolicy: no", "access policy AmazonEMRJobPolicy: no", "RBAC: yes"],
    ],
    [
      "that nothing allows it",
      { verb: "delete", resource: "nodes", name: "n1" },
      false,
      /^neither an access policy nor RBAC allows it$/,
      ["access policy AmazonEKSEditPolicy: no", "access policy AmazonEMRJobPolicy: no", "RBAC: no"],
    ],
    [
      "subresources apart",
      { verb: "create", resource: "pods/exec", namespace: "web" },
      true,
      /AmazonEKSEditPolicy/,
      ["access policy AmazonEKSEditPolicy: yes", "access policy AmazonEMRJobPolicy: no", "RBAC: skipped"],
    ],
    [
      "paths",
      { verb: "get", path: "/version" },
      true,
      /system:(discovery|public-info-viewer)/,
      ["access policy AmazonEKSEditPolicy: no", "access policy AmazonEMRJobPolicy: no", "RBAC: yes"],
    ],
  ])("names %s", async (_, question, allowed, reason, steps) => {
    const { decision } = await explain(ROLE, question);
    expect(decision?.allowed).toBe(allowed);
    expect(decision?.reason).toMatch(reason);
    expect(outcomes(decision?.steps)).toEqual(steps);
  });

  it("says no more than the API server, which gives the same reason", async () => {
    const asked = { verb: "delete", resource: "nodes" };
    const { decision } = await explain(userArn("test"), asked);
    const review = await eksim.kubernetes<{ status: { reason: string } }>(
      "demo",
      "POST",
      "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
      {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes: asked },
      },
    );
    expect(review.status.reason).toBe(decision?.reason);
    expect(review.status.reason).toContain("AmazonEKSClusterAdminPolicy");
  });

  it("can be read", async () => {
    const text = explanationText(await explain(ROLE, { verb: "create", resource: "deploy", namespace: "web" }));
    expect(text).toContain(`${ROLE} in cluster demo (authentication mode API_AND_CONFIG_MAP)`);
    expect(text).toContain("May create deployments.apps in namespace web: EKS Access Policy: allowed by");
    expect(text).toContain("- access policy AmazonEMRJobPolicy: what it allows is known to AWS alone");
  });
});

describe("Tokens that a cluster has refused", () => {
  it("are explained, the last one first, and never shown", async () => {
    await expect(eksim.as("stranger").kubernetes("demo", "GET", "/version")).rejects.toMatchObject({ status: 401 });
    const credentials = { accessKeyId: "late", secretAccessKey: "secret" };
    const token = createEksToken({ clusterName: "demo", region: "us-east-1", credentials, nowMs: 0 });
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token } };
    await eksim.kubernetes("demo", "POST", "/apis/authentication.k8s.io/v1/tokenreviews", review);
    const { refusedTokens } = await explain(ROLE);
    expect(refusedTokens).toMatchObject([
      { why: expect.stringContaining("X-Amz-Date parameter is expired (15 minute expiration) 1970-01-01 00:00:00") },
      { why: "ARN is not mapped: arn:aws:iam::000000000000:user/stranger", principalArn: userArn("stranger") },
    ]);
    expect(JSON.stringify(refusedTokens)).not.toContain(token.slice(11, 60));
  });
});
