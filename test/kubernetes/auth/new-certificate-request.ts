import { generateKeyPairSync, sign } from "node:crypto";
import {
  bitString,
  integer,
  octetString,
  oid,
  sequence,
  set,
  tagged,
  utf8String,
} from "../../../src/kubernetes/pki/der.js";

/** A certificate signing request as clients make it: base64 of its PEM, as `spec.request` has it, and the private key. */
export function newCertificateRequest({
  commonName,
  organizations = [],
  dnsNames = [],
  tampered = false,
}: {
  commonName: string;
  organizations?: readonly string[];
  dnsNames?: readonly string[];
  /** Signed with another key. */
  tampered?: boolean;
}): { request: string; key: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const attribute = (id: string, value: string): Buffer => sequence(oid(id), utf8String(value));
  const names = dnsNames.map((name) => tagged(0x82, Buffer.from(name)));
  const extensions = sequence(sequence(oid("2.5.29.17"), octetString(sequence(...names))));
  const info = sequence(
    integer(Buffer.from([0])),
    sequence(
      ...(organizations.length ? [set(...organizations.map((name) => attribute("2.5.4.10", name)))] : []),
      set(attribute("2.5.4.3", commonName)),
    ),
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa0, ...(dnsNames.length ? [sequence(oid("1.2.840.113549.1.9.14"), set(extensions))] : [])),
  );
  const signer = tampered ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey : privateKey;
  const whole = sequence(info, sequence(oid("1.2.840.10045.4.3.2")), bitString(sign("sha256", info, signer)));
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${whole
    .toString("base64")
    .match(/.{1,64}/g)
    ?.join("\n")}\n-----END CERTIFICATE REQUEST-----\n`;
  return {
    request: Buffer.from(pem).toString("base64"),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}
