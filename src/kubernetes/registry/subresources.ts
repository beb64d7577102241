import type { AdmissionRequest } from "../admission/plugin.js";
import type { DeleteOptions, WriteOptions } from "../api.js";
import { notFound } from "../errors.js";
import type { KubeObject, ObjectKey } from "../object.js";
import { cloneJson } from "../patch/json.js";
import { type Binding, bound } from "./binding.js";
import type { ResourceEntry } from "./catalogue.js";
import { evict } from "./eviction.js";
import { admit, type Caller, entryOf, find, type Machinery, pastAdmission } from "./machinery.js";
import { type Scale, scaleOf, withScale } from "./scale.js";
import { changeObject } from "./update.js";

interface PodWithContainers extends KubeObject {
  spec: { containers: { name: string; resources?: unknown; resizePolicy?: unknown }[]; ephemeralContainers?: unknown };
}

/** Subresources whose body is the object itself, and what each takes over from it into the present object. */
export const TAKEN_OVER: Readonly<Record<string, (current: KubeObject, body: KubeObject) => KubeObject>> = {
  status: (current, body) => ({ ...current, metadata: { ...body.metadata }, status: body.status }),
  /** Namespaces: spec.finalizers, emptied by the namespace controller when everything inside is gone. */
  finalize: (current, body) => ({
    ...current,
    metadata: { ...body.metadata, labels: current.metadata.labels, annotations: current.metadata.annotations },
    spec: {
      ...(current.spec as object),
      finalizers: (body.spec as { finalizers?: string[] } | undefined)?.finalizers ?? [],
    },
  }),
  /** Certificate signing requests: the conditions alone. */
  approval: (current, body) => ({
    ...current,
    metadata: { ...body.metadata },
    status: {
      ...(current.status as object),
      conditions: (body.status as { conditions?: unknown[] } | undefined)?.conditions ?? [],
    },
  }),
  ephemeralcontainers: (current, body) => ({
    ...current,
    metadata: { ...body.metadata },
    spec: cloneJson({
      ...(current.spec as object),
      ephemeralContainers: (body as PodWithContainers).spec?.ephemeralContainers,
    }),
  }),
  resize: (current, body) => {
    const wanted = new Map(
      (body as PodWithContainers).spec?.containers?.map((container) => [container.name, container]),
    );
    const { spec } = current as PodWithContainers;
    const containers = spec.containers.map((container) => {
      const { resources = container.resources, resizePolicy = container.resizePolicy } =
        wanted.get(container.name) ?? container;
      return { ...container, resources, ...(resizePolicy === undefined ? {} : { resizePolicy }) };
    });
    return { ...current, metadata: { ...body.metadata }, spec: cloneJson({ ...spec, containers }) };
  },
};

export async function bindPod(
  machinery: Machinery,
  caller: Caller,
  binding: Binding,
  options: WriteOptions,
): Promise<KubeObject> {
  const entry = entryOf(machinery, "pods");
  const { namespace, name } = binding.metadata;
  const draft = { ...binding, apiVersion: "v1", kind: "Binding" };
  const request: AdmissionRequest = {
    operation: "CREATE",
    info: entry.info,
    subresource: "binding",
    namespace,
    name,
    user: caller.user,
    dryRun: options.dryRun ?? false,
    warn: caller.warn,
    patient: caller.patient,
    object: draft,
  };
  const admitting = admit(machinery, "admit", request);
  if (admitting) await admitting;
  const validating = admit(machinery, "validate", request);
  if (validating) await validating;
  return changeObject(pastAdmission(machinery), caller, {
    entry,
    key: binding.metadata,
    options: { ...options, subresource: "binding" },
    change: (current) => bound(current, draft, machinery.clock.now()),
  });
}

/** `eviction` is a policy/v1 Eviction; the options of the deletion may stand in it. Answers the Status that upstream answers. */
export async function evictPod(
  machinery: Machinery,
  caller: Caller,
  eviction: KubeObject,
  options: WriteOptions,
): Promise<Record<string, unknown>> {
  type Options = DeleteOptions & { dryRun?: unknown };
  const draft = { ...cloneJson(eviction), apiVersion: "policy/v1", kind: "Eviction" } as KubeObject & {
    deleteOptions?: Options;
  };
  const isDryRun = ({ dryRun }: Options = {}): boolean => Array.isArray(dryRun) && dryRun.includes("All");
  const { namespace, name } = draft.metadata;
  const request: AdmissionRequest = {
    operation: "CREATE",
    info: entryOf(machinery, "pods").info,
    subresource: "eviction",
    namespace,
    name,
    user: caller.user,
    dryRun: options.dryRun || isDryRun(draft.deleteOptions),
    warn: caller.warn,
    patient: caller.patient,
    object: draft,
  };
  await admit(machinery, "admit", request);
  await admit(machinery, "validate", request);
  const { gracePeriodSeconds, preconditions, propagationPolicy } = draft.deleteOptions ?? {};
  const dryRun = request.dryRun || isDryRun(draft.deleteOptions);
  const deletion = { gracePeriodSeconds, preconditions, propagationPolicy, dryRun };
  await evict(pastAdmission(machinery), caller, { namespace, name }, deletion);
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}

export function readScale(machinery: Machinery, entry: ResourceEntry, key: ObjectKey): Scale {
  const object = find(machinery, entry, key);
  if (!object) throw notFound(entry.info.group, entry.info.resource, key.name);
  const { definition } = entry;
  return scaleOf(definition ? definition.view(object) : object, definition?.scale);
}

/** Writes the replicas of a Scale; answers the Scale after the write. */
export async function replaceScale(
  machinery: Machinery,
  entry: ResourceEntry,
  caller: Caller,
  key: ObjectKey,
  scale: Scale,
  options: WriteOptions,
): Promise<Scale> {
  const written = await changeObject(machinery, caller, {
    entry,
    key,
    options: { ...options, subresource: "scale" },
    change: (current) => withScale(current, scale, entry.definition?.scale),
  });
  const { definition } = entry;
  const preparing = definition?.prepare([written]);
  if (preparing) await preparing;
  return scaleOf(definition ? definition.view(written) : written, definition?.scale);
}
