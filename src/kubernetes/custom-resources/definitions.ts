/** The rules of CustomResourceDefinitions as objects: what is filled in, what must hold, what stays as it was. */
import type { KubeObject } from "../object.js";
import { deepEqual } from "../patch/json.js";
import type { Strategy } from "../registry/strategy.js";
import type { CustomResourceDefinition } from "../schema/generated/types.js";
import { definitionProblems, definitionUpdateProblems } from "./definition-rules.js";
import { ruleProblems } from "./rule-problems.js";
import { MARKED_FOR_DELETION, withCondition } from "./status.js";

export const DEFINITIONS = "customresourcedefinitions.apiextensions.k8s.io";

/** Holds a definition that is going until the last of its objects has gone. Set when the deletion begins, as upstream. */
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

const DEFAULT_WEBHOOK_PORT = 443;

const asDefinition = (object: KubeObject): CustomResourceDefinition => object as CustomResourceDefinition;

const storageVersion = ({ spec }: CustomResourceDefinition): string | undefined =>
  spec?.versions?.find(({ storage }) => storage)?.name;

export const customResourceDefinitions: Strategy = {
  setDefaults(draft) {
    const { spec } = asDefinition(draft);
    if (!spec?.names) return;
    const { names } = spec;
    names.singular ||= names.kind?.toLowerCase();
    names.listKind ||= names.kind && `${names.kind}List`;
    spec.conversion ??= { strategy: "None" };
    const service = spec.conversion.webhook?.clientConfig?.service;
    if (service) service.port ??= DEFAULT_WEBHOOK_PORT;
  },
  prepareForCreate(draft) {
    const definition = asDefinition(draft);
    const stored = storageVersion(definition);
    definition.status = {
      acceptedNames: { plural: "", kind: "" },
      conditions: [],
      storedVersions: stored === undefined ? [] : [stored],
    };
  },
  prepareForUpdate(draft) {
    const definition = asDefinition(draft);
    const stored = storageVersion(definition);
    const present = definition.status?.storedVersions ?? [];
    if (stored === undefined || present.includes(stored)) return;
    definition.status = { ...definition.status, storedVersions: [...present, stored] };
  },
  validate(object, _context, previous) {
    const definition = asDefinition(object);
    // Most updates of a definition are of its labels and annotations.
    if (previous && deepEqual(definition.spec, asDefinition(previous).spec)) return [];
    const causes = definitionProblems(definition);
    return causes.length > 0 ? causes : ruleProblems(definition, previous && asDefinition(previous));
  },
  validateUpdate: (object, previous) => definitionUpdateProblems(asDefinition(object), asDefinition(previous)),
  prepareForDelete(marked, nowMs) {
    const { metadata } = marked;
    if (!metadata.finalizers?.includes(CLEANUP_FINALIZER))
      metadata.finalizers = [...(metadata.finalizers ?? []), CLEANUP_FINALIZER];
    marked.status = withCondition(asDefinition(marked).status ?? {}, MARKED_FOR_DELETION, nowMs);
  },
};
