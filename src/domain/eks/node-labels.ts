/** Labels and taints of node groups: Kubernetes' rules of names, and the prefixes that are not for users. */
import type { NodegroupTaint } from "../model.js";
import { invalidParameter } from "./refusals.js";

const RESERVED_PREFIXES = ["kubernetes.io/", "k8s.io/", "eks.amazonaws.com/"];
const MAX_TAINTS = 50;

const NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME_RULE =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";

/** An optional DNS prefix with a slash, and a name of up to 63 characters. */
export function isQualifiedName(text: string): boolean {
  const parts = text.split("/");
  const name = parts.at(-1) ?? "";
  return (
    parts.length <= 2 &&
    name.length <= 63 &&
    NAME.test(name) &&
    (parts.length === 1 || DNS_SUBDOMAIN.test(parts[0] ?? ""))
  );
}

const isLabelValue = (text: string): boolean => text === "" || (text.length <= 63 && NAME.test(text));

export function checkLabels(labels: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(labels)) {
    if (RESERVED_PREFIXES.some((prefix) => key.startsWith(prefix))) {
      throw invalidParameter(`Label cannot start with reserved prefixes [${RESERVED_PREFIXES.join(", ")}]`);
    }
    if (!isQualifiedName(key)) throw invalidParameter(`Label key ${key} is invalid: name field ${NAME_RULE}`);
    if (!isLabelValue(value)) throw invalidParameter(`Label value ${value} is invalid: value field ${NAME_RULE}`);
  }
}

export function checkTaints(taints: readonly NodegroupTaint[]): void {
  if (taints.length > MAX_TAINTS) throw invalidParameter(`A node group can have at most ${MAX_TAINTS} taints`);
  const seen = new Set<string>();
  for (const { key, value = "", effect } of taints) {
    if (!isQualifiedName(key)) throw invalidParameter(`invalid taint spec: a qualified name ${NAME_RULE}`);
    if (!isLabelValue(value)) throw invalidParameter(`invalid taint spec: a taint value ${NAME_RULE}`);
    // Kubernetes tells taints apart by key and effect.
    if (seen.has(`${key}:${effect}`)) throw invalidParameter(`invalid taint spec: duplicate taint ${key}:${effect}`);
    seen.add(`${key}:${effect}`);
  }
}
