/** The cluster as kind is told to make it: three masters in three zones, with EKS's settings of the control plane. */
import type { ClusterSpec } from "../backend.js";
import { type Pace, pace } from "./pace.js";

/** Where the webhook's configuration is, in the machines and in the API servers. */
export const AUTHN_PATH = "/etc/kubernetes/authn";
export const WEBHOOK_FILES = {
  authentication: "authentication.json",
  authorization: "authorization.json",
  authorizers: "authorizers.json",
} as const;

/** How long an API server believes an answer of the webhook: what is changed in IAM or in access entries shall count soon. */
const WEBHOOK_CACHE = "5s";

/** The range that the EKS guide proposes for pods, as on the embedded backend; a range of its own in clusters of IPv6. */
export const POD_SUBNETS = { ipv4: "100.64.0.0/10", ipv6: "fd00:10:64::/56" } as const;

export interface KindConfig {
  kind: "Cluster";
  apiVersion: "kind.x-k8s.io/v1alpha4";
  name: string;
  networking: {
    apiServerAddress: string;
    apiServerPort: number;
    ipFamily: "ipv4" | "ipv6";
    podSubnet: string;
    serviceSubnet: string;
  };
  kubeadmConfigPatches: string[];
  nodes: {
    role: "control-plane";
    labels: Record<string, string>;
    extraMounts: { hostPath: string; containerPath: string; readOnly: boolean }[];
  }[];
}

export interface KindConfigOptions {
  kindName: string;
  port: number;
  /** Directory of this machine with the webhook's configuration. */
  authnDir: string;
  /** The machine has cgroup v1, which kubelets from 1.35 on refuse unless told otherwise. */
  cgroupV1: boolean;
  /** Simulated seconds a second. */
  speed: number;
}

/** Patches are JSON, which is YAML too. They name no apiVersion: kind then takes arguments as a map, whatever version of kubeadm's own it writes. */
export function kindConfig(spec: ClusterSpec, options: KindConfigOptions): KindConfig {
  const family = spec.serviceCidr.includes(":") ? "ipv6" : "ipv4";
  const waits = pace(options.speed);
  const kubelet = { ...(options.cgroupV1 ? { failCgroupV1: false } : {}), ...waits.kubelet };
  return {
    kind: "Cluster",
    apiVersion: "kind.x-k8s.io/v1alpha4",
    name: options.kindName,
    networking: {
      apiServerAddress: "127.0.0.1",
      apiServerPort: options.port,
      ipFamily: family,
      podSubnet: POD_SUBNETS[family],
      serviceSubnet: spec.serviceCidr,
    },
    kubeadmConfigPatches: [
      JSON.stringify(clusterConfiguration(spec, waits)),
      ...(Object.keys(kubelet).length > 0 ? [JSON.stringify({ kind: "KubeletConfiguration", ...kubelet })] : []),
    ],
    nodes: spec.members.map(({ zone }) => ({
      role: "control-plane",
      labels: zoneLabels(spec.region, zone),
      extraMounts: [{ hostPath: options.authnDir, containerPath: AUTHN_PATH, readOnly: true }],
    })),
  };
}

export const zoneLabels = (region: string, zone: string): Record<string, string> => ({
  "topology.kubernetes.io/region": region,
  "topology.kubernetes.io/zone": zone,
});

function clusterConfiguration({ oidcIssuer, version }: ClusterSpec, waits: Pace): unknown {
  return {
    kind: "ClusterConfiguration",
    apiServer: {
      extraArgs: {
        "authentication-token-webhook-config-file": `${AUTHN_PATH}/${WEBHOOK_FILES.authentication}`,
        "authentication-token-webhook-version": "v1",
        "authentication-token-webhook-cache-ttl": WEBHOOK_CACHE,
        ...authorizationArguments(version),
        "service-account-issuer": oidcIssuer,
        "service-account-jwks-uri": `${oidcIssuer}/keys`,
        "api-audiences": `https://kubernetes.default.svc,${oidcIssuer}`,
        // Beyond Kubernetes' own defaults; source: the user guide on platform versions.
        "enable-admission-plugins": "NodeRestriction,ExtendedResourceToleration",
        profiling: "false",
        ...waits.apiServer,
      },
      extraVolumes: [
        { name: "authn", hostPath: AUTHN_PATH, mountPath: AUTHN_PATH, readOnly: true, pathType: "DirectoryOrCreate" },
      ],
    },
    controllerManager: { extraArgs: { profiling: "false", ...waits.controllerManager } },
    scheduler: { extraArgs: { profiling: "false" } },
  };
}

/** First version whose API servers read the authorizers from a file of version v1. */
const READS_AUTHORIZERS = 32;

/** EKS asks its access policies after RBAC. */
function authorizationArguments(version: string): Record<string, string> {
  if (Number(version.split(".")[1]) >= READS_AUTHORIZERS) {
    return { "authorization-config": `${AUTHN_PATH}/${WEBHOOK_FILES.authorizers}` };
  }
  return {
    "authorization-mode": "Node,RBAC,Webhook",
    "authorization-webhook-config-file": `${AUTHN_PATH}/${WEBHOOK_FILES.authorization}`,
    "authorization-webhook-version": "v1",
    "authorization-webhook-cache-authorized-ttl": WEBHOOK_CACHE,
    "authorization-webhook-cache-unauthorized-ttl": WEBHOOK_CACHE,
  };
}

/** What the webhook puts into the users that it authenticates; access policies are for nobody else. */
const IAM_USERS = "has(request.extra) && 'canonicalArn' in request.extra";

/**
 * The authorizers in their order. A webhook that does not answer makes an API server answer 500 where it would have refused: only users of IAM are asked
 * for, so that nothing else changes while eksim is down.
 */
export const authorizers = (): unknown => ({
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AuthorizationConfiguration",
  authorizers: [
    { type: "Node", name: "node" },
    { type: "RBAC", name: "rbac" },
    {
      type: "Webhook",
      name: "eks-access-policies",
      webhook: {
        authorizedTTL: WEBHOOK_CACHE,
        unauthorizedTTL: WEBHOOK_CACHE,
        timeout: "3s",
        subjectAccessReviewVersion: "v1",
        matchConditionSubjectAccessReviewVersion: "v1",
        failurePolicy: "NoOpinion",
        connectionInfo: { type: "KubeConfigFile", kubeConfigFile: `${AUTHN_PATH}/${WEBHOOK_FILES.authorization}` },
        matchConditions: [{ expression: IAM_USERS }],
      },
    },
  ],
});
