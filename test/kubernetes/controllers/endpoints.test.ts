import { describe, expect, it } from "vitest";
import type { EndpointSlice, Endpoints, Pod, Service } from "../../../src/kubernetes/schema/generated/types.js";
import { deployment, startWorld, template, type World } from "./world.js";

const service = (extra: Partial<Service["spec"]> = {}, name = "web") => ({
  metadata: { name, namespace: "default", labels: { team: "a" } },
  spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080, protocol: "TCP" }], ...extra },
});
const slices = (world: World, name = "web"): readonly EndpointSlice[] =>
  world.api
    .list<EndpointSlice>("endpointslices.discovery.k8s.io")
    .filter((slice) => slice.metadata.labels?.["kubernetes.io/service-name"] === name);
const endpoints = (world: World): Endpoints => world.get<Endpoints>("endpoints", "web", "default") as Endpoints;

async function worldOf(replicas: number, extra: Partial<Service["spec"]> = {}): Promise<World> {
  const world = await startWorld();
  await world.addNode("n1", "a");
  await world.addNode("n2", "b");
  await world.api.create<Service>("services", service(extra));
  await world.api.create("deployments.apps", deployment("web", replicas));
  await world.seconds(5);
  return world;
}

describe("endpoint slices", () => {
  it("list the pods of a service with zone, node and conditions", async () => {
    const world = await worldOf(2);
    const [slice] = slices(world);
    expect(slices(world)).toHaveLength(1);
    expect(slice?.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(slice?.metadata.labels).toEqual({
      team: "a",
      "kubernetes.io/service-name": "web",
      "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    });
    expect(slice?.addressType).toBe("IPv4");
    expect(slice?.ports).toEqual([{ name: "", port: 8080, protocol: "TCP" }]);
    expect(slice?.endpoints?.map(({ zone, nodeName }) => `${zone} ${nodeName}`).sort()).toEqual(["a n1", "b n2"]);
    expect(slice?.endpoints?.[0]).toMatchObject({
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: "Pod" },
    });
    expect(endpoints(world).subsets).toEqual([
      {
        addresses: [expect.objectContaining({ ip: "10.1.0.1" }), expect.objectContaining({ ip: "10.1.0.2" })],
        ports: [{ port: 8080, protocol: "TCP" }],
      },
    ]);
    expect(world.warnings).toEqual([]);
  });

  it("have a placeholder without endpoints as long as there are no pods", async () => {
    const world = await worldOf(0);
    expect(slices(world).map(({ endpoints, ports }) => ({ endpoints, ports }))).toEqual([
      { endpoints: [], ports: undefined },
    ]);
    expect(endpoints(world).subsets).toBeUndefined();
  });

  it("turn endpoints of a silent node unready at once, and drop them when the pod is gone", async () => {
    const world = await worldOf(2);
    world.silence("n1");
    await world.seconds(50);
    const ready = (): (boolean | undefined)[] =>
      (slices(world)[0]?.endpoints ?? []).map(({ conditions }) => conditions?.ready).sort();
    expect(ready()).toEqual([false, true]);
    expect(endpoints(world).subsets?.[0]).toMatchObject({
      addresses: [{ nodeName: "n2" }],
      notReadyAddresses: [{ nodeName: "n1" }],
    });
    await world.seconds(400);
    // The evicted pod is still there, terminating, beside its replacement on the other node.
    expect(
      slices(world)[0]?.endpoints?.map(({ nodeName, conditions }) => [
        nodeName,
        conditions?.ready,
        conditions?.terminating,
      ]),
    ).toEqual(
      expect.arrayContaining([
        ["n1", false, true],
        ["n2", true, false],
        ["n2", true, false],
      ]),
    );
    await world.wake("n1");
    await world.seconds(5);
    expect(ready()).toEqual([true, true]);
  });

  it("hold a hundred endpoints each, and change only where pods change", async () => {
    const world = await worldOf(250);
    expect(
      slices(world)
        .map(({ endpoints }) => endpoints?.length)
        .sort(),
    ).toEqual([100, 100, 50]);
    const before = new Map(slices(world).map((slice) => [slice.metadata.name, slice.metadata.resourceVersion]));
    const [pod] = world.pods();
    await world.api.delete("pods", pod?.metadata ?? { name: "" });
    await world.seconds(5);
    expect(slices(world).flatMap(({ endpoints }) => endpoints ?? [])).toHaveLength(250);
    expect(
      slices(world).filter((slice) => before.get(slice.metadata.name) === slice.metadata.resourceVersion).length,
    ).toBeGreaterThanOrEqual(1);
  });

  it("publish unready pods when told to, resolve named ports pod by pod, and mark headless services", async () => {
    const world = await startWorld({ readyAfterMs: 1_000_000 });
    await world.addNode("n1");
    await world.api.create<Service>(
      "services",
      service({ clusterIP: "None", publishNotReadyAddresses: true, ports: [{ port: 80, targetPort: "http" }] }),
    );
    for (const [name, port] of [
      ["p1", 8080],
      ["p2", 9090],
    ] as const) {
      const wanted = template();
      const pod = await world.api.create<Pod>("pods", {
        metadata: { name, namespace: "default", labels: { app: "web" } },
        spec: {
          ...wanted.spec,
          containers: [{ name: "c", image: "i", ports: [{ name: "http", containerPort: port }] }],
        },
      });
      await world.api.updateStatus<Pod>("pods", {
        ...pod,
        status: { ...pod.status, podIP: `10.9.0.${port % 100}`, podIPs: [{ ip: `10.9.0.${port % 100}` }] },
      });
    }
    await world.seconds(2);
    expect(
      slices(world)
        .map(({ ports }) => ports?.[0]?.port)
        .sort(),
    ).toEqual([8080, 9090]);
    for (const slice of slices(world)) {
      expect(slice.metadata.labels).toHaveProperty(["service.kubernetes.io/headless"], "");
      expect(slice.endpoints?.[0]?.conditions?.ready).toBe(true);
    }
  });

  it("leave services without a selector alone", async () => {
    const world = await startWorld();
    await world.api.create<Service>("services", service({ selector: undefined }));
    await world.seconds(2);
    expect(slices(world)).toEqual([]);
    expect(endpoints(world)).toBeUndefined();
  });

  it("go with their service", async () => {
    const world = await worldOf(2);
    await world.api.delete("services", { namespace: "default", name: "web" });
    await world.seconds(2);
    expect(slices(world)).toEqual([]);
    expect(endpoints(world)).toBeUndefined();
  });
});
