/** What goes wrong with a call, in the words of Go's HTTP client. */

/** Why a call failed: the part of the message that comes after `failed to call webhook: `. */
export class WebhookCallError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WebhookCallError";
  }
}

/** The pod that would answer runs an image of which the simulator knows nothing: what it would say cannot be known. */
export class UnknownServerError extends WebhookCallError {}

const UNTRUSTED = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_GET_ISSUER_CERT",
  "CERT_SIGNATURE_FAILURE",
]);

const X509 = "tls: failed to verify certificate: x509";

/** Go's words for what went wrong. */
export function reasonOf(error: unknown, address: string, serverName: string): string {
  if (error instanceof WebhookCallError) return error.message;
  const { code = "", message, cert } = error as NodeJS.ErrnoException & { cert?: { subjectaltname?: string } };
  if (UNTRUSTED.has(code)) return `${X509}: certificate signed by unknown authority`;
  switch (code) {
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return `${X509}: certificate has expired or is not yet valid`;
    case "ERR_TLS_CERT_ALTNAME_INVALID": {
      const names = cert?.subjectaltname?.replace(/(?:DNS|IP Address):/g, "");
      return `${X509}: certificate is ${names ? `valid for ${names}, ` : "not valid for any names, but wanted to match "}${names ? "not " : ""}${serverName}`;
    }
    case "ECONNREFUSED":
      return `dial tcp ${address}: connect: connection refused`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `dial tcp: lookup ${address.replace(/:\d+$/, "")}: no such host`;
    case "ETIMEDOUT":
      return `dial tcp ${address}: i/o timeout`;
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return `dial tcp ${address}: connect: no route to host`;
    case "EPROTO":
    case "ERR_SSL_WRONG_VERSION_NUMBER":
      return "http: server gave HTTP response to HTTPS client";
    case "ECONNRESET":
    case "EPIPE":
      return "EOF";
    default:
      return message;
  }
}
