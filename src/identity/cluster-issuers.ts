/** Tokens of clusters' service accounts, checked by the keys that their issuers publish: what STS and EKS Auth do with them. */
import { oidcIssuer } from "../domain/eks/arns.js";
import type { ClusterRecord } from "../domain/model.js";
import { audiencesOf, isSignedByOneOf, type Jwk, type Jwt, parseJwt } from "./jwt.js";
import type { WebIdentity, WebIdentityRefusal, WebIdentityVerifier } from "./web-identity.js";

export interface ClusterIssuers {
  /** The cluster of an issuer's URL: `https://oidc.eks.<region>.amazonaws.com/id/<ID>`. */
  clusterOf(issuer: string): ClusterRecord | undefined;
  /** The cluster of an issuer's id, in whatever case. */
  clusterOfId(id: string): ClusterRecord | undefined;
  /** Its public keys; undefined while nobody can tell, such as at the start, before its Kubernetes is there again. */
  keysOf(cluster: ClusterRecord): Promise<readonly Jwk[] | undefined>;
  /** Checks signature and times of a cluster's token. Says nothing of audiences. */
  judge(cluster: ClusterRecord, token: string): Promise<IssuerVerdict>;
  /** For STS. */
  verify: WebIdentityVerifier;
}

export type IssuerVerdict =
  | { jwt: Jwt }
  | { refusal: "malformed" | "other-issuer" | "no-keys" | "wrong-signature" | "not-yet-valid" | "expired" };

/** `cluster` finds one by its id; `keysOf` as ClusterBackend.issuerKeys. */
export function createClusterIssuers(options: {
  cluster: (id: string) => ClusterRecord | undefined;
  keysOf: (cluster: ClusterRecord) => Promise<readonly Jwk[] | undefined>;
  clock: { now(): number };
}): ClusterIssuers {
  const { clock, keysOf } = options;

  /** Ids are upper-case hex digits, and unique over accounts and regions. */
  const clusterOfId = (id: string): ClusterRecord | undefined => {
    if (!/^[0-9A-F]{32}$/i.test(id)) return undefined;
    const cluster = options.cluster(id.toUpperCase());
    // The issuer exists from about the time when the endpoint does.
    return cluster?.endpoint ? cluster : undefined;
  };

  const clusterOf = (issuer: string): ClusterRecord | undefined => {
    const cluster = clusterOfId(/\/id\/([^/]+)$/.exec(issuer)?.[1] ?? "");
    return cluster && oidcIssuer(cluster) === issuer ? cluster : undefined;
  };

  const judge = async (cluster: ClusterRecord, token: string): Promise<IssuerVerdict> => {
    const jwt = parseJwt(token);
    if (!jwt) return { refusal: "malformed" };
    const { iss, exp, nbf } = jwt.claims;
    if (iss !== oidcIssuer(cluster)) return { refusal: "other-issuer" };
    const keys = await keysOf(cluster);
    if (!keys) return { refusal: "no-keys" };
    if (!isSignedByOneOf(jwt, keys)) return { refusal: "wrong-signature" };
    const seconds = clock.now() / 1000;
    if (typeof exp !== "number") return { refusal: "malformed" };
    if (exp <= seconds) return { refusal: "expired" };
    if (typeof nbf === "number" && nbf > seconds) return { refusal: "not-yet-valid" };
    return { jwt };
  };

  return {
    clusterOf,
    clusterOfId,
    keysOf,
    judge,
    verify: async (token, issuer) => {
      const cluster = clusterOf(issuer);
      if (!cluster) return undefined;
      const verdict = await judge(cluster, token);
      return "jwt" in verdict ? webIdentity(verdict.jwt) : stsRefusal(verdict.refusal, token, clock.now());
    },
  };
}

const webIdentity = ({ claims }: Jwt): WebIdentity => ({
  issuer: String(claims.iss),
  subject: String(claims.sub ?? ""),
  audience: audiencesOf(claims),
  claims,
});

/** STS's words, as far as they are known. */
function stsRefusal(
  refusal: Extract<IssuerVerdict, { refusal: string }>["refusal"],
  token: string,
  nowMs: number,
): WebIdentityRefusal {
  const seconds = (claim: string): number => Math.floor(Number(parseJwt(token)?.claims[claim]));
  const now = Math.floor(nowMs / 1000);
  switch (refusal) {
    case "expired":
      return {
        error: "ExpiredTokenException",
        message: `Token expired: current date/time ${now} must be before the expiration date/time ${seconds("exp")}`,
      };
    case "not-yet-valid":
      return {
        error: "InvalidIdentityToken",
        message: `Token is not valid yet: current date/time ${now} must be after the not-before date/time ${seconds("nbf")}`,
      };
    case "no-keys":
      return {
        error: "IDPCommunicationError",
        message: "The keys of the identity provider cannot be had at the moment",
      };
    case "wrong-signature":
      return {
        error: "InvalidIdentityToken",
        message: "Provided Token's signature could not be verified with the keys of its issuer",
      };
    default:
      return { error: "InvalidIdentityToken", message: "The ID Token provided is not a valid JWT." };
  }
}
