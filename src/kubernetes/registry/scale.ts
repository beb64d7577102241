import { invalid } from "../errors.js";
import type { KubeObject } from "../object.js";
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

export function scaleOf(object: KubeObject): Scale {
  const { spec, status } = object as Scalable;
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = selectorText(spec.selector);
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: spec.replicas ?? 0 },
    status: { replicas: status?.replicas ?? 0, ...(selector ? { selector } : {}) },
  };
}

/** The object as this Scale wants it; its resourceVersion and uid become preconditions. */
export function withScale(current: KubeObject, scale: Scale): KubeObject {
  const replicas = scale.spec?.replicas ?? 0;
  if (!Number.isInteger(replicas) || replicas < 0) {
    throw invalid("autoscaling", "Scale", current.metadata.name, [
      invalidValue("spec.replicas", replicas, "must be greater than or equal to 0"),
    ]);
  }
  const { uid, resourceVersion, name } = scale.metadata ?? {};
  return {
    ...current,
    metadata: {
      ...current.metadata,
      name: name || current.metadata.name,
      uid: uid || current.metadata.uid,
      resourceVersion: resourceVersion ?? "",
    },
    spec: { ...(current.spec as object), replicas },
  };
}
