/** A protobuf encoder for tests, written against the same layout table: what it writes, the decoder must read back. */
import { type ProtoField, type ProtoMessage, protoMessage } from "../../../src/kubernetes/schema/proto.js";
import type { FieldType } from "../../../src/kubernetes/schema/schema.js";

const varint = (value: number | bigint): Buffer => {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
};

export const lengthField = (number: number, payload: Buffer): Buffer =>
  Buffer.concat([varint((number << 3) | 2), varint(payload.length), payload]);
export const varintField = (number: number, value: number | bigint): Buffer =>
  Buffer.concat([varint(number << 3), varint(value)]);
export const textField = (number: number, text: string): Buffer => lengthField(number, Buffer.from(text));

const timestamp = (text: string): Buffer => {
  const ms = Date.parse(text);
  const micros = Number((/\.(\d{6})/.exec(text)?.[1] ?? "0").slice(0, 6));
  return Buffer.concat([varintField(1, Math.floor(ms / 1000)), varintField(2, micros * 1000)]);
};

function valueField(number: number, type: FieldType, value: unknown): Buffer {
  if (type.kind === "ref")
    return lengthField(number, encodeMessage(protoMessage(type.ref) as ProtoMessage, value as Record<string, unknown>));
  if (type.kind !== "scalar") throw new Error(`no form for ${type.kind}`);
  switch (type.scalar) {
    case "string":
      return textField(number, value as string);
    case "bytes":
      return lengthField(number, Buffer.from(value as string, "base64"));
    case "int32":
    case "int64":
      return varintField(number, value as number);
    case "boolean":
      return varintField(number, value ? 1 : 0);
    case "double":
    case "number": {
      const payload = Buffer.alloc(8);
      payload.writeDoubleLE(value as number);
      return Buffer.concat([varint((number << 3) | 1), payload]);
    }
    case "time":
    case "microtime":
      return lengthField(number, timestamp(value as string));
    case "int-or-string":
      return lengthField(
        number,
        typeof value === "string"
          ? Buffer.concat([varintField(1, 1), varintField(2, 0), textField(3, value)])
          : Buffer.concat([varintField(1, 0), varintField(2, value as number), textField(3, "")]),
      );
    case "quantity":
      return lengthField(number, textField(1, value as string));
    case "any":
      return lengthField(number, textField(1, JSON.stringify(value)));
  }
}

const schemaPayload = (number: number, schema: unknown): Buffer =>
  lengthField(
    number,
    encodeMessage(protoMessage("JSONSchemaProps") as ProtoMessage, schema as Record<string, unknown>),
  );

function specialPayload(special: NonNullable<ProtoField["special"]>, value: unknown): Buffer {
  switch (special) {
    case "string-list":
      return Buffer.concat((value as string[]).map((item) => textField(1, item)));
    case "schema-or-array":
      return Array.isArray(value)
        ? Buffer.concat(value.map((item) => schemaPayload(2, item)))
        : schemaPayload(1, value);
    case "schema-or-bool":
      return typeof value === "boolean"
        ? varintField(1, value ? 1 : 0)
        : Buffer.concat([varintField(1, 1), schemaPayload(2, value)]);
    case "schema-or-strings":
      return Array.isArray(value)
        ? Buffer.concat(value.map((item: string) => textField(2, item)))
        : schemaPayload(1, value);
  }
}

function encodeField(number: number, { type, special }: ProtoField, value: unknown): Buffer[] {
  if (type.kind === "list") return (value as unknown[]).map((item) => valueField(number, type.item, item));
  if (type.kind === "map") {
    return Object.entries(value as Record<string, unknown>).map(([key, entry]) => {
      const payload = special ? lengthField(2, specialPayload(special, entry)) : valueField(2, type.value, entry);
      return lengthField(number, Buffer.concat([textField(1, key), payload]));
    });
  }
  return [special ? lengthField(number, specialPayload(special, value)) : valueField(number, type, value)];
}

export function encodeMessage(message: ProtoMessage, object: Record<string, unknown>): Buffer {
  const parts: Buffer[] = [];
  for (const [number, field] of message) {
    if ("inlined" in field) parts.push(lengthField(number, encodeMessage(field.inlined, object)));
    else if (object[field.name] !== undefined) parts.push(...encodeField(number, field, object[field.name]));
  }
  return Buffer.concat(parts);
}

/** An object of a type in its envelope, as a client sends it. */
export function encodeObject(
  type: string,
  { apiVersion, kind, ...fields }: Record<string, unknown> & { apiVersion: string; kind: string },
): Buffer {
  const raw = encodeMessage(protoMessage(type) as ProtoMessage, fields);
  const meta = Buffer.concat([textField(1, apiVersion), textField(2, kind)]);
  return Buffer.concat([
    Buffer.from("k8s\0"),
    lengthField(1, meta),
    lengthField(2, raw),
    textField(3, ""),
    textField(4, ""),
  ]);
}
