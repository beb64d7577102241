/** XML of the aws-query protocol, written by the model: members in its order, lists as `<member>`, maps as `<entry>`, times as ISO 8601. */
import type { Type } from "../model/model.js";
import type { QueryModel } from "../model/query-model.js";

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Characters that XML 1.0 cannot hold at all are left out. */
export const escapeXml = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is removed
  text.replace(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g, "").replace(/[&<>"]/g, (c) => ENTITIES[c] ?? c);

export function writeXml(
  model: QueryModel,
  answer: { action: string; shape: string; output: object; requestId: string },
): string {
  const { action, shape, output, requestId } = answer;
  // Operations that answer nothing have no element for it; those that answer an empty structure do.
  const result = shape !== "Unit" ? `<${action}Result>${structureXml(model, shape, output)}</${action}Result>` : "";
  return `<${action}Response xmlns="${model.namespace}">${result}<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`;
}

function structureXml(model: QueryModel, shape: string, value: object): string {
  const members = value as Record<string, unknown>;
  let text = "";
  for (const [member, type] of Object.entries(model.shapes[shape] ?? {})) {
    const given = members[member];
    if (given !== undefined) text += `<${member}>${valueXml(model, type, given)}</${member}>`;
  }
  return text;
}

function valueXml(model: QueryModel, type: Type, value: unknown): string {
  switch (type.type) {
    case "structure":
      return structureXml(model, type.shape, value as object);
    case "list":
      return (value as unknown[]).map((item) => `<member>${valueXml(model, type.of, item)}</member>`).join("");
    case "map":
      return Object.entries(value as object)
        .map(
          ([key, item]) =>
            `<entry><key>${escapeXml(key)}</key><value>${valueXml(model, type.value, item)}</value></entry>`,
        )
        .join("");
    case "timestamp":
      return `${new Date(value as number).toISOString().slice(0, 19)}Z`;
    default:
      return escapeXml(String(value));
  }
}
