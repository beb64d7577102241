/** `$((...))`: integers of 64 bits would be C's; these are JavaScript's, whole and exact up to 2^53. */
export class ArithmeticError extends Error {}

interface Variables {
  get(name: string): string | undefined;
  set(name: string, value: string): void;
}

const TOKEN =
  /\s*(?:(0[xX][0-9a-fA-F]+|\d+)|([A-Za-z_]\w*)|(\*\*|<<=?|>>=?|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&|^]=|[-+*/%<>=!~&|^?:(),]))/y;

const BINARY: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["|"],
  ["^"],
  ["&"],
  ["==", "!="],
  ["<", "<=", ">", ">="],
  ["<<", ">>"],
  ["+", "-"],
  ["*", "/", "%"],
  ["**"],
];

export function evaluateArithmetic(text: string, variables: Variables): number {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  const source = text.trim();
  while (TOKEN.lastIndex < source.length) {
    const match = TOKEN.exec(source);
    if (!match) throw new ArithmeticError("arithmetic syntax error");
    tokens.push(match[0].trim());
  }
  let at = 0;
  const syntax = (): ArithmeticError => new ArithmeticError("arithmetic syntax error");
  const isName = (token: string | undefined): token is string => token !== undefined && /^[A-Za-z_]/.test(token);
  const numberIn = (name: string): number => {
    const text = variables.get(name)?.trim() ?? "";
    if (text === "") return 0;
    if (!/^[-+]?(?:0[xX][0-9a-fA-F]+|\d+)$/.test(text)) return isName(text) ? numberIn(text) : Number.NaN;
    return number(text);
  };
  const number = (text: string): number => (/^[-+]?0\d/.test(text) ? Number.parseInt(text, 8) : Number(text));
  const assign = (name: string, value: number): number => {
    variables.set(name, String(value));
    return value;
  };
  const primary = (): number => {
    const token = tokens[at++];
    if (token === undefined) throw syntax();
    if (token === "(") {
      const value = sequence();
      if (tokens[at++] !== ")") throw syntax();
      return value;
    }
    if (token === "-") return -primary();
    if (token === "+") return primary();
    if (token === "!") return primary() === 0 ? 1 : 0;
    if (token === "~") return ~primary();
    if (token === "++" || token === "--") {
      const name = tokens[at++];
      if (!isName(name)) throw syntax();
      return assign(name, numberIn(name) + (token === "++" ? 1 : -1));
    }
    if (isName(token)) {
      const next = tokens[at];
      if (next === "++" || next === "--") {
        at++;
        const before = numberIn(token);
        assign(token, before + (next === "++" ? 1 : -1));
        return before;
      }
      return numberIn(token);
    }
    if (!/^\d/.test(token)) throw syntax();
    return number(token);
  };
  const apply = (operator: string, a: number, b: number): number => {
    switch (operator) {
      case "||":
        return a !== 0 || b !== 0 ? 1 : 0;
      case "&&":
        return a !== 0 && b !== 0 ? 1 : 0;
      case "|":
        return a | b;
      case "^":
        return a ^ b;
      case "&":
        return a & b;
      case "==":
        return a === b ? 1 : 0;
      case "!=":
        return a !== b ? 1 : 0;
      case "<":
        return a < b ? 1 : 0;
      case "<=":
        return a <= b ? 1 : 0;
      case ">":
        return a > b ? 1 : 0;
      case ">=":
        return a >= b ? 1 : 0;
      case "<<":
        return a * 2 ** b;
      case ">>":
        return Math.floor(a / 2 ** b);
      case "+":
        return a + b;
      case "-":
        return a - b;
      case "*":
        return a * b;
      case "**":
        return a ** b;
      default:
        if (b === 0) throw new ArithmeticError("divide by zero");
        return operator === "/" ? Math.trunc(a / b) : a % b;
    }
  };
  const binary = (level: number): number => {
    const operators = BINARY[level];
    if (!operators) return primary();
    let value = binary(level + 1);
    for (let token = tokens[at]; token !== undefined && operators.includes(token); token = tokens[at]) {
      at++;
      value = apply(token, value, binary(level + 1));
    }
    return value;
  };
  const conditional = (): number => {
    const test = binary(0);
    if (tokens[at] !== "?") return test;
    at++;
    const yes = assignment();
    if (tokens[at++] !== ":") throw syntax();
    const no = conditional();
    return test !== 0 ? yes : no;
  };
  const assignment = (): number => {
    const name = tokens[at];
    const operator = tokens[at + 1];
    if (isName(name) && operator !== undefined && /^(?:[-+*/%&|^]|<<|>>)?=$/.test(operator)) {
      at += 2;
      const value = assignment();
      return assign(name, operator === "=" ? value : apply(operator.slice(0, -1), numberIn(name), value));
    }
    return conditional();
  };
  const sequence = (): number => {
    let value = assignment();
    while (tokens[at] === ",") {
      at++;
      value = assignment();
    }
    return value;
  };
  if (tokens.length === 0) return 0;
  const value = sequence();
  if (at < tokens.length || Number.isNaN(value)) throw syntax();
  return value;
}
