/**
 * Defaulting with structural sharing: every function returns the object it was given when nothing was absent, else a copy. So a pod made from a stored
 * template shares the template's containers, and a stored object is never written to, however deep the caller's draft reaches.
 */

/** `object` with the absent fields of `defaults` filled in. Null and an empty text are absent, too: Go's clients send the latter for what was not set. */
export function withDefaults<T extends object>(object: T, defaults: Partial<T>): T {
  let result = object;
  for (const field in defaults) {
    const value = object[field];
    if ((value !== undefined && value !== null && value !== "") || defaults[field] === undefined) continue;
    if (result === object) result = { ...object };
    result[field] = defaults[field] as T[typeof field];
  }
  return result;
}

/** `object` without its undefined fields: stored objects have none, because JSON knows none. */
export function defined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

/** `object` with one field replaced; the same object when the value is the same. `undefined` leaves an absent field absent. */
export function withField<T extends object, K extends keyof T>(object: T, field: K, value: T[K]): T {
  return object[field] === value ? object : { ...object, [field]: value };
}

/** The list with every item mapped; the same list when every item came back as it was. */
export function mapItems<T, L extends readonly T[] | undefined>(
  list: L & (readonly T[] | undefined),
  map: (item: T) => T,
): L {
  if (!Array.isArray(list)) return list;
  let result: T[] | undefined;
  for (let index = 0; index < list.length; index++) {
    const item = list[index] as T;
    const mapped = map(item);
    if (mapped === item && !result) continue;
    result ??= list.slice(0, index) as T[];
    result.push(mapped);
  }
  return (result ?? list) as L;
}

/** The record with every value mapped; the same record when nothing changed. */
export function mapValues<V>(
  record: Record<string, V> | undefined,
  map: (value: V) => V,
): Record<string, V> | undefined {
  if (!record) return record;
  let result = record;
  for (const key in record) {
    const mapped = map(record[key] as V);
    if (mapped === record[key]) continue;
    if (result === record) result = { ...record };
    result[key] = mapped;
  }
  return result;
}
