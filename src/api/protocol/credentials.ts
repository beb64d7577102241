/** What SigV4 says about a request before any signature is checked: who signed it, and for which region and service. */
import { DomainError } from "../../domain/errors.js";

export interface SignedBy {
  accessKeyId: string;
  /** `YYYYMMDD` */
  date: string;
  region: string;
  service: string;
  /** Lower-case names, in the order given. */
  signedHeaders: string[];
  signature: string;
  /** Of a presigned request: what its query says beside. */
  presigned?: { stamp: string; expiresSeconds: string };
  /** Came along with temporary credentials. */
  sessionToken?: string;
}

const ALGORITHM = "AWS4-HMAC-SHA256";

const incomplete = (message: string): DomainError => new DomainError("IncompleteSignatureException", message);

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * Reads the Authorization header, or the query of a presigned request. Throws MissingAuthenticationTokenException when there is neither and
 * IncompleteSignatureException when what is there is not SigV4.
 */
export function readCredentials(headers: Headers, query: string): SignedBy {
  const { authorization } = headers;
  if (typeof authorization === "string" && authorization !== "") {
    const sessionToken = headers["x-amz-security-token"];
    return { ...fromHeader(authorization), ...(typeof sessionToken === "string" ? { sessionToken } : {}) };
  }
  if (query.includes("X-Amz-Credential=")) return fromQuery(query);
  throw new DomainError("MissingAuthenticationTokenException", "Missing Authentication Token");
}

function fromHeader(authorization: string): SignedBy {
  const space = authorization.indexOf(" ");
  const scheme = space < 0 ? authorization : authorization.slice(0, space);
  if (scheme !== ALGORITHM) throw incomplete(`Unsupported authorization scheme '${scheme}': eksim reads ${ALGORITHM}`);
  const parts: Record<string, string> = {};
  for (const part of authorization.slice(space + 1).split(",")) {
    const at = part.indexOf("=");
    if (at < 0)
      throw incomplete(`'${part.trim()}' not a valid key=value pair (missing equal-sign) in Authorization header`);
    parts[part.slice(0, at).trim()] = part.slice(at + 1).trim();
  }
  return fromParts((name) => parts[name], "Authorization header");
}

function fromQuery(query: string): SignedBy {
  const parameters = new URLSearchParams(query);
  const algorithm = parameters.get("X-Amz-Algorithm");
  if (algorithm !== ALGORITHM) throw incomplete(`Unsupported X-Amz-Algorithm '${algorithm}': eksim reads ${ALGORITHM}`);
  const sessionToken = parameters.get("X-Amz-Security-Token");
  return {
    ...fromParts((name) => parameters.get(`X-Amz-${name}`) ?? undefined, "Query string"),
    presigned: { stamp: parameters.get("X-Amz-Date") ?? "", expiresSeconds: parameters.get("X-Amz-Expires") ?? "" },
    ...(sessionToken === null ? {} : { sessionToken }),
  };
}
function fromParts(part: (name: string) => string | undefined, where: string): SignedBy {
  const missing = ["Credential", "SignedHeaders", "Signature"].filter((name) => !part(name));
  if (missing.length > 0) throw incomplete(missing.map((name) => `${where} requires '${name}' parameter.`).join(" "));
  const credential = part("Credential") ?? "";
  const [accessKeyId = "", date = "", region = "", service = "", terminator, ...rest] = credential.split("/");
  if (
    terminator !== "aws4_request" ||
    rest.length > 0 ||
    !/^\d{8}$/.test(date) ||
    !accessKeyId ||
    !region ||
    !service
  ) {
    throw incomplete(
      `Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request, got '${credential}'`,
    );
  }
  return {
    accessKeyId,
    date,
    region,
    service,
    signedHeaders: (part("SignedHeaders") ?? "").split(";"),
    signature: part("Signature") ?? "",
  };
}
