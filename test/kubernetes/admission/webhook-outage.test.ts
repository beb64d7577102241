/** Webhooks that nobody reaches although they are there. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { SimulatedCluster } from "../../../src/kubernetes/cluster.js";
import type { Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { type Client, connect, tokenUsers } from "../cluster-client.js";
import { makeCertificates } from "../server/certificates.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";
import { allow, startWebhookServer, type WebhookServer } from "./webhook-server.js";

const GROUP = "admissionregistration.k8s.io";
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

let cluster: SimulatedCluster;
let clock: SteppedClock;
let call: Client["call"];
let server: WebhookServer;

beforeEach(async () => {
  const tls = makeCertificates();
  ({ cluster, clock } = await startSimulated({ tls, ...tokenUsers }));
  ({ call } = await connect(cluster, tls.caCert));
  server = await startWebhookServer(["hook.default.svc"]);
  server.handlers["/"] = allow;
  await cluster.api.create("services", {
    metadata: {
      name: "hook",
      namespace: "default",
      annotations: { "eksim.dev/host-endpoint": `https://127.0.0.1:${server.port}` },
    },
    spec: { ports: [{ port: 443 }] },
  });
});
afterEach(() => server.close());

const configure = (name: string, failurePolicy: string, resources = ["configmaps"]) =>
  cluster.api.create(`validatingwebhookconfigurations.${GROUP}`, {
    metadata: { name },
    webhooks: [
      {
        name: `${name}.example.com`,
        rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources }],
        clientConfig: { service: { namespace: "default", name: "hook" }, caBundle: server.caBundle },
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        failurePolicy,
        timeoutSeconds: 7,
      },
    ],
  });

const create = (name: string) =>
  call(CONFIG_MAPS, { method: "POST", body: { metadata: { name, namespace: "default" } } });

describe("an outage of webhooks", () => {
  it("that refuse connections fails what they must not be passed over for", async () => {
    await configure("strict", "Fail");
    expect((await create("a")).code).toBe(201);
    for (const names of [["strict"], ["strict.example.com"], ["*.example.com"], ["nobody", "str*"]]) {
      cluster.setWebhookTrouble({ names, mode: "refused" });
      expect(await create("b")).toMatchObject({
        code: 500,
        body: {
          reason: "InternalError",
          message: `Internal error occurred: failed calling webhook "strict.example.com": failed to call webhook: Post "https://hook.default.svc:443/?timeout=7s": dial tcp 127.0.0.1:${server.port}: connect: connection refused`,
        },
      });
    }
    cluster.setWebhookTrouble({ names: ["others"], mode: "refused" });
    expect((await create("b")).code).toBe(201);
    cluster.setWebhookTrouble(undefined);
    expect((await create("c")).code).toBe(201);
  });

  it("passes over those whose failure policy is Ignore", async () => {
    await configure("lax", "Ignore");
    cluster.setWebhookTrouble({ names: ["*"], mode: "refused" });
    expect((await create("a")).code).toBe(201);
    expect(server.seen).toEqual([]);
  });

  it("that never answer holds clients up until the webhook's time is over", async () => {
    await configure("strict", "Fail");
    cluster.setWebhookTrouble({ names: ["strict"], mode: "timeout" });
    const before = clock.now();
    let done = false;
    const asked = create("a").finally(() => {
      done = true;
    });
    while (!done) {
      await clock.advance(500);
      await new Promise(setImmediate);
    }
    expect(await asked).toMatchObject({
      code: 500,
      body: { message: expect.stringMatching(/Post "https:.*\?timeout=7s": context deadline exceeded$/) },
    });
    expect(clock.now() - before).toBeGreaterThanOrEqual(7_000);
  });

  it("keeps controllers from making pods, without holding up anything else, until it is over", async () => {
    await cluster.addNode(nodeSpec(0));
    await configure("pods", "Fail", ["pods"]);
    cluster.setWebhookTrouble({ names: ["pods"], mode: "timeout" });
    const template = { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx" }] } };
    await cluster.api.create("deployments.apps", {
      metadata: { name: "web", namespace: "default" },
      spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template },
    });
    await clock.advance(60_000);
    const pods = () => cluster.api.list<Pod>("pods", { namespace: "default" }).length;
    expect(pods()).toBe(0);
    expect(cluster.api.list("replicasets.apps", { namespace: "default" })).toHaveLength(1);
    cluster.setWebhookTrouble(undefined);
    await clock.advance(30_000);
    expect(pods()).toBe(2);
  });
});
