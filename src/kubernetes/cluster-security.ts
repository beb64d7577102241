import type { Clock } from "../clock/clock.js";
import { certificateApprovals } from "./admission/certificates.js";
import { assertTokenForOwnPod } from "./admission/node-restriction.js";
import type { AdmissionPlugin } from "./admission/plugin.js";
import type { KubeApi } from "./api.js";
import { aggregateClusterRoles } from "./auth/aggregate-cluster-roles.js";
import { createCertificateAuthenticator } from "./auth/client-certificates.js";
import { rbacEscalation } from "./auth/escalation.js";
import { createNodeAuthorizer } from "./auth/node-authorizer.js";
import { createRbacAuthorizer } from "./auth/rbac.js";
import { handleReview } from "./auth/reviews.js";
import { createServiceAccountTokens } from "./auth/service-account-tokens.js";
import { tokenSecretsController } from "./auth/token-secrets.js";
import { NODE } from "./bootstrap/cluster-roles.js";
import type { ClusterOptions, ClusterTls } from "./cluster.js";
import type { Controller } from "./controller.js";
import { certificateController } from "./controllers/certificates/certificates.js";
import { notFound } from "./errors.js";
import type { KubeObject } from "./object.js";
import type { AuthenticationTokenRequest, Pod } from "./schema/generated/types.js";
import type { AccessAttributes, AuthenticationResult, Authorizer, TokenAuthenticator } from "./security.js";
import { isAllowed } from "./server/authorize.js";
import type { ServerDependencies } from "./server/context.js";

const CERTIFICATE_CONTROLLER = "system:serviceaccount:kube-system:certificate-controller";

type ServerSecurity = Required<
  Pick<
    ServerDependencies,
    | "tokenAuthenticators"
    | "certificateAuthenticator"
    | "authorizers"
    | "review"
    | "createToken"
    | "jwks"
    | "openidConfiguration"
  >
>;

/** Who may do what in a cluster, put together of what Kubernetes itself knows (service account tokens, nodes, RBAC) and of judges outside of it. */
export interface ClusterSecurity {
  server: ServerSecurity;
  /** Run after all other admission plugins. */
  admission: readonly AdmissionPlugin[];
  controllers: readonly Controller[];
  /** A token for a pod's service account, bound to the pod, as its kubelet asks for it. */
  issuePodToken(pod: Pod, request: { audience: string | undefined; expirationSeconds: number }): Promise<string>;
  stop(): void;
}

export function createClusterSecurity({
  api,
  clock,
  options,
  tls,
}: {
  api: KubeApi;
  clock: Clock;
  options: Pick<
    ClusterOptions,
    | "tokenAuthenticators"
    | "authorizers"
    | "serviceAccountKey"
    | "serviceAccountKeyName"
    | "serviceAccountIssuer"
    | "servingSigners"
  >;
  /** The certificates of now. */
  tls(): Pick<ClusterTls, "caCert" | "caKey">;
}): ClusterSecurity {
  const { serviceAccountKey, serviceAccountKeyName: keyName, serviceAccountIssuer: issuer } = options;
  const tokens = createServiceAccountTokens({ serviceAccountKey, keyName, issuer, clock, api });
  const rbac = createRbacAuthorizer({ api });
  const outside: readonly TokenAuthenticator[] = options.tokenAuthenticators ?? [];
  const authorizers: readonly Authorizer[] = [
    createNodeAuthorizer({ api, rules: NODE }),
    ...(options.authorizers ?? []),
    rbac,
  ];
  const allowed = (attributes: AccessAttributes): boolean => isAllowed(authorizers, attributes).allowed;
  const { servingSigners = [] } = options;
  /** No role speaks of the signers that this cluster has beside Kubernetes' own. */
  const isOwnSigner = ({ user, verb, resource }: AccessAttributes): boolean =>
    user.username === CERTIFICATE_CONTROLLER && verb === "sign" && servingSigners.includes(resource?.name ?? "");

  /** For TokenReviews: outside tokens are good for the API server alone, service account tokens for the audiences they name. */
  async function authenticate(token: string, audiences: readonly string[]): Promise<AuthenticationResult | undefined> {
    const own = await tokens.authenticate(token, audiences);
    if (own) return own;
    for (const authenticator of outside) {
      const result = await authenticator.authenticate(token);
      if (result) return result;
    }
    return undefined;
  }

  return {
    server: {
      // kube-apiserver's order, too: service accounts come most often, and whose their tokens are is seen at a glance.
      tokenAuthenticators: [tokens.authenticator, ...outside],
      authorizers,
      review: (kind, object, user) =>
        handleReview(kind, object, user, {
          isAllowed: (attributes) => isAllowed(authorizers, attributes),
          rbac,
          authenticate,
          audiences: tokens.audiences,
          nowMs: () => clock.now(),
        }),
      certificateAuthenticator: createCertificateAuthenticator({ clock, caCert: () => tls().caCert }),
      createToken: (serviceAccount, request, user) => {
        assertTokenForOwnPod(user, serviceAccount, request, { api, isAllowed: allowed });
        return tokens.issue(serviceAccount, request);
      },
      jwks: () => tokens.jwks(),
      openidConfiguration: () => tokens.openidConfiguration(),
    },
    async issuePodToken({ metadata, spec }, { audience, expirationSeconds }) {
      const { namespace, name, uid } = metadata;
      const account = api.get("serviceaccounts", { namespace, name: spec?.serviceAccountName ?? "default" });
      if (!account) throw notFound("", "serviceaccounts", spec?.serviceAccountName ?? "default");
      const issued = await tokens.issue(account, {
        metadata: { name: account.metadata.name, namespace },
        spec: {
          audiences: audience ? [audience] : [],
          expirationSeconds,
          boundObjectRef: { kind: "Pod", apiVersion: "v1", name, uid },
        },
      } as unknown as KubeObject);
      return (issued as unknown as AuthenticationTokenRequest).status?.token ?? "";
    },
    admission: [
      rbacEscalation({ rbac, isAllowed: allowed }),
      certificateApprovals((attributes) => isOwnSigner(attributes) || allowed(attributes)),
    ],
    controllers: [
      aggregateClusterRoles,
      tokenSecretsController({ tokens }),
      certificateController({ authority: tls, isAllowed: allowed, servingSigners }),
    ],
    stop: () => rbac.stop(),
  };
}
