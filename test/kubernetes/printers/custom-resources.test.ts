import { describe, expect, it } from "vitest";
import type { KubeObject } from "../../../src/kubernetes/object.js";
import { columnsFor, toTable } from "../../../src/kubernetes/printers/index.js";
import { parseJsonPath } from "../../../src/kubernetes/printers/json-path.js";
import type { PrinterColumn, ResourceInfo } from "../../../src/kubernetes/schema/resource-info.js";

const NOW = Date.UTC(2026, 0, 1);

const widget = {
  apiVersion: "example.com/v1",
  kind: "Pod",
  metadata: { name: "w", creationTimestamp: "2025-12-31T23:00:00Z", labels: { "a.b/c": "d" } },
  spec: { size: 3, ratio: 0.5, on: true, list: [{ n: 1 }, { n: 2 }], text: "t" },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Busy", status: "False" },
    ],
    at: "2025-12-31T23:59:00Z",
  },
} as unknown as KubeObject;

describe("JSON paths", () => {
  const cases: [string, unknown[]][] = [
    [".spec.size", [3]],
    ["{.spec.size}", [3]],
    ["$.spec['size']", [3]],
    [".spec.list[1].n", [2]],
    [".spec.list[-1].n", [2]],
    [".spec.list[*].n", [1, 2]],
    [".spec.list[9].n", []],
    [".spec.nope.deeper", []],
    [".metadata.constructor", []],
    [".metadata.labels.a\\.b/c", ["d"]],
    ['.status.conditions[?(@.type=="Ready")].status', ["True"]],
    [".status.conditions[?(@.type == 'Busy')].status", ["False"]],
    ['.status.conditions[?(@.type!="Ready")].type', ["Busy"]],
    [".spec.list[?(@.n>1)].n", [2]],
    [".spec.list[?(@.m)].n", []],
  ];
  it.each(cases)("%s", (path, expected) => expect(parseJsonPath(path)?.(widget)).toEqual(expected));

  it.each(["spec", "..spec", ".a[", ".a[1:2]", ".a[?(@.b==c)]", ".a[0,1]"])("%s is refused", (path) => {
    expect(parseJsonPath(path)).toBeUndefined();
  });
});

describe("tables of custom resources", () => {
  const info = (printerColumns?: readonly PrinterColumn[]): ResourceInfo => ({
    group: "example.com",
    version: "v1",
    resource: "pods",
    singular: "pod",
    kind: "Pod",
    listKind: "PodList",
    namespaced: true,
    shortNames: [],
    categories: [],
    verbs: ["get"],
    subresources: [],
    type: "Pod",
    ...(printerColumns ? { printerColumns } : {}),
  });
  const cells = (printerColumns?: readonly PrinterColumn[]): unknown =>
    toTable({ info: info(printerColumns), objects: [widget], includeObject: "None", revision: 1, nowMs: NOW }).rows[0]
      ?.cells;

  it("show name and age, whatever built-in kind they are called like", () => {
    expect(cells()).toEqual(["w", "60m"]);
  });

  it("show the columns of their definition by type", () => {
    const column = (type: string, jsonPath: string): PrinterColumn => ({ name: jsonPath, type, jsonPath });
    expect(
      cells([
        column("integer", ".spec.size"),
        column("number", ".spec.ratio"),
        column("boolean", ".spec.on"),
        column("string", ".spec.text"),
        column("string", ".spec.list"),
        column("date", ".status.at"),
        column("integer", ".spec.text"),
        column("string", ".spec.none"),
        column("string", "not a path"),
      ]),
    ).toEqual(["w", 3, 0.5, true, "t", '[{"n":1},{"n":2}]', "60s", null, null, null]);
  });

  it("keep heading, format, description and priority", () => {
    const column = {
      name: "Size",
      type: "integer",
      format: "int32",
      description: "How big.",
      priority: 1,
      jsonPath: ".x",
    };
    const { jsonPath: _, ...definition } = column;
    expect(columnsFor(info([column]))[1]).toEqual(definition);
  });
});
