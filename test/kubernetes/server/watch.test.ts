import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import { openWatch, startServer } from "./server-fixture.js";

const PATH = "/api/v1/namespaces/default/configmaps";
const TABLE = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };

let server: Awaited<ReturnType<typeof startServer>>;
let clock: SteppedClock;

beforeEach(async () => {
  server = await startServer({ ringCapacity: 8 });
  clock = server.clock as SteppedClock;
});

afterEach(async () => {
  await server.server.close();
  expect(server.errors).toEqual([]);
});

const create = (name: string, labels: Record<string, string> = {}) =>
  server.api.create("configmaps", { metadata: { name, namespace: "default", labels } });
const remove = (name: string) => server.api.delete("configmaps", { namespace: "default", name });
const relabel = async (name: string, labels: Record<string, string>) =>
  server.api.patch("configmaps", { namespace: "default", name }, "merge", { metadata: { labels } });

/** Bytes in use after a collection. */
function heapUsed(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

describe("a watch", () => {
  it("without a revision begins with what is there and goes on with what happens", async () => {
    await create("a");
    const watch = await openWatch(server, `${PATH}?watch=true`);
    await create("b");
    await relabel("a", { x: "1" });
    await remove("b");
    await watch.received(4);
    expect(watch.summary()).toEqual(["ADDED a", "ADDED b", "MODIFIED a", "DELETED b"]);
    expect(watch.events[3]?.object.metadata.resourceVersion).toBe(String(server.store.revision));
    watch.close();
  });

  it("from a revision replays what was missed", async () => {
    const { metadata } = await create("a");
    await create("b");
    const watch = await openWatch(server, `${PATH}?watch=1&resourceVersion=${metadata.resourceVersion}`);
    await watch.received(1);
    expect(watch.summary()).toEqual(["ADDED b"]);
    watch.close();
  });

  it("from a revision that is too old, or of another life of the cluster, says 410 in an event", async () => {
    for (let i = 0; i < 30; i++) await create(`c${i}`);
    for (const revision of [1, 99_999]) {
      const watch = await openWatch(server, `${PATH}?watch=1&resourceVersion=${revision}`);
      await watch.ended();
      expect(watch.code).toBe(200);
      expect(watch.events).toMatchObject([{ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } }]);
    }
  });

  it("with a selector sees objects come into it and leave it", async () => {
    const watch = await openWatch(server, `${PATH}?watch=1&labelSelector=x%3D1`);
    await create("a");
    await relabel("a", { x: "1" });
    await relabel("a", { y: "2" });
    await relabel("a", { x: "2" });
    await relabel("a", { x: "1" });
    await remove("a");
    await watch.received(5);
    expect(watch.summary()).toEqual(["ADDED a", "MODIFIED a", "DELETED a", "ADDED a", "DELETED a"]);
    // What left the selection is shown as it last was in it.
    expect(watch.events[2]?.object.metadata.labels.x).toBe("1");
    watch.close();
  });

  it("with sendInitialEvents marks the end of the present objects by a bookmark", async () => {
    await create("a");
    const watch = await openWatch(
      server,
      `${PATH}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    );
    await create("b");
    await watch.received(3);
    expect(watch.summary()).toEqual(["ADDED a", "BOOKMARK", "ADDED b"]);
    expect(watch.events[1]?.object).toMatchObject({
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: { resourceVersion: "1", annotations: { "k8s.io/initial-events-end": "true" } },
    });
    watch.close();
    const wrong = await server.call(`${PATH}?watch=1&sendInitialEvents=true`);
    expect(wrong).toMatchObject({ code: 422, body: { reason: "Invalid" } });
  });

  it("sends bookmarks every minute and ends after timeoutSeconds", async () => {
    await create("a");
    const watch = await openWatch(
      server,
      `${PATH}?watch=1&resourceVersion=1&allowWatchBookmarks=true&timeoutSeconds=150`,
    );
    await server.api.create("secrets", { metadata: { name: "s", namespace: "default" } });
    await clock.advance(150_000);
    await watch.ended();
    expect(watch.summary()).toEqual(["BOOKMARK", "BOOKMARK", "BOOKMARK"]);
    expect(watch.events[0]?.object.metadata.resourceVersion).toBe("2");
  });

  it("without a timeout lives for 30 to 60 minutes and holds on to nothing that it has sent", async () => {
    const small = await startServer({ ringCapacity: 50 });
    const watch = await openWatch(small, `${PATH}?watch=1&allowWatchBookmarks=true`);
    await small.api.create("configmaps", { metadata: { name: "a", namespace: "default" } });
    const data = { text: "x".repeat(2_000) };
    let bookmarks = 0;
    /** A minute with 250 changes of 2 kB each; resolves when its bookmark has come. */
    const minute = async (index: number): Promise<void> => {
      for (let i = 0; i < 250; i++)
        await small.api.patch("configmaps", { namespace: "default", name: "a" }, "merge", {
          data: { ...data, n: `${index}/${i}` },
        });
      await (small.clock as SteppedClock).advance(60_000);
      if (small.open() === 0) return watch.ended();
      await watch.received(251);
      bookmarks += watch.events.filter(({ type }) => type === "BOOKMARK").length;
      watch.events.length = 0;
    };
    let minutes = 0;
    while (minutes < 10) await minute(minutes++);
    const before = heapUsed();
    while (minutes < 29) await minute(minutes++);
    expect(small.open()).toBe(1);
    expect(bookmarks).toBe(29);
    // What went through is 9 MB and more; a few hundred kB of noise are not it.
    expect(heapUsed() - before).toBeLessThan(4_000_000);
    while (small.open() > 0 && minutes < 100) await minute(minutes++);
    expect(minutes).toBeGreaterThanOrEqual(30);
    expect(minutes).toBeLessThanOrEqual(61);
    await small.server.close();
  });

  it("sends one table for every event when tables are asked for", async () => {
    const watch = await openWatch(server, `${PATH}?watch=1`, TABLE);
    await create("a");
    await watch.received(1);
    expect(watch.events[0]?.object).toMatchObject({ kind: "Table", rows: [{ cells: expect.arrayContaining(["a"]) }] });
    expect(watch.events[0]?.object.columnDefinitions.length).toBeGreaterThan(0);
    watch.close();
  });

  it("is let go with 410 when its client reads too slowly, and cut off when it does not read at all", async () => {
    const slow = await openWatch(server, `${PATH}?watch=1`);
    const deaf = await openWatch(server, `${PATH}?watch=1`);
    const quick = await openWatch(server, `${PATH}?watch=1`);
    expect(server.open()).toBe(3);
    slow.pause();
    deaf.pause();
    const text = "x".repeat(1024 * 1024);
    let created = 0;
    while (created < 80 && server.open() > 1) {
      await server.api.create("configmaps", {
        metadata: { name: `big${created++}`, namespace: "default" },
        data: { text },
      });
      await quick.received(created);
    }
    expect(server.open()).toBe(1);
    slow.resume();
    await slow.ended();
    // All that it has been sent is whole and in order, and then comes why there is no more.
    expect(slow.summary()).toEqual([...quick.summary().slice(0, slow.events.length - 1), "ERROR 410"]);
    expect(slow.events.at(-1)?.object).toMatchObject({ kind: "Status", reason: "Expired" });
    await clock.advance(30_000);
    deaf.resume();
    await deaf.ended();
    expect(deaf.events.length).toBeLessThan(created);
    quick.close();
  });

  it("begins with more than it may be behind, for clients that take their time", async () => {
    const text = "x".repeat(1024 * 1024);
    for (let i = 10; i < 60; i++)
      await server.api.create("configmaps", { metadata: { name: `big${i}`, namespace: "default" }, data: { text } });
    const watch = await openWatch(
      server,
      `${PATH}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    );
    watch.pause();
    await create("later");
    await clock.settled();
    watch.resume();
    await watch.received(52);
    expect(watch.summary().slice(48)).toEqual(["ADDED big58", "ADDED big59", "BOOKMARK", "ADDED later"]);
    watch.close();
  });

  it("brings the same events to many clients, each in order", async () => {
    const watches = await Promise.all(Array.from({ length: 40 }, () => openWatch(server, `${PATH}?watch=1`)));
    const others = await openWatch(server, `${PATH}?watch=1&labelSelector=x%3D1`);
    for (let i = 0; i < 5; i++) await create(`a${i}`);
    await relabel("a3", { x: "1" });
    await remove("a0");
    const expected = ["ADDED a0", "ADDED a1", "ADDED a2", "ADDED a3", "ADDED a4", "MODIFIED a3", "DELETED a0"];
    for (const watch of watches) {
      await watch.received(expected.length);
      expect(watch.summary()).toEqual(expected);
      watch.close();
    }
    await others.received(1);
    expect(others.summary()).toEqual(["ADDED a3"]);
    others.close();
  });

  it("of one object, by field selector or by path, sees that object alone", async () => {
    const bySelector = await openWatch(server, `${PATH}?watch=1&fieldSelector=metadata.name%3Da`);
    const byPath = await openWatch(server, `/api/v1/watch/namespaces/default/configmaps/a`);
    await create("b");
    await create("a");
    for (const watch of [bySelector, byPath]) {
      await watch.received(1);
      expect(watch.summary()).toEqual(["ADDED a"]);
      watch.close();
    }
  });
});
