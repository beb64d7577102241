import { generateKeyPairSync } from "node:crypto";

let pem: string | undefined;
/** One key for all tests of a file, made for the first that asks: making one costs a quarter of a second. */
export function rsaKey(): string {
  pem ??= generateKeyPairSync("rsa", { modulusLength: 2048 })
    .privateKey.export({ type: "pkcs8", format: "pem" })
    .toString();
  return pem;
}
