import { type Clock, formatSeconds } from "../../clock/clock.js";
import type { KubeApi } from "../api.js";
import { isStatusError, type StatusCause } from "../errors.js";
import type { KubeObject } from "../object.js";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionVersion,
} from "../schema/generated/types.js";
import type { ResourceInfo, SubresourceInfo } from "../schema/resource-info.js";
import { STANDARD_VERBS } from "../schema/resources.js";
import type { ResourceCatalogue } from "./catalogue.js";
import { forbiddenField, IMMUTABLE, invalidValue, oneOf, required } from "./strategies/field.js";
import { dns1035Label, dnsSubdomain } from "./strategies/names.js";
import type { Strategy } from "./strategy.js";

/**
 * Custom resources: what a CustomResourceDefinition says is served as soon as it is written. Objects are kept as they are sent: their schema is published
 * to clients, but neither enforced nor used to prune or default, and every definition is answered with a warning that says so.
 */
export const DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";

const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";
const NOT_ENFORCED =
  "custom resources are stored as they are sent: their OpenAPI schema is not enforced, nor used for pruning and defaulting";

const asDefinition = (object: KubeObject): CustomResourceDefinition => object as CustomResourceDefinition;

export const customResourceDefinitions: Strategy = {
  setDefaults(draft) {
    const { spec } = asDefinition(draft);
    if (!spec?.names) return;
    const { names } = spec;
    names.singular ??= names.kind?.toLowerCase();
    names.listKind ??= names.kind && `${names.kind}List`;
    spec.conversion ??= { strategy: "None" };
  },
  prepareForCreate(draft) {
    const { metadata } = draft;
    metadata.finalizers = [...new Set([...(metadata.finalizers ?? []), CLEANUP_FINALIZER])];
  },
  validate(object) {
    const { metadata, spec } = asDefinition(object);
    const causes: StatusCause[] = [];
    const refuse = (field: string, value: unknown, complaints: readonly string[]): void => {
      for (const complaint of complaints) causes.push(invalidValue(field, value, complaint));
    };
    if (!spec?.group) causes.push(required("spec.group"));
    else refuse("spec.group", spec.group, dnsSubdomain(spec.group));
    const plural = spec?.names?.plural;
    if (!plural) causes.push(required("spec.names.plural"));
    else {
      refuse("spec.names.plural", plural, dns1035Label(plural));
      const name = `${plural}.${spec.group}`;
      if (metadata.name !== name) {
        causes.push(invalidValue("metadata.name", metadata.name, 'must be spec.names.plural+"."+spec.group'));
      }
    }
    if (!spec?.names?.kind) causes.push(required("spec.names.kind"));
    if (!spec?.scope) causes.push(required("spec.scope"));
    else causes.push(...oneOf("spec.scope", spec.scope, ["Cluster", "Namespaced"]));
    const versions = spec?.versions ?? [];
    if (versions.length === 0) causes.push(required("spec.versions"));
    else if (versions.filter(({ storage }) => storage).length !== 1) {
      causes.push(invalidValue("spec.versions", versions, "must have exactly one version marked as storage version"));
    }
    versions.forEach(({ schema }, index) => {
      if (!schema?.openAPIV3Schema)
        causes.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, "schemas are required"));
    });
    if (spec?.conversion?.strategy === "Webhook") {
      causes.push(forbiddenField("spec.conversion.strategy", "conversion webhooks are not supported by this server"));
    }
    return causes;
  },
  validateUpdate(object, previous) {
    const { spec } = asDefinition(object);
    const before = asDefinition(previous).spec;
    const frozen = [
      ["spec.group", spec.group, before.group],
      ["spec.scope", spec.scope, before.scope],
      ["spec.names.plural", spec.names.plural, before.names.plural],
    ] as const;
    return frozen.flatMap(([field, value, was]) => (value === was ? [] : [invalidValue(field, value, IMMUTABLE)]));
  },
  warnings: () => [NOT_ENFORCED],
};

/** The name that stands for a custom type where built-in ones have their name in the schema tables. */
const typeNameOf = (group: string, version: string, kind: string): string => `${group}/${version}.${kind}`;

function subresourcesOf({ subresources }: CustomResourceDefinitionVersion, kind: string): SubresourceInfo[] {
  const found: SubresourceInfo[] = [];
  const verbs = ["get", "patch", "update"] as const;
  if (subresources?.status) found.push({ name: "status", kind, verbs });
  // Only the customary places of replicas are known to the scale subresource.
  const { specReplicasPath, statusReplicasPath } = subresources?.scale ?? {};
  if (specReplicasPath === ".spec.replicas" && statusReplicasPath === ".status.replicas") {
    found.push({ name: "scale", kind: "Scale", group: "autoscaling", version: "v1", type: "Scale", verbs });
  }
  return found;
}

/** The served versions, the stored one first. */
function infosOf({ spec }: CustomResourceDefinition): ResourceInfo[] {
  const { group, names, scope, versions } = spec;
  return [...versions]
    .sort((a, b) => Number(b.storage) - Number(a.storage))
    .filter(({ served }) => served)
    .map((version) => ({
      group,
      version: version.name,
      resource: names.plural,
      singular: names.singular ?? "",
      kind: names.kind,
      listKind: names.listKind ?? `${names.kind}List`,
      namespaced: scope === "Namespaced",
      shortNames: names.shortNames ?? [],
      categories: names.categories ?? [],
      verbs: STANDARD_VERBS,
      subresources: subresourcesOf(version, names.kind),
      type: typeNameOf(group, version.name, names.kind),
      printerColumns: version.additionalPrinterColumns,
    }));
}

const NAMES_ACCEPTED = { type: "NamesAccepted", status: "True", reason: "NoConflicts", message: "no conflicts found" };
const ESTABLISHED = {
  type: "Established",
  status: "True",
  reason: "InitialNamesAccepted",
  message: "the initial names have been accepted",
};
const TERMINATING = {
  type: "Terminating",
  status: "True",
  reason: "InstanceDeletionInProgress",
  message: "CustomResource deletion is in progress",
};

export interface CustomResources {
  /** The OpenAPI schema of a custom resource's version, as its definition gives it. */
  schemaOf(info: ResourceInfo): Record<string, unknown> | undefined;
  stop(): void;
}

/** Serves what definitions say, now and from now on, tells them so in their status, and removes the objects of definitions that go. */
export function serveCustomResources({
  api,
  catalogue,
  clock,
}: {
  api: KubeApi;
  catalogue: ResourceCatalogue;
  clock: Clock;
}): CustomResources {
  const schemas = new Map<string, Record<string, unknown> | undefined>();
  /** Watches over the objects of definitions that are going. */
  const watches = new Map<string, () => void>();
  let stopped = false;

  function serve(definition: CustomResourceDefinition): void {
    const infos = infosOf(definition);
    catalogue.setCustom(definition.metadata.name, infos);
    for (const { name, schema } of definition.spec.versions) {
      const { group, names } = definition.spec;
      schemas.set(typeNameOf(group, name, names.kind), schema?.openAPIV3Schema as Record<string, unknown> | undefined);
    }
  }

  const condition = (
    { type, ...rest }: typeof TERMINATING,
    present: readonly CustomResourceDefinitionCondition[],
  ): CustomResourceDefinitionCondition =>
    present.find((found) => found.type === type && found.status === rest.status) ?? {
      type,
      ...rest,
      lastTransitionTime: formatSeconds(clock.now()),
    };

  async function report(definition: CustomResourceDefinition): Promise<void> {
    const { metadata, spec, status } = definition;
    const present = status?.conditions ?? [];
    const wanted = [NAMES_ACCEPTED, ESTABLISHED, ...(metadata.deletionTimestamp ? [TERMINATING] : [])];
    const stored = spec.versions.find(({ storage }) => storage)?.name ?? "";
    await api.updateStatus<CustomResourceDefinition>(DEFINITIONS, {
      ...definition,
      status: {
        ...status,
        acceptedNames: spec.names,
        conditions: wanted.map((one) => condition(one, present)),
        storedVersions: [...new Set([...(status?.storedVersions ?? []), stored])],
      },
    });
  }

  /** Deletes the objects of a definition that is going; lets it go when the last one has gone. */
  async function cleanUp({ metadata }: CustomResourceDefinition): Promise<void> {
    const { name } = metadata;
    if (!watches.has(name) && catalogue.byName(name)) {
      watches.set(
        name,
        api.watch(name, ({ type }) => type === "DELETED" && lookSoon(name)),
      );
    }
    const left = catalogue.byName(name) ? api.list(name) : [];
    for (const object of left) if (!object.metadata.deletionTimestamp) await api.delete(name, object.metadata);
    if (catalogue.byName(name) && api.list(name).length > 0) return;
    watches.get(name)?.();
    watches.delete(name);
    const present = api.get<CustomResourceDefinition>(DEFINITIONS, { name });
    if (!present?.metadata.finalizers?.includes(CLEANUP_FINALIZER)) return;
    const finalizers = present.metadata.finalizers.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    await api.update(DEFINITIONS, { ...present, metadata: { ...present.metadata, finalizers } });
  }

  async function look(name: string): Promise<void> {
    const definition = api.get<CustomResourceDefinition>(DEFINITIONS, { name });
    if (!definition || stopped) return;
    await report(definition);
    if (definition.metadata.deletionTimestamp) await cleanUp(definition);
  }

  function lookSoon(name: string): void {
    clock.defer(() => {
      if (stopped) return;
      void clock.track(
        look(name).catch((error: unknown) => {
          // Somebody else's write came between, or there is no quorum now: look again, later.
          if (!isStatusError(error, "NotFound")) clock.timer(1_000, () => lookSoon(name));
        }),
      );
    });
  }

  const stop = api.watch<CustomResourceDefinition>(DEFINITIONS, ({ type, object }) => {
    const { name } = object.metadata;
    if (type === "DELETED") catalogue.setCustom(name, []);
    else {
      serve(object);
      lookSoon(name);
    }
  });

  return {
    schemaOf: ({ type }) => schemas.get(type),
    stop() {
      stopped = true;
      stop();
      for (const unwatch of watches.values()) unwatch();
    },
  };
}
