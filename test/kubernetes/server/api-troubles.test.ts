/** An API server that is slow, refuses or fails requests, or ends watches, as its clients see it over HTTPS. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import { type ApiTroubles, createApiTroubles } from "../../../src/kubernetes/server/api-troubles.js";
import { openWatch, startServer } from "./server-fixture.js";

const PATH = "/api/v1/namespaces/default/configmaps";

let server: Awaited<ReturnType<typeof startServer>>;
let clock: SteppedClock;
let troubles: ApiTroubles;

beforeEach(async () => {
  server = await startServer({
    troubles: (own) => {
      troubles = createApiTroubles(own.random("test"));
      return troubles;
    },
  });
  clock = server.clock as SteppedClock;
});
afterEach(async () => {
  await server.server.close();
  expect(server.errors).toEqual([]);
});

const codes = async (count: number, path = PATH): Promise<number[]> => {
  const found: number[] = [];
  for (let i = 0; i < count; i++) found.push((await server.call(path)).code);
  return found;
};

describe("an API server that throttles", () => {
  it("answers as priority and fairness does, and not always, but the same for the same seed", async () => {
    troubles.set({ throttledPercent: 100 });
    const refused = await server.call(PATH);
    expect(refused).toMatchObject({ code: 429, text: "Too many requests, please try again later.\n" });
    expect(refused.headers).toMatchObject({ "retry-after": "1", "content-type": "text/plain; charset=utf-8" });
    expect((await server.call(PATH, { method: "POST", body: {} })).code).toBe(429);
    troubles.set({ throttledPercent: 40 });
    const some = await codes(40);
    expect(some.filter((code) => code === 429).length).toBeGreaterThan(8);
    expect(some.filter((code) => code === 200).length).toBeGreaterThan(12);
    troubles.set(undefined);
    expect(new Set(await codes(10))).toEqual(new Set([200]));
  });

  it("leaves health checks alone", async () => {
    troubles.set({ throttledPercent: 100, failedPercent: 100 });
    for (const path of ["/livez", "/readyz", "/healthz", "/readyz/etcd"])
      expect(await codes(3, path)).toEqual([200, 200, 200]);
    expect((await server.call("/version")).code).toBe(429);
  });
});

it("an API server that fails answers with a Status of reason InternalError", async () => {
  troubles.set({ failedPercent: 100 });
  const failed = await server.call(PATH);
  expect(failed).toMatchObject({ code: 500, body: { kind: "Status", reason: "InternalError", code: 500 } });
  expect(failed.body.message).toBe("Internal error occurred: etcdserver: leader changed");
});

describe("an API server that is slow", () => {
  it("answers when the time has gone by, health checks included", async () => {
    troubles.set({ latencyMs: 2_000 });
    const answered: string[] = [];
    const asked = ["/readyz", PATH].map((path) => server.call(path).then(() => answered.push(path)));
    await clock.advanceUntil(() => false, 1_999);
    expect(answered).toEqual([]);
    const done = Promise.all(asked);
    // Requests come in when the network brings them, and wait from then on.
    while (answered.length < 2) await clock.advance(100);
    await done;
    expect(answered.sort()).toEqual([PATH, "/readyz"]);
  });
});

describe("watches", () => {
  it("end in order so long after they began, those that are open included, and clients go on from where they were", async () => {
    const old = await openWatch(server, `${PATH}?watch=true&allowWatchBookmarks=true`);
    await clock.advance(20_000);
    troubles.set({ watchesEndAfterMs: 30_000 });
    const young = await openWatch(server, `${PATH}?watch=true`);
    await clock.advance(9_000);
    expect(server.open()).toBe(2);
    await clock.advance(1_000);
    expect(server.open()).toBe(1);
    await old.ended();
    expect(old.summary().at(-1)).toMatch(/^BOOKMARK/);
    await server.api.create("configmaps", { metadata: { name: "a", namespace: "default" } });
    await clock.advance(20_000);
    await young.ended();
    const revision = old.events.at(-1)?.object.metadata.resourceVersion;
    const again = await openWatch(server, `${PATH}?watch=true&resourceVersion=${revision}`);
    await again.received(1);
    expect(again.summary()).toEqual(["ADDED a"]);
    troubles.set(undefined);
    await clock.advance(120_000);
    expect(server.open()).toBe(1);
    again.close();
  });
});
