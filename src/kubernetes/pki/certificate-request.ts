/** Certificate signing requests (PKCS#10, RFC 2986) as clients send them to the certificates API. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { child, DerError, type Element, readAll, readOid, readOne } from "./der-reader.js";
import { type DistinguishedName, readName } from "./distinguished-name.js";

export interface CertificateRequest {
  subject: DistinguishedName;
  /** The subject as it was sent: certificates repeat it. */
  subjectDer: Buffer;
  publicKeyInfo: Buffer;
  dnsNames: readonly string[];
  ipAddresses: readonly Buffer[];
  emailAddresses: readonly string[];
  uris: readonly string[];
  /** True when whoever sent it has the private key. */
  isSigned: boolean;
}

const EXTENSION_REQUEST = "1.2.840.113549.1.9.14";
const SUBJECT_ALT_NAME = "2.5.29.17";
const ED25519 = "1.3.101.112";
/** Hashes of the signature algorithms that Go's crypto/x509 verifies. */
const HASHES: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.1.5": "sha1",
  "1.2.840.113549.1.1.11": "sha256",
  "1.2.840.113549.1.1.12": "sha384",
  "1.2.840.113549.1.1.13": "sha512",
  "1.2.840.10045.4.3.1": "sha1",
  "1.2.840.10045.4.3.2": "sha256",
  "1.2.840.10045.4.3.3": "sha384",
  "1.2.840.10045.4.3.4": "sha512",
};
const SAN_TAG = { email: 0x81, dns: 0x82, uri: 0x86, ip: 0x87 } as const;
const BLOCK = /^-----BEGIN ([A-Z0-9 ]+)-----\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----/m;

/** Thrown with the API server's own words for what is wrong with a request. */
export class RequestError extends Error {}

/** Reads the PEM text of `spec.request` after base64. @throws RequestError */
export function parseCertificateRequest(pem: string): CertificateRequest {
  const block = BLOCK.exec(pem);
  if (block?.[1] !== "CERTIFICATE REQUEST") throw new RequestError("PEM block type must be CERTIFICATE REQUEST");
  try {
    return parse(Buffer.from(block[2] ?? "", "base64"));
  } catch (error) {
    if (error instanceof RequestError) throw error;
    const why = error instanceof DerError ? error.message : "malformed certificate request";
    throw new RequestError(`asn1: structure error: ${why}`);
  }
}

function parse(der: Buffer): CertificateRequest {
  const [info, algorithm, signature] = readAll(readOne(der).body);
  if (!info || !algorithm || !signature) throw new DerError("missing element");
  const subject = child(info, 1);
  const publicKeyInfo = child(info, 2);
  const key = createPublicKey({ key: publicKeyInfo.whole, format: "der", type: "spki" });
  const names = alternativeNames(readAll(info.body).slice(3));
  const found = (tag: number): Buffer[] => names.filter((name) => name.tag === tag).map(({ body }) => body);
  const texts = (tag: number): string[] => found(tag).map((body) => body.toString("latin1"));
  return {
    subject: readName(subject),
    subjectDer: subject.whole,
    publicKeyInfo: publicKeyInfo.whole,
    dnsNames: texts(SAN_TAG.dns),
    ipAddresses: found(SAN_TAG.ip),
    emailAddresses: texts(SAN_TAG.email),
    uris: texts(SAN_TAG.uri),
    // The first byte of a bit string counts its unused bits.
    isSigned: verifies(readOid(child(algorithm, 0).body), info.whole, key, signature.body.subarray(1)),
  };
}

function verifies(algorithm: string, signed: Buffer, key: KeyObject, signature: Buffer): boolean {
  const hash = HASHES[algorithm];
  if (!hash && algorithm !== ED25519) return false;
  try {
    return verify(hash ?? null, signed, { key, dsaEncoding: "der" }, signature);
  } catch {
    // A key of another kind than the algorithm's.
    return false;
  }
}

/** The general names of the subjectAltName extension that the attributes ask for. */
function alternativeNames(attributes: readonly Element[]): Element[] {
  for (const attribute of attributes.flatMap(({ body }) => readAll(body))) {
    if (readOid(child(attribute, 0).body) !== EXTENSION_REQUEST) continue;
    for (const extension of readAll(child(child(attribute, 1), 0).body)) {
      const parts = readAll(extension.body);
      const value = parts.at(-1);
      if (value && parts[0] && readOid(parts[0].body) === SUBJECT_ALT_NAME) return readAll(readOne(value.body).body);
    }
  }
  return [];
}
