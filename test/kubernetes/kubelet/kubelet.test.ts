import { describe, expect, it } from "vitest";
import type { Pod, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startCluster } from "../scheduler/cluster-fixture.js";

async function withNode(name = "node-1") {
  const cluster = await startCluster();
  cluster.kubelets.start();
  await cluster.kubelets.addNode(nodeSpec(name));
  await cluster.clock.advance(2_000);
  const run = (pod: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod["metadata"]> = {}) =>
    cluster.createPod(pod, { nodeName: name, ...spec }, metadata);
  return { ...cluster, run };
}

const program = (behaviour: object) => ({ annotations: { "eksim.dev/behaviour": JSON.stringify(behaviour) } });

describe("a node", () => {
  it("joins tainted and not ready, and is Ready once its network is up", async () => {
    const { kubelets, clock, getNode, reasons, eventsAbout, api } = await startCluster();
    kubelets.start();
    await kubelets.addNode(nodeSpec("node-1", { taints: [{ key: "team", value: "red", effect: "NoSchedule" }] }));
    const joined = getNode("node-1");
    expect(joined.spec?.taints?.map((taint) => taint.key)).toEqual([
      "team",
      "node.cloudprovider.kubernetes.io/uninitialized",
      "node.kubernetes.io/not-ready",
    ]);
    expect(joined.status?.conditions?.find((c) => c.type === "Ready")).toMatchObject({
      status: "False",
      reason: "KubeletNotReady",
    });
    expect(joined.status?.capacity?.cpu).toBe("2");
    await clock.advance(99);
    expect(getNode("node-1").status?.conditions?.find((c) => c.type === "Ready")?.status).toBe("False");
    await clock.advance(201);
    expect(getNode("node-1").status?.conditions?.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ["MemoryPressure", "False", "KubeletHasSufficientMemory"],
      ["DiskPressure", "False", "KubeletHasNoDiskPressure"],
      ["PIDPressure", "False", "KubeletHasSufficientPID"],
      ["Ready", "True", "KubeletReady"],
    ]);
    expect(reasons("node-1")).toContain("NodeReady");
    expect(eventsAbout("node-1")[0]?.source).toEqual({ component: "kubelet", host: "node-1" });
    const lease = api.get("leases.coordination.k8s.io", { namespace: "kube-node-lease", name: "node-1" });
    expect(lease).toMatchObject({ spec: { holderIdentity: "node-1", leaseDurationSeconds: 40 } });
  });

  it("renews its lease every ten seconds while it is up, without writing anything", async () => {
    const { kubelets, clock, store } = await withNode();
    const before = store.revision;
    const joinedMs = kubelets.heartbeats.lastRenewalMs("node-1") as number;
    await clock.advance(25_000);
    expect(kubelets.heartbeats.lastRenewalMs("node-1")).toBe(joinedMs + 20_000);
    expect(kubelets.leaseRenewTime("node-1")).toMatch(/000Z$/);
    expect(store.revision).toBe(before);
    expect(kubelets.heartbeats.lastRenewalMs("stranger")).toBeUndefined();
  });
});

describe("a pod", () => {
  it("goes through ContainerCreating to Running and Ready in at most three status writes", async () => {
    const { clock, run, getPod, condition, reasons, api } = await withNode();
    await run("web");
    const seen: string[] = [];
    api.watch<Pod>("pods", ({ type, object }) => {
      if (type === "MODIFIED") seen.push(`${object.status?.phase} ${object.status?.containerStatuses?.[0]?.ready}`);
    });
    await clock.settled();
    expect(getPod("web").status).toMatchObject({
      phase: "Pending",
      hostIP: "10.0.1.5",
      containerStatuses: [{ state: { waiting: { reason: "ContainerCreating" } }, image: "nginx:1.29", ready: false }],
    });
    await clock.advance(3_000);
    expect(seen).toEqual(["Pending false", "Running true"]);
    const { status } = getPod("web");
    expect(status).toMatchObject({ phase: "Running", podIP: "10.0.1.1", podIPs: [{ ip: "10.0.1.1" }] });
    expect(status?.containerStatuses?.[0]).toMatchObject({
      name: "app",
      ready: true,
      started: true,
      restartCount: 0,
      image: "docker.io/library/nginx:1.29",
      imageID: expect.stringMatching(/^docker.io\/library\/nginx@sha256:[0-9a-f]{64}$/),
      containerID: expect.stringMatching(/^containerd:\/\/[0-9a-f]{64}$/),
    });
    for (const type of ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"])
      expect(condition("web", type)?.status).toBe("True");
    expect(reasons("web")).toEqual(["Pulling", "Pulled", "Created", "Started"]);
  });

  it("finds an image that another pod pulled, and takes the node's address with hostNetwork", async () => {
    const { clock, run, getPod, reasons, eventsAbout } = await withNode();
    await run("first");
    await clock.advance(3_000);
    await run("second", { hostNetwork: true });
    await clock.advance(1_000);
    expect(getPod("second").status).toMatchObject({ phase: "Running", podIP: "10.0.1.5" });
    expect(reasons("second")).toEqual(["Pulled", "Created", "Started"]);
    expect(eventsAbout("second")[0]?.involvedObject.fieldPath).toBe("spec.containers{app}");
  });

  it("honours readiness and startup probes", async () => {
    const { clock, run, getPod, condition, eventsAbout } = await withNode();
    await run(
      "slow",
      {
        containers: [
          {
            name: "app",
            image: "nginx:1.29",
            readinessProbe: { tcpSocket: { port: 80 }, initialDelaySeconds: 5, periodSeconds: 10 },
          },
        ],
      },
      program({ readyAfterSeconds: 12 }),
    );
    await clock.advance(3_000);
    expect(getPod("slow").status?.phase).toBe("Running");
    expect(condition("slow", "Ready")).toMatchObject({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [app]",
    });
    await clock.advance(11_000);
    expect(condition("slow", "Ready")?.status).toBe("False");
    await clock.advance(4_000);
    expect(condition("slow", "Ready")?.status).toBe("True");
    expect(eventsAbout("slow").map((event) => event.message)).toContain(
      "Readiness probe failed: connect: connection refused",
    );
  });

  it("is restarted when its startup probe fails too often", async () => {
    const { clock, run, getPod, eventsAbout } = await withNode();
    const startupProbe = { httpGet: { port: 80 }, periodSeconds: 2, failureThreshold: 3 };
    await run(
      "stuck",
      { containers: [{ name: "app", image: "nginx:1.29", startupProbe }] },
      program({ neverReady: true }),
    );
    await clock.advance(12_000);
    expect(getPod("stuck").status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      started: false,
      ready: false,
      lastState: { terminated: { exitCode: 137, reason: "Error" } },
    });
    expect(eventsAbout("stuck").map((event) => event.message)).toContain(
      "Container app failed startup probe, will be restarted",
    );
  });

  it("runs init containers one after the other, and keeps sidecars", async () => {
    const { clock, run, getPod } = await withNode();
    await run("job", {
      restartPolicy: "Never",
      initContainers: [
        { name: "setup", image: "busybox:1", command: ["sh", "-c", "echo ready; sleep 2"] },
        { name: "proxy", image: "envoy:1", restartPolicy: "Always" },
      ],
      containers: [{ name: "app", image: "busybox:1", command: ["sleep", "3"] }],
    });
    await clock.advance(2_500);
    expect(getPod("job").status).toMatchObject({
      phase: "Pending",
      initContainerStatuses: [{ state: { running: {} } }, { state: { waiting: { reason: "PodInitializing" } } }],
      containerStatuses: [{ state: { waiting: { reason: "PodInitializing" } } }],
    });
    await clock.advance(4_000);
    expect(getPod("job").status).toMatchObject({
      phase: "Running",
      initContainerStatuses: [{ ready: true, state: { terminated: { exitCode: 0 } } }, { state: { running: {} } }],
    });
    await clock.advance(5_000);
    expect(getPod("job").status).toMatchObject({
      phase: "Succeeded",
      initContainerStatuses: [{}, { state: { terminated: {} } }],
      containerStatuses: [{ ready: false, state: { terminated: { exitCode: 0, reason: "Completed" } } }],
    });
    expect(getPod("job").status?.conditions?.find((c) => c.type === "Ready")).toMatchObject({ reason: "PodCompleted" });
  });

  it("takes an init container for one that ends, unless it says that it does not", async () => {
    const { clock, run, getPod, api } = await withNode();
    const app = [{ name: "app", image: "nginx:1" }];
    await run("ends", { initContainers: [{ name: "cni", image: "example.com/cni-init:1" }], containers: app });
    const command = ["sh", "-c", "until nslookup db; do sleep 2; done"];
    await run("waits", { initContainers: [{ name: "db", image: "busybox:1", command }], containers: app });
    await run("hangs", { initContainers: [{ name: "s", image: "busybox:1", command: ["sleep", "infinity"] }] });
    const forever = program({ containers: { cni: { runForSeconds: 3600 } } });
    await run("told", { initContainers: [{ name: "cni", image: "example.com/cni-init:1" }] }, forever);
    await clock.advance(4_000);
    const [init] = getPod("ends").status?.initContainerStatuses ?? [];
    expect(getPod("ends").status?.phase).toBe("Running");
    expect(init?.state?.terminated).toMatchObject({ exitCode: 0, reason: "Completed" });
    await clock.advance(600_000);
    for (const name of ["hangs", "told", "waits"]) expect(getPod(name).status?.phase).toBe("Pending");
    await api.create("services", {
      metadata: { name: "db", namespace: "default" },
      spec: { clusterIP: "10.100.0.9", ports: [{ port: 80 }] },
    });
    await clock.advance(10_000);
    expect(getPod("waits").status?.phase).toBe("Running");
  });

  it("backs off longer each time a container crashes", async () => {
    const { clock, run, getPod, reasons } = await withNode();
    await run("bad", { containers: [{ name: "app", image: "busybox:1", command: ["sh", "-c", "exit 3"] }] });
    await clock.advance(4_000);
    expect(getPod("bad").status).toMatchObject({
      phase: "Running",
      containerStatuses: [
        {
          restartCount: 1,
          state: {
            waiting: { reason: "CrashLoopBackOff", message: expect.stringContaining("back-off 10s restarting") },
          },
          lastState: { terminated: { exitCode: 3, reason: "Error" } },
        },
      ],
    });
    await clock.advance(11_000);
    expect(getPod("bad").status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 2,
      state: { waiting: { message: expect.stringContaining("back-off 20s") } },
    });
    expect(reasons("bad")).toContain("BackOff");
  });

  it("fails for good under restartPolicy Never, and past its deadline", async () => {
    const { clock, run, getPod } = await withNode();
    await run("once", { restartPolicy: "Never" }, program({ exitCode: 7, runForSeconds: 1 }));
    await run("late", { activeDeadlineSeconds: 5 });
    await clock.advance(5_000);
    expect(getPod("late").status?.phase).toBe("Running");
    await clock.advance(2_000);
    expect(getPod("once").status).toMatchObject({
      phase: "Failed",
      containerStatuses: [{ state: { terminated: { exitCode: 7, reason: "Error" } } }],
    });
    expect(getPod("late").status).toMatchObject({
      phase: "Failed",
      reason: "DeadlineExceeded",
      containerStatuses: [{ state: { terminated: {} } }],
    });
  });

  it("says why an image cannot be pulled, and which behaviour it does not understand", async () => {
    const { clock, run, getPod, reasons } = await withNode();
    const waiting = (name: string) => getPod(name).status?.containerStatuses?.[0]?.state?.waiting?.reason;
    await run("missing", { containers: [{ name: "app", image: "webserver:404" }] });
    await run("invalid", { containers: [{ name: "app", image: "Not An Image" }] });
    await run("odd", {}, program({ exploding: true }));
    await clock.advance(1_400);
    expect([waiting("missing"), waiting("invalid"), waiting("odd")]).toEqual([
      "ErrImagePull",
      "InvalidImageName",
      "InvalidImageBehaviour",
    ]);
    await clock.advance(3_000);
    expect(waiting("missing")).toBe("ImagePullBackOff");
    expect(getPod("odd").status?.containerStatuses?.[0]?.state?.waiting?.message).toContain('unknown key "exploding"');
    expect(reasons("missing")).toEqual(expect.arrayContaining(["Pulling", "Failed", "BackOff"]));
  });

  it("waits for what it mounts and what its environment names", async () => {
    const { clock, run, getPod, api, reasons, eventsAbout } = await withNode();
    const mounting = { name: "app", image: "nginx:1.29", volumeMounts: [{ name: "conf", mountPath: "/conf" }] };
    const volumes = [{ name: "conf", configMap: { name: "conf" } }];
    await run("mounts", { containers: [mounting], volumes });
    await run("ignores", { volumes });
    await run("env", {
      containers: [
        {
          name: "app",
          image: "nginx:1.29",
          env: [{ name: "KEY", valueFrom: { secretKeyRef: { name: "keys", key: "a" } } }],
        },
      ],
    });
    await clock.advance(4_000);
    expect(getPod("mounts").status?.containerStatuses?.[0]?.state?.waiting?.reason).toBe("ContainerCreating");
    // Nobody mounts it: a kubelet does not look for it.
    expect(getPod("ignores").status?.phase).toBe("Running");
    expect(eventsAbout("mounts").map((event) => event.message)).toContain(
      'MountVolume.SetUp failed for volume "conf" : configmap "conf" not found',
    );
    expect(getPod("env").status?.containerStatuses?.[0]?.state?.waiting).toEqual({
      reason: "CreateContainerConfigError",
      message: 'secret "keys" not found',
    });
    await api.create("configmaps", { metadata: { name: "conf", namespace: "default" } });
    await api.create("secrets", { metadata: { name: "keys", namespace: "default" }, data: { a: "MQ==" } });
    await clock.advance(10_000);
    expect(getPod("mounts").status?.phase).toBe("Running");
    expect(getPod("env").status?.phase).toBe("Running");
    expect(reasons("env")).toContain("Failed");
  });

  it("waits for a runtime that its node has", async () => {
    const { api, clock, run, getPod, eventsAbout } = await withNode();
    for (const [name, handler] of [
      ["default", "runc"],
      ["sandboxed", "runsc"],
    ])
      await api.create("runtimeclasses.node.k8s.io", { metadata: { name }, handler } as never);
    await run("plain", { runtimeClassName: "default" });
    await run("sandboxed", { runtimeClassName: "sandboxed" });
    await clock.advance(20_000);
    expect(getPod("plain").status?.phase).toBe("Running");
    expect(getPod("sandboxed").status).toMatchObject({
      phase: "Pending",
      containerStatuses: [{ state: { waiting: { reason: "ContainerCreating" } } }],
    });
    expect(eventsAbout("sandboxed")).toMatchObject([
      {
        type: "Warning",
        reason: "FailedCreatePodSandBox",
        message:
          'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: no runtime for "runsc" is configured',
      },
    ]);
    const annotations = { "eksim.dev/runtime-handlers": "kata, runsc" };
    await api.patch("nodes", { name: "node-1" }, "merge", { metadata: { annotations } });
    await clock.advance(10_000);
    expect(getPod("sandboxed").status?.phase).toBe("Running");
  });

  it("ends shortly after it was deleted, and then goes", async () => {
    const { clock, run, findPod, api, reasons } = await withNode();
    await run("web");
    await clock.advance(3_000);
    await api.delete("pods", { namespace: "default", name: "web" });
    expect(findPod("web")?.metadata.deletionTimestamp).toBeDefined();
    await clock.advance(1_000);
    expect(findPod("web")).toBeUndefined();
    expect(reasons("web")).toContain("Killing");
  });

  it("keeps preStop's sleep and is killed at the end of its grace period", async () => {
    const { clock, run, findPod, api } = await withNode();
    await run("slow", { terminationGracePeriodSeconds: 10 }, program({ stopAfterSeconds: 60 }));
    await run("polite", {
      containers: [{ name: "app", image: "nginx:1.29", lifecycle: { preStop: { sleep: { seconds: 4 } } } }],
    });
    await clock.advance(3_000);
    await api.delete("pods", { namespace: "default", name: "slow" });
    await api.delete("pods", { namespace: "default", name: "polite" });
    await clock.advance(3_900);
    expect(findPod("polite")).toBeDefined();
    await clock.advance(1_000);
    expect(findPod("polite")).toBeUndefined();
    expect(findPod("slow")).toBeDefined();
    await clock.advance(6_000);
    expect(findPod("slow")).toBeUndefined();
  });

  it("is refused when it does not fit: resources, host port, node selector", async () => {
    const { clock, run, getPod } = await withNode();
    const port = [{ name: "app", image: "nginx:1.29", ports: [{ containerPort: 80, hostPort: 8080 }] }];
    await run("big", { containers: [{ name: "app", image: "nginx:1.29", resources: { requests: { cpu: "8" } } }] });
    await run("port-1", { containers: port });
    await run("port-2", { containers: port });
    await run("elsewhere", { nodeSelector: { disk: "ssd" } });
    await clock.advance(300);
    expect(getPod("big").status).toMatchObject({
      phase: "Failed",
      reason: "OutOfcpu",
      message: "Pod was rejected: Node didn't have enough resource: cpu, requested: 8000, used: 0, capacity: 1930",
    });
    expect(getPod("port-2").status).toMatchObject({ phase: "Failed", reason: "NodePorts" });
    expect(getPod("elsewhere").status).toMatchObject({ phase: "Failed", reason: "NodeAffinity" });
    expect(getPod("port-1").status?.reason).toBeUndefined();
  });

  it("answers for its output", async () => {
    const { clock, run, kubelets } = await withNode();
    await run("talk", {
      containers: [{ name: "app", image: "busybox:1", command: ["sh", "-c", "echo one; echo two; sleep 1h"] }],
    });
    expect(() => kubelets.podLog({ namespace: "default", name: "talk" }, {})).toThrow(
      "is waiting to start: ContainerCreating",
    );
    await clock.advance(3_000);
    expect(kubelets.podLog({ namespace: "default", name: "talk" }, {})).toBe("one\ntwo\n");
    expect(kubelets.podLog({ namespace: "default", name: "talk" }, { tailLines: 1 })).toBe("two\n");
    expect(() => kubelets.podLog({ namespace: "default", name: "talk" }, { previous: true })).toThrow(
      'previous terminated container "app"',
    );
  });
});

describe("an API server that does not answer", () => {
  it("learns afterwards what happened on the nodes meanwhile", async () => {
    const { clock, run, registry, getPod, kubelets } = await withNode();
    await run("job", { restartPolicy: "Never" }, program({ runForSeconds: 5 }));
    await clock.advance(3_000);
    registry.setAvailable(false);
    await expect(kubelets.addNode(nodeSpec("node-2"))).rejects.toThrow("etcdserver: request timed out");
    await clock.advance(30_000);
    registry.setAvailable(true);
    await clock.advance(15_000);
    const { status } = getPod("job");
    expect(status?.phase).toBe("Succeeded");
    const ended = status?.containerStatuses?.[0]?.state?.terminated;
    expect(Date.parse(ended?.finishedAt ?? "") - Date.parse(ended?.startedAt ?? "")).toBe(5_000);
    await kubelets.addNode(nodeSpec("node-2"));
  });
});

describe("power", () => {
  it("off: silence at once; on again: containers were restarted and the node is Ready within seconds", async () => {
    const { clock, run, getPod, getNode, kubelets, condition } = await withNode();
    await run("web");
    await clock.advance(3_000);
    const lastMs = kubelets.heartbeats.lastRenewalMs("node-1");
    kubelets.setPower("node-1", "stopped");
    await clock.advance(60_000);
    expect(kubelets.heartbeats.lastRenewalMs("node-1")).toBe(lastMs);
    expect(() => kubelets.podLog({ namespace: "default", name: "web" }, {})).toThrow("i/o timeout");
    kubelets.setPower("node-1", "running");
    await clock.advance(10_000);
    expect(getPod("web").status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      ready: true,
      lastState: { terminated: { exitCode: 255, reason: "Unknown" } },
    });
    expect(condition("web", "Ready")?.status).toBe("True");
    expect(getNode("node-1").status?.conditions?.find((c) => c.type === "Ready")?.status).toBe("True");
    expect(getNode("node-1").status?.nodeInfo?.bootID).not.toBe("boot-0");
  });

  it("isolated: pods run on; back again: the node reports and pods deleted meanwhile finish", async () => {
    const { clock, run, getPod, findPod, getNode, kubelets, api } = await withNode();
    await run("stays");
    await run("evicted");
    await clock.advance(3_000);
    kubelets.setPower("node-1", "isolated");
    await clock.advance(60_000);
    const node = getNode("node-1");
    const unknown = node.status?.conditions?.map((c) => ({ ...c, status: "Unknown", reason: "NodeStatusUnknown" }));
    await api.updateStatus("nodes", { ...node, status: { ...node.status, conditions: unknown } });
    const pod = getPod("stays");
    const conditions = pod.status?.conditions?.map((c) => (c.type === "Ready" ? { ...c, status: "False" } : c));
    await api.updateStatus("pods", { ...pod, status: { ...pod.status, conditions } });
    await api.delete("pods", { namespace: "default", name: "evicted" });
    await clock.advance(30_000);
    expect(findPod("evicted")).toBeDefined();
    kubelets.setPower("node-1", "running");
    await clock.advance(10_000);
    expect(findPod("evicted")).toBeUndefined();
    expect(getPod("stays").status).toMatchObject({ containerStatuses: [{ restartCount: 0, ready: true }] });
    expect(getPod("stays").status?.conditions?.find((c) => c.type === "Ready")?.status).toBe("True");
    expect(getNode("node-1").status?.conditions?.find((c) => c.type === "Ready")?.status).toBe("True");
  });

  it("shut down in order: pods end as Failed, the node says goodbye and stays silent", async () => {
    const { clock, run, getPod, getNode, kubelets } = await withNode();
    await run("web");
    await clock.advance(3_000);
    await kubelets.removeNode("node-1", { graceful: true });
    expect(getPod("web").status).toMatchObject({ phase: "Failed", reason: "Terminated" });
    expect(getNode("node-1").status?.conditions?.find((c) => c.type === "Ready")).toMatchObject({
      status: "False",
      message: "node is shutting down",
    });
    const lastMs = kubelets.heartbeats.lastRenewalMs("node-1");
    expect(lastMs).toBeDefined();
    await clock.advance(60_000);
    expect(kubelets.heartbeats.lastRenewalMs("node-1")).toBe(lastMs);
  });
});

describe("a restarted process", () => {
  it("takes running pods up as they were, and goes on with half-started ones", async () => {
    const records = new Map<string, { revision: number; resource: string; key: string; json?: string }>();
    const persistence = {
      load: () => ({ revision: 1000, records: [...records.values()].sort((a, b) => a.revision - b.revision) }),
      commit: (batch: readonly { revision: number; resource: string; key: string; json?: string }[]) => {
        for (const record of batch)
          if (record.json === undefined) records.delete(`${record.resource} ${record.key}`);
          else records.set(`${record.resource} ${record.key}`, record);
      },
    };
    const first = await startCluster({ persistence });
    first.kubelets.start();
    await first.kubelets.addNode(nodeSpec("node-1"));
    await first.clock.advance(2_000);
    await first.createPod("old", { nodeName: "node-1" });
    await first.clock.advance(3_000);
    await first.createPod("new", { nodeName: "node-1" });
    await first.clock.settled();
    first.kubelets.stop();
    const before = first.getPod("old");
    first.clock.stop();
    first.store.close();

    const second = await startCluster({ persistence, startMs: first.clock.now() + 5_000 });
    second.kubelets.start();
    await second.kubelets.addNode(nodeSpec("node-1"));
    await second.clock.advance(5_000);
    expect(second.getPod("old").status).toEqual(before.status);
    expect(second.getPod("new").status).toMatchObject({ phase: "Running", podIP: "10.0.1.2" });
    expect(second.problems).toEqual([]);
  });
});
