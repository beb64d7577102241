/** The syntax of CEL: precedence climbing over the tokens, macros recognised on the way. */
import { CelIssue, type Token, tokenize } from "./lexer.js";
import type { ComprehensionKind, Node } from "./nodes.js";
import { Uint } from "./scalars.js";

const RESERVED = new Set(
  "as break const continue else for function if import let loop package namespace return var void while".split(" "),
);
const MAX_DEPTH = 250;
const TOO_DEEP = `expression recursion limit exceeded: ${MAX_DEPTH}`;
const MAX_CHARACTERS = 100_000;
/** What the generated parser of cel-go lists when something that begins an expression is missing. */
const EXPECTED =
  "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

/** How many of the levels below are `||` and `&&`. */
const LOGICAL_LEVELS = 2;
const BINARY: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["==", "!=", "<", "<=", ">", ">=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];

/** Names that macros have by the number of their arguments. */
const COMPREHENSIONS: Readonly<Record<string, ComprehensionKind>> = {
  "all/2": "all",
  "exists/2": "exists",
  "exists_one/2": "existsOne",
  "existsOne/2": "existsOne",
  "map/2": "map",
  "map/3": "map",
  "filter/2": "filter",
  "all/3": "all",
  "exists/3": "exists",
  "existsOne/3": "existsOne",
  "transformList/3": "transformList",
  "transformList/4": "transformList",
  "transformMap/3": "transformMap",
  "transformMap/4": "transformMap",
  "transformMapEntry/3": "transformMapEntry",
  "transformMapEntry/4": "transformMapEntry",
};

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    if (source.length > MAX_CHARACTERS)
      throw new CelIssue(
        `expression code point size exceeds limit: size: ${source.length}, limit ${MAX_CHARACTERS}`,
        0,
      );
    this.#tokens = tokenize(source);
  }

  parse(): Node {
    const result = this.#expression();
    const next = this.#peek();
    if (next.kind === "end") return result;
    throw new CelIssue(
      next.kind === "op" && ")]}".includes(next.text)
        ? `Syntax error: extraneous input '${next.text}' expecting <EOF>`
        : `Syntax error: mismatched input '${next.text}' expecting <EOF>`,
      next.pos,
    );
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #is(text: string): boolean {
    const { kind, text: found } = this.#peek();
    return found === text && (kind === "op" || kind === "ident");
  }

  #take(text: string): Token | undefined {
    return this.#is(text) ? this.#tokens[this.#at++] : undefined;
  }

  #expect(text: string): Token {
    const found = this.#take(text);
    if (found) return found;
    const next = this.#peek();
    throw new CelIssue(
      next.kind === "end"
        ? `Syntax error: missing '${text}' at '<EOF>'`
        : `Syntax error: mismatched input '${next.text}' expecting '${text}'`,
      next.pos,
    );
  }

  #expression(): Node {
    if (++this.#depth > MAX_DEPTH) throw new CelIssue(TOO_DEEP, this.#peek().pos);
    const condition = this.#binary(0);
    const question = this.#take("?");
    let result = condition;
    if (question) {
      const yes = this.#binary(0);
      this.#expect(":");
      const no = this.#expression();
      result = { node: "call", name: "_?_:_", args: [condition, yes, no], pos: question.pos };
    }
    this.#depth--;
    return result;
  }

  #binary(level: number): Node {
    const operators = BINARY[level];
    if (!operators) return this.#unary();
    let left = this.#binary(level + 1);
    if (level < LOGICAL_LEVELS) return this.#logical(left, operators[0] as string, level);
    for (let count = 0; ; count++) {
      const operator = operators.find((candidate) => this.#is(candidate));
      if (!operator) return left;
      const { pos } = this.#expect(operator);
      if (count >= MAX_DEPTH) throw new CelIssue(TOO_DEEP, pos);
      const right = this.#binary(level + 1);
      const name = operator === "in" ? "@in" : `_${operator}_`;
      left = { node: "call", name, args: [left, right], pos };
    }
  }

  /** Long chains of `&&` and `||` become balanced trees: they may be as long as an expression can be. */
  #logical(first: Node, operator: string, level: number): Node {
    const operands = [first];
    const positions: number[] = [];
    for (let taken = this.#take(operator); taken; taken = this.#take(operator)) {
      positions.push(taken.pos);
      operands.push(this.#binary(level + 1));
    }
    const build = (from: number, to: number): Node => {
      if (from === to) return operands[from] as Node;
      const middle = Math.floor((from + to) / 2);
      const args = [build(from, middle), build(middle + 1, to)];
      return { node: "call", name: `_${operator}_`, args, pos: positions[middle] as number };
    };
    return build(0, operands.length - 1);
  }

  #unary(): Node {
    const sign = this.#peek();
    if (sign.kind === "op" && (sign.text === "!" || sign.text === "-")) {
      let count = 0;
      while (this.#take(sign.text)) count++;
      const next = this.#peek();
      // A literal takes its sign along, so that the smallest int can be written.
      if (sign.text === "-" && count % 2 === 1 && (next.kind === "int" || next.kind === "double")) {
        this.#at++;
        const value = typeof next.value === "bigint" ? -next.value : -(next.value as number);
        return this.#postfix({ node: "const", value, pos: next.pos });
      }
      const operand = this.#postfix(this.#primary());
      if (count % 2 === 0) return operand;
      return { node: "call", name: sign.text === "!" ? "!_" : "-_", args: [operand], pos: sign.pos };
    }
    return this.#postfix(this.#primary());
  }

  #postfix(start: Node): Node {
    let result = start;
    let depth = 0;
    for (;;) {
      if (depth++ > MAX_DEPTH) throw new CelIssue(TOO_DEEP, this.#peek().pos);
      const dot = this.#take(".");
      if (dot) {
        const optional = this.#take("?") !== undefined;
        const name = this.#name();
        const open = optional ? undefined : this.#take("(");
        if (open) result = this.#member(result, name.text, this.#arguments(")"), open.pos);
        else result = { node: "select", operand: result, field: name.text, test: false, optional, pos: dot.pos };
        continue;
      }
      const bracket = this.#take("[");
      if (bracket) {
        const optional = this.#take("?") !== undefined;
        const index = this.#expression();
        this.#expect("]");
        result = { node: "call", name: optional ? "_[?_]" : "_[_]", args: [result, index], pos: bracket.pos };
        continue;
      }
      const type = this.#is("{") ? typeName(result) : undefined;
      if (type === undefined) return result;
      result = this.#struct(type);
    }
  }

  /** The name after a dot: reserved words are allowed there, and names in backquotes. */
  #name(): { text: string; pos: number } {
    const token = this.#peek();
    if (token.kind !== "ident" || ["true", "false", "null", "in"].includes(token.text))
      throw new CelIssue(
        token.kind === "end"
          ? "Syntax error: no viable alternative at input '.'"
          : `Syntax error: mismatched input '${token.text}' expecting IDENTIFIER`,
        token.pos,
      );
    this.#at++;
    return { text: typeof token.value === "string" ? token.value : token.text, pos: token.pos };
  }

  #arguments(close: string): Node[] {
    const found: Node[] = [];
    if (this.#take(close)) return found;
    do found.push(this.#expression());
    while (this.#take(","));
    this.#expect(close);
    return found;
  }

  #primary(): Node {
    const token = this.#peek();
    const { pos } = token;
    switch (token.kind) {
      case "int":
        if (token.value === 2n ** 63n) throw new CelIssue("invalid int literal", pos);
        this.#at++;
        return { node: "const", value: token.value as bigint, pos };
      case "uint":
        this.#at++;
        return { node: "const", value: new Uint(token.value as bigint), pos };
      case "double":
      case "string":
      case "bytes":
        this.#at++;
        return { node: "const", value: token.value as number | string | Uint8Array, pos };
      case "ident":
        return this.#identifier(token);
      default:
    }
    if (this.#take("(")) {
      const inner = this.#expression();
      this.#expect(")");
      return inner;
    }
    if (this.#take("[")) return this.#list(pos);
    if (this.#take("{")) return this.#map(pos);
    if (this.#take(".")) {
      // A leading dot means the root container, which is where everything is.
      const name = this.#peek();
      if (name.kind === "ident") return this.#identifier(name);
    }
    throw new CelIssue(
      token.kind === "end"
        ? `Syntax error: mismatched input '<EOF>' expecting ${EXPECTED}`
        : `Syntax error: extraneous input '${token.text}' expecting ${EXPECTED}`,
      pos,
    );
  }

  #identifier(token: Token): Node {
    this.#at++;
    const { pos, text } = token;
    if (text === "true" || text === "false") return { node: "const", value: text === "true", pos };
    if (text === "null") return { node: "const", value: null, pos };
    if (text === "in" || token.value !== undefined)
      throw new CelIssue(`Syntax error: mismatched input '${text}' expecting ${EXPECTED}`, pos);
    if (RESERVED.has(text)) throw new CelIssue(`reserved identifier: ${text}`, pos);
    const open = this.#take("(");
    if (!open) return { node: "ident", name: text, pos };
    const args = this.#arguments(")");
    if (text === "has" && args.length === 1) {
      const [argument] = args;
      if (argument?.node !== "select" || argument.test) throw new CelIssue("invalid argument to has() macro", open.pos);
      return { ...argument, test: true, pos: open.pos };
    }
    return { node: "call", name: text, args, pos: open.pos };
  }

  #member(target: Node, name: string, args: Node[], pos: number): Node {
    const kind = COMPREHENSIONS[`${name}/${args.length}`];
    if (kind) {
      const twoVariables =
        kind.startsWith("transform") || (args.length === 3 && ["all", "exists", "existsOne"].includes(kind));
      const variables = args
        .slice(0, twoVariables ? 2 : 1)
        .map((argument) => variableName(argument, kind === "existsOne" ? name : kind));
      if (new Set(variables).size < variables.length)
        throw new CelIssue(`duplicate variable name: ${variables[0]}`, args[1]?.pos ?? pos);
      const rest = args.slice(variables.length);
      const body = rest[rest.length - 1] as Node;
      const filter = rest.length === 2 ? rest[0] : undefined;
      return { node: "comprehension", kind, range: target, variables, body, ...(filter ? { filter } : {}), pos };
    }
    if (name === "bind" && target.node === "ident" && target.name === "cel" && args.length === 3) {
      const [variable, value, body] = args as [Node, Node, Node];
      return { node: "bind", variable: variableName(variable, "cel.bind()"), value, body, pos };
    }
    if ((name === "optMap" || name === "optFlatMap") && args.length === 2) {
      const [variable, body] = args as [Node, Node];
      return {
        node: "optMap",
        flat: name === "optFlatMap",
        target,
        variable: variableName(variable, `${name}()`),
        body,
        pos,
      };
    }
    return { node: "call", name, target, args, pos };
  }

  #list(pos: number): Node {
    const elements: { value: Node; optional: boolean }[] = [];
    while (!this.#take("]")) {
      const optional = this.#take("?") !== undefined;
      elements.push({ value: this.#expression(), optional });
      if (!this.#take(",")) {
        this.#expect("]");
        break;
      }
    }
    return { node: "list", elements, pos };
  }

  #map(pos: number): Node {
    const entries: { key: Node; value: Node; optional: boolean }[] = [];
    while (!this.#take("}")) {
      const optional = this.#take("?") !== undefined;
      const key = this.#expression();
      this.#expect(":");
      entries.push({ key, value: this.#expression(), optional });
      if (!this.#take(",")) {
        this.#expect("}");
        break;
      }
    }
    return { node: "map", entries, pos };
  }

  #struct(type: string): Node {
    const { pos } = this.#expect("{");
    const fields: { name: string; value: Node; optional: boolean; pos: number }[] = [];
    while (!this.#take("}")) {
      const optional = this.#take("?") !== undefined;
      const { text: name } = this.#name();
      const colon = this.#expect(":");
      fields.push({ name, value: this.#expression(), optional, pos: colon.pos });
      if (!this.#take(",")) {
        this.#expect("}");
        break;
      }
    }
    return { node: "struct", type, fields, pos };
  }
}

function variableName(node: Node, macro: string): string {
  if (node.node === "ident") return node.name;
  throw new CelIssue(
    macro.endsWith("()") ? `${macro} variable name must be a simple identifier` : "argument must be a simple name",
    node.pos,
  );
}

/** `Object.spec` as a dotted name; undefined for what is none. */
export function typeName(node: Node): string | undefined {
  if (node.node === "ident") return node.name;
  if (node.node !== "select" || node.test || node.optional) return undefined;
  const outer = typeName(node.operand);
  return outer === undefined ? undefined : `${outer}.${node.field}`;
}

/** Throws CelIssue. */
export const parse = (expression: string): Node => new Parser(expression).parse();
