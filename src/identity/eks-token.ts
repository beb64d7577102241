/**
 * Tokens that `aws eks get-token` makes: `k8s-aws-v1.` and, in base64url, a presigned GetCallerIdentity URL. The checks are those of
 * aws-iam-authenticator's verifier, in its order; the call to STS itself is left out, since no secret is known here.
 */
import { parseAmzDate } from "./sigv4.js";

const PREFIX = "k8s-aws-v1.";
/** Longest token looked at, in bytes. */
const MAX_TOKEN_BYTES = 4096;
/** STS honours a presigned URL this long after X-Amz-Date, whatever X-Amz-Expires says. */
const MAX_AGE_MS = 15 * 60_000;
/** How far ahead of ours the signer's clock may be. */
const MAX_SKEW_MS = 5 * 60_000;
/** The signed header that binds a token to a cluster's name. */
export const CLUSTER_HEADER = "x-k8s-aws-id";

const ALLOWED_PARAMETERS = new Set([
  "action",
  "version",
  "x-amz-algorithm",
  "x-amz-credential",
  "x-amz-date",
  "x-amz-expires",
  "x-amz-security-token",
  "x-amz-signature",
  "x-amz-signedheaders",
]);

/** sts.amazonaws.com, and the regional, FIPS and dual-stack hosts of the three partitions. */
const STS_HOST =
  /^(sts\.amazonaws\.com|sts(-fips)?\.[a-z]{2}(-[a-z]+)+-\d\.amazonaws\.com(\.cn)?|sts(-fips)?\.[a-z]{2}(-[a-z]+)+-\d\.api\.(aws|amazonwebservices\.com\.cn))$/;

/**
 * Hosts at which an emulator on this machine stands in for STS: with AWS_ENDPOINT_URL set, `aws eks get-token` presigns for that endpoint, in plain
 * http. Nothing is ever fetched from the URL, so any port will do.
 */
const LOCAL_HOST = /^(localhost|[\w.-]+\.localhost|127\.\d+\.\d+\.\d+|\[::1\]|host\.docker\.internal)$/;

export interface EksTokenClaims {
  accessKeyId: string;
  /** Region in the credential scope. */
  region: string;
  /** When it was signed, epoch ms. */
  signedAtMs: number;
  sessionToken?: string;
}

export type EksTokenResult = { claims: EksTokenClaims } | { error: string };

/** True when the token has the form of an EKS token at all: others belong to other authenticators. */
export const isEksToken = (token: string): boolean => token.startsWith(PREFIX);

/** The presigned URL inside a token, as text. */
export const presignedUrl = (token: string): string =>
  Buffer.from(token.slice(PREFIX.length), "base64url").toString("utf8");

/**
 * Judges a token. `clocksMs` are the times at which it may be fresh: the simulated one and, where that one does not run with the machine's, the
 * machine's own, because the signer only knows that. `ownHost` is a name under which this emulator is reached beside the loopback ones.
 */
export function checkEksToken(token: string, clocksMs: readonly number[], ownHost?: string): EksTokenResult {
  if (Buffer.byteLength(token) > MAX_TOKEN_BYTES) return { error: "token is too large" };
  if (!isEksToken(token)) return { error: `token is missing expected "${PREFIX}" prefix` };
  const encoded = token.slice(PREFIX.length);
  if (!/^[A-Za-z0-9_-]+$/.test(encoded)) return { error: "token is not base64url without padding" };
  const text = presignedUrl(token);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return { error: "token does not hold a URL" };
  }
  const local = LOCAL_HOST.test(url.hostname) || (ownHost !== undefined && url.hostname === ownHost);
  if (url.protocol !== "https:" && !(local && url.protocol === "http:"))
    return { error: `unexpected scheme "${url.protocol.replace(":", "")}" in pre-signed URL` };
  if (!STS_HOST.test(url.host) && !local) return { error: `unexpected hostname "${url.host}" in pre-signed URL` };
  if (url.pathname !== "/") return { error: "unexpected path in pre-signed URL" };
  return checkQuery(url.searchParams, clocksMs);
}

/** Is a token signed at this time honoured by one of the clocks? */
export const isFresh = (signedAtMs: number, clocksMs: readonly number[]): boolean =>
  clocksMs.some((nowMs) => nowMs - signedAtMs <= MAX_AGE_MS && signedAtMs - nowMs <= MAX_SKEW_MS);

function checkQuery(query: URLSearchParams, clocksMs: readonly number[]): EksTokenResult {
  const parameters = new Map<string, string>();
  for (const [name, value] of query) {
    const key = name.toLowerCase();
    if (parameters.has(key)) return { error: `query parameter with multiple values not supported: "${name}"` };
    if (!ALLOWED_PARAMETERS.has(key)) return { error: `non-whitelisted query parameter "${name}"` };
    parameters.set(key, value);
  }
  if (parameters.get("action") !== "GetCallerIdentity")
    return { error: "unexpected action parameter in pre-signed URL" };
  const signedHeaders = (parameters.get("x-amz-signedheaders") ?? "").split(";");
  if (!signedHeaders.includes(CLUSTER_HEADER))
    return { error: `client did not sign the ${CLUSTER_HEADER} header in the pre-signed URL` };
  const expires = parameters.get("x-amz-expires") ?? "";
  if (!/^\d+$/.test(expires) || Number(expires) > 900)
    return { error: "invalid X-Amz-Expires parameter in pre-signed URL" };
  const signedAtMs = parseAmzDate(parameters.get("x-amz-date") ?? "");
  if (signedAtMs === undefined) return { error: "X-Amz-Date parameter is missing or malformed in pre-signed URL" };
  if (!isFresh(signedAtMs, clocksMs)) return { error: "X-Amz-Date parameter is expired" };
  const scope = /^([^/]+)\/\d{8}\/([^/]+)\/sts\/aws4_request$/.exec(parameters.get("x-amz-credential") ?? "");
  if (!scope) return { error: "X-Amz-Credential parameter is missing or malformed in pre-signed URL" };
  if (!/^[0-9a-f]{64}$/.test(parameters.get("x-amz-signature") ?? ""))
    return { error: "X-Amz-Signature parameter is missing or malformed in pre-signed URL" };
  const sessionToken = parameters.get("x-amz-security-token");
  return {
    claims: {
      accessKeyId: scope[1] as string,
      region: scope[2] as string,
      signedAtMs,
      ...(sessionToken ? { sessionToken } : {}),
    },
  };
}
