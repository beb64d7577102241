import { describe, expect, it } from "vitest";
import { limitReplicas, newHistory, noteScaling } from "../../../src/kubernetes/controllers/hpa/limits.js";
import { type PodSample, replicasByPods } from "../../../src/kubernetes/controllers/hpa/replicas.js";
import type { Deployment, Pod, V2HorizontalPodAutoscaler } from "../../../src/kubernetes/schema/generated/types.js";
import { METRICS_SERVER } from "../metrics-server.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const HPA = "horizontalpodautoscalers.autoscaling";
const KEY = { namespace: "default", name: "web" };
const usage = (cpu: string) => ({ "eksim.dev/behaviour": JSON.stringify({ usage: { cpu } }) });

const workload = (cpu: string, replicas: number) => ({
  metadata: KEY,
  spec: {
    replicas,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" }, annotations: usage(cpu) },
      spec: { containers: [{ name: "c", image: "nginx", resources: { requests: { cpu: "100m" } } }] },
    },
  },
});
const autoscaler = (spec: Partial<V2HorizontalPodAutoscaler["spec"]> = {}) => ({
  metadata: KEY,
  spec: {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
    minReplicas: 1,
    maxReplicas: 6,
    ...spec,
  },
});

async function worldOf() {
  const { cluster, clock } = await startSimulated();
  const { api } = cluster;
  for (const index of [0, 1]) await cluster.addNode(nodeSpec(index));
  await clock.advance(5000);
  return {
    api,
    clock,
    async installMetrics() {
      for (const { resource, object } of METRICS_SERVER) await api.create(resource, object);
    },
    replicas: () => api.get<Deployment>("deployments.apps", KEY)?.spec?.replicas,
    async use(cpu: string) {
      for (const pod of api.list<Pod>("pods", { namespace: "default" }))
        await api.patch("pods", pod.metadata, "merge", { metadata: { annotations: usage(cpu) } });
    },
    conditions: () =>
      Object.fromEntries(
        (api.get<V2HorizontalPodAutoscaler>(HPA, KEY)?.status?.conditions ?? []).map(
          ({ type, status, reason, message }) => [type, `${status} ${reason}: ${message}`],
        ),
      ),
    status: () => api.get<V2HorizontalPodAutoscaler>(HPA, KEY)?.status,
    events: () =>
      api
        .list("events", { namespace: "default", fieldSelector: "involvedObject.kind=HorizontalPodAutoscaler" })
        .map(({ reason, message }) => `${reason}: ${message}`),
  };
}

describe("the horizontal pod autoscaler", () => {
  it("has no metrics before metrics-server, then follows CPU up at once and down after five minutes", async () => {
    const world = await worldOf();
    const { api, clock } = world;
    await api.create("deployments.apps", workload("50m", 2));
    await api.create(HPA, autoscaler());
    await clock.advance(30_000);
    const missing =
      "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)";
    expect(world.conditions()).toEqual({
      AbleToScale: "True SucceededGetScale: the HPA controller was able to get the target's current scale",
      ScalingActive: `False FailedGetResourceMetric: the HPA was unable to compute the replica count: ${missing}`,
    });
    expect(world.events()).toEqual([
      `FailedGetResourceMetric: ${missing}`,
      `FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), first error is: ${missing}`,
    ]);
    expect(world.replicas()).toBe(2);
    await world.installMetrics();
    await clock.advance(120_000);
    expect(world.conditions()).toMatchObject({
      AbleToScale: "True ReadyForNewScale: recommended size matches current size",
      ScalingActive:
        "True ValidMetricFound: the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)",
      ScalingLimited: "False DesiredWithinRange: the desired count is within the acceptable range",
    });
    expect(world.status()?.currentMetrics).toEqual([
      { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 50, averageValue: "50m" } } },
    ]);
    await world.use("150m");
    await clock.advance(16_000);
    expect(world.replicas()).toBe(4);
    expect(world.status()).toMatchObject({ desiredReplicas: 4, lastScaleTime: expect.any(String) });
    expect(world.events()).toContain(
      "SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target",
    );
    await world.use("10m");
    await clock.advance(120_000);
    expect(world.replicas()).toBe(4);
    expect(world.conditions().AbleToScale).toMatch(/^True ScaleDownStabilized: recent recommendations were higher/);
    await clock.advance(300_000);
    expect(world.replicas()).toBe(1);
    expect(world.events()).toContain("SuccessfulRescale: New size: 1; reason: All metrics below target");
  });

  it("keeps between minimum and maximum, leaves targets of zero alone, and says what it cannot find", async () => {
    const world = await worldOf();
    const { api, clock } = world;
    await api.create(HPA, autoscaler({ minReplicas: 3 }));
    await clock.advance(20_000);
    expect(world.conditions().AbleToScale).toBe(
      'False FailedGetScale: the HPA controller was unable to get the target\'s current scale: deployments.apps "web" not found',
    );
    await api.create("deployments.apps", workload("50m", 1));
    await clock.advance(20_000);
    expect(world.replicas()).toBe(3);
    expect(world.events()).toContain(
      "SuccessfulRescale: New size: 3; reason: Current number of replicas below Spec.MinReplicas",
    );
    await api.patch("deployments.apps", KEY, "merge", { spec: { replicas: 9 } });
    await clock.advance(20_000);
    expect(world.replicas()).toBe(6);
    await api.patch("deployments.apps", KEY, "merge", { spec: { replicas: 0 } });
    await clock.advance(40_000);
    expect(world.replicas()).toBe(0);
    expect(world.conditions().ScalingActive).toBe(
      "False ScalingDisabled: scaling is disabled since the replica count of the target is zero",
    );
  });

  it("does nothing while another autoscaler has the same pods", async () => {
    const world = await worldOf();
    const { api, clock } = world;
    await api.create("deployments.apps", workload("50m", 2));
    await api.create(HPA, autoscaler({ minReplicas: 3 }));
    await clock.advance(10_000);
    await api.create(HPA, { ...autoscaler({ minReplicas: 5 }), metadata: { ...KEY, name: "other" } });
    await clock.advance(20_000);
    expect(world.replicas()).toBe(3);
    expect(world.conditions().ScalingActive).toBe(
      "False AmbiguousSelector: pods by selector app=web are controlled by multiple HPAs: [default/other default/web]",
    );
    await api.delete(HPA, KEY);
    await clock.advance(20_000);
    expect(world.replicas()).toBe(5);
  });

  it("scales custom resources, and by metrics that its annotation plays", async () => {
    const world = await worldOf();
    const { api, clock } = world;
    await api.create("customresourcedefinitions.apiextensions.k8s.io", {
      metadata: { name: "workers.example.com" },
      spec: {
        group: "example.com",
        names: { kind: "Worker", plural: "workers" },
        scope: "Namespaced",
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
            subresources: {
              status: {},
              scale: {
                specReplicasPath: ".spec.size",
                statusReplicasPath: ".status.size",
                labelSelectorPath: ".status.selector",
              },
            },
          },
        ],
      },
    });
    await clock.advance(2000);
    const worker = await api.create("workers.example.com", { metadata: KEY, spec: { size: 2 } });
    await api.updateStatus("workers.example.com", { ...worker, status: { size: 2, selector: "app=web" } });
    await api.create(HPA, {
      ...autoscaler({
        scaleTargetRef: { apiVersion: "example.com/v1", kind: "Worker", name: "web" },
        metrics: [
          {
            type: "External",
            external: { metric: { name: "queue" }, target: { type: "AverageValue", averageValue: "10" } },
          },
        ],
      }),
      metadata: { ...KEY, annotations: { "eksim.dev/metrics": JSON.stringify({ queue: "48" }) } },
    });
    await clock.advance(5000);
    expect(api.get("workers.example.com", KEY)?.spec).toEqual({ size: 4 });
    await clock.advance(35_000);
    expect(api.get("workers.example.com", KEY)?.spec).toEqual({ size: 5 });
    expect(world.status()?.currentMetrics?.[0]?.external?.current).toEqual({ averageValue: "9600m" });
  });
});

describe("the autoscaler's arithmetic", () => {
  const pod = (name: string, extra: Record<string, unknown> = {}): Pod =>
    ({
      metadata: { name },
      spec: { containers: [{ name: "c", resources: { requests: { cpu: "1" } } }] },
      status: {
        phase: "Running",
        startTime: "2026-01-01T00:00:00Z",
        conditions: [{ type: "Ready", status: "True", lastTransitionTime: "2026-01-01T00:00:10Z" }],
      },
      ...extra,
    }) as unknown as Pod;
  const nowMs = Date.parse("2026-01-01T01:00:00Z");
  const calculate = (
    values: (number | undefined)[],
    utilization: number,
    pods = values.map((_, i) => pod(`p${i}`)),
  ) => {
    const samples = new Map<string, PodSample>();
    values.forEach((milli, i) => {
      if (milli !== undefined) samples.set(`p${i}`, { milli, timestampMs: nowMs, windowMs: 15_000 });
    });
    const target = { utilization };
    return replicasByPods({
      pods,
      samples,
      currentReplicas: pods.length,
      resource: "cpu",
      target,
      tolerances: {},
      nowMs,
    }).replicas;
  };

  it.each([
    ["scales up", [300, 500, 700], 30, 5],
    ["scales down", [100, 300, 500, 250, 250], 50, 3],
    ["stays within the tolerance", [1010, 1030, 1020], 100, 3],
    ["takes pods without metrics for idle when it scales up", [1000, undefined], 50, 2],
    ["takes pods without metrics for busy when it scales down", [100, undefined, 100], 50, 3],
  ] as const)("%s", (_, values, target, expected) => {
    expect(calculate([...values], target)).toBe(expected);
  });

  it("leaves out pods that are going, and takes unready ones for idle", () => {
    const going = pod("p1", { metadata: { name: "p1", deletionTimestamp: "2026-01-01T00:59:00Z" } });
    expect(calculate([600, 600], 30, [pod("p0"), going])).toBe(2);
    const pending = pod("p1", { status: { phase: "Pending" } });
    expect(calculate([900, undefined], 30, [pod("p0"), pending])).toBe(3);
  });

  const limits = (input: Partial<Parameters<typeof limitReplicas>[0]>) =>
    limitReplicas({
      current: 10,
      desired: 10,
      least: 1,
      most: 100,
      behavior: undefined,
      history: newHistory(),
      nowMs,
      ...input,
    });

  it("limits how fast replicas grow and shrink", () => {
    expect(limits({ desired: 50 })).toMatchObject({ replicas: 20, limit: { reason: "ScaleUpLimit" } });
    expect(limits({ desired: 50, most: 15 })).toMatchObject({ replicas: 15, limit: { reason: "TooManyReplicas" } });
    const behavior = {
      scaleUp: { policies: [{ type: "Pods", value: 2, periodSeconds: 60 }], selectPolicy: "Max" },
      scaleDown: {
        stabilizationWindowSeconds: 0,
        policies: [
          { type: "Percent", value: 10, periodSeconds: 60 },
          { type: "Pods", value: 3, periodSeconds: 60 },
        ],
        selectPolicy: "Min",
      },
    };
    expect(limits({ desired: 50, behavior })).toMatchObject({ replicas: 12, limit: { reason: "ScaleUpLimit" } });
    expect(limits({ desired: 1, behavior })).toMatchObject({ replicas: 9, limit: { reason: "ScaleDownLimit" } });
    const history = newHistory();
    noteScaling(history, 10, 12, nowMs - 30_000);
    expect(limits({ current: 12, desired: 50, behavior, history }).replicas).toBe(12);
    expect(limits({ desired: 50, behavior: { scaleUp: { selectPolicy: "Disabled" } } }).replicas).toBe(10);
  });

  it("waits as long as the stabilization windows say, in both directions", () => {
    const history = newHistory();
    const behavior = { scaleUp: { stabilizationWindowSeconds: 60, policies: [] }, scaleDown: { policies: [] } };
    expect(limits({ history, behavior }).replicas).toBe(10);
    const next = { history, behavior, nowMs: nowMs + 30_000, desired: 14 };
    expect(limits(next)).toMatchObject({ replicas: 10, able: { reason: "ScaleUpStabilized" } });
    expect(limits({ ...next, nowMs: nowMs + 95_000 })).toMatchObject({
      replicas: 14,
      able: { reason: "ReadyForNewScale" },
    });
  });
});
