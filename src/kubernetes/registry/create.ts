import type { WriteOptions } from "../api.js";
import { alreadyExists, badRequest, invalid } from "../errors.js";
import type { KubeObject } from "../object.js";
import type { ResourceEntry } from "./catalogue.js";
import { emptyStatus } from "./empty-status.js";
import { admit, type Caller, find, type Machinery, writeContext } from "./machinery.js";
import { beginMetadata, generateName, validateMetadata } from "./metadata.js";
import { recordOwnership } from "./ownership.js";

export interface CreateOptions extends WriteOptions {
  /** True when managedFields are in the draft already (server-side apply). */
  ownershipSettled?: boolean;
}

/** How often another suffix is tried when a generated name is taken, as upstream does. */
const NAME_ATTEMPTS = 8;

/**
 * Creates an object: defaults, what the server decides, admission, validation, allocation, write. Takes `draft` over: it must be the caller's own copy,
 * and becomes the stored object. Everything up to the write happens synchronously unless an admission plugin waits for something.
 */
export async function createObject(
  machinery: Machinery,
  entry: ResourceEntry,
  caller: Caller,
  draft: KubeObject,
  options: CreateOptions,
): Promise<KubeObject> {
  machinery.assertAvailable();
  const { info, strategy } = entry;
  const { metadata } = draft;
  const context = writeContext(machinery, caller.user);
  draft.apiVersion = entry.apiVersion;
  draft.kind = info.kind;
  beginMetadata(draft, context.nowMs, machinery.random);
  if (info.namespaced) {
    if (!metadata.namespace) throw badRequest("an empty namespace may not be set during creation");
  } else delete metadata.namespace;
  // Rules look at names; one that is missing is an empty one, and refused as such.
  metadata.name ||= metadata.generateName ? freeName(machinery, entry, metadata.generateName, metadata.namespace) : "";
  if (entry.hasStatus && !strategy.keepsStatusOnCreate) delete draft.status;
  if (entry.hasGeneration) metadata.generation = 1;
  else delete metadata.generation;
  strategy.setDefaults?.(draft);
  strategy.prepareForCreate?.(draft, context);
  // As upstream, before admission and allocation: what those add (a projected token volume, a cluster IP) is nobody's.
  if (!options.ownershipSettled)
    recordOwnership({ entry, caller, options, before: undefined, after: draft, nowMs: context.nowMs });
  if (draft.status === undefined) {
    const status = emptyStatus(entry);
    if (status !== undefined) draft.status = status;
  }

  const request = {
    operation: "CREATE" as const,
    info,
    namespace: metadata.namespace,
    name: metadata.name ?? "",
    user: caller.user,
    dryRun: options.dryRun ?? false,
    warn: caller.warn,
    patient: caller.patient,
    object: draft,
  };
  const admitting = admit(machinery, "admit", request);
  if (admitting) await admitting;
  // What admission added (a projected token volume) has defaults of its own.
  if (machinery.admission.length > 0) strategy.setDefaults?.(draft);

  const causes = validateMetadata(draft, entry);
  const complaints = strategy.validate?.(draft, context);
  if (complaints) causes.push(...complaints);
  if (causes.length > 0) throw invalid(info.group, info.kind, metadata.name ?? "", causes);
  const validating = admit(machinery, "validate", request);
  if (validating) await validating;
  if (find(machinery, entry, metadata)) throw alreadyExists(info.group, info.resource, metadata.name);

  const refused = strategy.allocate?.(draft, undefined, context);
  if (refused?.length) throw invalid(info.group, info.kind, metadata.name, refused);
  if (options.dryRun) return draft;
  const stored = entry.definition ? entry.definition.toStorage(draft) : draft;
  return machinery.store.put(entry.storage, stored instanceof Promise ? await stored : stored);
}

function freeName(machinery: Machinery, entry: ResourceEntry, base: string, namespace: string | undefined): string {
  for (let attempt = 1; ; attempt++) {
    const name = generateName(base, machinery.random);
    if (attempt === NAME_ATTEMPTS || !find(machinery, entry, { namespace, name })) return name;
  }
}
