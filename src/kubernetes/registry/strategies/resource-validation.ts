/** Rules of amounts: what containers request and limit, and any other map of quantities. */
import type { StatusCause } from "../../errors.js";
import type { ResourceRequirements } from "../../schema/generated/types.js";
import { compareQuantities, isQuantity, parseQuantity } from "../quantity.js";
import { invalidValue, named, required } from "./field.js";
import { qualifiedName } from "./names.js";

export const QUANTITY_TEXT =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
/** Resources of a container that need no domain. */
const CONTAINER_RESOURCES = new Set(["cpu", "memory", "ephemeral-storage"]);

export function validateAmounts(field: string, amounts: Record<string, string> | undefined): StatusCause[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => {
    const at = `${field}[${name}]`;
    if (!isQuantity(amount)) return [invalidValue(at, amount, QUANTITY_TEXT)];
    return parseQuantity(amount).value < 0n
      ? [invalidValue(at, String(amount), "must be greater than or equal to 0")]
      : [];
  });
}

/** Names such as `nvidia.com/gpu`: whole numbers that cannot be overcommitted. */
const isExtended = (name: string): boolean =>
  name.includes("/") && !name.startsWith("kubernetes.io/") && !name.startsWith("requests.");

export function validateResources(field: string, resources: ResourceRequirements | undefined): StatusCause[] {
  if (!resources) return [];
  const { limits = {}, requests = {} } = resources;
  const causes = [...validateAmounts(`${field}.limits`, limits), ...validateAmounts(`${field}.requests`, requests)];
  if (causes.length > 0) return causes;
  for (const [list, amounts] of [
    ["limits", limits],
    ["requests", requests],
  ] as const) {
    for (const name in amounts) {
      const at = `${field}.${list}[${name}]`;
      if (!name.includes("/")) {
        if (CONTAINER_RESOURCES.has(name) || name.startsWith("hugepages-")) continue;
        causes.push(invalidValue(`${field}.${list}`, name, "must be a standard resource type or fully qualified"));
      } else {
        causes.push(...named(at, name, qualifiedName(name)));
        if (parseQuantity(amounts[name] as string).value % 1_000_000_000n !== 0n)
          causes.push(invalidValue(at, amounts[name], "must be an integer"));
      }
    }
  }
  for (const name in requests) {
    const request = requests[name] as string;
    const limit = limits[name];
    const at = `${field}.requests`;
    if (limit === undefined) {
      if (isExtended(name) || name.startsWith("hugepages-"))
        causes.push(required(`${field}.limits`, "Limit must be set for non overcommitable resources"));
    } else if (isExtended(name) && compareQuantities(request, limit) !== 0) {
      causes.push(invalidValue(at, request, `must be equal to ${name} limit of ${limit}`));
    } else if (compareQuantities(request, limit) > 0) {
      causes.push(invalidValue(at, request, `must be less than or equal to ${name} limit of ${limit}`));
    }
  }
  return causes;
}
