import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonFault } from "../../../src/kubernetes/wire/json-fault.js";

/** Expected: what a real API server of 1.36 said to the same bodies, where it was asked, and encoding/json's own words elsewhere. */
describe("what is wrong with a text that is no JSON", () => {
  it.each([
    ["", "unexpected end of JSON input"],
    ["{a", "invalid character 'a' looking for beginning of object key string"],
    ['{"metadata":', "unexpected end of JSON input"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b":2}', "invalid character '\"' after object key:value pair"],
    ['{"a":1,}', "invalid character '}' looking for beginning of object key string"],
    ["[1 2]", "invalid character '2' after array element"],
    ["[1,]", "invalid character ']' looking for beginning of value"],
    ["{} x", "invalid character 'x' after top-level value"],
    ["trux", "invalid character 'x' in literal true (expecting 'e')"],
    ["-x", "invalid character 'x' in numeric literal"],
    ["1.x", "invalid character 'x' after decimal point in numeric literal"],
    ["1ex", "invalid character 'x' in exponent of numeric literal"],
    ["'a'", "invalid character '\\'' looking for beginning of value"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ['"\\u12g4"', "invalid character 'g' in \\u hexadecimal character escape"],
    ["\u009ex", "invalid character '\\u009e' looking for beginning of value"],
    ["[".repeat(100_000), "exceeded max depth"],
  ])("%.20j", (text, fault) => {
    expect(jsonFault(text)).toBe(fault);
  });

  it("is nothing exactly for what is JSON", () => {
    const broken = fc.tuple(fc.json(), fc.nat(), fc.constantFrom("", "{", "}", ",", '"', "x", "\\"));
    fc.assert(
      fc.property(broken, ([json, at, piece]) => {
        const text = json.slice(0, at % (json.length + 1)) + piece + json.slice((at % (json.length + 1)) + 1);
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(jsonFault(text) === undefined, text).toBe(isJson);
      }),
    );
  });
});
