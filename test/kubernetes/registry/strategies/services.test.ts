import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import {
  addressRange,
  freeAddress,
  isAddress,
  isCidr,
} from "../../../../src/kubernetes/registry/strategies/service-addresses.js";
import type { Service, ServiceSpec } from "../../../../src/kubernetes/schema/generated/types.js";
import { refusal, type SimulatedApi, startApi } from "../../auth/simulated-api.js";

let world: SimulatedApi;
beforeEach(async () => {
  world = await startApi({ bare: true });
});

const PORTS = [{ port: 80 }];
const create = (name: string, spec: ServiceSpec = {}) =>
  world.api.create<Service>("services", { metadata: { name, namespace: "default" }, spec: { ports: PORTS, ...spec } });
const update = (service: Service, changes: ServiceSpec) =>
  world.api.update<Service>("services", { ...service, spec: { ...service.spec, ...changes } });

describe("a Service", () => {
  it("gets an address of the range, one of its own", async () => {
    const services = await Promise.all(Array.from({ length: 50 }, (_, index) => create(`s${index}`)));
    const addresses = services.map(({ spec }) => spec?.clusterIP as string);
    expect(new Set(addresses).size).toBe(50);
    expect(addresses.every((address) => address.startsWith("10.100."))).toBe(true);
    expect(services[0]?.spec).toMatchObject({
      type: "ClusterIP",
      clusterIPs: [addresses[0]],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      internalTrafficPolicy: "Cluster",
      sessionAffinity: "None",
      ports: [{ port: 80, targetPort: 80, protocol: "TCP" }],
    });
    expect(services[0]?.status).toEqual({ loadBalancer: {} });
  });

  it("may choose its address, but not one that is taken or elsewhere", async () => {
    expect((await create("dns", { clusterIP: "10.100.0.10" })).spec?.clusterIPs).toEqual(["10.100.0.10"]);
    expect(await refusal(create("dns2", { clusterIP: "10.100.0.10" }))).toContain(
      "failed to allocate IP 10.100.0.10: provided IP is already allocated",
    );
    expect(await refusal(create("far", { clusterIP: "10.99.0.1" }))).toContain(
      "the provided IP (10.99.0.1) is not in the valid range. The range of valid IPs is 10.100.0.0/16",
    );
    expect(await refusal(create("bad", { clusterIP: "nonsense" }))).toContain("must be a valid IP address");
  });

  it("gives its address back when it goes", async () => {
    await create("dns", { clusterIP: "10.100.0.10" });
    await world.api.delete("services", { namespace: "default", name: "dns" });
    expect((await create("dns2", { clusterIP: "10.100.0.10" })).spec?.clusterIP).toBe("10.100.0.10");
  });

  it("keeps its address when an update leaves it out, and may not change it", async () => {
    const service = await create("web");
    const address = service.spec?.clusterIP;
    expect((await update(service, { clusterIP: undefined, clusterIPs: undefined })).spec?.clusterIP).toBe(address);
    const current = world.api.get<Service>("services", service.metadata) as Service;
    expect(await refusal(update(current, { clusterIP: "10.100.7.7" }))).toContain("may not change once set");
  });

  it("is headless with clusterIP None", async () => {
    expect((await create("headless", { clusterIP: "None", ports: undefined })).spec).toMatchObject({
      clusterIP: "None",
      clusterIPs: ["None"],
    });
  });

  it("of type ExternalName has no address, and gets one when it changes its type", async () => {
    const service = await create("ext", { type: "ExternalName", externalName: "example.com" });
    expect(service.spec?.clusterIP).toBeUndefined();
    expect((await update(service, { type: "ClusterIP", externalName: undefined })).spec?.clusterIP).toMatch(
      /^10\.100\./,
    );
  });

  it("gets node ports when it becomes NodePort, and loses them afterwards", async () => {
    const service = await create("web", {
      ports: [
        { name: "a", port: 80 },
        { name: "b", port: 443 },
      ],
    });
    const opened = await update(service, { type: "NodePort" });
    const nodePorts = opened.spec?.ports?.map(({ nodePort }) => nodePort ?? 0) ?? [];
    expect(new Set(nodePorts).size).toBe(2);
    expect(nodePorts.every((port) => port >= 30_086 && port <= 32_767)).toBe(true);
    expect(opened.spec?.externalTrafficPolicy).toBe("Cluster");
    const kept = await update(opened, {
      ports: [
        { name: "a", port: 80 },
        { name: "b", port: 443 },
      ],
    });
    expect(kept.spec?.ports?.map(({ nodePort }) => nodePort)).toEqual(nodePorts);
    const closed = await update(kept, { type: "ClusterIP", externalTrafficPolicy: undefined });
    expect(closed.spec?.ports?.every(({ nodePort }) => nodePort === undefined)).toBe(true);
  });

  it("may choose its node port within the range, once", async () => {
    const spec: ServiceSpec = { type: "NodePort", ports: [{ port: 80, nodePort: 30080 }] };
    expect((await create("a", spec)).spec?.ports?.[0]?.nodePort).toBe(30080);
    expect(await refusal(create("b", spec))).toContain(
      "spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
    );
    expect(await refusal(create("c", { type: "NodePort", ports: [{ port: 80, nodePort: 80 }] }))).toContain(
      "provided port is not in the valid range. The range of valid ports is 30000-32767",
    );
    expect(
      (await create("d", { type: "NodePort", ports: [{ port: 80, nodePort: 30080, protocol: "UDP" }] })).spec
        ?.ports?.[0]?.nodePort,
    ).toBe(30080);
  });

  it("of type LoadBalancer with local traffic gets a health check port", async () => {
    const { spec } = await create("lb", { type: "LoadBalancer", externalTrafficPolicy: "Local" });
    expect(spec?.healthCheckNodePort).toBeGreaterThanOrEqual(30_000);
    expect(spec).toMatchObject({ allocateLoadBalancerNodePorts: true });
    expect(spec?.ports?.[0]?.nodePort).not.toBe(spec?.healthCheckNodePort);
  });
});

describe("a Service that changes its type", () => {
  const local: ServiceSpec = { type: "LoadBalancer", externalTrafficPolicy: "Local" };

  it("gives up everything that only the old type has", async () => {
    const service = await create("web", local);
    expect((await update(service, { type: "ClusterIP" })).spec).toEqual({
      type: "ClusterIP",
      clusterIP: service.spec?.clusterIP,
      clusterIPs: service.spec?.clusterIPs,
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      internalTrafficPolicy: "Cluster",
      sessionAffinity: "None",
      ports: [{ port: 80, targetPort: 80, protocol: "TCP" }],
    });
  });

  it.each([
    ["leaves its address", {}],
    ["clears its address", { clusterIP: "" }],
    ["clears all its addresses", { clusterIP: "", clusterIPs: undefined }],
  ])("to ExternalName has no address any more, when the update %s", async (_, changes) => {
    const service = await create("web", local);
    const changed = await update(service, { type: "ExternalName", externalName: "example.com", ...changes });
    expect(changed.spec).toEqual({
      type: "ExternalName",
      externalName: "example.com",
      sessionAffinity: "None",
      ports: [{ port: 80, targetPort: 80, protocol: "TCP" }],
    });
  });
});

describe("address ranges", () => {
  it.each(["10.100.0.0/16", "172.20.0.0/16", "10.0.0.0/29", "fd30:1c53:5f8a::/108"])(
    "%s: every place has one address, and comes back from it",
    (cidr) => {
      const range = addressRange(cidr);
      fc.assert(
        fc.property(fc.integer({ min: 0, max: range.size - 1 }), (offset) => {
          const address = range.at(offset);
          expect(isAddress(address)).toBe(true);
          expect(range.offsetOf(address)).toBe(offset);
        }),
      );
    },
  );

  it("fills a small range to the last address and then says so", () => {
    const range = addressRange("10.0.0.0/29");
    const taken = new Set<string>();
    for (let address = freeAddress(range, "x", taken); address; address = freeAddress(range, "x", taken))
      taken.add(address);
    expect([...taken].sort()).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]);
  });

  it("writes IPv6 in its short form", () => {
    expect(addressRange("fd30:1c53:5f8a::/108").at(10)).toBe("fd30:1c53:5f8a::a");
    expect(addressRange("fd00:0:0:1::/108").at(65536 * 2 + 3)).toBe("fd00::1:0:0:2:3");
  });

  it.each([
    ["10.0.0.0/33", false],
    ["10.0.0/8", false],
    ["::/129", false],
    ["10.0.0.0/8", true],
    ["2001:db8::/32", true],
  ])("%s is a CIDR: %s", (text, yes) => {
    expect(isCidr(text)).toBe(yes);
  });
});
