/** TLS material and the service account key of a cluster, made once and kept with its secrets, so that kubeconfigs outlive a restart. */
import { createHash, generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import type { Clock } from "../../../clock/clock.js";
import { endpointHostName } from "../../../domain/eks/endpoint-access.js";
import { issueServerCertificate } from "../../../kubernetes/pki/certificates.js";
import type { ClusterSpec } from "../../backend.js";
import { AUTHORITY, bundleOf, keptAuthorities } from "./authorities.js";

/** Where a cluster's secrets are kept. */
export interface SecretStore {
  get(clusterId: string, name: string): string | undefined;
  put(clusterId: string, name: string, value: string): void;
}

export interface TlsMaterial {
  /** All that is trusted, the signer first. */
  caCert: string;
  /** The signer's. */
  caKey: string;
  serverCert: string;
  serverKey: string;
}

/** First address of a service range: the `kubernetes` Service. Undefined for IPv6 ranges. */
export function firstServiceAddress(cidr: string): string | undefined {
  const octets = (cidr.split("/")[0] ?? "").split(".").map(Number);
  if (octets.length !== 4) return undefined;
  return [...octets.slice(0, 3), (octets[3] ?? 0) + 1].join(".");
}

function serverNames(spec: ClusterSpec, host: string): string[] {
  const address = firstServiceAddress(spec.serviceCidr);
  const wildcard = host === "0.0.0.0" || host === "::";
  return [
    "localhost",
    "127.0.0.1",
    "::1",
    "host.docker.internal",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    endpointHostName(spec.clusterId, spec.region),
    ...(address ? [address] : []),
    ...(wildcard ? [] : [host]),
  ];
}

/** The cluster's certificates: those it has, or new ones. The server's is made anew when it has to serve under another host or another CA. */
export function clusterTls(secrets: SecretStore, clock: Clock, spec: ClusterSpec, host: string): TlsMaterial {
  const get = (name: string): string | undefined => secrets.get(spec.clusterId, name);
  const put = (name: string, value: string): void => secrets.put(spec.clusterId, name, value);
  const authorities = keptAuthorities(secrets, clock, spec.clusterId);
  const signer = authorities.trusted.find(({ id }) => id === authorities.signing);
  if (!signer) throw new Error(`cluster ${spec.clusterId} does not trust its own signer`);
  let [serverCert, serverKey] = [get("server.crt"), get("server.key")];
  const isCurrent = get("server.host") === host && (get("server.signer") ?? "") === signer.id;
  if (serverCert === undefined || serverKey === undefined || !isCurrent) {
    ({ certificate: serverCert, key: serverKey } = issueServerCertificate({
      authority: signer,
      authorityName: AUTHORITY,
      commonName: "kube-apiserver",
      names: serverNames(spec, host),
      nowMs: clock.wallNow(),
    }));
    put("server.crt", serverCert);
    put("server.key", serverKey);
    put("server.host", host);
    put("server.signer", signer.id);
  }
  return { caCert: bundleOf(authorities), caKey: signer.key, serverCert, serverKey };
}

/** EKS names the keys of its issuers by 40 hex digits; the agent of EKS Pod Identity takes no others. */
export const issuerKeyName = (publicKey: Buffer): string => createHash("sha1").update(publicKey).digest("hex");

/** The key that signs service account tokens, as PEM: made when first asked for, away from the event loop, since RSA keys take their time. */
export function serviceAccountKey(secrets: SecretStore, clusterId: string): () => Promise<string> {
  let made: Promise<string> | undefined;
  return () => {
    made ??= (async () => {
      const kept = secrets.get(clusterId, "sa.key");
      if (kept !== undefined) return kept;
      const { privateKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
      const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
      secrets.put(clusterId, "sa.key", pem);
      return pem;
    })();
    return made;
  };
}
