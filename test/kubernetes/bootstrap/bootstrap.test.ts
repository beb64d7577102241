import { beforeAll, describe, expect, it } from "vitest";
import { aggregatedRules } from "../../../src/kubernetes/auth/aggregate-cluster-roles.js";
import { CLUSTER_ROLES } from "../../../src/kubernetes/auth/rbac.js";
import { bootstrapObjects } from "../../../src/kubernetes/bootstrap/index.js";
import type { ClusterRole, Namespace, PriorityClass, Service } from "../../../src/kubernetes/schema/generated/types.js";
import { type SimulatedApi, startApi } from "../auth/simulated-api.js";

describe("a new cluster", () => {
  let world: SimulatedApi;
  beforeAll(async () => {
    world = await startApi();
  });

  it("has only objects that the API server accepts, each once", () => {
    const objects = bootstrapObjects({ serviceCidr: "10.100.0.0/16" });
    const keys = objects.map(
      ({ resource, object: { metadata } }) => `${resource}/${metadata.namespace ?? ""}/${metadata.name}`,
    );
    expect(new Set(keys).size).toBe(keys.length);
    expect(objects.length).toBeGreaterThan(150);
  });

  it("has the four system namespaces, active", () => {
    const namespaces = world.api.list<Namespace>("namespaces");
    expect(namespaces.map(({ metadata }) => metadata.name)).toEqual([
      "default",
      "kube-node-lease",
      "kube-public",
      "kube-system",
    ]);
    expect(
      namespaces.every(({ status, spec }) => status?.phase === "Active" && spec?.finalizers?.[0] === "kubernetes"),
    ).toBe(true);
    expect(namespaces[0]?.metadata.labels).toEqual({ "kubernetes.io/metadata.name": "default" });
  });

  it("serves itself on the first service address", () => {
    const service = world.api.get<Service>("services", { namespace: "default", name: "kubernetes" });
    expect(service?.spec).toMatchObject({
      clusterIP: "10.100.0.1",
      clusterIPs: ["10.100.0.1"],
      ports: [{ name: "https", port: 443 }],
    });
    expect(service?.spec?.selector).toBeUndefined();
  });

  it("has the system priority classes", () => {
    const classes = world.api.list<PriorityClass>("priorityclasses.scheduling.k8s.io");
    expect(classes.map(({ metadata, value }) => [metadata.name, value])).toEqual([
      ["system-cluster-critical", 2_000_000_000],
      ["system-node-critical", 2_000_001_000],
    ]);
  });

  it.each(["admin", "edit", "view"])("has %s filled as aggregation would fill it", (name) => {
    const role = world.api.get<ClusterRole>(CLUSTER_ROLES, { name }) as ClusterRole;
    expect(aggregatedRules(role, world.api.list<ClusterRole>(CLUSTER_ROLES))).toEqual(role.rules);
  });
});
