/** The ConfigMap in which a cluster maps IAM principals to Kubernetes users. */
export const AWS_AUTH = { namespace: "kube-system", name: "aws-auth" } as const;
