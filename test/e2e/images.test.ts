import { Writable } from "node:stream";
import { Exec, KubeConfig } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../src/testkit/index.js";

/** Images programmed from a test, as `docs/images.md` describes it. */

interface Pod {
  status: { phase: string; containerStatuses?: { state: { terminated?: { exitCode: number } } }[] };
}

const SUBNETS = ["subnet-a", "subnet-b"];
const ROLE = "arn:aws:iam::000000000000:role/eks";
/** A busy machine may take its time to start. */
const STARTUP_MS = 120_000;
const PODS = "/api/v1/namespaces/default/pods";

let eksim: Eksim;
const kubernetes = <T>(method: string, path: string, body?: unknown): Promise<T> =>
  eksim.kubernetes<T>("demo", method, path, body);
const create = (name: string, image: string, more: object = {}): Promise<Pod> =>
  kubernetes("POST", PODS, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { restartPolicy: "Never", containers: [{ name: "main", image, ports: [{ containerPort: 8080 }], ...more }] },
  });
const phase = async (name: string): Promise<string> => (await kubernetes<Pod>("GET", `${PODS}/${name}`)).status.phase;

beforeAll(async () => {
  eksim = await startEksim({
    seed: 1,
    images: {
      "shop/orders": {
        exec: ([name]) => (name === "psql" ? { stdout: "1 row\n" } : undefined),
        http: (port, { method, path, pod }) => ({ body: JSON.stringify({ port, method, path, pod }) }),
      },
      "shop/migrate:*": {
        async run({ env, log, sleep }) {
          log(`to ${env.TARGET}`);
          await sleep(30_000);
          return env.TARGET === "v2" ? 0 : 4;
        },
      },
    },
  });
  await eksim.eks("POST", "/clusters", { name: "demo", roleArn: ROLE, resourcesVpcConfig: { subnetIds: SUBNETS } });
  await eksim.advance("1s");
  await eksim.eks("POST", "/clusters/demo/node-groups", {
    nodegroupName: "workers",
    nodeRole: "arn:aws:iam::000000000000:role/node",
    subnets: SUBNETS,
    scalingConfig: { minSize: 1, maxSize: 1, desiredSize: 1 },
  });
  await create("orders", "shop/orders:1");
  await create("good", "shop/migrate:7", { env: [{ name: "TARGET", value: "v2" }] });
  await create("bad", "shop/migrate:7", { env: [{ name: "TARGET", value: "v3" }] });
  await eksim.advanceUntil(async () => (await phase("bad")) === "Running", "10m");
}, STARTUP_MS);
afterAll(() => eksim?.stop());

describe("an image programmed by a test", () => {
  it("answers HTTP with what a function gives", async () => {
    await eksim.advanceUntil(async () => (await phase("orders")) === "Running", "5m");
    expect(await kubernetes("GET", `${PODS}/orders/proxy/open?sort=age`)).toEqual({
      port: 8080,
      method: "GET",
      path: "/open?sort=age",
      pod: { namespace: "default", name: "orders" },
    });
  });

  it("runs a function by the clock of the cluster, and ends with its number", async () => {
    expect([await phase("good"), await phase("bad")]).toEqual(["Running", "Running"]);
    await eksim.advance("40s");
    expect([await phase("good"), await phase("bad")]).toEqual(["Succeeded", "Failed"]);
    const { status } = await kubernetes<Pod>("GET", `${PODS}/bad`);
    expect(status.containerStatuses?.[0]?.state.terminated?.exitCode).toBe(4);
  });

  it("answers commands with what a function gives, and runs the others, while time stands still", async () => {
    const config = new KubeConfig();
    config.loadFromString(eksim.kubeconfig("demo"));
    const execute = async (...command: string[]): Promise<string> => {
      let out = "";
      const sink = new Writable({
        write(chunk, _encoding, done) {
          out += String(chunk);
          done();
        },
      });
      await new Promise((resolve, reject) => {
        new Exec(config).exec("default", "orders", "main", command, sink, null, null, false, resolve).catch(reject);
      });
      return out;
    };
    expect(await execute("psql", "-c", "select 1")).toBe("1 row\n");
    expect(await execute("sh", "-c", "echo $HOSTNAME")).toBe("orders\n");
  });
});
