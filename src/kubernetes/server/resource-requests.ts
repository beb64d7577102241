/** The verbs on a resource itself. Every one gives the whole answer; watches, which never end by themselves, are in watching.ts. */
import { conflict, invalid, methodNotAllowed, notFound } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { ResourceEntry } from "../registry/catalogue.js";
import { createObject } from "../registry/create.js";
import { deleteObject } from "../registry/deletion.js";
import { find, shown, storedEntry } from "../registry/machinery.js";
import { patchObject } from "../registry/patching.js";
import { select } from "../registry/reading.js";
import type { Registry } from "../registry/registry.js";
import { invalidValue } from "../registry/strategies/field.js";
import { notSimulated } from "../registry/strategies/not-simulated.js";
import { changeObject } from "../registry/update.js";
import { answerList, answerObject } from "./answers.js";
import type { ResourceExchange } from "./context.js";
import { listPage, selectionOf } from "./listing.js";
import { writeOptions } from "./options.js";
import {
  appliedDocument,
  callerOf,
  expectedOf,
  intoNamespace,
  named,
  readDeleteOptions,
  readObject,
  readPatch,
} from "./request-content.js";
import type { Answer } from "./respond.js";

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

const warningsAbout = (entry: ResourceEntry, written: KubeObject): string[] => [
  ...(entry.strategy.warnings?.(written) ?? []),
  ...(entry.custom ? [] : notSimulated(entry.storage, written)),
];

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
    // Of custom resources upstream names the resource here, and not the kind.
    throw invalid(group, entry.custom ? entry.info.resource : kind, target.name as string, [cause]);
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
