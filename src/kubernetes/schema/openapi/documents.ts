/**
 * The OpenAPI documents of an API server: an index and one document for each group version (version 3), and one document for everything (version 2,
 * JSON only). They are large and most clusters are never asked for them, so each is made when it is first read and kept until the resources change.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { formatApiVersion, listTypeOf } from "../kinds.js";
import type { ResourceInfo } from "../resource-info.js";
import { typeOf } from "../schema.js";
import { Components, type Kind, loadDescriptions } from "./components.js";
import { type Dialect, type Json, openApi2, openApi3 } from "./dialect.js";
import { customListName, customName } from "./names.js";
import { type ResourceComponents, resourcePaths } from "./paths.js";

export interface OpenApiDocument {
  /** JSON text. */
  body: string;
  etag: string;
}

export interface OpenApi {
  /** `/openapi/v3`: the group versions and the addresses of their documents, each with the hash of its present contents. */
  index(): OpenApiDocument;
  /** `/openapi/v3/<path>`, e.g. `api/v1` or `apis/apps/v1`; undefined when nothing of that name is served. */
  groupVersion(path: string): OpenApiDocument | undefined;
  /** `/openapi/v2` as JSON. */
  v2(): OpenApiDocument;
}

/** `generation` changes whenever `resources` does. `customSchema` is the OpenAPI schema of a custom resource's objects, if its definition has one. */
export function createOpenApi({
  resources,
  generation,
  gitVersion,
  customSchema = () => undefined,
}: {
  resources: () => readonly ResourceInfo[];
  generation: () => number;
  /** e.g. `v1.36.1-eks-0247562`: the version that documents carry. */
  gitVersion: string;
  customSchema?: (info: ResourceInfo) => Json | undefined;
}): OpenApi {
  let made = new Map<string, OpenApiDocument>();
  let madeAt: number | undefined;
  const info = { title: "Kubernetes", version: gitVersion };
  const once = (key: string, make: () => Json | string): OpenApiDocument => {
    if (madeAt !== generation()) {
      made = new Map();
      madeAt = generation();
    }
    let document = made.get(key);
    if (!document) {
      const content = make();
      const body = typeof content === "string" ? content : JSON.stringify(content);
      document = { body, etag: `"${digest(body)}"` };
      made.set(key, document);
    }
    return document;
  };
  const hashes = createHashes(gitVersion);
  let version2: Version2 | undefined;
  const served = (path: string): readonly ResourceInfo[] => resources().filter((resource) => pathOf(resource) === path);
  return {
    index: () => once("v3", () => ({ paths: indexOf(resources(), hashes, customSchema) })),
    groupVersion: (path) => {
      const found = served(path);
      if (found.length === 0) return undefined;
      return once(`v3/${path}`, () => {
        const { paths, schemas } = describe(openApi3, found, customSchema);
        return { openapi: "3.0.0", info, paths, components: { schemas, securitySchemes: { BearerToken: BEARER } } };
      });
    },
    v2: () =>
      once("v2", () => {
        version2 ??= createVersion2(resources());
        const { paths, definitions } = version2(resources(), customSchema);
        const rest = { securityDefinitions: { BearerToken: BEARER }, security: [{ BearerToken: [] }] };
        const ends = [JSON.stringify({ swagger: "2.0", info }).slice(0, -1), JSON.stringify(rest).slice(1)];
        return `${ends[0]},"paths":{${paths}},"definitions":{${definitions}},${ends[1]}`;
      }),
  };
}

const BEARER = { description: "Bearer Token authentication", type: "apiKey", name: "authorization", in: "header" };

const pathOf = (info: ResourceInfo): string => `${info.group ? "apis" : "api"}/${formatApiVersion(info)}`;

const digest = (text: string): string => createHash("sha512").update(text).digest("hex").toUpperCase();

type CustomSchema = (info: ResourceInfo) => Json | undefined;

/** Hashes of documents by path, worked out anew only for those whose sources are other ones than the last time. */
type Hashes = (path: string, sources: readonly unknown[]) => string;

function createHashes(gitVersion: string): Hashes {
  let salt: string | undefined;
  const known = new Map<string, { sources: readonly unknown[]; hash: string }>();
  return (path, sources) => {
    const last = known.get(path);
    if (last?.sources.length === sources.length && last.sources.every((source, index) => source === sources[index]))
      return last.hash;
    salt ??= digest(
      gitVersion +
        readFileSync(new URL("../generated/schema.json", import.meta.url), "utf8") +
        readFileSync(new URL("../generated/traits.json", import.meta.url), "utf8"),
    );
    const hash = digest(salt + JSON.stringify(sources));
    known.set(path, { sources, hash });
    return hash;
  };
}

/** The texts of all paths and definitions of version 2, without the braces around them. */
type Version2 = (
  resources: readonly ResourceInfo[],
  customSchema: CustomSchema,
) => { paths: string; definitions: string };

const members = (json: Json): string => JSON.stringify(json).slice(1, -1);

/**
 * The built-in part is large and never changes, so that it is made once; each custom resource adds its own, which is kept as long as its definition says
 * the same.
 */
function createVersion2(all: readonly ResourceInfo[]): Version2 {
  const builtin = describe(
    openApi2,
    all.filter((info) => typeOf(info.type)),
    () => undefined,
  );
  const base = { paths: members(builtin.paths), definitions: members(builtin.schemas) };
  const components = new Components({ dialect: openApi2, descriptions: loadDescriptions(), kinds: new Map() });
  const made = new WeakMap<ResourceInfo, { paths: string; definitions: string }>();

  function add(info: ResourceInfo, customSchema: CustomSchema): { paths: string; definitions: string } {
    const paths = resourcePaths(openApi2, info, componentsOf(components, info, customSchema));
    const definitions: Json = {};
    for (const name of [customName(info), customListName(info)]) {
      definitions[name] = components.schemas[name];
      delete components.schemas[name];
    }
    return { paths: members(paths), definitions: members(definitions) };
  }

  return (resources, customSchema) => {
    const parts = [base];
    for (const info of resources) {
      if (typeOf(info.type)) continue;
      let part = made.get(info);
      if (!part) {
        part = add(info, customSchema);
        made.set(info, part);
      }
      parts.push(part);
    }
    return {
      paths: parts.map(({ paths }) => paths).join(","),
      definitions: parts.map(({ definitions }) => definitions).join(","),
    };
  };
}

/**
 * Addresses by path. The hash must change with the document but should not cost its making: it covers all that the document is made from.
 */
function indexOf(resources: readonly ResourceInfo[], hashes: Hashes, customSchema: CustomSchema): Record<string, Json> {
  const sources = new Map<string, unknown[]>();
  for (const info of resources) {
    const path = pathOf(info);
    const entries = sources.get(path) ?? [];
    entries.push(info, customSchema(info));
    sources.set(path, entries);
  }
  return Object.fromEntries(
    [...sources].map(([path, entries]) => [
      path,
      { serverRelativeURL: `/openapi/v3/${path}?hash=${hashes(path, entries)}` },
    ]),
  );
}

/** Paths of some resources and every schema that they need. */
function describe(
  dialect: Dialect,
  resources: readonly ResourceInfo[],
  customSchema: CustomSchema,
): { paths: Json; schemas: Json } {
  const components = new Components({ dialect, descriptions: loadDescriptions(), kinds: kindsOf(resources) });
  const paths: Json = {};
  for (const info of resources)
    Object.assign(paths, resourcePaths(dialect, info, componentsOf(components, info, customSchema)));
  return { paths, schemas: components.schemas };
}

function componentsOf(components: Components, info: ResourceInfo, customSchema: CustomSchema): ResourceComponents {
  const builtin = typeOf(info.type) !== undefined;
  const object = builtin ? components.add(info.type) : components.addCustom(info, customSchema(info));
  // Kinds that are only created (reviews, bindings) have no lists.
  const list = !builtin
    ? customListName(info)
    : info.verbs.includes("list")
      ? components.add(listTypeOf(info))
      : object;
  const subresources = info.subresources.map((sub) => {
    if (sub.name === "log" || /Options$/.test(sub.kind)) return [sub.name, undefined] as const;
    return [sub.name, sub.kind === info.kind ? object : components.add(sub.type ?? info.type)] as const;
  });
  return {
    object,
    list,
    subresources: Object.fromEntries(subresources),
    deleteOptions: components.add("DeleteOptions"),
    status: components.add("Status"),
    patch: components.addLeaf("patch"),
    strategicMerge: builtin,
  };
}

/** Which kinds each type of the tables stands for: stored kinds, their lists, and those of subresources. */
function kindsOf(resources: readonly ResourceInfo[]): ReadonlyMap<string, Kind[]> {
  const kinds = new Map<string, Kind[]>([
    ["DeleteOptions", [{ group: "", version: "v1", kind: "DeleteOptions" }]],
    ["Status", [{ group: "", version: "v1", kind: "Status" }]],
    ["WatchEvent", [{ group: "", version: "v1", kind: "WatchEvent" }]],
  ]);
  for (const info of resources) {
    const { group, version, kind, listKind, type, subresources } = info;
    kinds.set(type, [{ group, version, kind }]);
    kinds.set(listTypeOf(info), [{ group, version, kind: listKind }]);
    for (const sub of subresources) {
      if (sub.version !== undefined && sub.type)
        kinds.set(sub.type, [{ group: sub.group ?? "", version: sub.version, kind: sub.kind }]);
    }
  }
  return kinds;
}
