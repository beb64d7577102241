import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { compareObjects } from "../../../src/kubernetes/patch/compare.js";
import { updateManagedFields } from "../../../src/kubernetes/patch/index.js";
import type { JsonObject } from "../../../src/kubernetes/patch/json.js";
import { outlineOf } from "../../../src/kubernetes/patch/outline.js";
import { shapeOf } from "../../../src/kubernetes/patch/shape.js";

/** Few names, some of which look like the text between them; so that outlines meet. */
const name = fc.constantFrom("a", "b", "1:a", "{", "}.");
const scalar = fc.constantFrom<unknown>(1, "x", true, null, undefined);
const labels = fc.dictionary(name, fc.constantFrom("1", "2"), { maxKeys: 2 });
const port = fc.record(
  { containerPort: fc.nat(2), protocol: fc.constantFrom("TCP", "UDP"), name },
  { requiredKeys: ["containerPort"] },
);
const container = fc.record(
  {
    name,
    image: scalar,
    args: fc.array(name, { maxLength: 2 }),
    ports: fc.array(port, { maxLength: 2 }),
    resources: fc.record({ requests: labels, limits: labels }, { requiredKeys: [] }),
    surprise: fc.oneof(scalar, labels),
  },
  { requiredKeys: ["name"] },
);
const pod = fc
  .record({
    metadata: fc.record({ labels, finalizers: fc.array(name, { maxLength: 2 }) }, { requiredKeys: [] }),
    spec: fc.record(
      { containers: fc.array(container, { maxLength: 2 }), nodeSelector: labels, nodeName: scalar },
      { requiredKeys: [] },
    ),
  })
  .map((object) => ({ apiVersion: "v1", kind: "Pod", ...object }) as unknown as KubeObject & JsonObject);

const fresh = (object: JsonObject) => compareObjects(shapeOf("Pod"), undefined, object).changed;

describe("the outline of an object", () => {
  it("tells its fields: equal outlines have equal sets of fields", () => {
    const byOutline = new Map<string, string>();
    let met = 0;
    fc.assert(
      fc.property(pod, (object) => {
        const outline = outlineOf(shapeOf("Pod"), object);
        const fields = JSON.stringify(fresh(object) ?? null);
        const known = byOutline.get(outline);
        if (known !== undefined) met++;
        expect(known ?? fields).toBe(fields);
        byOutline.set(outline, fields);
      }),
      { numRuns: 2000 },
    );
    expect(met).toBeGreaterThan(20);
  });

  it("gives a new object's creator all its fields, whichever object had the outline first", () => {
    const own = (object: KubeObject, manager: string) =>
      updateManagedFields({ typeName: "Pod", after: object, manager, operation: "Update", apiVersion: "v1", nowMs: 0 });
    const podWith = (image: string, more: object = {}) =>
      ({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: image, ...more },
        spec: { containers: [{ name: "c", image }] },
      }) as unknown as KubeObject;
    const [first] = own(podWith("one"), "m1") ?? [];
    const [second] = own(podWith("two"), "m2") ?? [];
    expect(second).toMatchObject({ manager: "m2", fieldsV1: first?.fieldsV1 });
    const [third] = own(podWith("two", { labels: { app: "x" } }), "m3") ?? [];
    expect(third?.fieldsV1).toMatchObject({ "f:metadata": { "f:labels": { "f:app": {} } } });
    expect(first?.fieldsV1).not.toHaveProperty("f:metadata");
  });
});
