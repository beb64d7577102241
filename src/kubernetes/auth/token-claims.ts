/** What is written in a service account token, and whom it makes. Claims as in kube-apiserver's pkg/serviceaccount. */
import type { UserInfo } from "../api.js";

export interface NamedObject {
  name: string;
  uid: string;
}

/** The private claim `kubernetes.io`. */
export interface KubernetesClaim {
  namespace: string;
  serviceaccount: NamedObject;
  pod?: NamedObject;
  secret?: NamedObject;
  node?: NamedObject;
  warnafter?: number;
}

export interface Claims {
  aud: string[];
  exp: number;
  iat: number;
  iss: string;
  jti: string;
  "kubernetes.io": KubernetesClaim;
  nbf: number;
  sub: string;
}

export const isBoundClaims = (claims: Record<string, unknown>): claims is Record<string, unknown> & Claims => {
  const own = claims["kubernetes.io"] as KubernetesClaim | undefined;
  return (
    typeof claims.exp === "number" &&
    Array.isArray(claims.aud) &&
    typeof own?.namespace === "string" &&
    typeof own.serviceaccount?.name === "string"
  );
};

/** Whom a token with these claims is. */
export function userOf({ namespace, serviceaccount, pod, node }: KubernetesClaim, jti?: string): UserInfo {
  const extra: Record<string, string[]> = {
    ...(jti ? { "authentication.kubernetes.io/credential-id": [`JTI=${jti}`] } : {}),
    ...(node
      ? { "authentication.kubernetes.io/node-name": [node.name], "authentication.kubernetes.io/node-uid": [node.uid] }
      : {}),
    ...(pod
      ? { "authentication.kubernetes.io/pod-name": [pod.name], "authentication.kubernetes.io/pod-uid": [pod.uid] }
      : {}),
  };
  return {
    username: `system:serviceaccount:${namespace}:${serviceaccount.name}`,
    uid: serviceaccount.uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`],
    extra,
  };
}
