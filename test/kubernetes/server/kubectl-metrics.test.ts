import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import { newCertificateRequest } from "../auth/new-certificate-request.js";
import { connect, tokenUsers } from "../cluster-client.js";
import { METRICS_SERVER } from "../metrics-server.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";
import { kubectlPath } from "../wire/kubectl.js";
import { makeCertificates } from "./certificates.js";

/** The real kubectl's sub-commands about metrics, scaling, services and certificates. */
const path = kubectlPath();

let cluster: SimulatedCluster;
let clock: SteppedClock;
let home: string;

/** What kubectl says: both its outputs, and its exit code in front where it is not 0. */
function kubectl(line: string, input?: unknown): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(
      path as string,
      ["--kubeconfig", join(home, "config"), ...line.split(" ")],
      { env: { HOME: home, PATH: process.env.PATH } },
      (error, stdout, stderr) => resolve(`${error ? `${error.code}: ` : ""}${stdout}${stderr}`),
    );
    child.stdin?.end(input === undefined ? "" : JSON.stringify(input));
  });
}
const rows = (text: string): string[][] =>
  text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s{2,}/));

describe.skipIf(!path)("kubectl", () => {
  beforeEach(async () => {
    const tls = makeCertificates();
    const loadBalancers = { serves: () => true, ingressOf: () => [{ hostname: "lb.example.com" }] };
    ({ cluster, clock } = await startSimulated({ tls, loadBalancers, ...tokenUsers }));
    const { port } = await connect(cluster, tls.caCert);
    for (const index of [0, 1]) await cluster.addNode(nodeSpec(index));
    await clock.advance(10_000);
    home = mkdtempSync(join(tmpdir(), "eksim-kubectl-"));
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "admin" } }],
      users: [{ name: "admin", user: { token: "admin" } }],
      clusters: [
        {
          name: "c",
          cluster: {
            server: `https://127.0.0.1:${port}`,
            "certificate-authority-data": Buffer.from(tls.caCert).toString("base64"),
          },
        },
      ],
    };
    writeFileSync(join(home, "config"), JSON.stringify(config));
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  it("shows what nodes and pods use once there is a metrics-server, and scales by it", async () => {
    expect(await kubectl("top nodes")).toBe("1: error: Metrics API not available\n");
    for (const { resource, object } of METRICS_SERVER) await cluster.api.create(resource, object);
    const behaviour = { "eksim.dev/behaviour": JSON.stringify({ usage: { cpu: "180m", memory: "64Mi" } }) };
    await kubectl("apply -f -", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "default" },
      spec: {
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" }, annotations: behaviour },
          spec: { containers: [{ name: "c", image: "nginx", resources: { requests: { cpu: "100m" } } }] },
        },
      },
    });
    await clock.advance(60_000);
    const nodes = rows(await kubectl("top nodes"));
    expect(nodes[0]?.slice(0, 2)).toEqual(["NAME", "CPU(cores)"]);
    expect(nodes.slice(1).map(([name]) => name)).toEqual(["node-0", "node-1"]);
    const pods = rows(await kubectl("top pods -l app=web --containers"));
    expect(pods[1]?.slice(1)).toEqual(["c", "180m", "64Mi"]);
    expect(await kubectl("autoscale deployment web --min=1 --max=2 --cpu-percent=90")).toContain("autoscaled");
    await clock.advance(1000);
    const [, hpa] = rows(await kubectl("get hpa"));
    expect(hpa).toEqual([
      "web",
      "Deployment/web",
      expect.stringMatching(/^cpu: \d+%\/90%$/),
      "1",
      "2",
      "1",
      expect.anything(),
    ]);
    await clock.advance(60_000);
    expect(cluster.api.get("deployments.apps", { namespace: "default", name: "web" })?.spec).toMatchObject({
      replicas: 2,
    });
    const described = await kubectl("describe hpa web");
    for (const text of ["SuccessfulRescale", "ScalingActive   True", "resource cpu on pods"])
      expect(described).toContain(text);
  });

  it("exposes workloads, describes services, and approves certificate requests", async () => {
    expect(await kubectl("create deployment web --image=nginx --replicas=2 --port=80")).toContain("created");
    expect(await kubectl("expose deployment web --type=LoadBalancer --port=8080 --target-port=80")).toContain(
      "exposed",
    );
    await clock.advance(15_000);
    const [, service] = rows(await kubectl("get service web"));
    expect(service?.[3]).toBe("lb.example.com");
    const described = await kubectl("describe service web");
    expect(described).toMatch(/LoadBalancer Ingress: +lb\.example\.com/);
    expect(described).toMatch(/Endpoints: +10\.0\.\d+\.\d+:80,10\.0\.\d+\.\d+:80/);
    expect(described).toContain("EnsuredLoadBalancer");
    const { request } = newCertificateRequest({ commonName: "jane" });
    await kubectl("create -f -", {
      apiVersion: "certificates.k8s.io/v1",
      kind: "CertificateSigningRequest",
      metadata: { name: "jane" },
      spec: {
        request,
        signerName: "kubernetes.io/kube-apiserver-client",
        usages: ["client auth"],
        expirationSeconds: 7200,
      },
    });
    expect(await kubectl("certificate approve jane")).toContain("approved");
    await clock.settled();
    const [, csr] = rows(await kubectl("get csr"));
    expect(csr?.slice(2)).toEqual(["kubernetes.io/kube-apiserver-client", "admin", "120m", "Approved,Issued"]);
  });
});
