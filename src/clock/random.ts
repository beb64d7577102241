/** A seeded source of randomness. Two sources made from the same seed and stream give the same sequence on every machine. */
export interface Random {
  /** Next number in [0, 1). */
  next(): number;
  /** Integer in [min, max], both ends included. */
  integer(min: number, max: number): number;
  /** `length` lowercase hexadecimal digits. */
  hex(length: number): string;
  /** `length` characters drawn from `alphabet`. */
  string(length: number, alphabet: string): string;
  /** 8-4-4-4-12 lowercase hex in the form of an RFC 4122 version 4 UUID. */
  uuid(): string;
  /** One element, or undefined when the list is empty. */
  pick<T>(items: readonly T[]): T | undefined;
  /** A new array in random order. */
  shuffle<T>(items: readonly T[]): T[];
}

/** 32-bit FNV-1a: enough to turn a stream's name into an independent seed. */
export function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** sfc32 (small fast counter), seeded from `seed` and the stream's name. Not for secrets. */
export function createRandom(seed: number, stream: string): Random {
  let a = seed | 0;
  let b = hash32(stream) | 0;
  let c = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0;
  let d = 1;
  const next32 = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 15; i++) next32();
  const next = (): number => next32() / 4294967296;
  const integer = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1));
  const string = (length: number, alphabet: string): string => {
    let text = "";
    for (let i = 0; i < length; i++) text += alphabet.charAt(integer(0, alphabet.length - 1));
    return text;
  };
  const hex = (length: number): string => {
    let text = "";
    while (text.length < length) text += next32().toString(16).padStart(8, "0");
    return text.slice(0, length);
  };
  return {
    next,
    integer,
    hex,
    string,
    uuid: () => {
      const h = hex(32);
      const variant = "89ab".charAt(parseInt(h.charAt(16), 16) & 3);
      return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-${variant}${h.slice(17, 20)}-${h.slice(20)}`;
    },
    pick: (items) => (items.length === 0 ? undefined : items[integer(0, items.length - 1)]),
    shuffle: (items) => {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = integer(0, i);
        const kept = copy[i] as (typeof copy)[number];
        copy[i] = copy[j] as (typeof copy)[number];
        copy[j] = kept;
      }
      return copy;
    },
  };
}
