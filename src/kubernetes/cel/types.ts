/** The types of CEL as Kubernetes uses it: how they are made, printed and compared. */

export type PrimitiveKind =
  | "bool"
  | "int"
  | "uint"
  | "double"
  | "string"
  | "bytes"
  | "null"
  | "timestamp"
  | "duration"
  | "dyn"
  | "error"
  | "type";

export interface PrimitiveType {
  readonly kind: PrimitiveKind;
  /** Strings and bytes: the most characters there can be, for cost estimates. */
  readonly max?: number;
}
export interface ListType {
  readonly kind: "list";
  readonly element: CelType;
  /** The most items there can be, for cost estimates. */
  readonly max?: number;
}
export interface MapType {
  readonly kind: "map";
  readonly key: CelType;
  readonly value: CelType;
  readonly max?: number;
}
export interface ObjectField {
  /** The name in the JSON object: what stands in an expression is escaped. */
  readonly json: string;
  readonly type: CelType;
}
/** A type with declared fields, made from a schema. */
export interface ObjectType {
  readonly kind: "object";
  /** As in messages and in `Object.spec{...}`. */
  readonly name: string;
  /** The field that an expression calls `name`, undefined when there is none. */
  field(name: string): ObjectField | undefined;
}
export interface OptionalType {
  readonly kind: "optional";
  readonly value: CelType;
}
/** Values that only functions look into, such as `kubernetes.Quantity`. */
export interface OpaqueType {
  readonly kind: "opaque";
  readonly name: string;
}
export interface ParamType {
  readonly kind: "param";
  readonly name: string;
}

export type CelType = PrimitiveType | ListType | MapType | ObjectType | OptionalType | OpaqueType | ParamType;

const primitive = (kind: PrimitiveKind): PrimitiveType => ({ kind });

export const BOOL = primitive("bool");
export const INT = primitive("int");
export const UINT = primitive("uint");
export const DOUBLE = primitive("double");
export const STRING = primitive("string");
export const BYTES = primitive("bytes");
export const NULL = primitive("null");
export const TIMESTAMP = primitive("timestamp");
export const DURATION = primitive("duration");
export const DYN = primitive("dyn");
export const ERROR = primitive("error");
export const TYPE = primitive("type");

export const listOf = (element: CelType, max?: number): ListType => ({
  kind: "list",
  element,
  ...(max === undefined ? {} : { max }),
});
export const mapOf = (key: CelType, value: CelType, max?: number): MapType => ({
  kind: "map",
  key,
  value,
  ...(max === undefined ? {} : { max }),
});
export const optionalOf = (value: CelType): OptionalType => ({ kind: "optional", value });
export const opaque = (name: string): OpaqueType => ({ kind: "opaque", name });

/** A type with the fields of a table; `name` defaults to nothing that an expression can say. */
export const objectOf = (name: string, fields: Readonly<Record<string, CelType>>): ObjectType => ({
  kind: "object",
  name,
  field: (field) => {
    const type = Object.hasOwn(fields, field) ? fields[field] : undefined;
    return type && { json: field, type };
  },
});

export function formatType(type: CelType): string {
  switch (type.kind) {
    case "list":
      return `list(${formatType(type.element)})`;
    case "map":
      return `map(${formatType(type.key)}, ${formatType(type.value)})`;
    case "optional":
      return `optional_type(${formatType(type.value)})`;
    case "object":
    case "opaque":
    case "param":
      return type.name;
    case "timestamp":
      return "timestamp";
    case "error":
      return "!error!";
    default:
      return type.kind;
  }
}

/** Parses `list(A)`, `map(string, dyn)`, `optional_type(T)`, `kubernetes.URL`: how functions.ts writes signatures. Upper-case single letters are parameters. */
export function parseType(text: string): CelType {
  const name = text.trim();
  const open = name.indexOf("(");
  if (open >= 0) {
    const inside = splitArguments(name.slice(open + 1, -1));
    const [first = "dyn", second = "dyn"] = inside;
    switch (name.slice(0, open)) {
      case "list":
        return listOf(parseType(first));
      case "map":
        return mapOf(parseType(first), parseType(second));
      case "optional_type":
        return optionalOf(parseType(first));
      default:
        return TYPE;
    }
  }
  switch (name) {
    case "bool":
    case "int":
    case "uint":
    case "double":
    case "string":
    case "bytes":
    case "null":
    case "timestamp":
    case "duration":
    case "dyn":
    case "type":
      return { kind: name };
    default:
      return /^[A-Z]$/.test(name) ? { kind: "param", name } : opaque(name);
  }
}

/** Splits at the commas that are not inside parentheses. */
export function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(") depth++;
    else if (text[i] === ")") depth--;
    else if (text[i] === "," && depth === 0) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  const last = text.slice(from);
  return last.trim() === "" && parts.length === 0 ? [] : [...parts, last];
}

/** What type parameters stand for within one check. */
export class Substitution {
  readonly #bound = new Map<string, CelType>();
  #fresh = 0;

  /** The signature's types with parameters that belong to this call alone. */
  instantiate(types: readonly CelType[]): CelType[] {
    const names = new Map<string, string>();
    const rename = (type: CelType): CelType => {
      switch (type.kind) {
        case "param": {
          let name = names.get(type.name);
          if (name === undefined) {
            name = `%${this.#fresh++}`;
            names.set(type.name, name);
          }
          return { kind: "param", name };
        }
        case "list":
          return listOf(rename(type.element));
        case "map":
          return mapOf(rename(type.key), rename(type.value));
        case "optional":
          return optionalOf(rename(type.value));
        default:
          return type;
      }
    };
    return types.map(rename);
  }

  fresh(): ParamType {
    return { kind: "param", name: `%${this.#fresh++}` };
  }

  resolve(type: CelType): CelType {
    if (type.kind !== "param") return type;
    const bound = this.#bound.get(type.name);
    return bound ? this.resolve(bound) : type;
  }

  /** The type with every parameter replaced; `dyn` where nothing is known. */
  close(type: CelType): CelType {
    const found = this.resolve(type);
    switch (found.kind) {
      case "param":
        return DYN;
      case "list":
        return listOf(this.close(found.element), found.max);
      case "map":
        return mapOf(this.close(found.key), this.close(found.value), found.max);
      case "optional":
        return optionalOf(this.close(found.value));
      default:
        return found;
    }
  }

  /** True when a value of type `from` can stand where `to` is wanted; binds parameters on the way. */
  assignable(to: CelType, from: CelType): boolean {
    const target = this.resolve(to);
    const source = this.resolve(from);
    if (target === source) return true;
    if (target.kind === "param") {
      if (source.kind === "param" && source.name === target.name) return true;
      if (this.#occurs(target.name, source)) return false;
      this.#bound.set(target.name, source);
      return true;
    }
    if (source.kind === "param") {
      if (this.#occurs(source.name, target)) return false;
      this.#bound.set(source.name, target);
      return true;
    }
    if (target.kind === "dyn" || source.kind === "dyn" || source.kind === "error" || target.kind === "error")
      return true;
    // null stands for an absent message, timestamp or duration.
    if (source.kind === "null")
      return ["null", "object", "opaque", "timestamp", "duration", "optional"].includes(target.kind);
    switch (target.kind) {
      case "list":
        return source.kind === "list" && this.assignable(target.element, source.element);
      case "map":
        return (
          source.kind === "map" &&
          this.assignable(target.key, source.key) &&
          this.assignable(target.value, source.value)
        );
      case "optional":
        return source.kind === "optional" && this.assignable(target.value, source.value);
      case "object":
      case "opaque":
        return source.kind === target.kind && source.name === target.name;
      default:
        return target.kind === source.kind;
    }
  }

  /** Runs `attempt`; what it bound is forgotten when it says no. */
  attempt(attempt: () => boolean): boolean {
    const before = new Map(this.#bound);
    if (attempt()) return true;
    this.#bound.clear();
    for (const [name, type] of before) this.#bound.set(name, type);
    return false;
  }

  #occurs(name: string, type: CelType): boolean {
    const found = this.resolve(type);
    switch (found.kind) {
      case "param":
        return found.name === name;
      case "list":
        return this.#occurs(name, found.element);
      case "map":
        return this.#occurs(name, found.key) || this.#occurs(name, found.value);
      case "optional":
        return this.#occurs(name, found.value);
      default:
        return false;
    }
  }
}
