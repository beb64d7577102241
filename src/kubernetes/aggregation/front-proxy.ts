/**
 * How this API server introduces the users of requests that it passes on: headers, which an extension API server believes because of the client certificate
 * that comes with them.
 */
import { generateKeyPairSync } from "node:crypto";
import type { UserInfo } from "../api.js";
import type { ClusterTls } from "../cluster.js";
import { signRequest } from "../pki/certificates.js";
import { oid, sequence, set, utf8String } from "../pki/der.js";

const FRONT_PROXY_NAME = "front-proxy-client";
const COMMON_NAME = "2.5.4.3";
const YEAR_MS = 365 * 86_400_000;

/** Characters that a header's name may have; all others are percent-encoded in keys of extra. */
const encodedKey = (key: string): string =>
  [...key.toLowerCase()]
    .map((character) => (/[a-z0-9!#$&'*+.^_`|~-]/.test(character) ? character : encodeURIComponent(character)))
    .join("");

export function identityHeaders({ username, uid, groups, extra }: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { "X-Remote-User": username };
  if (uid) headers["X-Remote-Uid"] = uid;
  if (groups.length > 0) headers["X-Remote-Group"] = [...groups];
  for (const [key, values] of Object.entries(extra ?? {})) headers[`X-Remote-Extra-${encodedKey(key)}`] = [...values];
  return headers;
}

/** A client certificate of the cluster's authority, valid from `nowMs` of the machine's own time. */
export function frontProxyCertificate({ caCert, caKey }: Pick<ClusterTls, "caCert" | "caKey">, nowMs: number) {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const cert = signRequest({
    request: {
      subjectDer: sequence(set(sequence(oid(COMMON_NAME), utf8String(FRONT_PROXY_NAME)))),
      publicKeyInfo: publicKey.export({ type: "spki", format: "der" }),
      dnsNames: [],
      emailAddresses: [],
      ipAddresses: [],
      uris: [],
      subject: { commonName: FRONT_PROXY_NAME, organizations: [] },
      isSigned: true,
    },
    usages: ["digital signature", "key encipherment", "client auth"],
    caCert,
    caKey,
    notBeforeMs: nowMs - 300_000,
    notAfterMs: nowMs + YEAR_MS,
  });
  return { cert, key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}
