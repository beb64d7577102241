import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { CoreEvent, EndpointSlice, Node, Pod, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec as kubeletSpec, startCluster } from "../scheduler/cluster-fixture.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const SECOND = 1_000;
const MINUTE = 60_000;

/** One node and what can be asked of it. */
async function withNode() {
  const { cluster, clock } = await startSimulated();
  const { api } = cluster;
  await cluster.addNode(nodeSpec(0));
  await clock.advance(5 * SECOND);
  const pod = (name: string): Pod => {
    const found = api.get<Pod>("pods", { namespace: "default", name });
    if (!found) throw new Error(`no pod ${name}`);
    return found;
  };
  const node = (): Node => api.get<Node>("nodes", { name: "node-0" }) as Node;
  return {
    cluster,
    clock,
    api,
    pod,
    node,
    find: (name: string) => api.get<Pod>("pods", { namespace: "default", name }),
    condition: (type: string) => conditionOf(node().status?.conditions, type),
    podCondition: (name: string, type: string) => conditionOf(pod(name).status?.conditions, type),
    container: (name: string) => pod(name).status?.containerStatuses?.[0],
    taints: () => (node().spec?.taints ?? []).map(({ key, effect }) => `${key}:${effect}`).sort(),
    trouble: (trouble: Parameters<typeof cluster.setNodeTroubles>[0][string] | undefined) =>
      cluster.setNodeTroubles(trouble ? { "node-0": trouble } : {}),
    run: (name: string, spec: Partial<PodSpec> = {}, metadata: Partial<Pod["metadata"]> = {}) =>
      api.create<Pod>("pods", {
        metadata: { name, namespace: "default", ...metadata },
        spec: { containers: [{ name: "app", image: "nginx:1.29" }], ...spec },
      }),
    events: (about: string, reason?: string) =>
      api
        .list<CoreEvent>("events")
        .filter(
          ({ involvedObject, ...event }) => involvedObject.name === about && (!reason || event.reason === reason),
        ),
  };
}

const withMemory = (request: string): Partial<PodSpec> => ({
  containers: [
    { name: "app", image: "nginx:1.29", resources: { requests: { memory: request }, limits: { memory: request } } },
  ],
});

const programmed = (program: object) => ({ annotations: { "eksim.dev/behaviour": JSON.stringify(program) } });

describe("a node that is short of memory", () => {
  it("says so with the kubelet's next look, is tainted, and says otherwise five minutes after the shortage has ended", async () => {
    const { clock, condition, taints, trouble, events } = await withNode();
    trouble({ pressures: ["MemoryPressure"] });
    await clock.advance(10 * SECOND);
    expect(condition("MemoryPressure")).toMatchObject({
      status: "True",
      reason: "KubeletHasInsufficientMemory",
      message: "kubelet has insufficient memory available",
    });
    expect(condition("Ready")?.status).toBe("True");
    expect(taints()).toEqual(["node.kubernetes.io/memory-pressure:NoSchedule"]);
    expect(events("node-0", "NodeHasInsufficientMemory")).toHaveLength(1);
    expect(events("node-0", "EvictionThresholdMet")[0]).toMatchObject({
      type: "Warning",
      message: "Attempting to reclaim memory",
    });
    trouble(undefined);
    await clock.advance(4 * MINUTE + 50 * SECOND);
    expect(condition("MemoryPressure")?.status).toBe("True");
    await clock.advance(20 * SECOND);
    expect(condition("MemoryPressure")).toMatchObject({ status: "False", reason: "KubeletHasSufficientMemory" });
    expect(taints()).toEqual([]);
    expect(events("node-0", "NodeHasSufficientMemory").map(({ count }) => count)).toEqual([2]);
  });

  it("evicts one pod every ten seconds: who takes more than it asked for first, by priority; never what the system needs", async () => {
    const { clock, api, run, pod, trouble, events } = await withNode();
    const important = {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name: "high" },
      value: 1000,
    };
    await api.create("priorityclasses.scheduling.k8s.io", important);
    await run("modest", withMemory("256Mi"));
    await run("greedy", {}, programmed({ usage: { memory: "600Mi" } }));
    await run("hungry", {}, programmed({ usage: { memory: "200Mi" } }));
    await run("dear", { priorityClassName: "high" }, programmed({ usage: { memory: "900Mi" } }));
    await api.create<Pod>("pods", {
      metadata: { name: "system", namespace: "kube-system" },
      spec: { priorityClassName: "system-node-critical", containers: [{ name: "app", image: "nginx:1.29" }] },
    });
    await clock.advance(MINUTE);
    const order: string[] = [];
    api.watch<Pod>("pods", ({ type, object }) => {
      if (type === "MODIFIED" && object.status?.reason === "Evicted" && !order.includes(object.metadata.name))
        order.push(object.metadata.name);
    });
    trouble({ pressures: ["MemoryPressure"] });
    await clock.advance(25 * SECOND);
    expect(order).toEqual(["greedy", "hungry"]);
    await clock.advance(MINUTE);
    expect(order).toEqual(["greedy", "hungry", "dear", "modest"]);
    expect(pod("greedy").status).toMatchObject({ phase: "Failed", reason: "Evicted" });
    const message = pod("greedy").status?.message;
    expect(message).toMatch(
      /^The node was low on resource: memory\. Threshold quantity: 100Mi, available: \d+Ki\. Container app was using 614400Ki, request is 0, has larger consumption of memory\. $/,
    );
    expect(pod("modest").status?.message).not.toContain("larger consumption");
    expect(conditionOf(pod("greedy").status?.conditions, "DisruptionTarget")).toMatchObject({
      status: "True",
      reason: "TerminationByKubelet",
      message,
    });
    expect(events("greedy", "Evicted")[0]).toMatchObject({ type: "Warning", message });
    expect(api.get<Pod>("pods", { namespace: "kube-system", name: "system" })?.status?.phase).toBe("Running");
  });

  it("takes pods that ask for memory, and refuses those that ask for nothing unless they tolerate it", async () => {
    const { clock, run, pod, trouble, events } = await withNode();
    trouble({ pressures: ["MemoryPressure"] });
    await clock.advance(10 * SECOND);
    const here: Partial<PodSpec> = { nodeName: "node-0" };
    const tolerations = [{ key: "node.kubernetes.io/memory-pressure", operator: "Exists" }];
    await run("nothing", here);
    await run("tolerant", { ...here, tolerations });
    await run("asking", { ...here, ...withMemory("64Mi") });
    await clock.settled();
    expect(pod("nothing").status).toMatchObject({
      phase: "Failed",
      reason: "Evicted",
      message: "Pod was rejected: The node had condition: [MemoryPressure]. ",
    });
    expect(events("nothing", "Evicted")[0]?.message).toBe("The node had condition: [MemoryPressure]. ");
    expect(pod("tolerant").status?.phase).toBe("Pending");
    expect(pod("asking").status?.phase).toBe("Pending");
  });
});

describe("a node whose disk is full", () => {
  it("can neither pull images nor make containers", async () => {
    const { clock, cluster, run, trouble, events, container, condition } = await withNode();
    const critical = { priorityClassName: "system-node-critical" };
    const busybox = { name: "app", image: "busybox:1.37" };
    await cluster.api.create<Pod>("pods", {
      metadata: { name: "chatty", namespace: "kube-system" },
      spec: {
        ...critical,
        containers: [{ ...busybox, command: ["sh", "-c", "while true; do echo tick; sleep 1; done"] }],
      },
    });
    await clock.advance(5 * SECOND);
    await run("between", {});
    await clock.advance(100);
    trouble({ diskFull: true });
    await clock.advance(9 * SECOND);
    expect(container("between")?.state?.waiting?.reason).toMatch(/^(ErrImagePull|ImagePullBackOff)$/);
    expect(events("between", "Failed").map(({ message }) => message)).toContainEqual(
      expect.stringMatching(
        /^Failed to pull image "nginx:1.29": rpc error: code = Unknown desc = failed to pull and unpack image "docker.io\/library\/nginx:1.29": write .*: no space left on device$/,
      ),
    );
    await clock.advance(SECOND);
    expect(condition("DiskPressure")?.status).toBe("True");
    const chatty = cluster.api.get<Pod>("pods", { namespace: "kube-system", name: "chatty" });
    expect(chatty?.status?.phase).toBe("Running");
    await cluster.api.create<Pod>("pods", {
      metadata: { name: "late", namespace: "kube-system" },
      spec: { ...critical, nodeName: "node-0", containers: [busybox] },
    });
    await clock.advance(2 * SECOND);
    expect(events("late", "FailedCreatePodSandBox")[0]?.message).toMatch(/no space left on device$/);
    trouble(undefined);
    await clock.advance(10 * SECOND);
    expect(cluster.api.get<Pod>("pods", { namespace: "kube-system", name: "late" })?.status?.phase).toBe("Running");
  });

  it("evicts pods, and lets go of images that nobody uses", async () => {
    const { clock, run, pod, api, trouble, events } = await withNode();
    await run("old", { containers: [{ name: "app", image: "redis:8" }] });
    await run("web");
    await clock.advance(5 * SECOND);
    await api.delete("pods", { namespace: "default", name: "old" });
    await clock.advance(5 * SECOND);
    trouble({ pressures: ["DiskPressure"] });
    await clock.advance(15 * SECOND);
    expect(pod("web").status).toMatchObject({ phase: "Failed", reason: "Evicted" });
    expect(pod("web").status?.message).toMatch(/^The node was low on resource: ephemeral-storage\. /);
    trouble(undefined);
    await clock.advance(6 * MINUTE);
    await run("again", { nodeName: "node-0", containers: [{ name: "app", image: "redis:8" }] });
    await clock.advance(5 * SECOND);
    expect(events("again", "Pulling")).toHaveLength(1);
  });
});

describe("images whose registry does not answer", () => {
  it("fail and are tried again at the kubelet's pace; what is on the node already starts", async () => {
    const { clock, run, container, pod, trouble, events } = await withNode();
    await run("first");
    await clock.advance(5 * SECOND);
    trouble({ unpullable: ["nginx", "*/private/*"] });
    await run("present");
    await run("always", { containers: [{ name: "app", image: "nginx:1.29", imagePullPolicy: "Always" }] });
    await run("private", { containers: [{ name: "app", image: "1.dkr.ecr.us-east-1.amazonaws.com/private/app:1" }] });
    await run("other", { containers: [{ name: "app", image: "redis:8" }] });
    await clock.advance(3 * SECOND);
    expect(pod("present").status?.phase).toBe("Running");
    expect(pod("other").status?.phase).toBe("Running");
    for (const name of ["always", "private"])
      expect(container(name)?.state?.waiting?.reason).toMatch(/^(ErrImagePull|ImagePullBackOff)$/);
    expect(events("private", "Failed")[0]?.message).toBe(
      'Failed to pull image "1.dkr.ecr.us-east-1.amazonaws.com/private/app:1": rpc error: code = Unknown desc = failed to pull and unpack image "1.dkr.ecr.us-east-1.amazonaws.com/private/app:1": failed to resolve reference "1.dkr.ecr.us-east-1.amazonaws.com/private/app:1": failed to do request: Head "https://1.dkr.ecr.us-east-1.amazonaws.com/v2/private/app/manifests/1": net/http: TLS handshake timeout',
    );
    await clock.advance(5 * MINUTE);
    expect(container("private")?.state?.waiting?.reason).toBe("ImagePullBackOff");
    // 10, 20, 40, 80 and 160 s apart.
    expect(events("private", "Pulling")[0]?.count).toBe(5);
    trouble(undefined);
    await clock.advance(6 * MINUTE);
    expect(pod("private").status?.phase).toBe("Running");
    await run("next", { containers: [{ name: "app", image: "1.dkr.ecr.us-east-1.amazonaws.com/private/app:1" }] });
    await clock.advance(2 * SECOND);
    expect(events("next", "Pulled")[0]?.message).toContain("already present on machine");
  });

  it("are not taken for pulled by those who waited for the same download", async () => {
    const { clock, run, pod, trouble, events } = await withNode();
    await run("one");
    await run("two");
    await clock.advance(150);
    trouble({ unpullable: ["nginx"] });
    await clock.advance(3 * SECOND);
    await run("three");
    await clock.advance(3 * SECOND);
    for (const name of ["one", "two", "three"]) {
      expect(pod(name).status?.phase).toBe("Pending");
      expect(events(name, "Pulled")).toEqual([]);
    }
  });
});

describe("a node whose clock is wrong", () => {
  it("stamps what it reports by it, and leaves stamps of before as they were", async () => {
    const { clock, run, pod, api, node, condition, trouble, events } = await withNode();
    await run("before");
    await clock.advance(5 * SECOND);
    const startedAt = pod("before").status?.containerStatuses?.[0]?.state?.running?.startedAt;
    trouble({ clockSkewMs: 4 * MINUTE });
    await run("after");
    await clock.advance(5 * SECOND);
    const skewOf = (time: string | undefined): number =>
      Math.round((Date.parse(time ?? "") - clock.now()) / MINUTE) || 0;
    expect(pod("before").status?.containerStatuses?.[0]?.state?.running?.startedAt).toBe(startedAt);
    expect(skewOf(pod("after").status?.startTime)).toBe(4);
    expect(skewOf(pod("after").status?.containerStatuses?.[0]?.state?.running?.startedAt)).toBe(4);
    expect(skewOf(conditionOf(pod("after").status?.conditions, "Ready")?.lastTransitionTime)).toBe(4);
    expect(skewOf(events("after", "Started")[0]?.firstTimestamp)).toBe(4);
    expect(skewOf(condition("Ready")?.lastHeartbeatTime)).toBe(4);
    const lease = { namespace: "kube-node-lease", name: "node-0" };
    const renewTime = (): string =>
      (
        api.get<KubeObject & { spec: { renewTime: string } }>("leases.coordination.k8s.io", lease) as {
          spec: { renewTime: string };
        }
      ).spec.renewTime;
    await clock.advance(20 * SECOND);
    expect(skewOf(renewTime())).toBe(4);
    await clock.advance(2 * MINUTE);
    expect(condition("Ready")?.status).toBe("True");
    expect(node().spec?.taints ?? []).toEqual([]);
    trouble(undefined);
    await clock.advance(20 * SECOND);
    expect(skewOf(renewTime())).toBe(0);
    expect(skewOf(condition("Ready")?.lastHeartbeatTime)).toBe(0);
  });

  it("that is not believed any more falls silent, while its containers go on", async () => {
    const { clock, cluster, run, pod, condition, trouble } = await withNode();
    await run("web");
    await clock.advance(5 * SECOND);
    trouble({ clockSkewMs: 20 * MINUTE, unauthorized: true });
    await clock.advance(50 * SECOND);
    expect(condition("Ready")).toMatchObject({ status: "Unknown", reason: "NodeStatusUnknown" });
    trouble(undefined);
    await clock.advance(10 * SECOND);
    expect(condition("Ready")?.status).toBe("True");
    expect(pod("web").status?.containerStatuses?.[0]).toMatchObject({ ready: true, restartCount: 0 });
    await cluster.close();
  });
});

describe("a pod in trouble", () => {
  it("crashes again and again with the kubelet's back-off, and stays up once the trouble has ended", async () => {
    const { clock, cluster, run, pod, container, events } = await withNode();
    await run("web");
    await run("batch", { containers: [{ name: "app", image: "busybox:1.37", command: ["sleep", "1000000"] }] });
    await clock.advance(5 * SECOND);
    cluster.setPodTroubles({ "default/web": "crash-loop", "default/batch": "crash-loop" });
    await clock.advance(10 * SECOND);
    for (const name of ["web", "batch"]) {
      expect(container(name)).toMatchObject({
        restartCount: 1,
        state: { waiting: { reason: "CrashLoopBackOff", message: expect.stringMatching(/^back-off 10s restarting/) } },
        lastState: { terminated: { exitCode: 1, reason: "Error" } },
      });
      expect(events(name, "BackOff")[0]?.type).toBe("Warning");
    }
    expect(pod("web").status?.phase).toBe("Running");
    await clock.advance(4 * MINUTE);
    expect(container("web")?.restartCount).toBe(5);
    cluster.setPodTroubles({});
    await clock.advance(6 * MINUTE);
    for (const name of ["web", "batch"]) expect(container(name)).toMatchObject({ ready: true, restartCount: 6 });
    await clock.advance(30 * MINUTE);
    expect(container("web")?.restartCount).toBe(6);
  });

  it("is not ready: its endpoints drop out, with a probe after it has failed often enough, and come back", async () => {
    const { clock, cluster, api, run, podCondition, container, events } = await withNode();
    const readinessProbe = { httpGet: { path: "/", port: 80 }, periodSeconds: 5, failureThreshold: 2 };
    const labels = { app: "web" };
    await run("plain", {}, { labels });
    await run("probed", { containers: [{ name: "app", image: "nginx:1.29", readinessProbe }] }, { labels });
    await api.create("services", {
      metadata: { name: "web", namespace: "default" },
      spec: { selector: labels, ports: [{ port: 80 }] },
    });
    await clock.advance(20 * SECOND);
    const serving = (): number =>
      api
        .list<EndpointSlice>("endpointslices.discovery.k8s.io", { namespace: "default" })
        .filter(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"] === "web")
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => conditions?.ready).length;
    expect(serving()).toBe(2);
    cluster.setPodTroubles({ "default/plain": "not-ready", "default/probed": "not-ready" });
    await clock.advance(2 * SECOND);
    expect(podCondition("plain", "Ready")).toMatchObject({
      status: "False",
      reason: "ContainersNotReady",
      message: "containers with unready status: [app]",
    });
    expect(podCondition("probed", "Ready")?.status).toBe("True");
    expect(serving()).toBe(1);
    await clock.advance(10 * SECOND);
    expect(podCondition("probed", "ContainersReady")).toMatchObject({ status: "False", reason: "ContainersNotReady" });
    expect(serving()).toBe(0);
    expect(events("probed", "Unhealthy")[0]).toMatchObject({
      type: "Warning",
      message: "Readiness probe failed: HTTP probe failed with statuscode: 503",
    });
    cluster.setPodTroubles({});
    await clock.advance(10 * SECOND);
    expect(serving()).toBe(2);
    for (const name of ["plain", "probed"]) expect(container(name)).toMatchObject({ ready: true, restartCount: 0 });
  });

  it("stays unready over restarts of its containers", async () => {
    const { clock, cluster, run, podCondition, container } = await withNode();
    await run("web");
    await clock.advance(5 * SECOND);
    cluster.setPodTroubles({ "default/web": "not-ready" });
    cluster.breakDown({ namespace: "default", name: "web" }, "crash");
    await clock.advance(MINUTE);
    expect(container("web")).toMatchObject({ restartCount: 1, ready: false, state: { running: {} } });
    cluster.setPodTroubles({});
    await clock.advance(SECOND);
    expect(podCondition("web", "Ready")?.status).toBe("True");
  });
});

describe("containers that break down", () => {
  it("exit with 1 and are started again, or not, as the policy says", async () => {
    const { clock, cluster, run, pod, container } = await withNode();
    await run("web");
    await run("once", { restartPolicy: "Never" });
    await clock.advance(5 * SECOND);
    for (const name of ["web", "once", "nobody"]) cluster.breakDown({ namespace: "default", name }, "crash");
    await clock.advance(5 * SECOND);
    expect(container("web")).toMatchObject({
      restartCount: 1,
      ready: true,
      lastState: { terminated: { exitCode: 1, reason: "Error" } },
    });
    expect(pod("once").status).toMatchObject({
      phase: "Failed",
      containerStatuses: [{ state: { terminated: { exitCode: 1, reason: "Error" } } }],
    });
  });

  it("are killed for their memory: within their limit quietly, without one with a word about the machine", async () => {
    const { clock, cluster, run, container, events } = await withNode();
    await run("bounded", withMemory("128Mi"));
    await run("boundless", { containers: [{ name: "app", image: "busybox:1.37", command: ["sleep", "1000000"] }] });
    await clock.advance(5 * SECOND);
    cluster.breakDown({ namespace: "default", name: "bounded" }, "oom");
    await clock.advance(5 * SECOND);
    expect(container("bounded")).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
    });
    expect(events("node-0", "SystemOOM")).toEqual([]);
    cluster.breakDown({ namespace: "default", name: "boundless" }, "oom");
    await clock.advance(5 * SECOND);
    expect(container("boundless")).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
    });
    expect(events("node-0", "SystemOOM")[0]).toMatchObject({
      type: "Warning",
      message: expect.stringMatching(/^System OOM encountered, victim process: app, pid: \d+$/),
    });
    await clock.advance(15 * MINUTE);
    expect(container("boundless")).toMatchObject({ restartCount: 1, ready: true });
  });
});

describe("what other programs of a node report", () => {
  it("stands among its conditions until they say nothing any more", async () => {
    const { clock, cluster, condition, node } = await withNode();
    const bad = { status: "False", reason: "IPAMDNotRunning", message: "ipamd is down" } as const;
    cluster.setNodeReports("node-0", { NetworkingReady: bad });
    await clock.settled();
    expect(condition("NetworkingReady")).toMatchObject(bad);
    const since = condition("NetworkingReady")?.lastTransitionTime;
    await clock.advance(MINUTE);
    cluster.setNodeReports("node-0", { NetworkingReady: { ...bad, message: "still down" } });
    await clock.settled();
    expect(condition("NetworkingReady")).toMatchObject({ message: "still down", lastTransitionTime: since });
    cluster.setNodeReports("node-0", { NetworkingReady: undefined });
    await clock.settled();
    expect(node().status?.conditions?.map(({ type }) => type)).toEqual([
      "MemoryPressure",
      "DiskPressure",
      "PIDPressure",
      "Ready",
    ]);
  });

  it("is heard once a node that could not speak can", async () => {
    const { clock, cluster, condition } = await withNode();
    cluster.setNodePower("node-0", "isolated");
    await clock.advance(MINUTE);
    cluster.setNodeReports("node-0", { KernelReady: { status: "False", reason: "ForkFailedOutOfPIDs", message: "" } });
    await clock.advance(MINUTE);
    expect(condition("KernelReady")).toBeUndefined();
    cluster.setNodePower("node-0", "running");
    await clock.advance(5 * SECOND);
    expect(condition("KernelReady")?.status).toBe("False");
  });

  it("is said again until an API server answers, and so are pressures", async () => {
    const { clock, cluster, condition, trouble } = await withNode();
    for (const id of ["m0", "m1"]) cluster.setMember(id, "down");
    cluster.setNodeReports("node-0", { KernelReady: { status: "False", reason: "ForkFailedOutOfPIDs", message: "" } });
    trouble({ pressures: ["PIDPressure"] });
    await clock.advance(15 * SECOND);
    expect(condition("KernelReady")).toBeUndefined();
    for (const id of ["m0", "m1"]) cluster.setMember(id, "up");
    await clock.advance(20 * SECOND);
    expect(condition("KernelReady")?.status).toBe("False");
    expect(condition("PIDPressure")).toMatchObject({ status: "True", reason: "KubeletHasInsufficientPID" });
  });
});

/** Kubelets alone, for what their programs print. */
async function withPrograms() {
  const cluster = await startCluster();
  cluster.kubelets.start();
  await cluster.kubelets.addNode(kubeletSpec("node-1"));
  await cluster.clock.advance(2 * SECOND);
  return {
    ...cluster,
    script: (name: string, command: string) =>
      cluster.createPod(name, {
        nodeName: "node-1",
        restartPolicy: "Never",
        containers: [{ name: "app", image: "busybox:1.37", command: ["sh", "-c", command] }],
      }),
    lines: (name: string, options = {}) =>
      (cluster.kubelets.podLog({ namespace: "default", name }, options) ?? "").trim().split("\n"),
  };
}

describe("programs on a troubled node", () => {
  it("find the disk full, and nothing that they print then is kept", async () => {
    const { clock, kubelets, script, lines } = await withPrograms();
    const step = "n=$((n+1)); echo x >> /data && r=ok || r=full; sleep 1; echo $n $r";
    await script("writer", `n=0; while true; do ${step}; done`);
    await clock.advance(5 * SECOND);
    const before = lines("writer").length;
    kubelets.setNodeTroubles({ "node-1": { diskFull: true } });
    // The kubelet has not looked yet: soon it would evict the pod.
    await clock.advance(2 * SECOND);
    expect(lines("writer")).toHaveLength(before);
    kubelets.setNodeTroubles({});
    await clock.advance(3 * SECOND);
    // The last turn of the full disk printed its result when there was room again.
    expect(lines("writer").slice(before).join()).toMatch(/^\d+ full,\d+ ok,\d+ ok$/);
  });

  it("are told the time of a clock that is wrong, and wait no longer or shorter for it", async () => {
    const { clock, kubelets, script, lines } = await withPrograms();
    await script("clock", "while true; do date +%s; sleep 10; done");
    await clock.advance(15 * SECOND);
    kubelets.setNodeTroubles({ "node-1": { clockSkewMs: -120_000 } });
    await clock.advance(20 * SECOND);
    const times = lines("clock").map(Number);
    expect(times.map((time, index) => time - (times[index - 1] ?? time))).toEqual([0, 10, -110, 10]);
    const stamps = lines("clock", { timestamps: true }).map((line) => Date.parse(line.split(" ")[0] ?? ""));
    expect(stamps.map((ms) => Math.floor(ms / 1000))).toEqual(times);
  });

  it("stand still while it is frozen, and go on where they were", async () => {
    const { clock, kubelets, script, lines, getPod } = await withPrograms();
    await script("ticker", "n=0; while true; do n=$((n+1)); echo $n; sleep 1; done");
    await clock.advance(5 * SECOND);
    const before = lines("ticker").length;
    kubelets.setPower("node-1", "frozen");
    await clock.advance(MINUTE);
    kubelets.setPower("node-1", "running");
    await clock.advance(3 * SECOND);
    const after = lines("ticker");
    expect(after.length - before).toBeLessThanOrEqual(4);
    expect(after).toEqual(after.map((_, index) => String(index + 1)));
    expect(getPod("ticker").status?.containerStatuses?.[0]?.restartCount).toBe(0);
  });

  it("end later by as long as their node was frozen, and as if nothing had been when it was only cut off", async () => {
    for (const [power, lateMs] of [
      ["frozen", MINUTE],
      ["isolated", 0],
    ] as const) {
      const { clock, kubelets, createPod, getPod } = await withPrograms();
      const annotations = { "eksim.dev/behaviour": JSON.stringify({ runForSeconds: 30 }) };
      await createPod("job", { nodeName: "node-1", restartPolicy: "Never" }, { annotations });
      await clock.advance(5 * SECOND);
      kubelets.setPower("node-1", power);
      await clock.advance(MINUTE);
      kubelets.setPower("node-1", "running");
      await clock.advance(MINUTE);
      const { startedAt, finishedAt } = getPod("job").status?.containerStatuses?.[0]?.state?.terminated ?? {};
      const tookMs = Date.parse(finishedAt ?? "") - Date.parse(startedAt ?? "");
      expect(Math.round((tookMs - 30 * SECOND - lateMs) / (2 * SECOND)) || 0).toBe(0);
    }
  });
});

describe("a DaemonSet on a node that is short of disk", () => {
  it("has its pods evicted and refused ever less often, and one that runs once the shortage is over", async () => {
    const { cluster, clock, api, trouble } = await withNode();
    const labels = { app: "logs" };
    await api.create("daemonsets.apps", {
      metadata: { name: "logs", namespace: "default" },
      spec: {
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "app", image: "fluent-bit:4" }] } },
      },
    });
    await clock.advance(10 * SECOND);
    const running = (): number => api.list<Pod>("pods").filter(({ status }) => status?.phase === "Running").length;
    expect(running()).toBe(1);
    let made = 0;
    const count = ({ type }: { type: string }): void => {
      if (type === "ADDED") made++;
    };
    const stop = api.watch<Pod>("pods", count, { changesOnly: true });
    trouble({ pressures: ["DiskPressure"] });
    await clock.advance(20 * MINUTE);
    expect(running()).toBe(0);
    expect(made).toBeGreaterThan(3);
    expect(made).toBeLessThan(20);
    trouble(undefined);
    await clock.advance(25 * MINUTE);
    expect(running()).toBe(1);
    stop();
    await cluster.close();
  });
});
