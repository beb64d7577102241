import type { ClusterRecord } from "../domain/model.js";
import { checkEksToken, isEksToken } from "./eks-token.js";
import { type Principal, principalOfAccessKey } from "./principal.js";

/** A Kubernetes user as authentication gives it; `system:authenticated` is added by the API server. */
export interface KubernetesUser {
  username: string;
  uid: string;
  groups: string[];
  extra: Record<string, string[]>;
}

const CANONICAL_ARN = "canonicalArn";

/** The user of an authenticated principal in a cluster, before anything grants it rights. */
function kubernetesUser(principal: Principal, username: string, groups: string[]): KubernetesUser {
  return {
    username,
    uid: `aws-iam-authenticator:${principal.accountId}:${principal.userId}`,
    groups,
    extra: {
      accessKeyId: [principal.accessKeyId],
      arn: [principal.arn],
      [CANONICAL_ARN]: [principal.arn],
      principalId: [principal.userId],
      sessionName: [""],
      "sigs.k8s.io/aws-iam-authenticator/principalId": [principal.userId],
    },
  };
}

/**
 * Maps a principal to its Kubernetes user. In CONFIG_MAP mode the creator is the invisible `kubernetes-admin` of system:masters; with access entries
 * the creator's STANDARD entry gives it its ARN as user name and no group. Every other principal is known by its ARN and has no rights of its own.
 */
export function mapPrincipal(cluster: ClusterRecord, principal: Principal): KubernetesUser {
  if (principal.arn === cluster.creatorArn && cluster.accessConfig.authenticationMode === "CONFIG_MAP") {
    return kubernetesUser(principal, "kubernetes-admin", ["system:masters"]);
  }
  return kubernetesUser(principal, principal.arn, []);
}

/** Whether the creator's access entry carries AmazonEKSClusterAdminPolicy for the whole cluster. */
function creatorIsAdmin(cluster: ClusterRecord): boolean {
  return (
    cluster.accessConfig.authenticationMode !== "CONFIG_MAP" &&
    cluster.accessConfig.bootstrapClusterCreatorAdminPermissions
  );
}

export interface ClusterAccess {
  /** `undefined`: not an EKS token. Never throws. */
  authenticate(token: string): { user: KubernetesUser } | { error: string } | undefined;
  /** The authorizer of EKS access policies, which stands beside RBAC. */
  authorize(user: { extra?: Readonly<Record<string, readonly string[]>> }): {
    decision: "allow" | "no-opinion";
    reason: string;
  };
}

/**
 * IAM's side of one cluster's API server. `cluster` is asked at every decision, so that changed access configuration counts at once;
 * `ownHost` is a name under which this emulator is reached, where it stands in for STS.
 */
export function createClusterAccess(options: {
  cluster: () => ClusterRecord | undefined;
  clock: { kind: string; now(): number; wallNow(): number };
  ownHost?: string;
}): ClusterAccess {
  const { clock } = options;
  return {
    authenticate(token) {
      if (!isEksToken(token)) return undefined;
      const cluster = options.cluster();
      if (!cluster) return { error: "the cluster is gone" };
      const clocksMs = clock.kind === "real" ? [clock.now()] : [clock.now(), clock.wallNow()];
      const result = checkEksToken(token, clocksMs, options.ownHost);
      if ("error" in result) return result;
      return { user: mapPrincipal(cluster, principalOfAccessKey(result.claims.accessKeyId)) };
    },
    authorize(user) {
      const cluster = options.cluster();
      if (cluster && creatorIsAdmin(cluster) && user.extra?.[CANONICAL_ARN]?.[0] === cluster.creatorArn) {
        return { decision: "allow", reason: "EKS access policy AmazonEKSClusterAdminPolicy" };
      }
      return { decision: "no-opinion", reason: "" };
    },
  };
}
