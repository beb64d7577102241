import { describe, expect, it } from "vitest";
import type {
  CoreEvent,
  CSIDriver,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StatefulSet,
  StorageClass,
  VolumeAttachment,
} from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const CLASSES = "storageclasses.storage.k8s.io";
const DRIVERS = "csidrivers.storage.k8s.io";
const ZONE = "topology.kubernetes.io/zone";

async function withStorage({ driver = "ebs.example.com", nodes = 3, binding = "WaitForFirstConsumer" } = {}) {
  const terminated = new Set<string>();
  const { cluster, clock } = await startSimulated({
    cloud: { state: (id) => (terminated.has(id) ? "missing" : "running") },
  });
  const { api } = cluster;
  for (let i = 0; i < nodes; i++) await cluster.addNode(nodeSpec(i));
  await clock.advance(2_000);
  const install = () => api.create<CSIDriver>(DRIVERS, { metadata: { name: driver }, spec: { attachRequired: true } });
  await api.create<StorageClass>(CLASSES, {
    metadata: { name: "block" },
    provisioner: driver,
    volumeBindingMode: binding,
  });
  const spec = (storageClassName: string | undefined) => ({
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage: "1Gi" } },
    storageClassName,
  });
  const claim = (name: string, storageClassName = "block", extra: Partial<PersistentVolumeClaim["spec"]> = {}) =>
    api.create<PersistentVolumeClaim>("persistentvolumeclaims", {
      metadata: { name, namespace: "default" },
      spec: { ...spec(storageClassName), ...extra },
    });
  const volume = (name: string, storage: string, extra: Partial<PersistentVolume["spec"]> = {}) =>
    api.create<PersistentVolume>("persistentvolumes", {
      metadata: { name },
      spec: {
        accessModes: ["ReadWriteOnce"],
        capacity: { storage },
        storageClassName: "manual",
        csi: { driver: "by.hand", volumeHandle: name },
        ...extra,
      },
    });
  const pod = (name: string, claimName: string) =>
    api.create<Pod>("pods", {
      metadata: { name, namespace: "default" },
      spec: {
        containers: [{ name: "c", image: "nginx:1" }],
        volumes: [{ name: "data", persistentVolumeClaim: { claimName } }],
      },
    });
  const database = () =>
    api.create<StatefulSet>("statefulsets.apps", {
      metadata: { name: "db", namespace: "default" },
      spec: {
        serviceName: "db",
        replicas: 1,
        selector: { matchLabels: { app: "db" } },
        template: {
          metadata: { labels: { app: "db" } },
          // A kubelet waits for no volume that no container mounts.
          spec: {
            containers: [{ name: "c", image: "pg:1", volumeMounts: [{ name: "data", mountPath: "/data" }] }],
          },
        },
        volumeClaimTemplates: [{ metadata: { name: "data" }, spec: spec("block") } as unknown as PersistentVolumeClaim],
      },
    });
  const attachments = () =>
    api
      .list<VolumeAttachment>("volumeattachments.storage.k8s.io")
      .map(({ spec: { nodeName }, status }) => [nodeName, status?.attached]);
  const getClaim = (name: string) =>
    api.get<PersistentVolumeClaim>("persistentvolumeclaims", { namespace: "default", name });
  const getPod = (name: string) => api.get<Pod>("pods", { namespace: "default", name });
  const volumes = () => api.list<PersistentVolume>("persistentvolumes");
  const reasons = (about: string) =>
    api.list<CoreEvent>("events").flatMap((event) => (event.involvedObject.name === about ? [event.reason] : []));
  return {
    cluster,
    terminated,
    database,
    attachments,
    api,
    clock,
    install,
    spec,
    claim,
    volume,
    pod,
    getClaim,
    getPod,
    volumes,
    reasons,
  };
}

describe("a claim", () => {
  it("takes the smallest volume that fits and waits for one that does not exist yet", async () => {
    const { clock, claim, volume, getClaim, volumes, reasons } = await withStorage();
    await volume("big", "10Gi");
    await volume("fitting", "2Gi");
    await volume("small", "500Mi");
    await clock.advance(1_000);
    expect(volumes().map(({ status }) => status?.phase)).toEqual(["Available", "Available", "Available"]);
    await claim("first", "manual");
    await clock.advance(1_000);
    expect(getClaim("first")).toMatchObject({
      metadata: { annotations: { "pv.kubernetes.io/bind-completed": "yes" } },
      spec: { volumeName: "fitting" },
      status: { phase: "Bound", capacity: { storage: "2Gi" }, accessModes: ["ReadWriteOnce"] },
    });
    await claim("second", "manual");
    await claim("third", "manual");
    await clock.advance(1_000);
    expect(getClaim("second")?.spec?.volumeName).toBe("big");
    expect(getClaim("third")?.status?.phase).toBe("Pending");
    expect(reasons("third")).toContain("ProvisioningFailed");
    await volume("late", "1Gi");
    await clock.advance(1_000);
    expect(getClaim("third")?.spec?.volumeName).toBe("late");
  });

  it("gets the volume it names, and is lost with it", async () => {
    const { api, clock, claim, volume, getClaim } = await withStorage();
    await claim("named", "manual", { volumeName: "v" });
    await clock.advance(1_000);
    expect(getClaim("named")?.status?.phase).toBe("Pending");
    await volume("v", "1Gi");
    await clock.advance(1_000);
    expect(getClaim("named")?.status?.phase).toBe("Bound");
    await api.delete("persistentvolumes", { name: "v" });
    await api.patch("persistentvolumes", { name: "v" }, "merge", { metadata: { finalizers: null } });
    await clock.advance(1_000);
    expect(getClaim("named")?.status?.phase).toBe("Lost");
  });

  it("of a class that waits gets its volume in the zone of its first pod", async () => {
    const { clock, install, claim, pod, getClaim, getPod, volumes, reasons, api } = await withStorage();
    await install();
    await claim("data");
    await clock.advance(5_000);
    expect(getClaim("data")?.status?.phase).toBe("Pending");
    expect(reasons("data")).toEqual(["WaitForFirstConsumer"]);
    await pod("db", "data");
    await clock.advance(10_000);
    expect(getPod("db")?.status?.phase).toBe("Running");
    const node = api.get("nodes", { name: getPod("db")?.spec?.nodeName ?? "" });
    expect(volumes()[0]).toMatchObject({
      spec: {
        csi: { driver: "ebs.example.com" },
        persistentVolumeReclaimPolicy: "Delete",
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: ZONE, values: [node?.metadata.labels?.[ZONE]] }] }],
          },
        },
      },
      status: { phase: "Bound" },
    });
    expect(reasons("data")).toEqual(expect.arrayContaining(["ExternalProvisioning", "ProvisioningSucceeded"]));
  });

  it("stays Pending until its driver is installed", async () => {
    const { clock, install, claim, getClaim, reasons } = await withStorage({ binding: "Immediate" });
    await claim("data");
    await clock.advance(60_000);
    expect(getClaim("data")?.status?.phase).toBe("Pending");
    expect(reasons("data")).toEqual(["ExternalProvisioning"]);
    await install();
    await clock.advance(5_000);
    expect(getClaim("data")?.status?.phase).toBe("Bound");
  });

  it("leaves its volume to be deleted, or kept, as the class says", async () => {
    const { api, clock, install, claim, volume, volumes } = await withStorage({ binding: "Immediate" });
    await install();
    await claim("goes");
    await volume("kept", "1Gi", { persistentVolumeReclaimPolicy: "Retain" });
    await claim("stays", "manual");
    await clock.advance(5_000);
    expect(volumes()).toHaveLength(2);
    for (const name of ["goes", "stays"]) await api.delete("persistentvolumeclaims", { namespace: "default", name });
    await clock.advance(5_000);
    expect(volumes().map(({ metadata, status }) => [metadata.name, status?.phase])).toEqual([["kept", "Released"]]);
  });
});

describe("pods with volumes", () => {
  it("of a StatefulSet come back in the zone of their volume only", async () => {
    const { cluster, api, clock, install, database, getPod } = await withStorage({ nodes: 3 });
    await install();
    await database();
    await clock.advance(10_000);
    const home = getPod("db-0")?.spec?.nodeName ?? "";
    expect(getPod("db-0")?.status?.phase).toBe("Running");
    await api.patch("nodes", { name: home }, "merge", { spec: { unschedulable: true } });
    await api.delete("pods", { namespace: "default", name: "db-0" });
    await clock.advance(60_000);
    expect(getPod("db-0")?.status?.phase).toBe("Pending");
    expect(JSON.stringify(getPod("db-0")?.status?.conditions)).toContain(
      "node(s) didn't match PersistentVolume's node affinity",
    );
    const index = Number(home.slice("node-".length)) + 3;
    await cluster.addNode(nodeSpec(index));
    await clock.advance(20_000);
    expect(getPod("db-0")?.spec?.nodeName).toBe(`node-${index}`);
    expect(getPod("db-0")?.status?.phase).toBe("Running");
  });

  it("of a lost node wait six minutes for their volume", async () => {
    const { cluster, terminated, api, clock, install, database, attachments, getPod, reasons } = await withStorage({
      nodes: 6,
    });
    await install();
    await database();
    await clock.advance(10_000);
    const lost = getPod("db-0")?.spec?.nodeName ?? "";
    expect(attachments()).toEqual([[lost, true]]);
    expect(reasons("db-0")).toContain("SuccessfulAttachVolume");
    const uid = getPod("db-0")?.metadata.uid;
    terminated.add(api.get<Node>("nodes", { name: lost })?.spec?.providerID ?? "");
    await cluster.removeNode(lost, { graceful: false });
    const isMoved = () => getPod("db-0")?.metadata.uid !== uid && getPod("db-0")?.spec?.nodeName !== undefined;
    expect(await clock.advanceUntil(isMoved, 180_000)).toBe(true);
    const movedMs = clock.now();
    await clock.advance(300_000);
    expect(getPod("db-0")?.status?.phase).toBe("Pending");
    expect(reasons("db-0")).toContain("FailedAttachVolume");
    expect(attachments()).toEqual([[lost, true]]);
    expect(await clock.advanceUntil(() => getPod("db-0")?.status?.phase === "Running", 120_000)).toBe(true);
    expect(clock.now() - movedMs).toBeGreaterThan(350_000);
    expect(attachments()).toEqual([[getPod("db-0")?.spec?.nodeName, true]]);
  });

  it("leave a silent node at once when an operator calls it out of service", async () => {
    const { cluster, api, clock, install, database, attachments, getPod } = await withStorage({ nodes: 6 });
    await install();
    await database();
    await clock.advance(10_000);
    const lost = getPod("db-0")?.spec?.nodeName ?? "";
    cluster.setNodePower(lost, "frozen");
    await clock.advance(400_000);
    expect(getPod("db-0")).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String) },
      spec: { nodeName: lost },
    });
    expect(attachments()).toEqual([[lost, true]]);
    const node = api.get<Node>("nodes", { name: lost }) as Node;
    const taint = { key: "node.kubernetes.io/out-of-service", value: "nodeshutdown", effect: "NoExecute" };
    const taints = [...(node.spec?.taints ?? []), taint];
    await api.update<Node>("nodes", { ...node, spec: { ...node.spec, taints } });
    await clock.advance(40_000);
    expect(getPod("db-0")?.status?.phase).toBe("Running");
    expect(attachments()).toEqual([[getPod("db-0")?.spec?.nodeName, true]]);
    expect(getPod("db-0")?.spec?.nodeName).not.toBe(lost);
  });

  it("that are ephemeral have a claim that comes and goes with them", async () => {
    const { api, clock, install, spec, getClaim, getPod, volumes } = await withStorage();
    await install();
    await api.create<Pod>("pods", {
      metadata: { name: "scratch", namespace: "default" },
      spec: {
        containers: [{ name: "c", image: "nginx:1" }],
        volumes: [{ name: "tmp", ephemeral: { volumeClaimTemplate: { spec: spec("block") } } }],
      },
    });
    await clock.advance(10_000);
    expect(getPod("scratch")?.status?.phase).toBe("Running");
    expect(getClaim("scratch-tmp")?.status?.phase).toBe("Bound");
    await api.delete("pods", { namespace: "default", name: "scratch" });
    await clock.advance(10_000);
    expect(getClaim("scratch-tmp")).toBeUndefined();
    expect(volumes()).toEqual([]);
  });
});
