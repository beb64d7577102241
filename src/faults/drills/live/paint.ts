/** Texts for terminals: colours where they are wanted, the width that a text takes, and nothing that a terminal would obey. */

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, blue: 34, magenta: 35, cyan: 36 } as const;
export type Ink = keyof typeof CODES;

export type Paint = (ink: Ink, text: string) => string;

export const painter =
  (color: boolean): Paint =>
  (ink, text) =>
    color && text !== "" ? `\u001b[${CODES[ink]}m${text}\u001b[0m` : text;

/** Control characters of both sets, among them the one that begins escape sequences. Names and messages come from anybody. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** A text from outside as one harmless line. */
export const plain = (text: string): string => text.replace(/\s+/g, " ").replace(CONTROL, "\ufffd");

// biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences that `painter` writes
const SEQUENCE = /\u001b\[\d+m/g;
/** Characters that take two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const NO_WIDTH = /\p{Mn}|\u200b|\u200d|\ufe0f/u;

/** Columns that a text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text.replace(SEQUENCE, "")) {
    width += NO_WIDTH.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  }
  return width;
}

/** Cut to the columns that there are, with an ellipsis where something is missing. The text has no colours yet. */
export function fitted(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let cut = "";
  let width = 0;
  for (const character of text) {
    const more = widthOf(character);
    if (width + more > columns - 1) break;
    cut += character;
    width += more;
  }
  return columns > 0 ? `${cut}…` : "";
}

/** As `fitted`, of a text that may have colours: where it has to be cut, it loses them. */
export const fittedLine = (line: string, columns: number): string =>
  widthOf(line) <= columns ? line : fitted(line.replace(SEQUENCE, ""), columns);

/** Cut or filled up to exactly these columns. */
export const column = (text: string, columns: number): string => {
  const cut = fitted(text, columns);
  return cut + " ".repeat(Math.max(0, columns - widthOf(cut)));
};
