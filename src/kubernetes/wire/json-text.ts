/**
 * What JSON.parse does not tell: members that appear twice in an object, and nesting too deep to walk safely. A cheap count of members is compared with
 * what was parsed; only when they differ is the text scanned for the names.
 */

/** Deepest nesting that is accepted. Go's decoder stops at 10,000; every part of this server walks objects recursively, so it stops earlier. */
export const MAX_DEPTH = 1_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Members and nesting of a JSON text that is known to parse: every member has exactly one colon outside of strings. */
export function measure(text: string): { members: number; depth: number } {
  let members = 0;
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case QUOTE:
        at = endOfString(text, at);
        break;
      case 0x3a: // :
        members++;
        break;
      case 0x7b: // {
      case 0x5b: // [
        depth++;
        if (depth > deepest) deepest = depth;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
    }
  }
  return { members, depth: deepest };
}

/** Offset of the quote that closes the string opened at `at`. */
function endOfString(text: string, at: number): number {
  let end = text.indexOf('"', at + 1);
  while (end > 0) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

function countMembers(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item);
    return members;
  }
  for (const key in value) members += 1 + countMembers((value as Record<string, unknown>)[key]);
  return members;
}

/** Paths of repeated members (`spec.replicas`, `spec.containers[0].image`), each once. `value` is what `text` parsed to, `members` its measure. */
export function duplicateFields(text: string, value: unknown, members: number): readonly string[] {
  return countMembers(value) === members ? [] : findDuplicates(text);
}

interface Frame {
  path: string;
  /** Names met so far; undefined for a list. */
  names: Set<string> | undefined;
  /** Position of the present item of a list. */
  index: number;
  /** Path of the present member's value. */
  member: string;
}

function findDuplicates(text: string): readonly string[] {
  const duplicates = new Set<string>();
  const frames: Frame[] = [];
  /** True where the next string is a member's name. */
  let nameNext = false;
  for (let at = 0; at < text.length; at++) {
    const top = frames.at(-1);
    switch (text[at]) {
      case '"': {
        const end = endOfString(text, at);
        if (nameNext && top?.names) {
          const name = JSON.parse(text.slice(at, end + 1)) as string;
          top.member = top.path ? `${top.path}.${name}` : name;
          if (top.names.has(name)) duplicates.add(top.member);
          top.names.add(name);
          nameNext = false;
        }
        at = end;
        break;
      }
      case "{":
      case "[": {
        const object = text[at] === "{";
        const path = top ? (top.names ? top.member : `${top.path}[${top.index}]`) : "";
        frames.push({ path, names: object ? new Set() : undefined, index: 0, member: "" });
        nameNext = object;
        break;
      }
      case "}":
      case "]":
        frames.pop();
        nameNext = false;
        break;
      case ",":
        if (top) top.index++;
        nameNext = top?.names !== undefined;
        break;
    }
  }
  return [...duplicates];
}
