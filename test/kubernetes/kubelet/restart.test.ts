import { describe, expect, it } from "vitest";
import type { StoreRecord } from "../../../src/kubernetes/persistence.js";
import type { Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec as specOf, startCluster } from "../scheduler/cluster-fixture.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

describe("a restarted process", () => {
  it("goes on with the programs of containers as if they had run all the time", async () => {
    const records = new Map<string, StoreRecord>();
    const persistence = {
      load: () => ({ revision: 1000, records: [...records.values()].sort((a, b) => a.revision - b.revision) }),
      commit: (batch: readonly StoreRecord[]) => {
        for (const record of batch)
          if (record.json === undefined) records.delete(`${record.resource} ${record.key}`);
          else records.set(`${record.resource} ${record.key}`, record);
      },
    };
    const first = await startCluster({ persistence });
    first.kubelets.start();
    await first.kubelets.addNode(specOf("node-1"));
    await first.clock.advance(2_000);
    const command = ["sh", "-c", "for i in 1 2 3 4 5 6; do echo line $i; sleep 5; done; exit 3"];
    await first.createPod("job", {
      nodeName: "node-1",
      restartPolicy: "Never",
      containers: [{ name: "app", image: "busybox:1", command }],
    });
    await first.clock.advance(8_000);
    first.kubelets.stop();
    first.clock.stop();
    first.store.close();

    const second = await startCluster({ persistence, startMs: first.clock.now() + 4_000 });
    second.kubelets.start();
    await second.kubelets.addNode(specOf("node-1"));
    await second.clock.advance(1_000);
    const key = { namespace: "default", name: "job" };
    expect(second.kubelets.podLog(key, {})).toBe("line 1\nline 2\nline 3\n");
    await second.clock.advance(20_000);
    const ended = second.getPod("job").status?.containerStatuses?.[0]?.state?.terminated;
    expect(ended).toMatchObject({ exitCode: 3, reason: "Error" });
    expect(Date.parse(ended?.finishedAt ?? "") - Date.parse(ended?.startedAt ?? "")).toBe(30_000);
    expect(second.problems).toEqual([]);
  });
});

describe("a service account's files", () => {
  it("are mounted with a token that the API server issued for the pod", async () => {
    const seen: Record<string, string | undefined> = {};
    const base = "/var/run/secrets/kubernetes.io/serviceaccount";
    const { cluster, clock } = await startSimulated({
      images: {
        reader: {
          run: async ({ readFile }) => {
            for (const name of ["token", "ca.crt", "namespace"]) seen[name] = readFile(`${base}/${name}`);
          },
        },
      },
    });
    await cluster.addNode(nodeSpec(0));
    await clock.advance(5_000);
    await cluster.api.create<Pod>("pods", {
      metadata: { name: "p", namespace: "default" },
      spec: {
        restartPolicy: "Never",
        containers: [
          { name: "app", image: "reader" },
          { name: "cat", image: "busybox:1", command: ["sh", "-c", `cat ${base}/token > /dev/termination-log`] },
        ],
      },
    });
    const done = () => cluster.api.get<Pod>("pods", { namespace: "default", name: "p" })?.status?.phase === "Succeeded";
    expect(await clock.advanceUntil(done, 60_000)).toBe(true);
    const { containerStatuses } = cluster.api.get<Pod>("pods", { namespace: "default", name: "p" })?.status ?? {};
    expect(containerStatuses?.find(({ name }) => name === "cat")?.state?.terminated?.message).toMatch(/^ey\S+$/);
    expect(seen.namespace).toBe("default");
    expect(seen["ca.crt"]).toContain("BEGIN CERTIFICATE");
    const claims = JSON.parse(Buffer.from(seen.token?.split(".")[1] ?? "", "base64url").toString());
    expect(claims).toMatchObject({
      sub: "system:serviceaccount:default:default",
      "kubernetes.io": { pod: { name: "p" } },
    });
  });
});
