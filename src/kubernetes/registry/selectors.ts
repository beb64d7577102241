import { badRequest, type StatusError } from "../errors.js";
import { labelValue, qualifiedName } from "./strategies/names.js";

type Labels = Readonly<Record<string, string>> | undefined;
export type LabelPredicate = (labels: Labels) => boolean;

/** A `metav1.LabelSelector`, as workloads, budgets and policies carry it. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

const labelValueOf = (labels: Labels, key: string): string | undefined =>
  labels && Object.hasOwn(labels, key) ? labels[key] : undefined;

/** How each operator judges a label's value; `values` are the selector's. An absent label satisfies the negative ones. */
const OPERATORS: Record<string, (value: string | undefined, values: readonly string[]) => boolean> = {
  in: (value, values) => value !== undefined && values.includes(value),
  notin: (value, values) => value === undefined || !values.includes(value),
  exists: (value) => value !== undefined,
  doesnotexist: (value) => value === undefined,
  gt: (value, [bound]) => value !== undefined && Number(value) > Number(bound),
  lt: (value, [bound]) => value !== undefined && Number(value) < Number(bound),
};

interface Requirement {
  key: string;
  judge: (value: string | undefined, values: readonly string[]) => boolean;
  values: readonly string[];
}

function predicateOf(requirements: readonly Requirement[]): LabelPredicate {
  if (requirements.length === 0) return () => true;
  return (labels) => {
    for (const { key, judge, values } of requirements) if (!judge(labelValueOf(labels, key), values)) return false;
    return true;
  };
}

/** Punctuation, or a run of anything else. */
const TOKEN = /\s*(?:(==|!=|=|,|\(|\)|!|>|<)|([^\s=!,()<>]+))\s*/y;

function tokenise(text: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (!match) throw badRequest(`unable to parse requirement: unexpected text in label selector "${text}"`);
    tokens.push((match[1] ?? match[2]) as string);
  }
  return tokens;
}

const PUNCTUATION = new Set(["=", "==", "!=", ",", "(", ")", "!", ">", "<"]);

function parseRequirements(text: string): Requirement[] {
  const tokens = tokenise(text);
  const requirements: Requirement[] = [];
  let at = 0;
  const fail = (expected: string): never => {
    const found = tokens[at];
    throw badRequest(`unable to parse requirement: found '${found ?? ""}', expected: ${expected}`);
  };
  const refused = (field: string, token: string, complaint: string): StatusError =>
    badRequest(`unable to parse requirement: ${field}: Invalid value: ${JSON.stringify(token)}: ${complaint}`);
  const key = (): string => {
    const token = tokens[at];
    if (token === undefined || PUNCTUATION.has(token)) return fail("!, identifier, or 'end of string'");
    const [complaint] = qualifiedName(token);
    if (complaint) throw refused("<nil>", token, complaint);
    at++;
    return token;
  };
  const value = (forKey: string): string => {
    const token = tokens[at];
    if (token === undefined || token === "," || token === ")") return "";
    if (PUNCTUATION.has(token)) return fail("identifier");
    const [complaint] = labelValue(token);
    if (complaint) throw refused(`values[0][${forKey}]`, token, complaint);
    at++;
    return token;
  };
  const require = (name: string, operator: string, values: readonly string[] = []): void => {
    requirements.push({ key: name, judge: OPERATORS[operator] as Requirement["judge"], values });
  };
  const SIMPLE: Record<string, string> = { "=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt" };

  while (at < tokens.length) {
    if (tokens[at] === "!") {
      at++;
      require(key(), "doesnotexist");
    } else {
      const name = key();
      const operator = tokens[at];
      if (operator === undefined || operator === ",") require(name, "exists");
      else if (operator === "in" || operator === "notin") {
        at++;
        if (tokens[at] !== "(") fail("'('");
        at++;
        const values = [value(name)];
        while (tokens[at] === ",") {
          at++;
          values.push(value(name));
        }
        if (tokens[at] !== ")") fail("',' or ')'");
        at++;
        require(name, operator, values);
      } else if (SIMPLE[operator]) {
        at++;
        const given = value(name);
        if ((operator === ">" || operator === "<") && !/^[-+]?\d+$/.test(given))
          throw refused("values[0]", given, "for 'Gt', 'Lt' operators, the value must be an integer");
        require(name, SIMPLE[operator], [given]);
      } else fail("in, notin, =, ==, !=, gt, lt");
    }
    if (at < tokens.length) {
      if (tokens[at] !== ",") fail("',' or 'end of string'");
      at++;
      if (at === tokens.length) throw badRequest("found '', expected: identifier after ','");
    }
  }
  return requirements;
}

/** How many parsed selectors are remembered; controllers and informers ask with the same few over and over. */
const REMEMBERED = 512;
const parsed = new Map<string, LabelPredicate>();

/** Parses Kubernetes label selector syntax (`a=b,c!=d,e in (f,g),h,!i`). Throws 400 BadRequest. An empty text selects everything. */
export function parseLabelSelector(text: string): LabelPredicate {
  const known = parsed.get(text);
  if (known) return known;
  const predicate = predicateOf(parseRequirements(text));
  if (parsed.size >= REMEMBERED) parsed.clear();
  parsed.set(text, predicate);
  return predicate;
}

const compiled = new WeakMap<LabelSelector, LabelPredicate>();

/**
 * The predicate of a `metav1.LabelSelector`: an empty one selects everything, an absent one nothing. Remembered by object, since stored objects never
 * change. An unknown operator selects nothing (validation refuses it earlier).
 */
export function labelSelectorPredicate(selector: LabelSelector | undefined): LabelPredicate {
  if (!selector) return () => false;
  let predicate = compiled.get(selector);
  if (!predicate) {
    predicate = predicateOf([
      ...Object.entries(selector.matchLabels ?? {}).map(([key, value]) => ({
        key,
        judge: OPERATORS.in as Requirement["judge"],
        values: [value],
      })),
      ...(selector.matchExpressions ?? []).map(({ key, operator, values }) => ({
        key,
        judge: OPERATORS[operator.toLowerCase()] ?? (() => false),
        values: values ?? [],
      })),
    ]);
    compiled.set(selector, predicate);
  }
  return predicate;
}
