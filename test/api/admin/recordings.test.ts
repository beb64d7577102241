import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Look } from "../../../src/domain/recording.js";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";

let eksim: Eksim;
beforeEach(async () => {
  eksim = await startEksim({ seed: 1, clockStart: "2026-10-01T00:00:00Z" });
});
afterEach(() => eksim.stop());

const ask = async <T>(method: string, path: string): Promise<{ status: number; body: T }> => {
  const response = await fetch(`${eksim.endpoint}/_eksim/recordings${path}`, { method });
  return { status: response.status, body: (await response.json()) as T };
};
const begin = async (clusters: string): Promise<string> =>
  (await ask<{ id: string }>("POST", `?clusters=${clusters}`)).body.id;
const looks = async (id: string): Promise<Look[]> => (await ask<{ looks: Look[] }>("GET", `/${id}`)).body.looks;

const createCluster = async (): Promise<void> => {
  await eksim.eks("POST", "/clusters", {
    name: "shop",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b", "subnet-c"] },
  });
  await eksim.idle();
};

describe("/_eksim/recordings", () => {
  it("records a cluster from when it is there, and says of each change once", async () => {
    const id = await begin("shop");
    expect(await looks(id)).toEqual([]);
    await createCluster();
    await eksim.advance("1s");
    const first = await looks(id);
    expect(first.at(-1)).toMatchObject({ cluster: "shop", apiAvailable: true, pendingPods: expect.any(Number) });
    expect(Object.values(first.at(-1)?.zones ?? {}).map(({ membersUp }) => membersUp)).toEqual([1, 1, 1]);
    await eksim.failZone("us-east-1a");
    await eksim.failZone("us-east-1b");
    await eksim.idle();
    const second = await looks(id);
    expect(second.map(({ apiAvailable }) => apiAvailable).at(-1)).toBe(false);
    expect(await looks(id)).toEqual([]);
  });

  it("moves a stepped clock no further than to the next change", async () => {
    await createCluster();
    const id = await begin("shop");
    await looks(id);
    await eksim.kubernetes("shop", "POST", "/api/v1/namespaces/default/pods", {
      metadata: { name: "lonely" },
      spec: { containers: [{ name: "a", image: "nginx" }] },
    });
    await eksim.idle();
    expect((await looks(id)).at(-1)?.pendingPods).toBeGreaterThan(0);
    const before = eksim.now();
    await eksim.startFault({ fault: "zone-power-loss", target: { zone: "us-east-1c" }, delay: "7m" });
    const moved = await ask<{ nowMs: number }>("POST", `/${id}/advance?ms=3600000`);
    expect(moved.body.nowMs - before).toBeLessThanOrEqual(7 * 60_000);
  });

  it("refuses recordings that nobody began, of nothing, and moves that are none", async () => {
    const refusal = async (method: string, path: string): Promise<[number, string]> => {
      const { status, body } = await ask<{ message: string }>(method, path);
      return [status, body.message];
    };
    expect(await refusal("GET", "/none")).toEqual([404, "There is no recording none: begin a new one."]);
    expect(await refusal("POST", "")).toEqual([400, "clusters is missing: name clusters, separated by commas"]);
    const id = await begin("shop");
    expect((await refusal("POST", `/${id}/advance?ms=soon`))[0]).toBe(400);
    expect((await ask("DELETE", `/${id}`)).status).toBe(200);
    expect((await refusal("GET", `/${id}`))[0]).toBe(404);
  });

  it("lets the oldest go when many are open", async () => {
    const first = await begin("shop");
    for (let i = 0; i < 16; i++) await begin("shop");
    expect((await ask("GET", `/${first}`)).status).toBe(404);
  });
});
