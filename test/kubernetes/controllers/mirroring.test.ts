import { describe, expect, it } from "vitest";
import { isEqual } from "../../../src/kubernetes/runtime/hash.js";
import type { EndpointSlice, Endpoints, Service } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";
import { deployment, startWorld, type World } from "./world.js";

const SLICES = "endpointslices.discovery.k8s.io";
const slicesOf = ({ api }: Pick<World, "api">, name: string, namespace = "default"): readonly EndpointSlice[] =>
  api.list<EndpointSlice>(SLICES, { namespace, labelSelector: `kubernetes.io/service-name=${name}` });

describe("endpoint slice mirroring", () => {
  it("follows custom Endpoints of a service without a selector through create, update and delete", async () => {
    const world = await startWorld();
    const { api } = world;
    const metadata = { name: "custom", namespace: "default" };
    await api.create<Service>("services", { metadata, spec: { ports: [{ name: "example", port: 80 }] } });
    const endpoints = (...ips: string[]) => ({
      metadata: { ...metadata, labels: { team: "a" } },
      subsets: [{ ports: [{ port: 80 }], addresses: ips.map((ip) => ({ ip })) }],
    });
    const created = await api.create<Endpoints>("endpoints", endpoints("10.1.2.3", "2001:db8::1"));
    await world.seconds(1);
    expect(slicesOf(world, "custom")).toHaveLength(2);
    const [slice] = slicesOf(world, "custom").filter(({ addressType }) => addressType === "IPv4");
    expect(slice?.metadata.labels).toEqual({
      team: "a",
      "kubernetes.io/service-name": "custom",
      "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    });
    expect(slice?.metadata.ownerReferences?.[0]).toMatchObject({ kind: "Endpoints", uid: created.metadata.uid });
    expect(slice?.ports).toEqual([{ name: "", port: 80, protocol: "TCP" }]);
    expect(slice?.endpoints).toEqual([{ addresses: ["10.1.2.3"], conditions: { ready: true } }]);
    await api.update<Endpoints>("endpoints", { ...created, subsets: endpoints("10.2.3.4").subsets });
    await world.seconds(1);
    expect(slicesOf(world, "custom").map(({ endpoints }) => endpoints?.[0]?.addresses)).toEqual([["10.2.3.4"]]);
    expect(slicesOf(world, "custom")[0]?.metadata.uid).toBe(slice?.metadata.uid);
    await api.delete("endpoints", metadata);
    await world.seconds(1);
    expect(slicesOf(world, "custom")).toEqual([]);
    expect(world.warnings).toEqual([]);
  });

  it("leaves Endpoints alone that say so, that belong to no service, or whose service has a selector", async () => {
    const world = await startWorld();
    const make = (name: string, labels?: Record<string, string>) =>
      world.api.create<Endpoints>("endpoints", {
        metadata: { name, namespace: "default", labels },
        subsets: [{ addresses: [{ ip: "10.0.0.1" }] }],
      });
    const ports = [{ port: 80 }];
    for (const name of ["skipped", "kept"])
      await world.api.create<Service>("services", { metadata: { name, namespace: "default" }, spec: { ports } });
    await make("skipped", { "endpointslice.kubernetes.io/skip-mirror": "true" });
    await make("alone");
    await make("kept");
    await world.seconds(1);
    expect(["skipped", "alone", "kept"].map((name) => slicesOf(world, name).length)).toEqual([0, 0, 1]);
    const kept = world.get<Service>("services", "kept", "default") as Service;
    await world.api.update<Service>("services", { ...kept, spec: { ...kept.spec, selector: { app: "kept" } } });
    await world.seconds(1);
    expect(
      slicesOf(world, "kept").map(({ metadata }) => metadata.labels?.["endpointslice.kubernetes.io/managed-by"]),
    ).toEqual(["endpointslice-controller.k8s.io"]);
    await world.api.delete("services", { name: "skipped", namespace: "default" });
    await world.seconds(1);
    expect(world.get("endpoints", "skipped", "default")).toBeUndefined();
    expect(world.get("endpoints", "alone", "default")).toBeDefined();
  });
});

describe("the kubernetes service", () => {
  it("points at the members that are up, in Endpoints and EndpointSlice alike", async () => {
    const { cluster, clock } = await startSimulated();
    await clock.settled();
    const addresses = (): string[] => {
      const endpoints = cluster.api.get<Endpoints>("endpoints", { namespace: "default", name: "kubernetes" });
      const [slice, ...others] = slicesOf(cluster, "kubernetes");
      expect(others).toEqual([]);
      const found = endpoints?.subsets?.[0]?.addresses?.map(({ ip }) => ip) ?? [];
      expect(slice?.endpoints?.map((endpoint) => endpoint.addresses[0])).toEqual(found);
      expect(isEqual(endpoints?.subsets?.[0]?.ports, slice?.ports)).toBe(true);
      return found;
    };
    const all = addresses();
    expect(new Set(all).size).toBe(3);
    cluster.setMember("m1", "down");
    // Its lease still runs.
    await clock.advance(14_000);
    expect(addresses()).toEqual(all);
    await clock.advance(1_000);
    expect(addresses()).toHaveLength(2);
    cluster.setMember("m1", "up");
    await clock.settled();
    expect(addresses()).toEqual(all);
    cluster.replaceMembers([
      { id: "m0", zone: "us-east-1a" },
      { id: "new", zone: "us-east-1b", address: "10.9.8.7" },
    ]);
    await clock.settled();
    expect(addresses()).toContain("10.9.8.7");
    await cluster.api.delete("endpoints", { namespace: "default", name: "kubernetes" });
    await clock.settled();
    expect(addresses()).toHaveLength(2);
  });
});

describe("hints of endpoint slices", () => {
  const hintsOf = (world: World): string[] =>
    slicesOf(world, "web")
      .flatMap(({ endpoints = [] }) => endpoints)
      .map(
        ({ hints, zone }) =>
          `${zone}>${[...(hints?.forZones ?? []), ...(hints?.forNodes ?? [])].map(({ name }) => name)}`,
      )
      .sort();
  const web = (spec: Partial<Service["spec"]>, annotations: Record<string, string> = {}) => ({
    metadata: { name: "web", namespace: "default", annotations },
    spec: { selector: { app: "web" }, ports: [{ port: 80 }], ...spec },
  });

  it("keep traffic in its zone or on its node when spec.trafficDistribution asks for it", async () => {
    const world = await startWorld();
    await world.addNode("n1", "a");
    await world.addNode("n2", "b");
    await world.api.create("deployments.apps", deployment("web", 2));
    const created = await world.api.create<Service>("services", web({ trafficDistribution: "PreferClose" }));
    await world.seconds(5);
    expect(hintsOf(world)).toEqual(["a>a", "b>b"]);
    const change = async (trafficDistribution: string | undefined): Promise<void> => {
      const present = world.get<Service>("services", created.metadata.name, "default") as Service;
      await world.api.update<Service>("services", { ...present, spec: { ...present.spec, trafficDistribution } });
      await world.seconds(1);
    };
    await change("PreferSameNode");
    expect(hintsOf(world)).toEqual(["a>a,n1", "b>b,n2"]);
    await change(undefined);
    expect(hintsOf(world)).toEqual(["a>", "b>"]);
  });

  it("share endpoints out by the zones' CPUs in topology mode Auto, and say why when there are too few", async () => {
    const { cluster, clock } = await startSimulated();
    for (const index of [0, 1, 2]) await cluster.addNode(nodeSpec(index));
    await clock.advance(10_000);
    await cluster.api.create("deployments.apps", deployment("web", 2));
    await cluster.api.create<Service>("services", web({}, { "service.kubernetes.io/topology-mode": "Auto" }));
    await clock.advance(30_000);
    const world = cluster as unknown as World;
    expect(hintsOf(world).every((hint) => hint.endsWith(">"))).toBe(true);
    const messages = (): string[] =>
      cluster.api
        .list("events", { namespace: "default" })
        .filter(({ reason }) => String(reason).startsWith("TopologyAware"))
        .map(({ message }) => String(message));
    expect(messages()).toContain("Insufficient number of endpoints (2 endpoints, 3 zones), addressType: IPv4");
    await cluster.api.patch("deployments.apps", { namespace: "default", name: "web" }, "merge", {
      spec: { replicas: 6 },
    });
    await clock.advance(30_000);
    const zones = hintsOf(world).map((hint) => hint.split(">")[1]);
    expect(zones).toHaveLength(6);
    expect(new Set(zones).size).toBe(3);
    expect(messages()).toContain("Topology Aware Hints has been enabled, addressType: IPv4");
  });
});
