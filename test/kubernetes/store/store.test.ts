import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createClock } from "../../../src/clock/create-clock.js";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import type { Persistence, StoreRecord } from "../../../src/kubernetes/persistence.js";
import type { StoreEvent } from "../../../src/kubernetes/store/event-ring.js";
import { createStore } from "../../../src/kubernetes/store/store.js";

const clock = () => createClock({ kind: "stepped" }, { seed: 1 });

const object = (name: string, namespace = "default", more: Record<string, unknown> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, uid: name, resourceVersion: "", creationTimestamp: "" },
  ...more,
});

const names = (objects: readonly KubeObject[] | undefined) =>
  objects?.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

describe("order and indexes", () => {
  it("lists in the order of etcd's keys, in which a-b/ comes before a/", () => {
    const store = createStore({ clock: clock() });
    for (const [name, namespace] of [
      ["z", "a"],
      ["b", "a"],
      ["x", "a-b"],
      ["a", "b"],
    ] as const)
      store.put("pods", object(name, namespace));
    expect(names(store.list("pods"))).toEqual(["a-b/x", "a/b", "a/z", "b/a"]);
    expect(names(store.list("pods", "a"))).toEqual(["a/b", "a/z"]);
    expect(store.list("pods", "none")).toEqual([]);
  });

  it("finds pods by node and anything by owner, and forgets what has moved on", () => {
    const store = createStore({ clock: clock() });
    store.put("pods", object("p"));
    store.put("pods", object("p", "default", { spec: { nodeName: "n1" } }));
    expect(names(store.byIndex("pods", "node", "n1"))).toEqual(["default/p"]);
    const owned = object("p", "default", { spec: { nodeName: "n2" } });
    owned.metadata.ownerReferences = [{ apiVersion: "v1", kind: "X", name: "x", uid: "u" }];
    store.put("pods", owned);
    expect(store.byIndex("pods", "node", "n1")).toEqual([]);
    expect(store.byIndex("pods", "node", "n2")).toEqual([owned]);
    expect(store.byIndex("pods", "ownerUid", "u")).toEqual([owned]);
    store.remove("pods", owned);
    expect(store.byIndex("pods", "ownerUid", "u")).toEqual([]);
  });
});

describe("the order of names", () => {
  it("is that of a sorted set, however names come and go between lists", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom("add", "remove", "list"), fc.integer({ min: 0, max: 60 })), {
          maxLength: 200,
          size: "max",
        }),
        (steps) => {
          const store = createStore({ clock: clock() });
          const expected = new Set<string>();
          for (const [step, number] of steps) {
            const name = `p${number}`;
            if (step === "add") {
              store.put("pods", object(name));
              expected.add(name);
            } else if (step === "remove" && expected.delete(name)) {
              store.remove("pods", store.get("pods", "default", name) as KubeObject);
            } else if (step === "list") {
              expect(store.list("pods").map(({ metadata }) => metadata.name)).toEqual([...expected].sort());
            }
          }
          expect(store.list("pods").map(({ metadata }) => metadata.name)).toEqual([...expected].sort());
        },
      ),
    );
  });
});

describe("events", () => {
  it("carry one global revision, the state before, and for deletions the revision of the deletion", () => {
    const store = createStore({ clock: clock() });
    const events: StoreEvent[] = [];
    store.subscribe("pods", (event) => events.push(event));
    const first = store.put("pods", object("p"));
    store.put("secrets", object("s"));
    const second = store.put("pods", object("p"));
    store.remove("pods", second);
    expect(events.map(({ type, revision, previous }) => [type, revision, previous])).toEqual([
      ["ADDED", 1, undefined],
      ["MODIFIED", 3, first],
      ["DELETED", 4, second],
    ]);
    expect(events[2]?.object.metadata.resourceVersion).toBe("4");
    expect(second.metadata.resourceVersion).toBe("3");
  });

  it("reach every subscriber in the same order, even when one of them writes", () => {
    const store = createStore({ clock: clock() });
    const seen: string[] = [];
    store.subscribe("pods", ({ object: { metadata } }) => {
      if (metadata.name === "a") store.put("pods", object("b"));
    });
    store.subscribe("pods", ({ object: { metadata } }) => seen.push(metadata.name));
    store.put("pods", object("a"));
    expect(seen).toEqual(["a", "b"]);
  });

  it("are known for a while: later ones can be replayed, and past lists rebuilt, until they are dropped", () => {
    const store = createStore({ clock: clock(), ringCapacity: 4 });
    store.put("pods", object("a"));
    store.put("pods", object("b"));
    store.remove("pods", store.get("pods", "default", "a") as KubeObject);
    store.put("pods", object("c"));
    expect(store.eventsSince("pods", 2)?.map(({ revision }) => revision)).toEqual([3, 4]);
    expect(names(store.listAt("pods", undefined, 2))).toEqual(["default/a", "default/b"]);
    expect(names(store.listAt("pods", undefined, 1))).toEqual(["default/a"]);
    for (let i = 0; i < 10; i++) store.put("pods", object("c"));
    expect(store.eventsSince("pods", 2)).toBeUndefined();
    expect(store.listAt("pods", undefined, 2)).toBeUndefined();
    expect(store.eventsSince("pods", store.revision)).toEqual([]);
  });
});

describe("persistence", () => {
  function recording(options: { fails?: () => boolean } = {}) {
    const batches: StoreRecord[][] = [];
    const persistence: Persistence = {
      load: () => ({ revision: 0, records: [] }),
      commit(records) {
        if (options.fails?.()) throw new Error("disk full");
        batches.push([...records]);
      },
    };
    return { batches, persistence };
  }

  it("commits once a tick, every key once in its last state, in order of revision", async () => {
    const { batches, persistence } = recording();
    const store = createStore({ clock: clock(), persistence });
    store.put("pods", object("a"));
    store.put("pods", object("b"));
    store.put("pods", object("a", "default", { spec: { nodeName: "n" } }));
    store.put("leases.coordination.k8s.io", object("l"));
    expect(batches).toEqual([]);
    await store.flushed();
    expect(batches.map((batch) => batch.map(({ key, revision }) => [key, revision]))).toEqual([
      [
        ["default/b", 2],
        ["default/a", 3],
      ],
    ]);
    expect(JSON.parse(batches[0]?.[1]?.json ?? "")).toMatchObject({
      spec: { nodeName: "n" },
      metadata: { resourceVersion: "3" },
    });
    await store.flushed();
    store.remove("pods", store.get("pods", "default", "a") as KubeObject);
    store.close();
    expect(batches[1]).toEqual([{ revision: 5, resource: "pods", key: "default/a" }]);
  });

  it("tells everybody who waits, and every later writer, when the disk refuses; and goes on when it works again", async () => {
    let full = true;
    const { batches, persistence } = recording({ fails: () => full });
    const store = createStore({ clock: clock(), persistence });
    store.put("pods", object("a"));
    await expect(store.flushed()).rejects.toMatchObject({ code: 500, message: expect.stringContaining("disk full") });
    expect(() => store.put("pods", object("b"))).toThrow("disk full");
    expect(store.get("pods", "default", "b")).toBeUndefined();
    full = false;
    store.put("pods", object("b"));
    await store.flushed();
    expect(batches.flat().map(({ key }) => key)).toEqual(["default/a", "default/b"]);
  });

  it("loads what was there, at a revision past everything an earlier life can have handed out", () => {
    const json = JSON.stringify({ ...object("a"), metadata: { ...object("a").metadata, resourceVersion: "7" } });
    const store = createStore({
      clock: clock(),
      persistence: {
        load: () => ({ revision: 9, records: [{ revision: 7, resource: "pods", key: "default/a", json }] }),
        commit: () => {},
      },
    });
    expect(store.get("pods", "default", "a")?.metadata.resourceVersion).toBe("7");
    expect(store.revision).toBeGreaterThanOrEqual(1009);
    expect(store.eventsSince("pods", 9)).toBeUndefined();
    expect(store.eventsSince("pods", store.revision)).toEqual([]);
  });
});

/** A file that gives its objects one by one, and what has been read of it. */
function piecemeal(records: readonly StoreRecord[]) {
  const read: string[] = [];
  const written: StoreRecord[] = [];
  const persistence: Persistence = {
    load: () => {
      throw new Error("everything at once");
    },
    piecemeal: () => ({
      revision: records.length,
      counts: records.reduce(
        (counts, { resource }) => counts.set(resource, (counts.get(resource) ?? 0) + 1),
        new Map(),
      ),
      keysOf: (resource) => records.filter((record) => record.resource === resource).map(({ key }) => key),
      read(resource, key) {
        read.push(key);
        return records.find((record) => record.resource === resource && record.key === key)?.json;
      },
    }),
    commit: (batch) => void written.push(...batch),
  };
  return { persistence, read, written };
}

describe("many objects of before a restart", () => {
  const pods = Array.from({ length: 1_500 }, (_, i): StoreRecord => {
    const pod = object(`p${1000 + i}`, i % 2 ? "odd" : "even", { spec: { nodeName: `n${i % 3}` } });
    return {
      revision: i + 1,
      resource: "pods",
      key: `${pod.metadata.namespace}/${pod.metadata.name}`,
      json: JSON.stringify(pod),
    };
  });
  const node = { revision: 1501, resource: "nodes", key: "n0", json: JSON.stringify({ metadata: { name: "n0" } }) };

  function restarted() {
    const file = piecemeal([...pods, node]);
    const stepped = clock();
    return { ...file, store: createStore({ clock: stepped, persistence: file.persistence }), clock: stepped };
  }

  it("stay in the file until somebody asks, whole pages of them too", () => {
    const { store, read } = restarted();
    expect(read).toEqual(["n0"]);
    expect(store.count("pods")).toBe(1_500);
    const first = store.page("pods", { limit: 2 });
    expect(names(first.objects)).toEqual(["even/p1000", "even/p1002"]);
    expect(first.remaining).toBe(1_498);
    const odd = store.page("pods", { namespace: "odd", after: "odd/p1003", limit: 1 });
    expect([names(odd.objects), odd.remaining]).toEqual([["odd/p1005"], 747]);
    expect(read).toEqual(["n0", "even/p1000", "even/p1002", "odd/p1005"]);
  });

  it("are made a few at a time before the cluster works with them, and can be changed meanwhile", async () => {
    const { store, read, written } = restarted();
    const made = store.made();
    expect(read.length).toBeLessThan(500);
    const last = store.get("pods", "odd", "p2499");
    store.put("pods", object("p2497", "odd", { spec: { nodeName: "elsewhere" } }));
    if (last) store.remove("pods", last);
    await made;
    expect(read.length).toBe(1_501);
    expect(store.count("pods")).toBe(1_499);
    expect(store.byIndex("pods", "node", "n0").length).toBe(499);
    expect(names(store.byIndex("pods", "node", "elsewhere"))).toEqual(["odd/p2497"]);
    await store.flushed();
    expect(written.map(({ key }) => key)).toEqual(["odd/p2497", "odd/p2499"]);
  });
});

describe("pages", () => {
  it("go through a resource in the order of its keys, all namespaces or one", () => {
    const store = createStore({ clock: clock() });
    expect(store.page("pods", { limit: 2 })).toEqual({ objects: [], remaining: 0 });
    for (const key of ["b/x", "a/z", "a-b/y", "a/y", "b/a", "a/x"]) {
      const [namespace, name] = key.split("/") as [string, string];
      store.put("pods", object(name, namespace));
    }
    for (const namespace of [undefined, "a", "b", "none"]) {
      const whole = names(store.list("pods", namespace)) ?? [];
      for (const limit of [1, 2, 3, 10]) {
        const seen: string[] = [];
        for (let after: string | undefined; ; after = seen.at(-1)) {
          const { objects, remaining } = store.page("pods", { namespace, limit, ...(after ? { after } : {}) });
          seen.push(...(names(objects) ?? []));
          expect(remaining).toBe(whole.length - seen.length);
          if (remaining === 0) break;
        }
        expect(seen).toEqual(whole);
      }
    }
    // From what is no longer there.
    store.remove("pods", store.get("pods", "a", "y") as KubeObject);
    expect(names(store.page("pods", { after: "a/y", limit: 2 }).objects)).toEqual(["a/z", "b/a"]);
  });
});

describe.each(["at once", "one by one"])("events of before a restart, loaded %s", (how) => {
  const event = (name: string): StoreRecord => ({
    revision: Number(name.slice(1)),
    resource: "events",
    key: `default/${name}`,
    json: JSON.stringify({ ...object(name), kind: "Event", reason: name }),
  });

  function restarted() {
    const events = [event("e1"), event("e2"), event("e3")];
    const { persistence, written } = piecemeal(events);
    if (how === "at once") {
      persistence.load = () => ({ revision: 3, records: events });
      delete persistence.piecemeal;
    }
    const stepped = clock();
    return { store: createStore({ clock: stepped, persistence }), clock: stepped, written };
  }

  it("are there for whoever asks, one or all of them", () => {
    const { store } = restarted();
    expect(store.count("events")).toBe(3);
    expect(store.resources()).toEqual(["events"]);
    expect(store.get("events", "default", "e2")).toMatchObject({ reason: "e2" });
    expect(store.get("events", "default", "e2")).toBe(store.get("events", "default", "e2"));
    expect(names(store.list("events"))).toEqual(["default/e1", "default/e2", "default/e3"]);
    expect(store.count("events")).toBe(3);
  });

  it("are changed and removed like any other object", async () => {
    const { store, written } = restarted();
    const heard: string[] = [];
    store.subscribe("events", ({ type, previous }) => heard.push(`${type} ${previous?.metadata.name}`));
    store.put("events", object("e1"));
    const second = store.get("events", "default", "e2");
    if (!second) throw new Error("no event");
    store.remove("events", second);
    expect(heard).toEqual(["MODIFIED e1", "DELETED e2"]);
    expect(names(store.list("events"))).toEqual(["default/e1", "default/e3"]);
    await store.flushed();
    expect(written.map(({ key, json }) => [key, json !== undefined])).toEqual([
      ["default/e1", true],
      ["default/e2", false],
    ]);
  });

  it("are made after a while although nobody asks, and nobody is told", async () => {
    const { store, clock: stepped } = restarted();
    const heard: unknown[] = [];
    store.subscribe("events", (event) => heard.push(event));
    await stepped.advance(31_000);
    expect(names(store.list("events"))).toEqual(["default/e1", "default/e2", "default/e3"]);
    expect(heard).toEqual([]);
  });
});
