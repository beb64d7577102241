/** Query strings as rest-json reads them: values are text until the model says what they are; a list is a key that is repeated. */
import { DomainError } from "../../domain/errors.js";
import type { Member } from "../model/model.js";

/** Values by key, in order. */
export function parseQuery(raw: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  if (raw === "") return values;
  for (const pair of raw.split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    const key = decode(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? "" : decode(pair.slice(at + 1));
    const earlier = values.get(key);
    if (earlier) earlier.push(value);
    else values.set(key, [value]);
  }
  return values;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.includes("+") ? text.replaceAll("+", " ") : text);
  } catch {
    throw new DomainError("SerializationException", `Malformed percent-encoding in the query: ${text}`);
  }
}

/** What a query parameter's text means for a member of the model. Booleans and numbers that are none are refused. */
export function fromQuery(member: Member, name: string, values: readonly string[]): unknown {
  if (member.type === "list") return values;
  const text = values[0] ?? "";
  if (member.type === "boolean") {
    if (text === "true" || text === "false") return text === "true";
    throw new DomainError(
      "SerializationException",
      `Value '${text}' of the query parameter '${name}' is not true or false`,
    );
  }
  if (member.type === "integer") {
    if (/^-?\d{1,15}$/.test(text)) return Number(text);
    throw new DomainError(
      "SerializationException",
      `Value '${text}' of the query parameter '${name}' is not an integer`,
    );
  }
  return text;
}
