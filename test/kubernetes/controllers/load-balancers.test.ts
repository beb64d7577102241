import { describe, expect, it } from "vitest";
import { eksLoadBalancers } from "../../../src/backends/embedded/load-balancers.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import type { Service } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const PREFIX = "service.beta.kubernetes.io/aws-load-balancer-";

async function worldOf() {
  let found: SimulatedCluster | undefined;
  const api = () => (found as SimulatedCluster).api;
  const { cluster, clock } = await startSimulated({ loadBalancers: eksLoadBalancers({ region: "eu-west-1", api }) });
  found = cluster;
  await cluster.addNode(nodeSpec(0));
  await clock.advance(5000);
  const create = (name: string, annotations: Record<string, string> = {}, spec: Partial<Service["spec"]> = {}) =>
    cluster.api.create<Service>("services", {
      metadata: { name, namespace: "default", annotations },
      spec: { type: "LoadBalancer", ports: [{ port: 80 }], selector: { app: name }, ...spec },
    });
  const read = (name: string) => cluster.api.get<Service>("services", { namespace: "default", name });
  const hostname = (name: string) => read(name)?.status?.loadBalancer?.ingress?.[0]?.hostname;
  const events = (name: string) =>
    cluster.api
      .list("events", { namespace: "default", fieldSelector: `involvedObject.name=${name}` })
      .map(({ reason, message }) => `${reason}: ${message}`);
  return { cluster, clock, create, read, hostname, events };
}

describe("services of type LoadBalancer", () => {
  it("get a Classic Load Balancer's name after a while, keep it, and give it back when they change or go", async () => {
    const { cluster, clock, create, read, hostname, events } = await worldOf();
    const { metadata } = await create("web");
    await clock.settled();
    expect(read("web")?.metadata.finalizers).toEqual(["service.kubernetes.io/load-balancer-cleanup"]);
    expect([hostname("web"), events("web")]).toEqual([undefined, ["EnsuringLoadBalancer: Ensuring load balancer"]]);
    await clock.advance(5000);
    const name = `a${metadata.uid.replaceAll("-", "")}`.slice(0, 32);
    expect(hostname("web")).toMatch(new RegExp(`^${name}-\\d{10}\\.eu-west-1\\.elb\\.amazonaws\\.com$`));
    expect(events("web")).toContain("EnsuredLoadBalancer: Ensured load balancer");
    const present = read("web") as Service;
    expect(present.spec?.ports?.[0]?.nodePort).toBeGreaterThan(29_999);
    await cluster.api.update<Service>("services", { ...present, spec: { ...present.spec, type: "ClusterIP" } });
    await clock.advance(5000);
    expect([read("web")?.status?.loadBalancer, read("web")?.metadata.finalizers]).toEqual([{}, undefined]);
    expect(events("web")).toEqual(
      expect.arrayContaining([
        "Type: LoadBalancer -> ClusterIP",
        "DeletingLoadBalancer: Deleting load balancer",
        "DeletedLoadBalancer: Deleted load balancer",
      ]),
    );
    await create("gone");
    await clock.advance(5000);
    await cluster.api.delete("services", { namespace: "default", name: "gone" });
    await clock.advance(1000);
    expect(read("gone")).toBeUndefined();
  });

  it("are Network or internal ones by annotation, and somebody else's by class", async () => {
    const { clock, create, hostname, read } = await worldOf();
    await create("nlb", { [`${PREFIX}type`]: "nlb" });
    await create("internal", { [`${PREFIX}internal`]: "true" });
    await create("external", { [`${PREFIX}type`]: "external" });
    await create("auto", {}, { loadBalancerClass: "eks.amazonaws.com/nlb" });
    await create("foreign", {}, { loadBalancerClass: "example.com/lb" });
    await clock.advance(5000);
    expect(hostname("nlb")).toMatch(/^a[0-9a-f]{31}-[0-9a-f]{16}\.elb\.eu-west-1\.amazonaws\.com$/);
    expect(hostname("internal")).toMatch(/^internal-a[0-9a-f]{31}-\d{10}\.eu-west-1\.elb\.amazonaws\.com$/);
    for (const name of ["external", "auto", "foreign"])
      expect([name, hostname(name), read(name)?.metadata.finalizers]).toEqual([name, undefined, undefined]);
  });
});
