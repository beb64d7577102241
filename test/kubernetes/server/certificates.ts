import { createSign, generateKeyPairSync, type KeyObject } from "node:crypto";
import type { ClusterTls } from "../../../src/kubernetes/cluster.js";

/** Certificates for tests, written in DER by hand: a CA, a server certificate for 127.0.0.1, and client certificates on demand. */

const DAY_MS = 86_400_000;

function der(tag: number, ...parts: (Buffer | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "hex") : part)));
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

const sequence = (...parts: (Buffer | string)[]): Buffer => der(0x30, ...parts);
const ECDSA_SHA256 = sequence("06082a8648ce3d040302");
const OIDS: Record<string, string> = { CN: "0603550403", O: "060355040a" };

const nameOf = (parts: readonly [string, string][]): Buffer =>
  sequence(...parts.map(([type, value]) => der(0x31, sequence(OIDS[type] as string, der(0x0c, Buffer.from(value))))));

const timeOf = (ms: number): Buffer =>
  der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes
    .toString("base64")
    .match(/.{1,64}/g)
    ?.join("\n")}\n-----END ${label}-----\n`;

const keyPair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const keyPem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }) as string;

function certificate({
  serial,
  subject,
  publicKey,
  signer,
  extensions,
}: {
  serial: number;
  subject: readonly [string, string][];
  publicKey: KeyObject;
  signer: KeyObject;
  extensions: Buffer;
}): string {
  const now = Date.now();
  const body = sequence(
    der(0xa0, "020102"),
    der(0x02, Buffer.from([serial])),
    ECDSA_SHA256,
    nameOf([["CN", "kubernetes"]]),
    sequence(timeOf(now - DAY_MS), timeOf(now + DAY_MS)),
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, extensions),
  );
  const signature = createSign("sha256").update(body).sign(signer);
  return pem("CERTIFICATE", sequence(body, ECDSA_SHA256, der(0x03, "00", signature)));
}

/** Basic constraints: CA:TRUE, critical. */
const CA_EXTENSIONS = sequence(sequence("0603551d13", "0101ff", der(0x04, sequence("0101ff"))));
/** Alternative names: 127.0.0.1 and localhost. */
const SERVER_EXTENSIONS = sequence(
  sequence("0603551d11", der(0x04, sequence(der(0x87, "7f000001"), der(0x82, Buffer.from("localhost"))))),
);
/** Extended key usage: client authentication. */
const CLIENT_EXTENSIONS = sequence(sequence("0603551d25", der(0x04, sequence("06082b06010505070302"))));

export interface TestCertificates extends ClusterTls {
  clientCertificate(commonName: string, organisation: string): { cert: string; key: string };
}

export function makeCertificates(): TestCertificates {
  const ca = keyPair();
  const server = keyPair();
  let serial = 1;
  const issue = (subject: readonly [string, string][], publicKey: KeyObject, extensions: Buffer): string =>
    certificate({ serial: serial++, subject, publicKey, signer: ca.privateKey, extensions });
  return {
    caCert: issue([["CN", "kubernetes"]], ca.publicKey, CA_EXTENSIONS),
    caKey: keyPem(ca.privateKey),
    serverCert: issue([["CN", "kube-apiserver"]], server.publicKey, SERVER_EXTENSIONS),
    serverKey: keyPem(server.privateKey),
    clientCertificate(commonName, organisation) {
      const keys = keyPair();
      const cert = issue(
        [
          ["O", organisation],
          ["CN", commonName],
        ],
        keys.publicKey,
        CLIENT_EXTENSIONS,
      );
      return { cert, key: keyPem(keys.privateKey) };
    },
  };
}
