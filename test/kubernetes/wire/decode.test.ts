import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isStatusError } from "../../../src/kubernetes/errors.js";
import {
  checkObject,
  decodeBody,
  decodePatch,
  type Expected,
  type FieldValidation,
} from "../../../src/kubernetes/wire/decode.js";
import { formatYaml, parseYaml } from "../../../src/kubernetes/wire/yaml.js";

const POD: Expected = { apiVersion: "v1", kind: "Pod", type: "Pod" };
const DEPLOYMENT: Expected = { apiVersion: "apps/v1", kind: "Deployment", type: "Deployment" };
const WIDGET: Expected = { apiVersion: "example.com/v1", kind: "Widget" };

const decode = (
  body: unknown,
  expected: Expected = POD,
  fieldValidation: FieldValidation = "Strict",
  contentType = "application/json",
) =>
  decodeBody({
    bytes: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
    contentType,
    expected,
    fieldValidation,
  });

const pod = (spec: unknown, metadata: unknown = { name: "a" }) => ({ apiVersion: "v1", kind: "Pod", metadata, spec });
const container = (fields: object) => pod({ containers: [{ name: "c", ...fields }] });

/** The message of the refusal, which must be a 400. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    expect(isStatusError(error) && error.code, String(error)).toBe(400);
    return error instanceof Error ? error.message : "";
  }
  throw new Error("was accepted");
}

describe("JSON bodies", () => {
  it("leaves an object that is right as it is", () => {
    const object = pod({
      containers: [
        { name: "c", image: "nginx", ports: [{ containerPort: 80 }], resources: { limits: { cpu: "100m" } } },
      ],
    });
    expect(checkObject(object, POD).object).toBe(object);
  });

  it("fills in apiVersion, kind and metadata", () => {
    expect(decode({ spec: { containers: [] } }).object).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {},
      spec: { containers: [] },
    });
    expect(decode({}, { kind: "DeleteOptions", type: "DeleteOptions" }).object).toEqual({
      apiVersion: "",
      kind: "DeleteOptions",
    });
  });

  it("drops nulls in structs and makes them zero values in lists and maps", () => {
    const { object } = decode(
      pod(
        { containers: null, nodeName: null },
        { name: "a", creationTimestamp: null, labels: { x: null }, finalizers: [null] },
      ),
    );
    expect(object).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a", labels: { x: "" }, finalizers: [""] },
      spec: {},
    });
  });

  it("stores quantities and times in their canonical spelling", () => {
    const { object } = decode(
      pod({ containers: [{ name: "c", resources: { limits: { cpu: 0.5, memory: "1024Mi" } } }] }),
    );
    expect(object.spec).toEqual({ containers: [{ name: "c", resources: { limits: { cpu: "500m", memory: "1Gi" } } }] });
    const lease: Expected = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", type: "Lease" };
    expect(
      decode(
        { metadata: { creationTimestamp: "2026-01-02T03:04:05+01:00" }, spec: { renewTime: "2026-01-02T03:04:05.5Z" } },
        lease,
      ).object,
    ).toMatchObject({
      metadata: { creationTimestamp: "2026-01-02T02:04:05Z" },
      spec: { renewTime: "2026-01-02T03:04:05.500000Z" },
    });
  });

  it("keeps what is called __proto__ a key like any other", () => {
    const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"__proto__":"x","b":null}}';
    const { data } = decode(body, { apiVersion: "v1", kind: "ConfigMap", type: "ConfigMap" }).object as {
      data?: object;
    };
    expect(Object.entries(data ?? {})).toEqual([
      ["__proto__", "x"],
      ["b", ""],
    ]);
  });

  it("leaves custom resources alone, except for their metadata", () => {
    expect(decode({ metadata: { name: "w" }, spec: { any: [1, null] } }, WIDGET).object).toMatchObject({
      spec: { any: [1, null] },
    });
    expect(refusal(() => decode({ metadata: { labels: { a: 1 } } }, WIDGET))).toContain(
      "cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of",
    );
    expect(refusal(() => decode({ metadata: { lables: {} } }, WIDGET))).toContain('unknown field "metadata.lables"');
  });
});

describe("field validation", () => {
  const misspelt = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "a", foo: 1 },
    spec: { containers: [{ name: "c", imagee: "x" }], bar: {} },
  };

  it("refuses unknown fields under Strict, naming all of them", () => {
    expect(refusal(() => decode(misspelt))).toBe(
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "metadata.foo", unknown field "spec.containers[0].imagee", unknown field "spec.bar"',
    );
  });

  it("warns of them under Warn and is silent under Ignore, dropping them either way", () => {
    const warned = decode(misspelt, POD, "Warn");
    expect(warned.warnings).toEqual([
      'unknown field "metadata.foo"',
      'unknown field "spec.containers[0].imagee"',
      'unknown field "spec.bar"',
    ]);
    expect(warned.object).toEqual(pod({ containers: [{ name: "c" }] }));
    expect(decode(misspelt, POD, "Ignore")).toEqual({ object: warned.object, warnings: [] });
  });

  it.each([
    ['{"kind":"Pod","kind":"Pod"}', ['duplicate field "kind"']],
    ['{"spec":{"nodeName":"a","nodeName":"b"}}', ['duplicate field "spec.nodeName"']],
    [
      '{"spec":{"containers":[{"name":"a"},{"name":"b","image":"x","image":"y"}]}}',
      ['duplicate field "spec.containers[1].image"'],
    ],
    [
      '{"metadata":{"annotations":{"a\\"b":"}{\\\\","x":":","\\u0078":"y"}}}',
      ['duplicate field "metadata.annotations.x"'],
    ],
    ['{"metadata":{"name":"a"},"metadata":{"name":"a"}}', ['duplicate field "metadata"']],
  ])("finds what is written twice: %s", (body, warnings) => {
    expect(decode(body, POD, "Warn").warnings).toEqual(warnings);
    expect(decode(body, POD, "Ignore").warnings).toEqual([]);
    expect(refusal(() => decode(body))).toContain(`strict decoding error: ${warnings[0]}`);
  });

  it("never finds duplicates in what JSON.stringify wrote", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const body = JSON.stringify({ metadata: { name: "w" }, value });
        expect(decode(body, WIDGET).warnings).toEqual([]);
      }),
    );
  });
});

describe("values of the wrong type", () => {
  const at = (field: string) => `Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal ${field}`;
  it.each([
    [pod({ containers: "none" }), at("string into Go struct field PodSpec.spec.containers of type []v1.Container")],
    [pod([]), at("array into Go struct field Pod.spec of type v1.PodSpec")],
    [container({ image: 5 }), at("number into Go struct field Container.spec.containers.image of type string")],
    [
      container({ command: ["a", true] }),
      at("bool into Go struct field Container.spec.containers.command of type string"),
    ],
    [
      container({ ports: [{ containerPort: "80" }] }),
      at("string into Go struct field ContainerPort.spec.containers.ports.containerPort of type int32"),
    ],
    [pod({ priority: 1.5 }), at("number 1.5 into Go struct field PodSpec.spec.priority of type int32")],
    [
      pod({}, { name: "a", labels: { a: {} } }),
      at("object into Go struct field ObjectMeta.metadata.labels of type string"),
    ],
    [
      pod({}, { creationTimestamp: "yesterday" }),
      'Pod in version "v1" cannot be handled as a Pod: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
    ],
    [
      container({ resources: { limits: { cpu: "lots" } } }),
      "Pod in version \"v1\" cannot be handled as a Pod: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
  ])("%j", (body, message) => {
    expect(refusal(() => decode(body))).toBe(message);
  });

  it("refuses bytes that are not base64", () => {
    const body = { metadata: { name: "s" }, data: { a: "not base64!" } };
    expect(refusal(() => decode(body, { apiVersion: "v1", kind: "Secret", type: "Secret" }))).toContain(
      "illegal base64 data at input byte 3",
    );
  });
});

describe("bodies that are no object of the expected kind", () => {
  it.each([
    [
      "",
      "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)",
    ],
    ['{"kind":', 'couldn\'t get version/kind; json parse error: unexpected end of JSON input ({"kind":)'],
    ["{nonsense}", "invalid character 'n' looking for beginning of object key string ({nonsense})"],
    ["[1]", "json: cannot unmarshal array into Go value"],
    ['{"kind":5}', "json: cannot unmarshal number into Go struct field .kind of type string"],
    [
      '{"kind":"Service"}',
      'Service in version "v1" cannot be handled as a Pod: converting (v1.Service) to (core.Pod): unknown conversion',
    ],
    ['{"apiVersion":"a/b/c"}', 'unexpected GroupVersion string: a/b/c ({"apiVersion":"a/b/c"})'],
    [
      '{"kind":"Pod","apiVersion":"v2"}',
      'Pod in version "v2" cannot be handled as a Pod: no kind "Pod" is registered for version "v2" in scheme "pkg/api/legacyscheme/scheme.go:30"',
    ],
    ["[".repeat(5000) + "]".repeat(5000), "exceeded max depth"],
    ["[".repeat(1_000_000), "exceeded max depth"],
  ])("refuses %.20s", (body, message) => {
    expect(refusal(() => decode(body))).toContain(message);
  });

  it("answers 415 for media types that it does not know, and takes parameters and absence", () => {
    expect(() => decode("{}", POD, "Strict", "text/plain")).toThrow(
      "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
    );
    expect(decode("{}", POD, "Strict", "application/json; charset=utf-8").object.kind).toBe("Pod");
    expect(decode("{}", POD, "Strict", "").object.kind).toBe("Pod");
  });

  it("throws nothing but StatusError, whatever the bytes", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.string().map((text) => Buffer.from(text)),
          fc.json().map((text) => Buffer.from(text)),
        ),
        fc.constantFrom("application/json", "application/yaml", "application/vnd.kubernetes.protobuf"),
        (bytes, contentType) => {
          try {
            decodeBody({ bytes: Buffer.from(bytes), contentType, expected: DEPLOYMENT });
          } catch (error) {
            expect(isStatusError(error, "BadRequest"), String(error)).toBe(true);
          }
        },
      ),
    );
  });

  it("throws nothing but StatusError for objects of arbitrary shape", () => {
    const names = fc.constantFrom(
      "metadata",
      "spec",
      "template",
      "containers",
      "resources",
      "limits",
      "labels",
      "replicas",
      "ports",
      "name",
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom(null, 1, "x", true, 1.5),
        fc.array(tie("tree"), { maxLength: 2 }),
        fc.dictionary(names, tie("tree")),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        try {
          decodeBody({ bytes: Buffer.from(JSON.stringify(value) ?? ""), expected: DEPLOYMENT });
        } catch (error) {
          expect(isStatusError(error, "BadRequest"), String(error)).toBe(true);
        }
      }),
    );
  });
});

describe("YAML bodies", () => {
  const yaml = (text: string, fieldValidation: FieldValidation = "Warn") =>
    decode(text, { apiVersion: "v1", kind: "ConfigMap", type: "ConfigMap" }, fieldValidation, "application/yaml");

  it("reads scalars as Kubernetes does", () => {
    const custom = decode(
      "a: yes\nb: 014\nc: 22:22\nd: 2026-01-01\ne: ~\nf: 'yes'\n",
      WIDGET,
      "Warn",
      "application/yaml",
    ).object;
    expect(custom).toMatchObject({ a: true, b: 12, c: "22:22", d: "2026-01-01", e: null, f: "yes" });
  });

  it("takes JSON under YAML's name", () => {
    expect(yaml('{"kind":"ConfigMap","data":{"a":"b"}}').object).toMatchObject({ data: { a: "b" } });
  });

  it("merges anchors and reads only the first document", () => {
    expect(yaml("metadata: {name: a}\nx: &x {a: b}\ndata: {<<: *x, c: d}\n---\nkind: Other\n").object).toMatchObject({
      data: { a: "b", c: "d" },
    });
  });

  it("reports keys that are there twice", () => {
    expect(yaml("data:\n  a: b\n  a: c\n").warnings[0]).toContain('line 3: key "a" already set in map');
    expect(refusal(() => yaml("data:\n  a: b\n  a: c\n", "Strict"))).toContain(
      "strict decoding error: yaml: unmarshal errors",
    );
  });

  it("writes what it reads back the same", () => {
    const object = {
      kind: "ConfigMap",
      apiVersion: "v1",
      data: { a: "yes", b: "22:22", c: "line\nline\n", d: "014", e: "", f: "null" },
    };
    const text = formatYaml(object);
    expect(text.startsWith("apiVersion: v1\ndata:\n  a: ")).toBe(true);
    expect(parseYaml(text)).toEqual({ value: object, duplicates: [] });
  });

  it("refuses what is no YAML, and what expands beyond reason", () => {
    expect(refusal(() => yaml("a: [1\n"))).toContain("yaml: line");
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${"bcdefghi".replace(
      /./g,
      (c) =>
        `${c}: &${c} [${Array(9)
          .fill(`*${String.fromCharCode(c.charCodeAt(0) - 1)}`)
          .join(",")}]\n`,
    )}`;
    expect(refusal(() => yaml(bomb))).toContain("alias");
    expect(refusal(() => yaml("a: &a [*a]"))).toContain("yaml:");
    for (const depth of [1_500, 20_000]) {
      expect(refusal(() => yaml(`a: ${"[".repeat(depth)}${"]".repeat(depth)}`))).toContain("exceeded max depth");
    }
  });
});

describe("patches", () => {
  const patch = (contentType: string, body: string, fieldValidation?: FieldValidation) =>
    decodePatch({ bytes: Buffer.from(body), contentType, fieldValidation });

  it.each([
    ["application/json-patch+json", "[]", "json"],
    ["application/merge-patch+json", "{}", "merge"],
    ["application/strategic-merge-patch+json; charset=utf-8", "{}", "strategic"],
    ["application/apply-patch+yaml", "a: b", "apply"],
    ["application/apply-patch+yaml", '{"a":"b"}', "apply"],
  ])("knows %s", (contentType, body, type) => {
    expect(patch(contentType, body).type).toBe(type);
  });

  it("answers 415 with the types that the resource takes", () => {
    expect(() => patch("application/json", "{}")).toThrow("415: Unsupported Media Type");
    expect(() =>
      decodePatch({
        bytes: Buffer.from("{}"),
        contentType: "application/strategic-merge-patch+json",
        supported: ["json", "merge"],
      }),
    ).toThrow("accepted media types include: application/json-patch+json, application/merge-patch+json");
  });

  it("refuses patches of the wrong shape, and finds what is there twice or means nothing", () => {
    expect(refusal(() => patch("application/json-patch+json", "{}"))).toContain(
      "cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
    );
    expect(refusal(() => patch("application/merge-patch+json", "[]"))).toContain("cannot unmarshal array");
    expect(refusal(() => patch("application/merge-patch+json", "{"))).toContain("error decoding patch");
    const complaints = (sort: string, body: string, strictness?: "Ignore" | "Strict") =>
      patch(`application/${sort}`, body, strictness).complaints;
    expect(complaints("merge-patch+json", '{"a":1,"a":2}', "Strict")).toEqual(['duplicate field "a"']);
    expect(complaints("merge-patch+json", '{"a":1,"a":2}')).toEqual(['duplicate field "a"']);
    expect(complaints("merge-patch+json", '{"a":1,"a":2}', "Ignore")).toEqual([]);
    const operations = '[{"op":"add","path":"/a","value":1,"foo":2},{"op":"remove","path":"/a","path":"/b"}]';
    expect(complaints("json-patch+json", operations)).toEqual([
      'json patch unknown field "[0].foo"',
      'json patch duplicate field "[1].path"',
    ]);
    expect(complaints("json-patch+json", operations, "Ignore")).toEqual([]);
  });
});
