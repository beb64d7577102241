import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StatusError } from "../../../src/kubernetes/errors.js";
import type { Draft, KubeObject } from "../../../src/kubernetes/object.js";
import {
  applyJsonPatch,
  applyMergePatch,
  applyServerSide,
  applyStrategicMergePatch,
  updateManagedFields,
} from "../../../src/kubernetes/patch/index.js";

/** JSON that walks into a Pod often enough, with every directive in every place. */
const names = fc.constantFrom(
  "metadata",
  "labels",
  "annotations",
  "finalizers",
  "ownerReferences",
  "managedFields",
  "fieldsV1",
  "spec",
  "containers",
  "initContainers",
  "volumes",
  "ports",
  "env",
  "name",
  "containerPort",
  "protocol",
  "tolerations",
  "securityContext",
  "status",
  "conditions",
  "type",
  "uid",
  "$patch",
  "$retainKeys",
  "$setElementOrder/containers",
  "$setElementOrder/finalizers",
  "$deleteFromPrimitiveList/finalizers",
  "f:spec",
  "k:{",
  ".",
  "constructor",
  "__proto__",
  "unknown",
);
const scalar = fc.constantFrom<unknown>(null, true, 0, 80, "", "a", "delete", "replace", "merge", "TCP");
const { json } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 6 },
    scalar,
    fc.array(tie("json"), { maxLength: 3 }),
    fc.dictionary(names, tie("json"), { maxKeys: 5 }),
  ),
}));
const object = fc.dictionary(names, json, { maxKeys: 6 });

const pod = (fields: object): KubeObject => {
  const { metadata, ...rest } = fields as Record<string, unknown>;
  const own = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata) ? metadata : {};
  return { ...rest, apiVersion: "v1", kind: "Pod", metadata: { ...own, name: "x" } } as unknown as KubeObject;
};

/** Runs something that may refuse, but only as the API server refuses. */
function refusing<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    if (error instanceof StatusError) return undefined;
    throw error;
  }
}

describe("patches out of random JSON", () => {
  it("strategic and merge patches refuse politely or work, and leave their inputs alone", () => {
    fc.assert(
      fc.property(object, json, (doc, patch) => {
        const text = JSON.stringify([doc, patch]);
        refusing(() => applyStrategicMergePatch("Pod", doc, patch));
        applyMergePatch(doc, patch);
        expect(JSON.stringify([doc, patch])).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it("JSON patches refuse politely or work, and leave their inputs alone", () => {
    const pointer = fc
      .array(fc.oneof(names, fc.constantFrom("0", "1", "-", "00", "~", "")), { maxLength: 4 })
      .map((parts) => parts.map((part) => `/${part}`).join(""));
    const operation = fc.record(
      {
        op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test", "x"),
        path: pointer,
        from: pointer,
        value: json,
      },
      { requiredKeys: ["op"] },
    );
    fc.assert(
      fc.property(object, fc.array(fc.oneof(operation, json), { maxLength: 4 }), (doc, operations) => {
        const text = JSON.stringify([doc, operations]);
        refusing(() => applyJsonPatch(doc, operations));
        expect(JSON.stringify([doc, operations])).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  it("apply refuses politely or works, with a schema and without", () => {
    fc.assert(
      fc.property(object, object, fc.constantFrom("Pod", "example.com/Widget"), (first, second, typeName) => {
        const apply = (applied: KubeObject, live?: KubeObject) =>
          refusing(() =>
            applyServerSide({
              typeName,
              live,
              applied: applied as Draft<KubeObject>,
              manager: "m",
              apiVersion: "v1",
              nowMs: 0,
            }),
          );
        const stored = apply(pod(first))?.object ?? pod({});
        apply(pod(second), stored);
      }),
      { numRuns: 500 },
    );
  });

  it("ownership of updates can always be told, whatever clients send as managedFields", () => {
    fc.assert(
      fc.property(object, object, json, (first, second, sent) => {
        const update = (before: KubeObject | undefined, after: KubeObject) =>
          updateManagedFields({
            typeName: "Pod",
            before,
            after,
            manager: "m",
            operation: "Update",
            apiVersion: "v1",
            nowMs: 0,
          });
        const before = pod(first);
        const managedFields = update(undefined, {
          ...before,
          metadata: { ...before.metadata, managedFields: undefined },
        });
        const stored = { ...before, metadata: { ...before.metadata, managedFields } };
        const after = pod(second);
        const entries = Array.isArray(sent) ? sent : [sent];
        update(stored, { ...after, metadata: { ...after.metadata, managedFields: entries as never } });
      }),
      { numRuns: 500 },
    );
  });
});
