/**
 * Tokens that `aws eks get-token` makes: `k8s-aws-v1.` and, in base64url, a presigned GetCallerIdentity URL. The checks are those of
 * aws-iam-authenticator's verifier, in its order and, as far as they are known, in its words; what it leaves to STS is in `eks-token-identity`.
 */
import { partitionOf } from "../domain/eks/arns.js";
import { isHonoured, TOKEN_LIFE_MS } from "../domain/eks/token-times.js";
import { parseAmzDate } from "./sigv4.js";

const PREFIX = "k8s-aws-v1.";
/** Longest token looked at, in bytes. */
const MAX_TOKEN_BYTES = 4096;
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

/** The regional host of STS: plain, FIPS or dual-stack; and the region in it. */
const REGIONAL_HOST =
  /^sts(-fips)?\.([a-z]{2}(?:-[a-z]+)+-\d)\.(amazonaws\.com(?:\.cn)?|api\.aws|api\.amazonwebservices\.com\.cn)$/;

const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  "aws-cn": ["amazonaws.com.cn", "api.amazonwebservices.com.cn"],
};
const USUAL_SUFFIXES: readonly string[] = ["amazonaws.com", "api.aws"];

/** Is it a host of STS in this partition? The global one is of `aws` alone, and China has no FIPS. */
function isStsHost(host: string, partition: string): boolean {
  if (host === "sts.amazonaws.com") return partition === "aws";
  const [, fips, region = "", suffix = ""] = REGIONAL_HOST.exec(host) ?? [];
  if (region === "" || partitionOf({ region }) !== partition) return false;
  return (SUFFIXES[partition] ?? USUAL_SUFFIXES).includes(suffix) && !(fips && partition === "aws-cn");
}

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

/** As the verifier begins what it says of a token's form. */
const refused = (why: string): { error: string } => ({ error: `input token was not properly formatted: ${why}` });

/** True when the token has the form of an EKS token at all: others belong to other authenticators. */
export const isEksToken = (token: string): boolean => token.startsWith(PREFIX);

/** The presigned URL inside a token, as text. */
export const presignedUrl = (token: string): string =>
  Buffer.from(token.slice(PREFIX.length), "base64url").toString("utf8");

/**
 * Judges a token's form. `clocksMs` are the times at which it may be fresh: the simulated one and, where that one does not run with the machine's, the
 * machine's own, because the signer only knows that. `ownHost` is a name under which this emulator is reached beside the loopback ones; `partition` the
 * cluster's.
 */
export function checkEksToken(
  token: string,
  clocksMs: readonly number[],
  ownHost?: string,
  partition = "aws",
): EksTokenResult {
  if (token.length > MAX_TOKEN_BYTES || Buffer.byteLength(token) > MAX_TOKEN_BYTES)
    return refused("token is too large");
  if (!isEksToken(token)) return refused(`token is missing expected "${PREFIX}" prefix`);
  const encoded = token.slice(PREFIX.length);
  // A rest of one character stands for no whole byte.
  if (!/^[A-Za-z0-9_-]+$/.test(encoded) || encoded.length % 4 === 1)
    return refused("token is not base64url without padding");
  const text = presignedUrl(token);
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return refused("token does not hold a URL");
  }
  const local = LOCAL_HOST.test(url.hostname) || (ownHost !== undefined && url.hostname === ownHost);
  if (url.protocol !== "https:" && !(local && url.protocol === "http:"))
    return refused(`unexpected scheme "${url.protocol.replace(":", "")}" in pre-signed URL`);
  if ((!local && !isStsHost(url.host, partition)) || url.username !== "" || url.password !== "")
    return refused(`unexpected hostname "${url.host}" in pre-signed URL`);
  if (url.pathname !== "/") return refused("unexpected path in pre-signed URL");
  if (!isWellFormedQuery(text)) return refused("malformed query parameter");
  return checkQuery(url.searchParams, clocksMs);
}

/** Every escape is one: browsers' parsers let others through. */
const isWellFormedQuery = (url: string): boolean => !/%(?![0-9A-Fa-f]{2})/.test(url) && !/[;#]/.test(url);

/** Is a token signed at this time honoured by one of the clocks? */
export const isFresh = (signedAtMs: number, clocksMs: readonly number[]): boolean =>
  clocksMs.some((nowMs) => isHonoured(signedAtMs - nowMs));

/** Why a token is none any more, or not yet. */
export const staleness = (signedAtMs: number): { error: string } =>
  refused(
    `X-Amz-Date parameter is expired (${TOKEN_LIFE_MS / 60_000} minute expiration) ${new Date(signedAtMs).toISOString().slice(0, 19).replace("T", " ")} +0000 UTC`,
  );

function checkQuery(query: URLSearchParams, clocksMs: readonly number[]): EksTokenResult {
  const parameters = new Map<string, string>();
  for (const [name, value] of query) {
    const key = name.toLowerCase();
    if (!ALLOWED_PARAMETERS.has(key)) return refused(`non-whitelisted query parameter "${name.slice(0, 64)}"`);
    if (parameters.has(key)) return refused("query parameter with multiple values not supported");
    parameters.set(key, value);
  }
  if (parameters.get("action") !== "GetCallerIdentity") return refused("unexpected action parameter in pre-signed URL");
  const signedHeaders = (parameters.get("x-amz-signedheaders") ?? "").toLowerCase().split(";");
  if (!signedHeaders.includes(CLUSTER_HEADER))
    return refused(`client did not sign the ${CLUSTER_HEADER} header in the pre-signed URL`);
  const expires = parameters.get("x-amz-expires") ?? "";
  if (!/^[+-]?\d+$/.test(expires) || Number(expires) < 0 || Number(expires) > 900)
    return refused(`invalid X-Amz-Expires parameter in pre-signed URL: ${Number.parseInt(expires, 10) || 0}`);
  const date = parameters.get("x-amz-date") ?? "";
  if (date === "") return refused("X-Amz-Date parameter must be present in pre-signed URL");
  const signedAtMs = parseAmzDate(date);
  if (signedAtMs === undefined) return refused("X-Amz-Date parameter is malformed in pre-signed URL");
  if (!isFresh(signedAtMs, clocksMs)) return staleness(signedAtMs);
  // From here on it is STS that refuses.
  if (parameters.get("version") !== "2011-06-15")
    return stsError("InvalidAction", "Could not find operation GetCallerIdentity for that version");
  if (parameters.get("x-amz-algorithm") !== "AWS4-HMAC-SHA256")
    return stsError("IncompleteSignature", "X-Amz-Algorithm is not AWS4-HMAC-SHA256");
  const scope = /^([^/]+)\/(\d{8})\/([^/]+)\/sts\/aws4_request$/.exec(parameters.get("x-amz-credential") ?? "");
  if (!scope) return stsError("IncompleteSignature", "X-Amz-Credential is missing or malformed");
  if (!date.startsWith(scope[2] as string))
    return stsError("SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from X-Amz-Date");
  if (!/^[0-9a-f]{64}$/.test(parameters.get("x-amz-signature") ?? ""))
    return stsError("IncompleteSignature", "X-Amz-Signature is missing or malformed");
  const sessionToken = parameters.get("x-amz-security-token");
  return {
    claims: {
      accessKeyId: scope[1] as string,
      region: scope[3] as string,
      signedAtMs,
      ...(sessionToken ? { sessionToken } : {}),
    },
  };
}

/** As the verifier tells what STS said. */
export const stsError = (code: string, message: string): { error: string } => ({
  error: `sts getCallerIdentity failed: error from AWS (expected 200, got ${code === "InvalidAction" || code === "IncompleteSignature" ? 400 : 403}): ${code}: ${message}`,
});
