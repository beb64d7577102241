/** Questions and copies of plain JSON values, written by hand because they sit on the hot path of every write. */

export type JsonObject = Record<string, unknown>;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** True for an object without own members. */
export function isEmptyObject(value: object): boolean {
  for (const _ in value) return false;
  return true;
}

/** A deep copy. Members that are undefined are left out, as JSON would. */
export function cloneJson<T>(value: T): T {
  return cloneUnknown(value) as T;
}

function cloneUnknown(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const copy = new Array<unknown>(value.length);
    for (let index = 0; index < value.length; index++) copy[index] = cloneUnknown(value[index]);
    return copy;
  }
  const copy: JsonObject = {};
  const source = value as JsonObject;
  for (const name in source) {
    const member = source[name];
    if (member !== undefined) setMember(copy, name, cloneUnknown(member));
  }
  return copy;
}

/**
 * Equality of JSON values; the order of object members does not matter, and a member that is undefined equals an absent one.
 * Values shared between both sides cost one comparison of references.
 */
export function deepEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    for (let index = 0; index < left.length; index++) {
      if (!deepEqual(left[index], right[index])) return false;
    }
    return true;
  }
  if (Array.isArray(right)) return false;
  const a = left as JsonObject;
  const b = right as JsonObject;
  let members = 0;
  for (const name in a) {
    if (a[name] === undefined) continue;
    if (!Object.hasOwn(b, name) || !deepEqual(a[name], b[name])) return false;
    members++;
  }
  for (const name in b) {
    if (b[name] !== undefined) members--;
  }
  return members === 0;
}

/** Assigns a member whose name came from a client: `__proto__` becomes a plain member instead of the prototype. */
export function setMember(target: JsonObject, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    target[name] = value;
  }
}

/** The own member of that name; never something inherited such as `constructor`. */
export function memberOf(source: JsonObject, name: string): unknown {
  return Object.hasOwn(source, name) ? source[name] : undefined;
}
