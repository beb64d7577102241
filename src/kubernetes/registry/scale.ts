import { internalError, invalid, type StatusCause } from "../errors.js";
import type { KubeObject } from "../object.js";
import { isObject, memberOf } from "../patch/json.js";
import { invalidValue } from "./strategies/field.js";

/** The autoscaling/v1 view of everything that has replicas. */
export interface Scale extends KubeObject {
  spec: { replicas?: number };
  status: { replicas: number; selector?: string };
}

interface Scalable extends KubeObject {
  spec: { replicas?: number; selector?: unknown };
  status?: { replicas?: number };
}

/** Writes a selector as text: `a=b,c in (d,e),!f`, keys in order. */
function selectorText(selector: unknown): string {
  if (typeof selector !== "object" || selector === null) return "";
  const { matchLabels, matchExpressions } = selector as {
    matchLabels?: Record<string, string>;
    matchExpressions?: { key: string; operator: string; values?: string[] }[];
  };
  // A ReplicationController's selector is the bare map.
  const labels = matchLabels ?? (matchExpressions ? {} : (selector as Record<string, string>));
  const words: Record<string, (key: string, values: string[]) => string> = {
    In: (key, values) => `${key} in (${values.join(",")})`,
    NotIn: (key, values) => `${key} notin (${values.join(",")})`,
    Exists: (key) => key,
    DoesNotExist: (key) => `!${key}`,
  };
  const terms = [
    ...Object.entries(labels).map(([key, value]) => ({ key, text: `${key}=${value}` })),
    ...(matchExpressions ?? []).map(({ key, operator, values }) => ({
      key,
      text: words[operator]?.(key, [...(values ?? [])].sort()) ?? key,
    })),
  ];
  return terms
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ text }) => text)
    .join(",");
}

/** Where a custom resource has its replicas and its selector: JSON paths of members alone, as `.spec.replicas`. */
export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}

const stepsOf = (path: string): string[] => path.split(".").slice(1);

function valueAt(object: unknown, path: string): unknown {
  let value = object;
  for (const step of stepsOf(path)) value = isObject(value) ? memberOf(value, step) : undefined;
  return value;
}

/** The object with another value there; everything beside the way to it is shared. */
function withValueAt(value: unknown, steps: readonly string[], wanted: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return wanted;
  const object = isObject(value) ? value : {};
  return { ...object, [step]: withValueAt(memberOf(object, step), rest, wanted) };
}

/** An object that says nothing but its replicas. */
export const onlyReplicas = (replicas: number | undefined, paths?: ScalePaths): object =>
  replicas === undefined
    ? {}
    : (withValueAt({}, stepsOf(paths?.specReplicasPath ?? ".spec.replicas"), replicas) as object);

const MOST_REPLICAS = 2 ** 31 - 1;

/** What is wrong with the replicas of a custom object. */
export function scaleProblems(object: KubeObject, { specReplicasPath, statusReplicasPath }: ScalePaths): StatusCause[] {
  return [specReplicasPath, statusReplicasPath].flatMap((path) => {
    const replicas = valueAt(object, path);
    if (typeof replicas !== "number") return [];
    if (replicas < 0) return [invalidValue(path, replicas, "should be a non-negative integer")];
    return replicas > MOST_REPLICAS
      ? [invalidValue(path, replicas, `should be less than or equal to ${MOST_REPLICAS}`)]
      : [];
  });
}

const headOf = ({ metadata }: KubeObject): Pick<Scale, "kind" | "apiVersion" | "metadata"> => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
  };
};

function customScaleOf(object: KubeObject, paths: ScalePaths): Scale {
  const replicas = valueAt(object, paths.specReplicasPath);
  if (typeof replicas !== "number")
    throw internalError(`the spec replicas field ${JSON.stringify(paths.specReplicasPath)} does not exist`);
  const present = valueAt(object, paths.statusReplicasPath);
  const selector = paths.labelSelectorPath ? valueAt(object, paths.labelSelectorPath) : undefined;
  return {
    ...headOf(object),
    spec: { replicas },
    status: {
      replicas: typeof present === "number" ? present : 0,
      ...(typeof selector === "string" && selector ? { selector } : {}),
    },
  };
}

export function scaleOf(object: KubeObject, paths?: ScalePaths): Scale {
  if (paths) return customScaleOf(object, paths);
  const { spec, status } = object as Scalable;
  const selector = selectorText(spec.selector);
  return {
    ...headOf(object),
    spec: { replicas: spec.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, ...(selector ? { selector } : {}) },
  };
}

/** The object as this Scale wants it; its resourceVersion and uid become preconditions. */
export function withScale(current: KubeObject, scale: Scale, paths?: ScalePaths): KubeObject {
  const replicas = scale.spec?.replicas ?? 0;
  if (!Number.isInteger(replicas) || replicas < 0) {
    throw invalid("autoscaling", "Scale", current.metadata.name, [
      invalidValue("spec.replicas", replicas, "must be greater than or equal to 0"),
    ]);
  }
  const { uid, resourceVersion, name } = scale.metadata ?? {};
  const scaled = paths
    ? (withValueAt(current, stepsOf(paths.specReplicasPath), replicas) as KubeObject)
    : { ...current, spec: { ...(current.spec as object), replicas } };
  return {
    ...scaled,
    metadata: {
      ...current.metadata,
      name: name || current.metadata.name,
      uid: uid || current.metadata.uid,
      resourceVersion: resourceVersion ?? "",
    },
  };
}
