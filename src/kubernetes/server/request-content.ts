/** What a request brings along: who asks, the object, patch or options in its body, and whether these agree with its path. */
import type { PatchType } from "../api.js";
import { badRequest, invalid, isStatusError, type StatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import { goText } from "../patch/go-text.js";
import type { ResourceEntry } from "../registry/catalogue.js";
import type { Caller } from "../registry/machinery.js";
import type { PatchOptions } from "../registry/patching.js";
import { forbiddenField, invalidValue, required } from "../registry/strategies/field.js";
import { checkObject, type Decoded, decodeBody, decodePatch, type Expected, strictText } from "../wire/decode.js";
import { readBody } from "./body.js";
import type { ResourceExchange } from "./context.js";
import { type DeleteOptionsBody, deleteOptions, managerOf, writeOptions } from "./options.js";

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

/** The object in the body, checked against its kind unless another is expected, and what there is to warn of: writing it may add to that. */
export async function readObject(
  { entry, request }: ResourceExchange,
  { fieldValidation }: ReturnType<typeof writeOptions>,
  expected = expectedOf(entry),
): Promise<{ object: KubeObject; warnings: string[] }> {
  const bytes = await readBody(request);
  const contentType = request.headers["content-type"];
  const { object, warnings } = decodeBody({ bytes, contentType, expected, fieldValidation });
  return { object: asObject(object), warnings: [...warnings] };
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

/**
 * The object under the name of the path, and no other. What takes the place of an object has to say its name; what is only asked of one (a token, a binding)
 * need not.
 */
export function named({ target, info }: ResourceExchange, object: KubeObject): KubeObject {
  const name = target.name as string;
  if (!object.metadata.name && info.verb === "update")
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  checkName(name, object);
  return { ...object, metadata: { ...object.metadata, name } };
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
