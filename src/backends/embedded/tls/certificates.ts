/** Certificates of a cluster: a CA as EKS makes it (CN=kubernetes, ten years) and the API server's certificate under it. Elliptic keys, P-256. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { isIPv4 } from "node:net";
import { bitString, boolean, integer, octetString, oid, sequence, set, tagged, time, utf8String } from "./der.js";

export interface IssuedCertificate {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS#8. */
  key: string;
}

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  commonName: "2.5.4.3",
  subjectKeyIdentifier: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyIdentifier: "2.5.29.35",
  extKeyUsage: "2.5.29.37",
  serverAuth: "1.3.6.1.5.5.7.3.1",
} as const;

const TEN_YEARS_MS = 10 * 365 * 86_400_000;
/** Clients whose clocks are a little behind must find the certificate valid. */
const BACKDATE_MS = 3_600_000;

const extension = (id: string, critical: boolean, value: Buffer): Buffer =>
  sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));

const commonName = (name: string): Buffer => sequence(set(sequence(oid(OID.commonName), utf8String(name))));

/** Identifies a key by the SHA-1 of its bits, as RFC 5280 proposes. */
function keyIdentifier(publicKeyInfo: Buffer): Buffer {
  // An uncompressed P-256 point is the last 65 bytes of its SubjectPublicKeyInfo.
  return createHash("sha1").update(publicKeyInfo.subarray(-65)).digest();
}

interface Template {
  subject: string;
  issuer: string;
  publicKeyInfo: Buffer;
  nowMs: number;
  extensions: readonly Buffer[];
}

function signed(template: Template, issuerKey: KeyObject): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(randomBytes(16)),
    algorithm,
    commonName(template.issuer),
    sequence(time(template.nowMs - BACKDATE_MS), time(template.nowMs + TEN_YEARS_MS)),
    commonName(template.subject),
    template.publicKeyInfo,
    tagged(0xa3, sequence(...template.extensions)),
  );
  const signature = sign("sha256", body, { key: issuerKey, dsaEncoding: "der" });
  return pem("CERTIFICATE", sequence(body, algorithm, bitString(signature)));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function newKey(): { privateKey: KeyObject; publicKeyInfo: Buffer; pem: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return {
    privateKey,
    publicKeyInfo: publicKey.export({ type: "spki", format: "der" }),
    pem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** A new certificate authority, valid for ten years from `nowMs` of the machine's own time: programs outside judge it. */
export function issueAuthority(name: string, nowMs: number): IssuedCertificate {
  const { privateKey, publicKeyInfo, pem: key } = newKey();
  const certificate = signed(
    {
      subject: name,
      issuer: name,
      publicKeyInfo,
      nowMs,
      extensions: [
        extension(OID.basicConstraints, true, sequence(boolean(true))),
        // digitalSignature, keyEncipherment, keyCertSign
        extension(OID.keyUsage, true, bitString(Buffer.from([0b1010_0100]), 2)),
        extension(OID.subjectKeyIdentifier, false, octetString(keyIdentifier(publicKeyInfo))),
      ],
    },
    privateKey,
  );
  return { certificate, key };
}

/** A certificate for serving TLS under `names`, which are DNS names and IP addresses. */
export function issueServerCertificate(options: {
  authority: IssuedCertificate;
  authorityName: string;
  /** From the authority's own certificate. */
  commonName: string;
  names: readonly string[];
  nowMs: number;
}): IssuedCertificate {
  const authorityKey = createPrivateKey(options.authority.key);
  const authorityInfo = createPublicKey(authorityKey).export({ type: "spki", format: "der" });
  const { publicKeyInfo, pem: key } = newKey();
  const names = [...new Set(options.names)].map((name) =>
    isAddress(name) ? tagged(0x87, addressBytes(name)) : tagged(0x82, Buffer.from(name, "latin1")),
  );
  const certificate = signed(
    {
      subject: options.commonName,
      issuer: options.authorityName,
      publicKeyInfo,
      nowMs: options.nowMs,
      extensions: [
        extension(OID.basicConstraints, true, sequence()),
        // digitalSignature, keyEncipherment
        extension(OID.keyUsage, true, bitString(Buffer.from([0b1010_0000]), 5)),
        extension(OID.extKeyUsage, false, sequence(oid(OID.serverAuth))),
        extension(OID.subjectKeyIdentifier, false, octetString(keyIdentifier(publicKeyInfo))),
        // Tells authorities of the same name apart.
        extension(OID.authorityKeyIdentifier, false, sequence(tagged(0x80, keyIdentifier(authorityInfo)))),
        extension(OID.subjectAltName, false, sequence(...names)),
      ],
    },
    authorityKey,
  );
  return { certificate, key };
}

/** DNS names have no colons; Node's own test for IPv6 takes milliseconds to compile. */
const isAddress = (name: string): boolean => name.includes(":") || isIPv4(name);

/** 4 or 16 bytes of an address. */
function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  const [head = "", tail] = address.split("::");
  const groups = (text: string | undefined): number[] =>
    (text ? text.split(":") : []).map((group) => Number.parseInt(group, 16));
  const [before, after] = [groups(head), groups(tail)];
  const zeros = new Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0);
  const bytes = Buffer.alloc(16);
  for (const [index, group] of [...before, ...zeros, ...after].entries()) bytes.writeUInt16BE(group, index * 2);
  return bytes;
}
