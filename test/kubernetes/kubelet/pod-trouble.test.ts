import { describe, expect, it } from "vitest";
import type { EndpointSlice } from "../../../src/kubernetes/schema/generated/types.js";
import { MINUTE, SECOND, withMemory, withNode } from "./troubled-node.js";

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
