import { describe, expect, it } from "vitest";
import { withoutField } from "../../src/domain/field-path.js";

const OBJECT = {
  metadata: { labels: { "app.kubernetes.io/name": "x", app: "y" } },
  spec: {
    replicas: 2,
    ports: [
      { port: 53, protocol: "UDP" },
      { port: 53, protocol: "TCP", name: "tcp" },
    ],
    containers: [{ name: "a", image: "i", env: [{ name: "E", value: "1" }] }, { name: "b" }],
    finalizers: ["one", "two"],
  },
};

describe("a field that a conflict names", () => {
  it.each([
    [".spec.replicas", { spec: { replicas: undefined } }],
    [".metadata.labels.app.kubernetes.io/name", { metadata: { labels: { app: "y" } } }],
    [".metadata.labels.app", { metadata: { labels: { "app.kubernetes.io/name": "x" } } }],
    [
      '.spec.ports[port=53,protocol="TCP"].name',
      { spec: { ports: [OBJECT.spec.ports[0], { port: 53, protocol: "TCP" }] } },
    ],
    ['.spec.ports[port=53,protocol="UDP"]', { spec: { ports: [OBJECT.spec.ports[1]] } }],
    [
      '.spec.containers[name="a"].env[name="E"].value',
      { spec: { containers: [{ name: "a", image: "i", env: [{ name: "E" }] }, { name: "b" }] } },
    ],
    ['.spec.finalizers[="one"]', { spec: { finalizers: ["two"] } }],
    [".spec.finalizers[1]", { spec: { finalizers: ["one"] } }],
  ])("%s is taken out, and nothing else", (path, changed: object) => {
    const { metadata, spec } = changed as Partial<typeof OBJECT>;
    expect(withoutField(OBJECT, path)).toEqual({
      metadata: metadata ?? OBJECT.metadata,
      spec: { ...OBJECT.spec, ...spec },
    });
  });

  it("that is not there changes nothing", () => {
    expect(withoutField(OBJECT, ".spec.strategy.type")).toEqual(OBJECT);
    expect(withoutField(OBJECT, '.spec.containers[name="c"].image')).toEqual(OBJECT);
  });
});
