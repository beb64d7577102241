import { describe, expect, it } from "vitest";
import { applyJsonPatch } from "../../../src/kubernetes/patch/index.js";

const doc = Object.freeze({
  spec: Object.freeze({ replicas: 1, list: Object.freeze(["a", "b"]) }),
  other: Object.freeze({ x: 1 }),
});

describe("JSON Patch", () => {
  const works: [string, unknown[], unknown][] = [
    [
      "adds a member",
      [{ op: "add", path: "/spec/paused", value: true }],
      { ...doc, spec: { ...doc.spec, paused: true } },
    ],
    [
      "inserts into a list",
      [{ op: "add", path: "/spec/list/1", value: "x" }],
      { ...doc, spec: { replicas: 1, list: ["a", "x", "b"] } },
    ],
    [
      "appends with -",
      [{ op: "add", path: "/spec/list/-", value: "x" }],
      { ...doc, spec: { replicas: 1, list: ["a", "b", "x"] } },
    ],
    ["removes", [{ op: "remove", path: "/spec/list/0" }], { ...doc, spec: { replicas: 1, list: ["b"] } }],
    ["replaces", [{ op: "replace", path: "/spec/replicas", value: 3 }], { ...doc, spec: { ...doc.spec, replicas: 3 } }],
    ["moves", [{ op: "move", from: "/other/x", path: "/spec/y" }], { spec: { ...doc.spec, y: 1 }, other: {} }],
    [
      "copies",
      [{ op: "copy", from: "/spec/list", path: "/other/list" }],
      { ...doc, other: { x: 1, list: ["a", "b"] } },
    ],
    ["reads escaped names", [{ op: "add", path: "/a~1b~0c", value: 1 }], { ...doc, "a/b~c": 1 }],
    [
      "goes on after a passing test",
      [
        { op: "test", path: "/spec/replicas", value: 1 },
        { op: "remove", path: "/other" },
      ],
      { spec: doc.spec },
    ],
  ];
  it.each(works)("%s", (_, operations, expected) => {
    expect(applyJsonPatch(doc, operations)).toEqual(expected);
  });

  it("shares what it does not touch and never writes to what it was given", () => {
    const value = Object.freeze({ inner: Object.freeze({}) });
    const patched = applyJsonPatch(doc, [
      { op: "add", path: "/spec/new", value },
      { op: "add", path: "/spec/new/inner/deep", value: 1 },
    ]);
    expect(patched).toMatchObject({ spec: { new: { inner: { deep: 1 } } } });
    expect(patched.other).toBe(doc.other);
    expect(patched.spec.list).toBe(doc.spec.list);
    expect(value).toEqual({ inner: {} });
  });

  const refused: [string, unknown, number, string][] = [
    ["a failing test", [{ op: "test", path: "/spec/replicas", value: 2 }], 422, "Invalid"],
    ["a missing path", [{ op: "replace", path: "/spec/nope/deeper", value: 2 }], 422, "Invalid"],
    ["removing what is not there", [{ op: "remove", path: "/spec/nope" }], 422, "Invalid"],
    ["an index out of bounds", [{ op: "add", path: "/spec/list/9", value: 2 }], 422, "Invalid"],
    ["an index with a leading zero", [{ op: "replace", path: "/spec/list/01", value: 2 }], 422, "Invalid"],
    ["an unknown operation", [{ op: "jump", path: "/spec" }], 422, "Invalid"],
    ["a copy from nowhere", [{ op: "copy", from: "/x/y/z", path: "/spec/a" }], 422, "Invalid"],
    ["a way to the prototype", [{ op: "add", path: "/__proto__/polluted", value: 1 }], 422, "Invalid"],
    ["no list", { op: "add" }, 400, "BadRequest"],
    ["a list of something else", ["add"], 400, "BadRequest"],
    [
      "too many operations",
      new Array(10_001).fill({ op: "test", path: "/spec/replicas", value: 1 }),
      413,
      "RequestEntityTooLarge",
    ],
  ];
  it.each(refused)("refuses %s", (_, operations, code, reason) => {
    expect(() => applyJsonPatch(doc, operations)).toThrow(expect.objectContaining({ code, reason }));
  });

  it("does not say what did not work, as the API server does not", () => {
    expect(() => applyJsonPatch(doc, [{ op: "test", path: "/spec/replicas", value: 2 }])).toThrow(
      expect.objectContaining({ code: 422, details: {} }),
    );
  });

  it("replaces a member that is not there, and takes no value for null", () => {
    const patch = [
      { op: "replace", path: "/a", value: 1 },
      { op: "add", path: "/b" },
    ];
    expect(applyJsonPatch({}, patch)).toEqual({ a: 1, b: null });
    expect(() => applyJsonPatch({ list: [] }, [{ op: "replace", path: "/list/0", value: 1 }])).toThrow();
    expect(() => applyJsonPatch({}, [{ op: "replace", path: "/none/a", value: 1 }])).toThrow();
  });

  it("stops copies that would blow the document up", () => {
    const bomb = [
      { op: "add", path: "/b", value: ["x".repeat(10_000)] },
      ...Array.from({ length: 20 }, () => ({ op: "copy", from: "/b", path: "/b/-" })),
    ];
    expect(() => applyJsonPatch(doc, bomb)).toThrow(expect.objectContaining({ code: 422 }));
  });
});
