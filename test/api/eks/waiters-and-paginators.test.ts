import * as sdk from "@aws-sdk/client-eks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";
import { CLUSTER, NODEGROUP } from "../gateway-rig.js";

let eksim: Eksim;
let client: sdk.EKSClient;
beforeAll(async () => {
  eksim = await startEksim({ clockStart: "2026-11-22T09:00:00Z" });
  client = new sdk.EKSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
});
afterAll(async () => {
  client.destroy();
  await eksim.stop();
});

const clusterName = "demo";
const role = (name: string): string => `arn:aws:iam::000000000000:role/${name}`;
const FARGATE = {
  clusterName,
  fargateProfileName: "web",
  podExecutionRoleArn: role("fargate"),
  subnets: ["subnet-a", "subnet-b"],
  selectors: [{ namespace: "web" }],
};

/** SDK waiters poll at once and then sleep for real: what they wait for has to be so by then, and time is moved instead. */
async function settled<T>(answer: Promise<T>): Promise<T> {
  const given = await answer;
  await eksim.advance("15m");
  return given;
}

type Wait = () => Promise<{ state: string }>;
const once = { maxWaitTime: 121, minDelay: 1, maxDelay: 1 };

/** Every waiter of the SDK with what has to come before it, in an order in which that is possible. */
const WAITERS: Record<string, Wait> = {
  waitUntilClusterActive: async () => {
    const accessConfig = { authenticationMode: "API" as const };
    await settled(client.send(new sdk.CreateClusterCommand({ ...CLUSTER, accessConfig })));
    return sdk.waitUntilClusterActive({ client, ...once }, { name: clusterName });
  },
  waitUntilNodegroupActive: async () => {
    await settled(client.send(new sdk.CreateNodegroupCommand(NODEGROUP)));
    return sdk.waitUntilNodegroupActive({ client, ...once }, { clusterName, nodegroupName: "workers" });
  },
  waitUntilAddonActive: async () => {
    await settled(client.send(new sdk.CreateAddonCommand({ clusterName, addonName: "metrics-server" })));
    return sdk.waitUntilAddonActive({ client, ...once }, { clusterName, addonName: "metrics-server" });
  },
  waitUntilFargateProfileActive: async () => {
    await settled(client.send(new sdk.CreateFargateProfileCommand(FARGATE)));
    return sdk.waitUntilFargateProfileActive({ client, ...once }, { clusterName, fargateProfileName: "web" });
  },
  waitUntilCertificateAuthorityUpdateComplete: async () => {
    const { update } = await settled(client.send(new sdk.CreateCertificateAuthorityCommand({ clusterName })));
    const which = { name: clusterName, updateId: update?.id };
    return sdk.waitUntilCertificateAuthorityUpdateComplete({ client, ...once }, which);
  },
  waitUntilFargateProfileDeleted: async () => {
    const which = { clusterName, fargateProfileName: "web" };
    await settled(client.send(new sdk.DeleteFargateProfileCommand(which)));
    return sdk.waitUntilFargateProfileDeleted({ client, ...once }, which);
  },
  waitUntilAddonDeleted: async () => {
    const which = { clusterName, addonName: "metrics-server" };
    await settled(client.send(new sdk.DeleteAddonCommand(which)));
    return sdk.waitUntilAddonDeleted({ client, ...once }, which);
  },
  waitUntilNodegroupDeleted: async () => {
    const which = { clusterName, nodegroupName: "workers" };
    await settled(client.send(new sdk.DeleteNodegroupCommand(which)));
    return sdk.waitUntilNodegroupDeleted({ client, ...once }, which);
  },
  waitUntilClusterDeleted: async () => {
    await settled(client.send(new sdk.DeleteClusterCommand({ name: clusterName })));
    return sdk.waitUntilClusterDeleted({ client, ...once }, { name: clusterName });
  },
};

/** Every paginator of the SDK with the member that its pages carry. */
const PAGINATORS: Record<string, (config: { client: sdk.EKSClient; pageSize: number }) => AsyncGenerator<object>> = {
  paginateDescribeAddonVersions: (config) => sdk.paginateDescribeAddonVersions(config, {}),
  paginateDescribeClusterVersions: (config) => sdk.paginateDescribeClusterVersions(config, {}),
  paginateListAccessEntries: (config) => sdk.paginateListAccessEntries(config, { clusterName }),
  paginateListAccessPolicies: (config) => sdk.paginateListAccessPolicies(config, {}),
  paginateListAddons: (config) => sdk.paginateListAddons(config, { clusterName }),
  paginateListAssociatedAccessPolicies: (config) =>
    sdk.paginateListAssociatedAccessPolicies(config, { clusterName, principalArn: role("alice") }),
  paginateListCapabilities: (config) => sdk.paginateListCapabilities(config, { clusterName }),
  paginateListCertificateAuthorities: (config) => sdk.paginateListCertificateAuthorities(config, { clusterName }),
  paginateListClusters: (config) => sdk.paginateListClusters(config, {}),
  paginateListEksAnywhereSubscriptions: (config) => sdk.paginateListEksAnywhereSubscriptions(config, {}),
  paginateListFargateProfiles: (config) => sdk.paginateListFargateProfiles(config, { clusterName }),
  paginateListIdentityProviderConfigs: (config) => sdk.paginateListIdentityProviderConfigs(config, { clusterName }),
  paginateListInsights: (config) => sdk.paginateListInsights(config, { clusterName }),
  paginateListNodegroups: (config) => sdk.paginateListNodegroups(config, { clusterName }),
  paginateListPodIdentityAssociations: (config) => sdk.paginateListPodIdentityAssociations(config, { clusterName }),
  paginateListUpdates: (config) => sdk.paginateListUpdates(config, { name: clusterName }),
};

/** Two of everything, except where a cluster has at most one. */
const SINGLE = ["paginateListIdentityProviderConfigs"];

async function furnish(): Promise<void> {
  for (const name of [clusterName, "other"]) {
    await client.send(new sdk.CreateClusterCommand({ ...CLUSTER, name, accessConfig: { authenticationMode: "API" } }));
  }
  await eksim.advance("15m");
  for (const name of ["one", "two"]) {
    await client.send(new sdk.CreateNodegroupCommand({ ...NODEGROUP, nodegroupName: name }));
    const profile = { ...FARGATE, fargateProfileName: name, selectors: [{ namespace: name }] };
    await settled(client.send(new sdk.CreateFargateProfileCommand(profile)));
    const association = { clusterName, namespace: "default", serviceAccount: name, roleArn: role("pod") };
    await client.send(new sdk.CreatePodIdentityAssociationCommand(association));
    const subscription = { name, term: { duration: 12, unit: "MONTHS" } } as const;
    await client.send(new sdk.CreateEksAnywhereSubscriptionCommand(subscription));
  }
  const principalArn = role("alice");
  await client.send(new sdk.CreateAccessEntryCommand({ clusterName, principalArn }));
  for (const policy of ["AmazonEKSViewPolicy", "AmazonEKSEditPolicy"]) {
    const policyArn = `arn:aws:eks::aws:cluster-access-policy/${policy}`;
    const accessScope = { type: "cluster" } as const;
    await client.send(new sdk.AssociateAccessPolicyCommand({ clusterName, principalArn, policyArn, accessScope }));
  }
  for (const addonName of ["coredns", "metrics-server"]) {
    await settled(client.send(new sdk.CreateAddonCommand({ clusterName, addonName, resolveConflicts: "OVERWRITE" })));
  }
  for (const type of ["KRO", "ACK"] as const) {
    const capability = { clusterName, capabilityName: type.toLowerCase(), type, roleArn: role("capability") };
    await settled(client.send(new sdk.CreateCapabilityCommand({ ...capability, deletePropagationPolicy: "RETAIN" })));
  }
  const oidc = { identityProviderConfigName: "sso", issuerUrl: "https://sso.example.com", clientId: "eks" };
  await settled(client.send(new sdk.AssociateIdentityProviderConfigCommand({ clusterName, oidc })));
  await settled(client.send(new sdk.CreateCertificateAuthorityCommand({ clusterName })));
}

const namesLike = (pattern: RegExp): string[] =>
  Object.keys(sdk)
    .filter((name) => pattern.test(name))
    .sort();

describe("the SDK's waiters", () => {
  it("are all tried here", () => {
    expect(Object.keys(WAITERS).sort()).toEqual(namesLike(/^waitUntil/));
  });

  it.each(Object.entries(WAITERS))("%s succeeds", async (_, wait) => {
    expect((await wait()).state).toBe("SUCCESS");
  });
});

describe("the SDK's paginators", () => {
  beforeAll(furnish, 60_000);

  it("are all tried here", () => {
    expect(Object.keys(PAGINATORS).sort()).toEqual(namesLike(/^paginate/));
  });

  it.each(Object.entries(PAGINATORS))(
    "%s gives everything once, whatever the size of its pages",
    async (name, paginate) => {
      const collect = async (pageSize: number): Promise<string[][]> => {
        const pages: string[][] = [];
        for await (const page of paginate({ client, pageSize })) {
          const [items = []] = Object.values(page).filter(Array.isArray);
          pages.push((items as unknown[]).map((item) => JSON.stringify(item)));
        }
        return pages;
      };
      const whole = (await collect(100)).flat();
      expect(new Set(whole).size).toBe(whole.length);
      expect(whole.length).toBeGreaterThanOrEqual(SINGLE.includes(name) ? 1 : 2);
      const single = await collect(1);
      expect(single.flat()).toEqual(whole);
      expect(single.filter((page) => page.length !== 1)).toEqual([]);
    },
  );
});
