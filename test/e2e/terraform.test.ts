import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { client, installed, type RunningEksim, runEksim, temporaryDirectory } from "./process.js";
import { terraformMirrors } from "./terraform-mirrors.js";

const PROVIDER = "registry.terraform.io/hashicorp/aws/5.100.0";

const findMirror = (): string | undefined => terraformMirrors().find((place) => existsSync(join(place, PROVIDER)));

const mirror = installed("terraform", ["version"]) ? findMirror() : undefined;
if (!mirror) console.warn("skipped: no local copy of the Terraform AWS provider 5.100.0 on this machine");

const configuration = (endpoint: string): string => `
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "5.100.0" }
  }
}

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  endpoints {
    eks = "${endpoint}"
  }
}

variable "desired" {
  type    = number
  default = 2
}
variable "public_cidr" { default = "0.0.0.0/0" }
variable "replicas" {
  type    = number
  default = 2
}

resource "aws_eks_cluster" "this" {
  name     = "terraform"
  role_arn = "arn:aws:iam::000000000000:role/eks"
  access_config { authentication_mode = "API_AND_CONFIG_MAP" }
  vpc_config {
    subnet_ids          = ["subnet-a", "subnet-b", "subnet-c"]
    public_access_cidrs = [var.public_cidr]
  }
  enabled_cluster_log_types = ["api", "audit"]
  tags                      = { team = "platform" }
}

resource "aws_eks_node_group" "workers" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "workers"
  node_role_arn   = "arn:aws:iam::000000000000:role/node"
  subnet_ids      = ["subnet-a", "subnet-b", "subnet-c"]
  labels          = { tier = "web" }
  scaling_config {
    min_size     = 1
    max_size     = 6
    desired_size = var.desired
  }
  taint {
    key    = "dedicated"
    value  = "web"
    effect = "PREFER_NO_SCHEDULE"
  }
}

resource "aws_eks_addon" "coredns" {
  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = "coredns"
  configuration_values        = jsonencode({ replicaCount = var.replicas })
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  depends_on                  = [aws_eks_node_group.workers]
}

resource "aws_eks_access_entry" "ops" {
  cluster_name      = aws_eks_cluster.this.name
  principal_arn     = "arn:aws:iam::000000000000:role/ops"
  kubernetes_groups = ["operators"]
}

resource "aws_eks_access_policy_association" "ops" {
  cluster_name  = aws_eks_cluster.this.name
  principal_arn = aws_eks_access_entry.ops.principal_arn
  policy_arn    = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
  access_scope {
    type       = "namespace"
    namespaces = ["default"]
  }
}

resource "aws_eks_fargate_profile" "jobs" {
  cluster_name           = aws_eks_cluster.this.name
  fargate_profile_name   = "jobs"
  pod_execution_role_arn = "arn:aws:iam::000000000000:role/fargate"
  subnet_ids             = ["subnet-a", "subnet-b"]
  selector {
    namespace = "jobs"
    labels    = { size = "small" }
  }
}

resource "aws_eks_pod_identity_association" "app" {
  cluster_name    = aws_eks_cluster.this.name
  namespace       = "default"
  service_account = "app"
  role_arn        = "arn:aws:iam::000000000000:role/app"
}

resource "aws_eks_identity_provider_config" "sso" {
  cluster_name = aws_eks_cluster.this.name
  oidc {
    identity_provider_config_name = "sso"
    client_id                     = "kubernetes"
    issuer_url                    = "https://issuer.example.com"
  }
  # Add-ons cannot be deleted while the cluster is being updated, and taking a provider away is an update.
  depends_on = [aws_eks_addon.coredns]
}
`;

describe.skipIf(!mirror)("Terraform with the AWS provider", () => {
  const directory = temporaryDirectory();
  let eksim: RunningEksim;
  const terraform = (...args: string[]): Promise<string> =>
    client(
      "terraform",
      [`-chdir=${directory}`, ...args],
      // Every command has the provider read its thousands of schemas: collecting their garbage less often takes a third off its processor time.
      { TF_CLI_CONFIG_FILE: join(directory, "terraform.rc"), TF_IN_AUTOMATION: "1", GOGC: "400" },
      300_000,
    );
  /** A plan that would change something ends with code 2, and so rejects. */
  const planIsEmpty = (...variables: string[]): Promise<string> =>
    terraform("plan", "-no-color", "-input=false", "-detailed-exitcode", ...variables);

  beforeAll(async () => {
    eksim = await runEksim(["--data-dir", temporaryDirectory(), "--log-level", "warn"]);
    writeFileSync(join(directory, "main.tf"), configuration(eksim.endpoint));
    writeFileSync(
      join(directory, "terraform.rc"),
      `provider_installation {\n  filesystem_mirror {\n    path = "${mirror}"\n  }\n}\n`,
    );
    await terraform("init", "-no-color", "-input=false");
  }, 120_000);
  afterAll(async () => {
    await eksim?.end();
  });

  it("applies every kind of resource, and then has nothing left to change", async () => {
    expect(await terraform("apply", "-no-color", "-input=false", "-auto-approve")).toMatch(
      /Resources: 8 added, 0 changed, 0 destroyed/,
    );
    expect(await planIsEmpty()).toContain("No changes");
  }, 300_000);

  it("updates in place", async () => {
    const variables = ["-var=desired=3", "-var=public_cidr=127.0.0.0/8", "-var=replicas=3"];
    expect(await terraform("apply", "-no-color", "-input=false", "-auto-approve", ...variables)).toMatch(
      /Resources: 0 added, 3 changed, 0 destroyed/,
    );
    expect(await planIsEmpty(...variables)).toContain("No changes");
  }, 300_000);

  it("destroys everything", async () => {
    expect(await terraform("destroy", "-no-color", "-input=false", "-auto-approve")).toMatch(/Resources: 8 destroyed/);
  }, 300_000);
});
