import { describe, expect, it } from "vitest";
import { applyStrategicMergePatch } from "../../../src/kubernetes/patch/index.js";

const pod = {
  metadata: { name: "web", labels: { app: "web", tier: "front" }, finalizers: ["one", "two"] },
  spec: {
    containers: [
      {
        name: "web",
        image: "nginx:1",
        args: ["-a"],
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "2" },
        ],
      },
      { name: "sidecar", image: "proxy:1" },
    ],
    tolerations: [{ key: "a" }],
    volumes: [{ name: "data", emptyDir: {} }],
    nodeSelector: { disk: "ssd" },
  },
};
const patchPod = (patch: unknown): typeof pod => applyStrategicMergePatch("Pod", pod, patch);
const containers = (patch: unknown): unknown[] => patchPod({ spec: { containers: patch } }).spec.containers;
const [web, sidecar] = pod.spec.containers;

describe("strategic merge patch", () => {
  it("merges maps and structs, and removes what is null", () => {
    const patched = patchPod({ metadata: { labels: { tier: null, new: "x" } }, spec: { nodeSelector: null } });
    expect(patched.metadata.labels).toEqual({ app: "web", new: "x" });
    expect(patched.spec).not.toHaveProperty("nodeSelector");
  });

  it("merges items of a keyed list and lists below them", () => {
    expect(containers([{ name: "web", image: "nginx:2", env: [{ name: "B", value: "3" }] }])).toEqual([
      {
        name: "web",
        image: "nginx:2",
        args: ["-a"],
        env: [
          { name: "A", value: "1" },
          { name: "B", value: "3" },
        ],
      },
      sidecar,
    ]);
  });

  it("replaces lists without a merge strategy", () => {
    expect(patchPod({ spec: { tolerations: [{ key: "b" }] } }).spec.tolerations).toEqual([{ key: "b" }]);
    expect(containers([{ name: "web", args: ["-b"] }])[0]).toMatchObject({ args: ["-b"] });
  });

  it("puts an item that is new in front, for lack of a place among the server's", () => {
    expect(containers([{ name: "new", image: "x" }])).toEqual([{ name: "new", image: "x" }, web, sidecar]);
  });

  it("$setElementOrder decides the order, also of items the patch does not mention", () => {
    const patch = {
      spec: {
        "$setElementOrder/containers": [{ name: "sidecar" }, { name: "new" }, { name: "web" }],
        containers: [{ name: "new", image: "x" }],
      },
    };
    expect(patchPod(patch).spec.containers.map(({ name }) => name)).toEqual(["sidecar", "new", "web"]);
    const alone = { spec: { "$setElementOrder/containers": [{ name: "sidecar" }, { name: "web" }] } };
    expect(patchPod(alone).spec.containers).toEqual([sidecar, web]);
  });

  it("keeps server-only items before the patch item they stood before", () => {
    const patch = { spec: { "$setElementOrder/containers": [{ name: "sidecar" }] } };
    expect(patchPod(patch).spec.containers).toEqual([web, sidecar]);
  });

  it("$patch: delete removes an item, $patch: replace a list or an object", () => {
    expect(containers([{ name: "web", $patch: "delete" }])).toEqual([sidecar]);
    expect(containers([{ $patch: "replace" }, { name: "only", image: "y" }])).toEqual([{ name: "only", image: "y" }]);
    expect(patchPod({ metadata: { labels: { $patch: "replace", only: "x" } } }).metadata.labels).toEqual({ only: "x" });
    expect(patchPod({ metadata: { labels: { $patch: "delete" } } }).metadata.labels).toEqual({});
  });

  it("merges lists of scalars as sets and deletes from them by directive", () => {
    expect(patchPod({ metadata: { finalizers: ["two", "three"] } }).metadata.finalizers).toEqual([
      "one",
      "two",
      "three",
    ]);
    expect(patchPod({ metadata: { "$deleteFromPrimitiveList/finalizers": ["one"] } }).metadata.finalizers).toEqual([
      "two",
    ]);
    const both = {
      metadata: {
        "$setElementOrder/finalizers": ["three", "two"],
        "$deleteFromPrimitiveList/finalizers": ["one"],
        finalizers: ["three"],
      },
    };
    expect(patchPod(both).metadata.finalizers).toEqual(["three", "two"]);
  });

  it("$retainKeys clears the members it does not list", () => {
    const patch = {
      spec: { volumes: [{ name: "data", $retainKeys: ["name", "hostPath"], hostPath: { path: "/x" } }] },
    };
    expect(patchPod(patch).spec.volumes).toEqual([{ name: "data", hostPath: { path: "/x" } }]);
    const deployment = { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } };
    const recreate = { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } };
    expect(applyStrategicMergePatch("Deployment", deployment, recreate)).toEqual({
      spec: { strategy: { type: "Recreate" } },
    });
  });

  it("drops directives and nulls from parts that are new", () => {
    const patched = patchPod({ spec: { affinity: { podAffinity: null, nodeAffinity: { $patch: "replace" } } } });
    expect(patched.spec).toMatchObject({ affinity: { nodeAffinity: {} } });
    expect(patched.spec).not.toHaveProperty("affinity.podAffinity");
    expect(patched.spec).not.toHaveProperty("affinity.nodeAffinity.$patch");
  });

  it("replaces a field whose strategy is replace", () => {
    const budget = { spec: { selector: { matchLabels: { a: "1", b: "2" } } } };
    const patched = applyStrategicMergePatch("PodDisruptionBudget", budget, {
      spec: { selector: { matchLabels: { a: "3" } } },
    });
    expect(patched.spec.selector).toEqual({ matchLabels: { a: "3" } });
  });

  it("gives the same object back when nothing changes, and never writes to its input", () => {
    const before = JSON.stringify(pod);
    expect(
      patchPod({ metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "nginx:1" }] } }),
    ).toBe(pod);
    expect(patchPod({ metadata: { labels: { app: "other" } } }).spec).toBe(pod.spec);
    expect(JSON.stringify(pod)).toBe(before);
  });

  const refused: [string, string, unknown, number][] = [
    ["an item without its merge key", "Pod", { spec: { containers: [{ image: "x" }] } }, 500],
    ["an unknown directive", "Pod", { spec: { $patch: "turn" } }, 500],
    [
      "a list that contradicts its order",
      "Pod",
      { spec: { "$setElementOrder/containers": [{ name: "a" }], containers: [{ name: "b" }] } },
      400,
    ],
    [
      "retainKeys that leave out what is set",
      "Pod",
      { spec: { volumes: [{ name: "data", $retainKeys: ["name"], hostPath: {} }] } },
      400,
    ],
    ["something else than an object", "Pod", [1], 400],
    ["custom resources", "example.com/Widget", { spec: {} }, 415],
  ];
  it.each(refused)("refuses %s", (_, typeName, patch, code) => {
    expect(() => applyStrategicMergePatch(typeName, pod, patch)).toThrow(expect.objectContaining({ code }));
  });
});
