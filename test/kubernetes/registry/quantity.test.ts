import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  isQuantity,
  parseQuantity,
  quantityToMilli,
  quantityToNumber,
  subtractQuantities,
} from "../../../src/kubernetes/registry/quantity.js";

describe("quantities", () => {
  it.each([
    ["0", "0"],
    ["0Ki", "0"],
    ["100m", "100m"],
    ["1000m", "1"],
    ["0.5", "500m"],
    [".5", "500m"],
    ["5.", "5"],
    ["1.5Gi", "1536Mi"],
    ["1024Mi", "1Gi"],
    ["512", "512"],
    ["1024", "1024"],
    ["1023Ki", "1023Ki"],
    ["0.5Ki", "512"],
    ["0.001Ki", "1024m"],
    ["1e3", "1e3"],
    ["1E3", "1e3"],
    ["1000e0", "1e3"],
    ["1E", "1E"],
    ["12000", "12k"],
    ["-12000M", "-12G"],
    ["1.2345678901n", "2n"],
    ["100Ki", "100Ki"],
    ["+7", "7"],
  ])("%s is stored as %s", (text, canonical) => {
    expect(canonicalQuantity(text)).toBe(canonical);
  });

  it.each(["", "a", "1 Gi", "1KiB", "1K", "--1", ".", "1e", "0x10", "1gi", "1Gi "])("%j is no quantity", (text) => {
    expect(isQuantity(text)).toBe(false);
    expect(() => parseQuantity(text)).toThrow("quantities must match the regular expression");
  });

  it("compares across formats exactly", () => {
    expect(compareQuantities("1Gi", "1073741824")).toBe(0);
    expect(compareQuantities("1G", "1Gi")).toBe(-1);
    expect(compareQuantities("9007199254740993", "9007199254740992")).toBe(1);
  });

  it("adds and subtracts, keeping the first format", () => {
    expect(addQuantities("1Gi", "512Mi")).toBe("1536Mi");
    expect(addQuantities("0", "512Mi")).toBe("512Mi");
    expect(addQuantities("100m", "0.9")).toBe("1");
    expect(subtractQuantities("1", "100m")).toBe("900m");
  });

  it("counts CPU in thousandths and bytes in ones, rounding up", () => {
    expect(quantityToMilli("1.5")).toBe(1500);
    expect(quantityToMilli("1u")).toBe(1);
    expect(quantityToNumber("1Ki")).toBe(1024);
    expect(quantityToNumber("100m")).toBe(1);
    expect(() => quantityToMilli("x")).toThrow("quantities must match");
  });

  it("prints canonically what parses back to the same value", () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(10n ** 30n), 10n ** 30n),
        fc.constantFrom("DecimalSI", "BinarySI", "DecimalExponent"),
        (value, format) => {
          const text = formatQuantity({ value, format });
          expect(parseQuantity(text).value).toBe(value);
          expect(canonicalQuantity(text)).toBe(text);
        },
      ),
    );
  });
});
