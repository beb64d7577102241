import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import {
  AppsV1Api,
  Attach,
  CoreV1Api,
  Cp,
  Exec,
  KubeConfig,
  Log,
  Metrics,
  makeInformer,
  PatchStrategy,
  PortForward,
  setHeaderOptions,
  topNodes,
  topPods,
  type V1Pod,
  type V1Status,
  Watch,
} from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KubectlCluster, STARTUP_MS, startKubectlCluster } from "./kubectl.js";

/** @kubernetes/client-node against a cluster of an emulator in this process: everything of it that is more than a request and an answer. */

let cluster: KubectlCluster;
let config: KubeConfig;
let core: CoreV1Api;

const TALKER = "i=0; while true; do i=$((i+1)); echo tick $i; sleep 1; done";
const podOf = (name: string, image: string, command?: string[]): V1Pod => ({
  metadata: { name, labels: { app: name } },
  spec: { containers: [{ name: "main", image, command, ports: [{ containerPort: 80 }] }] },
});

/** What is written to a stream, and a promise for when enough of it has come. */
function sink() {
  let text = "";
  let wake = (): void => {};
  const stream = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      wake();
      done();
    },
  });
  const until = async (pattern: RegExp): Promise<string> => {
    while (!pattern.test(text))
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return text;
  };
  return { stream, until, text: () => text };
}

async function exec(
  pod: string,
  command: string[],
  stdin: Readable | null = null,
): Promise<{ status: V1Status; out: string }> {
  const out = sink();
  const status = await new Promise<V1Status>((resolve, reject) => {
    new Exec(config).exec("default", pod, "main", command, out.stream, null, stdin, false, resolve).catch(reject);
  });
  return { status, out: out.text() };
}

beforeAll(async () => {
  cluster = await startKubectlCluster("kubectl");
  config = new KubeConfig();
  config.loadFromString(cluster.eksim.kubeconfig("demo"));
  core = config.makeApiClient(CoreV1Api);
}, STARTUP_MS);
afterAll(() => cluster?.stop());

describe("the JavaScript client", () => {
  it("sees by an informer how pods come up", async () => {
    const phases: string[] = [];
    const running = new Set<string>();
    let wake = (): void => {};
    const informer = makeInformer<V1Pod>(config, "/api/v1/namespaces/default/pods", () =>
      core.listNamespacedPod({ namespace: "default" }),
    );
    const note = (pod: V1Pod): void => {
      const name = pod.metadata?.name ?? "";
      phases.push(`${name} ${pod.status?.phase}`);
      if (pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) running.add(name);
      wake();
    };
    informer.on("add", note);
    informer.on("update", note);
    await informer.start();
    await core.createNamespacedPod({ namespace: "default", body: podOf("web", "nginx") });
    await core.createNamespacedPod({ namespace: "default", body: podOf("talker", "busybox", ["sh", "-c", TALKER]) });
    while (running.size < 2)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    await informer.stop();
    expect(phases.indexOf("web Pending")).toBeLessThan(phases.indexOf("web Running"));
  });

  it("watches a rollout", async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const labels = { app: "watched" };
    await apps.createNamespacedDeployment({
      namespace: "default",
      body: {
        metadata: { name: "watched" },
        spec: {
          replicas: 2,
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: podOf("", "nginx").spec },
        },
      },
    });
    const controller = await new Promise<AbortController>((resolve, reject) => {
      const watching = new Watch(config).watch(
        "/apis/apps/v1/namespaces/default/deployments",
        { fieldSelector: "metadata.name=watched" },
        (_type, deployment) => {
          if (deployment.status?.readyReplicas === 2) void watching.then(resolve);
        },
        () => {},
      );
      watching.catch(reject);
    });
    controller.abort();
    await apps.patchNamespacedDeployment(
      { namespace: "default", name: "watched", body: { spec: { replicas: 0 } } },
      setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch),
    );
  });

  it("executes commands, with input and exit codes", async () => {
    expect(await exec("talker", ["sh", "-c", "echo out; exit 7"])).toMatchObject({
      out: "out\n",
      status: {
        status: "Failure",
        reason: "NonZeroExitCode",
        details: { causes: [{ reason: "ExitCode", message: "7" }] },
      },
    });
    expect(await exec("talker", ["cat"], Readable.from([Buffer.from("typed")]))).toMatchObject({
      out: "typed",
      status: { status: "Success" },
    });
  });

  it("copies a directory into a pod", async () => {
    const directory = join(cluster.home, "sent");
    mkdirSync(directory);
    writeFileSync(join(directory, "note.txt"), "for you");
    await new Cp(config).cpToPod("default", "talker", "main", directory, "/tmp");
    // The client does not tell when it is done.
    while ((await exec("talker", ["cat", "/tmp/note.txt"])).out !== "for you");
  });

  it("attaches to a container and follows its log", async () => {
    const attached = sink();
    const ws = await new Attach(config).attach("default", "talker", "main", attached.stream, null, null, false);
    expect(await attached.until(/tick \d+\n/)).toMatch(/^tick \d+\n/);
    ws.close();
    const logged = sink();
    const following = await new Log(config).log("default", "talker", "main", logged.stream, {
      follow: true,
      tailLines: 1,
    });
    await logged.until(/tick \d+\ntick \d+\n/);
    following.abort();
  });

  it("forwards a port", async () => {
    const input = new PassThrough();
    const answer = sink();
    const ws = await new PortForward(config).portForward("default", "web", [80], answer.stream, null, input);
    input.write("GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n");
    expect(await answer.until(/Welcome to nginx/)).toMatch(/^HTTP\/1.1 200 OK/);
    if (typeof ws !== "function") ws.close();
  });

  it("reads metrics when metrics-server is installed", async () => {
    await cluster.eksim.eks("POST", "/clusters/demo/addons", { addonName: "metrics-server" });
    const metrics = new Metrics(config);
    for (;;) {
      const seen = await metrics.getPodMetrics("default").catch(() => undefined);
      if (seen?.items.some(({ metadata }) => metadata.name === "web")) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const [nodes, pods] = await Promise.all([topNodes(core), topPods(core, metrics, "default")]);
    expect(nodes).toHaveLength(3);
    expect(pods.find(({ Pod }) => Pod.metadata?.name === "web")?.Memory.CurrentUsage).toBeGreaterThan(0);
  });
});
