import { createConnection } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Eksim } from "../../src/testkit/index.js";
import { startDemo } from "./demo-cluster.js";
import { askFromVpc, openTunnel } from "./vpc.js";

let eksim: Eksim;
beforeAll(async () => {
  eksim = await startDemo();
});
afterAll(() => eksim.stop());

const update = async (resourcesVpcConfig: object) => {
  await eksim.eks("POST", "/clusters/demo/update-config", { resourcesVpcConfig });
  await eksim.advance("1s");
};

const access = () => {
  const { clusters, users } = JSON.parse(eksim.kubeconfig("demo"));
  const { server, "certificate-authority-data": ca } = clusters[0].cluster;
  return { server: String(server), ca: Buffer.from(ca, "base64").toString(), token: String(users[0].user.token) };
};

interface Master {
  id: string;
  zone: string;
  networkInterface: {
    networkInterfaceId: string;
    description: string;
    subnetId: string;
    availabilityZone: string;
    privateIpAddress: string;
  };
}
const status = async (): Promise<{ id: string; endpointHostName: string; masters: Master[] }> => {
  const answer = await fetch(`${eksim.endpoint}/_eksim/status?cluster=demo`);
  return ((await answer.json()) as { clusters: { id: string; endpointHostName: string; masters: Master[] }[] })
    .clusters[0] as { id: string; endpointHostName: string; masters: Master[] };
};
const interfaces = async () => (await status()).masters.map(({ networkInterface }) => networkInterface);

const endpointAddresses = async () => {
  const { subsets } = await eksim.kubernetes<{ subsets: { addresses: { ip: string }[] }[] }>(
    "demo",
    "GET",
    "/api/v1/namespaces/default/endpoints/kubernetes",
  );
  return subsets.flatMap(({ addresses }) => addresses.map(({ ip }) => ip));
};

const fromVpc = async (path?: string) => {
  const { ca, token } = access();
  const { endpointHostName } = await status();
  const answer = await askFromVpc(eksim.endpoint, `${endpointHostName}:443`, { ca, token, ...(path ? { path } : {}) });
  return "status" in answer ? answer.status : answer.error;
};
const fromOutside = () =>
  eksim.kubernetes("demo", "GET", "/api/v1/namespaces").then(
    () => 200,
    (error: NodeJS.ErrnoException) => error.code,
  );

describe("the masters' network interfaces", () => {
  it("are in the cluster's subnets, in the master's own zone where there is one", async () => {
    const { masters } = await status();
    expect(masters).toHaveLength(3);
    const bySubnet: Record<string, string> = { "subnet-a": "us-east-1a", "subnet-b": "us-east-1b" };
    for (const { zone, networkInterface } of masters) {
      expect(networkInterface.networkInterfaceId).toMatch(/^eni-[0-9a-f]{17}$/);
      expect(networkInterface.description).toBe("Amazon EKS demo");
      expect(networkInterface.availabilityZone).toBe(bySubnet[networkInterface.subnetId]);
      if (zone !== "us-east-1c") expect(networkInterface.availabilityZone).toBe(zone);
    }
    expect(new Set(masters.map(({ networkInterface }) => networkInterface.privateIpAddress)).size).toBe(3);
  });

  it("are the endpoints of the Service kubernetes", async () => {
    const addresses = (await interfaces()).map(({ privateIpAddress }) => privateIpAddress);
    expect((await endpointAddresses()).sort()).toEqual(addresses.sort());
  });

  it("move with the cluster to other subnets, and stay where a subnet stays", async () => {
    const before = await interfaces();
    await update({ subnetIds: ["subnet-a", "subnet-d", "subnet-e"] });
    const after = await interfaces();
    expect(new Set(after.map(({ subnetId }) => subnetId))).toEqual(new Set(["subnet-a", "subnet-d"]));
    const kept = before.filter(({ subnetId }) => subnetId === "subnet-a");
    expect(kept.length).toBeGreaterThan(0);
    for (const one of kept) expect(after).toContainEqual(one);
    expect((await endpointAddresses()).sort()).toEqual(after.map(({ privateIpAddress }) => privateIpAddress).sort());
  });

  it("come and go with the masters", async () => {
    const before = await interfaces();
    await eksim.failZone("us-east-1a", { cluster: "demo" });
    await eksim.advance("10m");
    await eksim.restoreZone("us-east-1a", { cluster: "demo" });
    await eksim.advance("30m");
    const after = await interfaces();
    expect(after).toHaveLength(3);
    expect(after).not.toEqual(before);
    expect((await endpointAddresses()).sort()).toEqual(after.map(({ privateIpAddress }) => privateIpAddress).sort());
  });
});

describe("the private endpoint", () => {
  it("is what callers in the VPC reach while public access is off, and nobody else", async () => {
    await update({ endpointPublicAccess: false, endpointPrivateAccess: true });
    expect(await fromOutside()).toBe("ECONNRESET");
    expect(await fromVpc()).toBe(200);
  });

  it("lets in by name, by the endpoint of DescribeCluster and by a master's address", async () => {
    const { server, ca, token } = access();
    const { endpointHostName } = await status();
    const [master] = await interfaces();
    const names = [`${endpointHostName.toUpperCase()}:443`, new URL(server).host, `${master?.privateIpAddress}:443`];
    for (const authority of names) {
      const servername = "kubernetes.default.svc";
      expect(await askFromVpc(eksim.endpoint, authority, { ca, token, servername }), authority).toMatchObject({
        status: 200,
      });
    }
  });

  it("authenticates as any other way does: being in the VPC makes nobody somebody", async () => {
    const { ca } = access();
    const { endpointHostName } = await status();
    const ask = (token?: string) =>
      askFromVpc(eksim.endpoint, `${endpointHostName}:443`, { ca, ...(token ? { token } : {}) });
    expect(await ask()).toMatchObject({ status: 403 });
    expect(await ask("k8s-aws-v1.nonsense")).toMatchObject({ status: 401 });
  });

  it("is no way to anywhere else", async () => {
    const outside = [
      "example.com:443",
      "127.0.0.1:22",
      "169.254.169.254:80",
      "169.254.169.254:443",
      "",
      "[::1]:443",
      `${(await status()).endpointHostName}:80`,
    ];
    for (const authority of outside)
      expect(await openTunnel(eksim.endpoint, authority), authority).toMatchObject({
        refusal: expect.stringMatching(/^(403 eksim: no cluster|400)/),
      });
  });

  it("ends connections that it let in when it is switched off; the VPC is then outside, behind its NAT gateway", async () => {
    const { endpointHostName } = await status();
    const tunnel = await openTunnel(eksim.endpoint, `${endpointHostName}:443`);
    if (!("socket" in tunnel)) throw new Error(tunnel.refusal);
    tunnel.socket.on("error", () => {});
    const ended = new Promise((resolve) => tunnel.socket.on("close", resolve).resume());
    await update({ endpointPublicAccess: true, endpointPrivateAccess: false, publicAccessCidrs: ["203.0.113.0/24"] });
    await ended;
    expect(await fromVpc()).toBe("ECONNRESET");
    await update({ publicAccessCidrs: ["198.51.100.1/32"] });
    expect(await fromVpc()).toBe(200);
    expect(await fromOutside()).toBe("ECONNRESET");
  });

  it("leaves nodes and pods connected whatever the endpoint lets in", async () => {
    await update({ endpointPublicAccess: false, endpointPrivateAccess: true });
    await eksim.eks("POST", "/clusters/demo/node-groups", {
      nodegroupName: "workers",
      nodeRole: "arn:aws:iam::000000000000:role/node",
      subnets: ["subnet-a"],
      scalingConfig: { minSize: 2, maxSize: 2, desiredSize: 2 },
    });
    await eksim.advance("2m");
    const { ca, token } = access();
    const { endpointHostName } = await status();
    const answer = await askFromVpc(eksim.endpoint, `${endpointHostName}:443`, { ca, token, path: "/api/v1/nodes" });
    const { items } = JSON.parse("body" in answer ? answer.body : "{}") as {
      items: { status: { conditions: { type: string; status: string }[] } }[];
    };
    const ready = items.filter(({ status: { conditions } }) =>
      conditions.some((condition) => condition.type === "Ready" && condition.status === "True"),
    );
    expect(ready).toHaveLength(2);
  });

  it("outlives clients that break off in the middle", async () => {
    const { port } = new URL(eksim.endpoint);
    const { endpointHostName } = await status();
    const half = createConnection(Number(port), "127.0.0.1");
    await new Promise((resolve) => half.on("connect", resolve));
    half.write(`CONNECT ${endpointHostName}:443 HTTP/1.1\r\nhost: x\r\n\r\nnot TLS at all`);
    await new Promise((resolve) => half.on("close", resolve).on("error", resolve).resume());
    expect(await fromVpc()).toBe(200);
  });
});
