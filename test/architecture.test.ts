import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const SRC = fileURLToPath(new URL("../src", import.meta.url));

/** What each room may import, beside itself and libraries. Imports only ever point down. */
const ALLOWED: Record<string, readonly string[]> = {
  main: [
    "api",
    "reconcile",
    "faults",
    "backends/backend",
    "backends/embedded",
    "backends/kind",
    "identity",
    "state",
    "clock",
    "domain",
    "config",
    "log",
  ],
  cli: ["main", "testkit", "faults", "config", "log", "domain", "clock", "api"],
  testkit: [
    "main",
    "api",
    "reconcile",
    "faults",
    "backends/backend",
    "backends/embedded",
    "backends/kind",
    "identity",
    "state",
    "clock",
    "domain",
    "config",
    "log",
  ],
  api: ["domain", "state", "identity", "reconcile", "clock"],
  reconcile: ["domain", "state", "identity", "clock", "backends/backend"],
  faults: ["domain", "state", "identity", "clock", "backends/backend"],
  "backends/backend": ["domain", "backends/contract"],
  // Types of the backend contract, which everybody has from backend.ts.
  "backends/contract": ["domain"],
  // What every backend does alike, over its own way of reading and writing objects.
  "backends/objects": ["backends/contract", "domain"],
  "backends/embedded": ["backends/backend", "backends/objects", "domain", "clock", "kubernetes"],
  "backends/kind": ["backends/backend", "backends/objects", "domain", "clock"],
  kubernetes: ["clock"],
  identity: ["domain"],
  state: ["domain"],
  clock: [],
  domain: [],
  config: ["clock"],
  log: ["config"],
};

/** What may be used from where although the rest of the room may not: `Date.now` and friends live in the clock alone. */
// The idle time of a connection (`request.setTimeout`) is the machine's own affair.
const TIME_AND_CHANCE =
  /(?<![\w.])(globalThis\.|Date\.now\(|setTimeout\(|setInterval\(|setImmediate\(|Math\.random\(|new Date\(\))/;
const TIME_ALLOWED = ["clock/create-clock.ts", "cli/start.ts"];

function files(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return files(path);
    return path.endsWith(".ts") ? [path] : [];
  });
}

const roomOf = (path: string): string => {
  const local = relative(SRC, path).replace(/\.(ts|js)$/, "");
  const known = Object.keys(ALLOWED).sort((a, b) => b.length - a.length);
  return known.find((room) => local === room || local.startsWith(`${room}/`)) ?? local;
};

const sources = files(SRC);
const imports = (text: string): string[] =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*"([^"]+)"/g)].map((match) => match[1] as string);

describe("the house", () => {
  it("has only rooms that the plan names", () => {
    expect([...new Set(sources.map(roomOf))].filter((room) => !(room in ALLOWED))).toEqual([]);
  });

  it("lets imports point down only", () => {
    const wrong = sources.flatMap((file) => {
      const room = roomOf(file);
      return imports(readFileSync(file, "utf8"))
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => roomOf(resolve(dirname(file), specifier)))
        .filter((target) => target !== room && !ALLOWED[room]?.includes(target))
        .map((target) => `${relative(SRC, file)} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  it("keeps the domain free of everything, Node included", () => {
    const wrong = sources
      .filter((file) => roomOf(file) === "domain")
      .flatMap((file) =>
        imports(readFileSync(file, "utf8"))
          .filter((specifier) => !specifier.startsWith("."))
          .map((s) => `${relative(SRC, file)} imports ${s}`),
      );
    expect(wrong).toEqual([]);
  });

  it("keeps Fastify out of the operations", () => {
    const wrong = sources.filter(
      (file) => file.includes("/api/eks/") && /from "fastify"/.test(readFileSync(file, "utf8")),
    );
    expect(wrong).toEqual([]);
  });

  it("takes time, timers and chance from the clock alone", () => {
    const wrong = sources
      .filter((file) => !TIME_ALLOWED.includes(relative(SRC, file)))
      .flatMap((file) =>
        readFileSync(file, "utf8")
          .split("\n")
          .map((line, index) => ({ line, where: `${relative(SRC, file)}:${index + 1}` }))
          .filter(({ line }) => TIME_AND_CHANCE.test(line) && !/^\s*(\*|\/\/)/.test(line))
          .map(({ where, line }) => `${where} ${line.trim()}`),
      );
    expect(wrong).toEqual([]);
  });

  it("reads the environment in config.ts alone", () => {
    const wrong = sources.filter(
      (file) => relative(SRC, file) !== "config.ts" && /process\.env\b/.test(readFileSync(file, "utf8")),
    );
    expect(wrong.map((file) => relative(SRC, file))).toEqual([]);
  });

  it("never builds a shell command", () => {
    const wrong = sources.filter((file) => {
      const text = readFileSync(file, "utf8");
      return text.includes("child_process") && /\bexec(Sync)?\(|shell:\s*true/.test(text.replace(/\.exec\(/g, ""));
    });
    expect(wrong.map((file) => relative(SRC, file))).toEqual([]);
  });
});
