/**
 * How long AWS's own part of the work takes. `instant`: no longer than the work itself, so that waiters succeed on their first poll. `aws`: typical
 * durations as seen on EKS, for trying time-outs and waiters. Kubernetes' own timings (40 s until a silent node is NotReady, ...) are the same in both.
 */
export interface Profile {
  name: "instant" | "aws";
  /** Cluster CREATING -> ACTIVE at the earliest. */
  clusterCreateMs: number;
  clusterDeleteMs: number;
  /** Version updates of the control plane. */
  clusterVersionUpdateMs: number;
  /** Endpoint access and VPC configuration: the API servers are rolled. */
  clusterNetworkUpdateMs: number;
  /** Everything else of a cluster's configuration. */
  clusterConfigUpdateMs: number;
  nodegroupCreateMs: number;
  nodegroupDeleteMs: number;
  nodegroupConfigUpdateMs: number;
  /** Until everything that AWS manages in a cluster trusts another certificate authority. */
  authorityDistributionMs: number;
  /** A refresh of the insights that somebody asked for. */
  insightsRefreshMs: number;
  /** Add-ons: until what was asked for is in the cluster, however soon its pods are. */
  addonCreateMs: number;
  addonUpdateMs: number;
  addonDeleteMs: number;
  fargateProfileCreateMs: number;
  /** Deletion of a profile at the earliest; its pods may take longer. */
  fargateProfileDeleteMs: number;
  /** From the creation of a Fargate pod until its machine is there. */
  fargateLaunchMs: number;
  capabilityCreateMs: number;
  capabilityUpdateMs: number;
  capabilityDeleteMs: number;
  /** Subscriptions of EKS Anywhere: CREATING and UPDATING. */
  subscriptionCreateMs: number;
  subscriptionUpdateMs: number;
  /** From launch until the kubelet starts. */
  instanceBootMs: number;
  /** The same for one that waited stopped in a warm pool: EC2 has to start the machine, but what user data does is done. */
  warmStartMs: number;
  /** How long pods are evicted before their node goes in scale-in, rebalancing and deletion; budgets that still forbid it then no longer count. */
  drainMs: number;
  /** The same where nothing can make those budgets give way any more: no other node could take a pod. */
  hopelessDrainMs: number;
  /** From shutting-down until terminated. */
  instanceShutdownMs: number;
  /** From the loss of a machine until EC2's status checks say impaired (two failed checks, a minute apart). */
  statusCheckFailureMs: number;
  /** From impaired until the Auto Scaling group acts on it. */
  healthCheckPeriodMs: number;
  /** Between a drained node and its termination in a version update. */
  cordonWaitMs: number;
  /** Between two attempts to launch what EC2 has no capacity for: the first wait, twice as long each time, and the longest. */
  launchBackoff: { firstMs: number; longestMs: number };
}

const MINUTE_MS = 60_000;

export const PROFILES: Readonly<Record<Profile["name"], Profile>> = {
  instant: {
    name: "instant",
    clusterCreateMs: 0,
    clusterDeleteMs: 0,
    clusterVersionUpdateMs: 0,
    clusterNetworkUpdateMs: 0,
    clusterConfigUpdateMs: 0,
    nodegroupCreateMs: 0,
    nodegroupDeleteMs: 0,
    nodegroupConfigUpdateMs: 0,
    authorityDistributionMs: 0,
    insightsRefreshMs: 0,
    addonCreateMs: 0,
    addonUpdateMs: 0,
    addonDeleteMs: 0,
    fargateProfileCreateMs: 0,
    fargateProfileDeleteMs: 0,
    fargateLaunchMs: 0,
    capabilityCreateMs: 0,
    capabilityUpdateMs: 0,
    capabilityDeleteMs: 0,
    subscriptionCreateMs: 0,
    subscriptionUpdateMs: 0,
    instanceBootMs: 0,
    warmStartMs: 0,
    drainMs: 10_000,
    hopelessDrainMs: 0,
    instanceShutdownMs: 0,
    statusCheckFailureMs: 0,
    healthCheckPeriodMs: 0,
    cordonWaitMs: 0,
    // A tenth of what it is on AWS: capacity that is back is soon found, and a drought is still not asked all the time.
    launchBackoff: { firstMs: MINUTE_MS / 10, longestMs: MINUTE_MS / 2 },
  },
  aws: {
    name: "aws",
    clusterCreateMs: 8 * MINUTE_MS,
    clusterDeleteMs: 4 * MINUTE_MS,
    clusterVersionUpdateMs: 10 * MINUTE_MS,
    clusterNetworkUpdateMs: 3 * MINUTE_MS,
    clusterConfigUpdateMs: MINUTE_MS / 2,
    nodegroupCreateMs: 2 * MINUTE_MS,
    nodegroupDeleteMs: 3 * MINUTE_MS,
    nodegroupConfigUpdateMs: MINUTE_MS / 2,
    authorityDistributionMs: 10 * MINUTE_MS,
    insightsRefreshMs: 2 * MINUTE_MS,
    addonCreateMs: MINUTE_MS / 6,
    addonUpdateMs: MINUTE_MS / 4,
    addonDeleteMs: MINUTE_MS / 6,
    fargateProfileCreateMs: MINUTE_MS,
    fargateProfileDeleteMs: 2 * MINUTE_MS,
    fargateLaunchMs: (3 * MINUTE_MS) / 4,
    capabilityCreateMs: 3 * MINUTE_MS,
    capabilityUpdateMs: MINUTE_MS,
    capabilityDeleteMs: 2 * MINUTE_MS,
    subscriptionCreateMs: 20 * MINUTE_MS,
    subscriptionUpdateMs: MINUTE_MS,
    instanceBootMs: MINUTE_MS,
    // EC2 publishes no figure: instances are `pending` for 5 to 30 seconds.
    warmStartMs: 20_000,
    drainMs: 15 * MINUTE_MS,
    hopelessDrainMs: 15 * MINUTE_MS,
    instanceShutdownMs: MINUTE_MS,
    statusCheckFailureMs: 2 * MINUTE_MS,
    healthCheckPeriodMs: MINUTE_MS,
    cordonWaitMs: MINUTE_MS,
    launchBackoff: { firstMs: MINUTE_MS, longestMs: 5 * MINUTE_MS },
  },
};

/** Limits that EKS sets itself whatever the profile, in milliseconds. */
export const LIMITS = {
  /** An add-on whose Deployments have lacked replicas for this long is DEGRADED: a rolling update or a pod that moves is no matter. */
  addonReplicasMs: MINUTE_MS,
  /** A version update evicts a node's pods this long before it fails, or is forced to go on. */
  evictionMs: 15 * MINUTE_MS,
  /** Nodes that have not joined by then are a NodeCreationFailure. */
  joinMs: 15 * MINUTE_MS,
  /** A group whose instances cannot be launched at all turns CREATE_FAILED after this long; its issues stay empty until then. */
  launchFailureMs: 35 * MINUTE_MS,
  /** EC2 shows a terminated instance for about an hour. */
  terminatedVisibleMs: 60 * MINUTE_MS,
  /**
   * A master that has been lost this long is made anew. EKS publishes no figure; short outages are sat out in either profile, so that losing two zones
   * one after the other costs the quorum as it does in etcd.
   */
  memberLossMs: 5 * MINUTE_MS,
  /** A version update of the control plane that finds a master lost for this long is given up. EKS publishes no figure. */
  controlPlaneUpdateMs: 60 * MINUTE_MS,
} as const;
