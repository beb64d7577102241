/** Policies of one kind with their bindings, kept as they are written, and the parameters that bindings name. */
import type { KubeApi } from "../../api.js";
import type { KubeObject } from "../../object.js";
import type { ResourceCatalogue } from "../../registry/catalogue.js";
import { matcherOf } from "../../runtime/label-selector.js";
import type { MatchResources, ParamKind, ParamRef } from "../../schema/generated/types.js";
import { resourceName } from "../../schema/resource-info.js";
import type { MatchCriteria } from "../matching.js";
import type { AdmissionReader } from "../plugin.js";

export interface Policy extends KubeObject {
  spec?: { matchConstraints?: MatchResources; paramKind?: ParamKind; failurePolicy?: string };
}
export interface Binding extends KubeObject {
  spec?: { policyName?: string; matchResources?: MatchResources; paramRef?: ParamRef };
}

/** A policy in effect. */
export interface Hook<P extends Policy, B extends Binding> {
  readonly policy: P;
  readonly criteria: MatchCriteria;
  /** By name; never empty. `criteria` absent: they narrow nothing. */
  readonly bindings: readonly { binding: B; criteria?: MatchCriteria }[];
}

export interface PolicyIndex<P extends Policy, B extends Binding> {
  /** Policies that have bindings, by name. The same hook as long as neither the policy nor a binding of it changes. */
  readonly hooks: readonly Hook<P, B>[];
  stop(): void;
}

const byName = (a: KubeObject, b: KubeObject): number => (a.metadata.name < b.metadata.name ? -1 : 1);

export function createPolicyIndex<P extends Policy, B extends Binding>(
  api: KubeApi,
  { policies, bindings }: { policies: string; bindings: string },
): PolicyIndex<P, B> {
  const policyByName = new Map<string, P>();
  const bindingByName = new Map<string, B>();
  let hooks: readonly Hook<P, B>[] | undefined = [];

  const stops = [
    api.watch<P>(policies, ({ type, object }) => {
      const present = policyByName.get(object.metadata.name);
      if (type === "DELETED") policyByName.delete(object.metadata.name);
      // A status that is written is no other policy.
      else if (present && present.spec === object.spec) return;
      else policyByName.set(object.metadata.name, object);
      hooks = undefined;
    }),
    api.watch<B>(bindings, ({ type, object }) => {
      if (type === "DELETED") bindingByName.delete(object.metadata.name);
      else bindingByName.set(object.metadata.name, object);
      hooks = undefined;
    }),
  ];

  function build(): readonly Hook<P, B>[] {
    if (policyByName.size === 0 || bindingByName.size === 0) return [];
    const bound = [...bindingByName.values()].sort(byName);
    return [...policyByName.values()].sort(byName).flatMap((policy) => {
      const own = bound
        .filter(({ spec }) => spec?.policyName === policy.metadata.name)
        .map((binding) => {
          const match = binding.spec?.matchResources;
          return { binding, ...(match ? { criteria: criteriaOf(match, true) } : {}) };
        });
      const criteria = criteriaOf(policy.spec?.matchConstraints, false);
      return own.length > 0 ? [{ policy, criteria, bindings: own }] : [];
    });
  }

  return {
    get hooks() {
      hooks ??= build();
      return hooks;
    },
    stop: () => {
      for (const stop of stops) stop();
    },
  };
}

const criteriaOf = (match: MatchResources | undefined, isBinding: boolean): MatchCriteria => ({
  // A binding without rules narrows nothing; a policy without rules is about nothing.
  ...(isBinding && !match?.resourceRules?.length ? {} : { rules: match?.resourceRules ?? [] }),
  excluded: match?.excludeResourceRules,
  namespaceSelector: match?.namespaceSelector,
  objectSelector: match?.objectSelector,
  matchPolicy: match?.matchPolicy,
});

/** A policy cannot be applied as it is configured. */
export class ConfigurationError extends Error {}

/**
 * The parameters with which a binding has a policy evaluated: once for each, with undefined where there are none to be had, not at all where none is
 * found and that is allowed. Throws ConfigurationError.
 */
export function paramsOf(
  paramKind: ParamKind | undefined,
  paramRef: ParamRef | undefined,
  namespace: string | undefined,
  { catalogue, reader }: { catalogue: ResourceCatalogue; reader: AdmissionReader },
): readonly (KubeObject | undefined)[] {
  if (!paramKind || !paramRef) return [undefined];
  const entry = catalogue.byKind(paramKind.apiVersion ?? "", paramKind.kind ?? "");
  if (!entry)
    throw new ConfigurationError(
      `paramKind kind \`&ParamKind{APIVersion:${paramKind.apiVersion ?? ""},Kind:${paramKind.kind ?? ""},}\` not known`,
    );
  const { info } = entry;
  const where = info.namespaced ? paramRef.namespace || namespace : undefined;
  if (info.namespaced && !where)
    throw new ConfigurationError(
      "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
    );
  if (!info.namespaced && paramRef.namespace)
    throw new ConfigurationError("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
  const found = paramRef.name
    ? [reader.get(resourceName(info), { namespace: where, name: paramRef.name })]
    : reader.list(resourceName(info), where).filter(({ metadata }) => matcherOf(paramRef.selector)(metadata.labels));
  const params = found.filter((param) => param !== undefined);
  if (params.length === 0 && paramRef.parameterNotFoundAction === "Deny")
    throw new ConfigurationError("no params found for policy binding with `Deny` parameterNotFoundAction");
  return params;
}
