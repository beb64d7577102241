import type { PatchType } from "../api.js";
import {
  badRequest,
  conflict,
  invalid,
  isStatusError,
  methodNotAllowed,
  notFound,
  type StatusError,
} from "../errors.js";
import type { KubeObject } from "../object.js";
import { goText } from "../patch/go-text.js";
import { toTable } from "../printers/index.js";
import type { ResourceEntry } from "../registry/catalogue.js";
import { createObject } from "../registry/create.js";
import { deleteObject } from "../registry/deletion.js";
import { type Caller, find, shown, storedEntry } from "../registry/machinery.js";
import { type PatchOptions, patchObject } from "../registry/patching.js";
import { select } from "../registry/reading.js";
import type { Registry } from "../registry/registry.js";
import { forbiddenField, invalidValue, required } from "../registry/strategies/field.js";
import { notSimulated } from "../registry/strategies/not-simulated.js";
import { changeObject } from "../registry/update.js";
import { checkObject, type Decoded, decodeBody, decodePatch, type Expected, strictText } from "../wire/decode.js";
import { type Conversion, negotiate } from "../wire/negotiate.js";
import { readBody } from "./body.js";
import type { ResourceExchange } from "./context.js";
import { listJson, objectJson, partialMetadata, partialMetadataList, tableInfo } from "./encode.js";
import { listPage, type Page, selectionOf } from "./listing.js";
import { type DeleteOptionsBody, deleteOptions, managerOf, writeOptions } from "./options.js";
import type { Answer } from "./respond.js";

/** The verbs on a resource itself. Every one gives the whole answer; watches, which never end by themselves, are in watching.ts. */

const JSON_TYPE = "application/json";
const SINGLE: readonly Conversion[] = ["Table", "PartialObjectMetadata"];
const LIST: readonly Conversion[] = ["Table", "PartialObjectMetadataList"];
/** Kinds of which a finished deletion answers the object instead of a Status. */
const ANSWER_DELETED_OBJECT = new Set([
  "pods",
  "podtemplates",
  "services",
  "persistentvolumes",
  "persistentvolumeclaims",
  "resourcequotas",
  "serviceaccounts",
]);

/** Kinds that cannot be replaced without saying which state is meant; custom resources are the same. */
const CONDITIONAL_UPDATES = new Set([
  "customresourcedefinitions.apiextensions.k8s.io",
  "leases.coordination.k8s.io",
  "poddisruptionbudgets.policy",
]);

/** `warnings`: where admission's go. */
export const callerOf = ({ user, request, inside }: ResourceExchange, warnings?: string[]): Caller => ({
  user,
  fieldManager: managerOf(request.headers["user-agent"]),
  tracksOwnership: true,
  patient: !inside,
  ...(warnings ? { warn: (message) => void warnings.push(message) } : {}),
});

export const expectedOf = ({ info, apiVersion, definition }: ResourceEntry): Expected => ({
  apiVersion,
  kind: info.kind,
  type: info.type,
  ...(definition ? { prune: definition.prune } : {}),
});

const includeObject = (query: URLSearchParams): "None" | "Metadata" | "Object" => {
  const asked = query.get("includeObject") || "Metadata";
  if (asked === "None" || asked === "Metadata" || asked === "Object") return asked;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(asked)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
};

const warningsAbout = (entry: ResourceEntry, written: KubeObject): string[] => [
  ...(entry.strategy.warnings?.(written) ?? []),
  ...(entry.custom ? [] : notSimulated(entry.storage, written)),
];

/** One object in the form that was asked for. A write that was tried again may have said the same thing twice. */
export function answerObject(
  registry: Registry,
  exchange: ResourceExchange,
  object: KubeObject,
  code = 200,
  said: readonly string[] = [],
): Answer | Promise<Answer> {
  const { definition } = exchange.entry;
  if (!definition) return objectAnswer(registry, exchange, object, code, said);
  const answer = (): Answer => objectAnswer(registry, exchange, definition.view(object), code, said);
  const preparing = definition.prepare([object]);
  return preparing ? preparing.then(answer) : answer();
}

function objectAnswer(
  registry: Registry,
  exchange: ResourceExchange,
  object: KubeObject,
  code: number,
  said: readonly string[],
): Answer {
  const warnings = [...new Set(said)];
  const { entry, request, info } = exchange;
  const { as, version } = negotiate(request.headers.accept, SINGLE);
  if (as === "Table") {
    const revision = Number(object.metadata.resourceVersion);
    const table = toTable({
      info: tableInfo(registry, entry),
      objects: [object],
      includeObject: includeObject(info.query),
      revision,
      nowMs: registry.clock.now(),
    });
    return { code, body: table, warnings };
  }
  if (as === "PartialObjectMetadata") return { code, body: partialMetadata(object, version), warnings };
  return { code, body: objectJson(entry, object), contentType: JSON_TYPE, warnings };
}

function answerList(registry: Registry, exchange: ResourceExchange, found: Page): Answer {
  const { entry, request, info } = exchange;
  const page = entry.definition ? { ...found, objects: found.objects.map(entry.definition.view) } : found;
  const { as, version } = negotiate(request.headers.accept, LIST);
  if (as === "Table") {
    const table = toTable({
      ...page,
      info: tableInfo(registry, entry),
      includeObject: includeObject(info.query),
      nowMs: registry.clock.now(),
    });
    return { code: 200, body: table };
  }
  if (as === "PartialObjectMetadataList") return { code: 200, body: partialMetadataList(page, version) };
  return { code: 200, pieces: listJson(entry, page), contentType: JSON_TYPE };
}

function get(registry: Registry, exchange: ResourceExchange): Answer | Promise<Answer> {
  const { entry, target } = exchange;
  const object = find(registry, entry, { namespace: target.namespace, name: target.name as string });
  if (!object) throw notFound(entry.info.group, entry.info.resource, target.name as string);
  return answerObject(registry, exchange, shown(registry, entry, object));
}

function list(registry: Registry, exchange: ResourceExchange): Answer | Promise<Answer> {
  const preparing = prepareAll(registry, exchange);
  return preparing ? preparing.then(() => answerPage(registry, exchange)) : answerPage(registry, exchange);
}

function answerPage(registry: Registry, exchange: ResourceExchange): Answer | Promise<Answer> {
  const page = listPage(registry, exchange);
  // A page of the past holds objects that are not there any more.
  const preparing = exchange.entry.definition?.prepare(page.objects);
  const answer = (): Answer => answerList(registry, exchange, page);
  return preparing ? preparing.then(answer) : answer();
}

/** Has everything that a list may show or look at converted; nothing to wait for where no webhook converts. */
export function prepareAll(registry: Registry, { entry, target }: ResourceExchange): Promise<void> | undefined {
  const { definition, info, storage } = entry;
  return definition?.prepare(registry.store.list(storage, info.namespaced ? target.namespace : undefined));
}

/** The object in the body, checked against its kind, and what there is to warn of: writing it may add to that. */
async function readObject(
  { entry, request }: ResourceExchange,
  { fieldValidation }: ReturnType<typeof writeOptions>,
): Promise<{ object: ReturnType<typeof asObject>; warnings: string[] }> {
  const bytes = await readBody(request);
  const contentType = request.headers["content-type"];
  const { object, warnings } = decodeBody({ bytes, contentType, expected: expectedOf(entry), fieldValidation });
  return { object: asObject(object), warnings: [...warnings] };
}

async function create(registry: Registry, exchange: ResourceExchange): Promise<Answer> {
  const { entry, target } = exchange;
  if (target.named) throw methodNotAllowed();
  const options = writeOptions(exchange, "CreateOptions");
  const { object, warnings } = await readObject(exchange, options);
  const draft = intoNamespace(exchange, object);
  const stored = entry.conversion ? entry.conversion.toStorage(draft) : draft;
  const caller = callerOf(exchange, warnings);
  const created = await createObject(registry, storedEntry(registry, entry), caller, stored, options);
  return answerObject(registry, exchange, created, 201, [...warnings, ...warningsAbout(entry, created)]);
}

/** Kinds of which a PUT makes what is not there; whoever may only update may not. */
const CREATED_BY_UPDATE = new Set([
  "clusterrolebindings.rbac.authorization.k8s.io",
  "clusterroles.rbac.authorization.k8s.io",
  "endpoints",
  "events",
  "leases.coordination.k8s.io",
  "limitranges",
  "rolebindings.rbac.authorization.k8s.io",
  "roles.rbac.authorization.k8s.io",
  "services",
]);

/** True for a PUT that has to be allowed as a create too, because it will be one. */
export const createsByUpdate = (registry: Registry, { entry, info, target }: ResourceExchange): boolean =>
  info.verb === "update" &&
  target.named &&
  CREATED_BY_UPDATE.has(entry.storage) &&
  !find(registry, entry, { namespace: target.namespace, name: target.name as string });

async function createByUpdate(
  registry: Registry,
  exchange: ResourceExchange,
  wanted: KubeObject,
  options: ReturnType<typeof writeOptions>,
  warnings: string[],
): Promise<Answer> {
  const { entry, target } = exchange;
  const { uid, resourceVersion: _, ...metadata } = wanted.metadata;
  if (uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: `;
    throw conflict(entry.info.group, entry.info.resource, target.name as string, why);
  }
  const draft = { ...wanted, metadata: metadata as KubeObject["metadata"] };
  const stored = entry.conversion ? entry.conversion.toStorage(draft) : draft;
  const caller = callerOf(exchange, warnings);
  const created = await createObject(registry, storedEntry(registry, entry), caller, stored, options);
  return answerObject(registry, exchange, created, 201, [...warnings, ...warningsAbout(entry, created)]);
}

async function update(registry: Registry, exchange: ResourceExchange): Promise<Answer> {
  const { entry, target } = exchange;
  if (!target.named) throw methodNotAllowed();
  const options = writeOptions(exchange, "UpdateOptions");
  const { object, warnings } = await readObject(exchange, options);
  const wanted = named(exchange, intoNamespace(exchange, object));
  const { group, kind } = entry.info;
  // Allowed already where it is a matter of creating: see routing.ts.
  if (exchange.mayCreate && createsByUpdate(registry, exchange))
    return createByUpdate(registry, exchange, wanted, options, warnings);
  if (!wanted.metadata.resourceVersion && (entry.custom || CONDITIONAL_UPDATES.has(entry.storage))) {
    const cause = invalidValue("metadata.resourceVersion", 0, "must be specified for an update");
    throw invalid(group, kind, target.name as string, [cause]);
  }
  const written = await changeObject(registry, callerOf(exchange, warnings), {
    entry: storedEntry(registry, entry),
    key: { namespace: target.namespace, name: target.name as string },
    options,
    change: () => {
      const stored = entry.conversion ? entry.conversion.toStorage(wanted) : wanted;
      return { ...stored, metadata: { ...stored.metadata } };
    },
  });
  return answerObject(registry, exchange, written, 200, [...warnings, ...warningsAbout(entry, written)]);
}

const PATCHES: readonly PatchType[] = ["json", "merge", "strategic", "apply"];
const CUSTOM_PATCHES: readonly PatchType[] = ["json", "merge", "apply"];

/** Reads a patch and the options that go with it; `expected` is what the patched document must be. */
export async function readPatch(exchange: ResourceExchange, expected: Expected) {
  const { entry, request, info } = exchange;
  const options = writeOptions(exchange, "PatchOptions");
  const { fieldValidation } = options;
  const bytes = await readBody(request);
  const { type, patch, complaints } = decodePatch({
    bytes,
    contentType: request.headers["content-type"],
    supported: entry.custom ? CUSTOM_PATCHES : PATCHES,
    fieldValidation,
  });
  if (type === "apply" && !info.query.get("fieldManager")) {
    throw invalid("meta.k8s.io", "PatchOptions", "", [required("fieldManager", "is required for apply patch")]);
  }
  if (type !== "apply" && options.force) {
    const detail = "may not be specified for non-apply patch";
    throw invalid("meta.k8s.io", "PatchOptions", "", [forbiddenField("force", detail)]);
  }
  if (type === "apply" && fieldValidation === "Strict" && complaints.length > 0)
    throw badRequest(`error strict decoding YAML: ${complaints.join(", ")}`);
  const strict = type !== "apply" && fieldValidation === "Strict";
  const found: string[] = [...complaints];
  const patchOptions: PatchOptions = {
    ...options,
    check(document) {
      // What a patch makes of an object is judged as a whole: the patch is at fault, and its own faults come first.
      const refuse = (why: string): StatusError =>
        invalid("", "", "", [
          invalidValue("patch", type === "strategic" ? goText(patch) : JSON.stringify(document), why),
        ]);
      let checked: Decoded;
      try {
        checked = checkObject(document, expected, strict ? "Warn" : fieldValidation, type === "strategic");
      } catch (error) {
        if (type === "apply" || !isStatusError(error, "BadRequest")) throw error;
        throw refuse(error.message.replace(/^.*? cannot be handled as a \S+: /, ""));
      }
      if (strict && complaints.length + checked.warnings.length > 0)
        throw refuse(strictText([...complaints, ...checked.warnings]));
      found.push(...checked.warnings);
      return asObject(checked.object);
    },
  };
  return { type, patch, options: patchOptions, warnings: found };
}

async function patch(registry: Registry, exchange: ResourceExchange): Promise<Answer> {
  const { entry, target } = exchange;
  if (!target.named) throw methodNotAllowed();
  const { type, patch: document, options, warnings } = await readPatch(exchange, expectedOf(entry));
  const body = type === "apply" ? appliedDocument(exchange, document) : document;
  const key = { namespace: target.namespace, name: target.name as string };
  const caller = callerOf(exchange, warnings);
  const { object, created } = await patchObject(registry, entry, caller, key, type, body, options);
  return answerObject(registry, exchange, object, created ? 201 : 200, [...warnings, ...warningsAbout(entry, object)]);
}

/** The options of a deletion, from its body if it has one. */
export async function readDeleteOptions(exchange: ResourceExchange) {
  const { request } = exchange;
  const bytes = await readBody(request);
  if (bytes.length === 0) return deleteOptions(exchange, undefined);
  const { object } = decodeBody({
    bytes,
    contentType: request.headers["content-type"],
    expected: { kind: "DeleteOptions", type: "DeleteOptions" },
  });
  return deleteOptions(exchange, object as DeleteOptionsBody);
}

async function remove(registry: Registry, exchange: ResourceExchange): Promise<Answer> {
  const { entry, target } = exchange;
  const options = await readDeleteOptions(exchange);
  const key = { namespace: target.namespace, name: target.name as string };
  const { object, gone } = await deleteObject(registry, storedEntry(registry, entry), callerOf(exchange), key, options);
  if (!gone || ANSWER_DELETED_OBJECT.has(entry.storage)) return answerObject(registry, exchange, object);
  const { group, resource } = entry.info;
  const details = { name: object.metadata.name, ...(group ? { group } : {}), kind: resource, uid: object.metadata.uid };
  return { code: 200, body: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details } };
}

async function removeMany(registry: Registry, exchange: ResourceExchange): Promise<Answer> {
  const { entry } = exchange;
  const options = await readDeleteOptions(exchange);
  await prepareAll(registry, exchange);
  const deleted: KubeObject[] = [];
  for (const { metadata } of select(registry, entry, selectionOf(exchange))) {
    try {
      deleted.push(
        (await deleteObject(registry, storedEntry(registry, entry), callerOf(exchange), metadata, options)).object,
      );
    } catch (error) {
      // Somebody else was quicker.
      if (find(registry, entry, metadata)) throw error;
    }
  }
  await entry.definition?.prepare(deleted);
  return answerList(registry, exchange, { objects: deleted, revision: registry.store.revision });
}

/** Answers by verb; `watch` is not among them. */
export const RESOURCE_VERBS: Readonly<
  Record<string, (registry: Registry, exchange: ResourceExchange) => Answer | Promise<Answer>>
> = {
  get,
  list,
  create,
  update,
  patch,
  delete: remove,
  deletecollection: removeMany,
};

/** A body without metadata has empty metadata. */
export function asObject(object: Record<string, unknown>): KubeObject {
  const document = object as KubeObject;
  return document.metadata ? document : { ...document, metadata: {} as KubeObject["metadata"] };
}

/** The namespace of the path goes into the object, and may not be another one than the object's own. */
export function intoNamespace({ entry, target }: ResourceExchange, object: KubeObject): KubeObject {
  if (!entry.info.namespaced) return object;
  const { namespace } = object.metadata;
  if (namespace && namespace !== target.namespace) {
    throw badRequest(`the namespace of the provided object does not match the namespace sent on the request`);
  }
  return { ...object, metadata: { ...object.metadata, namespace: target.namespace } };
}

/** The object, which has to say its name, and no other than the path. */
export function named({ target }: ResourceExchange, object: KubeObject): KubeObject {
  const name = target.name as string;
  const given = object.metadata.name;
  if (!given)
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  checkName(name, object);
  return object;
}

function checkName(name: string, { metadata }: KubeObject): void {
  if (metadata.name && metadata.name !== name)
    throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
}

/** What is applied, which need not say what the path says, but may not say anything else. */
export function appliedDocument(exchange: ResourceExchange, patch: unknown): KubeObject {
  const document = asObject(patch as Record<string, unknown>);
  intoNamespace(exchange, document);
  checkName(exchange.target.name as string, document);
  return document;
}
