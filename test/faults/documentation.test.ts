import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { FAULTS } from "../../src/domain/faults/index.js";

const lines = readFileSync(new URL("../../docs/faults.md", import.meta.url), "utf8").split("\n");

describe("docs/faults.md", () => {
  it.each(FAULTS)("tells of $name all that the catalogue does", ({ name, says, target, parameters }) => {
    const row = lines.find((line) => line.startsWith(`| \`${name}\``)) ?? "";
    expect(row).toContain(says);
    for (const member of target.takes) expect(row).toContain(member);
    for (const [parameter, { default: fallback }] of Object.entries(parameters)) {
      expect(row).toContain(`\`${parameter}\``);
      if (fallback !== undefined) expect(row).toContain(`(${[fallback].flat().join(", ")})`);
    }
  });

  it("tells of nothing else", () => {
    const told = lines.flatMap((line) => /^\| `([a-z]+(?:-[a-z]+)+)`/.exec(line)?.[1] ?? []);
    expect(told.sort()).toEqual(FAULTS.map(({ name }) => name).sort());
  });
});
