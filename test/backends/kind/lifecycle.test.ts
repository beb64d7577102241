import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  BackendError,
  type ClusterBackend,
  type ClusterSpec,
  type NodePower,
  type Observation,
} from "../../../src/backends/backend.js";
import { createKindBackend } from "../../../src/backends/kind/kind-backend.js";
import { contractNode, contractSpec } from "../contract.js";
import { eventually, kubeconfigOf, type StandIn, standIn } from "./api-server.js";
import { NO_ADDRESS, networkWith, type RecordedContainer, recordedRunner } from "./recorded.js";

const OWNER = "d1fbfc";
const NAME = "eksim-d1fbfc-contract-0123456789ab";
const id = contractSpec.clusterId;
const kindLabels = (role: string): Record<string, string> => ({
  "io.x-k8s.kind.cluster": NAME,
  "io.x-k8s.kind.role": role,
});
const MASTERS = [`${NAME}-control-plane`, `${NAME}-control-plane2`, `${NAME}-control-plane3`] as const;
const FRESH: readonly RecordedContainer[] = [
  ...MASTERS.map((name, index) => ({ name, labels: kindLabels("control-plane"), address: `172.18.0.${index + 3}` })),
  { name: `${NAME}-external-load-balancer`, labels: kindLabels("external-load-balancer"), address: "172.18.0.2" },
];

let world: StandIn;
let dir: string;
let runner: ReturnType<typeof recordedRunner>;
let backend: ClusterBackend;
let told: string[];
let webhookAt: string;

const inside = (container: string, ...command: string[]): string[] => [
  "docker",
  "exec",
  "--privileged",
  container,
  ...command,
];
const written = (container: string, path: string): string[] => [
  "docker",
  "exec",
  "--privileged",
  "--interactive",
  container,
  "cp",
  "/dev/stdin",
  path,
];
const readyz = (container: string): string[] =>
  inside(container, "curl", "--silent", "--insecure", "--fail", "--max-time", "3", "https://localhost:6443/readyz");
const find = (name: string): RecordedContainer =>
  runner.containers.find((one) => one.name === name) as RecordedContainer;
const clusterDir = (): string => join(dir, id);

const becomes = (name: string, state: RecordedContainer["state"]) => (): void => {
  find(name).state = state as "running";
};
const holds =
  (...containers: RecordedContainer[]) =>
  (): void => {
    runner.containers = containers;
  };

function makeBackend(): ClusterBackend {
  runner = recordedRunner();
  runner.expect(
    {
      command: ["docker", "info", "--format", "{{.ServerVersion}} cgroup {{.CgroupVersion}} {{.SecurityOptions}}"],
      stdout: "28.5.2 cgroup 2\n",
      always: true,
    },
    { command: ["kind", "version", "--quiet"], stdout: "0.33.0\n", always: true },
    { command: ["kubectl", "version", "--client"], stdout: "Client Version: v1.36.2\n", always: true },
    { command: ["docker", "network", "inspect", "kind"], stdout: () => networkWith(runner.containers), always: true },
    {
      command: [
        "docker",
        "events",
        "--filter",
        "type=container",
        "--filter",
        `label=io.x-k8s.kind.cluster=${NAME}`,
        "--format",
        "{{json .}}",
      ],
      always: true,
    },
  );
  return createKindBackend({
    clock: world.realClock,
    log: { debug: () => {}, info: (fields) => void told.push(String(fields.step ?? "")), warn: () => {} },
    dir,
    provider: "docker",
    environment: {},
    nodeImages: new Map(),
    parallel: 2,
    webhookFiles: async (clusterId, addresses) => ({
      authentication: `${clusterId} at ${addresses[0]}${webhookAt}`,
      authorization: "B",
    }),
    runner,
    mounts: async () => "",
  });
}

const CREATE = (): string[] => [
  "kind",
  "create",
  "cluster",
  "--name",
  NAME,
  "--config",
  join(clusterDir(), "kind.json"),
  "--image",
  "kindest/node:v1.36.2",
  "--kubeconfig",
  join(clusterDir(), "kubeconfig"),
];
const DELETE = (): string[] => [
  "kind",
  "delete",
  "cluster",
  "--name",
  NAME,
  "--kubeconfig",
  join(dir, NAME, "kubeconfig"),
];

/** What kind does: its containers are there, and its kubeconfig is written. */
const created = () => ({
  command: CREATE(),
  stderr:
    " • Preparing nodes 📦 📦 📦   ...\n ✓ Preparing nodes 📦 📦 📦 \n • Writing configuration 📜  ...\n ✓ Writing configuration 📜\n",
  effect: () => {
    runner.containers = FRESH.map((one) => ({ ...one }));
    writeFileSync(join(clusterDir(), "kubeconfig"), kubeconfigOf(world.access));
  },
});
const deleted = () => ({ command: DELETE(), effect: holds() });

beforeEach(async () => {
  world = await standIn();
  dir = mkdtempSync(join(tmpdir(), "eksim-kind-"));
  writeFileSync(join(dir, "owner"), OWNER);
  told = [];
  webhookAt = "";
  backend = makeBackend();
});
afterEach(async () => {
  await backend.close();
  await world.close();
  rmSync(dir, { recursive: true, force: true });
});

const create = (spec: ClusterSpec = contractSpec) => {
  runner.expect(created());
  return backend.createCluster(spec);
};

describe("creating a cluster", () => {
  it("has kind make it, tells its steps, and gives its endpoint and authority", async () => {
    expect(await create()).toEqual({
      endpoint: world.access.server,
      port: world.access.port,
      certificateAuthority: world.access.ca,
    });
    expect(told.filter(Boolean)).toEqual(["Preparing nodes 📦 📦 📦", "Writing configuration"]);
    expect(runner.left()).toEqual([]);
    expect(await backend.inventory()).toEqual([id]);
    expect((await backend.summary(id)).apiAvailable).toBe(true);
  });

  it("keeps its files to itself, and writes down who the masters are and where", async () => {
    await create();
    expect(readFileSync(join(clusterDir(), "authn/authentication.json"), "utf8")).toBe(`${id} at ${NO_ADDRESS}`);
    for (const file of ["cluster.json", "kind.json", "authn/authentication.json"])
      expect(statSync(join(clusterDir(), file)).mode & 0o077).toBe(0);
    const { masters } = JSON.parse(readFileSync(join(clusterDir(), "cluster.json"), "utf8"));
    expect(masters[1]).toEqual({ id: "master-2", zone: "us-east-1b", container: MASTERS[1], address: "172.18.0.4" });
  });

  it("is done once, however often and at once it is asked for", async () => {
    const [one, two] = await Promise.all([create(), backend.createCluster(contractSpec)]);
    expect(two).toEqual(one);
    expect(runner.ran.filter(([tool, verb]) => tool === "kind" && verb === "create")).toHaveLength(1);
  });

  it("takes away first what an attempt that was killed has left", async () => {
    runner.containers = [{ name: MASTERS[0], labels: kindLabels("control-plane"), address: "172.18.0.9" }];
    runner.expect(deleted());
    await create();
    expect(runner.left()).toEqual([]);
  });

  it("fails with kind's own last words and the command that helps, and leaves nothing", async () => {
    runner.expect({
      command: CREATE(),
      exitCode: 1,
      stderr:
        'ERROR: failed to create cluster: failed to pull image "kindest/node:v1.36.2": command "docker pull kindest/node:v1.36.2" failed with error: exit status 1',
      // One container was there already when it failed.
      effect: holds({ name: MASTERS[0], labels: kindLabels("control-plane") }),
    });
    runner.expect(deleted());
    await expect(backend.createCluster(contractSpec)).rejects.toMatchObject({
      code: "failed",
      message: expect.stringMatching(/failed to pull image.*\nPull it with: docker pull kindest\/node:v1\.36\.2/s),
    });
    expect(readdirSync(dir)).toEqual(["owner"]);
    expect(runner.left()).toEqual([]);
  });

  it("is given up when the process ends, leaving nothing, and those in the queue are not begun", async () => {
    let begun = (): void => {};
    const isUnderWay = new Promise<void>((resolve) => {
      begun = resolve;
    });
    runner.expect({
      command: CREATE(),
      effect: (signal) => {
        holds({ name: MASTERS[0], labels: kindLabels("control-plane") })();
        begun();
        return new Promise((_resolve, reject) => {
          signal?.addEventListener("abort", () =>
            reject(new BackendError("unavailable", "kind create cluster was called off")),
          );
        });
      },
    });
    runner.expect(deleted());
    const making = backend.createCluster(contractSpec);
    making.catch(() => {});
    await isUnderWay;
    backend.callOff?.();
    await expect(making).rejects.toMatchObject({ code: "unavailable" });
    expect([readdirSync(dir), runner.left()]).toEqual([["owner"], []]);
    await expect(backend.createCluster(contractSpec)).rejects.toMatchObject({
      code: "unavailable",
      message: "cluster contract is not made while eksim ends",
    });
  });

  it("refuses versions that there is no image for before anything is made", async () => {
    await expect(backend.createCluster({ ...contractSpec, version: "1.28" })).rejects.toMatchObject({
      message: expect.stringContaining("--kind-node-image 1.28=<image>"),
    });
    expect(runner.ran.some(([tool, verb]) => tool === "kind" && verb === "create")).toBe(false);
  });
});

describe("deleting a cluster", () => {
  it("leaves nothing, twice", async () => {
    await create();
    runner.expect(deleted());
    await backend.deleteCluster(id);
    await backend.deleteCluster(id);
    expect(readdirSync(dir)).toEqual(["owner"]);
    expect(await backend.inventory()).toEqual([]);
    await expect(backend.summary(id)).rejects.toMatchObject({ code: "missing" });
  });

  it("never touches clusters that another data directory, or a person, has made", async () => {
    const strangers = ["eksim-ffffff-contract-0123456789ab", "kind", "contract"];
    runner.containers = strangers.map((name) => ({
      name: `${name}-control-plane`,
      labels: { "io.x-k8s.kind.cluster": name, "io.x-k8s.kind.role": "control-plane" },
    }));
    await backend.deleteCluster(id);
    for (const name of strangers) await backend.deleteCluster(name);
    expect(await backend.inventory()).toEqual([]);
    expect(runner.ran.filter(([tool, verb]) => (tool === "kind" && verb === "delete") || verb === "rm")).toEqual([]);
  });
});

describe("adopting a cluster", () => {
  /** The process has died: another one finds the same files and containers. */
  const restart = async (containers: readonly RecordedContainer[]) => {
    await backend.close();
    backend = makeBackend();
    runner.containers = containers.map((one) => ({ ...one }));
  };
  const clean = (name: string) => [
    { command: [...written(name, "").slice(0, 5), "nft", "-f", "-"] },
    { command: inside(name, "tc", "qdisc", "del", "dev", "eth0", "root"), exitCode: 2 },
  ];

  it("finds it as it was, takes away what faults have left, and tells which nodes are gone", async () => {
    const made = await create();
    const worker = {
      name: `${NAME}-i-1`,
      labels: { ...kindLabels("worker"), "eksim.dev/node": contractNode(0).name },
      address: "172.18.128.7",
    };
    await restart([...FRESH, worker]);
    runner.expect(
      ...[...MASTERS, worker.name].flatMap(clean),
      { command: [...written(worker.name, "").slice(0, 5), "sh", "-s", ""], input: /rm -f "\$file"/ },
      { command: inside(worker.name, "systemctl", "start", "kubelet") },
      { command: inside(worker.name, "test", "-f", "/etc/kubernetes/kubelet.conf") },
    );
    const { missingNodes, ...endpoint } = await backend.adoptCluster(contractSpec, [contractNode(0), contractNode(1)]);
    expect(endpoint).toEqual(made);
    expect(missingNodes).toEqual([contractNode(1).name]);
    expect(runner.left()).toEqual([]);
  });

  it("has kind write its kubeconfig again when somebody has removed it", async () => {
    const made = await create();
    await restart(FRESH);
    const kubeconfig = join(clusterDir(), "kubeconfig");
    rmSync(kubeconfig);
    runner.expect(...MASTERS.flatMap(clean), {
      command: ["kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", kubeconfig],
      effect: () => writeFileSync(kubeconfig, kubeconfigOf(world.access)),
    });
    expect(await backend.adoptCluster(contractSpec, [])).toMatchObject(made);
    expect(runner.left()).toEqual([]);
  });

  it("has API servers read where the webhook is now, one after the other, when it has moved", async () => {
    await create();
    await restart(FRESH);
    webhookAt = ":20017";
    runner.expect(
      ...MASTERS.flatMap(clean),
      ...MASTERS.flatMap((name, index) => [
        {
          command: inside(name, "crictl", "ps", "--quiet", "--name", "^kube-apiserver$"),
          stdout: `0badcafe${index}\n`,
        },
        { command: inside(name, "crictl", "stop", "--timeout", "10", `0badcafe${index}`) },
      ]),
    );
    await backend.adoptCluster(contractSpec, []);
    expect(runner.left()).toEqual([]);
    expect(readFileSync(join(clusterDir(), "authn/authentication.json"), "utf8")).toContain(":20017");
  });

  it("starts masters that stand still at the addresses they had, and then the rest", async () => {
    await create();
    const off = FRESH.map((one) => ({ ...one, state: "exited" as const }));
    await restart(off);
    const on = (name: string) => ({
      command: ["docker", "start", name],
      effect: becomes(name, "running"),
    });
    runner.expect(
      ...MASTERS.flatMap((name, index) => [
        { command: ["docker", "network", "disconnect", "kind", name], always: true },
        { command: ["docker", "network", "connect", "--ip", `172.18.0.${index + 3}`, "kind", name], always: true },
        on(name),
        ...clean(name),
      ]),
      on(`${NAME}-external-load-balancer`),
    );
    await backend.adoptCluster(contractSpec, []);
    expect(runner.left()).toEqual([]);
    const order = runner.ran.filter(([, verb]) => verb === "start").map(([, , name]) => name);
    expect(order).toEqual([...MASTERS, `${NAME}-external-load-balancer`]);
  });

  it("gives masters back the addresses that the engine has mixed up", async () => {
    await create();
    const swapped = FRESH.map((one) => ({
      ...one,
      address: one.name === MASTERS[0] ? "172.18.0.4" : one.name === MASTERS[1] ? "172.18.0.3" : one.address,
    }));
    await restart(swapped as RecordedContainer[]);
    const addressed = (index: 0 | 1) => (): void => {
      find(MASTERS[index]).address = `172.18.0.${index + 3}`;
    };
    const back = (index: 0 | 1) => [
      { command: ["docker", "kill", MASTERS[index]], effect: becomes(MASTERS[index], "exited") },
      { command: ["docker", "network", "disconnect", "kind", MASTERS[index]], always: true },
      {
        command: ["docker", "network", "connect", "--ip", `172.18.0.${index + 3}`, "kind", MASTERS[index]],
        always: true,
        effect: addressed(index),
      },
      { command: ["docker", "start", MASTERS[index]], effect: becomes(MASTERS[index], "running") },
    ];
    runner.expect(...back(0), ...back(1), ...MASTERS.flatMap(clean));
    await backend.adoptCluster(contractSpec, []);
    expect(runner.left()).toEqual([]);
  });

  it("is not possible when no master is left", async () => {
    await create();
    await restart([]);
    await expect(backend.adoptCluster(contractSpec, [])).rejects.toMatchObject({ code: "missing" });
    // Then it is made anew.
    runner.expect(created());
    await backend.createCluster(contractSpec);
    expect(runner.left()).toEqual([]);
  });
});

describe("masters", () => {
  it("are told of as they go down and come up, whoever does it", async () => {
    await create();
    const seen: Observation[] = [];
    backend.observe(id, (one) => seen.push(one));
    const down = { kind: "member", memberId: "master-1", state: "down" };
    runner.expect({ command: ["docker", "kill", MASTERS[0]], effect: becomes(MASTERS[0], "exited") });
    await backend.setMember(id, "master-1", "down");
    expect(seen).toContainEqual(down);
    // A person stops another one.
    find(MASTERS[1]).state = "exited";
    runner.say('{"status":"die","Type":"container","Action":"die"}');
    await eventually(() =>
      seen.some((one) => one.kind === "member" && one.memberId === "master-2" && one.state === "down"),
    );
    expect((await backend.summary(id)).apiAvailable).toBe(false);
    await expect(backend.setMember(id, "master-9", "down")).rejects.toMatchObject({ code: "missing" });
  });

  const worker = `${NAME}-i-1`;
  /** The engine has given the first master's address to another container. */
  const giveAway = (to: RecordedContainer): void => {
    find(MASTERS[0]).state = "exited";
    runner.containers.push({ ...to, address: "172.18.0.3" });
  };
  const master = (verb: string) => [
    "docker",
    "network",
    verb,
    ...(verb === "connect" ? ["--ip", "172.18.0.3"] : []),
    "kind",
    MASTERS[0],
  ];

  it("have their address back from a worker that was given it meanwhile, which gets another one", async () => {
    await create();
    giveAway({ name: worker, labels: { ...kindLabels("worker"), "eksim.dev/node": "n" } });
    runner.expect(
      { command: ["docker", "kill", worker], effect: becomes(worker, "exited") },
      { command: ["docker", "network", "disconnect", "kind", worker] },
      { command: ["docker", "network", "connect", "kind", worker] },
      { command: master("disconnect") },
      { command: master("connect") },
      { command: ["docker", "start", MASTERS[0]], effect: becomes(MASTERS[0], "running") },
      { command: ["docker", "start", worker], effect: becomes(worker, "running") },
      // Its API server is asked itself: through the load balancer another one would answer.
      { command: readyz(MASTERS[0]), exitCode: 22 },
      { command: readyz(MASTERS[0]) },
    );
    await backend.setMember(id, "master-1", "up");
    expect(runner.left()).toEqual([]);
    expect(runner.ran.filter(([, verb]) => verb === "start").map(([, , name]) => name)).toEqual([MASTERS[0], worker]);
  });

  it("do not take it from containers that eksim has not made", async () => {
    await create();
    giveAway({ name: "database", labels: {} });
    await expect(backend.setMember(id, "master-1", "up")).rejects.toMatchObject({
      code: "failed",
      message: "the address 172.18.0.3 of a master is taken by the container database; stop that one",
    });
    expect(runner.ran.some(([, verb, name]) => verb === "kill" && name === "database")).toBe(false);
  });
});

describe("replacing a master", () => {
  const next = `${NAME}-master-4`;
  const balancer = `${NAME}-external-load-balancer`;
  const etcd = [
    "etcdctl",
    "--endpoints=https://127.0.0.1:2379",
    "--cacert=/etc/kubernetes/pki/etcd/ca.crt",
    "--cert=/etc/kubernetes/pki/etcd/server.crt",
    "--key=/etc/kubernetes/pki/etcd/server.key",
  ];
  const CDS = JSON.stringify({
    resources: [{ load_assignment: { endpoints: [{ lb_endpoints: [{ endpoint: { address: {} } }] }] } }],
  });
  const LIST = MASTERS.map(
    (name, index) => `${index}a, started, ${name}, https://172.18.0.${index + 3}:2380, x, false`,
  ).join("\n");

  /** Everything that is asked of the tools, on whichever master is asked. */
  const recordReplacement = (survivor: string): void => {
    const run = runner.run;
    runner.run = (tool, args, options) => {
      if (args[0] !== "run") return run(tool, args, options);
      runner.ran.push([tool, "run", String(args[2])]);
      runner.containers.push({ name: next, labels: kindLabels("control-plane"), address: "172.18.130.9" });
      return Promise.resolve({ stdout: "", stderr: "", exitCode: 0 });
    };
    runner.expect(
      { command: inside(survivor, "crictl", "ps", "--quiet", "--name", "^etcd$"), stdout: "0badcafe\n", always: true },
      {
        command: inside(survivor, "crictl", "exec", "0badcafe", ...etcd, "member", "list", "-w", "simple"),
        stdout: LIST,
        always: true,
      },
      { command: inside(survivor, "crictl", "exec", "0badcafe", ...etcd, "member", "remove", "0a") },
      {
        command: ["docker", "rm", "--force", "--volumes", MASTERS[0]],
        effect: () => holds(...runner.containers.filter(({ name }) => name !== MASTERS[0]))(),
      },
      { command: inside(next, "systemctl", "is-system-running"), stdout: "running\n" },
      { command: inside(next, "ctr", "version") },
      ...[MASTERS[0], MASTERS[1]].flatMap((master) => [
        {
          command: inside(master, "kubeadm", "token", "create", "--ttl", "30m"),
          stdout: "abcdef.0123456789abcdef\n",
          always: true,
        },
        {
          command: inside(
            master,
            "kubeadm",
            "init",
            "phase",
            "upload-certs",
            "--upload-certs",
            "--certificate-key",
            "<secret>",
          ),
          always: true,
        },
      ]),
      {
        command: written(next, "/kind/kubeadm.conf"),
        input:
          /"localAPIEndpoint":\{"advertiseAddress":"172\.18\.130\.9","bindPort":6443\}.*topology\.kubernetes\.io\/zone=us-east-1b|topology\.kubernetes\.io\/zone=us-east-1b.*"advertiseAddress":"172\.18\.130\.9"/,
      },
      { command: inside(next, "kubeadm", "join", "--config", "/kind/kubeadm.conf") },
      { command: readyz(next) },
      { command: inside(balancer, "cat", "/home/envoy/cds.yaml"), stdout: CDS },
      {
        command: written(balancer, "/home/envoy/cds.yaml.tmp"),
        input: new RegExp(`^(?!.*"${MASTERS[0]}").*${next}`, "s"),
      },
      { command: inside(balancer, "mv", "/home/envoy/cds.yaml.tmp", "/home/envoy/cds.yaml") },
    );
  };
  const order = (...marks: string[]): number[] =>
    marks.map((mark) => runner.ran.findIndex((command) => command.join(" ").includes(mark)));
  const MARKS = ["member remove", `rm --force --volumes ${MASTERS[0]}`, "kubeadm join", "mv /home/envoy"] as const;

  it("takes a lost one out of etcd before its successor joins: a dead member counts", async () => {
    await create();
    runner.expect({ command: ["docker", "kill", MASTERS[0]], effect: becomes(MASTERS[0], "exited") });
    await backend.setMember(id, "master-1", "down");
    recordReplacement(MASTERS[1]);
    const seen: Observation[] = [];
    backend.observe(id, (one) => seen.push(one));
    await backend.replaceMember(id, "master-1", { id: "master-4", zone: "us-east-1b" });
    expect(runner.left()).toEqual([]);
    const [removed, gone, joined, served] = order(...MARKS) as [number, number, number, number];
    expect([removed, gone, joined, served]).toEqual([removed, gone, joined, served].sort((a, b) => a - b));
    expect(seen).toContainEqual({ kind: "member", memberId: "master-4", state: "up" });
    const { zones } = await backend.summary(id);
    expect([zones["us-east-1a"]?.members ?? 0, zones["us-east-1b"]?.members, zones["us-east-1b"]?.membersUp]).toEqual([
      0, 2, 2,
    ]);
    expect(runner.secrets[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it("keeps one that works until its successor serves, and nobody is sent to it any more", async () => {
    await create();
    recordReplacement(MASTERS[1]);
    const seen: Observation[] = [];
    backend.observe(id, (one) => seen.push(one));
    await backend.replaceMember(id, "master-1", { id: "master-4", zone: "us-east-1b" });
    expect(runner.left()).toEqual([]);
    const [removed, gone, joined, served] = order(...MARKS) as [number, number, number, number];
    expect([joined, served, removed, gone]).toEqual([joined, served, removed, gone].sort((a, b) => a - b));
    expect(seen.filter((one) => one.kind === "member" && one.state === "down")).toEqual([]);
    const { masters } = JSON.parse(readFileSync(join(clusterDir(), "cluster.json"), "utf8"));
    expect(masters.map((master: { id: string }) => master.id)).toEqual(["master-2", "master-3", "master-4"]);
    expect(masters[2]).toMatchObject({ container: next, address: "172.18.130.9", zone: "us-east-1b" });
  });
});

describe("nodes", () => {
  const node = contractNode(0);
  const machine = `${NAME}-${node.instanceId}`;
  /** From now on there is the node's machine. */
  const hasJoined = (): void =>
    void runner.containers.push({
      name: machine,
      labels: { ...kindLabels("worker"), "eksim.dev/node": node.name },
      address: "172.18.130.1",
    });

  it("are machines that join with a token of a master, and have the cloud's labels afterwards", async () => {
    await create();
    const labels = {
      ...kindLabels("worker"),
      "eksim.dev/cluster": id,
      "eksim.dev/instance": node.instanceId,
      "eksim.dev/node": node.name,
      "eksim.dev/zone": node.zone,
    };
    let ran: readonly string[] = [];
    const run = runner.run;
    // The address is drawn by chance: everything else of the command is as it is written down.
    runner.run = (tool, args, options) => {
      if (args[0] !== "run") return run(tool, args, options);
      ran = args;
      runner.containers.push({ name: machine, labels, address: "172.18.130.1" });
      return Promise.resolve({ stdout: "", stderr: "", exitCode: 0 });
    };
    runner.expect(
      { command: inside(machine, "systemctl", "is-system-running"), stdout: "starting\n", exitCode: 1 },
      { command: inside(machine, "systemctl", "is-system-running"), stdout: "degraded\n", exitCode: 1 },
      { command: inside(machine, "ctr", "version") },
      {
        command: inside(MASTERS[0], "kubeadm", "token", "create", "--ttl", "30m"),
        stdout: "abcdef.0123456789abcdef\n",
        stderr: "W1122 version.go: could not fetch a Kubernetes version",
      },
      {
        command: written(machine, "/kind/kubeadm.conf"),
        input: /"apiServerEndpoint":"eksim-d1fbfc-contract-0123456789ab-external-load-balancer:6443"/,
      },
      {
        command: inside(machine, "kubeadm", "join", "--config", "/kind/kubeadm.conf"),
        effect: async () =>
          void (await world.client.request("POST", "/api/v1/nodes", {
            body: { apiVersion: "v1", kind: "Node", metadata: { name: node.name } },
          })),
      },
    );
    await backend.addNode(id, node);
    await backend.addNode(id, node);
    const labelsOf = async () => (await backend.nodes?.(id))?.find(({ name }) => name === node.name)?.labels;
    await eventually(async () => (await labelsOf())?.["k8s.io/cloud-provider-aws"] !== undefined);
    expect(runner.left()).toEqual([]);
    expect(ran.join(" ")).toMatch(/--ip 172\.18\.(1[2-9]\d|2\d\d)\.\d+ .*kindest\/node:v1\.36\.2$/);
    for (const [name, value] of Object.entries(labels)) expect(ran).toContain(`${name}=${value}`);
  });

  it("lose their power, are frozen and are cut off, each in its own way, and are told apart from what is not there", async () => {
    await create();
    hasJoined();
    const here = (state: RecordedContainer["state"]) => becomes(machine, state);
    runner.expect({ command: ["docker", "kill", machine], effect: here("exited") });
    await backend.setNodePower(id, node.name, "stopped");
    await backend.setNodePower(id, node.name, "stopped");
    runner.expect(
      { command: ["docker", "start", machine], effect: here("running") },
      { command: ["docker", "pause", machine], effect: here("paused") },
    );
    await backend.setNodePower(id, node.name, "frozen");
    const rules = [...written(machine, "").slice(0, 5), "nft", "-f", "-"];
    runner.expect(
      { command: ["docker", "unpause", machine], effect: here("running") },
      { command: rules, input: /policy drop/ },
    );
    await backend.setNodePower(id, node.name, "isolated");
    runner.expect({ command: rules, input: /^table inet eksim_isolation\ndelete table inet eksim_isolation\n$/ });
    await backend.setNodePower(id, node.name, "running");
    expect(runner.left()).toEqual([]);
    await expect(backend.setNodePower(id, "nobody", "stopped")).rejects.toMatchObject({ code: "missing" });
  });

  it("lose their kubelet alone, get it back, and keep it stopped over a reboot", async () => {
    await create();
    hasJoined();
    const here = (state: RecordedContainer["state"]) => becomes(machine, state);
    const kubelet = (verb: "start" | "stop") => ({ command: inside(machine, "systemctl", verb, "kubelet") });
    const rules = [...written(machine, "").slice(0, 5), "nft", "-f", "-"];
    const reached = { command: rules, input: /^table inet eksim_isolation\ndelete table inet eksim_isolation\n$/ };
    const kill = { command: ["docker", "kill", machine], effect: here("exited") };
    const boots = [
      { command: ["docker", "start", machine], effect: here("running") },
      { command: inside(machine, "systemctl", "is-system-running"), stdout: "running\n" },
      { command: inside(machine, "ctr", "version") },
    ];
    const steps: [NodePower, ...Parameters<typeof runner.expect>][] = [
      ["silent", kubelet("stop"), reached],
      ["frozen", kubelet("start"), { command: ["docker", "pause", machine], effect: here("paused") }],
      ["silent", { command: ["docker", "unpause", machine], effect: here("running") }, kubelet("stop"), reached],
      ["isolated", { command: rules, input: /policy drop/ }, kubelet("start")],
      ["off", kill],
      ["silent", ...boots, kubelet("stop"), reached],
    ];
    for (const [power, ...commands] of steps) {
      runner.ran.length = 0;
      runner.expect(...commands);
      await backend.setNodePower(id, node.name, power);
      expect(runner.left()).toEqual([]);
      expect(runner.ran.slice(0, commands.length)).toEqual(commands.map(({ command }) => command));
    }
    runner.expect(kill, ...boots, kubelet("stop"));
    await backend.rebootNode?.(id, node.name);
    runner.expect(reached, kubelet("start"));
    await backend.setNodePower(id, node.name, "running");
    expect(runner.left()).toEqual([]);
  });

  it("go with their machine, and after an orderly shutdown with their Node at once", async () => {
    await create();
    await world.client.request("POST", "/api/v1/nodes", {
      body: { apiVersion: "v1", kind: "Node", metadata: { name: node.name } },
    });
    runner.containers.push({ name: machine, labels: { ...kindLabels("worker"), "eksim.dev/node": node.name } });
    runner.expect({
      command: ["docker", "rm", "--force", "--volumes", machine],
      effect: () => holds(...runner.containers.filter(({ name }) => name !== machine))(),
    });
    await backend.removeNode(id, node.name, { graceful: true });
    await backend.removeNode(id, node.name, { graceful: true });
    expect(await backend.nodes?.(id)).toEqual([]);
    expect(runner.left()).toEqual([]);
  });
});

describe("the tools", () => {
  it("are asked for again after they were missing", async () => {
    const run = runner.run;
    runner.run = () => Promise.resolve({ stdout: "", stderr: "Cannot connect to the Docker daemon", exitCode: 1 });
    await expect(backend.createCluster(contractSpec)).rejects.toMatchObject({ code: "failed" });
    expect(existsSync(clusterDir())).toBe(false);
    runner.run = run;
    await create();
  });
});
