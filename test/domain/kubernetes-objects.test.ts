import { expect, it } from "vitest";
import { countZones, ZONE_LABEL } from "../../src/domain/kubernetes-objects.js";

const ready = { conditions: [{ type: "Ready", status: "True" }] };

it("a zone's pods are those that live: the evicted and the completed are no pods that are not ready", () => {
  const pod = (name: string, status: object, nodeName?: string) => ({
    metadata: { name },
    spec: { nodeName },
    status,
  });
  const counted = countZones({
    nodes: [{ metadata: { name: "n1", labels: { [ZONE_LABEL]: "us-east-1a" } }, status: ready }],
    pods: [
      pod("web", ready, "n1"),
      pod("starting", { phase: "Pending" }, "n1"),
      pod("evicted", { phase: "Failed" }, "n1"),
      pod("job", { phase: "Succeeded" }, "n1"),
      pod("waiting", { phase: "Pending" }),
      pod("never-placed", { phase: "Failed" }),
    ],
    members: [],
  });
  expect(counted.zones["us-east-1a"]).toMatchObject({ pods: 2, readyPods: 1 });
  expect(counted.pendingPods).toBe(1);
});
