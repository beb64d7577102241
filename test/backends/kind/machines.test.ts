import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { spareAddress } from "../../../src/backends/kind/addresses.js";
import { authorizers, kindConfig } from "../../../src/backends/kind/config-file.js";
import { createEngine } from "../../../src/backends/kind/engine.js";
import { parseMembers, removeEtcdMember } from "../../../src/backends/kind/etcd.js";
import { joinConfiguration, kubeletArguments, runArguments, splitLabels } from "../../../src/backends/kind/join.js";
import { parseNetwork } from "../../../src/backends/kind/kinds-network.js";
import { setBackends, withBackends } from "../../../src/backends/kind/load-balancer.js";
import { FASTEST, pace } from "../../../src/backends/kind/pace.js";
import { contractNode, contractSpec } from "../contract.js";
import { inspected, KIND_NETWORK, recordedRunner } from "./recorded.js";

const config = (over: Partial<Parameters<typeof kindConfig>[0]> = {}, cgroupV1 = false, speed = 1) =>
  kindConfig({ ...contractSpec, ...over }, { kindName: "c", port: 20_001, authnDir: "/data/authn", cgroupV1, speed });
const clusterConfiguration = (text = config().kubeadmConfigPatches[0] ?? "{}") =>
  JSON.parse(text) as {
    apiVersion?: string;
    apiServer: { extraArgs: Record<string, string>; extraVolumes: unknown[] };
  };

describe("the configuration for kind", () => {
  it("has a master in each zone, with the webhook's files mounted in every one", () => {
    expect(config().nodes).toEqual(
      ["us-east-1a", "us-east-1b", "us-east-1c"].map((zone) => ({
        role: "control-plane",
        labels: { "topology.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/zone": zone },
        extraMounts: [{ hostPath: "/data/authn", containerPath: "/etc/kubernetes/authn", readOnly: true }],
      })),
    );
  });

  it("has the cluster's own port and ranges", () => {
    expect(config().networking).toMatchObject({
      apiServerAddress: "127.0.0.1",
      apiServerPort: 20_001,
      ipFamily: "ipv4",
      serviceSubnet: "10.100.0.0/16",
    });
    expect(config({ serviceCidr: "fd12:3456::/108" }).networking).toMatchObject({
      ipFamily: "ipv6",
      serviceSubnet: "fd12:3456::/108",
    });
  });

  it("gives API servers EKS's issuer, audiences and authorizers, in patches without an apiVersion", () => {
    const { apiVersion, apiServer } = clusterConfiguration();
    expect(apiVersion).toBeUndefined();
    expect(apiServer.extraArgs).toMatchObject({
      "authentication-token-webhook-config-file": "/etc/kubernetes/authn/authentication.json",
      "authorization-config": "/etc/kubernetes/authn/authorizers.json",
      "service-account-issuer": contractSpec.oidcIssuer,
      "api-audiences": `https://kubernetes.default.svc,${contractSpec.oidcIssuer}`,
      "enable-admission-plugins": "NodeRestriction,ExtendedResourceToleration",
    });
    expect(apiServer.extraArgs).not.toHaveProperty("authorization-mode");
    expect(apiServer.extraVolumes).toEqual([
      {
        name: "authn",
        hostPath: "/etc/kubernetes/authn",
        mountPath: "/etc/kubernetes/authn",
        readOnly: true,
        pathType: "DirectoryOrCreate",
      },
    ]);
  });

  it("asks for access policies after RBAC, and only for users of IAM", () => {
    const { authorizers: list } = authorizers() as {
      authorizers: { type: string; webhook?: { matchConditions: { expression: string }[] } }[];
    };
    expect(list.map(({ type }) => type)).toEqual(["Node", "RBAC", "Webhook"]);
    expect(list[2]?.webhook?.matchConditions[0]?.expression).toContain("canonicalArn");
  });

  it("names the authorizers by flags where API servers read no file of them", () => {
    const args = clusterConfiguration(config({ version: "1.31" }).kubeadmConfigPatches[0]).apiServer.extraArgs;
    expect(args).toMatchObject({ "authorization-mode": "Node,RBAC,Webhook" });
    expect(args).not.toHaveProperty("authorization-config");
  });

  it("lets kubelets run on cgroup v1 where that is what there is", () => {
    expect(config().kubeadmConfigPatches).toHaveLength(1);
    expect(JSON.parse(config({}, true).kubeadmConfigPatches[1] ?? "")).toEqual({
      kind: "KubeletConfiguration",
      failCgroupV1: false,
    });
  });

  it("leaves Kubernetes its own waits, and divides them where the emulator's time is hurried", () => {
    interface Patch {
      apiServer: { extraArgs: Record<string, string> };
      controllerManager: { extraArgs: Record<string, string> };
    }
    const patches = (speed: number) => config({}, true, speed).kubeadmConfigPatches.map((text) => JSON.parse(text));
    const [own] = patches(1) as [Patch];
    expect(Object.keys(own.controllerManager.extraArgs)).toEqual(["profiling"]);
    const [hurried, kubelet] = patches(3) as [Patch, unknown];
    expect(hurried.apiServer.extraArgs).toMatchObject({
      "default-not-ready-toleration-seconds": "100",
      "default-unreachable-toleration-seconds": "100",
      "service-account-issuer": contractSpec.oidcIssuer,
    });
    expect(hurried.controllerManager.extraArgs).toMatchObject({
      "node-monitor-grace-period": "17s",
      "node-monitor-period": "2s",
      profiling: "false",
    });
    expect(kubelet).toEqual({
      kind: "KubeletConfiguration",
      failCgroupV1: false,
      nodeStatusUpdateFrequency: "3s",
      nodeLeaseDurationSeconds: 13,
    });
  });

  it("never lets a lease end after its node is taken for silent", () => {
    for (let speed = 1.5; speed <= FASTEST; speed += 0.5) {
      const { kubelet, controllerManager } = pace(speed);
      expect(Number(kubelet.nodeLeaseDurationSeconds)).toBeLessThan(
        Number.parseInt(controllerManager["node-monitor-grace-period"] ?? "", 10),
      );
    }
  });
});

describe("a machine that joins", () => {
  const worker = {
    container: "c-i-1",
    hostname: "ip-10-0-0-10.ec2.internal",
    kindName: "c",
    role: "worker",
    image: "kindest/node:v1.36.2",
    labels: { "eksim.dev/instance": "i-1" },
  } as const;

  it("is run as kind runs its own", () => {
    expect(runArguments({ ...worker, address: "172.18.128.5" }).join(" ")).toBe(
      "run --name c-i-1 --hostname ip-10-0-0-10.ec2.internal --label io.x-k8s.kind.cluster=c --label io.x-k8s.kind.role=worker --label eksim.dev/instance=i-1 " +
        "--privileged --security-opt seccomp=unconfined --security-opt apparmor=unconfined --tmpfs /tmp --tmpfs /run --volume /var " +
        "--volume /lib/modules:/lib/modules:ro -e KIND_EXPERIMENTAL_CONTAINERD_SNAPSHOTTER --detach --tty --net kind --ip 172.18.128.5 " +
        "--restart=on-failure:1 --init=false --cgroupns=private kindest/node:v1.36.2",
    );
  });

  it("has a port and the webhook's files if it is a master", () => {
    const text = runArguments({ ...worker, role: "control-plane", authnDir: "/data/authn" }).join(" ");
    expect(text).toContain(
      "-e KUBECONFIG=/etc/kubernetes/admin.conf --publish 127.0.0.1::6443/tcp --volume /data/authn:/etc/kubernetes/authn:ro",
    );
    expect(text).not.toContain("--ip");
  });

  it("is a node of EKS to its kubelet: provider id, labels, taints and pods by its instance type", () => {
    const node = {
      ...contractNode(0),
      taints: [
        { key: "dedicated", value: "x", effect: "NoSchedule" },
        { key: "bare", effect: "NoExecute" },
      ],
    };
    const args = kubeletArguments(node);
    expect(args).toMatchObject({
      "provider-id": "aws:///us-east-1a/i-00000000000000000",
      "register-with-taints": "dedicated=x:NoSchedule,bare=:NoExecute",
    });
    expect(args["max-pods"]).toMatch(/^\d+$/);
    expect(args["node-labels"]).toContain("topology.kubernetes.io/zone=us-east-1a");
    expect(kubeletArguments(contractNode(0))).not.toHaveProperty("register-with-taints");
  });

  it("registers only with labels that a kubelet may give itself; the cloud adds the others, and the machine says what it is", () => {
    const { registered, added } = splitLabels({
      team: "blue",
      "eks.amazonaws.com/nodegroup": "workers",
      "node.kubernetes.io/instance-type": "m5.large",
      "topology.kubernetes.io/zone": "us-east-1a",
      "topology.k8s.aws/zone-id": "use1-az1",
      "k8s.io/cloud-provider-aws": "0a",
      "example.kubernetes.io/x": "y",
      "kubernetes.io/arch": "arm64",
    });
    expect(Object.keys(registered).sort()).toEqual([
      "eks.amazonaws.com/nodegroup",
      "node.kubernetes.io/instance-type",
      "team",
      "topology.k8s.aws/zone-id",
      "topology.kubernetes.io/zone",
    ]);
    expect(added).toEqual({ "k8s.io/cloud-provider-aws": "0a", "example.kubernetes.io/x": "y" });
  });

  const options = {
    nodeName: "n",
    address: "172.18.0.7",
    endpoint: "c-external-load-balancer:6443",
    token: "abcdef.0123456789abcdef",
    kubeletArguments: { "max-pods": "17" },
  };

  it("joins with kubeadm's own form of its version", () => {
    expect(joinConfiguration("1.36", options)).toEqual({
      apiVersion: "kubeadm.k8s.io/v1beta4",
      kind: "JoinConfiguration",
      nodeRegistration: {
        name: "n",
        criSocket: "unix:///run/containerd/containerd.sock",
        kubeletExtraArgs: [
          { name: "node-ip", value: "172.18.0.7" },
          { name: "max-pods", value: "17" },
        ],
      },
      discovery: {
        bootstrapToken: {
          apiServerEndpoint: "c-external-load-balancer:6443",
          token: "abcdef.0123456789abcdef",
          unsafeSkipCAVerification: true,
        },
      },
      skipPhases: ["preflight"],
    });
    expect(joinConfiguration("1.30", options)).toMatchObject({
      apiVersion: "kubeadm.k8s.io/v1beta3",
      nodeRegistration: { kubeletExtraArgs: { "node-ip": "172.18.0.7", "max-pods": "17" } },
    });
  });

  it("joins the control plane with the key of the certificates that masters share", () => {
    expect(joinConfiguration("1.36", { ...options, controlPlane: { certificateKey: "ff00" } })).toMatchObject({
      controlPlane: { localAPIEndpoint: { advertiseAddress: "172.18.0.7", bindPort: 6443 }, certificateKey: "ff00" },
    });
  });
});

describe("addresses", () => {
  it("of machines that eksim starts are from the half of the network where the engine does not come", () => {
    expect(spareAddress("172.18.0.0/16", [], () => 0)).toBe("172.18.128.0");
    expect(spareAddress("172.18.0.0/16", [], (below) => below - 1)).toBe("172.18.255.254");
    expect(spareAddress("192.168.5.0/24", [], (below) => below - 1)).toBe("192.168.5.254");
  });

  it("are nobody else's", () => {
    const draws = [0, 0, 7];
    expect(spareAddress("172.18.0.0/16", ["172.18.128.0"], () => draws.shift() ?? 0)).toBe("172.18.128.7");
    expect(spareAddress("172.18.0.0/16", ["172.18.128.0"], () => 0)).toBeUndefined();
    expect(spareAddress("172.18.0.0/32", [])).toBeUndefined();
  });

  it("are read from the network as Docker and as Podman show it", () => {
    expect(parseNetwork(JSON.parse(KIND_NETWORK)[0])).toEqual({
      gateways: ["172.18.0.1", "fc00:f853:ccd:e793::1"],
      subnet: "172.18.0.0/16",
      holders: {},
    });
    expect(parseNetwork({ Containers: { x: { Name: "c-worker", IPv4Address: "172.18.0.3/16" } } }).holders).toEqual({
      "172.18.0.3": "c-worker",
    });
    expect(parseNetwork({ subnets: [{ subnet: "10.89.0.0/24", gateway: "10.89.0.1" }] })).toEqual({
      gateways: ["10.89.0.1"],
      subnet: "10.89.0.0/24",
      holders: {},
    });
  });
});

describe("etcd", () => {
  const LIST = [
    "8e9e05c52164694d, started, c-control-plane, https://172.18.0.2:2380, https://172.18.0.2:2379, false",
    "fd422379fda50e48, started, c-control-plane2, https://172.18.0.3:2380, https://172.18.0.3:2379, false",
    "91bc3c398fb3c146, unstarted, , https://172.18.0.9:2380, , true",
  ].join("\n");
  const etcdctl = [
    "crictl",
    "exec",
    "0badcafe",
    "etcdctl",
    "--endpoints=https://127.0.0.1:2379",
    "--cacert=/etc/kubernetes/pki/etcd/ca.crt",
    "--cert=/etc/kubernetes/pki/etcd/server.crt",
    "--key=/etc/kubernetes/pki/etcd/server.key",
  ];
  const inside = (...command: string[]) => ["docker", "exec", "--privileged", "c-control-plane", ...command];

  it("tells its members with ids that no number of JavaScript could hold", () => {
    expect(parseMembers(LIST)).toEqual([
      { id: "8e9e05c52164694d", name: "c-control-plane", peerUrls: ["https://172.18.0.2:2380"] },
      { id: "fd422379fda50e48", name: "c-control-plane2", peerUrls: ["https://172.18.0.3:2380"] },
      { id: "91bc3c398fb3c146", name: "", peerUrls: ["https://172.18.0.9:2380"] },
    ]);
  });

  it.each([
    [{ container: "c-control-plane2", address: "172.18.0.3" }, "fd422379fda50e48"],
    // One that never spoke has no name yet.
    [{ container: "c-master-4", address: "172.18.0.9" }, "91bc3c398fb3c146"],
  ])("lets a member go, by name or by address: %o", async (leaving, id) => {
    const runner = recordedRunner();
    runner.expect(
      { command: inside("crictl", "ps", "--quiet", "--name", "^etcd$"), stdout: "0badcafe\n", always: true },
      { command: inside(...etcdctl, "member", "list", "-w", "simple"), stdout: LIST },
      { command: inside(...etcdctl, "member", "remove", id) },
    );
    await removeEtcdMember(createEngine(runner, "docker"), ["c-control-plane"], leaving);
    expect(runner.left()).toEqual([]);
  });

  it("is asked on another master when it does not run on the first", async () => {
    const runner = recordedRunner();
    const other = (...command: string[]) => ["docker", "exec", "--privileged", "c-control-plane3", ...command];
    runner.expect(
      { command: inside("crictl", "ps", "--quiet", "--name", "^etcd$"), stdout: "" },
      { command: other("crictl", "ps", "--quiet", "--name", "^etcd$"), stdout: "0badcafe\n", always: true },
      { command: other(...etcdctl, "member", "list", "-w", "simple"), stdout: LIST },
      { command: other(...etcdctl, "member", "remove", "fd422379fda50e48") },
    );
    const leaving = { container: "c-control-plane2", address: "172.18.0.3" };
    await removeEtcdMember(createEngine(runner, "docker"), ["c-control-plane", "c-control-plane3"], leaving);
    expect(runner.left()).toEqual([]);
  });

  it("says so when it runs nowhere", async () => {
    const runner = recordedRunner();
    runner.expect({ command: inside("crictl", "ps", "--quiet", "--name", "^etcd$"), stdout: "" });
    const asked = removeEtcdMember(createEngine(runner, "docker"), ["c-control-plane"], {
      container: "x",
      address: "y",
    });
    await expect(asked).rejects.toMatchObject({ code: "unavailable", message: "no etcd runs on c-control-plane" });
  });
});

describe("the load balancer", () => {
  const CDS = `resources:
- "@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
  name: kube_apiservers
  connect_timeout: 0.25s
  type: STRICT_DNS
  load_assignment:
    cluster_name: kube_apiservers
    endpoints:
    - lb_endpoints:
      - endpoint:
          health_check_config: {port_value: 6443}
          address: {socket_address: {address: c-control-plane, port_value: 6443}}
      - endpoint:
          address: {socket_address: {address: c-control-plane2, port_value: 6443}}
`;

  it("gets other backends and is otherwise left as kind wrote it", async () => {
    const { resources } = parse(await withBackends(CDS, ["c-control-plane", "c-master-4"])) as {
      resources: {
        name: string;
        load_assignment: {
          endpoints: { lb_endpoints: { endpoint: { address: unknown; health_check_config: unknown } }[] }[];
        };
      }[];
    };
    expect(resources[0]?.name).toBe("kube_apiservers");
    const backends = resources[0]?.load_assignment.endpoints[0]?.lb_endpoints.map(({ endpoint }) => endpoint);
    expect(backends?.map(({ address }) => address)).toEqual([
      { socket_address: { address: "c-control-plane", port_value: 6443 } },
      { socket_address: { address: "c-master-4", port_value: 6443 } },
    ]);
    expect(backends?.[1]?.health_check_config).toEqual({ port_value: 6443 });
    await expect(withBackends("{}", ["x"])).rejects.toMatchObject({ code: "failed" });
  });

  it("never sees half a file", async () => {
    const runner = recordedRunner();
    const inside = (...command: string[]) => ["docker", "exec", "--privileged", ...command];
    runner.expect(
      { command: inside("c-external-load-balancer", "cat", "/home/envoy/cds.yaml"), stdout: CDS },
      {
        command: inside("--interactive", "c-external-load-balancer", "cp", "/dev/stdin", "/home/envoy/cds.yaml.tmp"),
        input: /c-master-4/,
      },
      { command: inside("c-external-load-balancer", "mv", "/home/envoy/cds.yaml.tmp", "/home/envoy/cds.yaml") },
    );
    await setBackends(createEngine(runner, "docker"), "c", ["c-master-4"]);
    expect(runner.left()).toEqual([]);
  });
});

describe("the container engine", () => {
  const engineWith = (...recorded: Parameters<ReturnType<typeof recordedRunner>["expect"]>) => {
    const runner = recordedRunner();
    runner.expect(...recorded);
    return createEngine(runner, "docker");
  };

  it("is asked for dead containers too", async () => {
    const containers = [{ name: "c-worker", labels: { "io.x-k8s.kind.role": "worker" }, state: "exited" as const }];
    const engine = engineWith(
      { command: ["docker", "ps", "--all", "--filter", "label=a=b", "--format", "{{.Names}}"], stdout: "c-worker\n" },
      { command: ["docker", "container", "inspect", "c-worker"], stdout: inspected(containers) },
    );
    expect(await engine.containers({ a: "b" })).toMatchObject([
      { name: "c-worker", role: "worker", state: "stopped", address: "" },
    ]);
  });

  it("tells of those that are left when one has gone in between", async () => {
    const engine = engineWith({
      command: ["docker", "container", "inspect", "one", "two"],
      stdout: inspected([{ name: "one", labels: {}, address: "172.18.0.2" }]),
      stderr: "Error response from daemon: No such container: two",
      exitCode: 1,
    });
    expect(await engine.inspect(["one", "two"])).toMatchObject([
      { name: "one", state: "running", address: "172.18.0.2", address6: "fc00:f853:ccd:e793::2" },
    ]);
  });

  it("takes for done what was so already, and says what is not there", async () => {
    const paused = inspected([{ name: "one", labels: {}, state: "paused" }]);
    const engine = engineWith(
      { command: ["docker", "pause", "one"], exitCode: 1, stderr: "Container one is already paused" },
      { command: ["docker", "container", "inspect", "one"], stdout: paused },
      {
        command: ["docker", "start", "two"],
        exitCode: 1,
        stderr: "Error response from daemon: No such container: two",
      },
      { command: ["docker", "container", "inspect", "two"], exitCode: 1, stderr: "No such container: two" },
      { command: ["docker", "rm", "--force", "--volumes", "two"], exitCode: 1, stderr: "No such container: two" },
    );
    await engine.pause("one");
    await expect(engine.start("two")).rejects.toMatchObject({ code: "missing" });
    await engine.remove(["two"]);
    await engine.remove([]);
  });

  it("makes kind's network as kind does, with the marks of whoever made it", async () => {
    const engine = engineWith(
      {
        command: ["docker", "network", "inspect", "kind"],
        exitCode: 1,
        stdout: "[]",
        stderr: "Error response from daemon: network kind not found",
      },
      {
        command: [
          "docker",
          "network",
          "create",
          "-d=bridge",
          "-o",
          "com.docker.network.bridge.enable_ip_masquerade=true",
          "-o",
          "com.docker.network.driver.mtu=1500",
          "--label",
          "eksim.dev/owner=abc123",
          "--ipv6",
          "--subnet",
          "fc00:f853:ccd:e793::/64",
          "kind",
        ],
      },
      { command: ["docker", "network", "inspect", "kind"], stdout: KIND_NETWORK },
    );
    expect((await engine.network({ "eksim.dev/owner": "abc123" })).gateways).toEqual([
      "172.18.0.1",
      "fc00:f853:ccd:e793::1",
    ]);
  });

  it("removes the network only if the marks are right and nobody is in it, dead or alive", async () => {
    const mine = KIND_NETWORK.replace('"Labels":{}', '"Labels":{"eksim.dev/owner":"abc123"}');
    const labels = { "eksim.dev/owner": "abc123" };
    const inspect = { command: ["docker", "network", "inspect", "kind"] };
    const inIt = ["docker", "ps", "--all", "--filter", "network=kind", "--format", "{{.Names}}"];
    await engineWith({ ...inspect, stdout: KIND_NETWORK }).removeNetwork(labels);
    await engineWith({ ...inspect, stdout: mine }, { command: inIt, stdout: "other\n" }).removeNetwork(labels);
    await engineWith(
      { ...inspect, stdout: mine },
      { command: inIt },
      { command: ["docker", "network", "rm", "kind"] },
    ).removeNetwork(labels);
  });
});
