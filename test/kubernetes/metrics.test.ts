import { describe, expect, it } from "vitest";
import { addonObjects } from "../../src/domain/addons/index.js";
import type { APIService } from "../../src/kubernetes/schema/generated/types.js";
import { connect, tokenUsers } from "./cluster-client.js";
import { METRICS_SERVER } from "./metrics-server.js";
import { makeCertificates } from "./server/certificates.js";
import { nodeSpec, startSimulated } from "./simulated-cluster.js";

describe("metrics.k8s.io", () => {
  it("comes with the EKS add-on", async () => {
    const { cluster, clock } = await startSimulated();
    const labels = { "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" };
    for (const spec of [nodeSpec(0), nodeSpec(1)])
      await cluster.addNode({ ...spec, labels: { ...spec.labels, ...labels } });
    const version = "v0.8.0-eksbuild.1";
    const objects = addonObjects({ name: "metrics-server", region: "eu-west-1", server: "", serviceCidr: "", version });
    for (const { resource, object } of objects) await cluster.api.create(resource, object as never);
    await clock.advance(60_000);
    expect(cluster.api.list("nodes.metrics.k8s.io")).toHaveLength(2);
  });

  it("is there as soon as metrics-server is installed and ready, and goes with it", async () => {
    const tls = makeCertificates();
    const { cluster, clock } = await startSimulated({ tls, ...tokenUsers });
    const { call } = await connect(cluster, tls.caCert);
    const { api } = cluster;
    await cluster.addNode(nodeSpec(0));
    await clock.advance(5000);
    expect((await call("/apis/metrics.k8s.io/v1beta1/nodes")).code).toBe(404);
    const [deployment, ...others] = METRICS_SERVER;
    for (const { resource, object } of others) await api.create(resource, object);
    await clock.advance(1000);
    const available = () =>
      api
        .get<APIService>("apiservices.apiregistration.k8s.io", { name: "v1beta1.metrics.k8s.io" })
        ?.status?.conditions?.map(({ type, status, reason, message }) => [type, status, reason, message].join(": "));
    expect(available()).toEqual([
      'Available: False: MissingEndpoints: endpoints for service/metrics-server in "kube-system" have no addresses with port name "https"',
    ]);
    await api.create(deployment.resource, deployment.object);
    await api.create("pods", {
      metadata: {
        name: "busy",
        namespace: "default",
        labels: { app: "busy" },
        annotations: { "eksim.dev/behaviour": JSON.stringify({ usage: { cpu: "700m", memory: "64Mi" } }) },
      },
      spec: {
        containers: [
          { name: "a", image: "nginx", resources: { requests: { cpu: "100m", memory: "100Mi" } } },
          { name: "b", image: "nginx", resources: { limits: { cpu: "200m" } } },
        ],
      },
    });
    await clock.advance(60_000);
    expect(available()).toEqual(["Available: True: Passed: all checks passed"]);
    const discovered = await call("/apis/metrics.k8s.io/v1beta1");
    expect(
      discovered.body.resources.map(({ name, kind }: { name: string; kind: string }) => `${name} ${kind}`),
    ).toEqual(["nodes NodeMetrics", "pods PodMetrics"]);
    const pods = (await call("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods?labelSelector=app%3Dbusy")).body;
    expect([pods.kind, pods.items.length]).toEqual(["PodMetricsList", 1]);
    expect(pods.items[0]).toMatchObject({
      metadata: { name: "busy", namespace: "default", labels: { app: "busy" } },
      window: "15s",
      containers: [
        { name: "a", usage: { cpu: "700000000n", memory: "65536Ki" } },
        { name: "b", usage: { cpu: "200000000n", memory: "65536Ki" } },
      ],
    });
    const node = (await call("/apis/metrics.k8s.io/v1beta1/nodes/node-0")).body;
    expect(node.kind).toBe("NodeMetrics");
    expect(Number.parseInt(node.usage.cpu, 10)).toBeGreaterThan(900_000_000);
    expect((await call("/apis/metrics.k8s.io/v1beta1/nodes", { method: "POST", body: {} })).code).toBe(405);
    expect((await call("/apis/metrics.k8s.io/v1beta1/namespaces/default/pods/none")).code).toBe(404);
    // A silent node tells nothing, and the only metrics-server is on it.
    cluster.setNodePower("node-0", "frozen");
    await clock.advance(60_000);
    expect((await call("/apis/metrics.k8s.io/v1beta1/nodes")).code).toBeGreaterThanOrEqual(404);
    cluster.setNodePower("node-0", "running");
    await clock.advance(60_000);
    expect((await call("/apis/metrics.k8s.io/v1beta1/nodes")).body.items).toHaveLength(1);
    await api.delete("apiservices.apiregistration.k8s.io", { name: "v1beta1.metrics.k8s.io" });
    await clock.advance(1000);
    expect((await call("/apis/metrics.k8s.io/v1beta1/nodes")).code).toBe(404);
  });
});
