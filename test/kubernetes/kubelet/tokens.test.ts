import { describe, expect, it } from "vitest";
import type { CoreEvent, Pod } from "../../../src/kubernetes/schema/generated/types.js";
import { rsaKey } from "../rsa-key.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const SECOND = 1_000;

const READER = {
  restartPolicy: "Never",
  containers: [{ name: "app", image: "busybox:1", command: ["sh", "-c", `cat ${TOKEN} > /dev/termination-log`] }],
};
const SERVER = { containers: [{ name: "app", image: "nginx" }] };

async function withNode(options: Parameters<typeof startSimulated>[0] = {}) {
  const { cluster, clock } = await startSimulated(options);
  const { api } = cluster;
  await cluster.addNode(nodeSpec(0));
  await clock.advance(5 * SECOND);
  const pod = (name: string): Pod => api.get<Pod>("pods", { namespace: "default", name }) as Pod;
  return {
    api,
    clock,
    pod,
    container: (name: string) => pod(name).status?.containerStatuses?.[0],
    account: (name: string) => api.create("serviceaccounts", { metadata: { name, namespace: "default" } }),
    run: (name: string, spec: object) =>
      api.create<Pod>("pods", { metadata: { name, namespace: "default" }, spec: spec as Pod["spec"] }),
    mountFailures: (name: string) =>
      api
        .list<CoreEvent>("events")
        .filter(({ involvedObject, reason }) => involvedObject.name === name && reason === "FailedMount")
        .map(({ message }) => message),
  };
}

describe("containers whose token cannot be had", () => {
  it("wait for it however long it takes, and say why; then they start, and find it", async () => {
    let isAway = true;
    const { clock, run, container, mountFailures, pod } = await withNode({
      serviceAccountKey: async () => {
        if (isAway) throw new Error("the key is away");
        return rsaKey();
      },
    });
    await run("reader", READER);
    await clock.advance(600 * SECOND);
    expect(pod("reader").status?.phase).toBe("Pending");
    expect(container("reader")?.state?.waiting?.reason).toBe("ContainerCreating");
    const [volume] = pod("reader").spec?.volumes ?? [];
    expect(mountFailures("reader")).toEqual([
      `MountVolume.SetUp failed for volume "${volume?.name}" : failed to fetch token: the key is away`,
    ]);
    isAway = false;
    // The kubelet's longest wait between two tries.
    await clock.advance(125 * SECOND);
    expect(container("reader")?.state?.terminated?.message).toMatch(/^ey\S+$/);
  });

  it("wait in silence while it is being made, and no time of the cluster's passes", async () => {
    let give = (_key: string): void => {};
    const key = new Promise<string>((resolve) => {
      give = resolve;
    });
    const { clock, run, container, mountFailures } = await withNode({ serviceAccountKey: () => key });
    await run("reader", READER);
    const later = clock.advance(60 * SECOND);
    while (container("reader")?.state?.waiting === undefined) await new Promise(setImmediate);
    for (let turns = 0; turns < 50; turns++) await new Promise(setImmediate);
    expect(container("reader")?.state?.waiting?.reason).toBe("ContainerCreating");
    give(rsaKey());
    await later;
    expect(container("reader")?.state?.terminated?.message).toMatch(/^ey\S+$/);
    expect(mountFailures("reader")).toEqual([]);
  });

  it("cost nothing while it is asked for again", async () => {
    let tries = 0;
    let give = (_key: string): void => {};
    const key = new Promise<string>((resolve) => {
      give = resolve;
    });
    const { clock, run, container, mountFailures } = await withNode({
      serviceAccountKey: async () => {
        if (++tries === 1) throw new Error("the key is away");
        return key;
      },
    });
    await run("reader", READER);
    const later = clock.advance(60 * SECOND);
    const turns = async (): Promise<void> => {
      for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    };
    while (tries < 2) await new Promise(setImmediate);
    await turns();
    const { begun } = clock;
    await turns();
    expect(clock.begun).toBe(begun);
    give(rsaKey());
    await later;
    expect(container("reader")?.state?.terminated?.message).toMatch(/^ey\S+$/);
    expect([tries, mountFailures("reader").length]).toEqual([2, 1]);
  });

  it("wait for a service account that is gone, whether they read its token or not", async () => {
    const { api, clock, run, container, account, mountFailures, pod } = await withNode();
    await account("builder");
    // Without a node at first, so that the account is gone when the kubelet hears of them.
    const away = { serviceAccountName: "builder", nodeSelector: { late: "yes" } };
    await run("reader", { ...READER, ...away });
    await run("server", { ...SERVER, ...away });
    await api.delete("serviceaccounts", { namespace: "default", name: "builder" });
    await api.patch("nodes", { name: "node-0" }, "merge", { metadata: { labels: { late: "yes" } } });
    await clock.advance(60 * SECOND);
    for (const name of ["reader", "server"]) {
      expect(container(name)?.state?.waiting?.reason).toBe("ContainerCreating");
      const [volume] = pod(name).spec?.volumes ?? [];
      expect(mountFailures(name)).toEqual([
        `MountVolume.SetUp failed for volume "${volume?.name}" : failed to fetch token: serviceaccounts "builder" not found`,
      ]);
    }
    await account("builder");
    await clock.advance(130 * SECOND);
    expect(container("reader")?.state?.terminated?.message).toMatch(/^ey\S+$/);
    expect(container("server")?.ready).toBe(true);
  });
});
