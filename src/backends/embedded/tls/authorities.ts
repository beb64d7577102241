/** The certificate authorities of a cluster with their keys, kept with its secrets: those that it trusts, of which one signs. */
import type { Clock } from "../../../clock/clock.js";
import { type IssuedCertificate, issueAuthority } from "../../../kubernetes/pki/certificates.js";
import type { SecretStore } from "./cluster-tls.js";

export interface Authorities {
  signing: string;
  trusted: ({ id: string } & IssuedCertificate)[];
}

/** The CA of every EKS cluster has this name; they differ in their keys. */
export const AUTHORITY = "kubernetes";

/** Secret with all of them, once there have been others than the first, which has files of its own and no id. */
const KEPT = "authorities";

/** Those of the cluster, or a first one. */
export function keptAuthorities(secrets: SecretStore, clock: Clock, clusterId: string): Authorities {
  const kept = secrets.get(clusterId, KEPT);
  if (kept !== undefined) return JSON.parse(kept) as Authorities;
  let [certificate, key] = [secrets.get(clusterId, "ca.crt"), secrets.get(clusterId, "ca.key")];
  if (certificate === undefined || key === undefined) {
    ({ certificate, key } = issueAuthority(AUTHORITY, clock.wallNow()));
    secrets.put(clusterId, "ca.crt", certificate);
    secrets.put(clusterId, "ca.key", key);
  }
  return { signing: "", trusted: [{ id: "", certificate, key }] };
}

/** Makes those that are new, forgets those that are not wanted any more. The first one of a cluster is the one that signs when this is first called. */
export function changeAuthorities(
  secrets: SecretStore,
  clock: Clock,
  clusterId: string,
  wanted: { trusted: readonly string[]; signing: string },
): Authorities {
  const present = new Map(
    keptAuthorities(secrets, clock, clusterId).trusted.map((authority) => [authority.id || wanted.signing, authority]),
  );
  const trusted = wanted.trusted.map((id) => ({
    ...(present.get(id) ?? issueAuthority(AUTHORITY, clock.wallNow())),
    id,
  }));
  const authorities = { signing: wanted.signing, trusted };
  secrets.put(clusterId, KEPT, JSON.stringify(authorities));
  return authorities;
}

/** Certificates of all that is trusted in one file, the signer's first. */
export function bundleOf({ trusted, signing }: Authorities): string {
  const first = trusted.filter(({ id }) => id === signing);
  const others = trusted.filter(({ id }) => id !== signing);
  return [...first, ...others].map(({ certificate }) => certificate).join("");
}
