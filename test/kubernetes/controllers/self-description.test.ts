import { describe, expect, it } from "vitest";
import type {
  APIService,
  CSINode,
  CustomResourceDefinition,
  IPAddress,
} from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const API_SERVICES = "apiservices.apiregistration.k8s.io";
const DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";
const ADDRESSES = "ipaddresses.networking.k8s.io";

async function started() {
  const { cluster, clock } = await startSimulated();
  await clock.advance(2_000);
  const names = (resource: string) => cluster.api.list(resource).map(({ metadata }) => metadata.name);
  return { cluster, api: cluster.api, clock, names };
}

describe("what a cluster tells of itself", () => {
  it("is an APIService for every group and version that it serves, custom ones while they are defined", async () => {
    const { api, clock, names } = await started();
    expect(names(API_SERVICES)).toEqual(expect.arrayContaining(["v1.", "v1.apps", "v2.autoscaling", "v1.batch"]));
    expect(names(API_SERVICES)).not.toContain("v1.apiregistration.k8s.io");
    const priority = (name: string) => api.get<APIService>(API_SERVICES, { name })?.spec?.versionPriority ?? 0;
    expect(priority("v2.autoscaling")).toBeGreaterThan(priority("v1.autoscaling"));
    expect(api.get<APIService>(API_SERVICES, { name: "v1.apps" })?.status?.conditions).toMatchObject([
      { type: "Available", status: "True", reason: "Local" },
    ]);
    const schema = { openAPIV3Schema: { type: "object" } };
    await api.create<CustomResourceDefinition>(DEFINITIONS, {
      metadata: { name: "widgets.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "widgets", kind: "Widget" },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    });
    await clock.advance(1_000);
    expect(names(API_SERVICES)).toContain("v1.example.com");
    await api.delete(API_SERVICES, { name: "v1.apps" });
    await api.delete(DEFINITIONS, { name: "widgets.example.com" });
    await clock.advance(1_000);
    expect(names(API_SERVICES)).toContain("v1.apps");
    expect(names(API_SERVICES)).not.toContain("v1.example.com");
  });

  it("is the range of its Services and an IPAddress for each of them", async () => {
    const { api, clock, names } = await started();
    expect(api.get("servicecidrs.networking.k8s.io", { name: "kubernetes" })).toMatchObject({
      spec: { cidrs: ["10.100.0.0/16"] },
      status: { conditions: [{ type: "Ready", status: "True" }] },
    });
    expect(names(ADDRESSES)).toEqual(["10.100.0.1"]);
    const ports = [{ port: 80 }];
    await api.create("services", {
      metadata: { name: "web", namespace: "default" },
      spec: { clusterIP: "10.100.9.9", ports },
    });
    await api.create("services", {
      metadata: { name: "bare", namespace: "default" },
      spec: { clusterIP: "None", ports },
    });
    await clock.advance(1_000);
    expect(api.get<IPAddress>(ADDRESSES, { name: "10.100.9.9" })?.spec?.parentRef).toEqual({
      group: "",
      resource: "services",
      namespace: "default",
      name: "web",
    });
    await api.delete("services", { namespace: "default", name: "web" });
    await clock.advance(1_000);
    expect(names(ADDRESSES)).toEqual(["10.100.0.1"]);
    await api.create("services", {
      metadata: { name: "next", namespace: "default" },
      spec: { clusterIP: "10.100.9.9", ports },
    });
    await clock.advance(1_000);
    expect(api.get<IPAddress>(ADDRESSES, { name: "10.100.9.9" })?.spec?.parentRef?.name).toBe("next");
  });

  it("is a CSINode beside each Node, which goes with it", async () => {
    const { cluster, api, clock, names } = await started();
    await cluster.addNode(nodeSpec(1));
    await clock.advance(1_000);
    expect(api.list<CSINode>("csinodes.storage.k8s.io")).toMatchObject([
      { metadata: { name: "node-1", ownerReferences: [{ kind: "Node", name: "node-1" }] }, spec: { drivers: [] } },
    ]);
    await cluster.removeNode("node-1", { graceful: true });
    await api.delete("nodes", { name: "node-1" });
    await clock.advance(5_000);
    expect(names("csinodes.storage.k8s.io")).toEqual([]);
  });
});
