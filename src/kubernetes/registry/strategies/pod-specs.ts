/** Where the kinds that make pods keep the spec of them. */
import type { KubeObject } from "../../object.js";
import type { PodSpec } from "../../schema/generated/types.js";

const TEMPLATED = new Set([
  "daemonsets.apps",
  "deployments.apps",
  "jobs.batch",
  "replicasets.apps",
  "replicationcontrollers",
  "statefulsets.apps",
]);

interface WithTemplate {
  template?: { spec?: PodSpec };
}

/** The spec of the pods that an object of `resource` stands for, and its path; undefined for kinds without pods. */
export function podSpecIn(resource: string, object: KubeObject): { path: string; spec: PodSpec } | undefined {
  const found = (path: string, spec: PodSpec | undefined) => (spec ? { path, spec } : undefined);
  if (resource === "pods") return found("spec", object.spec as PodSpec | undefined);
  if (resource === "cronjobs.batch") {
    const job = (object.spec as { jobTemplate?: { spec?: WithTemplate } } | undefined)?.jobTemplate;
    return found("spec.jobTemplate.spec.template.spec", job?.spec?.template?.spec);
  }
  if (!TEMPLATED.has(resource)) return undefined;
  return found("spec.template.spec", (object.spec as WithTemplate | undefined)?.template?.spec);
}
