import { createHash, X509Certificate } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { Clock } from "../../clock/clock.js";
import type { UserInfo } from "../api.js";
import { isOfOurClock, subjectOf } from "../pki/certificates.js";
import { readOne } from "../pki/der-reader.js";
import { readName } from "../pki/distinguished-name.js";
import type { AuthenticationResult } from "../security.js";

/**
 * Users of client certificates, as kube-apiserver's x509 authenticator knows them: the common name is the user, every organization a group. What TLS
 * itself says of a certificate is not asked, because it knows the machine's time alone, and certificates of the certificates API live by the Clock.
 */
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
const ANY_USAGE = "2.5.29.37.0";
const KNOWN = 1000;
const CREDENTIAL_ID = "authentication.kubernetes.io/credential-id";
const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export interface CertificateAuthenticator {
  /** `certificate`: DER of what the client showed in its handshake. */
  authenticate(certificate: Buffer): AuthenticationResult;
}

interface Known {
  user: UserInfo;
  validFromMs: number;
  validToMs: number;
  /** Judged by the Clock's time, not by the machine's. */
  ourClock: boolean;
}

/** `caCert`: all that are trusted now, PEM. */
export function createCertificateAuthenticator({
  clock,
  caCert,
}: {
  clock: Pick<Clock, "now" | "wallNow">;
  caCert: () => string;
}): CertificateAuthenticator {
  let trusted: { pem: string; authorities: X509Certificate[] } | undefined;
  /** What is known of certificates, by their digests; it holds as long as the same authorities are trusted. */
  const known = new LRUCache<string, Known | { error: string }>({ max: KNOWN });

  const authorities = (): X509Certificate[] => {
    const pem = caCert();
    if (trusted?.pem !== pem) {
      known.clear();
      trusted = { pem, authorities: (pem.match(BLOCK) ?? []).map((block) => new X509Certificate(block)) };
    }
    return trusted.authorities;
  };

  const read = (raw: Buffer, digest: string, signers: readonly X509Certificate[]): Known | { error: string } => {
    const certificate = new X509Certificate(raw);
    const isSigned = signers.some((signer) => {
      return certificate.issuer === signer.subject && certificate.verify(signer.publicKey);
    });
    if (!isSigned) return { error: "certificate signed by unknown authority" };
    // Node names extended key usages `keyUsage`.
    const usages: readonly string[] | undefined = certificate.keyUsage;
    if (usages && !usages.includes(CLIENT_AUTH) && !usages.includes(ANY_USAGE))
      return { error: "certificate specifies an incompatible key usage" };
    const { commonName, organizations } = readName(readOne(subjectOf(raw)));
    if (!commonName) return { error: "certificate without a common name" };
    return {
      user: { username: commonName, groups: organizations, extra: { [CREDENTIAL_ID]: [`X509SHA256=${digest}`] } },
      validFromMs: Date.parse(certificate.validFrom),
      validToMs: Date.parse(certificate.validTo),
      ourClock: isOfOurClock(certificate.serialNumber),
    };
  };

  return {
    authenticate(raw) {
      const signers = authorities();
      const digest = createHash("sha256").update(raw).digest("hex");
      let found = known.get(digest);
      if (!found) {
        found = read(raw, digest, signers);
        known.set(digest, found);
      }
      if ("error" in found) return found;
      const nowMs = found.ourClock ? clock.now() : clock.wallNow();
      const isValid = nowMs >= found.validFromMs && nowMs <= found.validToMs;
      return isValid ? { user: found.user } : { error: "certificate has expired or is not yet valid" };
    },
  };
}
