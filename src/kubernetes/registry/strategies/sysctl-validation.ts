/** Kernel parameters of a pod: only how they are named is judged here; which are safe is the kubelet's affair. */
import type { StatusCause } from "../../errors.js";
import type { Sysctl } from "../../schema/generated/types.js";
import { duplicate, invalidValue, required } from "./field.js";

const LONGEST = 253;
const SEGMENT = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?";
const FORMAT = `(${SEGMENT}[\\./])*${SEGMENT}`;
const NAME = new RegExp(`^${FORMAT}$`);

export function validateSysctls(field: string, sysctls: readonly Sysctl[] | undefined): StatusCause[] {
  const seen = new Set<string>();
  return (sysctls ?? []).flatMap(({ name }, index): StatusCause[] => {
    const at = `${field}[${index}].name`;
    if (!name) return [required(at)];
    if (name.length > LONGEST || !NAME.test(name))
      return [invalidValue(at, name, `must have at most ${LONGEST} characters and match regex ${FORMAT}`)];
    if (seen.has(name)) return [duplicate(at, name)];
    seen.add(name);
    return [];
  });
}
