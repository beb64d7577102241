// Generates the Kubernetes schema tables from @kubernetes/client-node's generated models (read as text, never executed as a client).
// Output: src/kubernetes/schema/generated/{types.ts,schema.json,resources.json} and, through go-types.mjs, the tables that need the Go sources.
// The package is fetched with `npm pack` into a cache, because the release that describes Kubernetes 1.36 asks for a newer Node than eksim does and must
// not become a dependency.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { generateGoTypes, goSourceIsCached } from "./go-types.mjs";

export const SOURCE = "@kubernetes/client-node@2.0.1";
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const CACHE = join(ROOT, "node_modules/.cache/k8s");
const PACKAGE = join(CACHE, "package");

/** Stable groups only: an API class named <Group>V<n>Api, without alpha or beta. */
const API_CLASS = /^([A-Z][A-Za-z]*?)V(\d+)Api$/;

export function sourceIsCached() {
  return existsSync(join(PACKAGE, "dist/gen/models/V1Pod.js"));
}

function fetchSource() {
  if (sourceIsCached()) return;
  mkdirSync(CACHE, { recursive: true });
  const tarball = execFileSync("npm", ["pack", "--silent", SOURCE], { cwd: CACHE, encoding: "utf8" })
    .trim()
    .split("\n")
    .pop();
  execFileSync("tar", ["xzf", tarball], { cwd: CACHE });
}

/** Name of a type in our tables: `V1Pod` -> `Pod`; versions above 1 and disambiguated names keep theirs. */
const typeName = (clientName) => clientName.replace(/^V1(?=[A-Z])/, "").replace(/V1(?=[A-Z])/, "");

function parseType(raw, format) {
  const array = /^Array<(.*)>$/.exec(raw);
  if (array) return `[]${parseType(array[1], format)}`;
  const set = /^Set<(.*)>$/.exec(raw);
  if (set) return `[]${parseType(set[1], format)}`;
  const map = /^\{ \[key: string\]: (.*); \}$/.exec(raw);
  if (map) return `{}${parseType(map[1], format)}`;
  if (raw === "string") return format === "byte" ? "bytes" : "string";
  if (raw === "number")
    return format === "int64" ? "int64" : format === "int32" ? "int32" : format === "double" ? "double" : "number";
  if (raw === "boolean") return "boolean";
  if (raw === "Date") return "time";
  if (raw === "V1MicroTime") return "microtime";
  if (raw === "IntOrString") return "int-or-string";
  if (raw === "any" || raw === "object") return "any";
  return `#${raw}`;
}

const clean = (doc) =>
  doc
    .replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&")
    .replace(/\s+/g, " ")
    .trim();

/** Field facts that only the declaration file has: whether a field is required, and its description. */
function declaration(name) {
  const text = readFileSync(join(PACKAGE, `dist/gen/models/${name}.d.ts`), "utf8");
  const body = text.slice(text.indexOf("export declare class"));
  const fields = {};
  for (const m of body.matchAll(/(?:\/\*\*\s*\n((?:\s*\*[^\n]*\n)*?)\s*\*\/\s*)?'([^']+)'(\??):/g)) {
    fields[m[2]] = { required: m[3] === "", doc: clean((m[1] ?? "").replace(/^\s*\* ?/gm, "")) };
  }
  const header = /\/\*\*\s*\n((?:\s*\*[^\n]*\n)*?)\s*\*\/\s*export declare class/.exec(
    text.slice(Math.max(0, text.lastIndexOf("import "))),
  );
  return { fields, doc: clean((header?.[1] ?? "").replace(/^\s*\* ?/gm, "")) };
}

async function loadModel(name) {
  const module = await import(pathToFileURL(join(PACKAGE, `dist/gen/models/${name}.js`)).href);
  return module[name]?.attributeTypeMap;
}

/** `CoreV1Event` -> `Event`: the kind is what follows the version in the client's name. */
const kindOf = (clientName) => /V\d+(?=[A-Z])(.*)$/.exec(clientName)?.[1];

/** Every path of the stable APIs: {path: {verb: {body?, returns?}}} with the client's own type names. */
function collectPaths() {
  const paths = {};
  for (const file of readdirSync(join(PACKAGE, "dist/gen/apis"))) {
    if (!file.endsWith("Api.js") || !API_CLASS.test(file.replace(".js", ""))) continue;
    const text = readFileSync(join(PACKAGE, "dist/gen/apis", file), "utf8");
    // Operation names repeat across API files (core and events.k8s.io both have listNamespacedEvent), so results are matched within one file.
    const operations = {};
    for (const part of text.split(/\n {4}async (?=[a-z])/).slice(1)) {
      const operation = /^([A-Za-z0-9]+)\(/.exec(part)?.[1];
      const path = /localVarPath = '([^']+)'/.exec(part)?.[1];
      const verb = /HttpMethod\.([A-Z]+)/.exec(part)?.[1]?.toLowerCase();
      if (!operation || !path || !verb) continue;
      const body = /ObjectSerializer\.serialize\(body, "([^"]+)"/.exec(part)?.[1];
      paths[path] ??= {};
      operations[operation] = paths[path][verb] = body && body !== "any" ? { body } : {};
    }
    for (const m of text.matchAll(
      /async ([A-Za-z0-9]+)WithHttpInfo\(response\) \{[\s\S]*?deserialize\(ObjectSerializer\.parse\([^;]*?\), "([^"]+)"/g,
    )) {
      if (operations[m[1]]) operations[m[1]].returns = m[2];
    }
  }
  return paths;
}

const byKey = (record) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

/** HTTP methods of a collection and of an item, as verbs. */
const COLLECTION_VERBS = { post: "create", delete: "deletecollection", get: "list" };
const ITEM_VERBS = { post: "create", delete: "delete", get: "get", patch: "patch", put: "update" };
const PATH =
  /^\/(?:api|apis\/([^/]+))\/(v\d+)\/(namespaces\/\{namespace\}\/)?([a-z]+)(?:\/(\{name\})(?:\/([a-z]+)(?:\/\{path\})?)?)?$/;

/** What the paths say about each resource: scope, kind, verbs, subresources. */
function collectResources(paths) {
  const resources = {};
  for (const [path, methods] of Object.entries(paths)) {
    const m = PATH.exec(path);
    if (!m) continue;
    const [, group = "", version, namespaced, resource, name, subresource] = m;
    const key = `${group}/${version}/${resource}`;
    resources[key] ??= {
      group,
      version,
      resource,
      kind: "",
      type: "",
      namespaced: false,
      verbs: new Set(),
      subresources: {},
    };
    const entry = resources[key];
    if (namespaced) entry.namespaced = true;
    for (const [method, { body, returns }] of Object.entries(methods)) {
      const verb = (name ? ITEM_VERBS : COLLECTION_VERBS)[method];
      if (!verb) continue;
      if (!subresource) {
        entry.verbs.add(verb);
        const client = verb === "create" || verb === "get" ? (returns ?? body) : undefined;
        if (client) Object.assign(entry, { kind: kindOf(client), type: typeName(client) });
        continue;
      }
      entry.subresources[subresource] ??= { name: subresource, verbs: new Set() };
      const sub = entry.subresources[subresource];
      sub.verbs.add(verb);
      const client = [body, returns].find((type) => /V\d/.test(type ?? ""));
      if (client && !sub.type) Object.assign(sub, { kind: kindOf(client), type: typeName(client) });
    }
  }
  return Object.values(byKey(resources)).map(({ verbs, subresources, ...entry }) => {
    // The client leaves out the watch verb: in Kubernetes everything that can be both listed and created can be watched.
    if (verbs.has("list") && verbs.has("create")) verbs.add("watch");
    const subs = Object.values(byKey(subresources)).map(({ kind, type, verbs, ...sub }) => ({
      ...sub,
      ...(type && type !== entry.type ? { kind, type } : {}),
      verbs: [...verbs].sort(),
    }));
    return {
      ...entry,
      ...(verbs.size === 8 ? {} : { verbs: [...verbs].sort() }),
      ...(subs.length > 0 ? { subresources: subs } : {}),
    };
  });
}

/** Returns {relative path: contents} of all generated files. */
export async function generateKubernetes() {
  fetchSource();
  const paths = collectPaths();
  const wanted = new Set();
  for (const verbs of Object.values(paths)) {
    for (const entry of Object.values(verbs)) {
      for (const type of [entry.body, entry.returns]) if (type) wanted.add(typeName(type));
    }
  }
  const clientNames = readdirSync(join(PACKAGE, "dist/gen/models"))
    .filter((f) => f.endsWith(".js"))
    .map((f) => f.slice(0, -3));
  const byName = new Map();
  for (const clientName of clientNames)
    if (!/^V\d+(alpha|beta)/.test(clientName)) byName.set(typeName(clientName), clientName);
  const types = {};
  const docs = {};
  const queue = [
    ...wanted,
    "WatchEvent",
    "APIVersions",
    "APIGroupList",
    "APIResourceList",
    "Status",
    "DeleteOptions",
    "Eviction",
    "Scale",
    "TokenRequest",
  ];
  while (queue.length > 0) {
    const name = queue.shift();
    const clientName = byName.get(name);
    if (types[name] || !clientName) continue;
    const attributes = await loadModel(clientName);
    if (!attributes) continue;
    const facts = declaration(clientName);
    const fields = {};
    const fieldDocs = {};
    for (const attribute of attributes) {
      const type = parseType(attribute.type, attribute.format).replace(/#(\w+)/, (_, ref) => `#${typeName(ref)}`);
      const fact = facts.fields[attribute.name];
      fields[attribute.baseName] = fact?.required ? `${type}!` : type;
      if (fact?.doc) fieldDocs[attribute.baseName] = fact.doc;
      const ref = /#(\w+)/.exec(type)?.[1];
      if (ref) queue.push(ref);
    }
    types[name] = fields;
    docs[name] = { "": facts.doc, ...fieldDocs };
  }
  const sorted = Object.fromEntries(Object.entries(types).sort(([a], [b]) => (a < b ? -1 : 1)));
  const sortedDocs = Object.fromEntries(Object.entries(docs).sort(([a], [b]) => (a < b ? -1 : 1)));
  const dir = "src/kubernetes/schema/generated";
  return {
    [`${dir}/schema.json`]: `${JSON.stringify({ source: SOURCE, types: sorted }, null, 0).replace(/\},"/g, '},\n"')}\n`,
    [`${dir}/resources.json`]: `[\n${collectResources(paths)
      .map((entry) => JSON.stringify(entry))
      .join(",\n")}\n]\n`,
    [`${dir}/types.ts`]: renderTypes(sorted),
    // Without the Go sources at hand these tables are left as they are.
    ...(goSourceIsCached() ? generateGoTypes(sorted, sortedDocs) : {}),
  };
}

const PRIMITIVES = {
  string: "string",
  bytes: "string",
  int32: "number",
  int64: "number",
  double: "number",
  number: "number",
  boolean: "boolean",
  time: "string",
  microtime: "string",
  "int-or-string": "number | string",
  any: "unknown",
};

function tsType(type, nested) {
  if (type.startsWith("[]")) {
    const inner = tsType(type.slice(2), nested);
    return /\W/.test(inner) ? `(${inner})[]` : `${inner}[]`;
  }
  if (type.startsWith("{}")) return `Record<string, ${tsType(type.slice(2), nested)}>`;
  if (type === "#ObjectMeta") return nested ? "Partial<ObjectMeta>" : "ObjectMeta";
  if (type.startsWith("#")) return type.slice(1);
  return PRIMITIVES[type];
}

function renderTypes(types) {
  const out = [
    "// Generated by scripts/generate/kubernetes.mjs. Do not edit.",
    'import type { ObjectMeta } from "../object-meta.js";',
    "",
    "export type { ObjectMeta };",
    "",
  ];
  for (const [name, fields] of Object.entries(types)) {
    if (name === "ObjectMeta") continue;
    const topLevel = "apiVersion" in fields && "kind" in fields && fields.metadata?.startsWith("#ObjectMeta");
    // Aliases, not interfaces: only they are assignable to KubeObject, whose index signature an interface would not satisfy.
    out.push(`export type ${name} = {`);
    for (const [field, coded] of Object.entries(fields)) {
      const type = coded.replace(/!$/, "");
      const required = coded.endsWith("!") || (topLevel && ["apiVersion", "kind", "metadata"].includes(field));
      out.push(
        `  ${/^[A-Za-z_$][\w$]*$/.test(field) ? field : JSON.stringify(field)}${required ? "" : "?"}: ${tsType(type, !topLevel)};`,
      );
    }
    out.push("};", "");
  }
  return out.join("\n");
}
