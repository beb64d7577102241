/**
 * Bodies of requests: bytes and a media type in, a checked object out. JSON, YAML and protobuf for objects, JSON and YAML for patches. Everything that a
 * client can get wrong here is a StatusError in the API server's words.
 */

import type { PatchType } from "../api.js";
import { badRequest, StatusError, unsupportedMediaType } from "../errors.js";
import { parseApiVersion, typeOfKind } from "../schema/kinds.js";
import { typeOf } from "../schema/schema.js";
import { jsonFault } from "./json-fault.js";
import { duplicateFields, MAX_DEPTH, measure } from "./json-text.js";
import { parseMediaType } from "./negotiate.js";
import { decodeProtobuf } from "./protobuf.js";
import { type Pruned, pruneAndCheck } from "./prune.js";
import { DecodeError } from "./scalars.js";
import { parseYaml, YamlError } from "./yaml.js";

export type FieldValidation = "Ignore" | "Warn" | "Strict";

/** What an endpoint takes. */
export interface Expected {
  /** Absent: any version (DeleteOptions, Eviction). */
  apiVersion?: string;
  kind: string;
  /** Name in the schema tables; absent or unknown for custom resources, of which only the metadata is checked. */
  type?: string;
  /** For custom resources: drops what their schema does not know. */
  prune?(object: Record<string, unknown>): Pruned;
}

export interface Decoded {
  /** apiVersion, kind and (for types that have it) empty metadata are filled in where the body has none. */
  object: Record<string, unknown> & { apiVersion: string; kind: string };
  /** Unknown and duplicate fields under `Warn`: texts for `Warning: 299` headers. */
  warnings: readonly string[];
}

export interface DecodeRequest {
  bytes: Buffer;
  /** The Content-Type header; absent means JSON. */
  contentType?: string | undefined;
  expected: Expected;
  /** Default `Warn`, as the API server's. */
  fieldValidation?: FieldValidation | undefined;
}

type Format = "json" | "yaml" | "protobuf";

const OBJECT_FORMATS: Readonly<Record<string, Format>> = {
  "application/json": "json",
  "application/yaml": "yaml",
  "application/vnd.kubernetes.protobuf": "protobuf",
};

/**
 * Decodes the body of a create, an update, a subresource or a delete. Throws StatusError: 415 for a media type that is not supported, 400 for anything
 * else that is wrong, including unknown and duplicate fields under `Strict`.
 */
export function decodeBody({ bytes, contentType, expected, fieldValidation = "Warn" }: DecodeRequest): Decoded {
  const format = formatOf(contentType, OBJECT_FORMATS);
  const parsed = refusing(bytes, expected, undefined, () =>
    format === "protobuf" ? fromProtobuf(bytes) : fromText(bytes, format, fieldValidation),
  );
  return checked(parsed, expected, fieldValidation, bytes);
}

/** Checks an object that did not come as a body of its own: the result of a patch, or what an in-process client hands in. */
export function checkObject(
  object: Record<string, unknown>,
  expected: Expected,
  fieldValidation: FieldValidation = "Warn",
  /** It is no text that is decoded, but a map turned into a struct: what does not fit is told in other words. */
  converted = false,
): Decoded {
  return checked({ value: object, duplicates: [] }, expected, fieldValidation, EMPTY, converted);
}

const EMPTY: Buffer = Buffer.alloc(0);

const PATCH_TYPES: Readonly<Record<string, PatchType>> = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
};

export interface DecodedPatch {
  type: PatchType;
  /** The parsed document; for `apply` and the merging patches an object, for `json` a list. */
  patch: unknown;
  /** Duplicate and unknown fields of the patch itself; not looked for under `Ignore`. Under `Strict` it is for the caller to refuse them. */
  complaints: readonly string[];
}

/** Decodes the body of a PATCH. `supported` are the types that the resource takes (custom resources: no `strategic`). Throws StatusError 415 or 400. */
export function decodePatch({
  bytes,
  contentType,
  supported = ["json", "merge", "strategic", "apply"],
  fieldValidation = "Warn",
}: {
  bytes: Buffer;
  contentType?: string | undefined;
  supported?: readonly PatchType[];
  fieldValidation?: FieldValidation | undefined;
}): DecodedPatch {
  const mediaTypes = Object.entries(PATCH_TYPES).filter(([, type]) => supported.includes(type));
  const type = PATCH_TYPES[formatKey(contentType)];
  // What no patch has ever been is turned away at the door, before anybody looks for the resource's own list.
  if (!type) throw new StatusError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {});
  if (!supported.includes(type)) throw unknownFormat(mediaTypes.map(([mediaType]) => mediaType));
  let parsed: Parsed;
  try {
    parsed = fromText(bytes, type === "apply" ? "yaml" : "json", fieldValidation);
  } catch (error) {
    if (error instanceof JsonError || error instanceof YamlError || error instanceof DecodeError)
      throw badRequest(
        `error decoding ${type === "apply" ? "YAML: error converting YAML to JSON" : "patch"}: ${error.message}`,
      );
    throw error;
  }
  const { value, duplicates } = parsed;
  const complaints =
    type === "json" && fieldValidation !== "Ignore" ? operationComplaints(value, duplicates) : duplicates;
  if (type === "json" ? !Array.isArray(value) : !isObject(value)) {
    const wanted = type === "json" ? "[]handlers.jsonPatchOp" : "map[string]interface {}";
    throw badRequest(
      `${type === "strategic" ? "" : "error decoding patch: "}json: cannot unmarshal ${jsonKind(value)} into Go value of type ${wanted}`,
    );
  }
  return { type, patch: value, complaints };
}

const OPERATION_MEMBERS = new Set(["op", "path", "from", "value"]);

/** What a JSON Patch says too much, operation by operation. */
function operationComplaints(patch: unknown, duplicates: readonly string[]): string[] {
  const unknown = (Array.isArray(patch) ? patch : []).flatMap((operation: unknown, index) =>
    isObject(operation)
      ? Object.keys(operation)
          .filter((member) => !OPERATION_MEMBERS.has(member))
          .map((member) => `unknown field ${JSON.stringify(`[${index}].${member}`)}`)
      : [],
  );
  return [...unknown, ...duplicates].map((complaint) => `json patch ${complaint}`);
}

/** Text that is no JSON, in the words of Go's parser. */
class JsonError extends Error {
  constructor(text: string, cause: unknown) {
    super(jsonFault(text) ?? (cause instanceof Error ? cause.message : String(cause)), { cause });
  }
}

interface Parsed {
  value: unknown;
  /** Finished sentences: `duplicate field "spec.replicas"`. */
  duplicates: readonly string[];
}

const fromProtobuf = (bytes: Buffer): Parsed => ({ value: decodeProtobuf(bytes), duplicates: [] });

function fromText(bytes: Buffer, format: "json" | "yaml", fieldValidation: FieldValidation): Parsed {
  const text = bytes.toString("utf8");
  // Go clients send JSON under YAML's name for server-side apply: what begins like an object is tried as JSON first.
  if (format === "yaml" && !/^\s*\{/.test(text)) return fromYaml(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (format === "yaml") return fromYaml(text);
    throw new JsonError(text, error);
  }
  const { members, depth } = measure(text);
  if (depth > MAX_DEPTH) throw new DecodeError("exceeded max depth");
  const duplicates = fieldValidation === "Ignore" ? [] : duplicateFields(text, value, members);
  return { value, duplicates: duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`) };
}

function fromYaml(text: string): Parsed {
  const { value, duplicates } = parseYaml(text);
  return { value, duplicates: duplicates.length > 0 ? [`yaml: unmarshal errors:\n  ${duplicates.join("\n  ")}`] : [] };
}

/** How Go names the struct in which it looks for the kind. */
const TYPE_META =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }';

function checked(
  { value: given, duplicates }: Parsed,
  expected: Expected,
  fieldValidation: FieldValidation,
  bytes: Buffer,
  converted = false,
): Decoded {
  // A null sets nothing.
  const value = given === null ? {} : given;
  if (!isObject(value)) {
    throw unrecognised(
      expected,
      bytes,
      `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonKind(value)} into Go value of type ${TYPE_META}`,
    );
  }
  const apiVersion = textField(value, "apiVersion", expected, bytes) || (expected.apiVersion ?? "");
  const kind = textField(value, "kind", expected, bytes) || expected.kind;
  const named = { apiVersion, kind };
  const wrong = wrongKind(named, expected);
  if (wrong)
    throw parseApiVersion(apiVersion) ? cannotBeHandled(named, expected, wrong) : unrecognised(expected, bytes, wrong);
  if (expected.apiVersion !== undefined && apiVersion !== expected.apiVersion) {
    throw badRequest(
      `the API version in the data (${apiVersion}) does not match the expected API version (${expected.apiVersion})`,
    );
  }
  const { object, unknown } = refusing(
    bytes,
    expected,
    named,
    () => (expected.prune ? expected.prune(value) : pruneAndCheck(expected.type ?? "", value)),
    converted,
  );
  const complaints =
    unknown.length + duplicates.length === 0 || fieldValidation === "Ignore"
      ? []
      : [...unknown.map((path) => `unknown field ${JSON.stringify(path)}`), ...duplicates];
  if (fieldValidation === "Strict" && complaints.length > 0)
    throw cannotBeHandled(named, expected, strictText(complaints));
  const complete =
    object.apiVersion === apiVersion && object.kind === kind && object.metadata !== undefined
      ? (object as Decoded["object"])
      : { ...named, ...(hasMetadata(expected) ? { metadata: {} } : {}), ...object, ...named };
  return { object: complete, warnings: complaints };
}

/** Why what calls itself `kind` cannot be what is expected; undefined when it may be, in this version or in another one. */
function wrongKind({ apiVersion, kind }: { apiVersion: string; kind: string }, expected: Expected): string | undefined {
  if (kind === expected.kind && apiVersion === (expected.apiVersion ?? apiVersion)) return undefined;
  const parsed = parseApiVersion(apiVersion);
  if (!parsed) return `unexpected GroupVersion string: ${apiVersion}`;
  // Custom resources are in no scheme: their versions are told apart by name alone.
  if (expected.prune) return kind === expected.kind ? undefined : `no conversion from ${kind} to ${expected.kind}`;
  if (typeOfKind(apiVersion, kind) === undefined)
    return `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/api/legacyscheme/scheme.go:30"`;
  if (kind === expected.kind) return undefined;
  const internal = internalPackage(expected.apiVersion ?? "");
  return `converting (${parsed.version}.${kind}) to (${internal}.${expected.kind}): unknown conversion`;
}

/** Go's package of a group's internal types: the group's name up to the first dot. */
const internalPackage = (apiVersion: string): string => {
  const group = parseApiVersion(apiVersion)?.group ?? "";
  return group === "" || group === "events.k8s.io" ? "core" : (group.split(".", 1)[0] as string);
};

/** Custom resources always have metadata; of built-in types only options and the like have none. */
const hasMetadata = ({ type }: Expected): boolean => typeOf(type ?? "")?.fields.has("metadata") ?? true;

/** All that strict decoding found, in one sentence. */
export const strictText = (complaints: readonly string[]): string => `strict decoding error: ${complaints.join(", ")}`;

function textField(
  value: Record<string, unknown>,
  name: "apiVersion" | "kind",
  expected: Expected,
  bytes: Buffer,
): string {
  const text = value[name];
  if (text === undefined || text === null) return "";
  if (typeof text === "string") return text;
  throw unrecognised(
    expected,
    bytes,
    `couldn't get version/kind; json parse error: json: cannot unmarshal ${jsonKind(text)} into Go struct field .${name} of type string`,
  );
}

/** Runs a decoder, turning its refusals into 400s. Errors of any other kind are bugs and pass. */
function refusing<T>(
  bytes: Buffer,
  expected: Expected,
  named: { apiVersion: string; kind: string } | undefined,
  decode: () => T,
  converted = false,
): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof JsonError)
      throw unrecognised(expected, bytes, `couldn't get version/kind; json parse error: ${error.message}`);
    if (!(error instanceof DecodeError || error instanceof YamlError)) throw error;
    const why = converted && error instanceof DecodeError ? error.unconvertible : error.message;
    throw named ? cannotBeHandled(named, expected, why) : unrecognised(expected, bytes, error.message);
  }
}

function cannotBeHandled(
  { apiVersion, kind }: { apiVersion: string; kind: string },
  expected: Expected,
  why: string,
): StatusError {
  const version = parseApiVersion(apiVersion)?.version ?? apiVersion;
  return badRequest(`${kind} in version ${JSON.stringify(version)} cannot be handled as a ${expected.kind}: ${why}`);
}

const unrecognised = (expected: Expected, bytes: Buffer, why: string): StatusError =>
  badRequest(`the object provided is unrecognized (must be of type ${expected.kind}): ${why} (${summary(bytes)})`);

/** The beginning of a body: as text when it looks like JSON, else in hexadecimal. */
function summary(bytes: Buffer): string {
  if (bytes.length === 0) return "<empty>";
  const start = bytes.subarray(0, 30);
  const text = bytes[0] === 0x7b ? start.toString("utf8") : start.toString("hex");
  return bytes.length > start.length ? `${text} ...` : text;
}

/** Lower-case media type without its parameters; JSON when the header is absent, "" when it does not parse. */
function formatKey(contentType: string | undefined): string {
  if (!contentType || contentType === "application/json") return "application/json";
  return parseMediaType(contentType)?.type ?? "";
}

function formatOf(contentType: string | undefined, formats: Readonly<Record<string, Format>>): Format {
  const key = formatKey(contentType);
  const format = Object.hasOwn(formats, key) ? formats[key] : undefined;
  if (!format) throw unknownFormat(Object.keys(formats));
  return format;
}

const unknownFormat = (accepted: readonly string[]): StatusError =>
  unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function jsonKind(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}
