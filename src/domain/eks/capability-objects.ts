/**
 * What a capability brings into the cluster: the definitions of its custom resources, and Argo CD's namespace. Of ACK the services that clusters are
 * most often given are listed, each with its main resources; the names are those of the projects.
 */
import { customResource } from "../addons/custom-resource.js";
import type { Manifest } from "../addons/manifest.js";
import type { CapabilityRecord, CapabilityType } from "../capability.js";

interface Group {
  group: string;
  version: string;
  /** Kinds by plural; with an asterisk those that belong to no namespace. */
  kinds: Readonly<Record<string, string>>;
  shortNames?: Readonly<Record<string, string[]>>;
}

const ACK_SERVICES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  acm: { certificates: "Certificate" },
  apigatewayv2: { apis: "API", integrations: "Integration", routes: "Route", stages: "Stage" },
  cloudwatchlogs: { loggroups: "LogGroup" },
  dynamodb: { backups: "Backup", globaltables: "GlobalTable", tables: "Table" },
  ec2: {
    elasticipaddresses: "ElasticIPAddress",
    instances: "Instance",
    internetgateways: "InternetGateway",
    natgateways: "NATGateway",
    routetables: "RouteTable",
    securitygroups: "SecurityGroup",
    subnets: "Subnet",
    vpcendpoints: "VPCEndpoint",
    vpcs: "VPC",
  },
  ecr: { pullthroughcacherules: "PullThroughCacheRule", repositories: "Repository" },
  eks: {
    accessentries: "AccessEntry",
    addons: "Addon",
    clusters: "Cluster",
    fargateprofiles: "FargateProfile",
    nodegroups: "Nodegroup",
    podidentityassociations: "PodIdentityAssociation",
  },
  elasticache: { cacheclusters: "CacheCluster", replicationgroups: "ReplicationGroup" },
  iam: { groups: "Group", instanceprofiles: "InstanceProfile", policies: "Policy", roles: "Role", users: "User" },
  kms: { aliases: "Alias", grants: "Grant", keys: "Key" },
  lambda: { aliases: "Alias", functions: "Function", layerversions: "LayerVersion", versions: "Version" },
  rds: {
    dbclusters: "DBCluster",
    dbinstances: "DBInstance",
    dbparametergroups: "DBParameterGroup",
    dbsubnetgroups: "DBSubnetGroup",
  },
  route53: { hostedzones: "HostedZone", recordsets: "RecordSet" },
  s3: { buckets: "Bucket" },
  secretsmanager: { secrets: "Secret" },
  sns: { platformapplications: "PlatformApplication", subscriptions: "Subscription", topics: "Topic" },
  sqs: { queues: "Queue" },
};

const GROUPS: Readonly<Record<CapabilityType, readonly Group[]>> = {
  ARGOCD: [
    {
      group: "argoproj.io",
      version: "v1alpha1",
      kinds: { applications: "Application", applicationsets: "ApplicationSet", appprojects: "AppProject" },
      shortNames: {
        applications: ["app", "apps"],
        applicationsets: ["appset", "appsets"],
        appprojects: ["appproj", "appprojs"],
      },
    },
  ],
  KRO: [
    {
      group: "kro.run",
      version: "v1alpha1",
      kinds: { resourcegraphdefinitions: "ResourceGraphDefinition*" },
      shortNames: { resourcegraphdefinitions: ["rgd"] },
    },
  ],
  ACK: [
    {
      group: "services.k8s.aws",
      version: "v1alpha1",
      kinds: { fieldexports: "FieldExport", iamroleselectors: "IAMRoleSelector*" },
    },
    ...Object.entries(ACK_SERVICES).map(([service, kinds]) => ({
      group: `${service}.services.k8s.aws`,
      version: "v1alpha1",
      kinds,
    })),
  ],
};

const definitionsOf = ({ group, version, kinds, shortNames }: Group): Manifest[] =>
  Object.entries(kinds).map(([plural, kind]) =>
    customResource({
      group,
      version,
      kind: kind.replace("*", ""),
      plural,
      scope: kind.endsWith("*") ? "Cluster" : "Namespaced",
      ...(shortNames?.[plural] ? { shortNames: shortNames[plural] } : {}),
    }),
  );

export function capabilityObjects({
  type,
  configuration,
}: Pick<CapabilityRecord, "type" | "configuration">): Manifest[] {
  const definitions = GROUPS[type].flatMap(definitionsOf);
  const namespace = configuration.argoCd?.namespace;
  if (namespace === undefined) return definitions;
  return [
    { resource: "namespaces", object: { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } } },
    ...definitions,
  ];
}
