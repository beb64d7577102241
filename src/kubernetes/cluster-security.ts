import type { Clock } from "../clock/clock.js";
import type { AdmissionPlugin } from "./admission/plugin.js";
import type { KubeApi } from "./api.js";
import { aggregateClusterRoles } from "./auth/aggregate-cluster-roles.js";
import { rbacEscalation } from "./auth/escalation.js";
import { createRbacAuthorizer } from "./auth/rbac.js";
import { handleReview } from "./auth/reviews.js";
import { createServiceAccountTokens } from "./auth/service-account-tokens.js";
import { tokenSecretsController } from "./auth/token-secrets.js";
import type { ClusterOptions } from "./cluster.js";
import type { Controller } from "./controller.js";
import type { AuthenticationResult, Authorizer, TokenAuthenticator } from "./security.js";
import { isAllowed } from "./server/authorize.js";
import type { ServerDependencies } from "./server/context.js";

type ServerSecurity = Required<
  Pick<
    ServerDependencies,
    "tokenAuthenticators" | "authorizers" | "review" | "createToken" | "jwks" | "openidConfiguration"
  >
>;

/** Who may do what in a cluster, put together: outside judges first, then what Kubernetes itself knows (service account tokens, RBAC). */
export interface ClusterSecurity {
  server: ServerSecurity;
  /** Run after all other admission plugins. */
  admission: readonly AdmissionPlugin[];
  controllers: readonly Controller[];
  stop(): void;
}

export function createClusterSecurity({
  api,
  clock,
  options,
}: {
  api: KubeApi;
  clock: Clock;
  options: Pick<ClusterOptions, "tokenAuthenticators" | "authorizers" | "serviceAccountKey" | "serviceAccountIssuer">;
}): ClusterSecurity {
  const { serviceAccountKey, serviceAccountIssuer: issuer } = options;
  const tokens = createServiceAccountTokens({ serviceAccountKey, issuer, clock, api });
  const rbac = createRbacAuthorizer({ api });
  const outside: readonly TokenAuthenticator[] = options.tokenAuthenticators ?? [];
  const authorizers: readonly Authorizer[] = [...(options.authorizers ?? []), rbac];

  /** For TokenReviews: outside tokens are good for the API server alone, service account tokens for the audiences they name. */
  async function authenticate(token: string, audiences: readonly string[]): Promise<AuthenticationResult | undefined> {
    for (const authenticator of outside) {
      const result = await authenticator.authenticate(token);
      if (result) return result;
    }
    return tokens.authenticate(token, audiences);
  }

  return {
    server: {
      tokenAuthenticators: [...outside, tokens.authenticator],
      authorizers,
      review: (kind, object, user) =>
        handleReview(kind, object, user, {
          isAllowed: (attributes) => isAllowed(authorizers, attributes),
          rbac,
          authenticate,
          audiences: tokens.audiences,
          nowMs: () => clock.now(),
        }),
      createToken: (serviceAccount, request) => tokens.issue(serviceAccount, request),
      jwks: () => tokens.jwks(),
      openidConfiguration: () => tokens.openidConfiguration(),
    },
    admission: [rbacEscalation({ rbac, isAllowed: (attributes) => isAllowed(authorizers, attributes).allowed })],
    controllers: [aggregateClusterRoles, tokenSecretsController({ tokens })],
    stop: () => rbac.stop(),
  };
}
