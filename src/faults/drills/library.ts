/** The drills that come with eksim, and those in files of one's own. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { didYouMean } from "../../domain/nearest.js";
import type { Drill } from "./drill.js";
import { type ReadDrillOptions, readDrill } from "./format/read-drill.js";

/** Beside the compiled program as beside its sources. */
const LIBRARY = fileURLToPath(new URL("../../../drills/", import.meta.url));

export const libraryNames = (): string[] =>
  readdirSync(LIBRARY)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => basename(name, ".yaml"))
    .sort();

/** There is no such drill. */
export class NoSuchDrill extends Error {
  readonly exitCode = 2;
  constructor(named: string) {
    const names = libraryNames();
    super(
      `there is no file ${named}, and no drill of this name; drills that come with eksim: ${names.join(", ")}.${didYouMean(named, names)}`,
    );
    this.name = "NoSuchDrill";
  }
}

const UNREADABLE: Readonly<Record<string, string>> = {
  EISDIR: "it is a directory; name the drill's file in it",
  ENOTDIR: "what is taken for a directory in this path is none",
  EACCES: "this user may not read it",
};

/** There is a file that cannot be read. */
class UnreadableDrill extends Error {
  readonly exitCode = 2;
  constructor(named: string, why: string, cause: unknown) {
    super(`the drill ${named} cannot be used: ${why}`, { cause });
    this.name = "UnreadableDrill";
  }
}

/** A file by its path, or a drill of the library by its name. Throws NoSuchDrill and UnreadableDrill. */
export function findDrill(named: string): { file: string; content: string } {
  const own = /[/\\]|\.ya?ml$/.test(named) || existsSync(named) ? resolve(named) : undefined;
  const file = own ?? resolve(LIBRARY, `${named}.yaml`);
  try {
    return { file, content: readFileSync(file, "utf8") };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new NoSuchDrill(named);
    throw new UnreadableDrill(named, UNREADABLE[code] ?? `it cannot be read: ${message}`, error);
  }
}

/** Reads a drill; files that it names are looked for beside it. Throws NoSuchDrill, UnreadableDrill and DrillFileError. */
export function loadDrill(named: string, options: Pick<ReadDrillOptions, "region" | "operationsOf">): Drill {
  const { file, content } = findDrill(named);
  return readDrill(content, {
    file: named.includes("/") || named.includes(".") ? named : basename(file),
    readFile: (path) => readFileSync(resolve(dirname(file), path), "utf8"),
    ...options,
  });
}
