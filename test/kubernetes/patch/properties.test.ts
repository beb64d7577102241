import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import {
  applyServerSide,
  applyStrategicMergePatch,
  deepEqual,
  updateManagedFields,
} from "../../../src/kubernetes/patch/index.js";

const few = fc.constantFrom("a", "b", "c");
const labels = fc.dictionary(few, fc.constantFrom("1", "2"), { maxKeys: 3 });
const env = fc.uniqueArray(fc.record({ name: few, value: fc.constantFrom("x", "y") }), {
  selector: ({ name }) => name,
  maxLength: 3,
});
const container = fc.record(
  { name: few, image: fc.constantFrom("i:1", "i:2"), env, args: fc.array(few, { maxLength: 2 }) },
  { requiredKeys: ["name"] },
);
const containers = fc.uniqueArray(container, { selector: ({ name }) => name, maxLength: 3 });

/** Small Deployments out of few names, so that random ones meet in many fields. */
const deployment = fc
  .record(
    {
      metadata: fc.record(
        { name: fc.constant("x"), labels, finalizers: fc.uniqueArray(few, { maxLength: 2 }) },
        { requiredKeys: ["name"] },
      ),
      spec: fc.record(
        {
          replicas: fc.nat(2),
          selector: fc.record({ matchLabels: labels }),
          template: fc.record({
            metadata: fc.record({ labels }),
            spec: fc.record({ containers, nodeSelector: labels }),
          }),
        },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ["metadata"] },
  )
  .map((object) => ({ apiVersion: "apps/v1", kind: "Deployment", ...object }) as unknown as KubeObject);

const apply = (live: KubeObject | undefined, applied: KubeObject, manager: string) =>
  applyServerSide({
    typeName: "Deployment",
    ...(live ? { live } : {}),
    applied,
    manager,
    apiVersion: "apps/v1",
    force: true,
    nowMs: 0,
  });

const withoutEntries = ({ metadata: { managedFields: _, ...metadata }, ...rest }: KubeObject) => ({
  ...rest,
  metadata,
});

describe("properties of patches", () => {
  it("applying the same object twice is the same as applying it once, whoever else has applied before", () => {
    fc.assert(
      fc.property(deployment, deployment, (other, mine) => {
        const once = apply(apply(undefined, other, "other").object, mine, "me");
        const twice = apply(once.object, mine, "me");
        expect(twice.changed).toBe(false);
        expect(twice.object).toBe(once.object);
      }),
    );
  });

  it("an only applier gets exactly its last object, whatever it applied before", () => {
    fc.assert(
      fc.property(deployment, deployment, (first, second) => {
        const { object } = apply(apply(undefined, first, "me").object, second, "me");
        expect(withoutEmpty(withoutEntries(object))).toEqual(withoutEmpty(second));
      }),
    );
  });

  it("what one applier adds and takes away again leaves the other's object as it was", () => {
    fc.assert(
      fc.property(deployment, deployment, (other, mine) => {
        // An empty map that somebody owns goes with its last key: nothing tells it from an absent one afterwards.
        const before = apply(undefined, withoutEmpty(other) as KubeObject, "other").object;
        fc.pre(!conflicting(before, mine));
        const after = apply(apply(before, mine, "me").object, empty, "me").object;
        expect(unordered(withoutEmpty(withoutEntries(after)))).toEqual(unordered(withoutEmpty(withoutEntries(before))));
        expect(after.metadata.managedFields?.map(({ manager }) => manager)).toEqual(
          before.metadata.managedFields?.map(({ manager }) => manager),
        );
      }),
    );
  });

  it("every field of an updated object has exactly one updater", () => {
    fc.assert(
      fc.property(fc.array(deployment, { minLength: 1, maxLength: 4 }), (versions) => {
        let before: KubeObject | undefined;
        for (const [index, version] of versions.entries()) {
          const managedFields = updateManagedFields({
            typeName: "Deployment",
            ...(before ? { before } : {}),
            after: version,
            manager: `m${index}`,
            operation: "Update",
            apiVersion: "apps/v1",
            nowMs: index * 1000,
          });
          before = { ...version, metadata: { ...version.metadata, ...(managedFields ? { managedFields } : {}) } };
        }
        const owned = (before?.metadata.managedFields ?? []).flatMap(({ fieldsV1 }) => members(fieldsV1 ?? {}, ""));
        expect(new Set(owned).size).toBe(owned.length);
      }),
    );
  });

  it("a strategic merge patch that says what is there changes nothing", () => {
    fc.assert(
      fc.property(deployment, (object) => {
        expect(deepEqual(applyStrategicMergePatch("Deployment", object, object), object)).toBe(true);
      }),
    );
  });

  it("a strategic merge patch applied twice is the same as applied once, and its input stays untouched", () => {
    fc.assert(
      fc.property(deployment, deployment, (object, patch) => {
        const text = JSON.stringify([object, patch]);
        const once = applyStrategicMergePatch("Deployment", object, patch);
        expect(applyStrategicMergePatch("Deployment", once, patch)).toEqual(once);
        expect(JSON.stringify([object, patch])).toBe(text);
      }),
    );
  });
});

const empty = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "x" } } as KubeObject;

function conflicting(live: KubeObject, applied: KubeObject): boolean {
  try {
    applyServerSide({ typeName: "Deployment", live, applied, manager: "me", apiVersion: "apps/v1", nowMs: 0 });
    return false;
  } catch {
    return true;
  }
}

/** Empty containers own nothing that could be removed later, so they are of no account here. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutEmpty(item) ?? {});
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .map(([name, member]) => [name, withoutEmpty(member)] as const)
    .filter(([, member]) => member !== undefined && !(Array.isArray(member) && member.length === 0));
  return entries.length > 0 ? Object.fromEntries(entries) : undefined;
}

/** The order of items belongs to whoever applied last, and nobody owns it. */
function unordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => JSON.stringify(unordered(item))).sort();
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, unordered(member)]));
}

function members(node: Record<string, unknown>, path: string): string[] {
  const children = Object.entries(node);
  const own = path !== "" && (children.length === 0 || "." in node) ? [path] : [];
  return own.concat(
    children.flatMap(([element, child]) =>
      element === "." ? [] : members(child as Record<string, unknown>, `${path}/${element}`),
    ),
  );
}
