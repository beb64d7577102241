/** HTML and SVG that cannot be broken out of: whatever is put into a template is text unless a template made it. */

/** Text that is markup already. Only `markup` and `trusted` make it. */
export interface Markup {
  readonly markup: string;
}

type Part = Markup | string | number | undefined | false | readonly Part[];

const REFERENCES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
/** Control characters, which are no characters of HTML even when they are escaped, and halves of surrogate pairs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_HTML = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{Cs}/gu;

const escaped = (text: string): string =>
  text.replace(NOT_HTML, "\ufffd").replace(/[&<>"']/g, (character) => REFERENCES[character] ?? character);

function textOf(part: Part): string {
  if (part === undefined || part === false) return "";
  if (typeof part === "string") return escaped(part);
  if (typeof part === "number") return String(part);
  if ("markup" in part) return part.markup;
  return part.map(textOf).join("");
}

/** A template: texts in it are escaped, for contents and quoted attributes alike; nothing is what `undefined` and `false` leave. */
export function markup(strings: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { markup: strings.map((text, index) => text + (index < parts.length ? textOf(parts[index]) : "")).join("") };
}

/** Text of this program's own, taken as it is: the style sheet and the script. */
export const trusted = (text: string): Markup => ({ markup: text });

/** Data for a script on the page. The page's parser looks for the end of the element before anybody looks for the end of the string. */
export const data = (value: unknown): Markup => ({
  markup: JSON.stringify(value)
    .replace(/</g, "\\u003c")
    .replace(/>/g, "\\u003e")
    .replace(/\u2028/g, "\\u2028")
    .replace(/\u2029/g, "\\u2029"),
});
