import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";

const text = readFileSync(new URL("../../../docs/automation.md", import.meta.url), "utf8");
const ADMIN = new URL("../../../src/api/admin/", import.meta.url);

describe("docs/automation.md", () => {
  let eksim: Eksim;
  beforeAll(async () => {
    eksim = await startEksim();
  });
  afterAll(() => eksim.stop());

  it("tells of every route of eksim's own, and of no other", () => {
    const routes = readdirSync(ADMIN).flatMap((file) =>
      [...readFileSync(new URL(file, ADMIN), "utf8").matchAll(/app\.(get|post|delete)\(\s*"(\/_eksim\/[^"]+)"/g)].map(
        ([, method = "", path = ""]) => `${method.toUpperCase()} ${path.replace(/:\w+/g, "<>")}`,
      ),
    );
    const told = [...text.matchAll(/^\| `([A-Z]+ \/_eksim\/[^`]+)` \|/gm)].map(([, route = ""]) =>
      route.replace(/<\w+>/g, "<>"),
    );
    expect(routes.length).toBeGreaterThan(20);
    expect(told.sort()).toEqual(routes.sort());
  });

  it("tells of every call of the library, and of no other", () => {
    const table = text
      .slice(text.indexOf("| call |"))
      .split("\n")
      .filter((line) => line.startsWith("| `"));
    const told = table.flatMap((row) => [...row.matchAll(/`(\w+)\(/g)].map(([, name]) => name));
    const calls = Object.entries(eksim).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));
    expect(told.sort()).toEqual(calls.sort());
  });
});
