import { describe, expect, it } from "vitest";
import { FAULTS } from "../../src/domain/faults/index.js";
import { didYouMean, nearest } from "../../src/domain/nearest.js";

const names = FAULTS.map(({ name }) => name);

describe("a name that there is not", () => {
  it.each([
    ["zone-powerloss", ["zone-power-loss"]],
    ["Zone_Power_Loss", ["zone-power-loss"]],
    ["zone-pwoer-loss", ["zone-power-loss"]],
    ["node-freze", ["node-freeze"]],
    ["quorum", ["quorum-loss"]],
    ["throttling", ["aws-api-throttling", "api-server-throttling"]],
    ["flood", []],
    ["", []],
  ])("%s suggests %j", (given, expected) => {
    expect(nearest(given, names)).toEqual(expect.arrayContaining(expected));
    expect(nearest(given, names).slice(0, expected.length).sort()).toEqual([...expected].sort());
    if (expected.length === 0) expect(nearest(given, names)).toEqual([]);
  });

  it("suggests three at most, the likest first", () => {
    expect(nearest("nodes", ["node", "nodepool", "nodegroup", "nodesa", "nodeb"])).toHaveLength(3);
    expect(nearest("abcdef", ["abcxyz", "abcdex", "abcdef1"])[0]).toBe("abcdex");
  });

  it("is followed by a question, or by nothing", () => {
    expect(didYouMean("KmsKeyDissabled", ["Other", "KmsKeyDisabled"])).toBe(" Did you mean KmsKeyDisabled?");
    expect(didYouMean("x", ["Other"])).toBe("");
  });
});
