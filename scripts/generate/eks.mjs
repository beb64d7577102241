// Generates the EKS model tables from the schemas, enums and declarations that @aws-sdk/client-eks exports.
// Output: src/api/model/generated/eks.json (operations, shapes, enums, errors) and operations.ts (the same as TypeScript types, so that
// neither the program nor those who use it as a library need the SDK). What the SDK leaves out (lengths, ranges, patterns) is joined in
// from src/api/model/constraints.json; a constraint whose member has gone fails the run.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as sdk from "@aws-sdk/client-eks";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SDK = join(ROOT, "node_modules/@aws-sdk/client-eks");
const OUT = "src/api/model/generated";

/** Kinds of the SDK's schema tuples: the first element. Errors are negative structures. */
export const KIND = { list: 1, map: 2, structure: 3, union: 4, error: -3, operation: 9 };
/** Simple schemas: a number, with 64 added for a list and 128 for a map of them. */
export const SIMPLE = { 0: "string", 1: "integer", 2: "boolean", 4: "timestamp", 15: "document", 21: "blob" };
/** Traits come as an object or as a bit mask. */
const TRAIT_BITS = { label: 1, idempotencyToken: 4, sensitive: 8 };

export const resolve = (schema) => (typeof schema === "function" ? resolve(schema()) : schema);
export const sorted = (record) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

/** Which enum types which member: only the declarations know. `Structure.member` -> enum name. */
export function enumMembers(enums, sdkFolder = SDK) {
  const found = {};
  const source = ["models_0.d.ts", "errors.d.ts"]
    .map((file) => readFileSync(join(sdkFolder, "dist-types/models", file), "utf8"))
    .join("\n");
  for (const [, structure, body] of source.matchAll(
    /^export (?:interface|declare class) (\w+)[^{]*\{\n([\s\S]*?)^\}/gm,
  )) {
    for (const [, member, type] of body.matchAll(/^ {4}(?:readonly )?(\w+)\??: (.+?)(?: \| undefined)?;$/gm)) {
      const name = type.replace(/\[\]$/, "");
      if (enums[name]) found[`${structure}.${member}`] = name;
    }
  }
  return found;
}

function readModel() {
  const enums = {};
  const operations = {};
  const shapes = {};
  const errors = {};
  for (const [name, value] of Object.entries(sdk)) {
    const isEnum =
      value?.constructor === Object &&
      Object.values(value).length > 0 &&
      Object.values(value).every((v) => typeof v === "string");
    if (isEnum && /^[A-Za-z]/.test(name)) enums[name] = Object.values(value).sort();
  }
  const enumOf = enumMembers(enums);
  const { constraints } = JSON.parse(readFileSync(join(ROOT, "src/api/model/constraints.json"), "utf8"));
  const constraintOf = {};
  for (const { members, ...facts } of Object.values(constraints))
    for (const member of members) constraintOf[member] = facts;
  const unused = new Set(Object.keys(constraintOf));

  const typeOf = (schema, path) => {
    unused.delete(path);
    const facts = constraintOf[path] ?? {};
    const value = resolve(schema);
    if (typeof value === "number") {
      if (value & 128)
        return { type: "map", ...facts, key: typeOf(0, `${path}{key}`), value: typeOf(value & 63, `${path}{value}`) };
      if (value & 64) return { type: "list", ...facts, of: typeOf(value & 63, `${path}[]`) };
      const type = SIMPLE[value];
      if (type === undefined) throw new Error(`${path}: unknown simple schema ${value}`);
      const enumName = enumOf[path.replace(/\[\]$/, "")];
      return { type, ...facts, ...(enumName ? { enum: enumName } : {}) };
    }
    const [kind, , name] = value;
    if (kind === 0) return typeOf(value[4], path);
    if (kind === KIND.list) return { type: "list", ...facts, of: typeOf(value[4], `${path}[]`) };
    if (kind === KIND.map)
      return {
        type: "map",
        ...facts,
        key: typeOf(value[4], `${path}{key}`),
        value: typeOf(value[5], `${path}{value}`),
      };
    if (kind !== KIND.structure) throw new Error(`${path}: unknown schema kind ${kind}`);
    addStructure(value);
    return { type: "structure", shape: name };
  };

  const membersOf = ([, , structure, , names, schemas, requiredCount = 0]) =>
    Object.fromEntries(
      names.map((member, index) => {
        const schema = schemas[index];
        const [type, traits] =
          Array.isArray(schema) && (schema.length === 2 || schema.length === 3) ? schema : [schema, 0];
        const location =
          typeof traits === "number"
            ? traits & TRAIT_BITS.label
              ? { in: "path" }
              : {}
            : traits.httpQuery
              ? { in: "query", as: traits.httpQuery }
              : {};
        const has = (bit, name) => (typeof traits === "number" ? (traits & bit) !== 0 : traits[name] === 1);
        return [
          member,
          {
            ...typeOf(type, `${structure}.${member}`),
            ...(index < requiredCount ? { required: true } : {}),
            ...location,
            ...(has(TRAIT_BITS.idempotencyToken, "idempotencyToken") ? { idempotencyToken: true } : {}),
            ...(has(TRAIT_BITS.sensitive, "sensitive") ? { sensitive: true } : {}),
          },
        ];
      }),
    );

  function addStructure(schema) {
    const name = schema[2];
    if (shapes[name]) return;
    shapes[name] = {};
    shapes[name] = membersOf(schema);
  }

  for (const schema of Object.values(sdk)) {
    if (!Array.isArray(schema) || typeof schema[2] !== "string") continue;
    const [kind, namespace, name, traits] = schema;
    if (kind === KIND.error && namespace === "com.amazonaws.eks") {
      errors[name] = { status: traits.httpError, members: schema[4].filter((member) => member !== "message") };
    }
    if (kind !== KIND.operation) continue;
    const [, , , , input, output] = schema;
    addStructure(resolve(input));
    addStructure(resolve(output));
    const [method, uri, status] = traits.http;
    if (status !== 200) throw new Error(`${name}: success status ${status}`);
    operations[name] = { method, uri, input: resolve(input)[2], output: resolve(output)[2] };
  }
  if (unused.size > 0)
    throw new Error(`constraints.json names members that the SDK does not have: ${[...unused].join(", ")}`);
  return { operations: sorted(operations), shapes: sorted(shapes), enums: sorted(enums), errors: sorted(errors) };
}

/** JSON with one line a member, so that a change of the model reads well in a diff. */
export function renderJson(model) {
  const block = (record, renderValue) =>
    Object.entries(record)
      .map(([name, value]) => `    ${JSON.stringify(name)}: ${renderValue(value)}`)
      .join(",\n");
  const flat = (value) => JSON.stringify(value);
  const shape = (members) => {
    const lines = Object.entries(members).map(([name, member]) => `      ${JSON.stringify(name)}: ${flat(member)}`);
    return lines.length === 0 ? "{}" : `{\n${lines.join(",\n")}\n    }`;
  };
  return `{
  "operations": {\n${block(model.operations, flat)}\n  },
  "shapes": {\n${block(model.shapes, shape)}\n  },
  "enums": {\n${block(model.enums, flat)}\n  },
  "errors": {\n${block(model.errors, flat)}\n  }
}
`;
}

const TS_SIMPLE = {
  string: "string",
  integer: "number",
  boolean: "boolean",
  timestamp: "EpochMs",
  document: "unknown",
  blob: "string",
};

export function tsType(type) {
  if (type.type === "list") return /^[\w.]+$/.test(tsType(type.of)) ? `${tsType(type.of)}[]` : `(${tsType(type.of)})[]`;
  if (type.type === "map") return `Record<string, ${tsType(type.value)}>`;
  if (type.type === "structure") return type.shape;
  return type.enum ?? TS_SIMPLE[type.type];
}

export function renderTypes(model, source = { script: "eks", sdk: "client-eks" }) {
  const used = new Set(
    Object.values(model.shapes)
      .flatMap((members) => Object.values(members).flatMap((m) => [m.enum, m.of?.enum]))
      .filter(Boolean),
  );
  const enums = Object.entries(model.enums).filter(([name]) => used.has(name));
  const clash = enums.find(([name]) => model.shapes[name]);
  if (clash) throw new Error(`enum and structure share the name ${clash[0]}`);
  const interfaces = Object.entries(model.shapes).map(([name, members]) => {
    const lines = Object.entries(members).map(
      ([member, type]) => `  ${member}${type.required ? "" : "?"}: ${tsType(type)};`,
    );
    return lines.length === 0
      ? `export type ${name} = Record<string, never>;`
      : `export interface ${name} {\n${lines.join("\n")}\n}`;
  });
  const operations = Object.entries(model.operations).map(
    ([name, { input, output }]) => `  ${name}: (input: ${input}, context: Context) => ${output};`,
  );
  return `// Generated by scripts/generate/${source.script}.mjs from the schemas of @aws-sdk/${source.sdk}. Do not edit.

/** A point in time, milliseconds since the Unix epoch; on the wire it is seconds with a fraction. */
export type EpochMs = number;

${enums.map(([name, values]) => `export type ${name} = ${values.map((v) => JSON.stringify(v)).join(" | ")};`).join("\n")}

${interfaces.join("\n\n")}

/** Behaviour of every operation of the model. */
export interface Operations<Context> {
${operations.join("\n")}
}

export type OperationName = keyof Operations<unknown>;
`;
}

/** Path (from the repository's root) -> content. */
export function generateEks() {
  const model = readModel();
  return { [`${OUT}/eks.json`]: renderJson(model), [`${OUT}/operations.ts`]: renderTypes(model) };
}
