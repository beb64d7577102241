/** The real kubectl against a cluster in which something is broken: what people see then, in the words that they would look up. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type KubectlCluster, newestKubectl, STARTUP_MS, startKubectlCluster } from "./kubectl.js";

const program = newestKubectl();
if (!program) console.warn("skipped: there is no kubectl on this machine");

const ZONE = "us-east-1a";
const deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: {
    replicas: 3,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: "topology.kubernetes.io/zone",
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: { matchLabels: { app: "web" } },
          },
        ],
        containers: [{ name: "web", image: "nginx", ports: [{ containerPort: 80 }] }],
      },
    },
  },
};

describe.skipIf(!program)("kubectl, with something broken", () => {
  let cluster: KubectlCluster;
  beforeAll(async () => {
    cluster = await startKubectlCluster(program as string);
    await cluster.run("create -f -", { input: deployment });
    await cluster.run("rollout status deployment/web --timeout=120s");
  }, STARTUP_MS);
  afterEach(() => cluster.eksim.stopAllFaults());
  afterAll(() => cluster?.stop());

  const faulty = (fault: string, target: object, parameters: Record<string, unknown> = {}) =>
    cluster.eksim.startFault({ fault, target, parameters });
  const podIn = async (zone: string): Promise<{ name: string; host: string; path: string }> => {
    const nodes = (await cluster.run(`get nodes -l topology.kubernetes.io/zone=${zone} -o name`)).trim().split("\n");
    const { items } = JSON.parse(await cluster.run("get pods -l app=web -o json")) as {
      items: { metadata: { name: string }; spec: { nodeName: string }; status: { hostIP: string } }[];
    };
    const found = items.find(({ spec }) => nodes.includes(`node/${spec.nodeName}`));
    if (!found) throw new Error(`no pod of web is in ${zone}`);
    return { name: found.metadata.name, host: found.status.hostIP, path: `default/${found.metadata.name}/web` };
  };

  it("reaches no pod in a zone that is cut off, and sees its nodes go NotReady", async () => {
    const { name, host, path } = await podIn(ZONE);
    await faulty("zone-isolation", { zone: ZONE });
    expect((await cluster.kubectl(`exec ${name} -- hostname`)).err).toContain(
      `error dialing backend: dial tcp ${host}:10250: i/o timeout`,
    );
    expect((await cluster.kubectl(`logs ${name}`)).err.trim()).toBe(
      `Error from server: Get "https://${host}:10250/containerLogs/${path}": dial tcp ${host}:10250: i/o timeout`,
    );
    await cluster.run(`wait --for=condition=Ready=Unknown node -l topology.kubernetes.io/zone=${ZONE} --timeout=120s`);
    await cluster.eksim.stopAllFaults();
    await cluster.run(`wait --for=condition=Ready node -l topology.kubernetes.io/zone=${ZONE} --timeout=120s`);
    expect((await cluster.run(`exec ${name} -- hostname`)).trim()).toBe(name);
  }, 120_000);

  it("is told by etcd that it has no quorum, but may look at what the API server remembers", async () => {
    await faulty("quorum-loss", { cluster: "demo" });
    const asked = await cluster.kubectl("get pods");
    expect(asked).toMatchObject({ code: 1, err: expect.stringContaining("etcdserver: request timed out") });
    const created = await cluster.kubectl("create configmap lost");
    expect(created.err).toContain("etcdserver: request timed out");
    const remembered = await cluster.run("get --raw /api/v1/namespaces/default/pods?resourceVersion=0");
    expect((JSON.parse(remembered) as { items: unknown[] }).items).toHaveLength(3);
    const ready = await cluster.kubectl("get --raw /readyz?verbose");
    expect(`${ready.out}${ready.err}`).toContain("[-]etcd failed");
    await cluster.eksim.stopAllFaults();
    await cluster.run("create configmap found");
  }, 120_000);

  it("tries again while the API server throttles, which health checks never feel", async () => {
    await faulty("api-server-throttling", { cluster: "demo" }, { share: 30 });
    expect(await cluster.run("get nodes -o name")).toContain("node/");
    await faulty("api-server-throttling", { cluster: "demo" }, { share: 100 });
    expect((await cluster.kubectl("get --raw /readyz")).out).toBe("ok");
  }, 120_000);

  it("cannot create what a webhook must see that nobody reaches", async () => {
    const webhook = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "guard" },
      webhooks: [
        {
          name: "guard.example.com",
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
          clientConfig: { service: { namespace: "default", name: "web" } },
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          failurePolicy: "Fail",
        },
      ],
    };
    await cluster.run("expose deployment web --port=443 --target-port=80");
    await cluster.run("create -f -", { input: webhook });
    await faulty("webhook-outage", { cluster: "demo" }, { webhooks: ["guard"], mode: "refused" });
    expect((await cluster.kubectl("create configmap guarded")).err).toMatch(
      /failed calling webhook "guard.example.com": failed to call webhook: Post "https:\/\/web\.default\.svc:443\/\?timeout=10s": dial tcp \S+:80: connect: connection refused/,
    );
    await cluster.run("delete validatingwebhookconfiguration guard");
    await cluster.run("create configmap guarded");
  }, 120_000);
});
