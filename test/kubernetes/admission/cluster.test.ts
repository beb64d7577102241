import { beforeEach, describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import type { Ingress, Node, PersistentVolumeClaim } from "../../../src/kubernetes/schema/generated/types.js";
import { pod, refusal, type SimulatedApi, startApi } from "../auth/simulated-api.js";

let world: SimulatedApi;
beforeEach(async () => {
  world = await startApi({ bare: true });
});

const make = <T extends KubeObject>(resource: string, metadata: object, rest: object = {}) =>
  world.api.create<T>(resource, { metadata, ...rest } as never);
const CLAIM = { spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } } };
const DEFAULT = { "storageclass.kubernetes.io/is-default-class": "true" };

describe("storage", () => {
  it("gives claims the newest default class, once there is one", async () => {
    const claim = (name: string, spec: object = {}) =>
      make<PersistentVolumeClaim>(
        "persistentvolumeclaims",
        { name, namespace: "default" },
        { spec: { ...CLAIM.spec, ...spec } },
      );
    expect((await claim("a")).spec?.storageClassName).toBeUndefined();
    await make("storageclasses.storage.k8s.io", { name: "old", annotations: DEFAULT }, { provisioner: "p" });
    await world.clock.advance(1000);
    await make("storageclasses.storage.k8s.io", { name: "new", annotations: DEFAULT }, { provisioner: "p" });
    expect((await claim("b")).spec?.storageClassName).toBe("new");
    expect((await claim("c", { storageClassName: "" })).spec?.storageClassName).toBe("");
  });

  it("lets a claim that got more than it asked for be labelled, but not shrink", async () => {
    const claim = await make<PersistentVolumeClaim>(
      "persistentvolumeclaims",
      { name: "lucky", namespace: "default" },
      CLAIM,
    );
    const bound = await world.api.updateStatus<PersistentVolumeClaim>("persistentvolumeclaims", {
      ...claim,
      status: { phase: "Bound", capacity: { storage: "2Gi" } },
    });
    const { metadata, spec } = bound;
    const labelled = await world.api.update("persistentvolumeclaims", {
      ...bound,
      metadata: { ...metadata, labels: { a: "b" } },
    });
    expect(labelled.metadata.labels).toEqual({ a: "b" });
    const smaller = { ...labelled, spec: { ...spec, resources: { requests: { storage: "512Mi" } } } };
    expect(await refusal(world.api.update("persistentvolumeclaims", smaller))).toContain("Forbidden");
  });

  it("lets a bound claim grow where its class allows it", async () => {
    await make("storageclasses.storage.k8s.io", { name: "fixed" }, { provisioner: "p" });
    await make("storageclasses.storage.k8s.io", { name: "elastic" }, { provisioner: "p", allowVolumeExpansion: true });
    const grow = async (storageClassName: string, bound: boolean) => {
      const name = `${storageClassName}-${bound}`;
      let claim = await make<PersistentVolumeClaim>(
        "persistentvolumeclaims",
        { name, namespace: "default" },
        { spec: { ...CLAIM.spec, storageClassName } },
      );
      claim = await world.api.update("persistentvolumeclaims", { ...claim, spec: { ...claim.spec, volumeName: "pv" } });
      if (bound)
        claim = await world.api.updateStatus("persistentvolumeclaims", {
          ...claim,
          status: { phase: "Bound", capacity: { storage: "1Gi" } },
        });
      return refusal(
        world.api.update("persistentvolumeclaims", {
          ...claim,
          spec: { ...claim.spec, resources: { requests: { storage: "2Gi" } } },
        }),
      );
    };
    expect(await grow("elastic", true)).toBe("(no refusal)");
    expect(await grow("elastic", false)).toContain("Only bound persistent volume claims can be expanded");
    expect(await grow("fixed", true)).toContain("the storageclass that provisions the pvc must support resize");
  });
});

describe("ingresses", () => {
  it("get the default class", async () => {
    await make(
      "ingressclasses.networking.k8s.io",
      { name: "alb", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } },
      { spec: { controller: "a.b/c" } },
    );
    const backend = { service: { name: "s", port: { number: 80 } } };
    const ingress = await make<Ingress>(
      "ingresses.networking.k8s.io",
      { name: "i", namespace: "default" },
      { spec: { defaultBackend: backend } },
    );
    expect(ingress.spec?.ingressClassName).toBe("alb");
  });
});

describe("nodes", () => {
  it("begin with a taint that keeps pods away", async () => {
    const node = await make<Node>("nodes", { name: "n" });
    expect(node.spec?.taints).toEqual([{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }]);
  });

  it("may only be changed by their own kubelet, and it may not take their taints", async () => {
    const node = await make<Node>("nodes", { name: "n" });
    const kubelet = (name: string) => world.as({ username: `system:node:${name}`, groups: ["system:nodes"] });
    const labelled = { ...node, metadata: { ...node.metadata, labels: { a: "b" } } };
    expect(await refusal(kubelet("other").update("nodes", labelled))).toBe(
      'nodes "n" is forbidden: node "other" is not allowed to modify node "n"',
    );
    expect(await refusal(kubelet("n").update("nodes", labelled))).toBe("(no refusal)");
    const freed = { ...(world.api.get<Node>("nodes", { name: "n" }) as Node), spec: {} };
    expect(await refusal(kubelet("n").update("nodes", freed))).toContain("is not allowed to modify taints");
    const restricted = {
      ...node,
      metadata: { ...node.metadata, resourceVersion: "", labels: { "node-restriction.kubernetes.io/x": "y" } },
    };
    expect(await refusal(kubelet("n").update("nodes", restricted))).toContain(
      "is not allowed to modify labels: node-restriction.kubernetes.io/x",
    );
  });

  it("have kubelets that create mirror pods only, and delete their own pods only", async () => {
    const kubelet = world.as({ username: "system:node:n", groups: ["system:nodes"] });
    expect(await refusal(kubelet.create("pods", pod("p") as never))).toContain("can only create mirror pods");
    await world.api.create("pods", pod("p", { nodeName: "m" }) as never);
    expect(await refusal(kubelet.delete("pods", { namespace: "default", name: "p" }))).toContain(
      'node "n" can only delete pods with spec.nodeName set to itself',
    );
  });
});
