import { describe, expect, it } from "vitest";
import { configurationSchema } from "../../../src/domain/addons/configuration.js";
import { addonObjects } from "../../../src/domain/addons/index.js";
import { type JsonSchema, schemaProblems } from "../../../src/domain/addons/json-schema.js";
import { addons, defaultAddonVersion } from "../../../src/domain/catalogue/addons.js";

const NAMES = addons().map(({ name }) => name);

const objectsOf = (name: string, configuration: Record<string, unknown> = {}) =>
  addonObjects({
    name,
    version: defaultAddonVersion(name, "1.36") ?? "",
    region: "us-east-1",
    server: "https://127.0.0.1:1",
    serviceCidr: "10.100.0.0/16",
    configuration,
  });

/** Members by which objects are known that are one value. */
const LEAVES = ["requests", "maxUnavailable", "create"];

/** Every place of a schema where a value may stand, with a value that fits there and is nobody's default. */
function samples(schema: JsonSchema, path: string[] = []): [path: string, value: Record<string, unknown>][] {
  const { properties } = schema;
  const isBranch = properties !== undefined && !LEAVES.some((name) => name in properties);
  if (isBranch) return Object.entries(properties).flatMap(([name, inner]) => samples(inner, [...path, name]));
  const wrapped = path.reduceRight<unknown>((value, name) => ({ [name]: value }), sampleOf(schema));
  return [[path.join("."), wrapped as Record<string, unknown>]];
}

function sampleOf(schema: JsonSchema): unknown {
  if (schema.enum) return schema.enum.at(0) === "true" ? "true" : schema.enum.at(-1);
  if (schema.properties?.requests) return { requests: { cpu: "333m" } };
  if (schema.properties?.create) return { create: true, region: "us-east-1", subnets: { a: { id: "subnet-1" } } };
  if (schema.properties?.maxUnavailable) return { minAvailable: 1 };
  switch ([schema.type].flat()[0]) {
    case "object":
      return { example: "yes" };
    case "array":
      return [{ key: "example" }];
    case "integer":
      return 7;
    case "boolean":
      return schema.default !== true;
    default:
      return "example";
  }
}

describe.each(NAMES)("the objects of %s", (name) => {
  it("include a workload, run EKS's images, and have names of their own", () => {
    const objects = objectsOf(name).map(({ object }) => object);
    expect(objects.some(({ kind }) => kind === "Deployment" || kind === "DaemonSet")).toBe(true);
    const keys = objects.map(({ kind, metadata }) => `${kind} ${metadata.namespace} ${metadata.name}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(JSON.stringify(objects)).toContain("602401143452.dkr.ecr.us-east-1.amazonaws.com/");
  });

  it.each(samples(configurationSchema(name)))("change with the setting %s", (_, values) => {
    expect(schemaProblems(configurationSchema(name), values)).toEqual([]);
    expect(objectsOf(name, values)).not.toEqual(objectsOf(name));
  });
});

describe("a schema", () => {
  const schema: JsonSchema = {
    type: "object",
    properties: {
      count: { type: "integer", minimum: 0 },
      ratio: { type: "number" },
      size: { type: ["integer", "string"] },
      mode: { type: "string", enum: ["a", "b"] },
      items: { type: "array", items: { type: "object", additionalProperties: { type: "string" } } },
    },
    additionalProperties: false,
  };

  it.each<[unknown, string[]]>([
    [{ count: 1, ratio: 2, size: "10%", mode: "a", items: [{ x: "y" }] }, []],
    [{ count: 1.5 }, ["$.count: number found, integer expected"]],
    [{ count: -1 }, ["$.count: must have a minimum value of 0"]],
    [{ size: true }, ["$.size: boolean found, [integer, string] expected"]],
    [{ mode: "c" }, ["$.mode: does not have a value in the enumeration [a, b]"]],
    [{ items: [{}, { x: 1 }] }, ["$.items[1].x: integer found, string expected"]],
    [{ toString: 1 }, ["$.toString: is not defined in the schema and the schema does not allow additional properties"]],
    [null, ["$: null found, object expected"]],
  ])("finds in %j what is wrong", (value, problems) => {
    expect(schemaProblems(schema, value)).toEqual(problems);
  });
});
