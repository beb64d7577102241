/**
 * Equality of API values as upstream's `apiequality.Semantic`: absent, null, empty list and empty map are all the same, key order is not looked at.
 */

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.values(value).every((item) => item === undefined);
}

export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (!isObject(a) || !isObject(b)) return isEmpty(a) && isEmpty(b);
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b)) return isEmpty(a) && isEmpty(b);
    return a.length === b.length && a.every((item, index) => sameValue(item, b[index]));
  }
  for (const key in a) if (!sameValue(a[key], b[key])) return false;
  for (const key in b) if (!(key in a) && !isEmpty(b[key])) return false;
  return true;
}
