/** Reads DER (X.690), as far as certificate requests and names need it. What is malformed throws; nothing is trusted to have the length it says. */

export class DerError extends Error {}

export interface Element {
  tag: number;
  /** Without tag and length. */
  body: Buffer;
  /** With them: what signatures are made over. */
  whole: Buffer;
}

function elementAt(bytes: Buffer, start: number): Element {
  const tag = bytes[start];
  const first = bytes[start + 1];
  if (tag === undefined || first === undefined) throw new DerError("truncated");
  let at = start + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 4 || at + count > bytes.length) throw new DerError("bad length");
    length = bytes.readUIntBE(at, count);
    at += count;
  }
  if (at + length > bytes.length) throw new DerError("truncated");
  return { tag, body: bytes.subarray(at, at + length), whole: bytes.subarray(start, at + length) };
}

/** The one element that `bytes` are. */
export function readOne(bytes: Buffer): Element {
  const element = elementAt(bytes, 0);
  if (element.whole.length !== bytes.length) throw new DerError("trailing data");
  return element;
}

/** The elements that `bytes` are made of, one after the other. */
export function readAll(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element = elementAt(bytes, at);
    elements.push(element);
    at += element.whole.length;
  }
  return elements;
}

/** The element at `index` of those inside `parent`. */
export function child(parent: Element, index: number): Element {
  const found = readAll(parent.body)[index];
  if (!found) throw new DerError("missing element");
  return found;
}

/** `2.5.4.3` out of the body of an object identifier. */
export function readOid(body: Buffer): string {
  const arcs: number[] = [];
  let value = 0;
  for (const byte of body) {
    value = value * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(value / 40));
      arcs.push(first, value - first * 40);
    } else arcs.push(value);
    value = 0;
  }
  return arcs.join(".");
}
