import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CelBudgetError,
  CelError,
  compile,
  DYN,
  equal,
  fromJson,
  toJson,
  type Value,
} from "../../../src/kubernetes/cel/index.js";

const variables = { self: DYN, other: DYN };
const SEEDS = [
  "self.items.all(i, i.name.startsWith('a') && has(i.value))",
  "self.?a.b.orValue(1) + size(self.list) * 2 > 3u",
  "[1, 2].map(x, x * 2).exists(y, y in self) ? 'a'.matches('^a+$') : duration('1h') < duration('60m')",
  "{'a': 1, 'b': [1.5, 2.0]}.transformMap(k, v, v) == self.other",
  "cel.bind(x, self.a, x + x) == \"\\u00e9\" || !(self.b < timestamp('2024-01-01T00:00:00Z'))",
  "quantity('1Gi').add(quantity('1')).isGreaterThan(quantity('1G')) && ip('10.0.0.1').family() == 4",
];
const json = fc.jsonValue({ maxDepth: 3 });

function run(expression: string, bindings: Record<string, Value>): Value | "refused" | "failed" {
  const compiled = compile(expression, { variables });
  if ("error" in compiled) {
    expect(compiled.error).toMatch(/^ERROR: <input>:\d+:\d+: /);
    return "refused";
  }
  expect(compiled.program.estimatedCost()).toBeGreaterThanOrEqual(0);
  try {
    return compiled.program.evaluate(bindings);
  } catch (error) {
    // Anything else is a fault of the engine.
    expect(error instanceof CelError || error instanceof CelBudgetError, String(error)).toBe(true);
    return "failed";
  }
}

describe("CEL", () => {
  it("refuses, fails or answers whatever text it is given, and does not break", () => {
    const mutated = fc
      .tuple(fc.constantFrom(...SEEDS), fc.nat(), fc.nat({ max: 6 }), fc.string({ maxLength: 6 }))
      .map(([seed, at, length, text]) => {
        const from = at % seed.length;
        return seed.slice(0, from) + text + seed.slice(from + length);
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string()), json, json, (expression, self, other) => {
        run(expression, { self: fromJson(self, DYN), other: fromJson(other, DYN) });
      }),
      { numRuns: 400, seed: 7 },
    );
  });

  it("gives JSON back as it came, and finds it equal to itself alone", () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(JSON.stringify(toJson(fromJson(a, DYN)))).toBe(JSON.stringify(a));
        expect(equal(fromJson(a, DYN), fromJson(structuredClone(a), DYN))).toBe(true);
        const same = run("self == other", { self: fromJson(a, DYN), other: fromJson(b, DYN) });
        expect(same).toBe(equal(fromJson(b, DYN), fromJson(a, DYN)));
      }),
      { numRuns: 100, seed: 7 },
    );
  });

  it("calculates as Go does", () => {
    const int = fc.integer({ min: -1000, max: 1000 });
    fc.assert(
      fc.property(int, int, int, (a, b, c) => {
        const values = { self: BigInt(a), other: BigInt(b) };
        expect(run(`self * ${c} - other`, values)).toBe(BigInt(a * c - b));
        expect(run("self < other || self == other", values)).toBe(a <= b);
        if (b !== 0) {
          expect(run("self / other", values)).toBe(BigInt(Math.trunc(a / b)));
          expect(run("self % other", values)).toBe(BigInt(a % b));
        }
      }),
      { numRuns: 60, seed: 7 },
    );
  });
});
