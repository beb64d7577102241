// Generates the facts that only the Go sources of the Kubernetes API carry: protobuf field numbers and zero-value rules, list and map types for
// server-side apply, patch strategies and merge keys, quantity fields, and the packages that OpenAPI names are made of.
// Reads `<dir>/k8s.io/{api,apimachinery,apiextensions-apiserver}`: the contents of Debian's golang-k8s-*-dev packages (release 0.36), unpacked by hand into
// node_modules/.cache/k8s/go. Only struct fields, their tags and their +markers are read.
// Output: src/kubernetes/schema/generated/{docs,proto,traits,packages}.json.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SOURCE = join(ROOT, "node_modules/.cache/k8s/go/k8s.io");
const OUTPUT = "src/kubernetes/schema/generated";

/** Folder -> [OpenAPI package, group word that disambiguated type names begin with]. */
const PACKAGES = {
  "apimachinery/pkg/apis/meta/v1": ["io.k8s.apimachinery.pkg.apis.meta.v1", "Meta"],
  "apiextensions-apiserver/pkg/apis/apiextensions/v1": [
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "Apiextensions",
  ],
  "api/autoscaling/v2": ["io.k8s.api.autoscaling.v2", "V2"],
  ...Object.fromEntries(
    [
      "admissionregistration",
      "apps",
      "authentication",
      "authorization",
      "autoscaling",
      "batch",
      "certificates",
      "coordination",
      "core",
      "discovery",
      "events",
      "flowcontrol",
      "networking",
      "node",
      "policy",
      "rbac",
      "resource",
      "scheduling",
      "storage",
    ].map((group) => [`api/${group}/v1`, [`io.k8s.api.${group}.v1`, group[0].toUpperCase() + group.slice(1)]]),
  ),
};

/** kube-aggregator is in no package of that distribution; its six messages have not changed since v1. */
const AGGREGATOR = {
  package: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
  proto: {
    APIService: { 1: "metadata", 2: "spec", 3: "status" },
    APIServiceCondition: { 1: "type?", 2: "status?", 3: "lastTransitionTime", 4: "reason", 5: "message" },
    APIServiceList: { 1: "metadata", 2: "items" },
    APIServiceSpec: {
      1: "service?",
      2: "group",
      3: "version",
      4: "insecureSkipTLSVerify",
      5: "caBundle",
      7: "groupPriorityMinimum?",
      8: "versionPriority?",
    },
    APIServiceStatus: { 1: "conditions" },
    ApiregistrationServiceReference: { 1: "namespace", 2: "name", 3: "port?" },
  },
  traits: {
    "APIServiceStatus.conditions": {
      listType: "map",
      mapKeys: ["type"],
      patchStrategy: "merge",
      patchMergeKey: "type",
    },
  },
};

export const goSourceIsCached = () => existsSync(join(SOURCE, "api/core/v1/types.go"));

/** All structs and named types of one package: {structs: {Name: Field[]}, named: {Name: go type}}. */
function readPackage(folder) {
  const structs = {};
  const named = {};
  for (const file of readdirSync(join(SOURCE, folder))) {
    if (!file.endsWith(".go") || /^zz_|_test\.go$|\.pb\.go$/.test(file)) continue;
    const text = readFileSync(join(SOURCE, folder, file), "utf8");
    for (const m of text.matchAll(/((?:^\/\/[^\n]*\n)*)^type (\w+) struct \{\n([\s\S]*?)^\}/gm))
      structs[m[2]] = { fields: readFields(m[3]), markers: markersOf(m[1]), doc: docOf(m[1]) };
    for (const m of text.matchAll(/^type (\w+) ((?:map|\[\])[^\n{]*)$/gm)) named[m[1]] = m[2].trim();
  }
  return { structs, named };
}

function markersOf(comment) {
  const markers = {};
  for (const m of comment.matchAll(/\/\/\s*\+(\w+)=(\S+)/g)) {
    markers[m[1]] ??= [];
    markers[m[1]].push(m[2]);
  }
  return markers;
}

/**
 * A Go comment as the OpenAPI generator prints it: markers, TODOs and what follows `---` are left out, lines of a paragraph are joined, and lines that are
 * indented or list items keep their break.
 */
function docOf(comment) {
  let text = "";
  for (const line of comment.split("\n").map((raw) => raw.replace(/^\s*\/\/ ?/, "").trimEnd())) {
    if (line === "---") break;
    if (/^\+|^TODO/.test(line)) continue;
    if (line === "") text = `${text.replace(/ $/, "")}\n\n`;
    else if (/^[ \t]|^-|^\*/.test(line))
      text = `${text.replace(/ $/, "")}${text && !text.endsWith("\n") ? "\n" : ""}${line}\n`;
    else text += `${line} `;
  }
  return text.trim().replace(/\n{3,}/g, "\n\n");
}

function readFields(body) {
  const fields = [];
  let comment = "";
  for (const line of body.split("\n")) {
    if (/^\s*\/\//.test(line)) {
      comment += `${line}\n`;
      continue;
    }
    const m = /^\s*(?:(\w+)\s+)?([\w.*[\]]+)\s+`([^`]*)`/.exec(line);
    if (m) {
      const tag = (name) => new RegExp(`${name}:"([^"]*)"`).exec(m[3])?.[1];
      const [json = "", ...options] = (tag("json") ?? "").split(",");
      const number = /,(\d+),/.exec(tag("protobuf") ?? "")?.[1];
      fields.push({
        json,
        inline: options.includes("inline") || (m[1] === undefined && json === ""),
        omitempty: options.includes("omitempty"),
        type: m[2],
        number,
        patchStrategy: tag("patchStrategy"),
        patchMergeKey: tag("patchMergeKey"),
        markers: markersOf(comment),
        doc: docOf(comment),
      });
    }
    if (line.trim() === "" || m) comment = "";
  }
  return fields;
}

/** Our name of a type -> where it is declared. Names that two packages share begin with the group (`CoreEvent`, `RbacSubject`). */
function locate(name, packages, schemaFields) {
  const matches = (folder, goName) => {
    const struct = packages[folder].structs[goName];
    if (!struct) return false;
    const names = new Set(flatten(packages, folder, struct).map((field) => field.json));
    return Object.keys(schemaFields).every((field) => names.has(field) || field === "apiVersion" || field === "kind");
  };
  const direct = Object.keys(PACKAGES).filter((folder) => PACKAGES[folder][1] !== "V2" && matches(folder, name));
  if (direct.length === 1) return { folder: direct[0], goName: name };
  const prefixed = Object.keys(PACKAGES).flatMap((folder) => {
    const word = PACKAGES[folder][1];
    const goName = name.startsWith(word) ? name.slice(word.length) : "";
    return goName && matches(folder, goName) ? [{ folder, goName }] : [];
  });
  if (prefixed.length === 1) return prefixed[0];
  // Declared alike in several packages: the group word decides when present, else core and meta come first.
  const preferred = ["api/core/v1", "apimachinery/pkg/apis/meta/v1", "api/autoscaling/v1"].find((folder) =>
    direct.includes(folder),
  );
  if (preferred) return { folder: preferred, goName: name };
  throw new Error(`no single Go type for ${name}: ${JSON.stringify({ direct, prefixed })}`);
}

/** The fields of a struct with those of its inlined structs in place. */
function flatten(packages, folder, struct) {
  return struct.fields.flatMap((field) => {
    if (!field.inline) return field.json && field.json !== "-" ? [field] : [];
    if (field.type === "metav1.TypeMeta" || field.type === "TypeMeta") return [];
    const inner = inlined(packages, folder, field);
    return flatten(packages, inner.folder, inner.struct);
  });
}

/** The struct that a field embeds, in its own package or another (`v1.LocalObjectReference`). */
function inlined(packages, folder, field) {
  const [qualifier, bare] = field.type.includes(".") ? field.type.split(".") : ["", field.type];
  const target = qualifier === "" ? folder : qualifier === "metav1" ? "apimachinery/pkg/apis/meta/v1" : "api/core/v1";
  const struct = packages[target].structs[bare.replace("*", "")];
  if (!struct) throw new Error(`${folder}: inlined ${field.type} is not declared`);
  return { folder: target, struct };
}

/** Go types whose wire form differs from their JSON form in a way that the schema's field type does not tell. */
const SPECIAL = {
  "*JSONSchemaPropsOrArray": "schema-or-array",
  "*JSONSchemaPropsOrBool": "schema-or-bool",
  JSONSchemaDependencies: "schema-or-strings",
};

/** Field number -> name, `name?` where a zero value is kept (pointers and fields without omitempty), [name, special] or an inlined message. */
function protoOf(packages, folder, struct) {
  const message = {};
  for (const field of struct.fields) {
    if (!field.number) continue;
    if (field.inline) {
      const inner = inlined(packages, folder, field);
      message[field.number] = protoOf(packages, inner.folder, inner.struct);
      continue;
    }
    const keepZero = field.type.startsWith("*") || !field.omitempty;
    const name = `${field.json}${keepZero ? "?" : ""}`;
    const special = SPECIAL[field.type] ?? (/\]ExtraValue$|^ExtraValue$/.test(field.type) ? "string-list" : undefined);
    message[field.number] = special ? [name, special] : name;
  }
  return message;
}

const isQuantity = (type, named) =>
  /(^|\]|\*)resource\.Quantity$/.test(named[type.replace("*", "")] ?? type) || /(^|\.|\])ResourceList$/.test(type);

/** Server-side apply and strategic merge traits of one field; undefined for the ordinary. */
function traitsOf(field) {
  const listType = field.markers.listType?.[0];
  const mapType = field.markers.mapType?.[0] ?? field.markers.structType?.[0];
  const traits = {
    ...(listType && listType !== "atomic" ? { listType } : {}),
    ...(listType === "map" ? { mapKeys: field.markers.listMapKey } : {}),
    ...(mapType ? { mapType } : {}),
    ...(field.patchStrategy ? { patchStrategy: field.patchStrategy } : {}),
    ...(field.patchMergeKey ? { patchMergeKey: field.patchMergeKey } : {}),
  };
  return Object.keys(traits).length > 0 ? traits : undefined;
}

const byKey = (record) => Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

const lines = (record) =>
  `{\n${Object.entries(record)
    .map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    .join(",\n")}\n}\n`;

/** Returns {relative path: contents}; `schemaTypes` is the `types` member of schema.json, `clientDocs` the descriptions that the client package has. */
export function generateGoTypes(schemaTypes, clientDocs) {
  const packages = Object.fromEntries(Object.keys(PACKAGES).map((folder) => [folder, readPackage(folder)]));
  const proto = {};
  const traits = {};
  const openApi = {};
  const docs = {};
  const atomic = new Set();
  const quantities = [];
  const where = (name, openApiName) => {
    const at = openApiName.lastIndexOf(".");
    const short = openApiName.slice(at + 1);
    openApi[openApiName.slice(0, at)] ??= {};
    openApi[openApiName.slice(0, at)][name] = short;
  };
  for (const [name, schemaFields] of Object.entries(schemaTypes)) {
    if (AGGREGATOR.proto[name]) {
      docs[name] = clientDocs[name];
      proto[name] = AGGREGATOR.proto[name];
      where(name, `${AGGREGATOR.package}.${name.replace("Apiregistration", "")}`);
      continue;
    }
    const { folder, goName } = locate(name, packages, schemaFields);
    const struct = packages[folder].structs[goName];
    proto[name] = protoOf(packages, folder, struct);
    where(name, `${PACKAGES[folder][0]}.${goName}`);
    // The client package lacks the descriptions of fields that refer to another type.
    docs[name] = { ...clientDocs[name], "": struct.doc || clientDocs[name][""] };
    for (const field of flatten(packages, folder, struct)) {
      if (!schemaFields[field.json]) continue;
      if (field.doc) docs[name][field.json] = field.doc;
      const found = traitsOf(field);
      if (found) traits[`${name}.${field.json}`] = found;
      if (isQuantity(field.type, packages[folder].named)) quantities.push(`${name}.${field.json}`);
    }
    if (struct.markers.structType?.[0] === "atomic") atomic.add(name);
  }
  // A struct marked atomic as a whole (LabelSelector, SecretKeySelector, ...) is atomic in every field that does not say otherwise.
  for (const [name, schemaFields] of Object.entries(schemaTypes)) {
    for (const [field, code] of Object.entries(schemaFields)) {
      if (atomic.has(code.replace(/^#|!$/g, "")))
        traits[`${name}.${field}`] = { mapType: "atomic", ...traits[`${name}.${field}`] };
    }
  }
  Object.assign(traits, AGGREGATOR.traits);
  return {
    [`${OUTPUT}/docs.json`]: lines(docs),
    [`${OUTPUT}/proto.json`]: lines(proto),
    [`${OUTPUT}/traits.json`]: lines({ ...byKey(traits), quantities }),
    [`${OUTPUT}/packages.json`]: lines(
      Object.fromEntries(
        Object.entries(openApi).map(([name, types]) => [
          name,
          Object.entries(types)
            .map(([ours, short]) => (ours === short ? ours : `${ours}=${short}`))
            .join(" "),
        ]),
      ),
    ),
  };
}
