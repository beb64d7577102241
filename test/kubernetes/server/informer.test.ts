import { CoreV1Api, KubeConfig, makeInformer, type V1ConfigMap } from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "./server-fixture.js";

let server: Awaited<ReturnType<typeof startServer>>;

beforeAll(async () => {
  server = await startServer({ real: true });
});
afterAll(() => server.server.close());

function kubeConfig(): KubeConfig {
  const config = new KubeConfig();
  const { port, certificates } = server;
  config.loadFromOptions({
    clusters: [
      { name: "c", server: `https://127.0.0.1:${port}`, caData: Buffer.from(certificates.caCert).toString("base64") },
    ],
    users: [{ name: "u", token: "admin" }],
    contexts: [{ name: "x", cluster: "c", user: "u" }],
    currentContext: "x",
  });
  return config;
}

describe("the JavaScript client", () => {
  it("keeps an informer's cache equal to the server's objects", async () => {
    const config = kubeConfig();
    const core = config.makeApiClient(CoreV1Api);
    const create = (name: string) =>
      core.createNamespacedConfigMap({ namespace: "default", body: { metadata: { name }, data: { name } } });
    await create("first");
    const informer = makeInformer<V1ConfigMap>(config, "/api/v1/namespaces/default/configmaps", () =>
      core.listNamespacedConfigMap({ namespace: "default" }),
    );
    const seen: string[] = [];
    let wake = (): void => {};
    const note = (verb: string) => (object: V1ConfigMap) => {
      seen.push(`${verb} ${object.metadata?.name}`);
      wake();
    };
    informer.on("add", note("add"));
    informer.on("update", note("update"));
    informer.on("delete", note("delete"));
    await informer.start();
    await create("second");
    await core.patchNamespacedConfigMap({
      namespace: "default",
      name: "first",
      body: [{ op: "add", path: "/data/more", value: "1" }],
    });
    await core.deleteNamespacedConfigMap({ namespace: "default", name: "second" });
    while (seen.length < 4) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    expect(seen).toEqual(["add first", "add second", "update first", "delete second"]);
    expect(informer.list("default").map(({ metadata, data }) => [metadata?.name, data?.more])).toEqual([
      ["first", "1"],
    ]);
    await informer.stop();
  });
});
