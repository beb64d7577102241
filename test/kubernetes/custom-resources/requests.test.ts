import { describe, expect, it } from "vitest";
import { DEFINITIONS_PATH, startCluster, WIDGETS_PATH } from "./fixture.js";

const CRON = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      properties: {
        foo: { type: "string" },
        cronSpec: { type: "string", pattern: "^(\\d+|\\*)(/\\d+)?(\\s+(\\d+|\\*)(/\\d+)?){4}$" },
        ports: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
          items: {
            type: "object",
            required: ["containerPort", "protocol"],
            properties: {
              containerPort: { type: "integer", format: "int32" },
              protocol: { type: "string" },
              name: { type: "string" },
            },
          },
        },
      },
    },
  },
};

const yaml = (spec: string, head = "") => `
apiVersion: example.com/v1
kind: Widget
metadata:
  name: mytest
  finalizers:
  - test-finalizer
${head}spec:
${spec}
  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP`;

describe("field validation of custom resources", () => {
  it("judges applied objects by their schema, with the API server's texts", async () => {
    const { define, call, patch } = await startCluster();
    const apply = (body: string) =>
      patch(`${WIDGETS_PATH}/mytest?fieldManager=mgr&fieldValidation=Strict`, body, "apply-patch+yaml");
    await define({ schema: CRON });
    const good = await apply(yaml("  foo: foo1"));
    expect([good.code, good.body.spec.ports]).toEqual([201, [{ name: "x", containerPort: 80, protocol: "TCP" }]]);
    expect((await apply(yaml("  foo: foo1", "unknownField: unknown\n"))).text).toContain(
      ".unknownField: field not declared in schema",
    );
    expect((await apply(yaml("  foo: foo1").replace("name: mytest", "name: mytest\n  unknownMeta: x"))).text).toContain(
      ".metadata.unknownMeta: field not declared in schema",
    );
    const owned = good.body.metadata.managedFields[0].fieldsV1;
    expect(owned["f:spec"]["f:ports"]).toHaveProperty('k:{"containerPort":80,"protocol":"TCP"}');

    const open = structuredClone(CRON) as { properties: { spec: object } };
    open.properties.spec = { ...open.properties.spec, "x-kubernetes-preserve-unknown-fields": true };
    await patch(
      `${DEFINITIONS_PATH}/widgets.example.com`,
      [{ op: "replace", path: "/spec/versions/0/schema/openAPIV3Schema", value: open }],
      "json-patch+json",
    );
    expect((await apply(yaml("  unknown: uk1\n  foo: foo1\n  foo: foo2"))).text).toContain(
      'line 11: key \\"foo\\" already set in map',
    );
    expect((await apply(yaml("  unknown: uk1\n  foo: foo2"))).body.spec.unknown).toBe("uk1");
    expect((await call(`${WIDGETS_PATH}/mytest`)).body.spec.unknown).toBe("uk1");
  });

  it("drops unknown fields, warns of them, or refuses them, also in embedded objects", async () => {
    const { define, create } = await startCluster();
    await define({
      schema: {
        type: "object",
        properties: {
          spec: {
            type: "object",
            properties: {
              size: { type: "integer" },
              any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
              template: {
                type: "object",
                "x-kubernetes-embedded-resource": true,
                properties: { spec: { type: "object" } },
              },
            },
          },
        },
      },
    });
    const body = {
      metadata: { name: "w", odd: 1 },
      spec: {
        size: 1,
        foo: 1,
        any: { deep: { kept: true } },
        template: {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "p", labels: { a: "b" }, wrong: 1 },
          spec: {},
          x: 1,
        },
      },
    };
    const warned = await create(body);
    expect(warned.code).toBe(201);
    expect(warned.body.spec).toEqual({
      size: 1,
      any: { deep: { kept: true } },
      template: { apiVersion: "v1", kind: "Pod", metadata: { name: "p", labels: { a: "b" } }, spec: {} },
    });
    expect(warned.headers.warning).toContain('unknown field \\"spec.foo\\"');
    const strict = await create({ ...body, metadata: { name: "s" } }, WIDGETS_PATH, "?fieldValidation=Strict");
    expect([strict.code, strict.body.message]).toEqual([
      400,
      'Widget in version "v1" cannot be handled as a Widget: strict decoding error: unknown field "spec.foo", unknown field "spec.template.x", unknown field "spec.template.metadata.wrong"',
    ]);
    const quiet = await create({ ...body, metadata: { name: "q" } }, WIDGETS_PATH, "?fieldValidation=Ignore");
    expect([quiet.code, quiet.headers.warning]).toEqual([201, undefined]);
    const headless = await create({ metadata: { name: "h" }, spec: { template: { metadata: { name: "a/b" } } } });
    expect(
      headless.body.details.causes.map(
        ({ field, message }: { field: string; message: string }) => `${field}: ${message}`,
      ),
    ).toEqual([
      "spec.template.apiVersion: Required value: must not be empty",
      "spec.template.kind: Required value: must not be empty",
      "spec.template.metadata.name: Invalid value: \"a/b\": may not contain '/'",
    ]);
  });
});

describe("values of custom resources", () => {
  it("are judged with upstream's texts", async () => {
    const { define, create } = await startCluster();
    await define({
      schema: {
        type: "object",
        required: ["spec"],
        properties: {
          spec: {
            type: "object",
            required: ["need"],
            maxProperties: 12,
            properties: {
              need: { type: "string" },
              replicas: { type: "integer", format: "int32", minimum: 1, maximum: 5 },
              share: { type: "number", exclusiveMinimum: true, minimum: 0, multipleOf: 0.1 },
              mode: { type: "string", enum: ["A", "B"] },
              code: { type: "string", minLength: 2, maxLength: 4, pattern: "^a" },
              when: { type: "string", format: "date-time" },
              port: { "x-kubernetes-int-or-string": true },
              list: {
                type: "array",
                items: { type: "string" },
                minItems: 1,
                maxItems: 2,
                "x-kubernetes-list-type": "set",
              },
              map: { type: "object", additionalProperties: { type: "integer" } },
              gone: { type: "string", nullable: true },
              choice: {
                type: "object",
                properties: { a: { type: "string" }, b: { type: "string" } },
                oneOf: [{ required: ["a"] }, { required: ["b"] }],
              },
            },
          },
        },
      },
    });
    const causesOf = async (spec: unknown) => {
      const { code, body } = await create({ metadata: { name: "w" }, spec }, WIDGETS_PATH, "?dryRun=All");
      if (code === 201) return [];
      const causes: { field: string; message: string }[] = body.details.causes;
      return causes.map(({ field, message }) => `${field}: ${message}`);
    };
    expect(await causesOf(undefined)).toEqual(["spec: Required value"]);
    expect(
      await causesOf({ need: "x", gone: null, port: "http", list: ["a"], share: 0.3, choice: { a: "x" } }),
    ).toEqual([]);
    expect(await causesOf({})).toEqual(["spec.need: Required value"]);
    const table: [object, string][] = [
      [
        { replicas: "3" },
        'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
      ],
      [{ replicas: 9 }, "spec.replicas: Invalid value: 9: spec.replicas in body should be less than or equal to 5"],
      [{ replicas: 0 }, "spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1"],
      [{ share: 0.25 }, "spec.share: Invalid value: 0.25: spec.share in body should be a multiple of 0.1"],
      [{ share: 0 }, "spec.share: Invalid value: 0: spec.share in body should be greater than 0"],
      [{ mode: "C" }, 'spec.mode: Unsupported value: "C": supported values: "A", "B"'],
      [{ code: "a" }, 'spec.code: Invalid value: "a": spec.code in body should be at least 2 chars long'],
      [{ code: "abcdef" }, "spec.code: Too long: may not be more than 4 bytes"],
      [{ code: "bcd" }, "spec.code: Invalid value: \"bcd\": spec.code in body should match '^a'"],
      [{ when: "soon" }, 'spec.when: Invalid value: "soon": spec.when in body must be of type date-time: "soon"'],
      [
        { port: true },
        'spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
      ],
      [{ list: [] }, "spec.list: Invalid value: 0: spec.list in body should have at least 1 items"],
      [{ list: ["a", "b", "c"] }, "spec.list: Too many: 3: must have at most 2 items"],
      [{ list: ["a", "a"] }, 'spec.list[1]: Duplicate value: "a"'],
      [
        { map: { x: "y" } },
        'spec.map.x: Invalid value: "string": spec.map.x in body must be of type integer: "string"',
      ],
      [{ mode: null }, 'spec.mode: Invalid value: "null": spec.mode in body must be of type string: "null"'],
    ];
    for (const [spec, text] of table) expect(await causesOf({ need: "x", ...spec })).toEqual([text]);
    expect((await causesOf({ need: "x", choice: { a: "1", b: "2" } }))[0]).toBe(
      '<nil>: Invalid value: "": "spec.choice" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    );
  });

  it("are defaulted in requests and from storage", async () => {
    const { define, call, create, patch } = await startCluster();
    const schema = (a?: string, b?: string) => ({
      type: "object",
      properties: {
        a: { type: "string", ...(a ? { default: a } : {}) },
        b: { type: "string", ...(b ? { default: b } : {}) },
        deep: { type: "object", default: {}, properties: { n: { type: "integer", default: 3 } } },
      },
    });
    await define({ schema: schema(), scope: "Cluster" });
    const path = "/apis/example.com/v1/widgets";
    const at = `${DEFINITIONS_PATH}/widgets.example.com`;
    const change = (value: object) =>
      patch(at, [{ op: "replace", path: "/spec/versions/0/schema/openAPIV3Schema", value }], "json-patch+json");
    expect((await create({ metadata: { name: "one" } }, path)).body.deep).toEqual({ n: 3 });
    expect((await change(schema("A"))).code).toBe(200);
    expect((await call(`${path}/one`)).body.a).toBe("A");
    expect((await create({ metadata: { name: "two" }, a: null }, path)).body.a).toBe("A");
    await change(schema(undefined, "B"));
    const two = (await call(`${path}/two`)).body;
    expect([two.a, two.b]).toEqual(["A", "B"]);
    const listed = (await call(path)).body.items;
    expect(listed.map(({ a, b }: { a?: string; b?: string }) => [a, b])).toEqual([
      [undefined, "B"],
      ["A", "B"],
    ]);
  });

  it("that were valid once do not stand in the way of other changes", async () => {
    const { define, create, patch } = await startCluster();
    const schema = (most: number) => ({
      type: "object",
      properties: {
        spec: {
          type: "object",
          properties: {
            size: { type: "integer", maximum: most },
            other: { type: "integer" },
            items: {
              type: "array",
              "x-kubernetes-list-type": "map",
              "x-kubernetes-list-map-keys": ["name"],
              items: {
                type: "object",
                required: ["name"],
                properties: { name: { type: "string" }, v: { type: "integer", maximum: most } },
              },
            },
          },
        },
      },
    });
    await define({ schema: schema(100) });
    await create({ metadata: { name: "w" }, spec: { size: 50, items: [{ name: "a", v: 50 }] } });
    await patch(
      `${DEFINITIONS_PATH}/widgets.example.com`,
      [{ op: "replace", path: "/spec/versions/0/schema/openAPIV3Schema", value: schema(10) }],
      "json-patch+json",
    );
    expect((await patch(`${WIDGETS_PATH}/w`, { spec: { other: 1 } })).code).toBe(200);
    const added = [
      { name: "b", v: 1 },
      { name: "a", v: 50 },
    ];
    expect((await patch(`${WIDGETS_PATH}/w`, { spec: { items: added } })).code).toBe(200);
    expect((await patch(`${WIDGETS_PATH}/w`, { spec: { size: 49 } })).code).toBe(422);
  });
});

describe("validation rules", () => {
  const SPEC = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        "x-kubernetes-validations": [
          { rule: "self.x + self.y > 0" },
          {
            rule: "self.x >= oldSelf.x",
            messageExpression: "'x may not fall below ' + string(oldSelf.x)",
            fieldPath: ".x",
          },
        ],
        properties: {
          x: { type: "integer" },
          y: { type: "integer" },
          fixed: {
            type: "string",
            "x-kubernetes-validations": [
              { rule: "self == oldSelf", message: "is immutable", reason: "FieldValueForbidden" },
            ],
          },
        },
      },
      status: {
        type: "object",
        "x-kubernetes-validations": [{ rule: "self.health == 'ok' || self.health == 'unhealthy'" }],
        properties: { health: { type: "string" } },
      },
    },
  };

  it("hold for new objects, and transition rules for changed ones", async () => {
    const { define, create, patch } = await startCluster();
    expect((await define({ schema: SPEC, version: { subresources: { status: {} } } })).code).toBe(201);
    expect((await create({ metadata: { name: "bad" }, spec: { x: 0, y: 0 } })).body.message).toBe(
      'Widget.example.com "bad" is invalid: spec: Invalid value: failed rule: self.x + self.y > 0',
    );
    expect((await create({ metadata: { name: "w" }, spec: { x: 5, y: 0, fixed: "a" } })).code).toBe(201);
    const lower = await patch(`${WIDGETS_PATH}/w`, { spec: { x: 4 } });
    expect(lower.body.details.causes).toEqual([
      { reason: "FieldValueInvalid", field: "spec.x", message: "Invalid value: x may not fall below 5" },
    ]);
    expect((await patch(`${WIDGETS_PATH}/w`, { spec: { fixed: "b" } })).body.details.causes).toEqual([
      { reason: "FieldValueForbidden", field: "spec.fixed", message: "Forbidden: is immutable" },
    ]);
    const status = await patch(`${WIDGETS_PATH}/w/status`, { status: { health: "so so" } });
    expect(status.body.message).toContain("failed rule: self.health == 'ok'");
    expect((await patch(`${WIDGETS_PATH}/w/status`, { status: { health: "ok" } })).code).toBe(200);
    const typed = await create({ metadata: { name: "t" }, spec: { x: "1", y: 0 } });
    expect(typed.body.details.causes.at(-1)).toMatchObject({
      field: "<nil>",
      message:
        "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    });
  });

  it("must compile, and may not cost without bounds", async () => {
    const { define, create } = await startCluster();
    const withRule = (rule: object, properties: object = { x: { type: "integer" } }) =>
      define({
        schema: {
          type: "object",
          properties: { spec: { type: "object", "x-kubernetes-validations": [rule], properties } },
        },
      });
    expect((await withRule({ rule: "self.z == 100" })).text).toContain("undefined field 'z'");
    expect((await withRule({ rule: "self.x = 1" })).text).toContain("Syntax error");
    expect((await withRule({ rule: "self.x" })).text).toContain("must evaluate to a bool");
    const lists = { x: { type: "array", items: { type: "array", items: { type: "string" } } } };
    expect(
      (await withRule({ rule: "self.x.all(a, self.x.all(b, a.all(c, b.all(d, c == d))))" }, lists)).text,
    ).toContain("estimated rule cost exceeds budget by factor of more than 100x");
    expect((await withRule({ rule: "self.x > 0", reason: "Because" })).text).toContain("Unsupported value");
    const nested = {
      x: {
        type: "array",
        items: {
          type: "array",
          items: { type: "string" },
          "x-kubernetes-validations": [{ rule: "self.all(s, s == 'string constant')" }],
        },
      },
    };
    expect((await withRule({ rule: "true" }, nested)).text).toContain("exceeds budget");
    const large = { x: { type: "array", maxItems: 725, items: { type: "integer" } } };
    expect((await withRule({ rule: "self.x.all(a, self.x.all(b, a == b))" }, large)).code).toBe(201);
    expect((await create({ metadata: { name: "w" }, spec: { x: new Array(725).fill(20) } })).body.message).toContain(
      "call cost exceeds limit",
    );
  });
});

describe("ratcheting", () => {
  const ENUM = { type: "string", enum: ["notfoo"] };
  const RULE = { type: "string", "x-kubernetes-validations": [{ rule: 'self != "foo"' }] };
  const schemaWith = (field: object) => ({
    type: "object",
    properties: {
      field,
      other: { type: "string" },
      struct: { type: "object", properties: { field, other: { type: "string" } } },
      list: {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["key"],
        items: {
          type: "object",
          required: ["key"],
          properties: { key: { type: "string" }, field, other: { type: "string" } },
        },
      },
      map: {
        type: "object",
        additionalProperties: { type: "object", properties: { field, other: { type: "string" } } },
      },
      atomicArray: { type: "array", items: field },
      setArray: { type: "array", "x-kubernetes-list-type": "set", items: field },
    },
  });
  const invalid = (other?: string, field = "foo") => {
    const more = other ? { other } : {};
    return {
      field,
      ...more,
      struct: { field, ...more },
      list: [
        { key: "a", field, ...more },
        { key: "b", field, ...more },
      ],
      map: { a: { field, ...more } },
    };
  };

  it.each([
    ["values", ENUM, ["field", "struct.field", "list[0].field", "list[1].field", "map.a.field"]],
    ["rules", RULE, ["field", "struct.field", "list[0].field", "list[1].field", "map[a].field"]],
  ])("spares what stays as it was, where old and new can be told to be the same: %s", async (_what, field, places) => {
    const { define, patch } = await startCluster();
    await define();
    const apply = (object: object, labels: object = {}) =>
      patch(
        `${WIDGETS_PATH}/w?fieldManager=manager`,
        JSON.stringify({ apiVersion: "example.com/v1", kind: "Widget", metadata: { name: "w", labels }, ...object }),
        "apply-patch+yaml",
      );
    const lists = (more: string[] = []) => ({ atomicArray: ["foo", ...more], setArray: ["foo", ...more] });
    await apply({ ...invalid(), ...lists() });
    const at = `${DEFINITIONS_PATH}/widgets.example.com`;
    const schema = schemaWith(field);
    await patch(
      at,
      [{ op: "replace", path: "/spec/versions/0/schema/openAPIV3Schema", value: schema }],
      "json-patch+json",
    );
    expect((await apply({ ...invalid(), ...lists() }, { a: "b" })).code).toBe(200);
    expect((await apply({ ...invalid("x"), ...lists() })).code).toBe(200);
    const fieldsOf = async (object: object): Promise<string[]> =>
      (await apply(object)).body.details.causes.map((cause: { field: string }) => cause.field);
    expect(await fieldsOf({ ...invalid("x"), ...lists(["notfoo"]) })).toEqual(["atomicArray[0]", "setArray[0]"]);
    if (field === ENUM) expect(await fieldsOf({ ...invalid("x", "bar"), ...lists() })).toEqual(places);
  });
});

describe("transition rules", () => {
  it("are evaluated also over what stays as it was, and without an old value if they say so", async () => {
    const { define, create, patch } = await startCluster();
    const changing = (rule: string, more: object = {}) => ({
      type: "string",
      maxLength: 5,
      "x-kubernetes-validations": [{ rule, ...more }],
    });
    const map = (values: object) => ({ type: "object", maxProperties: 5, additionalProperties: values });
    await define({
      schema: {
        type: "object",
        properties: {
          always: map(changing("self != oldSelf")),
          maybe: map(changing("!oldSelf.hasValue() || self != oldSelf.value()", { optionalOldSelf: true })),
          never: map(changing("oldSelf.hasValue()", { optionalOldSelf: true, message: "there must be an old one" })),
        },
      },
    });
    expect((await create({ metadata: { name: "n" }, never: { a: "x" } })).body.message).toContain(
      'never[a]: Invalid value: "x": there must be an old one',
    );
    expect((await create({ metadata: { name: "w" }, always: { a: "x" }, maybe: { a: "x" } })).code).toBe(201);
    const labelled = await patch(`${WIDGETS_PATH}/w`, { metadata: { labels: { a: "b" } } });
    expect(labelled.body.details.causes.map(({ field }: { field: string }) => field)).toEqual([
      "always[a]",
      "maybe[a]",
    ]);
    expect((await patch(`${WIDGETS_PATH}/w`, { always: { a: "y" }, maybe: { a: "y" } })).code).toBe(200);
  });
});

describe("subresources of custom resources", () => {
  it("keep status and spec apart, and count generations of the spec alone", async () => {
    const { define, create, call, patch } = await startCluster();
    await define({
      version: {
        subresources: {
          status: {},
          scale: {
            specReplicasPath: ".spec.count",
            statusReplicasPath: ".status.count",
            labelSelectorPath: ".status.sel",
          },
        },
      },
    });
    const made = (await create({ metadata: { name: "w" }, spec: { count: 2 }, status: { count: 9 } })).body;
    expect([made.status, made.metadata.generation]).toEqual([undefined, 1]);
    const written = await call(`${WIDGETS_PATH}/w/status`, {
      method: "PUT",
      body: { ...made, spec: { count: 7 }, status: { count: 1, sel: "a=b" } },
    });
    expect(written.body).toMatchObject({ spec: { count: 2 }, status: { count: 1 }, metadata: { generation: 1 } });
    const scale = (await call(`${WIDGETS_PATH}/w/scale`)).body;
    expect(scale).toMatchObject({ kind: "Scale", spec: { replicas: 2 }, status: { replicas: 1, selector: "a=b" } });
    const scaled = await patch(`${WIDGETS_PATH}/w/scale`, { spec: { replicas: 4 } });
    expect(scaled.body.spec).toEqual({ replicas: 4 });
    const after = (await patch(`${WIDGETS_PATH}/w`, { status: { count: 8 } })).body;
    expect(after).toMatchObject({ spec: { count: 4 }, status: { count: 1 }, metadata: { generation: 2 } });
    const applied = JSON.stringify({
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: {},
      spec: { replicas: 6 },
    });
    const byScale = await patch(`${WIDGETS_PATH}/w/scale?fieldManager=scaler&force=true`, applied, "apply-patch+yaml");
    expect(byScale.body.spec).toEqual({ replicas: 6 });
    const owners = (await call(`${WIDGETS_PATH}/w`)).body.metadata.managedFields;
    expect(owners[0]).toMatchObject({
      manager: "scaler",
      subresource: "scale",
      fieldsV1: { "f:spec": { "f:count": {} } },
    });
    expect((await patch(`${WIDGETS_PATH}/w`, { spec: { count: -1 } })).body.message).toContain(
      ".spec.count: Invalid value: -1: should be a non-negative integer",
    );
    expect((await patch(`${WIDGETS_PATH}/w`, {}, "strategic-merge-patch+json")).code).toBe(415);
  });

  it("are not there by themselves: then a change of the status is a change", async () => {
    const { define, create, call, patch } = await startCluster();
    await define();
    await create({ metadata: { name: "w" }, status: { x: 1 } });
    const changed = (await patch(`${WIDGETS_PATH}/w`, { status: { x: 2 } })).body;
    expect([changed.status, changed.metadata.generation]).toEqual([{ x: 2 }, 2]);
    expect((await call(`${WIDGETS_PATH}/w/status`)).code).toBe(404);
    expect((await call(`${WIDGETS_PATH}/w/scale`)).code).toBe(404);
  });
});

describe("selectable fields", () => {
  it("select in lists, watches and deletions of their version", async () => {
    const { define, create, call, patch, watch } = await startCluster();
    await define({
      schema: { type: "object", properties: { spec: { type: "object", properties: { color: { type: "string" } } } } },
      version: { selectableFields: [{ jsonPath: ".spec.color" }] },
    });
    const red = await watch(`${WIDGETS_PATH}?watch=true&fieldSelector=spec.color%3Dred`);
    for (const [name, color] of [
      ["a", "red"],
      ["b", "blue"],
      ["c", "red"],
    ])
      await create({ metadata: { name }, spec: { color } });
    const names = async (selector: string) =>
      (await call(`${WIDGETS_PATH}?fieldSelector=${encodeURIComponent(selector)}`)).body.items.map(
        ({ metadata }: { metadata: { name: string } }) => metadata.name,
      );
    expect(await names("spec.color=red")).toEqual(["a", "c"]);
    expect(await names("spec.color!=red,metadata.name=b")).toEqual(["b"]);
    await patch(`${WIDGETS_PATH}/a`, { spec: { color: "blue" } });
    await call(`${WIDGETS_PATH}?fieldSelector=spec.color%3Dred`, { method: "DELETE" });
    await red.received(4);
    expect(red.summary()).toEqual(["ADDED a", "ADDED c", "DELETED a", "DELETED c"]);
    expect((await call(`${WIDGETS_PATH}?fieldSelector=spec.size%3D1`)).code).toBe(400);
    red.close();
  });
});

describe("server-side apply of custom resources", () => {
  it("merges lists by their keys, and tells who owns which item", async () => {
    const { define, patch } = await startCluster();
    await define({
      version: { subresources: { status: {} } },
      schema: {
        type: "object",
        properties: {
          spec: {
            type: "object",
            properties: {
              ports: {
                type: "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["port", "protocol"],
                items: {
                  type: "object",
                  required: ["port"],
                  properties: {
                    port: { type: "integer" },
                    protocol: { type: "string", default: "TCP" },
                    name: { type: "string" },
                  },
                },
              },
              tags: { type: "array", "x-kubernetes-list-type": "set", items: { type: "string" } },
              whole: {
                type: "object",
                "x-kubernetes-map-type": "atomic",
                properties: { a: { type: "string" }, b: { type: "string" } },
              },
            },
          },
          status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    });
    const apply = (manager: string, spec: object, more: object = {}, query = "") =>
      patch(
        `${WIDGETS_PATH}/w?fieldManager=${manager}${query}`,
        JSON.stringify({ apiVersion: "example.com/v1", kind: "Widget", metadata: { name: "w" }, spec, ...more }),
        "apply-patch+yaml",
      );
    await apply("one", { ports: [{ port: 80, name: "web" }], tags: ["a"], whole: { a: "1" } }, { status: { x: 1 } });
    const both = await apply("two", { ports: [{ port: 81 }, { port: 80, protocol: "UDP" }], tags: ["b"] });
    expect(both.body.spec).toEqual({
      ports: [
        { port: 80, protocol: "TCP", name: "web" },
        { port: 81, protocol: "TCP" },
        { port: 80, protocol: "UDP" },
      ],
      tags: ["a", "b"],
      whole: { a: "1" },
    });
    expect(both.body.status).toBeUndefined();
    const refused = await apply("two", { ports: [{ port: 80, name: "mine" }], whole: { b: "2" } });
    expect([refused.code, refused.body.details.causes]).toEqual([
      409,
      [
        {
          reason: "FieldManagerConflict",
          message: 'conflict with "one"',
          field: '.spec.ports[port=80,protocol="TCP"].name',
        },
        { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".spec.whole" },
      ],
    ]);
    const forced = await apply("two", { tags: ["b"], whole: { b: "2" } }, {}, "&force=true");
    expect(forced.body.spec).toEqual({
      ports: [{ port: 80, protocol: "TCP", name: "web" }],
      tags: ["a", "b"],
      whole: { b: "2" },
    });
    expect((await apply("one", { tags: ["b", "b"] })).body.message).toContain("duplicate entries for key");
  });
});

describe("deprecated versions", () => {
  it("warn whoever asks for them", async () => {
    const { define, call, create } = await startCluster();
    await define({ version: { deprecated: true } });
    const text = '299 - "example.com/v1 Widget is deprecated"';
    expect((await call(WIDGETS_PATH)).headers.warning).toBe(text);
    expect((await create({ metadata: { name: "w" } })).headers.warning).toBe(text);
    const finalizers = ["hold"];
    expect((await create({ metadata: { name: "f", finalizers } }, WIDGETS_PATH)).headers.warning).toContain(
      'metadata.finalizers: \\"hold\\": prefer a domain-qualified finalizer name',
    );
  });
});
