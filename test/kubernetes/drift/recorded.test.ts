import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type Answers, answersOf } from "./answers.js";
import { differences, type Json } from "./compare.js";
import { EXCEPTIONS } from "./exceptions.js";
import { simulatedSubject } from "./subject.js";

/**
 * Compares the answers of a simulated cluster with those that a real one of version 1.36.2 once gave to the same requests (recorded.json). The words are
 * upstream's: they are what clients show and people search for.
 */
const recorded = JSON.parse(readFileSync(new URL("./recorded.json", import.meta.url), "utf8")) as Answers;
const names = { expected: "the real cluster", actual: "the simulated one" };

describe("a simulated cluster", () => {
  it("answers as a real one did, but for what is known and has a reason", { timeout: 120_000 }, async () => {
    const { subject } = await simulatedSubject({ serviceCidr: "10.96.0.0/16" });
    const given = await answersOf(subject);
    const excused = new Map(
      Object.entries(EXCEPTIONS).flatMap(([why, list]) => list.map((does) => [does, why] as const)),
    );
    const unexcused: string[] = [];
    const different = new Set<string>();
    for (const [table, answers] of Object.entries(recorded))
      for (const [does, answer] of Object.entries(answers)) {
        const key = `${table}: ${does}`;
        const found = differences(answer, given[table]?.[does] as Json | undefined, names);
        if (found.length > 0) different.add(key);
        if (!excused.has(key)) unexcused.push(...found.map((difference) => `${key} > ${difference}`));
      }
    expect(unexcused).toEqual([]);
    // What is alike needs no excuse any more.
    expect([...excused.keys()].filter((key) => !different.has(key))).toEqual([]);
  });
});
