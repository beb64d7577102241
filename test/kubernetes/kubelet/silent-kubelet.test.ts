import { describe, expect, it } from "vitest";
import { nodeSpec, startCluster } from "../scheduler/cluster-fixture.js";
import { MINUTE, SECOND } from "./troubled-node.js";

const IMAGE = "busybox:1.37";

/** Two nodes: what befalls the first is looked at from the second as well. */
async function twoNodes() {
  const cluster = await startCluster();
  const { clock, kubelets, createPod, getPod } = cluster;
  kubelets.start();
  await kubelets.addNode(nodeSpec("node-1"));
  await kubelets.addNode(nodeSpec("node-2", { podCidr: "10.0.2.0/24" }));
  await clock.advance(2 * SECOND);
  return {
    ...cluster,
    script: (name: string, nodeName: string, command: string, container: object = {}) =>
      createPod(name, {
        nodeName,
        containers: [{ name: "app", image: IMAGE, command: ["sh", "-c", command], ...container }],
      }),
    lines: (name: string) => (kubelets.podLog({ namespace: "default", name }, {}) ?? "").trim().split("\n"),
    app: (name: string) => getPod(name).status?.containerStatuses?.[0],
  };
}

const msOf = (time: string | undefined): number => Date.parse(time ?? "");

describe("a kubelet that is stopped", () => {
  it.each([
    ["silent", "ok"],
    ["frozen", "lost"],
    ["isolated", "lost"],
    ["off", "lost"],
  ] as const)("on a machine that is %s: to others a server there is %s", async (power, seen) => {
    const { clock, kubelets, createPod, script, lines, getPod } = await twoNodes();
    await createPod("web", { nodeName: "node-1" });
    await clock.advance(5 * SECOND);
    const url = `http://${getPod("web").status?.podIP}/`;
    await script(
      "client",
      "node-2",
      `while true; do wget -q -T 1 -O /dev/null ${url} && echo ok || echo lost; sleep 1; done`,
    );
    await clock.advance(5 * SECOND);
    expect(lines("client").at(-1)).toBe("ok");
    kubelets.setPower("node-1", power);
    await clock.advance(MINUTE);
    expect(lines("client").at(-1)).toBe(seen);
    kubelets.setPower("node-1", "running");
    await clock.advance(MINUTE);
    expect(lines("client").at(-1)).toBe("ok");
    expect(getPod("web").status?.containerStatuses?.[0]?.restartCount).toBe(power === "off" ? 1 : 0);
  });

  it("lets programs go on, and tells of what they printed when it is back; until then nobody listens on its port", async () => {
    const { clock, kubelets, script, lines, app } = await twoNodes();
    await script("ticker", "node-1", "n=0; while true; do n=$((n+1)); echo $n; sleep 1; done");
    await clock.advance(5 * SECOND);
    const before = lines("ticker").length;
    kubelets.setPower("node-1", "silent");
    const lastMs = kubelets.heartbeats.lastRenewalMs("node-1");
    await clock.advance(MINUTE);
    expect(kubelets.heartbeats.lastRenewalMs("node-1")).toBe(lastMs);
    expect(() => lines("ticker")).toThrow("dial tcp 10.0.1.5:10250: connect: connection refused");
    kubelets.setPower("node-1", "running");
    await clock.advance(5 * SECOND);
    expect(lines("ticker").length - before).toBeGreaterThanOrEqual(60);
    expect(app("ticker")).toMatchObject({ restartCount: 0, ready: true });
  });

  it.each([
    ["silent", "only when it is back"],
    ["isolated", "at the time it should have been"],
  ] as const)("(%s) starts a container that has ended meanwhile %s", async (power, _when) => {
    const { clock, kubelets, createPod, app } = await twoNodes();
    const annotations = { "eksim.dev/behaviour": JSON.stringify({ runForSeconds: 30 }) };
    await createPod("worker", { nodeName: "node-1" }, { annotations });
    await clock.advance(5 * SECOND);
    const startedMs = msOf(app("worker")?.state?.running?.startedAt);
    kubelets.setPower("node-1", power);
    // Short enough for the second run not to be over.
    await clock.advance(45 * SECOND);
    const backMs = clock.now();
    kubelets.setPower("node-1", "running");
    await clock.advance(5 * SECOND);
    expect(app("worker")?.restartCount).toBe(1);
    const ended = msOf(app("worker")?.lastState?.terminated?.finishedAt);
    expect((ended - startedMs) / SECOND).toBe(30);
    const again = msOf(app("worker")?.state?.running?.startedAt);
    if (power === "silent") expect(again).toBeGreaterThanOrEqual(Math.floor(backMs / SECOND) * SECOND);
    else expect((again - ended) / SECOND).toBeLessThan(15);
  });

  it("does not probe: a container that fails its liveness probe is restarted when it is back", async () => {
    const { clock, kubelets, script, app, reasons } = await twoNodes();
    const livenessProbe = { exec: { command: ["cat", "/ok"] }, periodSeconds: 5, failureThreshold: 1 };
    await script("sick", "node-1", "touch /ok; sleep 10; rm /ok; sleep 1000", { livenessProbe });
    await clock.advance(8 * SECOND);
    kubelets.setPower("node-1", "silent");
    await clock.advance(2 * MINUTE);
    expect(reasons("sick")).not.toContain("Unhealthy");
    const backMs = clock.now();
    kubelets.setPower("node-1", "running");
    await clock.advance(MINUTE);
    expect(reasons("sick")).toContain("Unhealthy");
    expect(app("sick")?.restartCount).toBe(1);
    expect(msOf(app("sick")?.lastState?.terminated?.finishedAt)).toBeGreaterThanOrEqual(backMs - SECOND);
  });

  it("does nothing for a machine that reboots meanwhile: its containers stay dead until it is back", async () => {
    const { clock, kubelets, createPod, app } = await twoNodes();
    await createPod("web", { nodeName: "node-1" });
    await clock.advance(5 * SECOND);
    kubelets.setPower("node-1", "stopped");
    kubelets.setPower("node-1", "silent");
    await clock.advance(MINUTE);
    expect(app("web")?.restartCount).toBe(0);
    const backMs = clock.now();
    kubelets.setPower("node-1", "running");
    await clock.advance(30 * SECOND);
    expect(app("web")).toMatchObject({ restartCount: 1, ready: true });
    expect(msOf(app("web")?.state?.running?.startedAt)).toBeGreaterThanOrEqual(backMs - SECOND);
  });
});
