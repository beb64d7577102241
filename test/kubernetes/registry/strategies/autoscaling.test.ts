import { describe, expect, it } from "vitest";
import { StatusError } from "../../../../src/kubernetes/errors.js";
import type { V2HorizontalPodAutoscaler } from "../../../../src/kubernetes/schema/generated/types.js";
import { startApi } from "../../auth/simulated-api.js";

type Spec = V2HorizontalPodAutoscaler["spec"];

const resource = (target: Record<string, unknown>) => [{ type: "Resource", resource: { name: "cpu", target } }];
const up = (scaleUp: Record<string, unknown>) => ({ behavior: { scaleUp } });

describe("autoscalers", () => {
  it.each([
    [{ maxReplicas: 0 }, "spec.maxReplicas: Invalid value: 0: must be greater than 0"],
    [{ minReplicas: 5, maxReplicas: 2 }, "must be greater than or equal to `minReplicas`"],
    [{ scaleTargetRef: { kind: "Deployment" } }, "spec.scaleTargetRef.name: Required value"],
    [
      { metrics: [{ type: "Pods" }] },
      "spec.metrics[0].pods: Required value: must populate information for the given metric source",
    ],
    [
      { metrics: resource({ type: "Utilization" }) },
      "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw value or a target utilization",
    ],
    [
      { metrics: resource({ type: "Utilization", averageUtilization: 0 }) },
      "averageUtilization: Invalid value: 0: must be greater than 0",
    ],
    [
      { metrics: resource({ type: "Utilization", averageUtilization: 50, averageValue: "1" }) },
      "may not set both a target raw value and a target utilization",
    ],
    [up({ stabilizationWindowSeconds: 4000 }), "must be less than or equal to 3600"],
    [up({ policies: [] }), "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy"],
    [up({ policies: [{ type: "Pods", value: 0, periodSeconds: 15 }] }), "must be greater than zero"],
    [up({ policies: [{ type: "Pods", value: 1, periodSeconds: 1801 }] }), "must be less than or equal to 1800"],
    [up({ selectPolicy: "Most" }), 'Unsupported value: "Most"'],
  ])("with %j are refused", async (spec, message) => {
    const { api } = await startApi({ bare: true });
    const valid = { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" }, maxReplicas: 3 };
    const work = api.create("horizontalpodautoscalers.autoscaling", {
      metadata: { name: "web", namespace: "default" },
      spec: { ...valid, ...spec } as unknown as Spec,
    });
    await expect(work).rejects.toThrow(StatusError);
    await expect(work).rejects.toThrow(message);
  });

  it("are given the documented defaults", async () => {
    const { api } = await startApi({ bare: true });
    const created = await api.create<V2HorizontalPodAutoscaler>("horizontalpodautoscalers.autoscaling", {
      metadata: { name: "web", namespace: "default" },
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
        maxReplicas: 3,
        behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
      },
    });
    expect(created.spec).toMatchObject({
      minReplicas: 1,
      metrics: [{ type: "Resource", resource: { name: "cpu", target: { averageUtilization: 80 } } }],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          selectPolicy: "Max",
          policies: [{ type: "Pods" }, { type: "Percent" }],
        },
        scaleDown: { stabilizationWindowSeconds: 60, selectPolicy: "Max", policies: [{ type: "Percent", value: 100 }] },
      },
    });
  });
});
