import type { DeleteOptions, WriteOptions } from "../api.js";
import { badRequest, invalid, type StatusCause } from "../errors.js";
import { invalidValue, unsupported } from "../registry/strategies/field.js";
import type { Exchange } from "./context.js";

/** Options that come in the query of a request (or, for deletions, in its body), as the registry knows them. */

const FIELD_VALIDATIONS = ["Ignore", "Warn", "Strict"] as const;
const PROPAGATIONS = ["Foreground", "Background", "Orphan"] as const;
const LONGEST_MANAGER = 128;
/** As Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the plain space. */
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** Go's words for a text that is no number. */
export const parseProblem = (parser: "ParseInt" | "ParseUint", text: string): string =>
  `strconv.${parser}: parsing ${JSON.stringify(text)}: invalid syntax`;

export function integerParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^-?\d{1,19}$/.test(text)) throw badRequest(parseProblem("ParseInt", text));
  return Number(text);
}

export const booleanParameter = (query: URLSearchParams, name: string): boolean | undefined => {
  const text = query.get(name);
  return text === null ? undefined : text === "" || text === "1" || text.toLowerCase() === "true";
};

/** The only dry run there is: `dryRun=All`. */
function isDryRun(values: readonly string[], kind: string): boolean {
  if (values.some((value) => value !== "All"))
    throw invalid("meta.k8s.io", kind, "", [unsupported("dryRun", values, ["All"])]);
  return values.length > 0;
}

/** The manager's name that stands for a client which gives none: the start of its User-Agent, up to the version. */
export const managerOf = (userAgent: string | undefined): string =>
  (userAgent ?? "").split("/", 1)[0]?.slice(0, LONGEST_MANAGER) || "unknown";

export function writeOptions(
  { info, request }: Exchange,
  kind: "CreateOptions" | "UpdateOptions" | "PatchOptions",
): WriteOptions & { force?: boolean } {
  const { query } = info;
  const causes: StatusCause[] = [];
  const fieldValidation = query.get("fieldValidation") || undefined;
  if (fieldValidation && !FIELD_VALIDATIONS.some((known) => known === fieldValidation)) {
    causes.push(unsupported("fieldValidation", fieldValidation, ["", ...[...FIELD_VALIDATIONS].sort()]));
  }
  const fieldManager = query.get("fieldManager") || undefined;
  if (fieldManager && fieldManager.length > LONGEST_MANAGER) {
    causes.push({
      reason: "FieldValueTooLong",
      message: `Too long: may not be more than ${LONGEST_MANAGER} bytes`,
      field: "fieldManager",
    });
  }
  [...(fieldManager ?? "")].forEach((character, position) => {
    if (PRINTABLE.test(character)) return;
    const code = (character.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0");
    causes.push(invalidValue("fieldManager", fieldManager, `invalid character U+${code} (at position ${position})`));
  });
  if (causes.length > 0) throw invalid("meta.k8s.io", kind, "", causes);
  return {
    fieldManager: fieldManager ?? managerOf(request.headers["user-agent"]),
    fieldValidation: fieldValidation as WriteOptions["fieldValidation"],
    dryRun: isDryRun(query.getAll("dryRun"), kind),
    subresource: info.resource?.subresource,
    force: booleanParameter(query, "force"),
  };
}

export interface DeleteOptionsBody {
  gracePeriodSeconds?: number;
  propagationPolicy?: string;
  orphanDependents?: boolean;
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun?: string[];
}

/** With a body nobody looks at the query. `orphanDependents` is the old name of two of the propagation policies. */
export function deleteOptions({ info }: Exchange, body: DeleteOptionsBody | undefined): DeleteOptions {
  const { query } = info;
  const given: DeleteOptionsBody = body ?? {
    gracePeriodSeconds: integerParameter(query, "gracePeriodSeconds"),
    propagationPolicy: query.get("propagationPolicy") || undefined,
    orphanDependents: booleanParameter(query, "orphanDependents"),
    dryRun: query.getAll("dryRun"),
  };
  const { gracePeriodSeconds, preconditions, orphanDependents, propagationPolicy } = given;
  if (propagationPolicy && !PROPAGATIONS.some((known) => known === propagationPolicy)) {
    throw invalid("meta.k8s.io", "DeleteOptions", "", [
      unsupported("propagationPolicy", propagationPolicy, [...PROPAGATIONS, "nil"]),
    ]);
  }
  if (propagationPolicy && orphanDependents !== undefined) {
    const detail = "orphanDependents and deletionPropagation cannot be both set";
    throw invalid("meta.k8s.io", "DeleteOptions", "", [invalidValue("propagationPolicy", propagationPolicy, detail)]);
  }
  const fromOldName = orphanDependents === undefined ? undefined : orphanDependents ? "Orphan" : "Background";
  return {
    gracePeriodSeconds,
    preconditions,
    propagationPolicy: (propagationPolicy as DeleteOptions["propagationPolicy"]) ?? fromOldName,
    dryRun: isDryRun(given.dryRun ?? [], "DeleteOptions"),
  };
}
