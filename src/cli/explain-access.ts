import type { AccessExplanation, AccessStep } from "../domain/access-explanation.js";
import { call, targetOf } from "./client.js";

interface Options {
  endpoint?: string;
  region?: string;
  cluster: string;
  principal: string;
  verb?: string;
  resource?: string;
  path?: string;
  namespace?: string;
  name?: string;
  json?: boolean;
}

/** `eksim explain-access`. Exits with 1 where the answer is no. */
export async function explainAccess(options: Options): Promise<void> {
  const { cluster, principal, verb, resource, path, namespace, name } = options;
  const parameters = { cluster, principal, verb, resource, path, namespace, name };
  const found = await call<AccessExplanation>(targetOf(options), "GET", "explain-access", parameters);
  console.log(options.json ? JSON.stringify(found, undefined, 2) : explanationText(found));
  const { authentication, decision } = found;
  if (authentication.outcome === "refused" || decision?.allowed === false) process.exitCode = 1;
}

const MARKS: Readonly<Record<AccessStep["outcome"], string>> = { yes: "+", no: "-", skipped: " " };
const stepLines = (steps: readonly AccessStep[]): string[] =>
  steps.map(({ what, outcome, why }) => `  ${MARKS[outcome]} ${what}: ${why}`);
const listed = (items: readonly string[] | undefined): string => (items?.length ? items.join(", ") : "none");

/** What a person reads: who the principal is in the cluster, then the answer, each with what was looked at. */
export function explanationText(found: AccessExplanation): string {
  const { cluster, principal, authentication, entry, decision, refusedTokens } = found;
  const lines = [
    `${principal.arn} in cluster ${cluster.name} (authentication mode ${cluster.authenticationMode})`,
    authentication.outcome === "authenticated"
      ? `Signs in as ${authentication.username}, groups: ${listed(authentication.groups)}`
      : `Cannot sign in: ${authentication.why}`,
    ...stepLines(authentication.steps),
  ];
  if (entry && !decision) {
    lines.push(`Access policies: ${entry.policies.length === 0 ? "none" : ""}`.trimEnd());
    for (const { name, scope, namespaces } of entry.policies)
      lines.push(`  ${name}, ${scope === "cluster" ? "the whole cluster" : `namespaces ${namespaces.join(", ")}`}`);
  }
  if (decision) {
    const { verb, resource, path } = decision.question;
    const what = resource
      ? [
          resource.group ? `${resource.resource}.${resource.group}` : resource.resource,
          resource.subresource ? `/${resource.subresource}` : "",
          resource.name ? ` ${resource.name}` : "",
          resource.namespace ? ` in namespace ${resource.namespace}` : "",
        ].join("")
      : path;
    lines.push(
      `May ${decision.allowed ? "" : "not "}${verb} ${what}: ${decision.reason}`,
      ...stepLines(decision.steps),
    );
  }
  if (refusedTokens.length > 0) lines.push("Tokens that the cluster has refused lately:");
  for (const { at, why, hint, accessKeyId, principalArn } of refusedTokens)
    lines.push(`  ${at} ${principalArn ?? accessKeyId ?? "-"}: ${why}${hint ? ` (${hint})` : ""}`);
  return lines.join("\n");
}
