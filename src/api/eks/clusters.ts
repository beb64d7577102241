/** Clusters: creating, showing, changing, upgrading and deleting them. */

import { checkPassRole } from "../../domain/eks/arns.js";
import { entriesOfCluster } from "../../domain/eks/automatic-entries.js";
import { newCluster } from "../../domain/eks/cluster-rules.js";
import { planConfigUpdate, updateParams, updateTypeOf } from "../../domain/eks/cluster-updates.js";
import { checkEncryption } from "../../domain/eks/encryption.js";
import { checkSubnets, checkUpdatable, invalidParameter } from "../../domain/eks/refusals.js";
import { planVersionUpdate, rollbackDeadlineMs } from "../../domain/eks/version-rules.js";
import { DomainError } from "../../domain/errors.js";
import { grantAutomatically } from "./access-entries.js";
import { type EksConfig, type EksOperations, scheduleWork } from "./context.js";
import { clusterId } from "./identifiers.js";
import { checkInsights } from "./insights.js";
import { clusterUpdates, findCluster } from "./lookup.js";
import { pageOf } from "./paging.js";
import { checkPassedRole } from "./passed-roles.js";
import { namesWithRegistered, registrationView } from "./registrations.js";
import { startClusterUpdate } from "./start-update.js";
import { clusterView } from "./views.js";

/** Quota of an account in a region. */
const MAX_CLUSTERS = 100;

/** Members that the service has learnt lately and nothing here acts upon yet. Taking them silently would be a lie. */
const UNSUPPORTED = [
  "outpostConfig",
  "kubeApiServerConfig",
  "kubeSchedulerConfig",
  "kubeControllerManagerConfig",
] as const;

function refuseUnsupported(input: { [member in (typeof UNSUPPORTED)[number]]?: unknown }): void {
  const member = UNSUPPORTED.find((name) => input[name] !== undefined);
  if (member) throw new DomainError("NotImplementedException", `eksim does not support ${member} yet`);
}

/** Tag of a cluster that shall have another backend than the others. */
const BACKEND_TAG = "eksim:backend";

function chosenBackend(tags: Readonly<Record<string, string>> | undefined, config: EksConfig): string {
  const name = tags?.[BACKEND_TAG];
  if (name === undefined || name === config.backend) return config.backend;
  const refusal = config.backendRefusal ? config.backendRefusal(name) : `this eksim has no backend ${name}`;
  if (refusal !== undefined) throw invalidParameter(`The tag ${BACKEND_TAG} cannot be ${name}: ${refusal}`);
  return name;
}

export const clusters = {
  CreateCluster(input, context) {
    const { state, scope, config, clock } = context;
    refuseUnsupported(input);
    checkPassRole(input.roleArn, scope.accountId);
    if (state.clusters.get({ ...scope, name: input.name }) || state.registrations.get(scope, input.name)) {
      throw new DomainError("ResourceInUseException", `Cluster already exists with name: ${input.name}`, {
        clusterName: input.name,
      });
    }
    if (state.clusters.count(scope) >= MAX_CLUSTERS) {
      throw new DomainError(
        "ResourceLimitExceededException",
        `Cluster limit exceeded: an account can have ${MAX_CLUSTERS} clusters in a region`,
        { clusterName: input.name },
      );
    }
    const cluster = newCluster(input, {
      scope,
      id: clusterId(context, input.name),
      nowMs: clock.now(),
      creatorArn: context.principalArn,
      defaultVersion: config.defaultVersion,
      backend: chosenBackend(input.tags, config),
    });
    checkSubnets(config, cluster.vpcConfig.subnetIds);
    checkPassedRole(context, cluster.roleArn, "eks.amazonaws.com");
    state.clusters.put(cluster);
    grantAutomatically(context, cluster, entriesOfCluster(cluster));
    scheduleWork(context, "cluster", cluster.id);
    return { cluster: clusterView(cluster) };
  },

  DescribeCluster(input, context) {
    const registration = context.state.registrations.get(context.scope, input.name);
    return { cluster: registration ? registrationView(registration) : clusterView(findCluster(context, input.name)) };
  },

  ListClusters(input, context) {
    // `all` adds registered clusters of other providers; it is the only value there is.
    if (input.include?.some((value) => value !== "all")) {
      throw invalidParameter(`include must be one of [all], not [${input.include.join(", ")}]`);
    }
    const { keys, nextToken } = pageOf(context, ["ListClusters", input.include], input, (page) =>
      input.include ? namesWithRegistered(context, page) : context.state.clusters.names(context.scope, page),
    );
    return { clusters: keys, nextToken };
  },

  UpdateClusterConfig(input, context) {
    const { state, clock, config } = context;
    refuseUnsupported(input);
    const cluster = findCluster(context, input.name);
    checkUpdatable(cluster, updateTypeOf(input), state.updates.inProgress(cluster.id));
    const { type, params, changes } = planConfigUpdate(cluster, input, clock.now());
    checkSubnets(config, input.resourcesVpcConfig?.subnetIds);
    return { update: startClusterUpdate(context, cluster, { type, params, plan: { kind: type, changes } }) };
  },

  UpdateClusterVersion(input, context) {
    const { state, clock } = context;
    const cluster = findCluster(context, input.name);
    checkUpdatable(cluster, "VersionUpdate", state.updates.inProgress(cluster.id));
    const { type, version, platformVersion } = planVersionUpdate({
      cluster,
      target: input.version,
      nodegroups: state.nodegroups.list(cluster.id),
      updates: clusterUpdates(context, cluster),
      nowMs: clock.now(),
    });
    if (type === "VersionUpdate") checkInsights(context, cluster, version, input.force);
    const nodesUntilMs = rollbackDeadlineMs(input.rollbackConfig?.timeoutMinutes, clock.now());
    const nodesFirst = type === "VersionRollback" && cluster.computeConfig?.enabled === true;
    return {
      update: startClusterUpdate(context, cluster, {
        type,
        params: updateParams({ Version: version, PlatformVersion: platformVersion }),
        plan: { kind: type, version, platformVersion, ...(nodesFirst ? { nodesUntilMs } : {}) },
      }),
    };
  },

  AssociateEncryptionConfig(input, context) {
    const { state, scope } = context;
    const cluster = findCluster(context, input.clusterName);
    checkUpdatable(cluster, "AssociateEncryptionConfig", state.updates.inProgress(cluster.id));
    // A key is set once and for all: neither changed nor taken away.
    if (cluster.encryptionConfig?.length) {
      throw new DomainError("InvalidRequestException", "Cluster already has encryption enabled", {
        clusterName: cluster.name,
      });
    }
    if (input.encryptionConfig.length === 0) throw invalidParameter("encryptionConfig cannot be empty");
    checkEncryption(input.encryptionConfig, scope.region);
    const type = "AssociateEncryptionConfig";
    return {
      update: startClusterUpdate(context, cluster, {
        type,
        params: updateParams({ EncryptionConfig: input.encryptionConfig }),
        plan: { kind: type, changes: { encryptionConfig: input.encryptionConfig } },
      }),
    };
  },

  DeleteCluster(input, context) {
    const { state } = context;
    const cluster = findCluster(context, input.name);
    const clusterName = cluster.name;
    // Asked again, it answers what it answered the first time.
    if (cluster.status === "DELETING") return { cluster: clusterView(cluster) };
    if (cluster.deletionProtection) {
      throw new DomainError(
        "InvalidRequestException",
        `Cannot delete cluster ${clusterName} because deletion protection is enabled`,
        { clusterName },
      );
    }
    if (cluster.status === "CREATING") {
      throw new DomainError("ResourceInUseException", `Cannot delete because cluster ${clusterName} is being created`, {
        clusterName,
      });
    }
    if (cluster.status === "UPDATING" || state.updates.inProgress(cluster.id)) {
      throw new DomainError(
        "ResourceInUseException",
        `Cannot delete because cluster ${clusterName} currently has an update in progress`,
        { clusterName },
      );
    }
    // Those being deleted count too.
    if (state.nodegroups.names(cluster, { limit: 1 }).length > 0) {
      throw new DomainError("ResourceInUseException", "Cluster has nodegroups attached", { clusterName });
    }
    if (state.fargateProfiles.count(cluster.id) > 0) {
      throw new DomainError("ResourceInUseException", "Cluster has Fargate profiles attached", { clusterName });
    }
    const deleting = { ...cluster, status: "DELETING" as const };
    state.clusters.put(deleting);
    scheduleWork(context, "cluster", cluster.id);
    return { cluster: clusterView(deleting) };
  },
} satisfies Partial<EksOperations>;
