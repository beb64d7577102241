import { quantityToMilli, quantityToNumber } from "../../registry/quantity.js";
import type { Container, Pod, ResourceFieldSelector } from "../../schema/generated/types.js";

/** What pods can be told about themselves: fieldRef and resourceFieldRef of environment variables and volumes (the downward API). */
export interface PodPlacement {
  podIP: string | undefined;
  hostIP: string;
  /** Of the node: what a container without a limit is told instead. */
  allocatable: Readonly<Record<string, string>>;
}

const quoted = (text: string): string => JSON.stringify(text);

/** `key="value"` lines, sorted: the form of whole label and annotation sets. */
const mapText = (map: Readonly<Record<string, string>> | undefined): string =>
  Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}=${quoted(map?.[key] ?? "")}`)
    .join("\n");

/** Undefined for a path that there is no such thing for; validation lets none of these through. */
export function fieldValue(pod: Pod, placement: PodPlacement, path: string): string | undefined {
  const subscript = /^metadata\.(labels|annotations)\['(.*)'\]$/.exec(path);
  if (subscript) return pod.metadata[subscript[1] as "labels" | "annotations"]?.[subscript[2] as string] ?? "";
  switch (path) {
    case "metadata.name":
      return pod.metadata.name;
    case "metadata.namespace":
      return pod.metadata.namespace;
    case "metadata.uid":
      return pod.metadata.uid;
    case "metadata.labels":
      return mapText(pod.metadata.labels);
    case "metadata.annotations":
      return mapText(pod.metadata.annotations);
    case "spec.nodeName":
      return pod.spec?.nodeName;
    case "spec.serviceAccountName":
      return pod.spec?.serviceAccountName;
    case "status.hostIP":
    case "status.hostIPs":
      return placement.hostIP;
    case "status.podIP":
    case "status.podIPs":
      return placement.podIP ?? "";
    default:
      return undefined;
  }
}

/** In units of the divisor, rounded up. */
export function resourceValue(
  pod: Pod,
  placement: PodPlacement,
  container: Container,
  { containerName, resource, divisor }: ResourceFieldSelector,
): string | undefined {
  const all = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
  const source = containerName ? all.find(({ name }) => name === containerName) : container;
  const dot = resource.indexOf(".");
  const kind = resource.slice(0, dot) as "limits" | "requests";
  const name = resource.slice(dot + 1);
  const given = source?.resources?.[kind]?.[name];
  const text = given ?? (kind === "limits" ? placement.allocatable[name] : undefined) ?? "0";
  const unit = divisor && divisor !== "0" ? divisor : "1";
  if (name === "cpu") return String(Math.ceil(quantityToMilli(text) / quantityToMilli(unit)));
  return String(Math.ceil(quantityToNumber(text) / quantityToNumber(unit)));
}
