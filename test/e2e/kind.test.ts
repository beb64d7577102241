/** EKS clusters of real Kubernetes, as users of the emulator see them. Takes minutes: only who asks for it with EKSIM_TEST_KIND=1 has it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { docker, dockerHas, whyNoKind } from "../backends/kind/live.js";
import { client, installed } from "./process.js";

const why = await whyNoKind();
const hasClients =
  why === undefined && installed("aws", ["--version"]) && installed("kubectl", ["version", "--client"]);

/** Real machines at work, and other work beside them. Milliseconds. */
const LIMIT_MS = 15 * 60_000;

interface Nodes {
  items: {
    metadata: { name: string; labels: Record<string, string> };
    status: { conditions: { type: string; status: string }[] };
  }[];
}

describe.skipIf(why !== undefined)(`an EKS cluster of kind${why === undefined ? "" : ` (${why})`}`, () => {
  const dataDir = mkdtempSync(join(tmpdir(), "eksim-kind-e2e-"));
  let eksim: Eksim;
  let before: Awaited<ReturnType<typeof dockerHas>>;
  const start = (): Promise<Eksim> => startEksim({ clock: "real", backend: "kind", dataDir });

  const until = async (done: () => Promise<boolean>): Promise<void> => {
    for (const endMs = Date.now() + LIMIT_MS; !(await done().catch(() => false)); )
      if (Date.now() > endMs) throw new Error("not reached within a quarter of an hour");
      else await new Promise((resolve) => setTimeout(resolve, 1000));
  };
  const status = async (path: string, member: string): Promise<string> =>
    (await eksim.eks<Record<string, { status: string }>>("GET", path))[member]?.status ?? "";
  /** Zones of the node group's nodes that are Ready, by node name. */
  const ready = async (): Promise<Map<string, string>> => {
    const path = "/api/v1/nodes?labelSelector=eks.amazonaws.com/nodegroup=workers";
    const { items } = await eksim.kubernetes<Nodes>("demo", "GET", path);
    return new Map(
      items
        .filter(({ status: { conditions } }) => conditions.some((c) => c.type === "Ready" && c.status === "True"))
        .map(({ metadata: { name, labels } }) => [name, labels["topology.kubernetes.io/zone"] ?? ""]),
    );
  };

  afterAll(async () => {
    await eksim?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }, LIMIT_MS);

  it(
    "is made, with a node a zone, by the API alone, and its API server takes EKS tokens",
    async () => {
      before = await dockerHas();
      eksim = await start();
      await eksim.eks("POST", "/clusters", {
        name: "demo",
        roleArn: "arn:aws:iam::000000000000:role/eks",
        resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
      });
      await until(async () => (await status("/clusters/demo", "cluster")) === "ACTIVE");
      await eksim.eks("POST", "/clusters/demo/node-groups", {
        nodegroupName: "workers",
        nodeRole: "arn:aws:iam::000000000000:role/node",
        subnets: ["subnet-a", "subnet-b", "subnet-c"],
        scalingConfig: { minSize: 3, maxSize: 6, desiredSize: 3 },
      });
      await until(async () => (await status("/clusters/demo/node-groups/workers", "nodegroup")) === "ACTIVE");
      expect([...(await ready()).values()].sort()).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
    },
    2 * LIMIT_MS,
  );

  it.skipIf(!hasClients)(
    "lets kubectl in with tokens of aws eks get-token, as those whom it knows, and nobody else",
    async () => {
      const kubeconfig = join(dataDir, "kubeconfig-of-a-user");
      const environment = (accessKeyId: string) => ({
        AWS_ENDPOINT_URL: eksim.endpoint,
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: "test",
        AWS_DEFAULT_REGION: "us-east-1",
        AWS_EC2_METADATA_DISABLED: "true",
        KUBECONFIG: kubeconfig,
      });
      await client("aws", ["eks", "update-kubeconfig", "--name", "demo"], environment("test"));
      const pods = ["get", "pods", "--all-namespaces", "--output", "name"];
      expect(await client("kubectl", pods, environment("test"))).toContain("pod/coredns");
      const stranger = client("kubectl", pods, environment("222222222222"));
      await expect(stranger).rejects.toThrow(/Unauthorized|must be logged in/);
    },
    LIMIT_MS,
  );

  it(
    "has a machine replaced that was killed behind eksim's back",
    async () => {
      const [victim = ""] = [...(await ready()).keys()];
      await docker("kill", await docker("ps", "--quiet", "--filter", `label=eksim.dev/node=${victim}`));
      await until(async () => {
        const nodes = await ready();
        return nodes.size === 3 && !nodes.has(victim);
      });
      expect([...(await ready()).values()].sort()).toEqual(["us-east-1a", "us-east-1b", "us-east-1c"]);
    },
    LIMIT_MS,
  );

  it(
    "is adopted by the next emulator, which replaces what has gone meanwhile and counts it as garbage of nobody",
    async () => {
      const [victim = ""] = [...(await ready()).keys()];
      await eksim.stop();
      await docker(
        "rm",
        "--force",
        "--volumes",
        await docker("ps", "-q", "--filter", `label=eksim.dev/node=${victim}`),
      );
      eksim = await start();
      await until(async () => {
        const nodes = await ready();
        return nodes.size === 3 && !nodes.has(victim);
      });
      const response = await fetch(`${eksim.endpoint}/_eksim/garbage`);
      const { orphans } = (await response.json()) as { orphans: { kind: string }[] };
      expect(orphans.filter(({ kind }) => kind !== "foreign")).toEqual([]);
    },
    LIMIT_MS,
  );

  it(
    "leaves a zone that has lost power, with its master down and its API up",
    async () => {
      await eksim.failZone("us-east-1a", { cluster: "demo" });
      await until(async () => {
        const zones = [...(await ready()).values()];
        return zones.length === 3 && !zones.includes("us-east-1a");
      });
      await eksim.restoreZone("us-east-1a", { cluster: "demo" });
      await until(async () => new Set((await ready()).values()).size === 3);
    },
    LIMIT_MS,
  );

  it(
    "leaves no container, volume, network or file when it is deleted",
    async () => {
      const prefix = `eksim-${readFileSync(join(dataDir, "kind", "owner"), "utf8").trim()}-`;
      const machines = async (): Promise<string[]> =>
        (await dockerHas()).containers.filter((name) => name.startsWith(prefix));
      // The zones may still be being levelled: three nodes, three masters and the load balancer are left in the end.
      await until(async () => (await machines()).length === 7);
      const own = await machines();
      const mounted = await docker("inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", ...own);
      const volumes = mounted.split(/\s+/).filter(Boolean);
      expect([own.length, volumes.length > 0]).toEqual([7, true]);
      await eksim.eks("DELETE", "/clusters/demo/node-groups/workers");
      await until(async () => (await status("/clusters/demo/node-groups/workers", "nodegroup").catch(() => "")) === "");
      await eksim.eks("DELETE", "/clusters/demo");
      await until(async () => (await status("/clusters/demo", "cluster").catch(() => "")) === "");
      const after = await dockerHas();
      expect(after.containers.filter((name) => name.startsWith(prefix))).toEqual([]);
      expect(after.volumes.filter((name) => volumes.includes(name))).toEqual([]);
      // Other clusters of this machine keep the network that all of kind's share.
      if (!after.containers.some((name) => name.endsWith("-control-plane")))
        expect(after.networks.filter((name) => !before.networks.includes(name))).toEqual([]);
      expect(readdirSync(join(dataDir, "kind"))).toEqual(["owner"]);
    },
    LIMIT_MS,
  );
});
