/** Rules of a pod's spec, shared by pods and every pod template (upstream: ValidatePodSpec). */
import type { StatusCause } from "../../errors.js";
import { isEmptySelector, matcherOf } from "../../runtime/label-selector.js";
import type { Container, LabelSelector, PodSpec, PodTemplateSpec } from "../../schema/generated/types.js";
import { type PodSurroundings, validateContainer } from "./container-validation.js";
import {
  duplicate,
  forbiddenField,
  inRange,
  invalidValue,
  named,
  nonNegative,
  oneOf,
  required,
  requiredOneOf,
  unsupported,
} from "./field.js";
import { dnsLabel, dnsSubdomain } from "./names.js";
import { validateResources } from "./resource-validation.js";
import { validateLabels } from "./rules.js";
import { validateAffinity, validateSpread, validateTolerations } from "./scheduling-validation.js";
import { validateSysctls } from "./sysctl-validation.js";
import { validateVolumes } from "./volume-validation.js";

const MAX_INT32 = 2_147_483_647;
const SORTS = [
  ["initContainers", "init"],
  ["containers", "container"],
  ["ephemeralContainers", "ephemeral"],
] as const;

function validateContainers(field: string, spec: PodSpec): StatusCause[] {
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  const names = new Set<string>();
  const hostPorts = new Set<string>();
  const causes: StatusCause[] = spec.containers?.length ? [] : [required(`${field}.containers`)];
  for (const [list, sort] of SORTS) {
    const surroundings: PodSurroundings = { volumes, hostNetwork: spec.hostNetwork === true, sort };
    (spec[list] as Container[] | undefined)?.forEach((container, index) => {
      const at = `${field}.${list}[${index}]`;
      causes.push(...validateContainer(at, container, surroundings));
      if (container.name && names.has(container.name)) causes.push(duplicate(`${at}.name`, container.name));
      names.add(container.name);
      // Init containers never run beside others, so only the others' host ports can collide.
      if (sort !== "container") return;
      container.ports?.forEach((port, position) => {
        if (!port.hostPort) return;
        const address = `${port.protocol}/${port.hostIP ?? ""}/${port.hostPort}`;
        if (hostPorts.has(address)) causes.push(duplicate(`${at}.ports[${position}].hostPort`, address));
        hostPorts.add(address);
      });
    });
  }
  return causes;
}

const subdomainFields = [
  "nodeName",
  "serviceAccountName",
  "priorityClassName",
  "runtimeClassName",
  "schedulerName",
] as const;
const labelFields = ["hostname", "subdomain"] as const;

export function validatePodSpec(field: string, spec: PodSpec | undefined): StatusCause[] {
  if (!spec) return [required(`${field}.containers`)];
  const causes = [...validateVolumes(`${field}.volumes`, spec.volumes), ...validateContainers(field, spec)];
  causes.push(...requiredOneOf(`${field}.restartPolicy`, spec.restartPolicy, ["Always", "OnFailure", "Never"]));
  causes.push(
    ...requiredOneOf(`${field}.dnsPolicy`, spec.dnsPolicy, [
      "ClusterFirstWithHostNet",
      "ClusterFirst",
      "Default",
      "None",
    ]),
  );
  if (spec.dnsPolicy === "None" && !spec.dnsConfig?.nameservers?.length) {
    causes.push(
      required(`${field}.dnsConfig.nameservers`, "must provide at least one DNS nameserver when `dnsPolicy` is None"),
    );
  }
  causes.push(...validateLabels(`${field}.nodeSelector`, spec.nodeSelector));
  causes.push(...validateAffinity(`${field}.affinity`, spec.affinity));
  causes.push(...validateTolerations(`${field}.tolerations`, spec.tolerations));
  causes.push(...validateSpread(`${field}.topologySpreadConstraints`, spec.topologySpreadConstraints));
  causes.push(...validateResources(`${field}.resources`, spec.resources));
  for (const name of subdomainFields) {
    const value = spec[name];
    if (value) causes.push(...named(`${field}.${name}`, value, dnsSubdomain(value)));
  }
  for (const name of labelFields) {
    const value = spec[name];
    if (value) causes.push(...named(`${field}.${name}`, value, dnsLabel(value)));
  }
  causes.push(...oneOf(`${field}.preemptionPolicy`, spec.preemptionPolicy, ["Never", "PreemptLowerPriority"]));
  causes.push(...oneOf(`${field}.os.name`, spec.os?.name, ["linux", "windows"]));
  causes.push(...inRange(`${field}.activeDeadlineSeconds`, spec.activeDeadlineSeconds, 1, MAX_INT32));
  causes.push(...nonNegative(`${field}.terminationGracePeriodSeconds`, spec.terminationGracePeriodSeconds));
  spec.imagePullSecrets?.forEach((secret, index) => {
    if (!secret.name) causes.push(required(`${field}.imagePullSecrets[${index}].name`));
  });
  const gates = new Set<string>();
  spec.schedulingGates?.forEach((gate, index) => {
    if (gates.has(gate.name)) causes.push(duplicate(`${field}.schedulingGates[${index}]`, gate.name));
    gates.add(gate.name);
  });
  if (spec.hostPID && spec.shareProcessNamespace) {
    causes.push(
      invalidValue(`${field}.shareProcessNamespace`, true, "ShareProcessNamespace and HostPID cannot both be enabled"),
    );
  }
  causes.push(...validateSysctls(`${field}.securityContext.sysctls`, spec.securityContext?.sysctls));
  for (const id of ["runAsUser", "runAsGroup", "fsGroup"] as const)
    causes.push(...nonNegative(`${field}.securityContext.${id}`, spec.securityContext?.[id]));
  return causes;
}

export interface TemplateRules {
  /** Restart policies that the workload allows. */
  restartPolicies: readonly string[];
  /** Workloads that keep pods running for ever allow no deadline; its kind, for the message. */
  noDeadlineFor?: string;
}

/** A pod template below a workload's spec. `selector` must be there, and match the template's labels. */
export function validateTemplate(
  field: string,
  template: PodTemplateSpec | undefined,
  rules: TemplateRules,
): StatusCause[] {
  // An absent spec is an empty one, and what an empty one lacks first is containers.
  if (!template?.spec) return [required(`${field}.spec.containers`)];
  const causes = [
    ...validateLabels(`${field}.labels`, template.metadata?.labels),
    ...validatePodSpec(`${field}.spec`, template.spec),
  ];
  const policy = template.spec?.restartPolicy;
  if (policy && !rules.restartPolicies.includes(policy))
    causes.push(unsupported(`${field}.spec.restartPolicy`, policy, rules.restartPolicies));
  if (rules.noDeadlineFor && template.spec?.activeDeadlineSeconds !== undefined) {
    causes.push(
      forbiddenField(
        `${field}.spec.activeDeadlineSeconds`,
        `activeDeadlineSeconds in ${rules.noDeadlineFor} is not Supported`,
      ),
    );
  }
  if (template.spec?.ephemeralContainers?.length) {
    causes.push(
      forbiddenField(`${field}.spec.ephemeralContainers`, "ephemeral containers not allowed in pod template"),
    );
  }
  return causes;
}

/** A workload's selector: present, not empty, and choosing its own template's pods. */
export function validateTemplateSelector(
  specField: string,
  kind: string,
  selector: LabelSelector | undefined,
  template: PodTemplateSpec | undefined,
): StatusCause[] {
  const labels = template?.metadata?.labels;
  const mismatch = (): StatusCause =>
    invalidValue(`${specField}.template.metadata.labels`, labels, "`selector` does not match template `labels`");
  // No selector selects nothing. Only daemon sets are not told to have one.
  if (!selector) return kind === "daemonset" ? [mismatch()] : [required(`${specField}.selector`), mismatch()];
  if (isEmptySelector(selector))
    return [invalidValue(`${specField}.selector`, selector, `empty selector is invalid for ${kind}`)];
  return matcherOf(selector)(labels ?? {}) ? [] : [mismatch()];
}
