/**
 * PodSecurity: a namespace's labels say which level its pods must keep (`enforce`) or are warned about (`warn`). Workload templates are never refused, only
 * warned about. `audit` goes to the audit log, which is not kept here.
 */
import { forbidden, invalid } from "../errors.js";
import { podSpecIn } from "../registry/strategies/pod-specs.js";
import type { Namespace, PodSpec } from "../schema/generated/types.js";
import { resourceName } from "../schema/resource-info.js";
import type { AdmissionPlugin, AdmissionRequest } from "./plugin.js";
import { podOf } from "./pod-object.js";
import { isSecurityLevel, type SecurityLevel, violations } from "./pod-security-checks.js";

const PREFIX = "pod-security.kubernetes.io/";
const MODES = ["enforce", "audit", "warn"] as const;

interface Level {
  level: SecurityLevel;
  version: string;
}

function levelOf(namespace: Namespace | undefined, mode: (typeof MODES)[number]): Level {
  const labels = namespace?.metadata.labels ?? {};
  const level = labels[`${PREFIX}${mode}`] ?? "privileged";
  // Levels that nobody knows are enforced as the strictest; namespaces cannot get them past validation here.
  return {
    level: isSecurityLevel(level) ? level : "restricted",
    version: labels[`${PREFIX}${mode}-version`] ?? "latest",
  };
}

const templateOf = ({ info, object, subresource }: AdmissionRequest): PodSpec | undefined =>
  object && !subresource && info.resource !== "pods" ? podSpecIn(resourceName(info), object)?.spec : undefined;

function validateNamespace({ object, name }: AdmissionRequest): void {
  const labels = object?.metadata.labels ?? {};
  const causes = MODES.flatMap((mode) => {
    const level = labels[`${PREFIX}${mode}`];
    if (level === undefined || isSecurityLevel(level)) return [];
    return [
      {
        reason: "FieldValueInvalid",
        field: `metadata.labels[${PREFIX}${mode}]`,
        message: `Invalid value: "${level}": must be one of privileged, baseline, restricted`,
      },
    ];
  });
  if (causes.length > 0) throw invalid("", "Namespace", name, causes);
}

export const podSecurity: AdmissionPlugin = {
  name: "PodSecurity",
  validate(request, reader) {
    const { operation, info, name } = request;
    if (operation !== "CREATE" && operation !== "UPDATE") return;
    if (info.resource === "namespaces" && !request.subresource) return validateNamespace(request);
    // Updates of a pod that change nothing of what the levels look at cannot make it worse.
    const pod = podOf(request);
    const spec = pod?.spec ?? templateOf(request);
    if (!spec || !request.namespace) return;
    const namespace = reader.get("namespaces", { name: request.namespace }) as Namespace | undefined;
    if (!namespace?.metadata.labels) return;
    const enforced = levelOf(namespace, "enforce");
    const wrong = pod ? violations(enforced.level, spec) : "";
    if (wrong)
      throw forbidden("", "pods", name, `violates PodSecurity "${enforced.level}:${enforced.version}": ${wrong}`);
    if (!request.warn) return;
    const warned = levelOf(namespace, "warn");
    const text = violations(warned.level, spec);
    if (text) request.warn(`would violate PodSecurity "${warned.level}:${warned.version}": ${text}`);
  },
};
