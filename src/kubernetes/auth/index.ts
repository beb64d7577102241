/** Everything about who asks and what they may, put together for one cluster. */
import type { Clock } from "../../clock/clock.js";
import type { AdmissionPlugin } from "../admission/plugin.js";
import type { KubeApi, UserInfo } from "../api.js";
import type { Controller } from "../controller.js";
import type { KubeObject } from "../object.js";
import type { AccessAttributes, AuthenticationResult, Authorizer, TokenAuthenticator } from "../security.js";
import { aggregateClusterRoles } from "./aggregate-cluster-roles.js";
import { rbacEscalation } from "./escalation.js";
import { createRbacAuthorizer } from "./rbac.js";
import { handleReview } from "./reviews.js";
import { createServiceAccountTokens } from "./service-account-tokens.js";
import type { Jwks } from "./signing-key.js";
import { tokenSecretsController } from "./token-secrets.js";

export interface Auth {
  /** In the order to ask them: those given from outside, then RBAC. */
  authorizers: readonly Authorizer[];
  /** In the order to ask them: those given from outside, then service account tokens. */
  tokenAuthenticators: readonly TokenAuthenticator[];
  /** To run beside `admissionPlugins()`: what the rbac group's own registry does upstream. */
  admission: readonly AdmissionPlugin[];
  /** Loops that belong to this folder. */
  controllers: readonly Controller[];
  review(kind: string, object: KubeObject, user: UserInfo): Promise<KubeObject>;
  createToken(serviceAccount: KubeObject, request: KubeObject): Promise<KubeObject>;
  jwks(): Promise<Jwks>;
  openidConfiguration(): Record<string, unknown>;
  /** Stops watching roles and bindings. */
  stop(): void;
}

export interface AuthOptions {
  api: KubeApi;
  clock: Clock;
  /** PEM, PKCS#8; asked for when the first token is issued or checked. */
  serviceAccountKey: () => Promise<string>;
  serviceAccountIssuer: string;
  tokenAuthenticators?: readonly TokenAuthenticator[];
  authorizers?: readonly Authorizer[];
}

export function createAuth(options: AuthOptions): Auth {
  const { api, clock, serviceAccountKey, serviceAccountIssuer: issuer } = options;
  const rbac = createRbacAuthorizer({ api });
  const tokens = createServiceAccountTokens({ api, clock, issuer, serviceAccountKey });
  const authorizers = [...(options.authorizers ?? []), rbac];
  const outside = options.tokenAuthenticators ?? [];

  function isAllowed(attributes: AccessAttributes): { allowed: boolean; denied?: boolean; reason: string } {
    const reasons: string[] = [];
    for (const authorizer of authorizers) {
      const { decision, reason } = authorizer.authorize(attributes);
      if (decision === "allow") return { allowed: true, reason };
      if (reason) reasons.push(reason);
      if (decision === "deny") return { allowed: false, denied: true, reason: reasons.join(", ") };
    }
    return { allowed: false, reason: reasons.join(", ") };
  }

  async function authenticate(token: string, audiences: readonly string[]): Promise<AuthenticationResult | undefined> {
    for (const authenticator of outside) {
      const result = await authenticator.authenticate(token);
      if (result) return result;
    }
    return tokens.authenticate(token, audiences);
  }

  return {
    authorizers,
    tokenAuthenticators: [...outside, tokens.authenticator],
    admission: [rbacEscalation({ rbac, isAllowed: (attributes) => isAllowed(attributes).allowed })],
    controllers: [aggregateClusterRoles, tokenSecretsController({ tokens })],
    review: (kind, object, user) =>
      handleReview(kind, object, user, {
        isAllowed,
        rbac,
        authenticate,
        audiences: tokens.audiences,
        nowMs: () => clock.now(),
      }),
    createToken: (serviceAccount, request) => tokens.issue(serviceAccount, request),
    jwks: () => tokens.jwks(),
    openidConfiguration: () => tokens.openidConfiguration(),
    stop: () => rbac.stop(),
  };
}
