/**
 * What STS would say of an EKS token's signature. It covers the cluster's name, so that a token for one cluster is none for another. Only asked when the
 * emulator verifies signatures: otherwise any secret passes.
 */
import { timingSafeEqual } from "node:crypto";
import { CLUSTER_HEADER, presignedUrl } from "./eks-token.js";
import { presignedSignature } from "./sigv4-signer.js";

/** Undefined when the signature is right. The token has been judged in every other respect. */
export function refuteTokenSignature(
  token: string,
  { clusterName, accessKeyId, secret }: { clusterName: string; accessKeyId: string; secret: string | undefined },
): { error: string } | undefined {
  if (secret === undefined) return { error: `nobody knows the access key ${accessKeyId}` };
  const url = new URL(presignedUrl(token));
  const known: Readonly<Record<string, string>> = { host: url.host, [CLUSTER_HEADER]: clusterName };
  const names = (url.searchParams.get("X-Amz-SignedHeaders") ?? "").split(";");
  const headers: Record<string, string> = {};
  for (const name of names) {
    const value = known[name];
    if (value === undefined) return { error: `the token signs the header ${name}, which nobody sends` };
    headers[name] = value;
  }
  const expected = Buffer.from(presignedSignature(url, headers, secret) ?? "", "hex");
  const given = Buffer.from(url.searchParams.get("X-Amz-Signature") ?? "", "hex");
  if (expected.length > 0 && given.length === expected.length && timingSafeEqual(given, expected)) return undefined;
  return { error: `the token is not signed for cluster ${clusterName} with the secret of ${accessKeyId}` };
}
