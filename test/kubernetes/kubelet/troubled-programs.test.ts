import { describe, expect, it } from "vitest";
import { nodeSpec as kubeletSpec, startCluster } from "../scheduler/cluster-fixture.js";
import { MINUTE, SECOND } from "./troubled-node.js";

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
