import { createHook } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClusterBackend } from "../../../src/backends/backend.js";
import { createEmbeddedBackend } from "../../../src/backends/embedded/embedded-backend.js";
import type { SteppedClock } from "../../../src/clock/clock.js";
import { createClock } from "../../../src/clock/create-clock.js";
import { contractSpec } from "../contract.js";

let clock: SteppedClock;
let backend: ClusterBackend;
/** What was asked of the world outside of the backend. */
let touched: string[];
const secrets = new Map<string, string>();
/** Servers that were made in this process. */
let servers = 0;
const hook = createHook({
  init(_id, type) {
    if (type === "TCPSERVERWRAP") servers++;
  },
});

beforeEach(() => {
  clock = createClock({ kind: "stepped" }, { seed: 1, startMs: Date.UTC(2026, 8, 1) });
  touched = [];
  servers = 0;
  hook.enable();
  const touch = (what: string) => void touched.push(what);
  backend = createEmbeddedBackend({
    clock,
    log: { debug: (_, text) => touch(text), warn: (_, text) => touch(text), error: (_, text) => touch(text) },
    host: "127.0.0.1",
    persistenceFor: () => void touch("persistence"),
    secrets: {
      get: (_, name) => secrets.get(name),
      put: (_, name, value) => {
        touch(`secret ${name}`);
        secrets.set(name, value);
      },
    },
    accessFor: () => {
      touch("access");
      return { authenticate: () => undefined, authorize: () => ({ decision: "no-opinion", reason: "" }) };
    },
  });
});
afterEach(async () => {
  hook.disable();
  secrets.clear();
  await backend.close();
  clock.stop();
});

describe("preparing for the first cluster", () => {
  it("changes nothing that anybody can see, and leaves nothing behind", async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((type) => type === "Timeout").length;
    const [begun, before] = [clock.begun, timers()];
    await backend.prepare?.();
    expect([touched, servers, clock.begun - begun, await backend.inventory()]).toEqual([[], 0, 0, []]);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it("leaves the first cluster as it would be without", async () => {
    await backend.prepare?.();
    const { endpoint } = await backend.createCluster(contractSpec);
    await clock.settled();
    expect(endpoint).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect([servers, await backend.inventory()]).toEqual([
      expect.toSatisfy((count) => count > 0),
      [contractSpec.clusterId],
    ]);
    expect(await backend.summary(contractSpec.clusterId)).toMatchObject({ apiAvailable: true, pendingPods: 2 });
  });
});
