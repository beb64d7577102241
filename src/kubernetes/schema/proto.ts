/**
 * Protobuf layout of the built-in types: which field number carries which field. Generated (generated/proto.json) and compiled type by type on first use;
 * what a number's bytes mean follows from the field's type in the schema.
 */
import { readFileSync } from "node:fs";
import { type FieldType, typeOf } from "./schema.js";

/** Forms whose JSON differs from their message: a list of strings wrapped in a message, and the unions inside of JSON schemas. */
export type SpecialForm = "string-list" | "schema-or-array" | "schema-or-bool" | "schema-or-strings";

export interface ProtoField {
  readonly name: string;
  readonly type: FieldType;
  /**
   * True where a zero value on the wire was set on purpose (pointers) or is always shown (fields without omitempty). Everywhere else clients write zero
   * values of fields that they never set, and those must not appear in the object.
   */
  readonly keepZero: boolean;
  readonly special?: SpecialForm;
}

/** A struct that Go embeds: its fields stand in a message of their own, but in JSON among those of the struct around it. */
export interface InlinedMessage {
  readonly inlined: ProtoMessage;
}

export type ProtoMessage = ReadonlyMap<number, ProtoField | InlinedMessage>;

type CodedMessage = { [number: string]: string | [name: string, special: SpecialForm] | CodedMessage };

let coded: Readonly<Record<string, CodedMessage>> | undefined;
const compiled = new Map<string, ProtoMessage>();

/** Layout of a built-in type; undefined for a name that has none. */
export function protoMessage(typeName: string): ProtoMessage | undefined {
  const known = compiled.get(typeName);
  if (known) return known;
  coded ??= JSON.parse(readFileSync(new URL("./generated/proto.json", import.meta.url), "utf8")) as Record<
    string,
    CodedMessage
  >;
  const source = Object.hasOwn(coded, typeName) ? coded[typeName] : undefined;
  if (!source) return undefined;
  const message = compile(typeName, source);
  compiled.set(typeName, message);
  return message;
}

function compile(typeName: string, source: CodedMessage): ProtoMessage {
  const fields = new Map<number, ProtoField | InlinedMessage>();
  for (const [number, code] of Object.entries(source)) {
    if (typeof code === "object" && !Array.isArray(code)) {
      fields.set(Number(number), { inlined: compile(typeName, code) });
      continue;
    }
    const [marked, special] = typeof code === "string" ? [code, undefined] : code;
    const keepZero = marked.endsWith("?");
    const name = keepZero ? marked.slice(0, -1) : marked;
    const type = typeOf(typeName)?.fields.get(name)?.type;
    // Fields that the published schema has dropped (gates that have gone) are still numbered; they decode to nothing.
    if (type) fields.set(Number(number), { name, type, keepZero, ...(special ? { special } : {}) });
  }
  return fields;
}
