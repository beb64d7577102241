import {
  AssociateEncryptionConfigCommand,
  CreateClusterCommand,
  type CreateClusterCommandInput,
  DeleteClusterCommand,
  DescribeClusterCommand,
  ListClustersCommand,
  paginateListClusters,
  UpdateClusterConfigCommand,
  type UpdateClusterConfigCommandInput,
  waitUntilClusterActive,
} from "@aws-sdk/client-eks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CLUSTER, NOW, type Rig, refusal, SCOPE, startRig } from "../gateway-rig.js";

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

const create = (changes: Partial<CreateClusterCommandInput> = {}) =>
  rig.client.send(new CreateClusterCommand({ ...CLUSTER, ...changes }));
const update = (changes: Omit<UpdateClusterConfigCommandInput, "name">) =>
  rig.client.send(new UpdateClusterConfigCommand({ name: "demo", ...changes }));
const describeDemo = async () => (await rig.client.send(new DescribeClusterCommand({ name: "demo" }))).cluster;

describe("CreateCluster", () => {
  it("has the backend that its tag names, if there is such a one", async () => {
    await rig.close();
    rig = await startRig({ backendRefusal: (name) => (name === "kind" ? undefined : "there is none") });
    await create({ tags: { "eksim:backend": "kind" } });
    await create({ name: "usual", tags: { "eksim:backend": "embedded" } });
    const backendOf = (name: string) => rig.state.clusters.get({ ...SCOPE, name })?.backend;
    expect([backendOf("demo"), backendOf("usual")]).toEqual(["kind", "embedded"]);
    expect(await refusal(create({ name: "third", tags: { "eksim:backend": "minikube" } }))).toMatchObject({
      name: "InvalidParameterException",
      message: "The tag eksim:backend cannot be minikube: there is none",
    });
  });

  it("answers the cluster CREATING, without endpoint, issuer or security group, and with EKS's defaults", async () => {
    const { cluster } = await create();
    expect(cluster).toMatchObject({
      name: "demo",
      arn: "arn:aws:eks:us-east-1:000000000000:cluster/demo",
      createdAt: new Date(NOW),
      version: "1.36",
      platformVersion: "eks.8",
      status: "CREATING",
      resourcesVpcConfig: {
        subnetIds: ["subnet-a", "subnet-b", "subnet-c"],
        securityGroupIds: [],
        endpointPublicAccess: true,
        endpointPrivateAccess: false,
        publicAccessCidrs: ["0.0.0.0/0"],
      },
      kubernetesNetworkConfig: { serviceIpv4Cidr: "10.100.0.0/16", ipFamily: "ipv4" },
      logging: {
        clusterLogging: [
          { types: ["api", "audit", "authenticator", "controllerManager", "scheduler"], enabled: false },
        ],
      },
      certificateAuthority: {},
      tags: {},
      health: { issues: [] },
      accessConfig: { authenticationMode: "CONFIG_MAP", bootstrapClusterCreatorAdminPermissions: true },
      upgradePolicy: { supportType: "EXTENDED" },
      deletionProtection: false,
      controlPlaneScalingConfig: { tier: "standard" },
    });
    expect(cluster).not.toHaveProperty("endpoint");
    expect(cluster).not.toHaveProperty("identity");
    expect(cluster?.resourcesVpcConfig).not.toHaveProperty("clusterSecurityGroupId");
  });

  it("writes row, event and work in one go, and nudges the reconciler afterwards", async () => {
    await create();
    const row = rig.state.clusters.get({ ...SCOPE, name: "demo" });
    expect(row).toMatchObject({ status: "CREATING", creatorArn: "arn:aws:iam::000000000000:user/test" });
    expect(row?.id).toMatch(/^[0-9A-F]{32}$/);
    expect(rig.state.work.due(NOW, 10)).toMatchObject([{ kind: "cluster", key: row?.id }]);
    expect(rig.nudges).toEqual([["cluster", row?.id]]);
    const [event] = rig.state.events.read({ clusterName: "demo" });
    expect(event).toMatchObject({ source: "api", type: "CreateCluster", subject: "demo", ...SCOPE });
    expect(event?.detail).toMatchObject({ requestParameters: { name: "demo", roleArn: CLUSTER.roleArn } });
  });

  it("shows endpoint, certificate authority, issuer and security group once it is ACTIVE", async () => {
    await create();
    const { id } = rig.activate("demo");
    const { state } = await waitUntilClusterActive(
      { client: rig.client, maxWaitTime: 5, minDelay: 1 },
      { name: "demo" },
    );
    expect(state).toBe("SUCCESS");
    expect(await describeDemo()).toMatchObject({
      endpoint: "https://127.0.0.1:7001",
      identity: { oidc: { issuer: `https://oidc.eks.us-east-1.amazonaws.com/id/${id}` } },
      certificateAuthority: { data: Buffer.from("-----BEGIN CERTIFICATE-----").toString("base64") },
      resourcesVpcConfig: { clusterSecurityGroupId: expect.stringMatching(/^sg-[0-9a-f]{17}$/) },
    });
  });

  it("refuses a name that is taken, with the cluster's name beside the message", async () => {
    await create();
    expect(await refusal(create())).toEqual({
      name: "ResourceInUseException",
      message: "Cluster already exists with name: demo",
      status: 409,
      clusterName: "demo",
    });
  });

  it("gives the first answer again for the same token and parameters, whatever happened since", async () => {
    const first = await create({ clientRequestToken: "token-1" });
    rig.activate("demo");
    const again = await create({ clientRequestToken: "token-1" });
    expect(again.cluster).toEqual(first.cluster);
    expect(rig.state.events.read({ clusterName: "demo" })).toHaveLength(1);
  });

  it("forgets a token with the cluster that was made under it", async () => {
    await create({ clientRequestToken: "token-1" });
    await rig.clock.advance(1000);
    rig.state.clusters.remove({ ...SCOPE, name: "demo" });
    const { cluster } = await create({ clientRequestToken: "token-1", version: "1.35" });
    expect([cluster?.version, rig.state.clusters.count(SCOPE)]).toEqual(["1.35", 1]);
  });

  it("refuses a token that was used with other parameters", async () => {
    await create({ clientRequestToken: "token-1" });
    expect(await refusal(create({ clientRequestToken: "token-1", version: "1.35" }))).toMatchObject({
      name: "InvalidParameterException",
      message: expect.stringContaining("token-1"),
    });
  });

  it("leaves nothing behind when it refuses", async () => {
    await refusal(create({ version: "1.12" }));
    expect(rig.state.clusters.count(SCOPE)).toBe(0);
    expect(rig.state.events.read({})).toEqual([]);
    expect(rig.nudges).toEqual([]);
  });

  const vpc = (changes: object) => ({ resourcesVpcConfig: { ...CLUSTER.resourcesVpcConfig, ...changes } });
  const autoMode = {
    computeConfig: { enabled: true },
    storageConfig: { blockStorage: { enabled: true } },
    kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
  };
  const remote = (nodes: string[], pods: string[] = []) => ({
    accessConfig: { authenticationMode: "API" as const },
    remoteNetworkConfig: { remoteNodeNetworks: [{ cidrs: nodes }], remotePodNetworks: [{ cidrs: pods }] },
  });
  it.each<[string, Partial<CreateClusterCommandInput>, string]>([
    ["a version never offered", { version: "1.12" }, "unsupported Kubernetes version 1.12"],
    ["a patch version", { version: "1.36.0" }, "unsupported Kubernetes version 1.36.0"],
    ["a retired version", { version: "1.28" }, "unsupported Kubernetes version 1.28"],
    ["one subnet", vpc({ subnetIds: ["subnet-a"] }), "Subnets specified must be in at least two different AZs"],
    [
      "the same subnet twice",
      vpc({ subnetIds: ["subnet-a", "subnet-a"] }),
      "Subnets specified must be in at least two different AZs",
    ],
    ["no access at all", vpc({ endpointPublicAccess: false }), "Private and public endpoint access cannot be false"],
    [
      "a private range that may reach the endpoint",
      vpc({ publicAccessCidrs: ["10.0.0.0/8"] }),
      "The following CIDRs are not allowed in publicAccessCidrs: [10.0.0.0/8]",
    ],
    [
      "no CIDR at all",
      vpc({ publicAccessCidrs: ["1.2.3.4"] }),
      "The following CIDRs are invalid in publicAccessCidrs: [1.2.3.4]",
    ],
    [
      "services outside of RFC 1918",
      { kubernetesNetworkConfig: { serviceIpv4Cidr: "100.64.0.0/16" } },
      "serviceIpv4Cidr 100.64.0.0/16 must be within RFC1918 range",
    ],
    [
      "a service range of the wrong size",
      { kubernetesNetworkConfig: { serviceIpv4Cidr: "10.100.0.0/25" } },
      "serviceIpv4Cidr 10.100.0.0/25 must have netmask size between /12 and /24 inclusive",
    ],
    [
      "an IPv4 service range in an IPv6 cluster",
      { kubernetesNetworkConfig: { ipFamily: "ipv6", serviceIpv4Cidr: "10.100.0.0/16" } },
      'serviceIpv4Cidr cannot be specified when creating an "ipv6" cluster',
    ],
    [
      "a role that is none",
      { roleArn: "arn:aws:iam::000000000000:user/x" },
      "Invalid Role Arn: 'arn:aws:iam::000000000000:user/x'",
    ],
    [
      "encryption of other things than secrets",
      { encryptionConfig: [{ resources: ["pods"], provider: { keyArn: "arn:aws:kms:us-east-1:000000000000:key/x" } }] },
      "Invalid k8s resource for encryption",
    ],
    [
      "a key of another region",
      {
        encryptionConfig: [
          { resources: ["secrets"], provider: { keyArn: "arn:aws:kms:eu-west-1:000000000000:key/x" } },
        ],
      },
      "The keyArn for encryptionConfig is scoped to invalid aws region.",
    ],
    [
      "half of Auto Mode",
      { computeConfig: { enabled: true } },
      "For EKS Auto Mode, please ensure that all required configs, including computeConfig, kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled.",
    ],
    [
      "Auto Mode with the config map",
      autoMode,
      "When EKS Auto Mode is enabled, you must use an EKS access config authentication mode of API_AND_CONFIG_MAP or API",
    ],
    [
      "Auto Mode with self-managed add-ons",
      { ...autoMode, accessConfig: { authenticationMode: "API" } },
      "When EKS Auto Mode is enabled, bootstrapSelfManagedAddons must be set to false",
    ],
    [
      "node pools without a role",
      { computeConfig: { nodePools: ["system"] } },
      "When Compute Config nodeRoleArn is null or empty, nodePool list cannot be populated.",
    ],
    [
      "remote pods alone",
      remote([], ["10.1.0.0/16"]),
      "remoteNodeNetworks are required when specifying remoteNetworkConfig.",
    ],
    [
      "remote nodes at public addresses",
      remote(["8.8.0.0/16"]),
      "Invalid remote node network: CIDR 8.8.0.0/16 is not part of RFC 1918 or CGNAT",
    ],
    [
      "remote nodes where the services are",
      remote(["10.100.4.0/24"]),
      "Invalid remote node network: CIDR 10.100.4.0/24 overlaps with service CIDR 10.100.0.0/16",
    ],
    [
      "remote pods where the nodes are",
      remote(["192.168.0.0/24"], ["192.168.0.0/16"]),
      "Invalid remote pod network: CIDR 192.168.0.0/16 overlaps with already existing CIDR 192.168.0.0/24",
    ],
    [
      "remote networks with the config map",
      { ...remote(["192.168.0.0/24"]), accessConfig: {} },
      "AccessConfig AuthMode must be API_AND_CONFIG_MAP or API when remoteNetworkConfig is specified",
    ],
    ["a reserved tag", { tags: { "AWS:x": "y" } }, "aws: prefixed tag key names are not allowed for external use."],
  ])("refuses %s", async (_, changes, message) => {
    expect(await refusal(create(changes))).toMatchObject({ name: "InvalidParameterException", message, status: 400 });
  });

  it("refuses a role of another account before it looks at anything else", async () => {
    await create();
    const refused = await refusal(create({ roleArn: "arn:aws:iam::123456789012:role/eks", version: "1.12" }));
    expect(refused).toEqual({
      name: "AccessDeniedException",
      message: "Cross-account pass role is not allowed.",
      status: 403,
    });
  });

  it("says so when asked for what it cannot do", async () => {
    const outpostConfig = { outpostArns: ["arn:aws:outposts:::x"], controlPlaneInstanceType: "m5.large" };
    expect(await refusal(create({ outpostConfig }))).toMatchObject({ name: "NotImplementedException", status: 501 });
  });

  it("splits logging into what is on and what is off", async () => {
    const { cluster } = await create({ logging: { clusterLogging: [{ types: ["scheduler", "api"], enabled: true }] } });
    expect(cluster?.logging?.clusterLogging).toEqual([
      { types: ["api", "scheduler"], enabled: true },
      { types: ["audit", "authenticator", "controllerManager"], enabled: false },
    ]);
  });

  it("serves an IPv6 cluster from a unique local range", async () => {
    const { cluster } = await create({ kubernetesNetworkConfig: { ipFamily: "ipv6" } });
    expect(cluster?.kubernetesNetworkConfig?.serviceIpv6Cidr).toMatch(/^fd[0-9a-f]{2}:[0-9a-f]{4}:[0-9a-f]{4}::\/108$/);
    expect(cluster?.kubernetesNetworkConfig).not.toHaveProperty("serviceIpv4Cidr");
    expect(cluster?.resourcesVpcConfig?.publicAccessCidrs).toEqual(["0.0.0.0/0", "::/0"]);
  });
});

describe("strict mode", () => {
  it("refuses subnets that no service knows, after EKS's other rules", async () => {
    const strict = await startRig({ strict: true });
    try {
      const send = (changes: Partial<CreateClusterCommandInput>) =>
        strict.client.send(new CreateClusterCommand({ ...CLUSTER, ...changes }));
      expect(await refusal(send({}))).toMatchObject({ message: "The subnet ID 'subnet-a' does not exist" });
      expect(await refusal(send({ version: "1.12" }))).toMatchObject({
        message: "unsupported Kubernetes version 1.12",
      });
    } finally {
      await strict.close();
    }
  });
});

describe("DescribeCluster and ListClusters", () => {
  it("answers 404 for a name that does not exist", async () => {
    expect(await refusal(describeDemo())).toEqual({
      name: "ResourceNotFoundException",
      message: "No cluster found for name: demo.",
      status: 404,
      clusterName: "demo",
    });
  });

  it("serves members in EKS's order and times in seconds with a fraction", async () => {
    await create();
    rig.activate("demo");
    const { text } = await rig.raw("GET", "/clusters/demo");
    expect(text).toContain(`"createdAt":${NOW / 1000},`);
    const { cluster } = JSON.parse(text) as { cluster: object };
    expect(Object.keys(cluster)).toEqual([
      ..."name arn createdAt version endpoint roleArn resourcesVpcConfig kubernetesNetworkConfig logging identity".split(
        " ",
      ),
      ..."status certificateAuthority clientRequestToken platformVersion tags health accessConfig upgradePolicy".split(
        " ",
      ),
      ..."deletionProtection controlPlaneScalingConfig".split(" "),
    ]);
  });

  it("pages through names in alphabetical order", async () => {
    for (const name of ["c", "a", "e", "b", "d"]) await create({ name });
    const pages: (string[] | undefined)[] = [];
    for await (const page of paginateListClusters({ client: rig.client, pageSize: 2 }, {})) pages.push(page.clusters);
    expect(pages).toEqual([["a", "b"], ["c", "d"], ["e"]]);
  });

  it("refuses tokens that it never gave, and those of another list", async () => {
    for (const name of ["a", "b"]) await create({ name });
    const { nextToken } = await rig.client.send(new ListClustersCommand({ maxResults: 1 }));
    const list = (input: object) => rig.client.send(new ListClustersCommand(input));
    expect(nextToken).toBeDefined();
    expect((await list({ nextToken })).clusters).toEqual(["b"]);
    for (const input of [{ nextToken: "rubbish" }, { nextToken: `${nextToken}x` }, { nextToken, include: ["all"] }]) {
      expect(await refusal(list(input))).toMatchObject({ name: "InvalidParameterException" });
    }
    const elsewhere = rig.client2("test", "eu-west-1").send(new ListClustersCommand({ nextToken }));
    expect(await refusal(elsewhere)).toMatchObject({ name: "InvalidParameterException" });
  });

  it("keeps accounts and regions apart", async () => {
    await create();
    for (const client of [rig.client2("111122223333"), rig.client2("test", "eu-west-1")]) {
      expect((await client.send(new ListClustersCommand({}))).clusters).toEqual([]);
    }
    const other = rig.client2("111122223333", "eu-west-1");
    const roleArn = "arn:aws:iam::111122223333:role/eks";
    const { cluster } = await other.send(new CreateClusterCommand({ ...CLUSTER, roleArn }));
    expect(cluster?.arn).toBe("arn:aws:eks:eu-west-1:111122223333:cluster/demo");
    const row = rig.state.clusters.get({ accountId: "111122223333", region: "eu-west-1", name: "demo" });
    expect(row?.creatorArn).toBe("arn:aws:iam::111122223333:root");
  });
});

describe("UpdateClusterConfig", () => {
  beforeEach(async () => {
    await create();
    rig.activate("demo");
    rig.nudges.length = 0;
  });

  it.each<[string, Omit<UpdateClusterConfigCommandInput, "name">, Record<string, string>]>([
    [
      "EndpointAccessUpdate",
      { resourcesVpcConfig: { endpointPrivateAccess: true, publicAccessCidrs: ["203.0.113.5/32"] } },
      { EndpointPublicAccess: "true", EndpointPrivateAccess: "true", PublicAccessCidrs: '["203.0.113.5/32"]' },
    ],
    [
      "VpcConfigUpdate",
      { resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-d"], securityGroupIds: ["sg-1"] } },
      { Subnets: '["subnet-a","subnet-d"]', SecurityGroups: '["sg-1"]' },
    ],
    [
      "ControlPlaneEgressUpdate",
      { resourcesVpcConfig: { controlPlaneEgressMode: "CUSTOMER_ROUTED" } },
      { ControlPlaneEgressMode: "CUSTOMER_ROUTED" },
    ],
    [
      "LoggingUpdate",
      { logging: { clusterLogging: [{ types: ["api"], enabled: true }] } },
      { ClusterLogging: '{"clusterLogging":[{"types":["api"],"enabled":true}]}' },
    ],
    [
      "AccessConfigUpdate",
      { accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" } },
      { AuthenticationMode: "API_AND_CONFIG_MAP" },
    ],
    [
      "UpgradePolicyUpdate",
      { upgradePolicy: { supportType: "STANDARD" } },
      { UpgradePolicy: '{"supportType":"STANDARD"}' },
    ],
    ["ZonalShiftConfigUpdate", { zonalShiftConfig: { enabled: true } }, { ZonalShiftConfig: '{"enabled":true}' }],
    ["DeletionProtectionUpdate", { deletionProtection: true }, { DeletionProtection: "true" }],
    [
      "ControlPlaneScalingConfigUpdate",
      { controlPlaneScalingConfig: { tier: "tier-xl" } },
      { UpdatedTier: "tier-xl", PreviousTier: "standard" },
    ],
  ])("starts a %s; the same again afterwards is a change of nothing", async (type, change, params) => {
    const { update: started } = await update(change);
    expect(started).toMatchObject({ type, status: "InProgress", errors: [], createdAt: new Date(NOW) });
    expect(started?.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-3[0-9a-f]{3}-b[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Object.fromEntries(started?.params?.map(({ type, value }) => [type, value]) ?? [])).toEqual(params);
    expect((await describeDemo())?.status).toBe("UPDATING");
    expect(rig.nudges).toHaveLength(1);
    rig.finishUpdate("demo");
    expect(await refusal(update(change))).toMatchObject({ name: "InvalidParameterException", status: 400 });
  });

  it.each<[string, Omit<UpdateClusterConfigCommandInput, "name">, string]>([
    [
      "logging as it is",
      { logging: { clusterLogging: [{ types: ["api"], enabled: false }] } },
      "No changes needed for the logging config provided",
    ],
    [
      "endpoint access as it is",
      { resourcesVpcConfig: { endpointPublicAccess: true } },
      "Cluster is already at the desired configuration with endpointPrivateAccess: false , endpointPublicAccess: true, and Public Endpoint Restrictions: [0.0.0.0/0]",
    ],
    [
      "the authentication mode as it is",
      { accessConfig: { authenticationMode: "CONFIG_MAP" } },
      "Unsupported authentication mode update from CONFIG_MAP to CONFIG_MAP",
    ],
    [
      "two steps of the authentication mode",
      { accessConfig: { authenticationMode: "API" } },
      "Unsupported authentication mode update from CONFIG_MAP to API",
    ],
    [
      "two kinds of change",
      { logging: { clusterLogging: [{ types: ["api"], enabled: true }] }, deletionProtection: true },
      "Only one type of update can be allowed.",
    ],
    [
      "endpoint access and egress together",
      { resourcesVpcConfig: { endpointPrivateAccess: true, controlPlaneEgressMode: "CUSTOMER_ROUTED" } },
      "Only one type of update can be allowed.",
    ],
    ["nothing", {}, "No changes needed for the cluster config provided"],
    [
      "no access at all",
      { resourcesVpcConfig: { endpointPublicAccess: false } },
      "Private and public endpoint access cannot be false",
    ],
    [
      "one subnet",
      { resourcesVpcConfig: { subnetIds: ["subnet-a"] } },
      "Subnets specified must be in at least two different AZs",
    ],
    [
      "no remote networks where there are none",
      { remoteNetworkConfig: { remoteNodeNetworks: [], remotePodNetworks: [] } },
      "No changes detected for remoteNetworkConfig",
    ],
  ])("refuses %s", async (_, change, message) => {
    expect(await refusal(update(change))).toMatchObject({ name: "InvalidParameterException", message, status: 400 });
  });

  it("runs one update at a time and names the one that runs", async () => {
    const { update: running } = await update({ deletionProtection: true });
    expect(await refusal(update({ logging: { clusterLogging: [{ types: ["api"], enabled: true }] } }))).toEqual({
      name: "ResourceInUseException",
      message: `Cannot LoggingUpdate because cluster demo currently has update ${running?.id} in progress`,
      status: 409,
      clusterName: "demo",
    });
  });

  it("refuses while the cluster is not ACTIVE", async () => {
    rig.activate("demo", { status: "CREATING" });
    expect(await refusal(update({ deletionProtection: true }))).toMatchObject({
      name: "InvalidRequestException",
      message: "Cluster 'demo' is not in ACTIVE status",
    });
  });

  it("turns Auto Mode on only as a whole", async () => {
    rig.activate("demo", {
      accessConfig: { authenticationMode: "API", bootstrapClusterCreatorAdminPermissions: true },
    });
    expect(await refusal(update({ computeConfig: { enabled: true } }))).toMatchObject({
      name: "InvalidParameterException",
    });
    const { update: started } = await update({
      computeConfig: { enabled: true },
      storageConfig: { blockStorage: { enabled: true } },
      kubernetesNetworkConfig: { elasticLoadBalancing: { enabled: true } },
    });
    expect(started?.type).toBe("AutoModeUpdate");
    rig.finishUpdate("demo");
    expect(await describeDemo()).toMatchObject({
      computeConfig: { enabled: true },
      kubernetesNetworkConfig: { serviceIpv4Cidr: "10.100.0.0/16", elasticLoadBalancing: { enabled: true } },
    });
  });

  it("takes remote networks away with two empty lists", async () => {
    const accessConfig = { authenticationMode: "API" as const, bootstrapClusterCreatorAdminPermissions: true };
    rig.activate("demo", {
      accessConfig,
      remoteNetworkConfig: { remoteNodeNetworks: [{ cidrs: ["192.168.0.0/24"] }] },
    });
    expect((await describeDemo())?.remoteNetworkConfig).toBeDefined();
    await update({ remoteNetworkConfig: { remoteNodeNetworks: [], remotePodNetworks: [] } });
    rig.finishUpdate("demo");
    expect((await describeDemo())?.remoteNetworkConfig).toBeUndefined();
  });
});

describe("AssociateEncryptionConfig", () => {
  it("sets a key once and for all", async () => {
    await create();
    rig.activate("demo");
    const encryptionConfig = [
      { resources: ["secrets"], provider: { keyArn: "arn:aws:kms:us-east-1:000000000000:key/k" } },
    ];
    const associate = () =>
      rig.client.send(new AssociateEncryptionConfigCommand({ clusterName: "demo", encryptionConfig }));
    const { update: started } = await associate();
    expect(started).toMatchObject({ type: "AssociateEncryptionConfig", status: "InProgress" });
    rig.finishUpdate("demo");
    expect((await describeDemo())?.encryptionConfig).toEqual(encryptionConfig);
    expect(await refusal(associate())).toMatchObject({ name: "InvalidRequestException" });
  });
});

describe("DeleteCluster", () => {
  const remove = () => rig.client.send(new DeleteClusterCommand({ name: "demo" }));
  beforeEach(async () => {
    await create();
    rig.activate("demo");
  });

  it("answers the cluster DELETING, and the same when asked again", async () => {
    expect((await remove()).cluster?.status).toBe("DELETING");
    expect((await remove()).cluster?.status).toBe("DELETING");
    expect(rig.state.clusters.get({ ...SCOPE, name: "demo" })?.status).toBe("DELETING");
  });

  it("keeps the name taken until the cluster is gone", async () => {
    await remove();
    expect(await refusal(create())).toMatchObject({ name: "ResourceInUseException" });
  });

  it("refuses while it is protected", async () => {
    rig.activate("demo", { deletionProtection: true });
    expect(await refusal(remove())).toMatchObject({
      name: "InvalidRequestException",
      message: "Cannot delete cluster demo because deletion protection is enabled",
    });
  });

  it("refuses while an update is running", async () => {
    await update({ zonalShiftConfig: { enabled: true } });
    expect(await refusal(remove())).toEqual({
      name: "ResourceInUseException",
      message: "Cannot delete because cluster demo currently has an update in progress",
      status: 409,
      clusterName: "demo",
    });
  });

  it("refuses while it is being created", async () => {
    rig.activate("demo", { status: "CREATING" });
    expect(await refusal(remove())).toMatchObject({ name: "ResourceInUseException", status: 409 });
  });
});
