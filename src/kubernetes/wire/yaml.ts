/** YAML bodies, read (and answers, written) as Kubernetes reads them: YAML 1.1 scalars (`yes`, `0o14`) but neither dates nor sexagesimal numbers, always JSON values. */
import { createRequire } from "node:module";
import type { CollectionTag, ScalarTag } from "yaml";
import { MAX_DEPTH, measure } from "./json-text.js";

export interface ParsedYaml {
  value: unknown;
  /** A line for each key that an object has twice, as the decoder reports it. */
  duplicates: readonly string[];
}

// Bodies are rarely YAML (kubectl sends JSON), so that the parser is loaded with the first one, and synchronously, since decoding is.
const load = createRequire(import.meta.url);

/** Tags of YAML 1.1 that Kubernetes' reader takes as plain strings: dates, binary data, and numbers such as `22:22`. */
const keep = (tag: ScalarTag | CollectionTag | string): boolean =>
  typeof tag === "string"
    ? !["timestamp", "binary", "intTime", "floatTime"].includes(tag)
    : !["tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:binary"].includes(tag.tag) &&
      (tag as ScalarTag).format !== "TIME";

/** Throws YamlError with the reader's words for text that is no YAML, that nests too deep or that expands beyond reason. */
export function parseYaml(text: string): ParsedYaml {
  try {
    return read(text);
  } catch (error) {
    if (error instanceof YamlError) throw error;
    // The reader recurses, and aliases can refer to themselves or multiply: it ends in errors of many kinds, all of them the text's fault.
    throw new YamlError(`yaml: ${reasonOf(error)}`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return "exceeded max depth";
  if (error instanceof TypeError) return "anchor value contains itself";
  return error instanceof Error ? error.message : String(error);
}

function read(text: string): ParsedYaml {
  const yaml = load("yaml") as typeof import("yaml");
  const document = yaml.parseDocument(text, {
    version: "1.1",
    merge: true,
    customTags: (tags) => tags.filter(keep),
    logLevel: "silent",
  });
  const duplicates: string[] = [];
  for (const error of document.errors) {
    const line = error.linePos?.[0].line ?? 0;
    // Only the first document of several is read.
    if (error.code === "MULTIPLE_DOCS") continue;
    if (/call stack/.test(error.message)) throw new YamlError("yaml: exceeded max depth");
    if (error.code !== "DUPLICATE_KEY") throw new YamlError(`yaml: line ${line}: ${error.message.split("\n")[0]}`);
    const key = /^[^:\s]*/.exec(text.slice(error.pos[0]))?.[0] ?? "";
    duplicates.push(`line ${line}: key ${JSON.stringify(key)} already set in map`);
  }
  // Anything that JSON cannot express (infinities, keys that are not strings) becomes what JSON makes of it.
  const json = JSON.stringify(document.toJS({ maxAliasCount: 100 })) ?? "null";
  if (measure(json).depth > MAX_DEPTH) throw new YamlError("yaml: exceeded max depth");
  return { value: JSON.parse(json), duplicates };
}

/** YAML text of a JSON value, keys in alphabetical order, as the API server prints objects for clients that accept only YAML. */
export function formatYaml(value: unknown): string {
  const yaml = load("yaml") as typeof import("yaml");
  return yaml.stringify(value, { version: "1.1", sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false });
}

export class YamlError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "YamlError";
  }
}
