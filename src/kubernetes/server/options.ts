import type { DeleteOptions, WriteOptions } from "../api.js";
import { badRequest, invalid, type StatusCause } from "../errors.js";
import { invalidValue, unsupported } from "../registry/strategies/field.js";
import type { Exchange } from "./context.js";

/** Options that come in the query of a request (or, for deletions, in its body), as the registry knows them. */

const FIELD_VALIDATIONS = ["Ignore", "Warn", "Strict"] as const;
const PROPAGATIONS = ["Orphan", "Background", "Foreground"] as const;
const LONGEST_MANAGER = 128;

export function integerParameter(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (!/^-?\d{1,19}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

export const booleanParameter = (query: URLSearchParams, name: string): boolean | undefined => {
  const text = query.get(name);
  return text === null ? undefined : text === "" || text === "1" || text.toLowerCase() === "true";
};

/** The only dry run there is: `dryRun=All`. */
function isDryRun(values: readonly string[], kind: string): boolean {
  const causes = values.filter((value) => value !== "All").map((value) => unsupported("dryRun", value, ["All"]));
  if (causes.length > 0) throw invalid("meta.k8s.io", kind, "", causes);
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
    causes.push(unsupported("fieldValidation", fieldValidation, ["", ...FIELD_VALIDATIONS]));
  }
  const fieldManager = query.get("fieldManager") || undefined;
  if (fieldManager && fieldManager.length > LONGEST_MANAGER) {
    causes.push({
      reason: "FieldValueTooLong",
      message: `Too long: may not be more than ${LONGEST_MANAGER} bytes`,
      field: "fieldManager",
    });
  }
  // As Go's unicode.IsPrint: letters, marks, numbers, punctuation, symbols and the plain space.
  if (fieldManager && !/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(fieldManager))
    causes.push(invalidValue("fieldManager", fieldManager, "should only contain printable characters"));
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

/** A body wins over the query. `orphanDependents` is the old name of two of the propagation policies. */
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
    const message = "Invalid value: orphanDependents and deletionPropagation cannot be both set";
    throw invalid("meta.k8s.io", "DeleteOptions", "", [
      { reason: "FieldValueInvalid", message, field: "propagationPolicy" },
    ]);
  }
  const fromOldName = orphanDependents === undefined ? undefined : orphanDependents ? "Orphan" : "Background";
  return {
    gracePeriodSeconds,
    preconditions,
    propagationPolicy: (propagationPolicy as DeleteOptions["propagationPolicy"]) ?? fromOldName,
    dryRun: isDryRun([...(given.dryRun ?? []), ...(body ? query.getAll("dryRun") : [])], "DeleteOptions"),
  };
}
