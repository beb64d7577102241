/** Policy documents of IAM as data, read from their JSON. */

export type Many<T> = T | readonly T[];

/** Who a statement of a trust policy speaks of. */
export type PrincipalElement =
  | "*"
  | Readonly<Partial<Record<"AWS" | "Federated" | "Service" | "CanonicalUser", Many<string>>>>;

export interface Statement {
  Sid?: string;
  Effect: "Allow" | "Deny";
  Principal?: PrincipalElement;
  NotPrincipal?: PrincipalElement;
  Action?: Many<string>;
  NotAction?: Many<string>;
  Resource?: Many<string>;
  NotResource?: Many<string>;
  Condition?: Readonly<Record<string, Readonly<Record<string, Many<string | number | boolean>>>>>;
}

export interface PolicyDocument {
  Version?: string;
  Id?: string;
  Statement: readonly Statement[];
}

export const listOf = <T>(value: Many<T> | undefined): readonly T[] =>
  value === undefined ? [] : Array.isArray(value) ? (value as readonly T[]) : [value as T];

const VERSIONS = ["2012-10-17", "2008-10-17"];
const MEMBERS = [
  "Sid",
  "Effect",
  "Principal",
  "NotPrincipal",
  "Action",
  "NotAction",
  "Resource",
  "NotResource",
  "Condition",
];
const PRINCIPAL_KINDS = ["AWS", "Federated", "Service", "CanonicalUser"];

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): boolean => listOf(value as Many<unknown>).every((item) => typeof item === "string");

/**
 * Reads a document. `trust` policies must name principals and no resources; others the other way round. The error is what IAM says under
 * MalformedPolicyDocument.
 */
export function readPolicy(text: string, kind: "trust" | "identity"): { document: PolicyDocument } | { error: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { error: "This policy contains invalid Json" };
  }
  if (!isObject(value)) return { error: "Syntax errors in policy." };
  if (value.Version !== undefined && !VERSIONS.includes(String(value.Version)))
    return { error: "The policy is not in the valid JSON format." };
  const given = value.Statement;
  const statements = Array.isArray(given) ? given : [given];
  if (given === undefined || statements.length === 0) return { error: "Syntax errors in policy." };
  for (const statement of statements) {
    const error = statementError(statement, kind);
    if (error !== undefined) return { error };
  }
  return { document: { ...(value as object), Statement: statements as Statement[] } };
}

function statementError(statement: unknown, kind: "trust" | "identity"): string | undefined {
  if (!isObject(statement)) return "Syntax errors in policy.";
  if (Object.keys(statement).some((member) => !MEMBERS.includes(member))) return "Syntax errors in policy.";
  const { Effect, Principal, NotPrincipal, Action, NotAction, Resource, NotResource, Condition } = statement;
  if (Effect !== "Allow" && Effect !== "Deny") return "Missing required field Effect";
  if (Action === undefined && NotAction === undefined) return "Missing required field Action";
  if (![Action, NotAction, Resource, NotResource].every(isTexts)) return "Syntax errors in policy.";
  for (const action of [...listOf(Action as Many<string>), ...listOf(NotAction as Many<string>)]) {
    if (action !== "*" && !action.includes(":"))
      return "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
  }
  if (Condition !== undefined && !(isObject(Condition) && Object.values(Condition).every(isObject)))
    return "Syntax errors in policy.";
  if (kind === "identity") {
    if (Principal !== undefined || NotPrincipal !== undefined) return "Policy document should not specify a principal.";
    return Resource === undefined && NotResource === undefined ? "Policy statement must contain resources." : undefined;
  }
  if (Resource !== undefined || NotResource !== undefined) return "Has prohibited field Resource";
  const principal = Principal ?? NotPrincipal;
  if (principal === undefined) return "Missing required field Principal";
  return principalError(principal);
}

function principalError(principal: unknown): string | undefined {
  if (principal === "*") return undefined;
  if (!isObject(principal) || Object.keys(principal).length === 0) return "Syntax errors in policy.";
  for (const [kind, ids] of Object.entries(principal)) {
    if (!PRINCIPAL_KINDS.includes(kind) || !isTexts(ids)) return "Syntax errors in policy.";
    if (kind !== "AWS") continue;
    for (const id of listOf(ids as Many<string>)) {
      // What was deleted is named by its unique id.
      const known = id === "*" || /^\d{12}$/.test(id) || /^A(ROA|IDA)[A-Z0-9]{16,}$/.test(id);
      if (!known && !/^arn:aws[\w-]*:(iam|sts)::\d{12}:\S+$/.test(id))
        return `Invalid principal in policy: "AWS":"${id}"`;
    }
  }
  return undefined;
}
