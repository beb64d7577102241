/**
 * Long texts are made and sent in pieces: the client reads the first while the next are made, other requests get their turn in between, and no text of
 * tens of megabytes has to be held at once.
 */

/** Characters of the first piece. Each is twice as long as the one before: a server with much else to do gets on all the same. */
const FIRST_LENGTH = 256 * 1024;
const LONGEST = 4 * 1024 * 1024;

/** The concatenation of `head`, `texts` with `separator` between them, and `tail`. Texts are taken when their piece is. */
export function* inPieces(
  texts: Iterable<string>,
  { head = "", separator = "", tail = "" }: { head?: string; separator?: string; tail?: string } = {},
): Generator<string, void, void> {
  let gathered = [head];
  let length = 0;
  let enough = FIRST_LENGTH;
  let between = "";
  for (const text of texts) {
    gathered.push(between, text);
    between = separator;
    length += text.length;
    if (length < enough) continue;
    enough = Math.min(2 * enough, LONGEST);
    yield gathered.join("");
    gathered = [];
    length = 0;
  }
  gathered.push(tail);
  const rest = gathered.join("");
  if (rest !== "") yield rest;
}
