/**
 * What a user may set of an add-on by its configuration values. A setting is a path in them, the schema of the value there and what it changes in the
 * add-on's objects: so the schema that is shown, the check and the effect cannot part.
 */
import type { JsonSchema } from "./json-schema.js";
import type { KubernetesObject, Manifest } from "./manifest.js";

export interface Setting {
  /** Dotted, e.g. `controller.replicaCount`. */
  path: string;
  schema: JsonSchema;
  /** The objects with the value in effect. The value fits the schema. */
  apply(objects: readonly Manifest[], value: unknown): Manifest[];
}

export interface Container {
  name: string;
  env?: { name: string; value?: string }[];
  args?: string[];
  [field: string]: unknown;
}

interface PodTemplate {
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { containers: Container[]; initContainers?: Container[]; [field: string]: unknown };
}

interface WorkloadObject extends KubernetesObject {
  spec: { replicas?: number; template: PodTemplate; [field: string]: unknown };
}

/** Changes the one object of that kind and name. */
export const changeObject = (
  objects: readonly Manifest[],
  kind: string,
  name: string,
  change: (object: KubernetesObject) => KubernetesObject,
): Manifest[] =>
  objects.map((manifest) =>
    manifest.object.kind === kind && manifest.object.metadata.name === name
      ? { ...manifest, object: change(manifest.object) }
      : manifest,
  );

type SpecChange = (spec: WorkloadObject["spec"]) => WorkloadObject["spec"];

const isWorkload = (object: KubernetesObject): object is WorkloadObject =>
  object.kind === "Deployment" || object.kind === "DaemonSet";

const changeSpec = (objects: readonly Manifest[], name: string, change: SpecChange): Manifest[] =>
  objects.map((manifest) => {
    const { object } = manifest;
    if (!isWorkload(object) || object.metadata.name !== name) return manifest;
    return { ...manifest, object: { ...object, spec: change(object.spec) } };
  });

const changeTemplate = (
  objects: readonly Manifest[],
  name: string,
  change: (template: PodTemplate) => PodTemplate,
): Manifest[] => changeSpec(objects, name, (spec) => ({ ...spec, template: change(spec.template) }));

const podField =
  (field: string): Effect =>
  (objects, { workload }, value) =>
    changeTemplate(objects, workload, (template) => ({ ...template, spec: { ...template.spec, [field]: value } }));

const podMetadata =
  (field: "labels" | "annotations"): Effect =>
  (objects, { workload }, value) =>
    changeTemplate(objects, workload, (template) => ({
      ...template,
      metadata: {
        ...template.metadata,
        [field]: { ...template.metadata[field], ...(value as Record<string, string>) },
      },
    }));

/** Changes one container of a workload, ordinary or initial. */
export function changeContainer(
  objects: readonly Manifest[],
  workload: string,
  name: string,
  change: (container: Container) => Container,
): Manifest[] {
  const changed = (containers: Container[]): Container[] =>
    containers.map((container) => (container.name === name ? change(container) : container));
  return changeTemplate(objects, workload, (template) => {
    const { containers, initContainers } = template.spec;
    return {
      ...template,
      spec: {
        ...template.spec,
        containers: changed(containers),
        ...(initContainers ? { initContainers: changed(initContainers) } : {}),
      },
    };
  });
}

/** Variables of the same name get the new value, others come after those that are there. */
const withEnv = (container: Container, values: Readonly<Record<string, string>>): Container => {
  const present = container.env ?? [];
  const added = Object.entries(values).filter(([name]) => !present.some((variable) => variable.name === name));
  return {
    ...container,
    env: [
      ...present.map((variable) => {
        const value = values[variable.name];
        return value === undefined ? variable : { name: variable.name, value };
      }),
      ...added.map(([name, value]) => ({ name, value })),
    ],
  };
};

interface Target {
  workload: string;
  /** For what is of a container. */
  container: string;
}

type Effect = (objects: readonly Manifest[], target: Target, value: unknown) => Manifest[];

const OBJECT: JsonSchema = { type: "object" };
const OBJECTS: JsonSchema = { type: "array", items: OBJECT };
const TEXTS: JsonSchema = { type: "object", additionalProperties: { type: "string" } };
const QUANTITIES: JsonSchema = { type: "object", additionalProperties: { type: ["string", "integer", "number"] } };

/** Settings that many add-ons have, by the name that they have in all of them. */
const COMMON = {
  replicaCount: {
    schema: { type: "integer", minimum: 0 },
    effect: (objects, { workload }, value) =>
      changeSpec(objects, workload, (spec) => ({ ...spec, replicas: value as number })),
  },
  resources: {
    schema: { type: "object", properties: { limits: QUANTITIES, requests: QUANTITIES }, additionalProperties: false },
    effect: (objects, { workload, container }, value) =>
      changeContainer(objects, workload, container, (present) => ({ ...present, resources: value })),
  },
  env: {
    schema: TEXTS,
    effect: (objects, { workload, container }, value) =>
      changeContainer(objects, workload, container, (present) => withEnv(present, value as Record<string, string>)),
  },
  nodeSelector: { schema: TEXTS, effect: podField("nodeSelector") },
  tolerations: { schema: OBJECTS, effect: podField("tolerations") },
  affinity: { schema: OBJECT, effect: podField("affinity") },
  topologySpreadConstraints: { schema: OBJECTS, effect: podField("topologySpreadConstraints") },
  podLabels: { schema: TEXTS, effect: podMetadata("labels") },
  podAnnotations: { schema: TEXTS, effect: podMetadata("annotations") },
} satisfies Record<string, { schema: JsonSchema; effect: Effect }>;

export type CommonSetting = keyof typeof COMMON;

export const DEPLOYMENT_SETTINGS: readonly CommonSetting[] = [
  "replicaCount",
  "resources",
  "nodeSelector",
  "tolerations",
  "affinity",
  "topologySpreadConstraints",
  "podLabels",
  "podAnnotations",
];

export const DAEMON_SETTINGS: readonly CommonSetting[] = [
  "resources",
  "nodeSelector",
  "tolerations",
  "affinity",
  "podLabels",
  "podAnnotations",
];

/** Common settings of one workload, under a prefix such as `controller` or at the top. */
export const commonSettings = (prefix: string, target: Target, names: readonly CommonSetting[]): Setting[] =>
  names.map((name) => {
    const { schema, effect }: { schema: JsonSchema; effect: Effect } = COMMON[name];
    return {
      path: prefix === "" ? name : `${prefix}.${name}`,
      schema,
      apply: (objects, value) => effect(objects, target, value),
    };
  });
