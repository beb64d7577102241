import { readFileSync } from "node:fs";
import * as sdk from "@aws-sdk/client-eks";
import { describe, expect, it } from "vitest";
import { model } from "../../../src/api/model/model.js";

const ROOT = new URL("../../../", import.meta.url);

describe("the model", () => {
  it("is what the generator makes of the SDK today", async () => {
    const { generateEks } = (await import(new URL("scripts/generate/eks.mjs", ROOT).href)) as {
      generateEks(): Record<string, string>;
    };
    const files = Object.entries(generateEks());
    expect(files).toHaveLength(2);
    for (const [path, text] of files) {
      expect(readFileSync(new URL(path, ROOT), "utf8") === text, `${path} is stale: run npm run generate`).toBe(true);
    }
  });

  it("has every operation that the SDK has a command for", () => {
    const commands = Object.keys(sdk).flatMap((name) => /^(\w+)Command$/.exec(name)?.[1] ?? []);
    expect(Object.keys(model().operations).sort()).toEqual(commands.filter((name) => name !== "$").sort());
    expect(commands.length).toBeGreaterThanOrEqual(70);
  });

  it("knows what the SDK leaves out: lengths, patterns and which member has which enum", () => {
    const { shapes, enums } = model();
    expect(shapes.CreateClusterRequest?.name).toMatchObject({ min: 1, max: 100, pattern: expect.any(String) });
    expect(shapes.CreateNodegroupRequest?.amiType).toEqual({ type: "string", enum: "AMITypes" });
    expect(shapes.LogSetup?.types).toEqual({ type: "list", of: { type: "string", enum: "LogType" } });
    expect(enums.LogType).toEqual(["api", "audit", "authenticator", "controllerManager", "scheduler"]);
  });
});
