/** Fields by the paths that conflicts of server-side apply name them with: `.spec.template.spec.containers[name="coredns"].image`. */

/**
 * The object without that field; unchanged when it has none there. The path is read along the object, as names of fields may have dots in them
 * (`.metadata.labels.app.kubernetes.io/name`).
 */
export function withoutField<T>(value: T, path: string): T {
  if (Array.isArray(value)) return withoutItem(value, path) as T;
  if (typeof value !== "object" || value === null || !path.startsWith(".")) return value;
  const fields = value as Record<string, unknown>;
  const name = Object.keys(fields)
    .filter((key) => path.startsWith(key, 1) && /^($|[.[])/.test(path.slice(1 + key.length)))
    .sort((a, b) => b.length - a.length)[0];
  if (name === undefined) return value;
  const { [name]: field, ...others } = fields;
  const rest = path.slice(1 + name.length);
  return (rest === "" ? others : { ...fields, [name]: withoutField(field, rest) }) as T;
}

/** `[name="x"]` and `[port=53,protocol="UDP"]` name items by their keys, `[="v"]` by their value, `[0]` by where they stand. */
function withoutItem(items: readonly unknown[], path: string): unknown[] {
  const end = path.indexOf("]");
  const rest = path.slice(end + 1);
  const isMeant = selector(path.slice(1, end));
  return rest === ""
    ? items.filter((item, index) => !isMeant(item, index))
    : items.map((item, index) => (isMeant(item, index) ? withoutField(item, rest) : item));
}

function selector(text: string): (item: unknown, index: number) => boolean {
  if (/^\d+$/.test(text)) return (_, index) => index === Number(text);
  if (text.startsWith("=")) return (item) => JSON.stringify(item) === text.slice(1);
  const keys = [...text.matchAll(/(\w+)=("(?:[^"\\]|\\.)*"|[^,]+)/g)];
  return (item) =>
    typeof item === "object" &&
    item !== null &&
    keys.every(([, key = "", value]) => JSON.stringify((item as Record<string, unknown>)[key]) === value);
}
