import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applyMergePatch, cloneJson, deepEqual } from "../../../src/kubernetes/patch/index.js";

describe("JSON Merge Patch", () => {
  // The examples of RFC 7386, appendix A.
  const rfc: [unknown, unknown, unknown][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [
      ["a", "b"],
      ["c", "d"],
      ["c", "d"],
    ],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  it.each(rfc)("%j patched with %j is %j", (doc, patch, expected) => {
    expect(applyMergePatch(doc, patch)).toEqual(expected);
  });

  it("gives the same object back when nothing changes, and shares the rest otherwise", () => {
    const doc = { a: { b: 1 }, c: { d: 2 } };
    expect(applyMergePatch(doc, { a: { b: 1 }, x: null })).toBe(doc);
    expect(applyMergePatch(doc, { a: { b: 2 } }).c).toBe(doc.c);
  });

  it("takes __proto__ for an ordinary name", () => {
    const patched = applyMergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}'));
    expect(Object.getPrototypeOf(patched)).toBe(Object.prototype);
    expect(JSON.stringify(patched)).toBe('{"__proto__":{"polluted":true}}');
  });

  it("changes nothing when applied a second time", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (doc, patch) => {
        const before = JSON.stringify(doc);
        const once = applyMergePatch(doc, patch);
        expect(JSON.stringify(doc)).toBe(before);
        expect(deepEqual(applyMergePatch(once, patch), once)).toBe(true);
      }),
    );
  });
});

describe("JSON values", () => {
  it("clone equals its original and shares nothing with it", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const copy = cloneJson(value);
        expect(deepEqual(copy, value)).toBe(true);
        expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
        if (typeof value === "object" && value !== null) expect(copy).not.toBe(value);
      }),
    );
  });

  it("equality follows JSON text with sorted members", () => {
    const canonical = (value: unknown): string =>
      JSON.stringify(value, (_, v) =>
        v && typeof v === "object" && !Array.isArray(v)
          ? Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)))
          : v,
      );
    const small = fc.letrec((tie) => ({
      value: fc.oneof(
        fc.constantFrom(0, 1, "a", null, true),
        fc.array(tie("value"), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom("a", "b"), tie("value")),
      ),
    })).value;
    fc.assert(fc.property(small, small, (a, b) => deepEqual(a, b) === (canonical(a) === canonical(b))));
  });
});
