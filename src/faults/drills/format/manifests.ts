/** Kubernetes objects of a drill: written out in it, or in files that stand beside it. */
import { parseAllDocuments } from "yaml";
import type { Manifest } from "../drill.js";
import { entries, isMapping, items, jsonObject, type Read, type Spot, text, wrong } from "./fields.js";

/** Reads a file that a drill names, as text. Throws Errors whose message says why it cannot be read. */
export type ReadFile = (path: string) => string;

/** A list of objects, of `file: <path>`, and of texts that hold YAML documents. */
export const manifests =
  (readFile: ReadFile): Read<Manifest[]> =>
  (spot) => {
    const read = items(spot)?.map((item) => manifestsAt(item, readFile));
    return !read || read.some((one) => one === undefined) ? undefined : (read as Manifest[][]).flat();
  };

function manifestsAt(spot: Spot, readFile: ReadFile): Manifest[] | undefined {
  if (!isMapping(spot)) {
    const documents = text(spot);
    return documents === undefined ? undefined : parsed(spot, documents, "this text");
  }
  const file = entries(spot)?.find(({ key }) => key === "file");
  if (file === undefined) {
    const object = jsonObject(spot);
    return object && checked(spot, [object], "this");
  }
  const path = text(file.value);
  if (path === undefined) return undefined;
  try {
    return parsed(file.value, readFile(path), path);
  } catch (error) {
    return wrong(file.value, `cannot read ${path}: ${(error as Error).message}`);
  }
}

function parsed(spot: Spot, documents: string, what: string): Manifest[] | undefined {
  const all = parseAllDocuments(documents);
  const errors = [...all].flatMap((document) => document.errors);
  if (errors[0]) return wrong(spot, `${what} is no YAML: ${errors[0].message.split("\n")[0]}`);
  const objects = [...all].map((document) => document.toJS() as unknown).filter((object) => object !== null);
  return checked(spot, objects.flatMap(itemsOf), what);
}

/** A `List` stands for what is in it. */
function itemsOf(object: unknown): unknown[] {
  const { kind, items } = (object ?? {}) as { kind?: unknown; items?: unknown };
  return kind === "List" && Array.isArray(items) ? items : [object];
}

function checked(spot: Spot, objects: readonly unknown[], what: string): Manifest[] | undefined {
  for (const object of objects) {
    const { apiVersion, kind, metadata } = (object ?? {}) as {
      apiVersion?: unknown;
      kind?: unknown;
      metadata?: unknown;
    };
    const name = (metadata as { name?: unknown } | undefined)?.name;
    if (typeof apiVersion !== "string" || typeof kind !== "string" || typeof name !== "string")
      return wrong(
        spot,
        `${what} holds something that is no Kubernetes object: it needs apiVersion, kind and metadata.name`,
      );
  }
  return objects as Manifest[];
}
