import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Eksim } from "../../src/testkit/index.js";
import { startDemo } from "./demo-cluster.js";

let eksim: Eksim;
beforeAll(async () => {
  eksim = await startDemo();
});
afterAll(() => eksim.stop());

const update = async (resourcesVpcConfig: object) => {
  await eksim.eks("POST", "/clusters/demo/update-config", { resourcesVpcConfig });
  await eksim.advance("1s");
};
const reached = () =>
  eksim.kubernetes("demo", "GET", "/api/v1/namespaces").then(
    () => "reached",
    (error: Error) => `${(error as NodeJS.ErrnoException).code}`,
  );

const access = (): { endpoint: string; token: string } => {
  const { clusters, users } = JSON.parse(eksim.kubeconfig("demo"));
  return { endpoint: clusters[0].cluster.server, token: users[0].user.token };
};

describe("the Kubernetes endpoint", () => {
  it("is open to this machine by default", async () => {
    expect(await reached()).toBe("reached");
  });

  it("turns away callers whose address is not among publicAccessCidrs, as soon as the update has ended", async () => {
    await update({ publicAccessCidrs: ["203.0.113.0/24"] });
    expect(await reached()).toBe("ECONNRESET");
    await update({ publicAccessCidrs: ["203.0.113.0/24", "127.0.0.1/32"] });
    expect(await reached()).toBe("reached");
  });

  it("ends what callers have open that it no longer lets in", async () => {
    const { endpoint, token } = access();
    const watch = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { authorization: `Bearer ${token}` };
      get(`${endpoint}/api/v1/namespaces?watch=1`, { headers, rejectUnauthorized: false }, resolve).on("error", reject);
    });
    expect(watch.statusCode).toBe(200);
    const ended = new Promise((resolve) => watch.on("error", resolve).on("close", resolve));
    watch.resume();
    await update({ publicAccessCidrs: ["203.0.113.0/24"] });
    await ended;
    await update({ publicAccessCidrs: ["0.0.0.0/0"] });
  });

  it("is not reachable from outside the VPC while public access is off, and DescribeCluster still names it", async () => {
    await update({ endpointPublicAccess: false, endpointPrivateAccess: true });
    expect(await reached()).toBe("ECONNRESET");
    const { cluster } = await eksim.eks<{ cluster: { endpoint: string } }>("GET", "/clusters/demo");
    expect(cluster.endpoint).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    await update({ endpointPublicAccess: true });
    expect(await reached()).toBe("reached");
  });
});
