/**
 * Finds the operation of a request by method and path. Works on the raw path: ARNs travel as labels with their slashes encoded, so a `%2F` must
 * not part segments. Labels are decoded after the match.
 */
import { DomainError } from "../../domain/errors.js";
import type { OperationName } from "../model/generated/operations.js";
import type { Model } from "../model/model.js";

export interface Match {
  operation: OperationName;
  /** Decoded, by name. */
  labels: Record<string, string>;
}

interface Node {
  literals: Map<string, Node>;
  label?: Node;
  /** By method: the operation that ends here, and the names of its labels in order. */
  ends: Map<string, { operation: OperationName; labels: string[] }>;
}

const newNode = (): Node => ({ literals: new Map(), ends: new Map() });

/** Builds the routing tree of a model once. The function it returns throws UnknownOperationException when nothing matches. */
export function createRouter(model: Model): (method: string, rawPath: string) => Match {
  const root = newNode();
  for (const [operation, { method, uri }] of Object.entries(model.operations)) {
    const labels: string[] = [];
    let node = root;
    for (const segment of uri.slice(1).split("/")) {
      if (segment.startsWith("{")) {
        labels.push(segment.slice(1, -1));
        node.label ??= newNode();
        node = node.label;
      } else {
        const next = node.literals.get(segment) ?? newNode();
        node.literals.set(segment, next);
        node = next;
      }
    }
    node.ends.set(method, { operation: operation as OperationName, labels });
  }

  return (method, rawPath) => {
    const segments = rawPath.slice(1).split("/");
    const values: string[] = [];
    const end = find(root, segments, 0, values, method);
    if (!end) throw new DomainError("UnknownOperationException", `EKS has no operation ${method} ${rawPath}`);
    const labels: Record<string, string> = {};
    for (const [index, name] of end.labels.entries()) labels[name] = decodeLabel(values[index] ?? "");
    return { operation: end.operation, labels };
  };
}

/** A literal goes before a label; the tree is searched in depth, as `/clusters/{name}/updates` and `/clusters/{clusterName}/addons` share nodes. */
function find(
  node: Node,
  segments: readonly string[],
  index: number,
  values: string[],
  method: string,
): { operation: OperationName; labels: string[] } | undefined {
  const segment = segments[index];
  if (segment === undefined) return node.ends.get(method);
  const literal = node.literals.get(segment);
  const found = literal && find(literal, segments, index + 1, values, method);
  if (found || !node.label) return found;
  values.push(segment);
  const labelled = find(node.label, segments, index + 1, values, method);
  if (!labelled) values.pop();
  return labelled;
}

function decodeLabel(raw: string): string {
  if (!raw.includes("%")) return raw;
  try {
    return decodeURIComponent(raw);
  } catch {
    throw new DomainError("SerializationException", `Malformed percent-encoding in the path: ${raw}`);
  }
}
