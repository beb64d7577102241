import { describe, expect, it } from "vitest";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { ConfigMap, Namespace, ServiceAccount } from "../../../src/kubernetes/schema/generated/types.js";
import { deployment, startWorld } from "./world.js";

describe("namespaces", () => {
  it("have a default service account and the cluster's CA, which come back when deleted", async () => {
    const world = await startWorld();
    await world.api.create<Namespace>("namespaces", { metadata: { name: "team" } });
    await world.seconds(1);
    expect(world.get<ConfigMap>("configmaps", "kube-root-ca.crt", "team")?.data).toEqual({ "ca.crt": "CERT" });
    await world.api.delete("serviceaccounts", { namespace: "team", name: "default" });
    const present = world.get<ConfigMap>("configmaps", "kube-root-ca.crt", "team") as ConfigMap;
    await world.api.update<ConfigMap>("configmaps", { ...present, data: { "ca.crt": "forged", more: "x" } });
    await world.seconds(1);
    expect(world.get<ServiceAccount>("serviceaccounts", "default", "team")).toBeDefined();
    expect(world.get<ConfigMap>("configmaps", "kube-root-ca.crt", "team")?.data).toEqual({ "ca.crt": "CERT" });
  });

  it("go with everything inside, and nothing new comes up meanwhile", async () => {
    const world = await startWorld();
    await world.addNode("n1");
    await world.api.create<Namespace>("namespaces", { metadata: { name: "team" } });
    await world.seconds(1);
    const web = deployment("web", 3);
    await world.api.create("deployments.apps", { ...web, metadata: { ...web.metadata, namespace: "team" } });
    await world.api.create("services", {
      metadata: { name: "web", namespace: "team" },
      spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
    } as never);
    await world.seconds(5);
    await world.api.delete("namespaces", { name: "team" });
    await world.seconds(5);
    expect(world.get("namespaces", "team")).toBeUndefined();
    for (const resource of [
      "pods",
      "deployments.apps",
      "replicasets.apps",
      "services",
      "endpoints",
      "endpointslices.discovery.k8s.io",
      "configmaps",
      "serviceaccounts",
    ]) {
      expect(world.api.list(resource, { namespace: "team" }), resource).toEqual([]);
    }
    expect(world.warnings).toEqual([]);
  });

  it("tell what still holds them", async () => {
    const world = await startWorld();
    await world.api.create<Namespace>("namespaces", { metadata: { name: "team" } });
    await world.api.create<ConfigMap>("configmaps", {
      metadata: { name: "held", namespace: "team", finalizers: ["example.com/hold"] },
    });
    await world.seconds(1);
    await world.api.delete("namespaces", { name: "team" });
    await world.seconds(5);
    const conditions = world.get<Namespace>("namespaces", "team")?.status?.conditions;
    expect(world.get<Namespace>("namespaces", "team")?.status?.phase).toBe("Terminating");
    expect(conditionOf(conditions, "NamespaceContentRemaining")).toMatchObject({
      status: "True",
      message: "Some resources are remaining: configmaps. has 1 resource instances",
    });
    expect(conditionOf(conditions, "NamespaceFinalizersRemaining")).toMatchObject({
      status: "True",
      message: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
    });
    const held = world.get<ConfigMap>("configmaps", "held", "team") as ConfigMap;
    await world.api.update<ConfigMap>("configmaps", { ...held, metadata: { ...held.metadata, finalizers: [] } });
    await world.seconds(2);
    expect(world.get("namespaces", "team")).toBeUndefined();
  });
});
