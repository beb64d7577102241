import { describe, expect, it } from "vitest";
import { createClock } from "../../../src/clock/create-clock.js";
import { ResourceCatalogue } from "../../../src/kubernetes/registry/catalogue.js";
import { createKubeApi } from "../../../src/kubernetes/registry/kube-api.js";
import { createRegistry } from "../../../src/kubernetes/registry/registry.js";
import { strategyFor } from "../../../src/kubernetes/registry/strategies/index.js";
import { createEventRecorder } from "../../../src/kubernetes/runtime/event-recorder.js";
import type { CoreEvent } from "../../../src/kubernetes/schema/generated/types.js";
import { builtinResources } from "../../../src/kubernetes/schema/resources.js";
import { createStore } from "../../../src/kubernetes/store/store.js";

function setup() {
  const clock = createClock({ kind: "stepped" }, { seed: 1, startMs: Date.parse("2026-01-01T00:00:00Z") });
  const catalogue = new ResourceCatalogue({ infos: builtinResources(), strategyFor });
  const registry = createRegistry({ store: createStore({ clock }), catalogue, clock, admission: [] });
  const api = createKubeApi(registry, {
    user: { username: "test", groups: [] },
    fieldManager: "test",
    tracksOwnership: false,
  });
  const warnings: unknown[] = [];
  const log = {
    debug: () => {},
    warn: (fields: object) => void warnings.push(fields),
    error: (fields: object) => void warnings.push(fields),
  };
  const recorder = createEventRecorder({ api, clock, log, component: "tester" });
  const about = { kind: "Pod", namespace: "default", name: "p", uid: "u", apiVersion: "v1" };
  const all = () => api.list<CoreEvent>("events");
  return { clock, api, recorder, about, all, warnings };
}

describe("event recorder", () => {
  it("writes an event with the fields of client-go", async () => {
    const { clock, recorder, about, all, warnings } = setup();
    recorder.event(about, "Normal", "Started", "Started container");
    await clock.settled();
    expect(all()).toHaveLength(1);
    expect(all()[0]).toMatchObject({
      metadata: { namespace: "default", name: expect.stringMatching(/^p\.[0-9a-f]{16}$/) },
      involvedObject: about,
      type: "Normal",
      reason: "Started",
      message: "Started container",
      count: 1,
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:00:00Z",
      source: { component: "tester" },
      reportingComponent: "tester",
    });
    expect(warnings).toEqual([]);
  });

  it("counts what is said again instead of writing it again", async () => {
    const { clock, recorder, about, all } = setup();
    recorder.event(about, "Warning", "BackOff", "again");
    recorder.event(about, "Warning", "BackOff", "again");
    await clock.advance(60_000);
    recorder.event(about, "Warning", "BackOff", "again");
    await clock.settled();
    expect(all()).toHaveLength(1);
    expect(all()[0]).toMatchObject({
      count: 3,
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:01:00Z",
    });
  });

  it("writes a new event when the old one has been deleted", async () => {
    const { clock, api, recorder, about, all } = setup();
    recorder.event(about, "Normal", "A", "a");
    await clock.settled();
    await api.delete("events", all()[0]?.metadata ?? { name: "" });
    recorder.event(about, "Normal", "A", "a");
    await clock.settled();
    expect(all().map(({ count }) => count)).toEqual([1]);
  });

  it("combines many different messages about one matter", async () => {
    const { clock, recorder, about, all } = setup();
    for (let i = 0; i < 15; i++) recorder.event(about, "Warning", "Failed", `message ${i}`);
    await clock.settled();
    const combined = all().filter((event) => event.message?.startsWith("(combined from similar events): "));
    expect(all()).toHaveLength(10);
    expect(combined).toHaveLength(1);
    expect(combined[0]).toMatchObject({ message: "(combined from similar events): message 14", count: 6 });
  });

  it("falls silent about an object it has said too much about, and speaks again after five minutes", async () => {
    const { clock, recorder, about, all } = setup();
    for (let i = 0; i < 40; i++) recorder.event(about, "Normal", "Same", "same");
    await clock.settled();
    expect(all()[0]?.count).toBe(25);
    await clock.advance(300_000);
    recorder.event(about, "Normal", "Same", "same");
    recorder.event(about, "Normal", "Same", "same");
    await clock.settled();
    expect(all()[0]?.count).toBe(26);
  });

  it("keeps events about cluster-scoped objects in the default namespace", async () => {
    const { clock, recorder, all } = setup();
    recorder.event({ kind: "Node", name: "n1", uid: "n1" }, "Normal", "Starting", "Starting kubelet.");
    await clock.settled();
    expect(all()[0]?.metadata.namespace).toBe("default");
  });
});
