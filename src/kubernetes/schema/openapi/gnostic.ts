/**
 * OpenAPI version 2 as the protobuf message `openapi.v2.Document`, the form in which kubectl and Helm read it. Each table below is a message of that schema: the
 * members of the JSON document by name, with the number of their field and how their value is written. Members that the schema does not know are left out.
 */

type Json = Readonly<Record<string, unknown>>;
type Writer = (value: unknown) => Buffer;
/** How a member is written into the message: the bytes of its fields, tags included. */
type Field = (value: unknown) => Buffer[];
type Message = Readonly<Record<string, Field>>;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}

const tag = (number: number, wire: number): Buffer => varint(number * 8 + wire);
const delimited = (number: number, bytes: Buffer): Buffer[] => [tag(number, BYTES), varint(bytes.length), bytes];

const field =
  (number: number, write: Writer): Field =>
  (value) =>
    delimited(number, write(value));
const many =
  (number: number, write: Writer): Field =>
  (value) =>
    (Array.isArray(value) ? value : [value]).flatMap((item) => delimited(number, write(item)));
const flag =
  (number: number): Field =>
  (value) =>
    value === true ? [tag(number, VARINT), varint(1)] : [];
const integer =
  (number: number): Field =>
  (value) => [tag(number, VARINT), varint(Math.max(0, Number(value)))];
const double =
  (number: number): Field =>
  (value) => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(Number(value));
    return [tag(number, FIXED64), bytes];
  };

const text: Writer = (value) => Buffer.from(String(value));
/** `Any` holds YAML, which JSON is. */
const any: Writer = (value) => Buffer.concat(delimited(2, text(JSON.stringify(value))));
const named = (name: string, value: Buffer): Buffer =>
  Buffer.concat([...delimited(1, text(name)), ...delimited(2, value)]);
/** A map, as messages with name and value in one repeated field. */
const map =
  (number: number, write: Writer): Writer =>
  (value) =>
    Buffer.concat(Object.entries(value as Json).flatMap(([name, item]) => delimited(number, named(name, write(item)))));

/** `extensions`: the number of the field for members that begin with `x-`. Tables that know themselves are given as functions. */
function message(members: () => Message, extensions: number): Writer {
  return (value) => {
    const known = members();
    return Buffer.concat(
      Object.entries(value as Json).flatMap(([name, item]) => {
        if (name.startsWith("x-")) return delimited(extensions, named(name, any(item)));
        return Object.hasOwn(known, name) ? (known[name] as Field)(item) : [];
      }),
    );
  };
}

const schema: Writer = message(() => SCHEMA, 31);
const SCHEMA: Message = {
  $ref: field(1, text),
  format: field(2, text),
  title: field(3, text),
  description: field(4, text),
  default: field(5, any),
  multipleOf: double(6),
  maximum: double(7),
  exclusiveMaximum: flag(8),
  minimum: double(9),
  exclusiveMinimum: flag(10),
  maxLength: integer(11),
  minLength: integer(12),
  pattern: field(13, text),
  maxItems: integer(14),
  minItems: integer(15),
  uniqueItems: flag(16),
  maxProperties: integer(17),
  minProperties: integer(18),
  required: many(19, text),
  enum: many(20, any),
  additionalProperties: field(21, (value) =>
    typeof value === "boolean" ? Buffer.concat(flag(2)(value)) : Buffer.concat(delimited(1, schema(value))),
  ),
  type: field(22, (value) => Buffer.concat(many(1, text)(value))),
  items: field(23, (value) => Buffer.concat(many(1, schema)(value))),
  allOf: many(24, schema),
  properties: field(25, map(1, schema)),
  readOnly: flag(27),
  example: field(30, any),
};

const BODY: Message = {
  description: field(1, text),
  name: field(2, text),
  in: field(3, text),
  required: flag(4),
  schema: field(5, schema),
};
const NON_BODY: Message = {
  required: flag(1),
  in: field(2, text),
  description: field(3, text),
  name: field(4, text),
};
const bodyParameter = message(() => BODY, 6);
const queryParameter = message(
  () => ({ ...NON_BODY, type: field(6, text), format: field(7, text), uniqueItems: flag(20) }),
  23,
);
const pathParameter = message(
  () => ({ ...NON_BODY, type: field(5, text), format: field(6, text), uniqueItems: flag(19) }),
  22,
);

const parameter: Writer = (value) => {
  const place = (value as Json).in;
  if (place === "body") return Buffer.concat(delimited(1, bodyParameter(value)));
  const inner = place === "path" ? delimited(4, pathParameter(value)) : delimited(3, queryParameter(value));
  return Buffer.concat(delimited(2, Buffer.concat(inner)));
};
const reference: Writer = (value) => Buffer.concat(delimited(1, text((value as Json).$ref)));
const parametersItem: Writer = (value) =>
  Buffer.concat("$ref" in (value as Json) ? delimited(2, reference(value)) : delimited(1, parameter(value)));

const response = message(
  () => ({
    description: field(1, text),
    schema: field(2, (value) => Buffer.concat(delimited(1, schema(value)))),
  }),
  5,
);
const responseValue: Writer = (value) => Buffer.concat(delimited(1, response(value)));

const operation = message(
  () => ({
    tags: many(1, text),
    description: field(3, text),
    operationId: field(5, text),
    produces: many(6, text),
    consumes: many(7, text),
    parameters: many(8, parametersItem),
    responses: field(9, map(1, responseValue)),
    schemes: many(10, text),
    deprecated: flag(11),
  }),
  13,
);
const pathItem = message(
  () => ({
    get: field(2, operation),
    put: field(3, operation),
    post: field(4, operation),
    delete: field(5, operation),
    options: field(6, operation),
    head: field(7, operation),
    patch: field(8, operation),
    parameters: many(9, parametersItem),
  }),
  10,
);
const info = message(() => ({ title: field(1, text), version: field(2, text) }), 7);
const apiKey = message(
  () => ({ type: field(1, text), name: field(2, text), in: field(3, text), description: field(4, text) }),
  5,
);
const document = message(
  () => ({
    swagger: field(1, text),
    info: field(2, info),
    paths: field(8, map(2, pathItem)),
    definitions: field(9, map(1, schema)),
    parameters: field(10, map(1, parameter)),
    security: many(
      12,
      map(1, (scopes) => Buffer.concat(many(1, text)(scopes))),
    ),
    securityDefinitions: field(
      13,
      map(1, (value) => Buffer.concat(delimited(2, apiKey(value)))),
    ),
  }),
  16,
);

/** The whole document as protobuf. `json` is its JSON text. */
export const gnosticDocument = (json: string): Buffer => document(JSON.parse(json));
