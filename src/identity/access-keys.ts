/** Access key ids in AWS's form: four letters for the kind, then base32 with the account's number inside, which is how GetAccessKeyInfo knows it. */

const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** `AKIA` for long-term keys of users, `ASIA` for sessions. `bytes` are 5 random ones. */
export function newAccessKeyId(prefix: "AKIA" | "ASIA", accountId: string, bytes: Uint8Array): string {
  // 80 bits: a set one, the account in 40, 39 random ones.
  let random = 0n;
  for (const byte of bytes.subarray(0, 5)) random = (random << 8n) | BigInt(byte);
  let value = (1n << 79n) | (BigInt(accountId) << 39n) | (random & ((1n << 39n) - 1n));
  let text = "";
  for (let i = 0; i < 16; i++) {
    text = BASE32.charAt(Number(value & 31n)) + text;
    value >>= 5n;
  }
  return prefix + text;
}

/** The account of a key in that form; undefined for keys of any other. */
export function accountOfAccessKey(accessKeyId: string): string | undefined {
  if (!/^A[KS]IA[A-Z2-7]{16}$/.test(accessKeyId)) return undefined;
  let value = 0n;
  for (const character of accessKeyId.slice(4)) value = (value << 5n) | BigInt(BASE32.indexOf(character));
  const account = (value >> 39n) & ((1n << 40n) - 1n);
  // Keys made before 2019 have no account in them.
  if (value >> 79n === 0n || account > 999_999_999_999n) return undefined;
  return String(account).padStart(12, "0");
}
