/** Who calls STS or IAM, as policies see it. */
import { IamError } from "../../domain/iam-errors.js";
import type { RequestPrincipal } from "../../identity/policy/evaluate.js";
import type { Principal } from "../../identity/principal.js";
import type { QueryContext } from "./call.js";

/** Throws MissingAuthenticationToken for calls that nobody signed. */
export function signer({ principal }: QueryContext): Principal {
  if (principal) return principal;
  throw new IamError("MissingAuthenticationToken", "Request is missing Authentication Token");
}

export function callerOf(context: QueryContext): RequestPrincipal & { kind: "AWS" } {
  const { accountId, arn, userId } = signer(context);
  return { kind: "AWS", arn, accountId, sourceId: context.session?.source.id ?? userId };
}
