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
import { customName } from "./names.js";
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
  const once = (key: string, make: () => Json): OpenApiDocument => {
    if (madeAt !== generation()) {
      made = new Map();
      madeAt = generation();
    }
    let document = made.get(key);
    if (!document) {
      const body = JSON.stringify(make());
      document = { body, etag: `"${digest(body)}"` };
      made.set(key, document);
    }
    return document;
  };
  const served = (path: string): readonly ResourceInfo[] => resources().filter((resource) => pathOf(resource) === path);
  return {
    index: () => once("v3", () => ({ paths: indexOf(resources(), gitVersion, customSchema) })),
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
        const { paths, schemas } = describe(openApi2, resources(), customSchema);
        return {
          swagger: "2.0",
          info,
          paths,
          definitions: schemas,
          securityDefinitions: { BearerToken: BEARER },
          security: [{ BearerToken: [] }],
        };
      }),
  };
}

const BEARER = { description: "Bearer Token authentication", type: "apiKey", name: "authorization", in: "header" };

const pathOf = (info: ResourceInfo): string => `${info.group ? "apis" : "api"}/${formatApiVersion(info)}`;

const digest = (text: string): string => createHash("sha512").update(text).digest("hex").toUpperCase();

type CustomSchema = (info: ResourceInfo) => Json | undefined;

/**
 * Addresses by path. The hash must change with the document but should not cost its making: it covers all that the document is made from.
 */
function indexOf(
  resources: readonly ResourceInfo[],
  gitVersion: string,
  customSchema: CustomSchema,
): Record<string, Json> {
  const tables =
    readFileSync(new URL("../generated/schema.json", import.meta.url), "utf8") +
    readFileSync(new URL("../generated/traits.json", import.meta.url), "utf8");
  const salt = digest(gitVersion + tables);
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
      { serverRelativeURL: `/openapi/v3/${path}?hash=${digest(salt + JSON.stringify(entries))}` },
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
    ? `${customName(info)}List`
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
