/** Roles that are handed to EKS: what `--strict` says of those that IAM does not have, or that do not trust the service they are for. */
import { unknownRole } from "../../domain/eks/refusals.js";
import type { Directory } from "../../identity/directory.js";
import { readPolicy } from "../../identity/policy/document.js";
import { evaluate } from "../../identity/policy/evaluate.js";

/** `service` = who is going to assume it, where EKS looks at that. Throws InvalidParameterException. */
export function checkPassedRole(
  { config, directory }: { config: { strict: boolean }; directory?: Directory },
  roleArn: string,
  service?: string,
): void {
  if (!config.strict) return;
  const role = directory?.role(roleArn);
  if (!role) throw unknownRole(roleArn);
  if (service === undefined) return;
  const trust = readPolicy(role.trustPolicy, "trust");
  if ("error" in trust) throw unknownRole(roleArn);
  const { decision } = evaluate([{ name: "trust policy", document: trust.document }], {
    principal: { kind: "Service", id: service },
    action: "sts:AssumeRole",
    resource: role.arn,
    context: {},
  });
  if (decision !== "allow") throw unknownRole(roleArn);
}
