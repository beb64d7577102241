/** Images of the self-managed add-ons: EKS's own registry in the cluster's region, in the build that new clusters of a version get. */
const REGISTRY_ACCOUNT = "602401143452";

/** Default builds by cluster version: vpc-cni, coredns, kube-proxy. */
const BUILDS: Readonly<Record<string, readonly [string, string, string]>> = {
  "1.36": ["v1.23.1-eksbuild.1", "v1.14.3-eksbuild.11", "v1.36.0-minimal-eksbuild.25"],
  "1.35": ["v1.21.1-eksbuild.1", "v1.14.3-eksbuild.11", "v1.35.3-minimal-eksbuild.2"],
  "1.34": ["v1.20.5-eksbuild.1", "v1.12.4-eksbuild.10", "v1.34.6-minimal-eksbuild.2"],
  "1.33": ["v1.20.5-eksbuild.1", "v1.12.4-eksbuild.10", "v1.33.10-minimal-eksbuild.2"],
  "1.32": ["v1.20.5-eksbuild.1", "v1.11.4-eksbuild.40", "v1.32.13-minimal-eksbuild.5"],
  "1.31": ["v1.20.5-eksbuild.1", "v1.11.4-eksbuild.40", "v1.31.14-minimal-eksbuild.9"],
  "1.30": ["v1.20.5-eksbuild.1", "v1.11.4-eksbuild.33", "v1.30.14-minimal-eksbuild.28"],
};
const NEWEST = "1.36";

export interface AddonImages {
  cni: string;
  cniInit: string;
  networkPolicyAgent: string;
  coredns: string;
  kubeProxy: string;
}

export function addonImages(region: string, version: string): AddonImages {
  const [cni, coredns, kubeProxy] = BUILDS[version] ?? (BUILDS[NEWEST] as [string, string, string]);
  const registry = `${REGISTRY_ACCOUNT}.dkr.ecr.${region}.amazonaws.com`;
  return {
    cni: `${registry}/amazon-k8s-cni:${cni}`,
    cniInit: `${registry}/amazon-k8s-cni-init:${cni}`,
    networkPolicyAgent: `${registry}/amazon/aws-network-policy-agent:v1.3.1-eksbuild.1`,
    coredns: `${registry}/eks/coredns:${coredns}`,
    kubeProxy: `${registry}/eks/kube-proxy:${kubeProxy}`,
  };
}
