/** Which names a definition gets: within a group no two definitions may share a plural, singular, short name, kind or list kind. First come, first served. */
import { deepEqual } from "../patch/json.js";
import type { CustomResourceDefinition, CustomResourceDefinitionNames } from "../schema/generated/types.js";

export interface Acceptance {
  /** What is the definition's own by now. */
  readonly names: CustomResourceDefinitionNames;
  /** Why it does not have all it asks for. */
  readonly conflict?: { readonly reason: string; readonly message: string };
}

const NONE: CustomResourceDefinitionNames = { plural: "", kind: "" };

/** Judges the names a definition asks for against those that others of its group have. */
export function acceptNames(
  { spec, status }: CustomResourceDefinition,
  others: readonly CustomResourceDefinitionNames[],
): Acceptance {
  const wanted = spec.names;
  const had = status?.acceptedNames ?? NONE;
  const isResource = (name: string | undefined): boolean =>
    others.some((other) => other.plural === name || other.singular === name || other.shortNames?.includes(name ?? ""));
  const isKind = (name: string | undefined): boolean =>
    others.some(({ kind, listKind }) => kind === name || listKind === name);
  const names: CustomResourceDefinitionNames = { ...had };
  let conflict: Acceptance["conflict"];
  const free = (
    name: string | undefined,
    present: string | undefined,
    used: (name: string | undefined) => boolean,
  ): boolean => name === present || !used(name);
  const refuse = (reason: string, taken: readonly (string | undefined)[]): void => {
    const texts = taken.map((name) => `${JSON.stringify(name)} is already in use`);
    conflict = { reason, message: texts.length === 1 ? (texts[0] as string) : `[${texts.join(", ")}]` };
  };
  if (free(wanted.plural, had.plural, isResource)) names.plural = wanted.plural;
  else refuse("PluralConflict", [wanted.plural]);
  if (free(wanted.singular, had.singular, isResource)) names.singular = wanted.singular;
  else refuse("SingularConflict", [wanted.singular]);
  if (!deepEqual(wanted.shortNames, had.shortNames)) {
    const taken = (wanted.shortNames ?? []).filter((name) => !had.shortNames?.includes(name) && isResource(name));
    if (taken.length > 0) refuse("ShortNamesConflict", taken);
    else if (wanted.shortNames) names.shortNames = wanted.shortNames;
    else delete names.shortNames;
  }
  if (free(wanted.kind, had.kind, isKind)) names.kind = wanted.kind;
  else refuse("KindConflict", [wanted.kind]);
  if (free(wanted.listKind, had.listKind, isKind)) names.listKind = wanted.listKind;
  else refuse("ListKindConflict", [wanted.listKind]);
  if (wanted.categories) names.categories = wanted.categories;
  else delete names.categories;
  return conflict ? { names, conflict } : { names };
}
