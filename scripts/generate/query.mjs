// Generates the model tables of the services that speak the aws-query protocol (STS, IAM) from the schemas that their SDK clients export.
// Output: src/api/model/generated/<service>.json and <service>.ts, in the form of those of EKS; errors have the code that is on the wire.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { enumMembers, KIND, renderJson, renderTypes, resolve, SIMPLE, sorted } from "./eks.mjs";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const OUT = "src/api/model/generated";
const SERVICES = ["sts", "iam"];

/** Enums come as objects of texts. */
function enumsOf(sdk) {
  const isEnum = (value) =>
    value?.constructor === Object &&
    Object.values(value).length > 0 &&
    Object.values(value).every((v) => typeof v === "string");
  return Object.fromEntries(
    Object.entries(sdk)
      .filter(([name, value]) => /^[A-Za-z]/.test(name) && isEnum(value))
      .map(([name, value]) => [name, Object.values(value).sort()]),
  );
}

function readModel(sdk, service) {
  const [operations, shapes, errors] = [{}, {}, {}];
  const enums = enumsOf(sdk);
  const enumOf = enumMembers(enums, join(ROOT, "node_modules/@aws-sdk", `client-${service}`));

  const typeOf = (schema, path) => {
    // What has traits comes as a pair; lists and structures have more elements.
    const value = resolve(Array.isArray(schema) && schema.length <= 3 ? schema[0] : schema);
    if (typeof value === "number") {
      if (value & 128)
        return { type: "map", key: typeOf(0, `${path}{key}`), value: typeOf(value & 63, `${path}{value}`) };
      if (value & 64) return { type: "list", of: typeOf(value & 63, `${path}[]`) };
      const type = SIMPLE[value];
      if (type === undefined) throw new Error(`${path}: unknown simple schema ${value}`);
      const enumName = enumOf[path.replace(/\[\]$/, "")];
      return { type, ...(enumName ? { enum: enumName } : {}) };
    }
    const [kind, , name] = value;
    if (kind === 0) return typeOf(value[4], path);
    if (kind === KIND.list) return { type: "list", of: typeOf(value[4], `${path}[]`) };
    if (kind === KIND.map)
      return { type: "map", key: typeOf(value[4], `${path}{key}`), value: typeOf(value[5], `${path}{value}`) };
    if (kind !== KIND.structure && kind !== KIND.union) throw new Error(`${path}: unknown schema kind ${kind}`);
    addStructure(value);
    return { type: "structure", shape: name };
  };

  function addStructure([, , name, , members = [], schemas = [], requiredCount = 0]) {
    if (shapes[name]) return;
    shapes[name] = {};
    for (const [index, member] of members.entries()) {
      shapes[name][member] = {
        ...typeOf(schemas[index], `${name}.${member}`),
        ...(index < requiredCount ? { required: true } : {}),
      };
    }
  }

  for (const schema of Object.values(sdk)) {
    if (!Array.isArray(schema) || typeof schema[2] !== "string") continue;
    const [kind, namespace, name, traits] = schema;
    if (kind === KIND.error && namespace === `com.amazonaws.${service}`) {
      const [code, status] = traits.awsQueryError ?? [name, traits.httpError];
      errors[code] = { status };
    }
    if (kind !== KIND.operation) continue;
    const [input, output] = [resolve(schema[4]), resolve(schema[5])];
    // Operations without input or output have a unit in its place.
    const named = (shape) => (shape[1] === `com.amazonaws.${service}` ? shape[2] : undefined);
    operations[name] = { input: named(input) ?? "Unit", output: named(output) ?? "Unit" };
    for (const shape of [input, output]) addStructure(named(shape) ? shape : [0, 0, "Unit", 0, [], []]);
  }
  return { operations: sorted(operations), shapes: sorted(shapes), enums: sorted(enums), errors: sorted(errors) };
}

/** Path (from the repository's root) -> content. */
export async function generateQuery() {
  const files = {};
  for (const service of SERVICES) {
    const model = readModel(await import(`@aws-sdk/client-${service}`), service);
    files[`${OUT}/${service}.json`] = renderJson(model);
    files[`${OUT}/${service}.ts`] = renderTypes(model, { script: "query", sdk: `client-${service}` });
  }
  return files;
}
