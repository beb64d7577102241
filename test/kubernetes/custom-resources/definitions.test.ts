import { describe, expect, it } from "vitest";
import { DEFINITIONS_PATH, definitionOf, startCluster, type WidgetOptions } from "./fixture.js";

const SCHEMA_FIELD = "spec.validation.openAPIV3Schema";
const object = (properties: object, more: object = {}) => ({ type: "object", properties, ...more });
const served = (name: string, storage: boolean, more: object = {}) => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: object({}) },
  ...more,
});

type Reply = Awaited<ReturnType<Awaited<ReturnType<typeof startCluster>>["call"]>>;
const causesOf = ({ body }: Reply): string[] =>
  (body.details?.causes ?? []).map(({ field, message }: { field: string; message: string }) => `${field}: ${message}`);

interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

describe("custom resource definitions", () => {
  it("are refused when they contradict themselves, with upstream's texts", async () => {
    const { define } = await startCluster();
    const table: [string, WidgetOptions, string[]][] = [
      [
        "a group without a dot",
        { group: "example" },
        ['spec.group: Invalid value: "example": should be a domain with at least one dot'],
      ],
      [
        "a protected group",
        { group: "stuff.k8s.io" },
        [
          'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
        ],
      ],
      [
        "another name",
        { metadata: { name: "x.example.com" } },
        ['metadata.name: Invalid value: "x.example.com": must be spec.names.plural+"."+spec.group'],
      ],
      [
        "a scope of its own",
        { scope: "Galaxy" as "Cluster" },
        ['spec.scope: Unsupported value: "Galaxy": supported values: "Cluster", "Namespaced"'],
      ],
      [
        "list kind and kind alike",
        { names: { listKind: "Widget" } },
        ['spec.names.listKind: Invalid value: "Widget": kind and listKind may not be the same'],
      ],
      [
        "no schema",
        { versions: [{ name: "v1", served: true, storage: true }] },
        ["spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required"],
      ],
      [
        "a webhook without configuration",
        { conversion: { strategy: "Webhook" } },
        [
          "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
          "spec.conversion.conversionReviewVersions: Required value",
        ],
      ],
      [
        "a column of no type",
        { version: { additionalPrinterColumns: [{ name: "A", type: "list", jsonPath: "spec.a" }] } },
        [
          'spec.additionalPrinterColumns[0].type: Invalid value: "list": must be one of boolean,date,integer,number,string',
          'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "spec.a": must be a simple json path starting with .',
        ],
      ],
      [
        "a scale that leads elsewhere",
        { version: { subresources: { scale: { specReplicasPath: ".status.n", statusReplicasPath: "" } } } },
        [
          'spec.subresources.scale.specReplicasPath: Invalid value: ".status.n": should be a json path under .spec',
          "spec.subresources.scale.statusReplicasPath: Required value",
        ],
      ],
      [
        "fields that cannot be selected",
        {
          schema: object({ l: { type: "array", items: { type: "string" } } }),
          version: { selectableFields: [{ jsonPath: ".l" }, { jsonPath: ".none" }, { jsonPath: ".metadata.name" }] },
        },
        [
          'spec.versions[0].selectableFields[0].jsonPath: Invalid value: ".l": must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
          'spec.versions[0].selectableFields[1].jsonPath: Invalid value: ".none": is an invalid path: does not refer to a valid field',
          'spec.versions[0].selectableFields[2].jsonPath: Invalid value: ".metadata.name": must not point to fields in metadata',
        ],
      ],
    ];
    for (const [what, options, causes] of table) expect(causesOf(await define(options)), what).toEqual(causes);
  });

  it("must have structural schemas", async () => {
    const { define } = await startCluster();
    const at = (path: string) => `${SCHEMA_FIELD}.properties[a]${path}`;
    const table: [object, string[]][] = [
      [{}, [`${at(".type")}: Required value: must not be empty for specified object fields`]],
      [{ type: "array" }, [`${at(".items")}: Required value: must be specified`]],
      [
        { type: "text" },
        [
          `${at(".type")}: Unsupported value: "text": supported values: "array", "boolean", "integer", "number", "object", "string"`,
        ],
      ],
      [
        { type: "object", properties: { b: { type: "string" } }, additionalProperties: { type: "string" } },
        [`${at(".additionalProperties")}: Forbidden: additionalProperties and properties are mutual exclusive`],
      ],
      [
        { type: "string", anyOf: [{ type: "string" }] },
        [`${at(".anyOf[0].type")}: Forbidden: must be empty to be structural`],
      ],
      [
        { type: "object", properties: {}, oneOf: [{ properties: { b: {} } }] },
        [`${at(".properties[b]")}: Required value: because it is defined in ${at(".properties[b]")}`],
      ],
      [
        { type: "string", uniqueItems: true },
        [
          `${at(".uniqueItems")}: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
        ],
      ],
      [
        { type: "string", pattern: "(" },
        [
          expect.stringContaining(
            `${at(".pattern")}: Invalid value: "(": must be a valid regular expression, but isn't: `,
          ) as unknown as string,
        ],
      ],
      [
        { type: "integer", default: "x" },
        [`${at(".default")}: Invalid value: "string":  in body must be of type integer: "string"`],
      ],
      [
        { type: "object", default: { x: 1 } },
        [`${at(".default")}: Invalid value: {"x":1}: must not have unknown fields`],
      ],
      [
        {
          type: "array",
          items: object({ n: { type: "string" } }),
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["n"],
        },
        [
          `${at(".items.properties[n].default")}: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
        ],
      ],
      [
        { type: "object", "x-kubernetes-embedded-resource": true },
        [
          `${at(".properties")}: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields`,
        ],
      ],
    ];
    for (const [schema, causes] of table) {
      const reply = await define({ schema: object({ a: schema }) });
      expect(causesOf(reply), JSON.stringify(schema)).toEqual(causes);
    }
    const intOrString = { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] };
    expect((await define({ schema: object({ a: intOrString, metadata: { type: "object" } }) })).code).toBe(201);
  });

  it("are read whole: schemas of items and values of maps are schemas too", async () => {
    const { call } = await startCluster();
    const post = (a: object, query = "") =>
      call(`${DEFINITIONS_PATH}${query}`, { method: "POST", body: definitionOf({ schema: object({ a }) }) });
    const wrong = await post({ type: "array", items: { type: "object", properties: "none" } });
    expect([wrong.code, wrong.body.message]).toEqual([400, expect.stringContaining("cannot unmarshal string")]);
    const unknown = { type: "object", additionalProperties: { type: "string", foo: 1 } };
    expect((await post(unknown, "?fieldValidation=Strict")).body.message).toContain(
      'unknown field "spec.versions[0].schema.openAPIV3Schema.properties.a.additionalProperties.foo"',
    );
    const { spec } = (await post({ type: "array", items: { type: "string", foo: 1 } })).body;
    expect(spec.versions[0].schema.openAPIV3Schema.properties.a.items).toEqual({ type: "string" });
  });

  it("keep their names, and the versions that objects are stored in", async () => {
    const { define, call, patch, clock } = await startCluster();
    const at = `${DEFINITIONS_PATH}/widgets.example.com`;
    const made = (await define({ versions: [served("v1", true), served("v2", false)] })).body;
    expect(made.status.storedVersions).toEqual(["v1"]);
    expect([made.metadata.finalizers, made.spec.names, made.spec.conversion]).toEqual([
      undefined,
      { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
      { strategy: "None" },
    ]);
    await clock.settled();
    expect(causesOf(await patch(at, { spec: { scope: "Cluster" } }))).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
    ]);
    const moved = await patch(at, { spec: { versions: [served("v1", false), served("v2", true)] } });
    expect(moved.body.status.storedVersions).toEqual(["v1", "v2"]);
    expect(causesOf(await patch(at, { spec: { versions: [served("v2", true)] } }))[0]).toContain(
      'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions; v1 was previously a storage version',
    );
    await patch(`${at}/status`, { status: { storedVersions: ["v2"] } });
    expect((await patch(at, { spec: { versions: [served("v2", true)] } })).code).toBe(200);
    expect((await call("/apis/example.com/v1")).code).toBe(404);
  });

  it("share no names within a group: the second waits until the first lets go", async () => {
    const { define, call, clock } = await startCluster();
    const conditionsOf = async (name: string): Promise<Record<string, Condition>> => {
      await clock.settled();
      const { status } = (await call(`${DEFINITIONS_PATH}/${name}`)).body;
      return Object.fromEntries((status.conditions as Condition[]).map((condition) => [condition.type, condition]));
    };
    await define({ names: { shortNames: ["wd"] } });
    await define({ plural: "others", kind: "Widget", names: { shortNames: ["wd"] } });
    expect(await conditionsOf("others.example.com")).toMatchObject({
      NamesAccepted: { status: "False", reason: "ListKindConflict", message: '"WidgetList" is already in use' },
      Established: { status: "False", reason: "NotAccepted", message: "not all names are accepted" },
    });
    expect((await call("/apis/example.com/v1/others")).code).toBe(404);
    await call(`${DEFINITIONS_PATH}/widgets.example.com`, { method: "DELETE" });
    expect(await conditionsOf("others.example.com")).toMatchObject({
      NamesAccepted: { status: "True", reason: "NoConflicts" },
      Established: { status: "True", reason: "InitialNamesAccepted" },
    });
    expect((await call("/apis/example.com/v1/others")).code).toBe(200);
  });

  it("take no new objects while they are going, and end the watches of what they were", async () => {
    const { define, create, call, patch, watch, clock } = await startCluster();
    await define();
    await create({ metadata: { name: "held", finalizers: ["example.com/hold"] } });
    const watching = await watch("/apis/example.com/v1/widgets?watch=true");
    await watching.received(1);
    const gone = await call(`${DEFINITIONS_PATH}/widgets.example.com`, { method: "DELETE" });
    expect(gone.body.metadata.finalizers).toEqual(["customresourcecleanup.apiextensions.k8s.io"]);
    await watching.ended();
    await clock.settled();
    const refused = await create({ metadata: { name: "late" } });
    expect([refused.code, refused.body.message]).toEqual([
      405,
      "create not allowed while custom resource definition is terminating",
    ]);
    await patch("/apis/example.com/v1/namespaces/default/widgets/held", { metadata: { finalizers: null } });
    await clock.settled();
    expect((await call(`${DEFINITIONS_PATH}/widgets.example.com`)).code).toBe(404);
    expect((await call("/apis/example.com/v1/widgets")).code).toBe(404);
  });

  it("answer what their status is told, beside their own conditions", async () => {
    const { define, call, patch, clock } = await startCluster();
    await define();
    await clock.settled();
    const at = `${DEFINITIONS_PATH}/widgets.example.com/status`;
    const present = (await call(at)).body;
    expect(present.status.conditions.map(({ type }: Condition) => type)).toEqual(["NamesAccepted", "Established"]);
    const conditions = [...present.status.conditions, { message: "updated" }];
    const updated = await call(at, { method: "PUT", body: { ...present, status: { ...present.status, conditions } } });
    expect(updated.body.status.conditions).toContainEqual({ message: "updated" });
    const patched = await patch(
      at,
      [{ op: "add", path: "/status/conditions", value: [{ message: "patched" }] }],
      "json-patch+json",
    );
    expect(patched.body.status.conditions).toEqual([{ message: "patched" }]);
    await clock.settled();
    expect((await call(at)).body.status.conditions.length).toBe(3);
    const one = definitionOf({ plural: "gears", kind: "Gear", metadata: { labels: { a: "b" } } });
    await call(DEFINITIONS_PATH, { method: "POST", body: one });
    await call(`${DEFINITIONS_PATH}?labelSelector=a%3Db`, { method: "DELETE" });
    await clock.settled();
    expect(
      (await call(DEFINITIONS_PATH)).body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name),
    ).toEqual(["widgets.example.com"]);
  });

  it("come in discovery as soon as they are there, in both of its forms", async () => {
    const { define, call } = await startCluster();
    await define({ version: { subresources: { status: {} } }, names: { shortNames: ["wd"], categories: ["all"] } });
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    const { items } = (await call("/apis", { headers: { accept } })).body;
    const group = items.find(({ metadata }: { metadata: { name: string } }) => metadata.name === "example.com");
    expect(group.versions).toMatchObject([
      {
        version: "v1",
        freshness: "Current",
        resources: [
          {
            resource: "widgets",
            scope: "Namespaced",
            singularResource: "widget",
            shortNames: ["wd"],
            categories: ["all"],
            responseKind: { group: "example.com", version: "v1", kind: "Widget" },
            subresources: [{ subresource: "status" }],
          },
        ],
      },
    ]);
    expect((await call("/apis/example.com/v1")).body.resources.map(({ name }: { name: string }) => name)).toEqual([
      "widgets",
      "widgets/status",
    ]);
  });
});
