/** Policies that AWS manages: those that EKS users attach, with what of them is judged here. */

const allow = (...actions: string[]): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: actions, Resource: "*" }] });

/** Path and name -> document. The actions are shortened to those of services that something here may ask about. */
const DOCUMENTS: Readonly<Record<string, string>> = {
  AdministratorAccess: allow("*"),
  PowerUserAccess: JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", NotAction: ["iam:*", "organizations:*", "account:*"], Resource: "*" },
      {
        Effect: "Allow",
        Action: ["iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles"],
        Resource: "*",
      },
    ],
  }),
  ReadOnlyAccess: allow("eks:Describe*", "eks:List*", "iam:Get*", "iam:List*", "sts:Get*", "ec2:Describe*"),
  IAMFullAccess: allow("iam:*"),
  IAMReadOnlyAccess: allow("iam:Get*", "iam:List*", "iam:Generate*", "iam:Simulate*"),
  AmazonEKSClusterPolicy: allow("autoscaling:*", "ec2:*", "elasticloadbalancing:*", "kms:DescribeKey"),
  AmazonEKSServicePolicy: allow("ec2:*", "eks:UpdateClusterVersion", "route53:AssociateVPCWithHostedZone", "logs:*"),
  AmazonEKSVPCResourceController: allow("ec2:*"),
  AmazonEKSWorkerNodePolicy: allow("ec2:Describe*", "eks:DescribeCluster", "eks-auth:AssumeRoleForPodIdentity"),
  AmazonEKSWorkerNodeMinimalPolicy: allow("eks-auth:AssumeRoleForPodIdentity"),
  AmazonEKS_CNI_Policy: allow("ec2:*"),
  AmazonEC2ContainerRegistryReadOnly: allow("ecr:Get*", "ecr:Describe*", "ecr:List*", "ecr:Batch*"),
  AmazonEC2ContainerRegistryPullOnly: allow(
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
  ),
  AmazonEKSFargatePodExecutionRolePolicy: allow(
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
  ),
  AmazonEKSComputePolicy: allow("ec2:*", "iam:PassRole"),
  AmazonEKSBlockStoragePolicy: allow("ec2:*"),
  AmazonEKSLoadBalancingPolicy: allow("elasticloadbalancing:*", "ec2:Describe*"),
  AmazonEKSNetworkingPolicy: allow("ec2:*"),
  AmazonEKSLocalOutpostClusterPolicy: allow("ec2:*", "ssm:*"),
  AmazonSSMManagedInstanceCore: allow("ssm:*", "ssmmessages:*", "ec2messages:*"),
  CloudWatchAgentServerPolicy: allow("cloudwatch:PutMetricData", "logs:*", "ec2:Describe*"),
  AmazonS3ReadOnlyAccess: allow("s3:Get*", "s3:List*", "s3:Describe*"),
  AmazonS3FullAccess: allow("s3:*"),
  AmazonDynamoDBFullAccess: allow("dynamodb:*"),
  AmazonSQSFullAccess: allow("sqs:*"),
  "service-role/AmazonEBSCSIDriverPolicy": allow("ec2:*"),
  "service-role/AmazonEBSCSIDriverPolicyV2": allow("ec2:*"),
  "service-role/AmazonEFSCSIDriverPolicy": allow("elasticfilesystem:*"),
  "aws-service-role/AmazonEKSServiceRolePolicy": allow("ec2:*", "iam:*"),
  "aws-service-role/AWSServiceRoleForAmazonEKSNodegroup": allow("ec2:*", "autoscaling:*"),
  "aws-service-role/AmazonEKSForFargateServiceRolePolicy": allow("ec2:*"),
};

/** `arn:aws:iam::aws:policy/...` */
export const isAwsManaged = (arn: string): boolean => /^arn:aws[\w-]*:iam::aws:policy\/[\w+=,.@/-]+$/.test(arn);

const nameOf = (arn: string): string => arn.slice(arn.indexOf(":policy/") + ":policy/".length);

/** The document of a policy that AWS manages; undefined for those that are not known here. */
export const awsManagedDocument = (arn: string): string | undefined =>
  isAwsManaged(arn) ? DOCUMENTS[nameOf(arn)] : undefined;

/** Paths with names of all that are known. */
export const awsManagedPolicies = (): string[] => Object.keys(DOCUMENTS);
