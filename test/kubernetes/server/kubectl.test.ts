import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClock } from "../../../src/clock/create-clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import { createSimulatedCluster } from "../../../src/kubernetes/create-cluster.js";
import { rsaKey } from "../rsa-key.js";
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
      serviceAccountKey: async () => rsaKey(),
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

  it("is told what it may do", async () => {
    expect((await kubectl("auth can-i create pods")).out).toContain("yes");
    expect((await kubectl("auth can-i create pods", { user: "eve" })).out).toContain("no");
    expect((await kubectl("get pods", { user: "eve" })).out).toContain(
      'pods is forbidden: User "eve" cannot list resource "pods" in API group "" in the namespace "default"',
    );
    await run("run p --image=nginx");
    await run("wait --for=condition=Ready pod/p --timeout=60s");
    expect((await kubectl("exec p -- ls")).out).toContain("etc");
    await run("logs p");
    await run("delete pod p --wait=true --timeout=60s");
  });

  it("shows nodes and pods in tables and descriptions", async () => {
    await run("create deployment seen --image=nginx --replicas=1");
    await run("rollout status deployment/seen --timeout=60s");
    const [nodes, node, pod, all, events] = await Promise.all([
      run("get nodes -o wide"),
      run("describe node node-1"),
      run("describe pod -l app=seen"),
      run("get all"),
      run("events --for deployment/seen"),
    ]);
    expect(nodes).toMatch(/node-1\s+Ready\s+<none>\s+\S+\s+v1.36.1-eks-0247562\s+10.0.1.10/);
    expect(node).toMatch(/Lease:\s+HolderIdentity:\s+node-1/);
    expect(node).toMatch(/Ready\s+True .*KubeletReady/);
    expect(node).toMatch(/Normal\s+NodeReady\s+\S+\s+kubelet\s+Node node-1 status is now: NodeReady/);
    expect(node).not.toContain("<unknown>");
    expect(pod).toMatch(/Normal\s+Scheduled .*default-scheduler\s+Successfully assigned default\/seen-/);
    expect(pod.indexOf("Pulling")).toBeLessThan(pod.indexOf("Container started"));
    expect(all).toMatch(/deployment.apps\/seen\s+1\/1/);
    expect(events).toContain("Scaled up replica set seen-");
    await run("delete deployment seen");
  });

  it("rolls back, restarts and tells the history of a deployment", async () => {
    await run("create deployment hist --image=nginx:1");
    await run("set image deployment/hist nginx=nginx:2");
    await run("annotate deployment/hist kubernetes.io/change-cause=second");
    await run("rollout status deployment/hist --timeout=60s");
    expect(await run("rollout history deployment/hist")).toMatch(/1\s+<none>\n2\s+second/);
    expect(await run("rollout history deployment/hist --revision=2")).toContain("nginx:2");
    await run("rollout undo deployment/hist");
    await run("rollout restart deployment/hist");
    expect(await run("rollout status deployment/hist --timeout=60s")).toContain("successfully rolled out");
    expect(await run("get deployment hist -o jsonpath={.spec.template.spec.containers[0].image}")).toBe("nginx:1");
    await run("rollout pause deployment/hist");
    expect(await run("get deployment hist -o jsonpath={.spec.paused}")).toBe("true");
    await run("delete deployment hist --cascade=background");
  });

  it("patches, labels, annotates, taints and cordons", async () => {
    await run("create configmap edited --from-literal=a=1");
    await Promise.all([
      run(`patch configmap edited -p {"data":{"b":"2"}}`),
      run(`patch configmap edited --type=merge -p {"data":{"c":"3"}}`),
      run("label configmap edited team=red"),
      run("annotate configmap edited note=x"),
    ]);
    await run(`patch configmap edited --type=json -p [{"op":"remove","path":"/data/a"}]`);
    expect(await run("get configmap edited -o jsonpath={.data}{.metadata.labels}{.metadata.annotations}")).toBe(
      '{"b":"2","c":"3"}{"team":"red"}{"note":"x"}',
    );
    expect(await run("get configmap -l team=red -o name")).toBe("configmap/edited\n");
    await run("cordon node-2");
    expect(await run("get node node-2")).toContain("Ready,SchedulingDisabled");
    await run("uncordon node-2");
    await run("taint node node-2 team=red:NoSchedule");
    expect(await run("get node node-2 -o jsonpath={.spec.taints}")).toContain('"key":"team"');
    await run("taint node node-2 team-");
    await run("delete configmap edited");
  });

  it("shows the logs of a pod, and how a command ended", async () => {
    await run("run once --image=busybox --restart=Never --command -- sh -c echo;exit");
    await run("wait --for=jsonpath={.status.phase}=Succeeded pod/once --timeout=60s");
    expect(await run("logs once --timestamps=false")).toBe("\n");
    expect(await run("get pod once")).toMatch(/once\s+0\/1\s+Completed/);
    await run("delete pod once --now");
  });

  it("hears of what is not simulated", async () => {
    await run("create deployment quiet --image=nginx --replicas=0");
    expect(await run("autoscale deployment quiet --max=3")).toContain("quiet autoscaled");
    expect(await run("get hpa quiet")).toMatch(/Deployment\/quiet\s+cpu: <unknown>\/80%\s+1\s+3/);
    expect((await kubectl("top nodes")).out).toContain("Metrics API not available");
    const components = await kubectl("get componentstatuses");
    expect(components.out).toContain("Warning: v1 ComponentStatus is deprecated in v1.19+");
    expect(components.out).toMatch(/controller-manager +Healthy +ok.*\netcd-0 +Healthy +ok.*\nscheduler +Healthy +ok/);
    expect(await run("get cs scheduler -o jsonpath={.conditions[0].type}")).toContain("Healthy");
    expect((await kubectl("get cs none")).out).toContain("Component not found: none");
    await run("delete hpa,deployment quiet");
    await run("create namespace strict");
    await run("label namespace strict pod-security.kubernetes.io/warn=restricted");
    expect(await run("run p --image=nginx -n strict")).toContain(
      'Warning: would violate PodSecurity "restricted:latest"',
    );
    expect(await run("delete namespace strict --timeout=30s")).toContain("deleted");
  });

  it("serves custom resources with their columns, and takes them with their namespace", async () => {
    const columns = [
      { name: "Size", type: "integer", jsonPath: ".spec.size" },
      { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
    ];
    const properties = { spec: { type: "object", properties: { size: { type: "integer" } } } };
    await run("apply -f -", {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "widgets", kind: "Widget", shortNames: ["wd"] },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", properties } },
            additionalPrinterColumns: columns,
          },
        ],
      },
    });
    await run("wait --for=condition=Established crd/widgets.example.com --timeout=30s");
    await run("create namespace toys");
    const widget = (size: number) => ({
      apiVersion: "example.com/v1",
      kind: "Widget",
      metadata: { name: "w", namespace: "toys" },
      spec: { size },
    });
    await run("apply -f -", widget(3));
    expect(await run("apply --server-side --force-conflicts -f -", widget(4))).toContain("serverside-applied");
    expect(await run("get wd -n toys")).toMatch(/NAME\s+SIZE\s+AGE\nw\s+4\s+\d+/);
    expect(await run("explain widget.spec.size")).toContain("FIELD: size <integer>");
    await run("delete namespace toys --timeout=30s");
    expect((await kubectl("get wd -A")).out).toContain("No resources found");
    await run("delete crd widgets.example.com --timeout=30s");
  });

  it("explains fields and lists resources", async () => {
    expect(await run("explain deployment.spec.replicas")).toContain("FIELD: replicas <integer>");
    expect(await run("api-resources --api-group=apps")).toContain("statefulsets");
  });
});
