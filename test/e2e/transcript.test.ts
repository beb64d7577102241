import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { client, installed, type RunningEksim, runCommand, runEksim, temporaryDirectory } from "./process.js";

const hasAws = installed("aws", ["--version"]);
const hasKubectl = installed("kubectl", ["version", "--client"]);

/** A dozen commands of the AWS CLI, each of seconds on a busy machine, and waiters that sleep for 30 s between two polls. */
const PATIENCE_MS = 400_000;

/** What the README's transcript does, word for word, with the stock AWS CLI and kubectl. Ten times the speed, so that 40 s of silence are 4. */
describe.skipIf(!hasAws || !hasKubectl)("the main path with the real aws and kubectl", { timeout: PATIENCE_MS }, () => {
  const home = mkdtempSync(join(tmpdir(), "eksim-home-"));
  let eksim: RunningEksim;
  let environment: Record<string, string>;
  const aws = async (...args: string[]): Promise<Record<string, never>> => {
    const text = await client("aws", ["--output", "json", ...args], environment);
    return (text.trim().startsWith("{") ? JSON.parse(text) : {}) as Record<string, never>;
  };
  /** How often a waiter has asked. */
  const pollsOf = async (...args: string[]): Promise<number> => {
    const { stderr } = await promisify(execFile)("aws", ["--debug", ...args], {
      env: { ...process.env, ...environment },
      maxBuffer: 64 * 1024 * 1024,
    });
    return stderr.match(/Making request for OperationModel\(name=DescribeCluster\)/g)?.length ?? 0;
  };
  const kubectl = (...args: string[]): Promise<string> => client("kubectl", args, environment);
  const nodesByZone = async (): Promise<Record<string, number>> => {
    const { items } = JSON.parse(await kubectl("get", "nodes", "-o", "json")) as {
      items: {
        metadata: { labels: Record<string, string> };
        status: { conditions: { type: string; status: string }[] };
      }[];
    };
    const zones: Record<string, number> = {};
    for (const node of items) {
      if (!node.status.conditions.some((c) => c.type === "Ready" && c.status === "True")) continue;
      const zone = node.metadata.labels["topology.kubernetes.io/zone"] ?? "?";
      zones[zone] = (zones[zone] ?? 0) + 1;
    }
    return zones;
  };
  const eventually = async <T>(
    read: () => Promise<T>,
    expected: (value: T) => boolean,
    limitMs: number,
  ): Promise<T> => {
    const end = performance.now() + limitMs;
    for (;;) {
      const value = await read();
      if (expected(value) || performance.now() > end) return value;
    }
  };

  beforeAll(async () => {
    eksim = await runEksim(["--data-dir", temporaryDirectory(), "--clock", "scaled:10", "--log-level", "warn"]);
    environment = {
      HOME: home,
      KUBECONFIG: join(home, "config"),
      AWS_ENDPOINT_URL: eksim.endpoint,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_DEFAULT_REGION: "us-east-1",
    };
  });
  afterAll(async () => {
    await eksim?.end();
  });

  it("creates a cluster that the first poll of the waiter finds active", async () => {
    const created = (await aws(
      ..."eks create-cluster --name demo --role-arn arn:aws:iam::000000000000:role/eks --resources-vpc-config subnetIds=subnet-a,subnet-b,subnet-c".split(
        " ",
      ),
    )) as { cluster?: { status: string; endpoint?: string } };
    expect(created.cluster).toMatchObject({ name: "demo", status: "CREATING" });
    expect(created.cluster?.endpoint).toBeUndefined();
    expect(await pollsOf("eks", "wait", "cluster-active", "--name", "demo")).toBe(1);
    const { cluster } = (await aws("eks", "describe-cluster", "--name", "demo")) as {
      cluster?: { status: string; endpoint: string; certificateAuthority: { data: string } };
    };
    expect(cluster?.status).toBe("ACTIVE");
    expect(cluster?.endpoint).toMatch(/^https:\/\//);
    expect(Buffer.from(cluster?.certificateAuthority.data ?? "", "base64").toString()).toContain("BEGIN CERTIFICATE");
  });

  it("creates a node group of six, two in each zone, and gives kubectl access to them", async () => {
    await aws(
      ..."eks create-nodegroup --cluster-name demo --nodegroup-name workers --node-role arn:aws:iam::000000000000:role/node --subnets subnet-a subnet-b subnet-c --scaling-config minSize=3,maxSize=9,desiredSize=6".split(
        " ",
      ),
    );
    await aws("eks", "wait", "nodegroup-active", "--cluster-name", "demo", "--nodegroup-name", "workers");
    await aws("eks", "update-kubeconfig", "--name", "demo");
    expect(readFileSync(join(home, "config"), "utf8")).toContain("get-token");
    expect(await nodesByZone()).toEqual({ "us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 2 });
    const table = await kubectl("get", "nodes", "-L", "topology.kubernetes.io/zone");
    expect(table.split("\n")[0]).toMatch(/^NAME\s+STATUS\s+ROLES\s+AGE\s+VERSION\s+ZONE/);
    expect(table).toMatch(/ip-[\d-]+\.ec2\.internal\s+Ready\s+<none>\s+\S+\s+v1\.36\.\d+-eks-[0-9a-f]{7}\s+us-east-1a/);
  });

  it("schedules a deployment over the nodes", async () => {
    await kubectl("create", "deployment", "web", "--image=nginx", "--replicas=6");
    expect(await kubectl("rollout", "status", "deployment/web", "--timeout=60s")).toContain("successfully rolled out");
    const wide = await kubectl("get", "pods", "-o", "wide");
    expect(wide.match(/1\/1\s+Running/g)).toHaveLength(6);
  });

  it("loses a zone: nodes there go, replacements come up in the two others", async () => {
    const before = await runCommand(["zones", "--endpoint", eksim.endpoint]);
    expect(before.stdout).toMatch(/us-east-1a\s+use1-az\d\s+available\s+1\/1\s+2\/2/);
    const failed = await runCommand(["zone", "fail", "us-east-1a", "--cluster", "demo", "--endpoint", eksim.endpoint]);
    expect(failed).toMatchObject({ code: 0, stderr: "" });
    const zones = await eventually(
      nodesByZone,
      (z) => z["us-east-1a"] === undefined && z["us-east-1b"] === 3 && z["us-east-1c"] === 3,
      120_000,
    );
    expect(zones).toEqual({ "us-east-1b": 3, "us-east-1c": 3 });
    const names = await eventually(
      () => kubectl("get", "nodes", "-L", "topology.kubernetes.io/zone", "--no-headers"),
      (text) => !text.includes("us-east-1a"),
      120_000,
    );
    expect(names).not.toContain("us-east-1a");
    expect(await kubectl("rollout", "status", "deployment/web", "--timeout=120s")).toContain("successfully rolled out");
  });

  it("spreads out again when the zone is back, and tells the story", async () => {
    expect(
      await runCommand(["zone", "restore", "us-east-1a", "--cluster", "demo", "--endpoint", eksim.endpoint]),
    ).toMatchObject({ code: 0, stderr: "" });
    const zones = await eventually(
      nodesByZone,
      (z) => z["us-east-1a"] === 2 && z["us-east-1b"] === 2 && z["us-east-1c"] === 2,
      120_000,
    );
    expect(zones).toEqual({ "us-east-1a": 2, "us-east-1b": 2, "us-east-1c": 2 });
    const { stdout } = await runCommand(["events", "--cluster", "demo", "--json", "--endpoint", eksim.endpoint]);
    const types = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types).toContain("CreateCluster");
    expect(types.indexOf("ZoneFailed")).toBeLessThan(types.indexOf("ZoneRestored"));
  });

  it("refuses to delete a cluster with a node group, then deletes both", async () => {
    await expect(aws("eks", "delete-cluster", "--name", "demo")).rejects.toThrow(
      /ResourceInUseException.*Cluster has nodegroups attached/,
    );
    await aws("eks", "delete-nodegroup", "--cluster-name", "demo", "--nodegroup-name", "workers");
    await aws("eks", "wait", "nodegroup-deleted", "--cluster-name", "demo", "--nodegroup-name", "workers");
    await aws("eks", "delete-cluster", "--name", "demo");
    await aws("eks", "wait", "cluster-deleted", "--name", "demo");
    await expect(aws("eks", "describe-cluster", "--name", "demo")).rejects.toThrow(/No cluster found for name: demo\./);
  });
});
