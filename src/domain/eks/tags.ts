/** Rules of tags: at most 50 a resource, keys beginning with `aws:` belong to AWS and do not count. */
import { DomainError, type ErrorName } from "../errors.js";

export type Tags = Record<string, string>;

const MAX_TAGS = 50;
/** Letters, numbers, spaces and `_ . : / = + - @`. */
const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

const isReserved = (key: string): boolean => /^aws:/i.test(key);

/**
 * The resource's tags after `added` came to them. Throws `code`: the tagging operations have their own family of errors, creates answer
 * InvalidParameterException.
 */
export function addTags(present: Tags, added: Tags, code: ErrorName): Tags {
  for (const [key, value] of Object.entries(added)) {
    if (isReserved(key)) throw new DomainError(code, "aws: prefixed tag key names are not allowed for external use.");
    if (!ALLOWED.test(key) || !ALLOWED.test(value)) {
      throw new DomainError(
        code,
        `Tag '${key}' contains invalid characters: only letters, digits, spaces and _.:/=+-@ are allowed`,
      );
    }
  }
  const tags = { ...present, ...added };
  if (Object.keys(tags).filter((key) => !isReserved(key)).length > MAX_TAGS) {
    throw new DomainError(code, `A resource can have at most ${MAX_TAGS} tags`);
  }
  return tags;
}

/** Keys that are not there are ignored. */
export function removeTags(present: Tags, keys: readonly string[]): Tags {
  return Object.fromEntries(Object.entries(present).filter(([key]) => !keys.includes(key)));
}
