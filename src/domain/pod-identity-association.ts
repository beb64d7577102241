/** A service account of a cluster and the IAM role whose credentials its pods are given. */
export interface PodIdentityAssociationRecord {
  clusterId: string;
  clusterName: string;
  /** `a-` and 17 lower-case letters and digits. */
  id: string;
  arn: string;
  namespace: string;
  serviceAccount: string;
  roleArn: string;
  /** A second role that the first one assumes, in whatever account. */
  targetRoleArn?: string;
  /** What the target role's trust policy can ask for; made with the target role. */
  externalId?: string;
  disableSessionTags: boolean;
  /** Session policy, JSON. */
  policy?: string;
  /** ARN of the add-on that it belongs to, which alone may change it. */
  ownerArn?: string;
  tags: Record<string, string>;
  createdAtMs: number;
  modifiedAtMs: number;
}
