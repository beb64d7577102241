export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch";

/** One API resource as discovery describes it. Built-ins come from the resource table; custom resources are added at run time. */
export interface ResourceInfo {
  /** "" for the core group. */
  group: string;
  version: string;
  /** Plural, lower case: the path segment. */
  resource: string;
  singular: string;
  kind: string;
  listKind: string;
  namespaced: boolean;
  shortNames: readonly string[];
  categories: readonly string[];
  verbs: readonly Verb[];
  subresources: readonly SubresourceInfo[];
  /** Name of the type in the schema tables, e.g. `Pod`. */
  type: string;
  /** Columns that a custom resource definition adds to the name in tables. */
  printerColumns?: readonly PrinterColumn[];
  /** Fields that a custom resource can be selected by, beside its name: `spec.color`. */
  selectableFields?: readonly string[];
}

/** One of a custom resource definition's `additionalPrinterColumns`. */
export interface PrinterColumn {
  name: string;
  type: string;
  format?: string;
  description?: string;
  /** Above 0: with `-o wide` only. */
  priority?: number;
  jsonPath: string;
}

export interface SubresourceInfo {
  /** `status`, `scale`, `log`, ... */
  name: string;
  /** Kind that goes over the wire, e.g. `Scale`, `Eviction`, `TokenRequest`; the parent's for `status`. */
  kind: string;
  /** Group and version of that kind where they differ from the parent's. */
  group?: string;
  version?: string;
  /** Name in the schema tables of what goes over the wire, e.g. `Scale`, `AuthenticationTokenRequest`. Absent: the parent's. */
  type?: string;
  verbs: readonly Verb[];
}

/** `pods` or `deployments.apps`: the key of a resource across versions. */
export const resourceName = (info: { group: string; resource: string }): string =>
  info.group ? `${info.resource}.${info.group}` : info.resource;

/** The resource that goes by a name as kubectl takes it: plural, singular or short, maybe with its group. Of several the first, as discovery lists them. */
export function resourceNamed(
  infos: readonly ResourceInfo[],
  name: string,
): { group: string; resource: string; namespaced: boolean } | undefined {
  const [first = "", ...rest] = name.toLowerCase().split(".");
  const group = rest.length > 0 ? rest.join(".") : undefined;
  const found = infos.find(
    (info) =>
      (group === undefined || info.group === group) &&
      (info.resource === first || info.singular === first || info.shortNames.includes(first)),
  );
  return found && { group: found.group, resource: found.resource, namespaced: found.namespaced };
}
