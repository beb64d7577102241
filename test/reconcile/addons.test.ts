import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Addon,
  CreateAddonCommand,
  type CreateAddonCommandInput,
  CreateClusterCommand,
  type CreateClusterCommandInput,
  CreateNodegroupCommand,
  type CreateNodegroupCommandInput,
  DeleteAddonCommand,
  DeleteClusterCommand,
  DeletePodIdentityAssociationCommand,
  DescribeAddonCommand,
  DescribeAddonVersionsCommand,
  DescribeUpdateCommand,
  EKSClient,
  ListPodIdentityAssociationsCommand,
  UpdateAddonCommand,
  type UpdateAddonCommandInput,
  waitUntilAddonActive,
  waitUntilAddonDeleted,
} from "@aws-sdk/client-eks";
import { afterEach, describe, expect, it } from "vitest";
import { type Eksim, type EksimOptions, startEksim } from "../../src/testkit/index.js";
import { CLUSTER, NODEGROUP } from "../api/gateway-rig.js";

interface Workload {
  metadata: { labels: Record<string, string>; managedFields: { manager: string; operation: string }[] };
  spec: {
    replicas?: number;
    template: {
      spec: {
        nodeSelector?: Record<string, string>;
        containers: {
          name: string;
          image: string;
          args?: string[];
          env?: { name: string; value?: string }[];
          resources: unknown;
        }[];
      };
    };
  };
  status: { availableReplicas?: number };
}

let eksim: Eksim;
let client: EKSClient;

async function start(options: EksimOptions = {}): Promise<void> {
  eksim = await startEksim({ clockStart: "2026-11-22T09:00:00Z", seed: 1, ...options });
  client = new EKSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
}

async function stop(): Promise<void> {
  client.destroy();
  await eksim.stop();
}
afterEach(stop);

async function cluster(changes: Partial<CreateClusterCommandInput> = {}): Promise<void> {
  await start();
  await client.send(new CreateClusterCommand({ ...CLUSTER, ...changes }));
  await eksim.idle();
}

async function nodes(changes: Partial<CreateNodegroupCommandInput> = {}): Promise<void> {
  await client.send(new CreateNodegroupCommand({ ...NODEGROUP, ...changes }));
  await eksim.advance("30s");
}

const create = async (addonName: string, changes: Partial<CreateAddonCommandInput> = {}): Promise<void> => {
  await client.send(new CreateAddonCommand({ clusterName: "demo", addonName, ...changes }));
};
const shown = async (addonName: string): Promise<Addon> => {
  const { addon } = await client.send(new DescribeAddonCommand({ clusterName: "demo", addonName }));
  if (!addon) throw new Error("no add-on in the answer");
  return addon;
};
const becomes = (addonName: string, status: string, limit = "5m"): Promise<void> =>
  eksim.advanceUntil(async () => (await shown(addonName)).status === status, limit);
const isGone = (addonName: string): Promise<void> =>
  eksim.advanceUntil(
    () =>
      shown(addonName).then(
        () => false,
        () => true,
      ),
    "5m",
  );
async function update(addonName: string, changes: Partial<UpdateAddonCommandInput>) {
  const { update } = await client.send(new UpdateAddonCommand({ clusterName: "demo", addonName, ...changes }));
  return async () =>
    (await client.send(new DescribeUpdateCommand({ name: "demo", addonName, updateId: update?.id }))).update;
}

const KUBE_SYSTEM = "/apis/apps/v1/namespaces/kube-system";
const read = <T = Workload>(path: string): Promise<T> => eksim.kubernetes<T>("demo", "GET", path);
const exists = (path: string): Promise<boolean> =>
  read(path).then(
    () => true,
    () => false,
  );
const imageOf = (workload: Workload): string | undefined => workload.spec.template.spec.containers[0]?.image;

/** As somebody with kubectl would. */
async function setReplicas(replicas: number): Promise<void> {
  const present = await read<object & { spec: object }>(`${KUBE_SYSTEM}/deployments/coredns`);
  await eksim.kubernetes("demo", "PUT", `${KUBE_SYSTEM}/deployments/coredns`, {
    ...present,
    spec: { ...present.spec, replicas },
  });
}

const COREDNS_CONFLICT = [
  "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:",
  "Deployment.apps coredns - .spec.replicas",
].join("\n");

describe("an add-on that is created", () => {
  it("takes over the self-managed software that is as EKS made it, and is ACTIVE", async () => {
    await cluster();
    await create("kube-proxy");
    await becomes("kube-proxy", "ACTIVE");
    const workload = await read(`${KUBE_SYSTEM}/daemonsets/kube-proxy`);
    expect(workload.metadata.managedFields).toContainEqual(
      expect.objectContaining({ manager: "eks", operation: "Apply" }),
    );
    expect((await shown("kube-proxy")).health).toEqual({ issues: [] });
  });

  it("of another version fails without OVERWRITE, names the fields, and changes nothing", async () => {
    await cluster();
    await create("coredns", { addonVersion: "v1.14.6-eksbuild.4" });
    await becomes("coredns", "CREATE_FAILED");
    const { health } = await shown("coredns");
    expect(health?.issues?.[0]).toMatchObject({
      code: "ConfigurationConflict",
      message: expect.stringContaining(
        '\nDeployment.apps coredns - .spec.template.spec.containers[name="coredns"].image',
      ),
    });
    expect(imageOf(await read(`${KUBE_SYSTEM}/deployments/coredns`))).toMatch(/:v1\.14\.3-eksbuild\.11$/);
  });

  it("with OVERWRITE replaces what is there", async () => {
    await cluster();
    await nodes();
    await create("coredns", { addonVersion: "v1.14.6-eksbuild.4", resolveConflicts: "OVERWRITE" });
    await becomes("coredns", "ACTIVE");
    expect(imageOf(await read(`${KUBE_SYSTEM}/deployments/coredns`))).toMatch(/:v1\.14\.6-eksbuild\.4$/);
  });

  it("is DEGRADED after a minute without nodes for its Deployment, and ACTIVE once there are", async () => {
    await cluster();
    await create("metrics-server");
    await eksim.advance("50s");
    expect((await shown("metrics-server")).status).toBe("CREATING");
    await eksim.advance("20s");
    expect(await shown("metrics-server")).toMatchObject({
      status: "DEGRADED",
      health: {
        issues: [
          {
            code: "InsufficientNumberOfReplicas",
            message: "The add-on is unhealthy because it doesn't have the desired number of replicas.",
          },
        ],
      },
    });
    await nodes();
    await becomes("metrics-server", "ACTIVE");
    expect((await shown("metrics-server")).health).toEqual({ issues: [] });
    expect((await read(`${KUBE_SYSTEM}/deployments/metrics-server`)).status.availableReplicas).toBe(2);
  });

  it("is ACTIVE without nodes when it has DaemonSets only, and gone as soon as it is deleted", async () => {
    await cluster();
    await create("eks-pod-identity-agent");
    await eksim.idle();
    const named = { clusterName: "demo", addonName: "eks-pod-identity-agent" };
    expect((await waitUntilAddonActive({ client, maxWaitTime: 15 }, named)).state).toBe("SUCCESS");
    expect(await exists(`${KUBE_SYSTEM}/daemonsets/eks-pod-identity-agent`)).toBe(true);
    await client.send(new DeleteAddonCommand(named));
    await eksim.idle();
    expect((await waitUntilAddonDeleted({ client, maxWaitTime: 15 }, named)).state).toBe("SUCCESS");
  });

  it("brings the CSI driver of EBS: controller, agent, accounts and driver object", async () => {
    await cluster();
    await nodes();
    await create("aws-ebs-csi-driver", {
      serviceAccountRoleArn: "arn:aws:iam::000000000000:role/ebs",
      configurationValues: "defaultStorageClass:\n  enabled: true\ncontroller:\n  extraVolumeTags: {team: a}\n",
    });
    await becomes("aws-ebs-csi-driver", "ACTIVE");
    const account = await read<{ metadata: { annotations: unknown } }>(
      "/api/v1/namespaces/kube-system/serviceaccounts/ebs-csi-controller-sa",
    );
    expect(account.metadata.annotations).toEqual({
      "eks.amazonaws.com/role-arn": "arn:aws:iam::000000000000:role/ebs",
    });
    const controller = await read(`${KUBE_SYSTEM}/deployments/ebs-csi-controller`);
    expect(controller.spec.template.spec.containers[0]?.args).toEqual(["--extra-tags=team=a"]);
    expect(await exists(`${KUBE_SYSTEM}/daemonsets/ebs-csi-node`)).toBe(true);
    expect(await exists("/apis/storage.k8s.io/v1/csidrivers/ebs.csi.aws.com")).toBe(true);
    expect(await exists("/apis/storage.k8s.io/v1/storageclasses/ebs-csi-default-sc")).toBe(true);
    // What the new values no longer ask for is taken away again.
    const updated = await update("aws-ebs-csi-driver", { configurationValues: "{}" });
    await becomes("aws-ebs-csi-driver", "ACTIVE");
    expect((await updated())?.status).toBe("Successful");
    expect(await exists("/apis/storage.k8s.io/v1/storageclasses/ebs-csi-default-sc")).toBe(false);
  });

  it("goes into a namespace of its own, or into the one that was asked for", async () => {
    await cluster();
    await create("kube-state-metrics");
    await create("prometheus-node-exporter", { namespaceConfig: { namespace: "monitoring" } });
    await eksim.idle();
    expect(await exists("/apis/apps/v1/namespaces/kube-state-metrics/deployments/kube-state-metrics")).toBe(true);
    expect(await exists("/apis/apps/v1/namespaces/monitoring/daemonsets/prometheus-node-exporter")).toBe(true);
    expect((await shown("prometheus-node-exporter")).namespaceConfig).toEqual({ namespace: "monitoring" });
  });

  it("is all there is of it in a cluster without self-managed add-ons", async () => {
    await cluster({ bootstrapSelfManagedAddons: false });
    for (const path of ["daemonsets/aws-node", "daemonsets/kube-proxy", "deployments/coredns"]) {
      expect(await exists(`${KUBE_SYSTEM}/${path}`), path).toBe(false);
    }
    await create("vpc-cni", {
      configurationValues: JSON.stringify({
        env: { ENABLE_PREFIX_DELEGATION: "true", CLUSTER_NAME: "demo" },
        enableNetworkPolicy: "true",
        eniConfig: { create: true, region: "us-east-1", subnets: { a: { id: "subnet-1", securityGroups: ["sg-1"] } } },
      }),
    });
    await becomes("vpc-cni", "ACTIVE");
    const [node, agent] = (await read(`${KUBE_SYSTEM}/daemonsets/aws-node`)).spec.template.spec.containers;
    expect(node?.env).toContainEqual({ name: "ENABLE_PREFIX_DELEGATION", value: "true" });
    expect(node?.env).toContainEqual({ name: "CLUSTER_NAME", value: "demo" });
    expect(agent?.args).toContain("--enable-network-policy=true");
    expect(agent?.args).not.toContain("--enable-network-policy=false");
    expect(await read("/apis/crd.k8s.amazonaws.com/v1alpha1/eniconfigs/us-east-1a")).toMatchObject({
      spec: { subnet: "subnet-1", securityGroups: ["sg-1"] },
    });
  });
});

describe("an add-on of a cluster without quorum", () => {
  it("is installed, or taken away, once there is one", async () => {
    await cluster();
    const zones = ["us-east-1a", "us-east-1b"];
    for (const zone of zones) await eksim.failZone(zone);
    await create("eks-pod-identity-agent");
    await eksim.advance("2m");
    expect((await shown("eks-pod-identity-agent")).status).toBe("CREATING");
    for (const zone of zones) await eksim.restoreZone(zone);
    await becomes("eks-pod-identity-agent", "ACTIVE");
    for (const zone of zones) await eksim.failZone(zone);
    await client.send(new DeleteAddonCommand({ clusterName: "demo", addonName: "eks-pod-identity-agent" }));
    await eksim.advance("2m");
    expect((await shown("eks-pod-identity-agent")).status).toBe("DELETING");
    for (const zone of zones) await eksim.restoreZone(zone);
    await isGone("eks-pod-identity-agent");
    expect(await exists(`${KUBE_SYSTEM}/daemonsets/eks-pod-identity-agent`)).toBe(false);
  });
});

describe("an add-on that is updated", () => {
  it("rolls its new version and its configuration out", async () => {
    await cluster();
    await nodes();
    await create("coredns");
    await becomes("coredns", "ACTIVE");
    const updated = await update("coredns", {
      addonVersion: "v1.14.6-eksbuild.4",
      configurationValues: "replicaCount: 3\nnodeSelector:\n  kubernetes.io/os: linux\n",
      resolveConflicts: "OVERWRITE",
    });
    expect((await updated())?.status).toBe("InProgress");
    await becomes("coredns", "ACTIVE");
    expect((await updated())?.status).toBe("Successful");
    const workload = await read(`${KUBE_SYSTEM}/deployments/coredns`);
    expect(workload.status.availableReplicas).toBe(3);
    expect(workload.spec.template.spec.nodeSelector).toEqual({ "kubernetes.io/os": "linux" });
    expect(imageOf(workload)).toMatch(/:v1\.14\.6-eksbuild\.4$/);
    expect(await shown("coredns")).toMatchObject({ addonVersion: "v1.14.6-eksbuild.4" });
  });

  it.each([
    {
      resolveConflicts: "NONE" as const,
      status: "UPDATE_FAILED",
      outcome: "Failed",
      replicas: 5,
      version: /v1\.14\.3/,
    },
    {
      resolveConflicts: "PRESERVE" as const,
      status: "ACTIVE",
      outcome: "Successful",
      replicas: 5,
      version: /v1\.14\.6/,
    },
    {
      resolveConflicts: "OVERWRITE" as const,
      status: "ACTIVE",
      outcome: "Successful",
      replicas: 2,
      version: /v1\.14\.6/,
    },
  ])("with $resolveConflicts, where a user has changed a field, is $status", async (expected) => {
    await cluster();
    await nodes();
    await create("coredns", { resolveConflicts: "OVERWRITE" });
    await becomes("coredns", "ACTIVE");
    await setReplicas(5);
    await eksim.advance("30s");
    const updated = await update("coredns", {
      addonVersion: "v1.14.6-eksbuild.4",
      resolveConflicts: expected.resolveConflicts,
    });
    await becomes("coredns", expected.status);
    const record = await updated();
    expect(record?.status).toBe(expected.outcome);
    expect(record?.errors).toEqual(
      expected.outcome === "Failed"
        ? [{ errorCode: "ConfigurationConflict", errorMessage: COREDNS_CONFLICT, resourceIds: ["coredns"] }]
        : [],
    );
    const workload = await read(`${KUBE_SYSTEM}/deployments/coredns`);
    expect(workload.spec.replicas).toBe(expected.replicas);
    expect(imageOf(workload)).toMatch(expected.version);
    expect((await shown("coredns")).addonVersion).toMatch(expected.version);
  });
});

describe("an add-on that loses its software", () => {
  it("is DEGRADED when its Deployment is deleted, and ACTIVE after an update has put it back", async () => {
    await cluster();
    await nodes();
    await create("coredns");
    await becomes("coredns", "ACTIVE");
    await eksim.kubernetes("demo", "DELETE", `${KUBE_SYSTEM}/deployments/coredns`);
    await becomes("coredns", "DEGRADED", "10s");
    expect((await shown("coredns")).health?.issues?.[0]?.code).toBe("K8sResourceNotFound");
    await update("coredns", {});
    await becomes("coredns", "ACTIVE");
    expect(await exists(`${KUBE_SYSTEM}/deployments/coredns`)).toBe(true);
  });
});

describe("an add-on whose nodes are lost", () => {
  it("is DEGRADED while its pods have nowhere to go, and ACTIVE again with their zone", async () => {
    await cluster();
    await nodes({ subnets: ["subnet-a"] });
    await create("metrics-server");
    await becomes("metrics-server", "ACTIVE");
    const zone = (await eksim.zones({ cluster: "demo" })).find((summary) => summary.nodes > 0)?.name ?? "";
    await eksim.failZone(zone);
    await becomes("metrics-server", "DEGRADED", "30m");
    expect((await shown("metrics-server")).health?.issues?.[0]?.code).toBe("InsufficientNumberOfReplicas");
    await eksim.restoreZone(zone);
    await becomes("metrics-server", "ACTIVE", "30m");
    const types = eksim.events({ cluster: "demo" }).filter(({ source }) => source === "addon");
    expect(types.map(({ type }) => type)).toEqual(["AddonActive", "AddonDegraded", "AddonActive"]);
  });

  it("fails its update when the new replicas find no node", async () => {
    await cluster();
    await nodes();
    await create("metrics-server");
    await becomes("metrics-server", "ACTIVE");
    const updated = await update("metrics-server", { configurationValues: "nodeSelector: {disk: none}" });
    await becomes("metrics-server", "DEGRADED");
    expect(await updated()).toMatchObject({
      status: "Failed",
      errors: [{ errorCode: "InsufficientNumberOfReplicas", resourceIds: ["metrics-server"] }],
    });
  });
});

describe("an add-on that the API server refuses", () => {
  it("is CREATE_FAILED, and what did get in goes with it, but nothing of anybody else", async () => {
    await cluster();
    const theirs = { app: "theirs" };
    await eksim.kubernetes("demo", "POST", `${KUBE_SYSTEM}/deployments`, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "metrics-server", namespace: "kube-system" },
      spec: {
        selector: { matchLabels: theirs },
        template: { metadata: { labels: theirs }, spec: { containers: [{ name: "a", image: "a" }] } },
      },
    });
    await create("metrics-server", { resolveConflicts: "OVERWRITE" });
    await becomes("metrics-server", "CREATE_FAILED");
    expect((await shown("metrics-server")).health?.issues?.[0]).toMatchObject({
      code: "AdmissionRequestDenied",
      message: expect.stringContaining("field is immutable"),
    });
    await client.send(new DeleteAddonCommand({ clusterName: "demo", addonName: "metrics-server" }));
    await isGone("metrics-server");
    expect(await exists("/api/v1/namespaces/kube-system/serviceaccounts/metrics-server")).toBe(false);
    expect(await exists(`${KUBE_SYSTEM}/deployments/metrics-server`)).toBe(true);
  });

  it("leaves the self-managed software alone when it goes after a conflict", async () => {
    await cluster();
    await create("coredns", { addonVersion: "v1.14.6-eksbuild.4" });
    await becomes("coredns", "CREATE_FAILED");
    await client.send(new DeleteAddonCommand({ clusterName: "demo", addonName: "coredns" }));
    await isGone("coredns");
    expect(await exists(`${KUBE_SYSTEM}/deployments/coredns`)).toBe(true);
  });
});

describe("every add-on of the catalogue", () => {
  it("becomes ACTIVE in a cluster with room for it, and goes again without a trace", async () => {
    await cluster();
    await nodes({ instanceTypes: ["m5.2xlarge"] });
    const { addons = [] } = await client.send(new DescribeAddonVersionsCommand({ kubernetesVersion: "1.36" }));
    const names = addons.map(({ addonName = "" }) => addonName);
    const before = await objects();
    for (const name of names) await create(name);
    await eksim.advance("2m");
    const states = await Promise.all(names.map(async (name) => [name, (await shown(name)).status]));
    expect(states).toEqual(names.map((name) => [name, "ACTIVE"]));
    for (const addonName of names) {
      if (SELF_MANAGED.includes(addonName)) continue;
      await client.send(new DeleteAddonCommand({ clusterName: "demo", addonName }));
    }
    await eksim.advance("2m");
    expect(await objects()).toEqual(before);
  });
});

const SELF_MANAGED = ["vpc-cni", "kube-proxy", "coredns"];

/** Names of everything that add-ons bring, but for the namespaces, which stay. */
async function objects(): Promise<string[]> {
  const paths = [
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/apis/storage.k8s.io/v1/csidrivers",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "/api/v1/services",
    "/api/v1/serviceaccounts",
  ];
  const lists = await Promise.all(
    paths.map((path) => read<{ items: { metadata: { name: string; namespace?: string } }[] }>(path)),
  );
  return lists
    .flatMap(({ items }, index) =>
      items.map(({ metadata }) => [paths[index], metadata.namespace ?? "", metadata.name].join(" ")),
    )
    .filter((text) => !text.endsWith(" default"))
    .sort();
}

describe("an add-on that is deleted", () => {
  it("takes its objects with it, or leaves them when asked to", async () => {
    await cluster();
    await create("eks-pod-identity-agent");
    await create("snapshot-controller");
    await eksim.idle();
    await client.send(new DeleteAddonCommand({ clusterName: "demo", addonName: "eks-pod-identity-agent" }));
    await client.send(
      new DeleteAddonCommand({ clusterName: "demo", addonName: "snapshot-controller", preserve: true }),
    );
    await isGone("eks-pod-identity-agent");
    await isGone("snapshot-controller");
    await eksim.advance("5s");
    expect(await exists(`${KUBE_SYSTEM}/daemonsets/eks-pod-identity-agent`)).toBe(false);
    expect(await exists(`${KUBE_SYSTEM}/deployments/snapshot-controller`)).toBe(true);
  });

  it("takes the associations it owns with it, or leaves them to the user", async () => {
    await cluster();
    const podIdentityAssociations = [{ serviceAccount: "aws-node", roleArn: "arn:aws:iam::000000000000:role/cni" }];
    const associations = async () =>
      (await client.send(new ListPodIdentityAssociationsCommand({ clusterName: "demo" }))).associations ?? [];
    for (const preserve of [true, false]) {
      await create("vpc-cni", { podIdentityAssociations });
      await becomes("vpc-cni", "ACTIVE");
      await client.send(new DeleteAddonCommand({ clusterName: "demo", addonName: "vpc-cni", preserve }));
      await isGone("vpc-cni");
      const [left] = await associations();
      expect(left?.serviceAccount).toBe(preserve ? "aws-node" : undefined);
      if (!left) continue;
      expect(left).not.toHaveProperty("ownerArn");
      const { clusterName, associationId } = left;
      await client.send(new DeletePodIdentityAssociationCommand({ clusterName, associationId }));
    }
  });

  it("leaves nothing behind when its cluster goes", async () => {
    await cluster();
    await create("eks-pod-identity-agent");
    await eksim.idle();
    await client.send(new DeleteClusterCommand({ name: "demo" }));
    await eksim.idle();
    await client.send(new CreateClusterCommand(CLUSTER));
    await eksim.idle();
    await expect(shown("eks-pod-identity-agent")).rejects.toThrow("No addon: eks-pod-identity-agent found");
  });
});

describe("a restart", () => {
  it("in the middle of an add-on's creation or update is carried on from where it was", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "eksim-addons-"));
    try {
      await start({ dataDir, profile: "aws" });
      await client.send(new CreateClusterCommand(CLUSTER));
      await eksim.advance("10m");
      await create("eks-pod-identity-agent");
      const atMs = eksim.now();
      await stop();
      await start({ dataDir, profile: "aws", clockStart: new Date(atMs + 1000).toISOString() });
      expect((await shown("eks-pod-identity-agent")).status).toBe("CREATING");
      await becomes("eks-pod-identity-agent", "ACTIVE", "1m");
      const updated = await update("eks-pod-identity-agent", { addonVersion: "v1.4.0-eksbuild.2" });
      const laterMs = eksim.now();
      await stop();
      await start({ dataDir, profile: "aws", clockStart: new Date(laterMs + 1000).toISOString() });
      await becomes("eks-pod-identity-agent", "ACTIVE", "1m");
      expect((await updated())?.status).toBe("Successful");
      expect(imageOf(await read(`${KUBE_SYSTEM}/daemonsets/eks-pod-identity-agent`))).toMatch(/:v1\.4\.0-eksbuild\.2$/);
    } finally {
      rmSync(dataDir, { recursive: true });
    }
  });
});
