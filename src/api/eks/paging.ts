/** Pages of lists: `maxResults` up to 100, which is also the default, and a token while there is more. */
import type { Page } from "../../state/state.js";
import { decodePageToken, encodePageToken } from "../protocol/page-token.js";
import type { OperationContext } from "./context.js";

const DEFAULT_PAGE_SIZE = 100;

export interface PageRequest {
  maxResults?: number;
  nextToken?: string;
}

/** A page of names that are all at hand, in order. */
export const pageFrom = (names: readonly string[], page: Page): string[] =>
  names.filter((name) => name > (page.after ?? "")).slice(0, page.limit);

/**
 * `read` gives the keys of a page in order. `list` names the list besides account and region: the operation and whatever else decides what is on it, so that
 * a token of one list is refused by another.
 */
export function pageOf(
  context: OperationContext,
  list: readonly unknown[],
  request: PageRequest,
  read: (page: Page) => string[],
): { keys: string[]; nextToken?: string } {
  const { accountId, region } = context.scope;
  const identity = [accountId, region, ...list];
  const limit = request.maxResults ?? DEFAULT_PAGE_SIZE;
  const after = request.nextToken === undefined ? undefined : decodePageToken(identity, request.nextToken);
  // One more than asked for tells whether there is a next page.
  const keys = read({ limit: limit + 1, ...(after === undefined ? {} : { after }) });
  const last = keys[limit - 1];
  if (keys.length <= limit || last === undefined) return { keys };
  return { keys: keys.slice(0, limit), nextToken: encodePageToken(identity, last) };
}
