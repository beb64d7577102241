/** The service account token of a pod as EKS Auth takes it: bound to the pod, for this audience, of this cluster. */
import type { ClusterRecord } from "../../domain/model.js";
import { POD_IDENTITY_PRINCIPAL } from "../../domain/pod-identity.js";
import type { ClusterIssuers, IssuerVerdict } from "../../identity/cluster-issuers.js";
import { audiencesOf, type Jwt } from "../../identity/jwt.js";
import { EksAuthError } from "./errors.js";

export interface PodToken {
  namespace: string;
  serviceAccount: string;
  pod: { name: string; uid: string };
  /** Absent before the pod was scheduled. */
  nodeName?: string;
}

type Refusal = Extract<IssuerVerdict, { refusal: string }>["refusal"];

const REFUSALS: Readonly<Record<Refusal, ConstructorParameters<typeof EksAuthError>>> = {
  malformed: ["InvalidTokenException", "The service account token is not a valid JWT."],
  "other-issuer": ["InvalidTokenException", "The service account token was not issued by this cluster."],
  "no-keys": ["ServiceUnavailableException", "The keys of the cluster's issuer cannot be had at the moment."],
  "wrong-signature": ["InvalidTokenException", "The signature of the service account token is not valid."],
  "not-yet-valid": ["InvalidTokenException", "The service account token is not valid yet."],
  expired: ["ExpiredTokenException", "The service account token has expired."],
};

/** Throws InvalidTokenException, ExpiredTokenException or ServiceUnavailableException. */
export async function readPodToken(issuers: ClusterIssuers, cluster: ClusterRecord, token: string): Promise<PodToken> {
  const verdict = await issuers.judge(cluster, token);
  if ("refusal" in verdict) throw new EksAuthError(...REFUSALS[verdict.refusal]);
  const { claims } = verdict.jwt;
  if (!audiencesOf(claims).includes(POD_IDENTITY_PRINCIPAL)) {
    throw new EksAuthError(
      "InvalidTokenException",
      `The audience of the service account token must be ${POD_IDENTITY_PRINCIPAL}.`,
    );
  }
  return podOf(claims);
}

interface KubernetesClaim {
  namespace?: string;
  serviceaccount?: { name?: string };
  pod?: { name?: string; uid?: string };
  node?: { name?: string };
}

function podOf(claims: Jwt["claims"]): PodToken {
  const { namespace, serviceaccount, pod, node } = (claims["kubernetes.io"] ?? {}) as KubernetesClaim;
  if (!namespace || !serviceaccount?.name || !pod?.name || !pod.uid)
    throw new EksAuthError("InvalidTokenException", "The service account token is not bound to a pod.");
  return {
    namespace,
    serviceAccount: serviceaccount.name,
    pod: { name: pod.name, uid: pod.uid },
    ...(node?.name ? { nodeName: node.name } : {}),
  };
}
