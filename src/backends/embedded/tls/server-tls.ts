/** Certificates of servers that are nobody's cluster, such as the token webhook: under an authority of eksim's own, made once. */
import { issueAuthority, issueServerCertificate } from "../../../kubernetes/pki/certificates.js";

/** Where the material is kept. */
interface Kept {
  get(name: string): string | undefined;
  put(name: string, value: string): void;
}

export interface ServerTls {
  /** PEM, as the others. */
  ca: string;
  cert: string;
  key: string;
}

const AUTHORITY = "eksim";
const WILDCARDS: readonly string[] = ["0.0.0.0", "::"];

/** For servers at `host` of this machine, as it and its containers name it. `nowMs`: the machine's time. */
export function serverTls(kept: Kept, { host, nowMs }: { host: string; nowMs: number }): ServerTls {
  const known = kept.get("server.authority");
  const authority: { certificate: string; key: string } = known
    ? (JSON.parse(known) as { certificate: string; key: string })
    : issueAuthority(AUTHORITY, nowMs);
  if (!known) kept.put("server.authority", JSON.stringify(authority));
  const names = ["localhost", "127.0.0.1", "::1", "host.docker.internal"];
  const { certificate, key } = issueServerCertificate({
    authority,
    authorityName: AUTHORITY,
    commonName: "eksim",
    names: WILDCARDS.includes(host) || names.includes(host) ? names : [...names, host],
    nowMs,
  });
  return { ca: authority.certificate, cert: certificate, key };
}
