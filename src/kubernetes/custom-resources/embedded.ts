/** Objects inside of custom objects: they must say what they are, and their metadata must be metadata. */
import type { StatusCause } from "../errors.js";
import { isObject, memberOf } from "../patch/json.js";
import { invalidValue, required } from "../registry/strategies/field.js";
import { dns1035Label } from "../registry/strategies/names.js";
import { at, type Place, placeText } from "./paths.js";
import { memberNode, type StructuralNode } from "./structural.js";

/** What is wrong with the objects embedded below a place. */
export function embeddedProblems(node: StructuralNode, value: unknown, place?: Place): StatusCause[] {
  const causes: StatusCause[] = [];
  look(node, value, place, causes);
  return causes;
}

function look(node: StructuralNode, value: unknown, place: Place | undefined, causes: StatusCause[]): void {
  if (!node.has.embedded) return;
  if (Array.isArray(value)) {
    const { items } = node;
    if (items) for (const [index, item] of value.entries()) look(items, item, at(place, index), causes);
    return;
  }
  if (!isObject(value)) return;
  if (node.embedded) checkHead(value, place, causes);
  for (const name in value) {
    const member = memberNode(node, name);
    if (member) look(member, value[name], at(place, name), causes);
  }
}

function checkHead(value: Record<string, unknown>, place: Place | undefined, causes: StatusCause[]): void {
  const field = (name: string): string => placeText(at(place, name));
  const apiVersion = memberOf(value, "apiVersion");
  const kind = memberOf(value, "kind");
  if (apiVersion === undefined || apiVersion === "") causes.push(required(field("apiVersion"), "must not be empty"));
  else if (typeof apiVersion === "string" && apiVersion.split("/").length > 2) {
    causes.push(invalidValue(field("apiVersion"), apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  }
  if (kind === undefined || kind === "") causes.push(required(field("kind"), "must not be empty"));
  else if (typeof kind === "string") {
    for (const complaint of dns1035Label(kind.toLowerCase()))
      causes.push(invalidValue(field("kind"), kind, `may have mixed case, but should otherwise match: ${complaint}`));
  }
  const metadata = memberOf(value, "metadata");
  if (!isObject(metadata)) return;
  const { name, generateName } = metadata;
  if (!name && !generateName) causes.push(required(`${field("metadata")}.name`, "name or generateName is required"));
  if (typeof name !== "string") return;
  const problem = pathSegmentProblem(name);
  if (problem) causes.push(invalidValue(`${field("metadata")}.name`, name, problem));
}

/** Names of embedded objects need only be fit for a path: which kind they are is not known here. */
function pathSegmentProblem(name: string): string | undefined {
  if (name === "." || name === "..") return `may not be '${name}'`;
  const illegal = ["/", "%"].find((character) => name.includes(character));
  return illegal && `may not contain '${illegal}'`;
}
