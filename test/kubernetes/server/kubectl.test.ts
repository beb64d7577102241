import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClock } from "../../../src/clock/create-clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import { createSimulatedCluster } from "../../../src/kubernetes/create-cluster.js";
import { kubectlPath } from "../wire/kubectl.js";
import { makeCertificates } from "./certificates.js";

/** The real kubectl against a whole simulated cluster, on a clock that runs fifty times as fast. */
const path = kubectlPath();
const ZONES = ["us-east-1a", "us-east-1b", "us-east-1c"];

let cluster: SimulatedCluster;
let home: string;

function kubectl(
  line: string,
  { input, user = "admin" }: { input?: unknown; user?: string } = {},
): Promise<{ code: number; out: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      path as string,
      ["--kubeconfig", join(home, "config"), "--user", user, ...line.split(" ")],
      { env: { HOME: home, PATH: process.env.PATH } },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code ?? 1) : 0, out: stdout + stderr }),
    );
    if (input !== undefined) child.stdin?.write(JSON.stringify(input));
    child.stdin?.end();
  });
}

/** Runs and expects success. */
async function run(line: string, input?: unknown): Promise<string> {
  const { code, out } = await kubectl(line, { input });
  expect(code, `kubectl ${line}: ${out}`).toBe(0);
  return out;
}

describe.skipIf(!path)("kubectl", () => {
  beforeAll(async () => {
    const tls = makeCertificates();
    cluster = createSimulatedCluster({
      name: "demo",
      clock: createClock({ kind: "scaled", factor: 50 }, { seed: 3 }),
      gitVersion: "v1.36.1-eks-0247562",
      serviceCidr: "10.100.0.0/16",
      tls,
      serviceAccountKey: async () => "",
      serviceAccountIssuer: "https://oidc.example.com/id/1",
      members: ZONES.map((zone) => ({ id: zone, zone })),
      tokenAuthenticators: [
        {
          name: "test",
          authenticate: (token) => ({ user: { username: token, groups: token === "admin" ? ["system:masters"] : [] } }),
        },
      ],
    });
    await cluster.start();
    const port = await cluster.listen({ host: "127.0.0.1", port: 0 });
    for (const [index, zone] of ZONES.entries()) {
      await cluster.addNode({
        name: `node-${index}`,
        providerId: `aws:///${zone}/i-${index}`,
        zone,
        labels: { "topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": `node-${index}` },
        addresses: [{ type: "InternalIP", address: `10.0.${index}.10` }],
        capacity: { cpu: "2", memory: "8Gi", pods: "29" },
        allocatable: { cpu: "1930m", memory: "7Gi", pods: "29" },
        nodeInfo: { kubeletVersion: "v1.36.1-eks-0247562" },
        podCidr: `10.0.${index}.0/24`,
      });
    }
    home = mkdtempSync(join(tmpdir(), "eksim-kubectl-"));
    const ca = Buffer.from(tls.caCert).toString("base64");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: `https://127.0.0.1:${port}`, "certificate-authority-data": ca } }],
      users: ["admin", "eve"].map((name) => ({ name, user: { token: name } })),
      contexts: [{ name: "x", context: { cluster: "c", user: "admin" } }],
      "current-context": "x",
    };
    writeFileSync(join(home, "config"), JSON.stringify(config));
    await run("wait --for=condition=Ready nodes --all --timeout=60s");
  });

  afterAll(async () => {
    await cluster.close();
    rmSync(home, { recursive: true, force: true });
  });

  it("rolls a deployment out, scales, exposes and drains it", async () => {
    await run("create deployment web --image=nginx --replicas=3");
    expect(await run("rollout status deployment/web --timeout=60s")).toContain("successfully rolled out");
    expect(await run("get pods -o wide")).toMatch(/web-\S+\s+1\/1\s+Running/);
    await run("scale deployment web --replicas=4");
    await run("expose deployment web --port=80");
    await run("set image deployment/web nginx=nginx:2");
    expect(await run("rollout status deployment/web --timeout=60s")).toContain("successfully rolled out");
    expect(await run("drain node-0 --ignore-daemonsets --force --timeout=30s")).toContain("node/node-0 drained");
    expect(await run("describe deployment web")).toContain("ScalingReplicaSet");
    await run("delete deployment web --cascade=foreground --timeout=30s");
  });

  it("applies client-side and server-side, and shows conflicts", async () => {
    const object = (value: string) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "applied" },
      data: { key: value },
    });
    await run("apply -f -", object("1"));
    expect(await run("apply -f -", object("2"))).toContain("configured");
    expect(await run("apply -f -", object("2"))).toContain("unchanged");
    await run("apply --server-side --field-manager=other --force-conflicts -f -", object("3"));
    const conflicting = await kubectl("apply --server-side --field-manager=third -f -", { input: object("4") });
    expect(conflicting.out).toContain('conflict with "other": .data.key');
    const unknown = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "applied" }, nonsense: 1 };
    expect((await kubectl("apply -f -", { input: unknown })).out).toContain('unknown field "nonsense"');
    expect((await kubectl("diff -f -", { input: object("9") })).out).toContain('+  key: "9"');
  });

  it("is told what it may do and what is not built", async () => {
    expect((await kubectl("auth can-i create pods")).out).toContain("yes");
    expect((await kubectl("auth can-i create pods", { user: "eve" })).out).toContain("no");
    expect((await kubectl("get pods", { user: "eve" })).out).toContain(
      'pods is forbidden: User "eve" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    await run("run p --image=nginx");
    await run("wait --for=condition=Ready pod/p --timeout=60s");
    expect((await kubectl("exec p -- ls")).out).toContain("not implemented");
    expect(await run("logs p")).toBeDefined();
    await run("delete pod p --wait=true --timeout=60s");
  });

  it("explains fields and lists resources", async () => {
    expect(await run("explain deployment.spec.replicas")).toContain("FIELD: replicas <integer>");
    expect(await run("api-resources --api-group=apps")).toContain("statefulsets");
  });
});
