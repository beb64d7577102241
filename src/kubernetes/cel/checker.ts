/** The type checker: resolves names, fields and overloads, and writes down what the interpreter needs to know. */
import type { Overload } from "./functions/declare.js";
import { CelIssue } from "./lexer.js";
import { LIBRARY } from "./library.js";
import type { CallNode, ComprehensionNode, Node, StructNode } from "./nodes.js";
import { typeName } from "./parser.js";
import { compileRegex } from "./regex.js";
import { CelError, TypeValue, Uint } from "./scalars.js";
import { parseDuration, parseTimestamp } from "./times.js";
import {
  BOOL,
  BYTES,
  type CelType,
  DOUBLE,
  DYN,
  formatType,
  INT,
  listOf,
  mapOf,
  NULL,
  type ObjectType,
  optionalOf,
  STRING,
  Substitution,
  TYPE,
  UINT,
} from "./types.js";

export interface CheckEnvironment {
  readonly variables: ReadonlyMap<string, CelType>;
  /** Types that can be written as `Name{field: value}`. */
  structType?(name: string): ObjectType | undefined;
}

/** What checking has found out about the nodes of one expression. */
export interface Checked {
  readonly type: CelType;
  /** The type of every node, parameters replaced. */
  readonly typeOf: (node: Node) => CelType;
  /** The overloads that a call may turn out to be; receiver first among the arguments where there is one. */
  readonly calls: ReadonlyMap<Node, { overloads: readonly Overload[]; args: readonly Node[] }>;
  /** Qualified names that are types or variables. */
  readonly names: ReadonlyMap<Node, { variable: string } | { type: TypeValue }>;
  readonly structs: ReadonlyMap<Node, ObjectType>;
}

/** Types that an expression can name, as values. */
const TYPE_NAMES: ReadonlySet<string> = new Set([
  ..."bool int uint double string bytes list map null_type type optional_type".split(" "),
  ..."google.protobuf.Timestamp google.protobuf.Duration net.IP net.CIDR".split(" "),
  ..."kubernetes.Quantity kubernetes.URL kubernetes.Semver".split(" "),
]);

interface Scope {
  readonly name: string;
  readonly type: CelType;
  readonly outer: Scope | undefined;
}

export const find = (scope: Scope | undefined, name: string): Scope | undefined => {
  for (let at = scope; at; at = at.outer) if (at.name === name) return at;
  return undefined;
};

class Checker {
  readonly issues: CelIssue[] = [];
  readonly types = new Map<Node, CelType>();
  readonly calls = new Map<Node, { overloads: readonly Overload[]; args: readonly Node[] }>();
  readonly names = new Map<Node, { variable: string } | { type: TypeValue }>();
  readonly structs = new Map<Node, ObjectType>();
  readonly substitution = new Substitution();
  /** Above 0 inside arguments of `format`, where lists may hold values of different types. */
  #lenient = 0;

  constructor(readonly environment: CheckEnvironment) {}

  check(node: Node, scope: Scope | undefined): CelType {
    const type = this.#typeOf(node, scope);
    this.types.set(node, type);
    return type;
  }

  #issue(message: string, pos: number): CelType {
    this.issues.push(new CelIssue(message, pos));
    return { kind: "error" };
  }

  #shown(type: CelType): string {
    return formatType(this.substitution.close(type));
  }

  #typeOf(node: Node, scope: Scope | undefined): CelType {
    switch (node.node) {
      case "const": {
        const { value } = node;
        if (value === null) return NULL;
        if (value instanceof Uint) return UINT;
        if (value instanceof Uint8Array) return { ...BYTES, max: value.length };
        if (typeof value === "string") return { ...STRING, max: value.length };
        return typeof value === "boolean" ? BOOL : typeof value === "bigint" ? INT : DOUBLE;
      }
      case "ident":
      case "select": {
        const local = node.node === "ident" ? find(scope, node.name) : undefined;
        if (local) return local.type;
        const named = this.#named(node, scope);
        if (named) return named;
        if (node.node === "ident")
          return this.#issue(`undeclared reference to '${node.name}' (in container '')`, node.pos);
        return this.#select(node, this.check(node.operand, scope));
      }
      case "call":
        return this.#call(node, scope);
      case "list": {
        let element: CelType | undefined;
        for (const { value, optional } of node.elements) {
          const type = this.#entry(value, optional, scope);
          element = this.#join(element, type, value.pos);
        }
        return listOf(element ?? this.substitution.fresh(), node.elements.length);
      }
      case "map": {
        let key: CelType | undefined;
        let value: CelType | undefined;
        for (const entry of node.entries) {
          key = this.#join(key, this.check(entry.key, scope), entry.key.pos);
          value = this.#join(value, this.#entry(entry.value, entry.optional, scope), entry.value.pos);
        }
        return mapOf(key ?? this.substitution.fresh(), value ?? this.substitution.fresh(), node.entries.length);
      }
      case "struct":
        return this.#struct(node, scope);
      case "comprehension":
        return this.#comprehension(node, scope);
      case "bind": {
        const type = this.check(node.value, scope);
        return this.check(node.body, { name: node.variable, type, outer: scope });
      }
      case "optMap": {
        const target = this.substitution.resolve(this.check(node.target, scope));
        if (target.kind !== "optional" && target.kind !== "dyn" && target.kind !== "error")
          return this.#issue(`expected type 'optional_type' but found '${this.#shown(target)}'`, node.pos);
        const type = target.kind === "optional" ? target.value : DYN;
        const body = this.check(node.body, { name: node.variable, type, outer: scope });
        return node.flat ? body : optionalOf(body);
      }
    }
  }

  /** A dotted name that is a variable or a type. A local variable hides it. */
  #named(node: Node, scope: Scope | undefined): CelType | undefined {
    const name = typeName(node);
    if (name === undefined || find(scope, name.split(".")[0] as string)) return undefined;
    const variable = this.environment.variables.get(name);
    if (variable) {
      this.names.set(node, { variable: name });
      return variable;
    }
    const type = TYPE_NAMES.has(name) ? name : this.environment.structType?.(name)?.name;
    if (type === undefined) return undefined;
    this.names.set(node, { type: new TypeValue(type) });
    return TYPE;
  }

  #entry(value: Node, optional: boolean, scope: Scope | undefined): CelType {
    const type = this.check(value, scope);
    if (!optional) return type;
    const found = this.substitution.resolve(type);
    return found.kind === "optional" ? found.value : found;
  }

  /** Literals hold values of one type, unless one of them is dynamic. */
  #join(present: CelType | undefined, next: CelType, pos: number): CelType {
    if (!present) return next;
    if (this.#lenient > 0) {
      return formatType(this.substitution.close(present)) === formatType(this.substitution.close(next)) ? present : DYN;
    }
    if (this.substitution.assignable(present, next)) {
      return this.substitution.resolve(next).kind === "dyn" ? DYN : present;
    }
    this.#issue(`expected type '${this.#shown(present)}' but found '${this.#shown(next)}'`, pos);
    return DYN;
  }

  #select(node: Node & { node: "select" }, operand: CelType): CelType {
    const outer = this.substitution.resolve(operand);
    const chained = outer.kind === "optional";
    const target = chained ? this.substitution.resolve(outer.value) : outer;
    let type: CelType;
    switch (target.kind) {
      case "dyn":
      case "error":
        type = DYN;
        break;
      case "param":
        this.substitution.assignable(target, DYN);
        type = DYN;
        break;
      case "map":
        type = target.value;
        break;
      case "object": {
        const field = target.field(node.field);
        if (!field) return this.#issue(`undefined field '${node.field}'`, node.pos);
        type = field.type;
        break;
      }
      default:
        return this.#issue(`type '${this.#shown(target)}' does not support field selection`, node.pos);
    }
    if (node.test) return BOOL;
    return chained || node.optional ? optionalOf(type) : type;
  }

  #call(node: CallNode, scope: Scope | undefined): CelType {
    if (node.name === "_[?_]" || node.name === "_[_]") {
      const special = this.#index(node, scope);
      if (special) return special;
    }
    // `sets.contains(a, b)` looks like a method of `sets`.
    const namespaced = node.target && !this.#isLocal(node.target, scope) ? typeName(node.target) : undefined;
    const qualified = namespaced === undefined ? undefined : LIBRARY.get(`${namespaced}.${node.name}`);
    if (qualified) return this.#resolve(node, `${namespaced}.${node.name}`, qualified, node.args, false, scope);
    const declared = LIBRARY.get(node.name);
    const args = node.target ? [node.target, ...node.args] : node.args;
    if (node.name === "or" || node.name === "orValue") {
      const special = this.#orElse(node, scope);
      if (special) return special;
    }
    if (node.name === "_?_:_" || node.name === "_&&_" || node.name === "_||_") return this.#logic(node, scope);
    if (!declared) {
      for (const argument of args) this.check(argument, scope);
      return this.#issue(`undeclared reference to '${node.name}' (in container '')`, node.pos);
    }
    return this.#resolve(node, node.name, declared, args, node.target !== undefined, scope);
  }

  #isLocal(node: Node, scope: Scope | undefined): boolean {
    const name = typeName(node)?.split(".")[0];
    return name !== undefined && find(scope, name) !== undefined;
  }

  #logic(node: CallNode, scope: Scope | undefined): CelType {
    const types = node.args.map((argument) => this.check(argument, scope));
    const ternary = node.name === "_?_:_";
    const conditions = ternary ? types.slice(0, 1) : types;
    const [yes, no] = types.slice(1) as [CelType, CelType];
    const fits =
      conditions.every((type) => this.substitution.assignable(BOOL, type)) &&
      (!ternary || this.substitution.assignable(yes, no));
    if (!fits) return this.#noOverload(node.name, types, false, node.pos);
    if (!ternary) return BOOL;
    return this.substitution.resolve(no).kind === "dyn"
      ? DYN
      : this.substitution.resolve(yes).kind === "null"
        ? no
        : yes;
  }

  /** `optional.or` and `orValue` evaluate their argument only when they need it. */
  #orElse(node: CallNode, scope: Scope | undefined): CelType | undefined {
    const [argument] = node.args;
    if (!node.target || !argument || node.args.length !== 1) return undefined;
    const target = this.substitution.resolve(this.check(node.target, scope));
    const other = this.check(argument, scope);
    if (target.kind === "dyn" || target.kind === "error") return DYN;
    const wanted = node.name === "or" ? target : target.kind === "optional" ? target.value : undefined;
    if (target.kind !== "optional" || !wanted || !this.substitution.assignable(wanted, other))
      return this.#noOverload(node.name, [target, other], true, node.pos);
    return wanted;
  }

  /** Indexing that is optional, or goes on after an optional; undefined for the ordinary kind. */
  #index(node: CallNode, scope: Scope | undefined): CelType | undefined {
    const [operand, key] = node.args as [Node, Node];
    const optional = node.name === "_[?_]";
    const outer = this.substitution.resolve(this.check(operand, scope));
    if (!optional && outer.kind !== "optional") return undefined;
    const target = outer.kind === "optional" ? this.substitution.resolve(outer.value) : outer;
    const index = this.check(key, scope);
    if (target.kind === "list" && this.substitution.assignable(INT, index)) return optionalOf(target.element);
    if (target.kind === "map" && this.substitution.assignable(target.key, index)) return optionalOf(target.value);
    if (target.kind === "dyn" || target.kind === "error" || target.kind === "param") return optionalOf(DYN);
    return this.#noOverload(node.name, [outer, index], false, node.pos);
  }

  #noOverload(name: string, types: readonly CelType[], member: boolean, pos: number): CelType {
    if (types.some(({ kind }) => kind === "error")) return { kind: "error" };
    const shown = types.map((type) => this.#shown(type));
    const applied = member ? `${shown[0]}.(${shown.slice(1).join(", ")})` : `(${shown.join(", ")})`;
    return this.#issue(`found no matching overload for '${name}' applied to '${applied}'`, pos);
  }

  #resolve(
    node: CallNode,
    name: string,
    declared: readonly Overload[],
    args: readonly Node[],
    member: boolean,
    scope: Scope | undefined,
  ): CelType {
    if (name === "format") this.#lenient++;
    const types = args.map((argument) => this.types.get(argument) ?? this.check(argument, scope));
    if (name === "format") this.#lenient--;
    const fitting: Overload[] = [];
    let result: CelType | undefined;
    for (const overload of declared) {
      if (overload.member !== member || overload.params.length !== types.length) continue;
      const [returned, ...params] = this.substitution.instantiate([overload.result, ...overload.params]) as [
        CelType,
        ...CelType[],
      ];
      const fits = this.substitution.attempt(() =>
        params.every((param, i) => this.substitution.assignable(param, types[i] as CelType)),
      );
      if (!fits) continue;
      fitting.push(overload);
      const type = this.substitution.close(returned).kind === "dyn" ? DYN : returned;
      // Several overloads may fit when something is dynamic; then only what they agree on is known.
      if (result && formatType(this.substitution.close(result)) !== formatType(this.substitution.close(type)))
        result = DYN;
      else result ??= this.substitution.resolve(returned).kind === "param" ? returned : type;
    }
    if (!result) return this.#noOverload(name, types, member, node.pos);
    this.calls.set(node, { overloads: fitting, args });
    this.#literals(name, args);
    return result;
  }

  /** Patterns, durations and timestamps that are written out are checked at once. */
  #literals(name: string, args: readonly Node[]): void {
    const reader = LITERALS[name];
    const argument = reader && args[reader.at];
    if (!reader || argument?.node !== "const" || typeof argument.value !== "string") return;
    try {
      reader.read(argument.value);
    } catch (error) {
      if (!(error instanceof CelError)) throw error;
      this.#issue(`invalid ${name} argument`, argument.pos);
    }
  }

  #struct(node: StructNode, scope: Scope | undefined): CelType {
    const type = this.environment.structType?.(node.type);
    if (!type) {
      for (const { value } of node.fields) this.check(value, scope);
      return this.#issue(`undeclared reference to '${node.type}' (in container '')`, node.pos);
    }
    this.structs.set(node, type);
    for (const { name, value, optional, pos } of node.fields) {
      const given = this.#entry(value, optional, scope);
      const field = type.field(name);
      if (!field) this.#issue(`undefined field '${name}'`, pos);
      else if (!this.substitution.assignable(field.type, given))
        this.#issue(
          `expected type of field '${name}' is '${this.#shown(field.type)}' but provided type is '${this.#shown(given)}'`,
          pos,
        );
    }
    return type;
  }

  #comprehension(node: ComprehensionNode, scope: Scope | undefined): CelType {
    const range = this.substitution.resolve(this.check(node.range, scope));
    const two = node.variables.length === 2;
    let types: [CelType, CelType];
    if (range.kind === "list") types = two ? [INT, range.element] : [range.element, DYN];
    else if (range.kind === "map") types = [range.key, range.value];
    else if (range.kind === "dyn" || range.kind === "error" || range.kind === "param") types = [DYN, DYN];
    else
      return this.#issue(
        `expression of type '${this.#shown(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`,
        node.range.pos,
      );
    let inner: Scope | undefined = scope;
    node.variables.forEach((name, i) => {
      inner = { name, type: types[i] as CelType, outer: inner };
    });
    if (node.filter) this.#bool(node.filter, inner);
    const isTest = ["all", "exists", "existsOne", "filter"].includes(node.kind);
    const body = isTest ? this.#bool(node.body, inner) : this.check(node.body, inner);
    const max = range.kind === "list" || range.kind === "map" ? range.max : undefined;
    switch (node.kind) {
      case "filter":
        return range.kind === "list" ? range : listOf(types[0], max);
      case "map":
      case "transformList":
        return listOf(body, max);
      case "transformMap":
        return mapOf(range.kind === "list" ? INT : types[0], body, max);
      case "transformMapEntry":
        return body;
      default:
        return BOOL;
    }
  }

  #bool(node: Node, scope: Scope | undefined): CelType {
    const type = this.check(node, scope);
    if (!this.substitution.assignable(BOOL, type))
      this.#issue(`expected type 'bool' but found '${this.#shown(type)}'`, node.pos);
    return BOOL;
  }
}

const LITERALS: Readonly<Record<string, { at: number; read(text: string): unknown }>> = {
  matches: { at: 1, read: compileRegex },
  find: { at: 1, read: compileRegex },
  findAll: { at: 1, read: compileRegex },
  duration: { at: 0, read: parseDuration },
  timestamp: { at: 0, read: parseTimestamp },
};

/** The issues, or what was found out. */
export function check(
  node: Node,
  environment: CheckEnvironment,
): { issues: readonly CelIssue[] } | { checked: Checked } {
  const checker = new Checker(environment);
  const type = checker.check(node, undefined);
  if (checker.issues.length > 0) return { issues: checker.issues };
  const { calls, names, structs, types, substitution } = checker;
  return {
    checked: {
      type: substitution.close(type),
      typeOf: (at) => substitution.close(types.get(at) ?? DYN),
      calls,
      names,
      structs,
    },
  };
}
