import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { conditionOf } from "../../../src/kubernetes/runtime/conditions.js";
import type { Node, Pod, PodSpec } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec } from "../simulated-cluster.js";
import { MINUTE, SECOND, withMemory, withNode } from "./troubled-node.js";

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
    await clock.advance(300);
    expect(pod("nothing").status).toMatchObject({
      phase: "Failed",
      reason: "Evicted",
      message: "Pod was rejected: The node had condition: [MemoryPressure]. ",
    });
    expect(events("nothing", "Evicted")[0]?.message).toBe("The node had condition: [MemoryPressure]. ");
    expect(pod("tolerant").status?.startTime).toBeDefined();
    expect(pod("asking").status?.startTime).toBeDefined();
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

describe("a node that could not say what it is short of", () => {
  it("refuses pods one after the other until it is heard, and never round and round within one instant", async () => {
    const { clock, api, cluster, trouble, taints } = await withNode();
    const labels = { app: "web" };
    await api.create("deployments.apps", {
      metadata: { name: "web", namespace: "default" },
      spec: {
        replicas: 3,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "app", image: "nginx:1.29" }] } },
      },
    });
    await clock.advance(10 * SECOND);
    for (const id of ["m0", "m1"]) cluster.setMember(id, "down");
    trouble({ pressures: ["PIDPressure"] });
    await clock.advance(25 * SECOND);
    for (const id of ["m0", "m1"]) cluster.setMember(id, "up");
    let made = 0;
    const times = new Map<number, number>();
    api.watch<Pod>(
      "pods",
      ({ type }) => {
        if (type === "ADDED") times.set(clock.now(), (times.get(clock.now()) ?? 0) + 1);
        // A test that goes round for ever is to fail, not to hang.
        if (type === "ADDED" && ++made > 2_000) void cluster.close();
      },
      { changesOnly: true },
    );
    await clock.advance(30 * SECOND);
    // A round takes its while, and the node is heard within ten seconds.
    expect(Math.max(...times.values())).toBeLessThanOrEqual(3);
    expect(made).toBeLessThan(3 * 100);
    expect(taints()).toEqual(["node.kubernetes.io/pid-pressure:NoSchedule"]);
  });
});

describe("a kubelet that could not make its lease and its CSINode", () => {
  it("makes them once the API server takes them", async () => {
    const { clock, api, cluster } = await withNode();
    const companions = [
      ["leases.coordination.k8s.io", { namespace: "kube-node-lease", name: "node-0" }],
      ["csinodes.storage.k8s.io", { name: "node-0" }],
    ] as const;
    for (const [resource, key] of companions) await api.delete(resource, key);
    for (const id of ["m0", "m1"]) cluster.setMember(id, "down");
    await cluster.addNode(nodeSpec(0));
    await clock.advance(MINUTE);
    for (const id of ["m0", "m1"]) cluster.setMember(id, "up");
    await clock.advance(15 * SECOND);
    for (const [resource, key] of companions) expect(api.get(resource, key)?.metadata.name).toBe("node-0");
  });
});

describe("a node that was short of something when its kubelet was taken up again", () => {
  it("goes on saying so without a break", async () => {
    const { clock, api, cluster, condition, trouble } = await withNode();
    trouble({ pressures: ["DiskPressure"] });
    await clock.advance(15 * SECOND);
    const said: (string | undefined)[] = [];
    api.watch<Node>("nodes", ({ object }) => {
      said.push(conditionOf(object.status?.conditions, "DiskPressure")?.status);
    });
    await cluster.addNode(nodeSpec(0));
    await clock.advance(MINUTE);
    expect(new Set(said)).toEqual(new Set(["True"]));
    trouble(undefined);
    await clock.advance(6 * MINUTE);
    expect(condition("DiskPressure")?.status).toBe("False");
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
