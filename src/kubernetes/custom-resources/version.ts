/** One version of a custom resource: its description, its rules, and how stored objects look in it. Schemas are compiled on first use. */
import { badRequest, type StatusCause, StatusError } from "../errors.js";
import type { KubeObject } from "../object.js";
import { isObject } from "../patch/json.js";
import type { CustomVersion } from "../registry/catalogue.js";
import { type ScalePaths, scaleProblems } from "../registry/scale.js";
import type { Strategy } from "../registry/strategy.js";
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
} from "../schema/generated/types.js";
import type { ResourceInfo, SubresourceInfo } from "../schema/resource-info.js";
import { STANDARD_VERBS } from "../schema/resources.js";
import { DecodeError } from "../wire/scalars.js";
import type { Converter } from "./conversion.js";
import { defaulted } from "./defaulting.js";
import { embeddedProblems } from "./embedded.js";
import { duplicatesIn } from "./list-rules.js";
import { at } from "./paths.js";
import { pruned } from "./pruning.js";
import { rulesOf } from "./rules.js";
import { selectableFieldsOf } from "./selectable-fields.js";
import { rootShape } from "./shape.js";
import { type StructuralNode, structuralOf } from "./structural.js";
import { compileValueCheck, UNRELATED, type ValueCheck } from "./value-validation.js";

/** The name that stands for a custom type where built-in ones have their name in the schema tables. */
export const typeNameOf = (group: string, version: string, kind: string): string => `${group}/${version}.${kind}`;

const VERBS = ["get", "patch", "update"] as const;

function subresourcesOf({ subresources }: CustomResourceDefinitionVersion, kind: string): SubresourceInfo[] {
  const found: SubresourceInfo[] = [];
  if (subresources?.status) found.push({ name: "status", kind, verbs: VERBS });
  if (subresources?.scale)
    found.push({ name: "scale", kind: "Scale", group: "autoscaling", version: "v1", type: "Scale", verbs: VERBS });
  return found;
}

const infoOf = (
  { spec }: CustomResourceDefinition,
  names: CustomResourceDefinitionNames,
  version: CustomResourceDefinitionVersion,
): ResourceInfo => ({
  group: spec.group,
  version: version.name,
  resource: names.plural,
  singular: names.singular ?? "",
  kind: names.kind,
  listKind: names.listKind ?? `${names.kind}List`,
  namespaced: spec.scope === "Namespaced",
  shortNames: names.shortNames ?? [],
  categories: names.categories ?? [],
  verbs: STANDARD_VERBS,
  subresources: subresourcesOf(version, names.kind),
  type: typeNameOf(spec.group, version.name, names.kind),
  printerColumns: version.additionalPrinterColumns,
  ...(version.selectableFields?.length
    ? { selectableFields: version.selectableFields.map(({ jsonPath }) => jsonPath.replace(/^\./, "")) }
    : {}),
});

/** The schema and everything compiled from it. */
interface Compiled {
  readonly root: StructuralNode;
  readonly check: ValueCheck;
}

const ANYTHING = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

export interface CustomVersionParts {
  readonly definition: CustomResourceDefinition;
  readonly names: CustomResourceDefinitionNames;
  readonly version: CustomResourceDefinitionVersion;
  readonly converter: Converter;
  /** The apiVersion that objects are stored in. */
  readonly storedApiVersion: string;
  /** Hears of the end of this version in this form. */
  readonly onReplaced: CustomVersion["onReplaced"];
}

export function customVersion(parts: CustomVersionParts): CustomVersion {
  const { definition, names, version, converter, storedApiVersion } = parts;
  const info = infoOf(definition, names, version);
  const apiVersion = `${info.group}/${info.version}`;
  const scale = version.subresources?.scale as ScalePaths | undefined;
  let made: Compiled | undefined;
  const compiled = (): Compiled => {
    if (!made) {
      const schema = version.schema?.openAPIV3Schema ?? ANYTHING;
      made = { root: structuralOf(schema), check: compileValueCheck(schema) };
    }
    return made;
  };
  /** Stored objects as this version shows them; objects of this form stand for themselves. */
  const views = new WeakMap<KubeObject, KubeObject>();

  function view(object: KubeObject): KubeObject {
    let seen = views.get(object);
    if (!seen) {
      const converted = object.apiVersion === apiVersion ? object : converter.convert(object, apiVersion);
      const { root } = compiled();
      seen = defaulted(root, readable(root, converted)) as KubeObject;
      views.set(object, seen);
      views.set(seen, seen);
    }
    return seen;
  }

  return {
    info,
    served: version.served,
    stored: version.storage,
    strategy: strategyOf(parts, compiled, scale),
    ...(version.deprecated ? { deprecation: deprecationOf(info, version) } : {}),
    prune: (object) => pruned(compiled().root, object),
    shape: () => rootShape(compiled().root),
    selectable: selectableFieldsOf(version),
    ...(scale ? { scale } : {}),
    view,
    prepare: (objects) => {
      const foreign = objects.filter((object) => object.apiVersion !== apiVersion && !views.has(object));
      return foreign.length === 0 ? undefined : converter.prepare(foreign, apiVersion);
    },
    toStorage(object) {
      if (apiVersion === storedApiVersion) {
        views.set(object, object);
        return object;
      }
      const remember = (stored: KubeObject): KubeObject => {
        // They are one object, as long as they share their metadata, into which the store writes the revision.
        if (stored.metadata === object.metadata) {
          views.set(stored, object);
          views.set(object, object);
        }
        return stored;
      };
      const stored = converter.convertDraft(object, storedApiVersion);
      return stored instanceof Promise ? stored.then(remember) : remember(stored);
    },
    onReplaced: parts.onReplaced,
  };
}

function strategyOf(
  { definition, version }: CustomVersionParts,
  compiled: () => Compiled,
  scale: ScalePaths | undefined,
): Strategy {
  const statusApart = version.subresources?.status !== undefined;
  const expressions = rulesOf(() => compiled().root);
  return {
    setDefaults(draft) {
      const { root } = compiled();
      const filled = defaulted(root, accepted(root, draft)) as KubeObject;
      if (filled === draft) return;
      for (const name in draft) if (!Object.hasOwn(filled, name)) delete draft[name];
      Object.assign(draft, filled);
    },
    prepareForCreate() {
      if (definition.metadata.deletionTimestamp)
        throw new StatusError(
          405,
          "MethodNotAllowed",
          "create not allowed while custom resource definition is terminating",
          { group: definition.spec.group, kind: definition.spec.names.plural },
        );
    },
    validate(object, _context, previous) {
      const { root, check } = compiled();
      const causes: StatusCause[] = [];
      check(object, undefined, causes, previous ?? UNRELATED);
      if (scale) causes.push(...scaleProblems(object, scale));
      causes.push(...embeddedProblems(root, object));
      if (!previous || duplicatesIn(root, previous).length === 0) causes.push(...duplicatesIn(root, object));
      causes.push(...expressions(object, previous, causes));
      return causes;
    },
    validateStatusUpdate(object, previous) {
      const { root, check } = compiled();
      const causes: StatusCause[] = [];
      const status = root.properties.get("status");
      if (!status) return causes;
      // Only the status is judged, at its place: what else the object has is not this write's affair.
      check({ status: object.status }, undefined, causes, { ...previous, status: previous.status });
      const own = causes.filter(({ field }) => field === "<nil>" || /^status\b/.test(field ?? ""));
      if (isObject(object.status)) {
        const place = at(undefined, "status");
        own.push(...embeddedProblems(status, object.status, place));
        if (duplicatesIn(status, previous.status, place).length === 0)
          own.push(...duplicatesIn(status, object.status, place));
      }
      own.push(...expressions(object, previous, own));
      return own;
    },
    hasStatusSubresource: statusApart,
    hasGeneration: true,
    countsStatusChanges: !statusApart,
    warnings: (object) => [
      ...(object.metadata.finalizers ?? [])
        .filter((finalizer) => !finalizer.includes("/") && !STANDARD_FINALIZERS.has(finalizer))
        .map(
          (finalizer) =>
            `metadata.finalizers: ${JSON.stringify(finalizer)}: prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers`,
        ),
    ],
  };
}

const deprecationOf = (
  { group, version, kind }: ResourceInfo,
  { deprecationWarning }: CustomResourceDefinitionVersion,
) => deprecationWarning ?? `${group}/${version} ${kind} is deprecated`;

/** What is written must have metadata of the right types. */
function accepted(root: StructuralNode, draft: KubeObject): Record<string, unknown> {
  try {
    return pruned(root, draft).object;
  } catch (error) {
    throw error instanceof DecodeError ? badRequest(error.message) : error;
  }
}

/** What is stored is shown, even if an object inside of it is not what a later schema takes it for. */
function readable(root: StructuralNode, stored: KubeObject): Record<string, unknown> {
  try {
    return pruned(root, stored).object;
  } catch (error) {
    if (error instanceof DecodeError) return stored;
    throw error;
  }
}

const STANDARD_FINALIZERS = new Set(["orphan", "foregroundDeletion", "kubernetes"]);
