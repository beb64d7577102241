/** Conditions of policies: all operators that IAM has, `IfExists`, `ForAllValues` and `ForAnyValue`. */
import { BlockList, isIP } from "node:net";
import { listOf, type Statement } from "./document.js";
import { type Context, fillVariables, literal, matches } from "./matching.js";

type Test = (value: string, wanted: string) => boolean;

const numeric =
  (test: (value: number, wanted: number) => boolean): Test =>
  (value, wanted) => {
    const [a, b] = [Number(value), Number(wanted)];
    return !Number.isNaN(a) && !Number.isNaN(b) && test(a, b);
  };

/** Dates are ISO 8601 or seconds since the epoch. */
const dateOf = (text: string): number => (/^\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text));
const dated =
  (test: (value: number, wanted: number) => boolean): Test =>
  (value, wanted) => {
    const [a, b] = [dateOf(value), dateOf(wanted)];
    return !Number.isNaN(a) && !Number.isNaN(b) && test(a, b);
  };

/** Each of the six parts of an ARN by itself. */
function arnLike(value: string, wanted: string): boolean {
  const parts = (text: string): string[] => {
    const all = text.split(":");
    return [...all.slice(0, 5), all.slice(5).join(":")];
  };
  const patterns = parts(wanted);
  return parts(value).every((part, index) => matches(patterns[index] ?? "", part));
}

function inRange(value: string, wanted: string): boolean {
  const [address = "", bits] = wanted.split("/");
  const family = isIP(address);
  if (family === 0 || isIP(value) === 0) return false;
  const type = family === 6 ? "ipv6" : "ipv4";
  const list = new BlockList();
  const length = bits === undefined ? (family === 6 ? 128 : 32) : Number(bits);
  if (!Number.isInteger(length) || length < 0 || length > (family === 6 ? 128 : 32)) return false;
  list.addSubnet(address, length, type);
  return list.check(value, isIP(value) === 6 ? "ipv6" : "ipv4");
}

const equals: Test = (value, wanted) => value === literal(wanted);
const equalsIgnoreCase: Test = (value, wanted) => value.toLowerCase() === literal(wanted).toLowerCase();
const like: Test = (value, wanted) => matches(wanted, value);

/** By name; those that begin with Not in the second member hold where the test fails for every wanted value. */
const OPERATORS: Readonly<Record<string, { test: Test; not?: true }>> = {
  StringEquals: { test: equals },
  StringNotEquals: { test: equals, not: true },
  StringEqualsIgnoreCase: { test: equalsIgnoreCase },
  StringNotEqualsIgnoreCase: { test: equalsIgnoreCase, not: true },
  StringLike: { test: like },
  StringNotLike: { test: like, not: true },
  ArnEquals: { test: arnLike },
  ArnLike: { test: arnLike },
  ArnNotEquals: { test: arnLike, not: true },
  ArnNotLike: { test: arnLike, not: true },
  NumericEquals: { test: numeric((a, b) => a === b) },
  NumericNotEquals: { test: numeric((a, b) => a === b), not: true },
  NumericLessThan: { test: numeric((a, b) => a < b) },
  NumericLessThanEquals: { test: numeric((a, b) => a <= b) },
  NumericGreaterThan: { test: numeric((a, b) => a > b) },
  NumericGreaterThanEquals: { test: numeric((a, b) => a >= b) },
  DateEquals: { test: dated((a, b) => a === b) },
  DateNotEquals: { test: dated((a, b) => a === b), not: true },
  DateLessThan: { test: dated((a, b) => a < b) },
  DateLessThanEquals: { test: dated((a, b) => a <= b) },
  DateGreaterThan: { test: dated((a, b) => a > b) },
  DateGreaterThanEquals: { test: dated((a, b) => a >= b) },
  Bool: { test: equalsIgnoreCase },
  BinaryEquals: { test: equals },
  IpAddress: { test: inRange },
  NotIpAddress: { test: inRange, not: true },
};

/** All of them. A condition with an operator that IAM does not have never holds. */
export function conditionsHold(conditions: NonNullable<Statement["Condition"]>, context: Context): boolean {
  return Object.entries(conditions).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) =>
      conditionHolds(
        operator,
        context[key.toLowerCase()],
        listOf(wanted).map((text) => fillVariables(String(text), context)),
      ),
    ),
  );
}

function conditionHolds(
  operator: string,
  given: string | readonly string[] | undefined,
  wanted: readonly string[],
): boolean {
  const [, quantifier, base = ""] = /^(?:(ForAllValues|ForAnyValue):)?(.*)$/.exec(operator) ?? [];
  if (base === "Null") return wanted.some((text) => (text.toLowerCase() === "true") === (given === undefined));
  const ifExists = base.endsWith("IfExists");
  const known = OPERATORS[ifExists ? base.slice(0, -"IfExists".length) : base];
  if (!known) return false;
  const { test, not = false } = known;
  const holds = (value: string): boolean => wanted.some((text) => test(value, text)) !== not;
  const values = listOf(given);
  if (quantifier === "ForAllValues") return values.every(holds);
  // What is not there is not equal to anything.
  if (given === undefined) return ifExists || (not && quantifier === undefined);
  return not && quantifier === undefined ? values.every(holds) : values.some(holds);
}
