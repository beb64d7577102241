import { expandEscapes } from "../shell/printf.js";

/** The words of an awk program. */

export class AwkError extends Error {}

const TOKEN =
  /\s+|"((?:[^"\\]|\\.)*)"|\/((?:[^/\\\n]|\\.)+)\/|(\d+(?:\.\d+)?)|([A-Za-z_]\w*)|(\+\+|--|[-+*/%]=|&&|\|\||[<>=!]=|!~|[-+*/%<>=!~(){},;$?:])/y;

export type Token = { is: "text" | "regex" | "number" | "name" | "sign"; value: string };

export function tokens(text: string): Token[] {
  const result: Token[] = [];
  TOKEN.lastIndex = 0;
  const source = text.replace(/\n/g, ";");
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const previous = result[result.length - 1];
    let match = TOKEN.exec(source);
    if (
      match?.[2] !== undefined &&
      previous &&
      (previous.is === "number" || previous.is === "name" || previous.value === ")")
    ) {
      // After a value a slash divides.
      result.push({ is: "sign", value: "/" });
      TOKEN.lastIndex = at + 1;
      continue;
    }
    match ??= null;
    if (!match) throw new AwkError(`syntax error near ${source.slice(at, at + 10)}`);
    const [, string, regex, number, name, sign] = match;
    if (string !== undefined) result.push({ is: "text", value: expandEscapes(string) });
    else if (regex !== undefined) result.push({ is: "regex", value: regex });
    else if (number !== undefined) result.push({ is: "number", value: number });
    else if (name !== undefined) result.push({ is: "name", value: name });
    else if (sign !== undefined) result.push({ is: "sign", value: sign });
  }
  return result;
}
