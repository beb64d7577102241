import { afterAll, beforeAll, expect, it } from "vitest";
import type { Eksim } from "../../src/testkit/index.js";
import { createWorker, startDemo } from "./demo-cluster.js";

let eksim: Eksim;
beforeAll(async () => {
  eksim = await startDemo({ kubernetesNetworkConfig: { ipFamily: "ipv6" } });
  await createWorker(eksim);
  await eksim.advance("1m");
});
afterAll(() => eksim.stop());

interface Listed {
  items: {
    metadata: { name: string };
    spec: { clusterIP?: string; ipFamilies?: string[] };
    status: { podIP?: string; addresses?: { type: string; address: string }[] };
    addressType?: string;
    endpoints?: { addresses: string[] }[];
  }[];
}
const list = async (path: string) => (await eksim.kubernetes<Listed>("demo", "GET", path)).items;

it("a cluster of IPv6 gives services, nodes and pods addresses of IPv6, and its DNS the tenth of the service range", async () => {
  const { cluster } = await eksim.eks<{
    cluster: { kubernetesNetworkConfig: { serviceIpv6Cidr: string; serviceIpv4Cidr?: string } };
  }>("GET", "/clusters/demo");
  const { serviceIpv6Cidr, serviceIpv4Cidr } = cluster.kubernetesNetworkConfig;
  expect(serviceIpv6Cidr).toMatch(/^fd[0-9a-f:]+::\/108$/);
  expect(serviceIpv4Cidr).toBeUndefined();
  const base = serviceIpv6Cidr.replace("/108", "");
  const services = await list("/api/v1/services");
  const of = (name: string) => services.find(({ metadata }) => metadata.name === name)?.spec;
  expect(of("kubernetes")).toMatchObject({ clusterIP: `${base}1`, ipFamilies: ["IPv6"] });
  expect(of("kube-dns")).toMatchObject({ clusterIP: `${base}a`, ipFamilies: ["IPv6"] });
  const [node] = await list("/api/v1/nodes");
  expect(node?.status.addresses?.find(({ type }) => type === "InternalIP")?.address).toMatch(/^2001:db8:/);
  const pods = await list("/api/v1/pods");
  const addresses = pods.map(({ status }) => status.podIP ?? "");
  expect(addresses.length).toBeGreaterThan(2);
  for (const address of addresses) expect(address).toMatch(/^2001:db8:/);
  const slices = await list("/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices");
  const dns = slices.flatMap(({ endpoints = [] }) => endpoints.flatMap((endpoint) => endpoint.addresses));
  expect(dns).toHaveLength(2);
  expect(addresses).toEqual(expect.arrayContaining(dns));
});
