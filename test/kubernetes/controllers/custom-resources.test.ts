import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import type { CustomResourceDefinition, ResourceQuota } from "../../../src/kubernetes/schema/generated/types.js";
import { startSimulated } from "../simulated-cluster.js";

const DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";
const WIDGETS = "widgets.example.com";
const schema = { openAPIV3Schema: { type: "object" } };
const definition = {
  metadata: { name: WIDGETS },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget" },
    versions: [{ name: "v1", served: true, storage: true, schema }],
  },
};

async function withWidgets() {
  const { cluster, clock } = await startSimulated();
  await clock.advance(1_000);
  const { api } = cluster;
  await api.create<CustomResourceDefinition>(DEFINITIONS, definition);
  const widget = (name: string, metadata: object = {}, namespace = "default") =>
    api.create<KubeObject>(WIDGETS, { metadata: { name, namespace, ...metadata }, spec: { size: 1 } });
  const owned = ({ metadata: { name, uid } }: KubeObject) => ({
    ownerReferences: [{ apiVersion: "example.com/v1", kind: "Widget", name, uid, blockOwnerDeletion: true }],
  });
  const names = (resource: string, namespace = "default") =>
    api.list(resource, { namespace }).map(({ metadata }) => metadata.name);
  return { api, clock, widget, owned, names };
}

describe("resources defined while the controllers run", () => {
  it("are collected with their owners, and take their dependents with them", async () => {
    const { api, clock, widget, owned, names } = await withWidgets();
    const parent = await widget("parent");
    const child = await widget("child", owned(parent));
    await api.create("configmaps", { metadata: { name: "leaf", namespace: "default", ...owned(child) } });
    await api.delete(WIDGETS, { namespace: "default", name: "parent" }, { propagationPolicy: "Background" });
    await clock.advance(5_000);
    expect(names(WIDGETS)).toEqual([]);
    expect(names("configmaps")).not.toContain("leaf");
  });

  it("wait for their dependents when they are deleted in the foreground", async () => {
    const { api, clock, widget, owned, names } = await withWidgets();
    const parent = await widget("parent");
    await widget("held", { ...owned(parent), finalizers: ["example.com/hold"] });
    await api.delete(WIDGETS, { namespace: "default", name: "parent" }, { propagationPolicy: "Foreground" });
    await clock.advance(5_000);
    expect(names(WIDGETS)).toEqual(["held", "parent"]);
    await api.patch(WIDGETS, { namespace: "default", name: "held" }, "merge", { metadata: { finalizers: null } });
    await clock.advance(5_000);
    expect(names(WIDGETS)).toEqual([]);
  });

  it("go with their namespace, which waits for the last of them", async () => {
    const { api, clock, widget, names } = await withWidgets();
    await api.create("namespaces", { metadata: { name: "team" } });
    await widget("free", {}, "team");
    await widget("held", { finalizers: ["example.com/hold"] }, "team");
    await api.delete("namespaces", { name: "team" });
    await clock.advance(5_000);
    expect(names(WIDGETS, "team")).toEqual(["held"]);
    expect(JSON.stringify(api.get("namespaces", { name: "team" })?.status)).toContain(
      "widgets.example.com has 1 resource instances",
    );
    await api.patch(WIDGETS, { namespace: "team", name: "held" }, "merge", { metadata: { finalizers: null } });
    await clock.advance(5_000);
    expect(api.get("namespaces", { name: "team" })).toBeUndefined();
  });

  it("are counted by quotas", async () => {
    const { api, clock, widget } = await withWidgets();
    const entry = `count/${WIDGETS}`;
    await api.create<ResourceQuota>("resourcequotas", {
      metadata: { name: "few", namespace: "default" },
      spec: { hard: { [entry]: "1" } },
    });
    await widget("one");
    await clock.advance(1_000);
    const quota = api.get<ResourceQuota>("resourcequotas", { namespace: "default", name: "few" });
    expect(quota?.status?.used).toEqual({ [entry]: "1" });
    await expect(widget("two")).rejects.toMatchObject({ code: 403 });
  });

  it("trouble nobody once they are withdrawn", async () => {
    const { api, clock, widget, names } = await withWidgets();
    await widget("w");
    await api.delete(DEFINITIONS, { name: WIDGETS });
    await clock.advance(5_000);
    expect(api.get(DEFINITIONS, { name: WIDGETS })).toBeUndefined();
    await api.create("namespaces", { metadata: { name: "team" } });
    await api.delete("namespaces", { name: "team" });
    await clock.advance(5_000);
    expect(api.get("namespaces", { name: "team" })).toBeUndefined();
    await api.create<CustomResourceDefinition>(DEFINITIONS, definition);
    const parent = await widget("again");
    await widget("child", {
      ownerReferences: [{ apiVersion: "example.com/v1", kind: "Widget", name: "again", uid: parent.metadata.uid }],
    });
    await api.delete(WIDGETS, { namespace: "default", name: "again" }, { propagationPolicy: "Background" });
    await clock.advance(5_000);
    expect(names(WIDGETS)).toEqual([]);
  });
});
