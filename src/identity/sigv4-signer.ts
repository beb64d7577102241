/** AWS Signature Version 4, the client's side: what eksim's own demo, drills and test library sign their calls with. */
import { canonicalPath, percentEncode, sha256Hex, signatureOf } from "./sigv4.js";

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  /** Of temporary credentials. */
  sessionToken?: string;
}

const stamp = (epochMs: number): string => `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;

function canonicalQuery(url: URL): string {
  return [...url.searchParams]
    .map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`)
    .sort()
    .join("&");
}

/** Headers for a request whose parameters are all in the path, the query and a JSON body. `nowMs` is the machine's time. */
export function signedHeaders(options: {
  method: string;
  url: URL;
  body?: string;
  service: string;
  region: string;
  credentials: Credentials;
  nowMs: number;
}): Record<string, string> {
  const { method, url, body = "", service, region, credentials } = options;
  const dateTime = stamp(options.nowMs);
  const headers: Record<string, string> = {
    "content-type": "application/json",
    host: url.host,
    "x-amz-date": dateTime,
    ...(credentials.sessionToken ? { "x-amz-security-token": credentials.sessionToken } : {}),
  };
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    canonicalPath(url.pathname),
    canonicalQuery(url),
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    names.join(";"),
    sha256Hex(body),
  ].join("\n");
  const scope = `${dateTime.slice(0, 8)}/${region}/${service}/aws4_request`;
  const signed = signatureOf(credentials.secretAccessKey, dateTime, scope, canonical);
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${names.join(";")}, Signature=${signed}`,
  };
}

/**
 * Signature of a presigned GET as it is in the query, except for X-Amz-Signature itself. `headers` are the signed ones, in lower case. Undefined when the
 * query says too little to sign.
 */
export function presignedSignature(
  url: URL,
  headers: Readonly<Record<string, string>>,
  secret: string,
): string | undefined {
  const signed = new URL(url);
  signed.searchParams.delete("X-Amz-Signature");
  const [, ...scope] = (signed.searchParams.get("X-Amz-Credential") ?? "").split("/");
  const dateTime = signed.searchParams.get("X-Amz-Date");
  if (scope.length !== 4 || !dateTime) return undefined;
  const names = Object.keys(headers).sort();
  const canonical = [
    "GET",
    signed.pathname,
    canonicalQuery(signed),
    ...names.map((name) => `${name}:${headers[name]}`),
    "",
    names.join(";"),
    sha256Hex(""),
  ].join("\n");
  return signatureOf(secret, dateTime, scope.join("/"), canonical);
}

/** A token as `aws eks get-token` makes it: a presigned GetCallerIdentity URL that carries the cluster's name in a signed header. */
export function createEksToken(options: {
  clusterName: string;
  region: string;
  credentials: Credentials;
  nowMs: number;
}): string {
  const { clusterName, region, credentials } = options;
  const dateTime = stamp(options.nowMs);
  const scope = `${dateTime.slice(0, 8)}/${region}/sts/aws4_request`;
  const url = new URL(`https://sts.${region}.amazonaws.com/`);
  const parameters = {
    Action: "GetCallerIdentity",
    Version: "2011-06-15",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${credentials.accessKeyId}/${scope}`,
    "X-Amz-Date": dateTime,
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
    ...(credentials.sessionToken ? { "X-Amz-Security-Token": credentials.sessionToken } : {}),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const signed = presignedSignature(url, { host: url.host, "x-k8s-aws-id": clusterName }, credentials.secretAccessKey);
  url.searchParams.set("X-Amz-Signature", signed ?? "");
  return `k8s-aws-v1.${Buffer.from(url.href).toString("base64url")}`;
}
