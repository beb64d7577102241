import { expect, it } from "vitest";
import { deploymentChanges, nodeChanges } from "../../src/domain/observed-changes.js";

it("of a node's heartbeats nothing is told, of its readiness, its health and its end everything", () => {
  const told: unknown[] = [];
  const change = nodeChanges((one) => told.push(one));
  const node = (...conditions: { type: string; status: string; reason?: string }[]) => ({
    metadata: { name: "n" },
    status: { conditions },
  });
  const ready = { type: "Ready", status: "True", reason: "KubeletReady" };
  const full = { type: "StorageReady", status: "False", reason: "DiskFull" };
  change({ type: "ADDED", object: node(ready) });
  change({ type: "MODIFIED", object: node(ready) });
  change({ type: "MODIFIED", object: node(ready, full) });
  change({ type: "MODIFIED", object: node({ type: "Ready", status: "Unknown", reason: "NodeStatusUnknown" }) });
  change({ type: "DELETED", object: node(ready) });
  const of = { kind: "node", nodeName: "n" };
  expect(told).toEqual([
    { ...of, ready: true, present: true, unhealthy: [] },
    { ...of, ready: true, present: true, unhealthy: [{ type: "StorageReady", reason: "DiskFull" }] },
    {
      ...of,
      ready: false,
      present: true,
      reason: "NodeStatusUnknown",
      unhealthy: [{ type: "Ready", reason: "NodeStatusUnknown" }],
    },
    { ...of, ready: false, present: false, reason: "KubeletReady", unhealthy: [] },
  ]);
});

it("of Deployments only those of the manager are told, when they begin or cease to have their replicas", () => {
  const told: unknown[] = [];
  const change = deploymentChanges("eks", (one) => told.push(one));
  const deployment = (name: string, manager: string, availableReplicas: number) => ({
    metadata: { name, namespace: "kube-system", generation: 1, managedFields: [{ manager, operation: "Apply" }] },
    spec: { replicas: 2 },
    status: { observedGeneration: 1, updatedReplicas: 2, availableReplicas },
  });
  change({ type: "ADDED", object: deployment("coredns", "eks", 1) });
  change({ type: "ADDED", object: deployment("web", "kubectl", 2) });
  change({ type: "MODIFIED", object: deployment("coredns", "eks", 2) });
  change({ type: "MODIFIED", object: deployment("coredns", "eks", 2) });
  change({ type: "DELETED", object: deployment("coredns", "eks", 2) });
  const of = { kind: "deployment", namespace: "kube-system", name: "coredns" };
  expect(told).toEqual([
    { ...of, ready: false },
    { ...of, ready: true },
    { ...of, ready: false },
  ]);
});
