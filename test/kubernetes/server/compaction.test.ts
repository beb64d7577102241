import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SteppedClock } from "../../../src/clock/clock.js";
import { startServer } from "./server-fixture.js";

let server: Awaited<ReturnType<typeof startServer>>;
let clock: SteppedClock;
const PATH = "/api/v1/namespaces/default/podtemplates";
const MINUTE_MS = 60_000;

beforeEach(async () => {
  server = await startServer();
  clock = server.clock as SteppedClock;
});
afterEach(async () => {
  await server.server.close();
  expect(server.errors).toEqual([]);
});

const create = (name: string) =>
  server.call(PATH, {
    method: "POST",
    body: { metadata: { name }, template: { spec: { containers: [{ name: "c", image: "i" }] } } },
  });
const names = (body: { items: { metadata: { name: string } }[] }) => body.items.map(({ metadata }) => metadata.name);

describe("a list in pages", () => {
  it("stays consistent for five minutes; then it is told how to go on with what there is", async () => {
    for (const name of ["a", "b", "d", "e"]) await create(name);
    const first = (await server.call(`${PATH}?limit=2`)).body;
    const next = `${PATH}?limit=2&continue=${encodeURIComponent(first.metadata.continue)}`;
    await create("c");
    await clock.advance(5 * MINUTE_MS);
    expect(names((await server.call(next)).body)).toEqual(["d", "e"]);

    await clock.advance(2 * MINUTE_MS);
    const gone = await server.call(next);
    expect(gone).toMatchObject({ code: 410, body: { reason: "Expired" } });
    const rest = `${PATH}?limit=2&continue=${encodeURIComponent(gone.body.metadata.continue)}`;
    const second = (await server.call(rest)).body;
    expect(names(second)).toEqual(["c", "d"]);
    expect(second.metadata.remainingItemCount).toBe(1);
    expect(second.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
    const past = `${PATH}?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`;
    expect((await server.call(past)).code).toBe(410);
  });

  it("never ends while nothing changes", async () => {
    for (const name of ["a", "b", "c"]) await create(name);
    const first = (await server.call(`${PATH}?limit=2`)).body;
    await clock.advance(60 * MINUTE_MS);
    const next = await server.call(`${PATH}?limit=2&continue=${encodeURIComponent(first.metadata.continue)}`);
    expect(names(next.body)).toEqual(["c"]);
  });
});
