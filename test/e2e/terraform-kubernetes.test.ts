import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KubectlCluster, newestKubectl, STARTUP_MS, startKubectlCluster } from "./kubectl.js";
import { client, installed } from "./process.js";
import { terraformMirrors } from "./terraform-mirrors.js";

const PROVIDER = "registry.terraform.io/hashicorp/kubernetes";

/** Where a local copy of the Kubernetes provider may lie, and of which version it is. */
function findMirror(): { path: string; version: string } | undefined {
  for (const path of terraformMirrors()) {
    const directory = join(path, PROVIDER);
    const [version] = existsSync(directory)
      ? readdirSync(directory).filter((name) => /^\d+\.\d+\.\d+$/.test(name))
      : [];
    if (version) return { path, version };
  }
  return undefined;
}

const mirror = installed("terraform", ["version"]) ? findMirror() : undefined;
const kubectl = newestKubectl();
if (!mirror) console.warn("skipped: no local copy of the Terraform Kubernetes provider on this machine");
else if (!kubectl) console.warn("skipped: kubectl is not installed on this machine");

const configuration = (version: string, kubeconfig: string): string => `
terraform {
  required_providers {
    kubernetes = { source = "hashicorp/kubernetes", version = "${version}" }
  }
}

provider "kubernetes" {
  config_path = "${kubeconfig}"
}

variable "replicas" {
  type    = number
  default = 2
}

resource "kubernetes_namespace" "shop" {
  metadata { name = "shop" }
}

resource "kubernetes_deployment" "web" {
  metadata {
    name      = "web"
    namespace = kubernetes_namespace.shop.metadata[0].name
  }
  spec {
    replicas = var.replicas
    selector { match_labels = { app = "web" } }
    template {
      metadata { labels = { app = "web" } }
      spec {
        container {
          name  = "web"
          image = "nginx"
        }
      }
    }
  }
}

resource "kubernetes_service" "web" {
  metadata {
    name      = "web"
    namespace = kubernetes_namespace.shop.metadata[0].name
  }
  spec {
    selector = { app = "web" }
    port { port = 80 }
  }
}

resource "kubernetes_manifest" "settings" {
  manifest = {
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "settings", namespace = "default" }
    data       = { replicas = tostring(var.replicas) }
  }
}
`;

describe.skipIf(!mirror || !kubectl)("Terraform with the Kubernetes provider", () => {
  let cluster: KubectlCluster;
  const terraform = (...args: string[]): Promise<string> =>
    client(
      "terraform",
      [`-chdir=${cluster.home}`, ...args],
      { TF_CLI_CONFIG_FILE: join(cluster.home, "terraform.rc"), TF_IN_AUTOMATION: "1" },
      300_000,
    );
  const apply = (...variables: string[]): Promise<string> =>
    terraform("apply", "-no-color", "-input=false", "-auto-approve", ...variables);

  beforeAll(async () => {
    cluster = await startKubectlCluster(kubectl as string);
    const { path, version } = mirror as NonNullable<typeof mirror>;
    writeFileSync(join(cluster.home, "main.tf"), configuration(version, join(cluster.home, "..", "config")));
    writeFileSync(
      join(cluster.home, "terraform.rc"),
      `provider_installation {\n  filesystem_mirror {\n    path = "${path}"\n  }\n}\n`,
    );
    await terraform("init", "-no-color", "-input=false");
  }, STARTUP_MS);
  afterAll(async () => {
    await cluster?.stop();
  });

  it("applies, finds nothing left to change, updates in place and destroys", { timeout: 300_000 }, async () => {
    expect(await apply()).toMatch(/Resources: 4 added, 0 changed, 0 destroyed/);
    expect(await terraform("plan", "-no-color", "-input=false", "-detailed-exitcode")).toContain("No changes");
    expect(await apply("-var=replicas=3")).toMatch(/Resources: 0 added, 2 changed, 0 destroyed/);
    expect(await cluster.run("get deployment web -n shop -o jsonpath={.status.availableReplicas}")).toBe("3");
    expect(await cluster.run("get configmap settings -o jsonpath={.data.replicas}")).toBe("3");
    expect(await terraform("destroy", "-no-color", "-input=false", "-auto-approve")).toMatch(/Resources: 4 destroyed/);
    expect((await cluster.kubectl("get namespace shop")).err).toContain("NotFound");
  });
});
