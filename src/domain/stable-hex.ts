/**
 * Hex digits that are the same for the same text on every machine: for identifiers that AWS makes up but that should not change from one look to the
 * next. Not for secrets.
 */
export function stableHex(text: string, length: number): string {
  let digits = "";
  for (let round = 0; digits.length < length; round++) {
    // 32-bit FNV-1a with a final mix, so that texts that differ in their last letter differ in every digit.
    let hash = 0x811c9dc5 ^ round;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
    hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
    digits += ((hash ^ (hash >>> 15)) >>> 0).toString(16).padStart(8, "0");
  }
  return digits.slice(0, length);
}
