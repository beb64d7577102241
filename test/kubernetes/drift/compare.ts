/** Differences of two snapshots, after what differs from cluster to cluster by its nature has been made equal. */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** Fields whose values are chosen by chance, by the clock or by the machine. */
const BY_CHANCE = new Set([
  "clusterIP",
  "containerID",
  "controller-revision-hash",
  "controller-uid",
  "batch.kubernetes.io/controller-uid",
  "etag",
  "host",
  "hostIP",
  "imageID",
  "nodeName",
  "nodePort",
  "pod-template-hash",
  "resourceVersion",
  "serverRelativeURL",
  "storageVersionHash",
  "uid",
]);

/** The alphabet of names that the API server makes up. */
const RANDOM = "[bcdfghjklmnpqrstvwxz2456789]";
const TEXT_RULES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN CERTIFICATE-----.*-----END CERTIFICATE-----/gs, "<certificates>"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "<uid>"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "<time>"],
  [/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, "<address>"],
  // Documents inside of messages: their fields come in another order.
  [/Invalid value: "\{\\"apiVersion.*?\}"(?=: )/gs, 'Invalid value: "<document>"'],
  [/current: \d+|in record \(\d+\)/g, "<revision>"],
  [/\b(Meta_|ext-|read-|doc-)[bcdfghjklmnpqrstvwxz2456789]{5}\b/g, "$1<random>"],
  // Pods of deployments, then replica sets and what has a made-up ending only.
  [new RegExp(`-${RANDOM}{6,10}-${RANDOM}{5}\\b`, "g"), "-<hash>-<random>"],
  [new RegExp(`\\b(kube-api-access|drift-[a-z]+)-${RANDOM}{5,10}\\b`, "g"), "$1-<random>"],
];

const normalText = (text: string): string =>
  TEXT_RULES.reduce((result, [pattern, name]) => result.replace(pattern, name), text);

/** A document without what is different in every cluster. */
export function normal(value: unknown): Json {
  if (Array.isArray(value)) return value.map(normal);
  if (typeof value === "string") return normalText(value);
  if (typeof value !== "object" || value === null) return value as Json;
  const result: Record<string, Json> = {};
  for (const [key, field] of Object.entries(value)) {
    if (key === "managedFields") {
      const known = managers(field) as readonly Json[];
      if (known.length > 0) result[key] = known;
    } else if (key === "conditions" && Array.isArray(field)) {
      // The one that changed last comes last: which one that is, is a matter of time.
      const byType = [...(field as { type: string }[])].sort((a, b) => (a.type < b.type ? -1 : 1));
      result[key] = byType.map(normal);
    } else result[normalText(key)] = BY_CHANCE.has(key) ? "<any>" : normal(field);
  }
  return result;
}

/** Components that run in the simulated server's own process, which keeps no record of what they own. */
const UNTRACKED = new Set(["kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver"]);

/** Who owns fields: which ones are named by addresses and identities in places. */
const managers = (entries: unknown): Json =>
  (entries as { manager: string; operation: string; subresource?: string }[])
    .filter(({ manager }) => !UNTRACKED.has(manager))
    .map(({ manager, operation, subresource }) => `${manager} ${operation} ${subresource ?? ""}`.trim())
    .sort();

export interface Names {
  /** What the two are called in the lines of the report. */
  expected: string;
  actual: string;
}

const shown = (value: Json | undefined): string => {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 700 ? `${text.slice(0, 700)}...` : text;
};

/** One line for each difference: where, and what each of the two has there. Empty: they are alike. */
export function differences(expected: Json | undefined, actual: Json | undefined, names: Names, at = ""): string[] {
  if (expected === actual) return [];
  const isTree = (value: Json | undefined): value is { readonly [key: string]: Json | undefined } =>
    typeof value === "object" && value !== null;
  if (isTree(expected) && isTree(actual) && Array.isArray(expected) === Array.isArray(actual)) {
    const keys = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].sort();
    return keys.flatMap((key) => differences(expected[key], actual[key], names, `${at} > ${key}`));
  }
  return [`${at.replace(/^ > /, "")}: ${names.expected} has ${shown(expected)}, ${names.actual} ${shown(actual)}`];
}
