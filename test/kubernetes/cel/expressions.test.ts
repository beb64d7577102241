import { describe, expect, it } from "vitest";
import {
  CelBudgetError,
  type CelType,
  compile,
  DYN,
  fromJson,
  INT,
  listOf,
  STRING,
  toJson,
  toText,
  type Value,
} from "../../../src/kubernetes/cel/index.js";
import { type CelSchema, escapeName, schemaType } from "../../../src/kubernetes/cel/schema-types.js";

/** The value as text, or `error: ...` when it does not compile, or `failed: ...` when evaluation does. */
function evaluate(expression: string, variables: Record<string, [CelType, unknown]> = {}): unknown {
  const types = Object.fromEntries(Object.entries(variables).map(([name, [type]]) => [name, type]));
  const bindings: Record<string, Value> = {};
  for (const [name, [type, json]] of Object.entries(variables)) bindings[name] = fromJson(json, type);
  const compiled = compile(expression, { variables: types });
  if ("error" in compiled) return `error: ${compiled.error}`;
  try {
    const value = compiled.program.evaluate(bindings);
    try {
      return toJson(value);
    } catch {
      return toText(value);
    }
  } catch (error) {
    return `failed: ${(error as Error).message}`;
  }
}

const TRUE: readonly string[] = [
  // Arithmetic and comparison
  "1 + 2 * 3 == 7",
  "-7 / 2 == -3 && -7 % 2 == -1",
  "7.0 / 2.0 == 3.5",
  "1 < 2 && 1u <= 2u && 1.5 > 1.0",
  "1 < 1.5 && 2u > 1",
  "dyn(1) == 1.0 && dyn(1u) == 1",
  "'a' + 'b' == \"ab\" && 'a' < 'b'",
  "b'abc' == bytes('abc') && b'\\xff'.size() == 1",
  "[1, 2] + [3] == [1, 2, 3]",
  "0xff == 255 && 1e3 == 1000.0",
  "r'\\d' == '\\\\d' && '\\u00e9' == 'é' && '''a'b''' == \"a'b\"",
  "-9223372036854775808 < 0",
  "!false && !!true && --1 == 1",
  "true ? true : 1 / 0 == 1",
  // Errors on one side do not matter when the other decides
  "1 / 0 == 1 || true",
  "!(false && 1 / 0 == 1)",
  "[1, 0].exists(i, 1 / i == 1)",
  "!([0, 2].all(i, 1 / i == 1))",
  // Collections
  "2 in [1, 2] && 'a' in {'a': 1} && !('b' in {'a': 1})",
  "{'a': {'b': 2}}.a.b == 2 && {'a': 1}['a'] == 1 && [1, 2][1] == 2",
  "has({'a': 1}.a) && !has({'a': 1}.b)",
  "[1, 2, 3].map(i, i * 2) == [2, 4, 6] && [1, 2, 3].map(i, i > 1, i * 2) == [4, 6]",
  "[1, 2, 3].filter(i, i > 1) == [2, 3] && [1, 2, 2].exists_one(i, i == 1)",
  "{'a': 1, 'b': 2}.all(k, k in ['a', 'b']) && size({'a': 1}) == 1",
  "[[1, 2], [3]].all(l, l.all(i, i > 0))",
  // Two variables
  "[10, 20].all(i, v, v == (i + 1) * 10)",
  "{'a': 1}.exists(k, v, k == 'a' && v == 1) && [5, 6].existsOne(i, v, v == 6)",
  "[1, 2].transformList(i, v, i + v) == [1, 3] && [1, 2, 3].transformList(i, v, v > 1, v) == [2, 3]",
  "{'a': 1, 'b': 2}.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}",
  "{'a': 'x'}.transformMapEntry(k, v, {v: k}) == {'x': 'a'}",
  // Conversions and types
  "int('42') == 42 && string(42) == '42' && double('1.5') == 1.5 && int(3.9) == 3 && bool('true')",
  "type(1) == int && type('') == string && type([]) == list && type(type(1)) == type",
  "type(timestamp('2020-01-01T00:00:00Z')) == google.protobuf.Timestamp",
  "timestamp('2024-02-29T12:30:45.5Z').getHours() == 12 && timestamp('2024-02-29T00:00:00Z').getDayOfYear() == 59",
  "timestamp('2024-01-01T00:00:00Z').getHours('America/New_York') == 19 && timestamp('2024-01-01T00:00:00Z').getHours('+02:00') == 2",
  "timestamp('2024-01-01T01:00:00Z') - timestamp('2024-01-01T00:00:00Z') == duration('1h')",
  "duration('1h30m').getMinutes() == 90 && duration('1500ms') == duration('1.5s') && string(duration('90s')) == '90s'",
  "cel.bind(x, 3, x * x) == 9",
  // Optionals
  "optional.of(1).orValue(2) == 1 && optional.none().orValue(2) == 2",
  "{'a': 1}.?b.orValue(5) == 5 && {'a': {'b': 1}}.?a.b.value() == 1 && {'a': 1}[?'a'].hasValue()",
  "[1][?3].orValue(0) == 0 && [?optional.of(1), ?optional.none()] == [1]",
  "{?'a': optional.none(), 'b': 1} == {'b': 1}",
  "optional.of(2).optMap(x, x * 2).value() == 4 && optional.none().or(optional.of(1)).value() == 1",
  "!optional.ofNonZeroValue('').hasValue()",
  // Strings
  "'hello'.contains('ell') && 'hello'.startsWith('he') && 'hello'.endsWith('lo') && 'héllo'.size() == 5",
  "'abc'.charAt(1) == 'b' && 'abcabc'.indexOf('c') == 2 && 'abcabc'.lastIndexOf('a') == 3 && 'abc'.indexOf('a', 1) == -1",
  "'A b'.lowerAscii() == 'a b' && 'aXbX'.replace('X', '-') == 'a-b-' && 'aXbX'.replace('X', '-', 1) == 'a-bX'",
  "'a,b,c'.split(',') == ['a', 'b', 'c'] && 'a,b,c'.split(',', 2) == ['a', 'b,c'] && ['a', 'b'].join('-') == 'a-b'",
  "'abcd'.substring(1, 3) == 'bc' && ' x '.trim() == 'x' && strings.quote('a\"b') == '\"a\\\\\"b\"'",
  "'%s is %d years and %.2f m, %s'.format(['Bo', 7, 1.5, [1, 'a']]) == 'Bo is 7 years and 1.50 m, [1, a]'",
  "'%x %X %b %o %%'.format([255, 255, 5, 8]) == 'ff FF 101 10 %'",
  // Kubernetes' libraries
  "[1, 2, 3].isSorted() && ['b', 'a'].max() == 'b' && [1, 2].sum() == 3 && [3, 1].min() == 1 && [1, 2, 1].lastIndexOf(1) == 2",
  "'abc 123'.find('[0-9]+') == '123' && '1 2 3'.findAll('[0-9]') == ['1', '2', '3'] && '1 2 3'.findAll('[0-9]', 2) == ['1', '2']",
  "'foobar'.matches('^fo+') && !'bar'.matches('fo+') && 'x'.matches('(?i)X')",
  "isURL('https://a.b:8080/p?q=1') && !isURL('../a') && url('https://a.b:8080/p%20q?k=v1&k=v2').getPort() == '8080'",
  "url('https://[::1]:80/x').getHostname() == '::1' && url('https://a/b?k=v').getQuery() == {'k': ['v']} && url('/path').getHost() == ''",
  "quantity('1Gi').isGreaterThan(quantity('1000M')) && quantity('1500m').compareTo(quantity('1.5')) == 0 && !isQuantity('x')",
  "quantity('50k').add(20).asInteger() == 50020 && quantity('200M').isInteger() && quantity('1').sub(quantity('2')).sign() == -1",
  "ip('10.0.0.1').family() == 4 && isIP('::1') && !isIP('::ffff:1.2.3.4') && ip('::1').isLoopback() && ip.isCanonical('2001:db8::1')",
  "string(ip('2001:DB8:0:0:0:0:0:1')) == '2001:db8::1' && !ip.isCanonical('2001:DB8::1') && ip('8.8.8.8').isGlobalUnicast()",
  "cidr('10.0.0.0/8').containsIP('10.2.3.4') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')",
  "cidr('::/0').prefixLength() == 0 && !isCIDR('10.0.0.0/33') && cidr('10.0.0.0/8').ip() == ip('10.0.0.0')",
  "sets.contains([1, 2, 3], [2]) && sets.equivalent([1, 1, 2], [2, 1]) && sets.intersects([1], [1, 2]) && !sets.contains([1], [2])",
  "semver('1.2.3').isLessThan(semver('1.10.0')) && semver('v1.2', true).minor() == 2 && !isSemver('v1.2') && semver('1.0.0-rc.1').compareTo(semver('1.0.0')) == -1",
  "!format.dns1123Label().validate('my-label').hasValue() && format.dns1123Label().validate('My_Label').hasValue()",
  "format.named('uuid').hasValue() && !format.named('nope').hasValue() && jsonpatch.escapeKey('a/b~c') == 'a~1b~0c'",
];

describe("CEL", () => {
  it.each(TRUE)("finds true: %s", (expression) => {
    expect(evaluate(expression)).toBe(true);
  });

  it.each([
    ["1 + 'a'", "found no matching overload for '_+_' applied to '(int, string)'"],
    ["[1, 2] == ['a']", "found no matching overload for '_==_' applied to '(list(int), list(string))'"],
    ["1 == 1.0", "found no matching overload for '_==_' applied to '(int, double)'"],
    ["nope", "ERROR: <input>:1:1: undeclared reference to 'nope' (in container '')\n | nope\n | ^"],
    ["nope(1)", "ERROR: <input>:1:5: undeclared reference to 'nope' (in container '')\n | nope(1)\n | ....^"],
    ["'a'.startsWith(1)", "found no matching overload for 'startsWith' applied to 'string.(int)'"],
    ["1 +", "ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting"],
    ["(1", "Syntax error: missing ')' at '<EOF>'"],
    ["1 2", "Syntax error: mismatched input '2' expecting <EOF>"],
    ["'a", "Syntax error: token recognition error at: ''a'"],
    ["namespace == 'a'", "reserved identifier: namespace"],
    ["[1, 'a']", "expected type 'int' but found 'string'"],
    ["'a'.matches('(')", "invalid matches argument"],
    ["duration('x') == duration('1s')", "invalid duration argument"],
    ["1.x", "type 'int' does not support field selection"],
    ["1.all(x, true)", "expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"],
    ["true && 1", "found no matching overload for '_&&_' applied to '(bool, int)'"],
    ["has(1)", "invalid argument to has() macro"],
    ["self\n  .nope > 1", "ERROR: <input>:2:3: undefined field 'nope'\n |   .nope > 1\n | ..^"],
  ])("refuses %s", (expression, text) => {
    const self = schemaType({ type: "object", properties: { a: { type: "integer" } } });
    const result = compile(expression, { variables: { self } });
    expect("error" in result && result.error).toContain(text);
  });

  it.each([
    ["1 / 0", "division by zero"],
    ["9223372036854775807 + 1", "integer overflow"],
    ["{'a': 1}['b']", "no such key: b"],
    ["[1][5]", "index out of bounds: 5"],
    ["dyn('a') + dyn(1)", "no such overload"],
    ["optional.none().value()", "optional.none() dereference"],
    ["int('x')", 'strconv.ParseInt: parsing "x": invalid syntax'],
    ["'abc'.substring(5)", "index out of range: 5"],
  ])("fails at %s", (expression, text) => {
    expect(evaluate(expression)).toBe(`failed: ${text}`);
  });

  it("sees objects by their schema: escaped names, whole numbers, times, int-or-string", () => {
    const schema: CelSchema = {
      type: "object",
      properties: {
        replicas: { type: "integer" },
        ratio: { type: "number" },
        namespace: { type: "string" },
        "x-y.z/w": { type: "string" },
        a__b: { type: "string" },
        port: { "x-kubernetes-int-or-string": true },
        when: { type: "string", format: "date-time" },
        data: { type: "string", format: "byte" },
        labels: { type: "object", additionalProperties: { type: "string" } },
        items: { type: "array", items: { type: "object", properties: { name: { type: "string" } } } },
        any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
    };
    const self = [
      schemaType(schema),
      {
        replicas: 3,
        ratio: 1,
        namespace: "ns",
        "x-y.z/w": "odd",
        a__b: "u",
        port: "http",
        when: "2024-01-01T00:00:00Z",
        data: "aGk=",
        labels: { app: "web" },
        items: [{ name: "a" }, { name: "b" }],
        any: { deep: [1, 2.5] },
      },
    ] as [CelType, unknown];
    const all = [
      "self.replicas == 3 && self.ratio == 1.0",
      "self.__namespace__ == 'ns' && self.x__dash__y__dot__z__slash__w == 'odd' && self.a__underscores__b == 'u'",
      "self.port == 'http' && self.when.getFullYear() == 2024 && self.data == b'hi'",
      "self.labels.app == 'web' && self.items.exists(i, i.name == 'b') && has(self.items) && !has(self.labels.nope)",
      "self.any.deep[0] == 1 && self.any.deep[1] == 2.5",
    ];
    for (const expression of all) expect(evaluate(expression, { self }), expression).toBe(true);
    expect(escapeName("1st")).toBeUndefined();
    expect(evaluate("self.namespace == 'x'", { self })).toContain("undefined field 'namespace'");
  });

  it("cuts an expression off that would run away", () => {
    const numbers = Array.from({ length: 400 }, (_, i) => i);
    const compiled = compile("self.all(a, self.all(b, self.all(c, a + b + c >= 0)))", {
      variables: { self: listOf(INT) },
    });
    if ("error" in compiled) throw new Error(compiled.error);
    const { program } = compiled;
    expect(program.estimatedCost()).toBeGreaterThan(10_000_000);
    expect(() => program.evaluate({ self: fromJson(numbers, listOf(INT)) })).toThrow(CelBudgetError);
    const budget = { remaining: 1000 };
    expect(program.evaluate({ self: fromJson([1, 2], listOf(INT)) }, budget)).toBe(true);
    expect(budget.remaining).toBeLessThan(1000);
  });

  it("takes long chains of conditions, and refuses what is too deep or too long", () => {
    const chain = (count: number, operator: string, term: string): string => Array(count).fill(term).join(operator);
    expect(evaluate(chain(5000, " && ", "1 < 2"))).toBe(true);
    expect(evaluate(chain(5000, " || ", "1 > 2"))).toBe(false);
    expect(evaluate(`${chain(240, "+", "1")} == 240`)).toBe(true);
    expect(evaluate(chain(5000, "+", "1"))).toContain("expression recursion limit exceeded: 250");
    expect(evaluate(`${"(".repeat(300)}1${")".repeat(300)}`)).toContain("expression recursion limit exceeded: 250");
    expect(evaluate(`x${".y".repeat(300)}`)).toContain("expression recursion limit exceeded: 250");
    expect(evaluate(`"${"a".repeat(100_000)}"`)).toContain("expression code point size exceeds limit");
  });

  it("makes no texts that would fill the memory", () => {
    const self: [CelType, unknown] = [STRING, "x".repeat(1_000_000)];
    for (const expression of [
      "self.replace('', self)",
      "[self, self, self, self, self, self, self, self].map(s, s + s + s).join()",
      "'%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s'.format([self,self,self,self,self,self,self,self,self,self,self,self,self,self,self,self,self,self])",
    ])
      expect(evaluate(expression, { self }), expression).toContain("actual cost limit exceeded");
    expect(evaluate("'%.500f'.format([1.0])")).toContain("precision 500 is too large");
  });

  it("takes patterns that hang backtracking engines", () => {
    expect(evaluate("self.matches('^(a+)+$')", { self: [STRING, `${"a".repeat(40)}!`] })).toBe(false);
  });

  it("knows which variables an expression mentions and evaluates only those", () => {
    const compiled = compile("a > 1 || b", { variables: { a: DYN, b: DYN } });
    if ("error" in compiled) throw new Error(compiled.error);
    expect(compiled.program.mentions("a")).toBe(true);
    expect(compiled.program.mentions("c")).toBe(false);
    const boom = (): Value => {
      throw new Error("evaluated");
    };
    expect(compiled.program.evaluate({ a: 2n, b: boom })).toBe(true);
  });
});
