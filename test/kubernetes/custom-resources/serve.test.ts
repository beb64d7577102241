import { describe, expect, it } from "vitest";
import { createClock } from "../../../src/clock/create-clock.js";
import { customResourceDefinitions, DEFINITIONS } from "../../../src/kubernetes/custom-resources/definitions.js";
import { serveCustomResources } from "../../../src/kubernetes/custom-resources/serve.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import type { Persistence, StoreRecord } from "../../../src/kubernetes/persistence.js";
import { ResourceCatalogue } from "../../../src/kubernetes/registry/catalogue.js";
import { createKubeApi } from "../../../src/kubernetes/registry/kube-api.js";
import { createRegistry } from "../../../src/kubernetes/registry/registry.js";
import type { CustomResourceDefinition } from "../../../src/kubernetes/schema/generated/types.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { createStore } from "../../../src/kubernetes/store/store.js";

/** A disk. */
function memory(): Persistence {
  const kept = new Map<string, StoreRecord>();
  let revision = 0;
  return {
    load: () => ({ revision, records: [...kept.values()].sort((a, b) => a.revision - b.revision) }),
    commit(records) {
      for (const record of records) {
        const key = `${record.resource}/${record.key}`;
        if (record.json === undefined) kept.delete(key);
        else kept.set(key, record);
        revision = record.revision;
      }
    },
  };
}

function fixture(persistence?: Persistence) {
  const clock = createClock({ kind: "stepped" }, { seed: 1 });
  const store = createStore({ clock, ...(persistence ? { persistence } : {}) });
  const catalogue = new ResourceCatalogue({
    infos: builtinResources(),
    strategyFor: (name) => (name === DEFINITIONS ? customResourceDefinitions : undefined),
  });
  const registry = createRegistry({ store, catalogue, clock, admission: [] });
  const api = createKubeApi(registry, {
    user: { username: "test", groups: [] },
    fieldManager: "test",
    tracksOwnership: false,
  });
  serveCustomResources({ api, catalogue, clock });
  return { api, catalogue, clock, store };
}

const schema = {
  openAPIV3Schema: {
    type: "object",
    properties: { spec: { type: "object", properties: { size: { type: "integer" } } } },
  },
};
const DEFINITION = {
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { plural: "widgets", kind: "Widget", shortNames: ["wd"] },
    versions: [
      { name: "v1beta1", served: true, storage: false, schema },
      { name: "v1", served: true, storage: true, schema, subresources: { status: {} } },
    ],
  },
};
const WIDGETS = "widgets.example.com";
const key = { namespace: "default", name: "w" };

describe("custom resources", () => {
  it("are served as soon as their definition is there, which says so in its status", async () => {
    const { api, catalogue, clock } = fixture();
    const before = catalogue.generation;
    await api.create<CustomResourceDefinition>(DEFINITIONS, DEFINITION);
    expect(catalogue.generation).toBeGreaterThan(before);
    expect(catalogue.byPath("example.com", "v1", "widgets")?.info).toMatchObject({
      singular: "widget",
      listKind: "WidgetList",
      namespaced: true,
    });
    await clock.settled();
    const status = api.get<CustomResourceDefinition>(DEFINITIONS, { name: WIDGETS })?.status;
    expect(status?.conditions?.map(({ type, status: value }) => `${type}=${value}`)).toEqual([
      "NamesAccepted=True",
      "Established=True",
    ]);
    expect(status?.storedVersions).toEqual(["v1"]);
  });

  it("keep their status apart, count generations and are stored in one version", async () => {
    const { api, catalogue } = fixture();
    await api.create<CustomResourceDefinition>(DEFINITIONS, DEFINITION);
    const widget = await api.create<KubeObject>(WIDGETS, { metadata: key, spec: { size: 1 }, status: { x: 1 } });
    expect(widget).toMatchObject({ apiVersion: "example.com/v1", kind: "Widget", metadata: { generation: 1 } });
    expect(widget.status).toBeUndefined();
    const changed = await api.patch<KubeObject>(WIDGETS, key, "merge", { spec: { size: 2 }, status: { x: 1 } });
    expect(changed).toMatchObject({ spec: { size: 2 }, metadata: { generation: 2 } });
    expect(changed.status).toBeUndefined();
    const old = catalogue.byPath("example.com", "v1beta1", "widgets");
    expect(old?.definition?.view(changed)).toMatchObject({
      apiVersion: "example.com/v1beta1",
      spec: { size: 2 },
    });
    await expect(api.patch(WIDGETS, key, "strategic", {})).rejects.toMatchObject({ code: 415 });
  });

  it("go with their definition, which waits for the last of them", async () => {
    const { api, catalogue, clock } = fixture();
    await api.create<CustomResourceDefinition>(DEFINITIONS, DEFINITION);
    await api.create<KubeObject>(WIDGETS, { metadata: { ...key, finalizers: ["example.com/hold"] } });
    await api.create<KubeObject>(WIDGETS, { metadata: { ...key, name: "free" } });
    await api.delete(DEFINITIONS, { name: WIDGETS });
    await clock.settled();
    expect(api.list(WIDGETS).map(({ metadata }) => metadata.name)).toEqual(["w"]);
    const conditions = api.get<CustomResourceDefinition>(DEFINITIONS, { name: WIDGETS })?.status?.conditions;
    expect(conditions?.find(({ type }) => type === "Terminating")?.reason).toBe("InstanceDeletionInProgress");
    await api.patch(WIDGETS, key, "merge", { metadata: { finalizers: null } });
    await clock.settled();
    expect(api.get(DEFINITIONS, { name: WIDGETS })).toBeUndefined();
    expect(catalogue.byPath("example.com", "v1", "widgets")).toBeUndefined();
  });

  it("are there again after a restart", async () => {
    const disk = memory();
    const before = fixture(disk);
    await before.api.create<CustomResourceDefinition>(DEFINITIONS, DEFINITION);
    await before.api.create<KubeObject>(WIDGETS, { metadata: key, spec: { size: 1 } });
    await before.clock.settled();
    before.store.close();
    const { api, catalogue } = fixture(disk);
    expect(catalogue.byPath("example.com", "v1beta1", "widgets")?.info.kind).toBe("Widget");
    expect(api.get(WIDGETS, key)).toMatchObject({ spec: { size: 1 } });
    await expect(
      api.create(WIDGETS, { metadata: { ...key, name: "x" }, spec: { size: "1" } } as never),
    ).rejects.toMatchObject({
      code: 422,
    });
  });

  it("are refused when the definition contradicts itself", async () => {
    const { api } = fixture();
    const versions = DEFINITION.spec.versions.map((version) => ({ ...version, storage: true }));
    await expect(
      api.create<CustomResourceDefinition>(DEFINITIONS, {
        metadata: { name: "wrong.example.com" },
        spec: { ...DEFINITION.spec, versions },
      }),
    ).rejects.toMatchObject({
      code: 422,
      details: { causes: [{ field: "metadata.name" }, { field: "spec.versions" }] },
    });
  });
});
