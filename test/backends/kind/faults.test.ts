/** What is wrong with machines and pods of kind: which machine is told what. Kubernetes answers for itself; of Docker, orders to machines are only noted. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { BackendError, type ClusterBackend, type PodFacts } from "../../../src/backends/backend.js";
import { createKindBackend } from "../../../src/backends/kind/kind-backend.js";
import { kubeletUnit } from "../../../src/backends/kind/pressures.js";
import type { Runner } from "../../../src/backends/kind/runner.js";
import { type Impairments, NOTHING_WRONG } from "../../../src/domain/impairments.js";
import { makeCertificates } from "../../kubernetes/server/certificates.js";
import { contractSpec } from "../contract.js";
import { eventually, kubeconfigOf, type StandIn, standIn } from "./api-server.js";
import { NO_ADDRESS, networkWith, recordedRunner, silentLog } from "./recorded.js";

const OWNER = "d1fbfc";
const NAME = "eksim-d1fbfc-contract-0123456789ab";
const id = contractSpec.clusterId;
const kindLabels = (role: string) => ({ "io.x-k8s.kind.cluster": NAME, "io.x-k8s.kind.role": role });
const MASTERS = contractSpec.members.map(({ id: member, zone }, index) => ({
  id: member,
  zone,
  container: `${NAME}-control-plane${index === 0 ? "" : index + 1}`,
  address: `172.18.0.${index + 3}`,
}));

const { serverCert, serverKey, caCert, clientCertificate } = makeCertificates();
const PROXY = clientCertificate("front-proxy-client", "nobody");
/** Of masters and of the load balancer. */
const FILES: Readonly<Record<string, string>> = {
  "/etc/kubernetes/pki/ca.crt": caCert,
  "/etc/kubernetes/pki/apiserver.crt": serverCert,
  "/etc/kubernetes/pki/apiserver.key": serverKey,
  "/etc/kubernetes/pki/front-proxy-client.crt": PROXY.cert,
  "/etc/kubernetes/pki/front-proxy-client.key": PROXY.key,
  "/home/envoy/cds.yaml": JSON.stringify({
    resources: [
      {
        load_assignment: {
          endpoints: [
            { lb_endpoints: [{ endpoint: { address: { socket_address: { address: "x", port_value: 1 } } } }] },
          ],
        },
      },
    ],
  }),
};

interface Order {
  machine: string;
  command: string[];
  input: string;
}

let world: StandIn;
let dir: string;
let backend: ClusterBackend;
let make: () => ClusterBackend;
/** Orders to machines since the last look at them. */
let orders: Order[];
/** What becomes of an order before it is carried out: it may take its time, or fail. */
let before: (order: Order) => Promise<void> | undefined;
let recorded: ReturnType<typeof recordedRunner>;

const machineOf = (nodeName: string): string => `${NAME}-of-${nodeName.replace(/\..*/, "")}`;

beforeAll(async () => {
  world = await standIn(2);
  const labels = { app: "web" };
  await world.client.request("POST", "/apis/apps/v1/namespaces/default/deployments", {
    body: {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "default" },
      spec: {
        replicas: 4,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "nginx" }] } },
      },
    },
  });
  await world.clock.advance(60_000);
});
afterAll(() => world.close());

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "eksim-kind-faults-"));
  mkdirSync(join(dir, id));
  writeFileSync(join(dir, "owner"), OWNER);
  writeFileSync(join(dir, id, "kubeconfig"), kubeconfigOf(world.access));
  writeFileSync(
    join(dir, id, "cluster.json"),
    JSON.stringify({ form: 1, kindName: NAME, spec: contractSpec, masters: MASTERS }),
  );
  recorded = recordedRunner();
  const { items } = await world.client.request<{ items: { metadata: { name: string } }[] }>("GET", "/api/v1/nodes");
  recorded.containers = [
    ...MASTERS.map(({ container, address }) => ({ name: container, labels: kindLabels("control-plane"), address })),
    { name: `${NAME}-external-load-balancer`, labels: kindLabels("external-load-balancer"), address: "172.18.0.2" },
    ...items.map(({ metadata: { name } }, index) => ({
      name: machineOf(name),
      labels: { ...kindLabels("worker"), "eksim.dev/node": name, "eksim.dev/zone": "us-east-1a" },
      address: `172.18.128.${index + 7}`,
    })),
  ];
  recorded.expect(
    {
      command: ["docker", "info", "--format", "{{.ServerVersion}} cgroup {{.CgroupVersion}} {{.SecurityOptions}}"],
      stdout: "28.5.2 cgroup 2\n",
      always: true,
    },
    { command: ["kind", "version", "--quiet"], stdout: "0.33.0\n", always: true },
    { command: ["kubectl", "version", "--client"], stdout: "Client Version: v1.36.2\n", always: true },
    {
      command: ["docker", "network", "inspect", "kind"],
      stdout: () => networkWith(recorded.containers).replaceAll(NO_ADDRESS, "127.0.0.1"),
      always: true,
    },
  );
  orders = [];
  before = () => undefined;
  const runner: Runner = {
    follow: () => () => {},
    run: async (tool, args, options = {}) => {
      if (args[0] !== "exec") return recorded.run(tool, args, options);
      const [machine = "", ...command] = args
        .slice(1)
        .filter((arg) => arg !== "--privileged" && arg !== "--interactive");
      const order = { machine, command, input: options.input ?? "" };
      await before(order);
      orders.push(order);
      const stdout = command[0] === "cat" ? FILES[command[1] ?? ""] : undefined;
      return { stdout: stdout ?? (command[1] === "is-system-running" ? "running\n" : ""), stderr: "", exitCode: 0 };
    },
  };
  make = () =>
    createKindBackend({
      clock: world.realClock,
      log: silentLog,
      dir,
      provider: "docker",
      environment: {},
      nodeImages: new Map(),
      parallel: 1,
      webhookFiles: async () => ({ authentication: "A", authorization: "B" }),
      runner,
      mounts: async () => "",
    });
  backend = make();
  await backend.adoptCluster(contractSpec, []);
  orders = [];
});
afterEach(async () => {
  await backend.close();
  rmSync(dir, { recursive: true });
});

const web = async (): Promise<PodFacts[]> =>
  ((await backend.pods?.(id)) ?? []).filter(({ labels }) => labels.app === "web");
const impair = async (wrong: Partial<Impairments>) => backend.impair?.(id, { ...NOTHING_WRONG, ...wrong });
/** Packet rules that a machine was given last. */
const rulesOf = (machine: string): string =>
  orders.filter((one) => one.machine === machine && one.command[0] === "nft").at(-1)?.input ?? "";
const shells = () => orders.filter(({ command }) => command[0] === "sh");

describe("containers of pods", () => {
  it.each(["crash", "oom"] as const)("end by %s in the machines that run them", async (how) => {
    const there = await web();
    const nodes = [...new Set(there.map(({ nodeName = "" }) => nodeName))];
    expect(nodes).toHaveLength(2);
    await backend.endPods?.(id, [...there, { namespace: "default", name: "nobody" }], how);
    const told = shells().map(({ machine, command }) => ({ machine, how: command[2], pods: command.slice(3).sort() }));
    expect(told).toHaveLength(2);
    for (const nodeName of nodes) {
      const names = there
        .filter((pod) => pod.nodeName === nodeName)
        .flatMap(({ namespace, name }) => [namespace, name]);
      expect(told).toContainEqual({ machine: machineOf(nodeName), how, pods: names.sort() });
    }
  });

  it("have ended where the machine has no power", async () => {
    const [pod] = (await web()) as [PodFacts];
    for (const one of recorded.containers) if (one.name === machineOf(pod.nodeName ?? "")) one.state = "exited";
    await backend.endPods?.(id, [pod], "crash");
    expect(shells()).toEqual([]);
  });

  it("crash whenever they are heard to run, until it is told otherwise; others are left alone", async () => {
    const [pod] = (await web()) as [PodFacts];
    const wrong = { pods: [{ namespace: "default", name: pod.name, trouble: "crash-loop" as const }] };
    await impair(wrong);
    await eventually(() => shells().length === 1);
    expect(shells()).toMatchObject([
      { machine: machineOf(pod.nodeName ?? ""), command: ["sh", "-s", "crash", "default", pod.name] },
    ]);
    await impair(wrong);
    const starts = async (containerID: string) =>
      world.client.request("PATCH", `/api/v1/namespaces/default/pods/${pod.name}/status`, {
        contentType: "application/strategic-merge-patch+json",
        body: {
          status: {
            containerStatuses: [
              {
                name: "web",
                containerID,
                state: { running: {} },
                ready: true,
                image: "nginx",
                imageID: "",
                restartCount: 1,
              },
            ],
          },
        },
      });
    await starts("containerd://two");
    await eventually(() => shells().length === 2);
    await impair({});
    await starts("containerd://three");
    await eventually(async () => (await web()).length > 0);
    expect(shells()).toHaveLength(2);
  });
});

describe("what a node is short of", () => {
  it("is said to its kubelet as more than any machine has to spare, and is unsaid", async () => {
    const [{ nodeName = "" }] = (await web()) as [PodFacts];
    await impair({ nodes: { [nodeName]: { pressures: ["MemoryPressure"] } } });
    expect(shells()).toMatchObject([
      { machine: machineOf(nodeName), command: ["sh", "-s", kubeletUnit(["MemoryPressure"])] },
    ]);
    await impair({});
    expect(shells().at(-1)).toMatchObject({ machine: machineOf(nodeName), command: ["sh", "-s", ""] });
    await impair({});
    expect(shells()).toHaveLength(2);
  });

  it("is unsaid also when that did not succeed at first", async () => {
    const [{ nodeName = "" }] = (await web()) as [PodFacts];
    await impair({ nodes: { [nodeName]: { pressures: ["MemoryPressure"] } } });
    before = ({ command }) =>
      command[0] === "nft" ? Promise.reject(new BackendError("failed", "no such machine")) : undefined;
    await expect(impair({})).rejects.toMatchObject({ code: "failed" });
    before = () => undefined;
    await impair({});
    expect(shells().at(-1)).toMatchObject({ machine: machineOf(nodeName), command: ["sh", "-s", ""] });
  });

  it("is a threshold without a share in what the node has for pods, in systemd's own spelling", () => {
    expect(kubeletUnit(["PIDPressure", "DiskPressure"])).toBe(
      '[Service]\nEnvironment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml ' +
        "--eviction-soft=nodefs.available<99.9%%,pid.available<99.999%% " +
        '--eviction-soft-grace-period=nodefs.available=1s,pid.available=1s"',
    );
    expect(kubeletUnit([])).toBe("");
  });
});

describe("links that are cut", () => {
  const CUT = { links: [{ from: { zone: "us-east-1b" }, to: { zone: "us-east-1a" }, cut: true }] };
  const isCut = (machine: string): boolean => rulesOf(machine).includes(" drop\n");

  it("are whole for a machine that stood still when they were mended, once it goes on", async () => {
    const [{ nodeName = "" }] = (await web()) as [PodFacts];
    const machine = machineOf(nodeName);
    const own = recorded.containers.find(({ name }) => name === machine);
    await impair(CUT);
    expect(isCut(machine)).toBe(true);
    if (own) own.state = "paused";
    await impair({});
    expect(isCut(machine)).toBe(true);
    recorded.expect({
      command: ["docker", "unpause", machine],
      effect: () => {
        if (own) own.state = "running";
      },
    });
    orders = [];
    await backend.setNodePower(id, nodeName, "running");
    expect(rulesOf(machine)).toContain("delete table inet eksim_links");
    orders = [];
    await backend.setNodePower(id, nodeName, "running");
    expect(orders.filter(({ input }) => input.includes("eksim_links"))).toEqual([]);
  });

  it("are whole also for a machine that was just being told of them again", async () => {
    const [{ nodeName = "" }] = (await web()) as [PodFacts];
    const machine = machineOf(nodeName);
    await impair(CUT);
    let goOn = (): void => {};
    const stands = new Promise<void>((resolve) => {
      before = (order) => {
        if (order.machine !== machine || !order.input.includes(" drop\n")) return undefined;
        resolve();
        return new Promise((carryOut) => {
          goOn = carryOut;
        });
      };
    });
    const told = backend.setNodePower(id, nodeName, "running");
    await stands;
    const mended = impair({});
    for (let turn = 0; turn < 5; turn++) await web();
    goOn();
    await Promise.all([told, mended]);
    expect(isCut(machine)).toBe(false);
  });
});

describe("a node without registries", () => {
  it("reaches its own cluster and nothing else, while its pods reach everything", async () => {
    const [{ nodeName = "" }] = (await web()) as [PodFacts];
    await impair({ nodes: { [nodeName]: { imagePulls: { images: ["*"] } } } });
    const rules = rulesOf(machineOf(nodeName));
    const own = /chain leaving \{([^}]*(?:\{[^}]*\}[^}]*)*)\n {2}\}/.exec(rules)?.[1] ?? "";
    expect(own).toMatch(
      /ip daddr \{ 172\.18\.0\.3, [^}]*172\.18\.0\.2, 10\.100\.0\.0\/16, 100\.64\.0\.0\/10, [^}]*\} accept/,
    );
    expect(own.trim().split("\n").at(-1)?.trim()).toBe("meta l4proto tcp reject with tcp reset");
    expect(rules).toMatch(/chain passing \{\n[^\n]*policy accept;\n {2}\}/);
    expect(rulesOf(MASTERS[0]?.container ?? "")).not.toContain("reject");
    await impair({});
    expect(rulesOf(machineOf(nodeName))).not.toContain("reject");
  });

  it("can lose all images, but no single ones", async () => {
    const [{ nodeName = "" }] = (await web()) as [PodFacts];
    const some = impair({ nodes: { [nodeName]: { imagePulls: { images: ["nginx*"] } } } });
    await expect(some).rejects.toMatchObject({ code: "unsupported", message: expect.stringContaining("take *") });
    expect(orders).toEqual([]);
  });
});

describe("API servers that something is wrong with", () => {
  const balanced = (): string[] => {
    const written = orders.filter(
      ({ command }) => command.at(-1) === "/home/envoy/cds.yaml.tmp" && command[0] === "cp",
    );
    return [...(written.at(-1)?.input ?? "").matchAll(/address: (\S+)\n\s*port_value: (\d+)/g)].map(
      ([, address, port]) => `${address}:${port}`,
    );
  };
  const masters = MASTERS.map(({ container }) => `${container}:6443`);
  const isNoted = (): boolean => readFileSync(join(dir, id, "cluster.json"), "utf8").includes('"fronted": true');

  it("are behind eksim for whoever asks the load balancer, until it is told otherwise", async () => {
    await impair({ apiServer: { throttledPercent: 100 } });
    expect(balanced()).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
    expect(isNoted()).toBe(true);
    orders = [];
    await impair({ apiServer: { failedPercent: 100 } });
    expect(balanced()).toEqual([]);
    await impair({});
    expect(balanced()).toEqual(masters);
    expect(isNoted()).toBe(false);
  });

  it("have nobody before them any more when eksim ends, even where the load balancer does not do as it is told", async () => {
    await impair({ apiServer: { throttledPercent: 100 } });
    const [, port] = balanced()[0]?.split(":") ?? [];
    before = () => Promise.reject(new BackendError("failed", "no such container"));
    await backend.close();
    await expect(fetch(`https://127.0.0.1:${port}/`)).rejects.toMatchObject({ cause: { code: "ECONNREFUSED" } });
  });

  it("are reached as ever when eksim ends, and when the next one finds that it has died", async () => {
    const note = () => readFileSync(join(dir, id, "cluster.json"), "utf8");
    await impair({ apiServer: { latencyMs: 1 } });
    const died = note();
    await backend.close();
    expect(balanced()).toEqual(masters);
    writeFileSync(join(dir, id, "cluster.json"), died);
    orders = [];
    backend = make();
    await backend.adoptCluster(contractSpec, []);
    expect(balanced()).toEqual(masters);
    expect(isNoted()).toBe(false);
  });
});

describe("an outage of webhooks", () => {
  const CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
  const webhook = (name: string, clientConfig: unknown) => ({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name },
    webhooks: [
      {
        name: `${name}.example.com`,
        rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["secrets"] }],
        clientConfig,
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        failurePolicy: "Ignore",
      },
    ],
  });

  it("keeps masters from those that are named, by Service or by URL, and from those that come while it lasts", async () => {
    const { spec } = await world.client.request<{ spec: { clusterIP: string } }>(
      "POST",
      "/api/v1/namespaces/default/services",
      {
        body: {
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "hook", namespace: "default" },
          spec: { ports: [{ port: 8443 }] },
        },
      },
    );
    const make = (body: unknown) => world.client.request("POST", CONFIGURATIONS, { body });
    await make(webhook("mine", { service: { namespace: "default", name: "hook", port: 8443 } }));
    await make(webhook("other", { url: "https://192.0.2.9/x" }));
    const [master, ...others] = MASTERS.map(({ container }) => container);
    await impair({ webhooks: { names: ["mine*"], mode: "timeout" } });
    expect(rulesOf(master ?? "")).toContain(`ip daddr ${spec.clusterIP} tcp dport 8443 drop`);
    expect(rulesOf(master ?? "")).not.toContain("192.0.2.9");
    for (const other of others) expect(rulesOf(other)).toBe(rulesOf(master ?? ""));
    const [{ nodeName = "" }] = (await web()) as [PodFacts];
    expect(rulesOf(machineOf(nodeName))).not.toContain("8443");
    await make(webhook("mine-too", { url: "https://192.0.2.10:9443/x" }));
    await eventually(() => rulesOf(master ?? "").includes("ip daddr 192.0.2.10 tcp dport 9443 drop"));
    await impair({ webhooks: { names: ["other.example.com"], mode: "refused" } });
    expect(rulesOf(master ?? "")).toContain("ip daddr 192.0.2.9 tcp dport 443 reject with tcp reset");
    expect(rulesOf(master ?? "")).not.toContain("drop");
    await impair({});
    expect(rulesOf(master ?? "")).not.toContain("reject");
  });
});
