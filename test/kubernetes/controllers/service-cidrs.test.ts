import { describe, expect, it } from "vitest";
import type { IPAddress, Service, ServiceCIDR } from "../../../src/kubernetes/schema/generated/types.js";
import { startSimulated } from "../simulated-cluster.js";

const RANGES = "servicecidrs.networking.k8s.io";
const ADDRESSES = "ipaddresses.networking.k8s.io";

const service = (name: string, spec: Partial<Service["spec"]> = {}) => ({
  metadata: { name, namespace: "default" },
  spec: { ports: [{ port: 80 }], ...spec },
});
const parentRef = { group: "mygroup", resource: "myresources", namespace: "foo", name: "bar" };

describe("ranges of cluster IPs", () => {
  it("can be added, are allocated from once they are ready, and stay as long as their addresses are used", async () => {
    const { cluster, clock } = await startSimulated({ serviceCidr: "10.100.0.0/29" });
    const { api } = cluster;
    await clock.settled();
    const range = (name: string) => api.get<ServiceCIDR>(RANGES, { name });
    const ready = (name: string) => range(name)?.status?.conditions?.find(({ type }) => type === "Ready");
    expect(range("kubernetes")?.metadata.finalizers).toEqual(["networking.k8s.io/service-cidr-finalizer"]);
    expect(ready("kubernetes")?.status).toBe("True");
    await expect(api.create<Service>("services", service("early", { clusterIP: "203.0.113.10" }))).rejects.toThrow(
      "the provided IP (203.0.113.10) is not in the valid range",
    );
    await api.create<ServiceCIDR>(RANGES, { metadata: { name: "more" }, spec: { cidrs: ["203.0.113.0/28"] } });
    await clock.settled();
    expect(ready("more")).toMatchObject({ status: "True", message: "Kubernetes Service CIDR is ready" });
    const wanted = await api.create<Service>("services", service("wanted", { clusterIP: "203.0.113.10" }));
    expect(wanted.spec?.clusterIPs).toEqual(["203.0.113.10"]);
    // The first range has six addresses, of which the API server's own Service has one.
    const others: string[] = [];
    for (let i = 0; i < 6; i++)
      others.push((await api.create<Service>("services", service(`s${i}`))).spec?.clusterIP ?? "");
    expect(others.filter((address) => address.startsWith("203.0.113."))).toHaveLength(1);
    await clock.settled();
    await api.delete(RANGES, { name: "more" });
    await clock.advance(20_000);
    expect(ready("more")).toMatchObject({ status: "False", reason: "Terminating" });
    for (const { metadata, spec } of api.list<Service>("services", { namespace: "default" }))
      if (spec?.clusterIP?.startsWith("203.")) await api.delete("services", metadata);
    await clock.advance(20_000);
    expect(range("more")).toBeUndefined();
  });

  it("are validated, and so are addresses", async () => {
    const { cluster } = await startSimulated();
    const { api } = cluster;
    const create = (...cidrs: string[]) =>
      api.create<ServiceCIDR>(RANGES, { metadata: { name: "r" }, spec: { cidrs } });
    await expect(create("10.1.2.3/16")).rejects.toThrow('must be in canonical form ("10.1.0.0/16")');
    await expect(create("nonsense")).rejects.toThrow("must be a valid CIDR value");
    const address = (name: string) => api.create<IPAddress>(ADDRESSES, { metadata: { name }, spec: { parentRef } });
    await expect(address("10.01.0.1")).rejects.toThrow("must be");
    await expect(address("FE80::1")).rejects.toThrow('must be in canonical form ("fe80::1")');
  });

  it("leave the addresses of others alone, and do not hand them out", async () => {
    const { cluster, clock } = await startSimulated({ serviceCidr: "10.100.0.0/29" });
    const { api } = cluster;
    await clock.settled();
    const free = ["10.100.0.2", "10.100.0.3", "10.100.0.4", "10.100.0.5"];
    for (const name of ["255.255.255.255", "fe80::42:1dff:fe84:f9e2", ...free])
      await api.create<IPAddress>(ADDRESSES, { metadata: { name }, spec: { parentRef } });
    await clock.advance(60_000);
    expect(api.list<IPAddress>(ADDRESSES).map(({ metadata }) => metadata.name)).toEqual(
      expect.arrayContaining(["255.255.255.255", "fe80::42:1dff:fe84:f9e2", ...free]),
    );
    const { spec } = await api.create<Service>("services", service("last"));
    expect(spec?.clusterIP).toBe("10.100.0.6");
    await clock.settled();
    expect(api.get<IPAddress>(ADDRESSES, { name: "10.100.0.6" })?.spec.parentRef).toMatchObject({ name: "last" });
  });
});
