/**
 * Certificates of a cluster: a CA as EKS makes it (CN=kubernetes, ten years), the API server's certificate under it, and those that clients ask for.
 * Elliptic keys, P-256.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  X509Certificate,
} from "node:crypto";
import { isIPv4 } from "node:net";
import type { CertificateRequest } from "./certificate-request.js";
import { bitString, boolean, integer, octetString, oid, sequence, set, tagged, time, utf8String } from "./der.js";
import { child, readOne } from "./der-reader.js";

export interface IssuedCertificate {
  /** PEM. */
  certificate: string;
  /** PEM, PKCS#8. */
  key: string;
}

const OID = {
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  rsaWithSha256: "1.2.840.113549.1.1.11",
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
  /** A name in DER. */
  subject: Buffer;
  issuer: Buffer;
  serial: Buffer;
  publicKeyInfo: Buffer;
  notBeforeMs: number;
  notAfterMs: number;
  extensions: readonly Buffer[];
}

const validFrom = (nowMs: number) => ({ notBeforeMs: nowMs - BACKDATE_MS, notAfterMs: nowMs + TEN_YEARS_MS });

function signed(template: Template, issuerKey: KeyObject): string {
  const algorithm = sequence(...signatureAlgorithm(issuerKey));
  const body = sequence(
    tagged(0xa0, integer(Buffer.from([2]))),
    integer(template.serial),
    algorithm,
    template.issuer,
    sequence(time(template.notBeforeMs), time(template.notAfterMs)),
    template.subject,
    template.publicKeyInfo,
    tagged(0xa3, sequence(...template.extensions)),
  );
  const signature = sign("sha256", body, { key: issuerKey, dsaEncoding: "der" });
  return pem("CERTIFICATE", sequence(body, algorithm, bitString(signature)));
}

/** Authorities of our own have elliptic keys; one that was brought along may have an RSA key. */
const signatureAlgorithm = ({ asymmetricKeyType }: KeyObject): Buffer[] =>
  asymmetricKeyType === "rsa" ? [oid(OID.rsaWithSha256), Buffer.from([0x05, 0x00])] : [oid(OID.ecdsaWithSha256)];

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
      subject: commonName(name),
      issuer: commonName(name),
      serial: randomBytes(16),
      publicKeyInfo,
      ...validFrom(nowMs),
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
      subject: commonName(options.commonName),
      issuer: commonName(options.authorityName),
      serial: randomBytes(16),
      publicKeyInfo,
      ...validFrom(options.nowMs),
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

/** Usages of the certificates API that are bits of keyUsage, by their place in it (RFC 5280). */
const KEY_USAGE_BITS: Readonly<Record<string, number>> = {
  signing: 0,
  "digital signature": 0,
  "content commitment": 1,
  "key encipherment": 2,
  "data encipherment": 3,
  "key agreement": 4,
  "cert sign": 5,
  "crl sign": 6,
  "encipher only": 7,
};
const EXTENDED_USAGES: Readonly<Record<string, string>> = {
  any: "2.5.29.37.0",
  "server auth": OID.serverAuth,
  "client auth": "1.3.6.1.5.5.7.3.2",
  "code signing": "1.3.6.1.5.5.7.3.3",
  "email protection": "1.3.6.1.5.5.7.3.4",
  "s/mime": "1.3.6.1.5.5.7.3.4",
  timestamping: "1.3.6.1.5.5.7.3.8",
  "ocsp signing": "1.3.6.1.5.5.7.3.9",
};

/**
 * Serial numbers of what `signRequest` makes begin with these bytes. The validity of such certificates is told in the Clock's time, unlike that of
 * certificates that came from outside.
 */
const ISSUED = Buffer.from("454b", "hex");

/** True for a serial number (hexadecimal) that `signRequest` has given. */
export const isOfOurClock = (serialNumber: string): boolean =>
  serialNumber.length === 32 && serialNumber.toLowerCase().startsWith(ISSUED.toString("hex"));

/** The certificate that a request asks for, PEM. */
export function signRequest(options: {
  request: CertificateRequest;
  /** Usages as the certificates API names them. */
  usages: readonly string[];
  /** The signer's certificate and private key, PEM. */
  caCert: string;
  caKey: string;
  notBeforeMs: number;
  notAfterMs: number;
}): string {
  const { request, usages } = options;
  const authority = new X509Certificate(options.caCert);
  const authorityInfo = authority.publicKey.export({ type: "spki", format: "der" });
  // Issuer and subject of the signer are the same name; its bytes are taken over as they are.
  const issuer = subjectOf(authority.raw);
  const bits = usages.flatMap((usage) => KEY_USAGE_BITS[usage] ?? []);
  const keyUsage = bits.reduce((value, bit) => value | (0x80 >> bit), 0);
  const unused = bits.length > 0 ? 7 - Math.max(...bits) : 0;
  const extended = [...new Set(usages.flatMap((usage) => EXTENDED_USAGES[usage] ?? []))];
  const names = [
    ...request.dnsNames.map((name) => tagged(0x82, Buffer.from(name, "latin1"))),
    ...request.emailAddresses.map((name) => tagged(0x81, Buffer.from(name, "latin1"))),
    ...request.ipAddresses.map((address) => tagged(0x87, address)),
    ...request.uris.map((uri) => tagged(0x86, Buffer.from(uri, "latin1"))),
  ];
  return signed(
    {
      subject: request.subjectDer,
      issuer,
      serial: Buffer.concat([ISSUED, randomBytes(14)]),
      publicKeyInfo: request.publicKeyInfo,
      notBeforeMs: options.notBeforeMs,
      notAfterMs: options.notAfterMs,
      extensions: [
        ...(bits.length > 0 ? [extension(OID.keyUsage, true, bitString(Buffer.from([keyUsage]), unused))] : []),
        ...(extended.length > 0 ? [extension(OID.extKeyUsage, false, sequence(...extended.map(oid)))] : []),
        extension(OID.basicConstraints, true, sequence()),
        extension(OID.authorityKeyIdentifier, false, sequence(tagged(0x80, keyIdentifier(authorityInfo)))),
        ...(names.length > 0 ? [extension(OID.subjectAltName, false, sequence(...names))] : []),
      ],
    },
    createPrivateKey(options.caKey),
  );
}

/** The subject of a certificate in DER: the sixth part of its body (version, serial number, algorithm, issuer, validity, subject). */
export const subjectOf = (certificate: Buffer): Buffer => child(child(readOne(certificate), 0), 5).whole;

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
