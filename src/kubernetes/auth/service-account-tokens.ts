/**
 * Service account tokens: issued through the TokenRequest API (bound to a pod, secret or node, limited in time) or for Secrets of the legacy type, and accepted
 * again as bearer tokens while everything they are bound to still exists. Claims and rules: kube-apiserver's pkg/serviceaccount.
 */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type Clock, formatSeconds } from "../../clock/clock.js";
import type { Random } from "../../clock/random.js";
import type { KubeApi } from "../api.js";
import { badRequest, conflict, invalid, notFound } from "../errors.js";
import type { KubeObject } from "../object.js";
import { invalidValue } from "../registry/strategies/field.js";
import type {
  AuthenticationTokenRequest,
  BoundObjectReference,
  Pod,
  Secret,
  ServiceAccount,
} from "../schema/generated/types.js";
import type { AuthenticationResult, TokenAuthenticator } from "../security.js";
import {
  type Jwks,
  jwksOf,
  openidConfigurationOf,
  type SigningKey,
  signingKey,
  unverifiedClaims,
} from "./signing-key.js";
import { type Claims, isBoundClaims, type KubernetesClaim, type NamedObject, userOf } from "./token-claims.js";

const LEAST_SECONDS = 600;
const MOST_SECONDS = 2 ** 32;
const DEFAULT_SECONDS = 3600;
/** What the ServiceAccount admission plugin asks for: such tokens live on for old clients that read them once, with a note of when to worry. */
const EXTENDED_FROM_SECONDS = 3607;
const EXTENDED_SECONDS = 365 * 24 * 3600;
/** How long a deleted object still vouches for its tokens. */
const DELETION_LEEWAY_MS = 60_000;
const LEGACY_ISSUER = "kubernetes/serviceaccount";
const LEGACY = "kubernetes.io/serviceaccount/";
const VERIFIED_TOKENS = 2000;

export const SERVICE_ACCOUNT_TOKEN_TYPE = "kubernetes.io/service-account-token";

export interface ServiceAccountTokens {
  /** Fills the status of a TokenRequest. Refusals are StatusErrors. */
  issue(serviceAccount: KubeObject, request: KubeObject): Promise<KubeObject>;
  /** The never-ending token of a legacy Secret. */
  issueForSecret(serviceAccount: ServiceAccount, secret: Pick<Secret, "metadata">): Promise<string>;
  authenticator: TokenAuthenticator;
  /** As the authenticator, for other audiences than the API server's own. */
  authenticate(token: string, audiences: readonly string[]): Promise<AuthenticationResult | undefined>;
  /** The API server's own audiences. */
  audiences: readonly string[];
  jwks(): Promise<Jwks>;
  openidConfiguration(): Record<string, unknown>;
}

export interface TokenDependencies {
  /** PEM, PKCS#8; asked for at the first use only. */
  serviceAccountKey: () => Promise<string>;
  /** As of `signingKey`. */
  keyName?: ((publicKey: Buffer) => string) | undefined;
  issuer: string;
  /** Where the issuer's keys are; default `<issuer>/keys`. */
  jwksUri?: string;
  /** Default: the issuer and the API server's name inside the cluster. */
  audiences?: readonly string[];
  clock: Clock;
  api: Pick<KubeApi, "get">;
}

export function createServiceAccountTokens({
  serviceAccountKey,
  keyName,
  issuer,
  jwksUri,
  audiences,
  clock,
  api,
}: TokenDependencies): ServiceAccountTokens {
  const own = audiences ?? [issuer, "https://kubernetes.default.svc"];
  /** Claims of tokens whose signature has been checked, by the hash of the token. */
  const verified = new LRUCache<string, Record<string, unknown>>({ max: VERIFIED_TOKENS });
  let pending: Promise<SigningKey> | undefined;
  let random: Random | undefined;

  const key = (): Promise<SigningKey> => {
    pending ??= serviceAccountKey()
      .then((pem) => signingKey(pem, keyName))
      .catch((error: unknown) => {
        pending = undefined;
        throw error;
      });
    return pending;
  };
  const jti = (): string => {
    random ??= clock.random(`service-account-tokens/${clock.now()}`);
    return random.uuid();
  };

  async function claimsOf(token: string): Promise<Record<string, unknown> | undefined> {
    const hash = createHash("sha256").update(token).digest("base64");
    const known = verified.get(hash);
    if (known) return known;
    const claims = (await key()).verify(token);
    if (claims) verified.set(hash, claims);
    return claims;
  }

  /** Undefined while the object still vouches for its tokens, else why not. */
  function gone(resource: string, namespace: string | undefined, { name, uid }: NamedObject): string | undefined {
    const object = api.get(resource, { namespace, name });
    if (!object) return `${resource} ${name} no longer exists`;
    if (uid && object.metadata.uid !== uid) return `${resource} ${name} is another one than the token was made for`;
    const { deletionTimestamp } = object.metadata;
    if (deletionTimestamp && Date.parse(deletionTimestamp) + DELETION_LEEWAY_MS < clock.now())
      return `${resource} ${name} has been deleted`;
    return undefined;
  }

  function judgeBound(claims: Claims, wanted: readonly string[]): AuthenticationResult {
    const seconds = clock.now() / 1000;
    if (claims.exp <= seconds) return { error: "service account token has expired" };
    if (claims.nbf > seconds) return { error: "service account token is not valid yet" };
    if (!claims.aud.some((audience) => wanted.includes(audience))) {
      return {
        error: `token audiences ${JSON.stringify(claims.aud)} is invalid for the target audiences ${JSON.stringify(wanted)}`,
      };
    }
    const { namespace, serviceaccount, pod, secret, node } = claims["kubernetes.io"];
    const why =
      gone("serviceaccounts", namespace, serviceaccount) ??
      (pod && gone("pods", namespace, pod)) ??
      (secret && gone("secrets", namespace, secret)) ??
      // A node is only looked at when the token is bound to it alone: a pod dies with its own.
      (node && !pod ? gone("nodes", undefined, node) : undefined);
    return why ? { error: why } : { user: userOf(claims["kubernetes.io"], claims.jti) };
  }

  function judgeLegacy(claims: Record<string, unknown>, token: string): AuthenticationResult {
    const text = (name: string): string => String(claims[`${LEGACY}${name}`] ?? "");
    const namespace = text("namespace");
    const serviceaccount = { name: text("service-account.name"), uid: text("service-account.uid") };
    const secret = api.get<Secret>("secrets", { namespace, name: text("secret.name") });
    const stored = secret?.data?.token;
    if (!secret || stored === undefined || Buffer.from(stored, "base64").toString() !== token)
      return { error: "the secret of this token no longer holds it" };
    const why =
      gone("serviceaccounts", namespace, serviceaccount) ??
      gone("secrets", namespace, { name: secret.metadata.name, uid: secret.metadata.uid });
    return why ? { error: why } : { user: userOf({ namespace, serviceaccount }) };
  }

  async function authenticate(token: string, wanted: readonly string[]): Promise<AuthenticationResult | undefined> {
    const said = unverifiedClaims(token)?.iss;
    if (said !== issuer && said !== LEGACY_ISSUER) return undefined;
    const claims = await claimsOf(token);
    if (!claims) return { error: "the signature of this token is not this cluster's" };
    if (said === LEGACY_ISSUER) return judgeLegacy(claims, token);
    return isBoundClaims(claims) ? judgeBound(claims, wanted) : { error: "service account token lacks claims" };
  }

  /** The objects a token is bound to, as claims. */
  function bind(
    account: ServiceAccount,
    reference: BoundObjectReference | undefined,
  ): Pick<KubernetesClaim, "pod" | "secret" | "node"> {
    if (!reference) return {};
    const { kind, name = "", uid } = reference;
    const { namespace } = account.metadata;
    const found = <T extends KubeObject>(
      resource: string,
      scope: string | undefined,
    ): { object: T; claim: NamedObject } => {
      const object = api.get<T>(resource, { namespace: scope, name });
      if (!object) throw notFound("", resource, name);
      if (uid && uid !== object.metadata.uid) {
        const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
        throw conflict("", resource, name, why);
      }
      return { object, claim: { name, uid: object.metadata.uid } };
    };
    switch (kind) {
      case "Pod": {
        const { object, claim } = found<Pod>("pods", namespace);
        if ((object.spec?.serviceAccountName || "default") !== account.metadata.name) {
          throw badRequest(
            `cannot bind token for serviceaccount "${account.metadata.name}" to pod running with different serviceaccount name.`,
          );
        }
        const node = object.spec?.nodeName ? api.get("nodes", { name: object.spec.nodeName }) : undefined;
        return { pod: claim, ...(node ? { node: { name: node.metadata.name, uid: node.metadata.uid } } : {}) };
      }
      case "Secret":
        return { secret: found("secrets", namespace).claim };
      case "Node":
        return { node: found("nodes", undefined).claim };
      default:
        throw badRequest(`cannot bind token to object of type /v1, Kind=${kind ?? ""}`);
    }
  }

  return {
    audiences: own,
    authenticate,
    authenticator: { name: "service-account-token", authenticate: (token) => authenticate(token, own) },
    async issue(serviceAccount, request) {
      const account = serviceAccount as ServiceAccount;
      const { spec } = request as AuthenticationTokenRequest;
      const asked = spec?.expirationSeconds ?? DEFAULT_SECONDS;
      const causes = [
        ...(asked < LEAST_SECONDS
          ? [invalidValue("spec.expirationSeconds", asked, "may not specify a duration less than 10 minutes")]
          : []),
        ...(asked > MOST_SECONDS
          ? [invalidValue("spec.expirationSeconds", asked, "may not specify a duration larger than 2^32 seconds")]
          : []),
      ];
      if (causes.length > 0) throw invalid("authentication.k8s.io", "TokenRequest", "", causes);
      const bound = bind(account, spec?.boundObjectRef);
      const signer = await key();
      const iat = Math.floor(clock.now() / 1000);
      const aud = spec?.audiences?.length ? spec.audiences : [...own];
      const extended =
        asked === EXTENDED_FROM_SECONDS && bound.pod !== undefined && aud.every((audience) => own.includes(audience));
      const { namespace = "", name, uid } = account.metadata;
      const claims: Claims = {
        aud,
        exp: iat + (extended ? EXTENDED_SECONDS : asked),
        iat,
        iss: issuer,
        jti: jti(),
        "kubernetes.io": {
          namespace,
          ...bound,
          serviceaccount: { name, uid },
          ...(extended ? { warnafter: iat + asked } : {}),
        },
        nbf: iat,
        sub: `system:serviceaccount:${namespace}:${name}`,
      };
      return {
        ...request,
        metadata: { ...request.metadata, name, namespace, creationTimestamp: formatSeconds(clock.now()) },
        spec: { ...spec, audiences: aud, expirationSeconds: asked },
        status: { token: signer.sign(claims), expirationTimestamp: formatSeconds((iat + asked) * 1000) },
      };
    },
    async issueForSecret(account, secret) {
      const { namespace = "", name, uid } = account.metadata;
      return (await key()).sign({
        iss: LEGACY_ISSUER,
        [`${LEGACY}namespace`]: namespace,
        [`${LEGACY}secret.name`]: secret.metadata.name,
        [`${LEGACY}service-account.name`]: name,
        [`${LEGACY}service-account.uid`]: uid,
        sub: `system:serviceaccount:${namespace}:${name}`,
      });
    },
    jwks: async () => jwksOf([await key()]),
    openidConfiguration: () => openidConfigurationOf({ issuer, jwksUri: jwksUri ?? `${issuer}/keys` }),
  };
}
