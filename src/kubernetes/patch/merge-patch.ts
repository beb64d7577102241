import { isObject, type JsonObject, memberOf, setMember } from "./json.js";

/**
 * JSON Merge Patch (RFC 7386). The input is never changed; parts that the patch leaves alone are shared with it, and a patch that changes
 * nothing gives the very same object back.
 */
export function applyMergePatch<T>(doc: T, patch: unknown): T {
  return merge(doc, patch) as T;
}

function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const base: JsonObject = isObject(target) ? target : {};
  let copy: JsonObject | undefined = isObject(target) ? undefined : {};
  for (const name in patch) {
    const value = patch[name];
    if (value === null) {
      if (!Object.hasOwn(base, name)) continue;
      copy ??= { ...base };
      delete copy[name];
      continue;
    }
    const before = memberOf(base, name);
    const after = merge(before, value);
    if (after === before) continue;
    copy ??= { ...base };
    setMember(copy, name, after);
  }
  return copy ?? base;
}
