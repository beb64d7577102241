import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";

const userArn = (name: string) => `arn:aws:iam::000000000000:user/${name}`;
const path = (principalArn: string) => `/clusters/demo/access-entries/${encodeURIComponent(principalArn)}`;
const VPC = {
  roleArn: "arn:aws:iam::000000000000:role/eks",
  resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
};
const NODEGROUP = {
  nodegroupName: "workers",
  nodeRole: "arn:aws:iam::000000000000:role/path/node",
  subnets: ["subnet-a", "subnet-b"],
  scalingConfig: { minSize: 1, maxSize: 1, desiredSize: 1 },
};

let eksim: Eksim;
const start = async (accessConfig: object) => {
  eksim = await startEksim({ seed: 1 });
  await eksim.eks("POST", "/clusters", { name: "demo", ...VPC, accessConfig });
  await eksim.advance("1s");
};

interface Review {
  status: { allowed: boolean; reason?: string };
}

/** `kubectl auth can-i` as an IAM user: `get pods -n web`, `list nodes`. */
async function canI(user: string, question: string): Promise<boolean> {
  // Who is not known to the cluster is not even answered.
  return ask(user, question).catch((error: { status?: number }) => {
    if (error.status === 401) return false;
    throw error;
  });
}

async function ask(user: string, question: string): Promise<boolean> {
  const [verb, target = "", , namespace] = question.split(" ");
  const [resource, group = ""] = target.split(".");
  const review = await eksim
    .as(user)
    .kubernetes<Review>("demo", "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { verb, resource, group, ...(namespace ? { namespace } : {}) } },
    });
  return review.status.allowed;
}

interface WhoAmI {
  status: { userInfo: { username: string; groups: string[] } };
}

const whoAmI = async (user: string) => {
  const { status } = await eksim
    .as(user)
    .kubernetes<WhoAmI>("demo", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "SelfSubjectReview",
    });
  return { username: status.userInfo.username, groups: status.userInfo.groups };
};

const createEntry = (user: string, more: object = {}) =>
  eksim.eks("POST", "/clusters/demo/access-entries", { principalArn: userArn(user), ...more });
const associate = (user: string, policy: string, accessScope: object = { type: "cluster" }) =>
  eksim.eks("POST", `${path(userArn(user))}/access-policies`, {
    policyArn: `arn:aws:eks::aws:cluster-access-policy/${policy}`,
    accessScope,
  });

const awsAuth = async () =>
  eksim
    .kubernetes<{ data: Record<string, string> }>("demo", "GET", "/api/v1/namespaces/kube-system/configmaps/aws-auth")
    .then(({ data }) => data.mapRoles ?? "");

describe("a cluster with access entries", () => {
  beforeAll(() => start({ authenticationMode: "API" }));
  afterAll(() => eksim.stop());

  it("lets its creator do everything, by the policy of its entry", async () => {
    expect(await whoAmI("test")).toEqual({ username: userArn("test"), groups: ["system:authenticated"] });
    expect(await canI("test", "delete nodes")).toBe(true);
  });

  it("does not let in principals that nothing maps", async () => {
    await expect(eksim.as("stranger").kubernetes("demo", "GET", "/api/v1/nodes")).rejects.toMatchObject({
      status: 401,
    });
  });

  it("grants a policy within its scope, from the association to its end", async () => {
    await createEntry("dev");
    expect(await canI("dev", "get pods in default")).toBe(false);
    await associate("dev", "AmazonEKSEditPolicy", { type: "namespace", namespaces: ["default", "team-*"] });
    const questions = [
      "create deployments.apps in default",
      "get secrets in team-a",
      "get pods in kube-system",
      "list pods",
    ];
    expect(await Promise.all(questions.map((question) => canI("dev", question)))).toEqual([true, true, false, false]);
    await eksim.as("dev").kubernetes("demo", "POST", "/api/v1/namespaces/default/configmaps", {
      metadata: { name: "mine" },
    });
    await associate("dev", "AmazonEKSViewPolicy");
    expect(await canI("dev", "list pods")).toBe(true);
    const arn = encodeURIComponent("arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy");
    await eksim.eks("DELETE", `${path(userArn("dev"))}/access-policies/${arn}`);
    expect(await canI("dev", "create deployments.apps in default")).toBe(false);
    expect(await canI("dev", "get pods in default")).toBe(true);
  });

  it("binds Kubernetes groups of an entry by RBAC, under the entry's user name", async () => {
    await createEntry("reader", { kubernetesGroups: ["node-readers"], username: "corp:reader" });
    await eksim.kubernetes("demo", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles", {
      metadata: { name: "node-reader" },
      rules: [{ apiGroups: [""], resources: ["nodes"], verbs: ["list"] }],
    });
    await eksim.kubernetes("demo", "POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "node-readers" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "node-reader" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "node-readers" }],
    });
    expect(await whoAmI("reader")).toMatchObject({ username: "corp:reader" });
    expect(await canI("reader", "list nodes")).toBe(true);
    await eksim.eks("POST", path(userArn("reader")), { kubernetesGroups: [] });
    expect(await canI("reader", "list nodes")).toBe(false);
  });

  it("lets in principals of other accounts that have an entry", async () => {
    await eksim.eks("POST", "/clusters/demo/access-entries", { principalArn: "arn:aws:iam::111122223333:root" });
    expect(await canI("111122223333", "list nodes")).toBe(false);
    await eksim.eks("POST", `${path("arn:aws:iam::111122223333:root")}/access-policies`, {
      policyArn: "arn:aws:eks::aws:cluster-access-policy/AmazonEKSAdminViewPolicy",
      accessScope: { type: "cluster" },
    });
    expect(await canI("111122223333", "list nodes")).toBe(true);
  });

  it("does not look at aws-auth", async () => {
    await eksim.kubernetes("demo", "POST", "/api/v1/namespaces/kube-system/configmaps", {
      metadata: { name: "aws-auth" },
      data: { mapUsers: `- userarn: ${userArn("mapped")}\n  username: mapped\n  groups: [system:masters]\n` },
    });
    expect(await canI("mapped", "list nodes")).toBe(false);
  });

  it("gives a node group's role an entry, and takes it away with the last group of that role", async () => {
    await eksim.eks("POST", "/clusters/demo/node-groups", NODEGROUP);
    await eksim.eks("POST", "/clusters/demo/node-groups", { ...NODEGROUP, nodegroupName: "more" });
    await eksim.advance("10s");
    const entry = () => eksim.eks<{ accessEntry: { type: string } }>("GET", path(NODEGROUP.nodeRole));
    expect((await entry()).accessEntry.type).toBe("EC2_LINUX");
    await eksim.eks("DELETE", "/clusters/demo/node-groups/workers");
    await eksim.advance("20m");
    expect((await entry()).accessEntry.type).toBe("EC2_LINUX");
    await eksim.eks("DELETE", "/clusters/demo/node-groups/more");
    await eksim.advance("20m");
    await expect(entry()).rejects.toMatchObject({ status: 404 });
  });

  it("ends the creator's rights with its entry, at once", async () => {
    await eksim.eks("DELETE", path(userArn("test")));
    expect(await canI("test", "delete nodes")).toBe(false);
    await expect(eksim.kubernetes("demo", "GET", "/api/v1/nodes")).rejects.toMatchObject({ status: 401 });
    await createEntry("test");
    await expect(eksim.kubernetes("demo", "GET", "/api/v1/nodes")).rejects.toMatchObject({ status: 403 });
    await associate("test", "AmazonEKSClusterAdminPolicy");
    expect(await canI("test", "delete nodes")).toBe(true);
  });
});

describe("a cluster without access entries", () => {
  beforeAll(() => start({ authenticationMode: "CONFIG_MAP" }));
  afterAll(() => eksim.stop());

  it("knows its creator as kubernetes-admin", async () => {
    expect(await whoAmI("test")).toEqual({
      username: "kubernetes-admin",
      groups: ["system:masters", "system:authenticated"],
    });
  });

  it("gets a mapping of its node groups' role in aws-auth, beside what users write there, until the last group is gone", async () => {
    await eksim.kubernetes("demo", "POST", "/api/v1/namespaces/kube-system/configmaps", {
      metadata: { name: "aws-auth" },
      data: { mapUsers: `- userarn: ${userArn("mapped")}\n  username: mapped\n  groups: [system:masters]\n` },
    });
    expect(await canI("mapped", "list nodes")).toBe(true);
    await eksim.eks("POST", "/clusters/demo/node-groups", NODEGROUP);
    await eksim.advance("10s");
    expect(await awsAuth()).toContain("rolearn: arn:aws:iam::000000000000:role/node");
    expect(await canI("mapped", "list nodes")).toBe(true);
    await eksim.eks("DELETE", "/clusters/demo/node-groups/workers");
    await eksim.advance("20m");
    expect(await awsAuth()).not.toContain("role/node");
  });

  it("gets the entries of its creator and of EKS when it is switched to them, and goes on reading aws-auth", async () => {
    await eksim.eks("POST", "/clusters/demo/update-config", {
      accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" },
    });
    await eksim.advance("1s");
    const { accessEntries } = await eksim.eks<{ accessEntries: string[] }>("GET", "/clusters/demo/access-entries");
    expect(accessEntries).toEqual([
      "arn:aws:iam::000000000000:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS",
      userArn("test"),
    ]);
    expect(await whoAmI("test")).toEqual({ username: userArn("test"), groups: ["system:authenticated"] });
    expect(await canI("test", "delete nodes")).toBe(true);
    expect(await canI("mapped", "list nodes")).toBe(true);
  });

  it("makes no entry anew when it is switched to entries alone, and then leaves aws-auth aside", async () => {
    await createEntry("second");
    await associate("second", "AmazonEKSClusterAdminPolicy");
    await eksim.eks("DELETE", path(userArn("test")));
    await eksim.eks("POST", "/clusters/demo/update-config", { accessConfig: { authenticationMode: "API" } });
    await eksim.advance("1s");
    expect(await canI("test", "delete nodes")).toBe(false);
    expect(await canI("second", "delete nodes")).toBe(true);
    expect(await canI("mapped", "list nodes")).toBe(false);
  });
});

describe("an identity provider config", () => {
  beforeAll(() => start({}));
  afterAll(() => eksim.stop());

  it("becomes ACTIVE when its update ends, and is gone when the one that takes it away does", async () => {
    const named = { identityProviderConfig: { type: "oidc", name: "corp" } };
    const base = "/clusters/demo/identity-provider-configs";
    await eksim.eks("POST", `${base}/associate`, {
      oidc: { identityProviderConfigName: "corp", issuerUrl: "https://idp.example.com", clientId: "k" },
    });
    await eksim.advance("1s");
    const described = await eksim.eks<{ identityProviderConfig: { oidc: { status: string } } }>(
      "POST",
      `${base}/describe`,
      named,
    );
    expect(described.identityProviderConfig.oidc.status).toBe("ACTIVE");
    await eksim.eks("POST", `${base}/disassociate`, named);
    await eksim.advance("1s");
    expect(await eksim.eks("GET", base)).toEqual({ identityProviderConfigs: [] });
  });

  it("and everything else of a cluster goes with it", async () => {
    const association = { namespace: "web", serviceAccount: "shop", roleArn: "arn:aws:iam::000000000000:role/app" };
    await eksim.eks("POST", "/clusters/demo/pod-identity-associations", association);
    await eksim.eks("DELETE", "/clusters/demo");
    await eksim.advance("1s");
    await eksim.eks("POST", "/clusters", { name: "demo", ...VPC });
    await eksim.advance("1s");
    expect(await eksim.eks("GET", "/clusters/demo/pod-identity-associations")).toEqual({ associations: [] });
  });
});

describe("after a restart in the middle", () => {
  it("an identity provider config becomes ACTIVE in its time, and entries and their rights are as before", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "eksim-"));
    const options = { seed: 1, dataDir, profile: "aws" } as const;
    eksim = await startEksim(options);
    await eksim.eks("POST", "/clusters", { name: "demo", ...VPC, accessConfig: { authenticationMode: "API" } });
    await eksim.advance("10m");
    await createEntry("dev");
    await associate("dev", "AmazonEKSViewPolicy");
    const base = "/clusters/demo/identity-provider-configs";
    const { update } = await eksim.eks<{ update: { id: string } }>("POST", `${base}/associate`, {
      oidc: { identityProviderConfigName: "corp", issuerUrl: "https://idp.example.com", clientId: "k" },
    });
    await eksim.advance("1m");
    await eksim.stop();

    eksim = await startEksim(options);
    await eksim.idle();
    const statusOf = async () => {
      const named = { identityProviderConfig: { type: "oidc", name: "corp" } };
      const { identityProviderConfig } = await eksim.eks<{ identityProviderConfig: { oidc: { status: string } } }>(
        "POST",
        `${base}/describe`,
        named,
      );
      return identityProviderConfig.oidc.status;
    };
    expect(await statusOf()).toBe("CREATING");
    expect(await canI("dev", "get pods in default")).toBe(true);
    await eksim.advance("5m");
    expect(await statusOf()).toBe("ACTIVE");
    expect(await eksim.eks("GET", `/clusters/demo/updates/${update.id}`)).toMatchObject({
      update: { status: "Successful" },
    });
    await eksim.stop();
    rmSync(dataDir, { recursive: true });
  });
});
