/**
 * DER, the encoding that certificates are written in (X.690), as far as they need it. Written here because the libraries for it take longer to load than
 * the whole of eksim may take to start.
 */
const UNIVERSAL = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

function lengthOf(size: number): Buffer {
  if (size < 0x80) return Buffer.from([size]);
  const bytes: number[] = [];
  for (let rest = size; rest > 0; rest >>= 8) bytes.unshift(rest & 0xff);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

export const tagged = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
};

export const sequence = (...parts: readonly Buffer[]): Buffer => tagged(UNIVERSAL.sequence, ...parts);
export const set = (...parts: readonly Buffer[]): Buffer => tagged(UNIVERSAL.set, ...parts);
export const boolean = (value: boolean): Buffer => tagged(UNIVERSAL.boolean, Buffer.from([value ? 0xff : 0]));
export const octetString = (body: Buffer): Buffer => tagged(UNIVERSAL.octetString, body);
export const utf8String = (text: string): Buffer => tagged(UNIVERSAL.utf8String, Buffer.from(text, "utf8"));

/** A positive integer of any size. */
export function integer(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  return tagged(UNIVERSAL.integer, (trimmed[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed);
}

export const bitString = (body: Buffer, unusedBits = 0): Buffer =>
  tagged(UNIVERSAL.bitString, Buffer.from([unusedBits]), body);

/** `2.5.29.17` -> its encoding. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const septets = [arc & 0x7f];
    for (let more = arc >> 7; more > 0; more >>= 7) septets.unshift((more & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return tagged(UNIVERSAL.oid, Buffer.from(bytes));
}

/** X.509 writes years until 2049 with two digits. */
export function time(epochMs: number): Buffer {
  const digits = new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:T]/g, "");
  const [tag, text] = digits < "2050" ? [UNIVERSAL.utcTime, digits.slice(2)] : [UNIVERSAL.generalizedTime, digits];
  return tagged(tag, Buffer.from(`${text}Z`, "latin1"));
}
