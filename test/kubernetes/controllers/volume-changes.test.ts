import { beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import type { KubeApi } from "../../../src/kubernetes/api.js";
import type {
  CSIDriver,
  CSINode,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "../../../src/kubernetes/schema/generated/types.js";
import { nodeSpec, startSimulated } from "../simulated-cluster.js";

const CLASSES = "storageclasses.storage.k8s.io";
const DRIVERS = "csidrivers.storage.k8s.io";
const ATTRIBUTES = "volumeattributesclasses.storage.k8s.io";
const DRIVER = "block.example.com";

let api: KubeApi;
let clock: SteppedClock;

const claim = () => api.get<PersistentVolumeClaim>("persistentvolumeclaims", { namespace: "default", name: "data" });
const volume = () => api.list<PersistentVolume>("persistentvolumes")[0];
const createClaim = (spec: Partial<PersistentVolumeClaim["spec"]> = {}) =>
  api.create<PersistentVolumeClaim>("persistentvolumeclaims", {
    metadata: { name: "data", namespace: "default" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "1Gi" } },
      storageClassName: "fast",
      ...spec,
    },
  });
const createPod = () =>
  api.create("pods", {
    metadata: { name: "p", namespace: "default" },
    spec: {
      containers: [{ name: "c", image: "nginx" }],
      volumes: [{ name: "v", persistentVolumeClaim: { claimName: "data" } }],
    },
  });
const patchClaim = (spec: unknown) =>
  api.patch("persistentvolumeclaims", { namespace: "default", name: "data" }, "merge", { spec });
const reasons = () =>
  api.list("events", { namespace: "default", fieldSelector: "involvedObject.name=data" }).map(({ reason }) => reason);

beforeEach(async () => {
  const { cluster, clock: stepped } = await startSimulated();
  ({ api } = cluster);
  clock = stepped;
  for (const index of [0, 1]) await cluster.addNode(nodeSpec(index));
  await clock.advance(3000);
  await api.create<CSIDriver>(DRIVERS, { metadata: { name: DRIVER }, spec: { attachRequired: true } });
  await api.create<StorageClass>(CLASSES, {
    metadata: { name: "fast" },
    provisioner: DRIVER,
    allowVolumeExpansion: true,
  });
});

describe("claims", () => {
  it("grow: first the volume, then the file system once a pod has it mounted", async () => {
    await createClaim();
    await clock.advance(5000);
    expect(claim()?.status?.phase).toBe("Bound");
    expect(volume()?.spec?.csi?.volumeHandle).toMatch(/^vol-0[0-9a-f]{16}$/);
    await patchClaim({ resources: { requests: { storage: "3Gi" } } });
    await clock.settled();
    expect(claim()?.status?.conditions?.map(({ type }) => type)).toEqual(["Resizing"]);
    await clock.advance(5000);
    expect([volume()?.spec?.capacity?.storage, claim()?.status?.capacity?.storage]).toEqual(["3Gi", "1Gi"]);
    expect(claim()?.status?.conditions?.map(({ type }) => type)).toEqual(["FileSystemResizePending"]);
    await createPod();
    await clock.advance(10_000);
    expect([claim()?.status?.capacity?.storage, claim()?.status?.conditions]).toEqual(["3Gi", undefined]);
    expect(claim()?.status?.allocatedResourceStatuses).toBeUndefined();
    expect(reasons()).toEqual(
      expect.arrayContaining(["Resizing", "FileSystemResizeRequired", "FileSystemResizeSuccessful"]),
    );
    await expect(patchClaim({ resources: { requests: { storage: "2Gi" } } })).rejects.toThrow(
      "field can not be less than status.capacity",
    );
  });

  it("change the attributes of their volumes, and hold the class that they name", async () => {
    const create = (name: string) =>
      api.create(ATTRIBUTES, { metadata: { name }, driverName: DRIVER, parameters: { iops: "5000" } });
    await create("silver");
    await createClaim({ volumeAttributesClassName: "silver" });
    await clock.advance(5000);
    expect([volume()?.spec?.volumeAttributesClassName, claim()?.status?.currentVolumeAttributesClassName]).toEqual([
      "silver",
      "silver",
    ]);
    await patchClaim({ volumeAttributesClassName: "gold" });
    await clock.advance(1000);
    expect(claim()?.status?.modifyVolumeStatus).toEqual({ status: "Pending", targetVolumeAttributesClassName: "gold" });
    await create("gold");
    await clock.advance(5000);
    expect(claim()?.status).toMatchObject({ currentVolumeAttributesClassName: "gold" });
    expect(claim()?.status?.modifyVolumeStatus).toBeUndefined();
    for (const name of ["gold", "silver"]) await api.delete(ATTRIBUTES, { name });
    await clock.settled();
    expect(api.list(ATTRIBUTES).map(({ metadata }) => metadata.name)).toEqual(["gold"]);
    await api.delete("persistentvolumeclaims", { namespace: "default", name: "data" });
    await clock.advance(5000);
    expect([api.list(ATTRIBUTES), api.list("persistentvolumes")]).toEqual([[], []]);
  });

  it("without a class are given the default class when there is one", async () => {
    await createClaim({ storageClassName: undefined });
    await clock.advance(2000);
    expect(claim()?.status?.phase).toBe("Pending");
    await api.patch(CLASSES, { name: "fast" }, "merge", {
      metadata: { annotations: { "storageclass.kubernetes.io/is-default-class": "true" } },
    });
    await clock.advance(5000);
    expect([claim()?.spec?.storageClassName, claim()?.status?.phase]).toEqual(["fast", "Bound"]);
  });

  it("leave volumes that are kept until the driver has deleted them", async () => {
    await createClaim();
    await clock.advance(5000);
    const name = volume()?.metadata.name ?? "";
    expect(volume()?.metadata.finalizers).toEqual([
      "external-provisioner.volume.kubernetes.io/finalizer",
      "kubernetes.io/pv-protection",
    ]);
    await api.delete("persistentvolumes", { name });
    await clock.advance(2000);
    expect(volume()?.metadata.deletionTimestamp).toBeDefined();
    await api.delete("persistentvolumeclaims", { namespace: "default", name: "data" });
    await clock.advance(2000);
    expect(volume()).toBeUndefined();
  });
});

describe("CSINodes", () => {
  it("name the drivers whose pods run on the node", async () => {
    const labels = { app: "block-csi-node" };
    await api.create("daemonsets.apps", {
      metadata: { name: "block-csi-node", namespace: "kube-system" },
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            containers: [
              { name: "plugin", image: "example.com/block" },
              { name: "registrar", image: "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2" },
            ],
          },
        },
      },
    });
    await clock.advance(10_000);
    const drivers = () =>
      api.list<CSINode>("csinodes.storage.k8s.io").map(({ metadata, spec }) => [metadata.name, spec.drivers]);
    const registered = (nodeID: string) => [
      {
        name: DRIVER,
        nodeID,
        topologyKeys: [`topology.${DRIVER}/zone`, "topology.kubernetes.io/zone"],
        allocatable: { count: 25 },
      },
    ];
    expect(drivers()).toEqual([
      ["node-0", registered("i-0")],
      ["node-1", registered("i-1")],
    ]);
    expect(api.get("nodes", { name: "node-1" })?.metadata.labels?.[`topology.${DRIVER}/zone`]).toBe("us-east-1b");
    await api.delete("daemonsets.apps", { namespace: "kube-system", name: "block-csi-node" });
    await clock.advance(60_000);
    expect(drivers()).toEqual([
      ["node-0", []],
      ["node-1", []],
    ]);
  });
});
