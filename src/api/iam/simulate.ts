/** What policies would say to a call that nobody makes. */
import { parsePrincipal } from "../../domain/eks/principals.js";
import { IamError } from "../../domain/iam-errors.js";
import { authorize } from "../../identity/policy/authorize.js";
import { readPolicy } from "../../identity/policy/document.js";
import { evaluate, type NamedPolicy, type PolicyRequest, type Verdict } from "../../identity/policy/evaluate.js";
import type { ContextEntry, EvaluationResult, Operations } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";

const DECISIONS = { allow: "allowed", "explicit-deny": "explicitDeny", "implicit-deny": "implicitDeny" } as const;

function evaluations(
  input: { ActionNames: string[]; ResourceArns?: string[]; ContextEntries?: ContextEntry[] },
  principalArn: string,
  judge: (request: PolicyRequest) => Verdict,
): EvaluationResult[] {
  const context = Object.fromEntries(
    (input.ContextEntries ?? []).map(({ ContextKeyName = "", ContextKeyValues = [] }) => [
      ContextKeyName.toLowerCase(),
      ContextKeyValues.length === 1 ? ContextKeyValues[0] : ContextKeyValues,
    ]),
  );
  const accountId = principalArn.split(":")[4] ?? "";
  return input.ActionNames.flatMap((action) =>
    (input.ResourceArns ?? ["*"]).map((resource) => {
      const verdict = judge({ principal: { kind: "AWS", arn: principalArn, accountId }, action, resource, context });
      return {
        EvalActionName: action,
        EvalResourceName: resource,
        EvalDecision: DECISIONS[verdict.decision],
        MatchedStatements: verdict.policy === undefined ? [] : [{ SourcePolicyId: verdict.policy }],
        MissingContextValues: [],
      };
    }),
  );
}

function documents(texts: readonly string[] = []): NamedPolicy[] {
  return texts.map((text, index) => {
    const read = readPolicy(text, "identity");
    if ("error" in read) throw new IamError("InvalidInput", read.error);
    return { name: `PolicyInputList.${index + 1}`, document: read.document };
  });
}

export const simulation = {
  SimulatePrincipalPolicy(input, context) {
    const { PolicySourceArn } = input;
    if (!parsePrincipal(PolicySourceArn))
      throw new IamError(
        "InvalidInput",
        `Invalid Entity Arn: ${PolicySourceArn} does not clearly define entity type and name.`,
      );
    const identity = context.directory.role(PolicySourceArn) ?? context.directory.user(PolicySourceArn);
    if (!identity) throw new IamError("NoSuchEntity", `${PolicySourceArn} does not exist`);
    const more = documents(input.PolicyInputList);
    const judge = (request: PolicyRequest): Verdict => {
      const own = authorize(context.state.iam, identity, undefined, request);
      const added = evaluate(more, request);
      if (own.decision === "explicit-deny" || added.decision === "implicit-deny") return own;
      return added;
    };
    return { EvaluationResults: evaluations(input, PolicySourceArn, judge), IsTruncated: false };
  },
  SimulateCustomPolicy(input, context) {
    const policies = documents(input.PolicyInputList);
    const results = evaluations(input, input.CallerArn ?? context.principalArn, (request) =>
      evaluate(policies, request),
    );
    return { EvaluationResults: results, IsTruncated: false };
  },
} satisfies QueryOperations<Operations<QueryContext>>;
