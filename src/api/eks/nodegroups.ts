/** Managed node groups. Their updates have a lock of their own and may run beside the cluster's. */

import { minorOf } from "../../domain/catalogue/index.js";
import { nodeEntryType } from "../../domain/eks/access-entry-types.js";
import { checkPassRole } from "../../domain/eks/arns.js";
import { entriesOfNodeRole } from "../../domain/eks/automatic-entries.js";
import { checkNodegroupName, newNodegroup } from "../../domain/eks/nodegroup-rules.js";
import { planNodegroupConfig, planNodegroupVersion } from "../../domain/eks/nodegroup-updates.js";
import { checkActive, checkNodegroupUpdatable, checkSubnets } from "../../domain/eks/refusals.js";
import { mayRollBack } from "../../domain/eks/version-rules.js";
import { DomainError } from "../../domain/errors.js";
import { grantAutomatically } from "./access-entries.js";
import { type EksOperations, nodegroupWorkKey, scheduleWork } from "./context.js";
import { resourceUuid } from "./identifiers.js";
import { clusterUpdates, findCluster, findNodegroup } from "./lookup.js";
import { pageOf } from "./paging.js";
import { checkPassedRole } from "./passed-roles.js";
import { startNodegroupUpdate } from "./start-update.js";
import { nodegroupView } from "./views.js";

/** Quota of a cluster. */
const MAX_NODEGROUPS = 30;

export const nodegroups = {
  CreateNodegroup(input, context) {
    const { state, scope, clock, config } = context;
    const { clusterName, nodegroupName } = input;
    checkNodegroupName(nodegroupName);
    checkPassRole(input.nodeRole, scope.accountId);
    const cluster = findCluster(context, clusterName);
    checkActive(cluster);
    if (state.nodegroups.get(cluster, nodegroupName)) {
      throw new DomainError(
        "ResourceInUseException",
        `NodeGroup already exists with name ${nodegroupName} and cluster name ${clusterName}`,
        { clusterName, nodegroupName },
      );
    }
    if (state.nodegroups.names(cluster, { limit: MAX_NODEGROUPS }).length >= MAX_NODEGROUPS) {
      throw new DomainError(
        "ResourceLimitExceededException",
        `Nodegroup limit exceeded: a cluster can have ${MAX_NODEGROUPS} managed node groups`,
        { clusterName, nodegroupName },
      );
    }
    const nodegroup = newNodegroup(input, {
      cluster,
      uuid: resourceUuid(context, "nodegroup", clusterName, nodegroupName),
      nowMs: clock.now(),
    });
    checkSubnets(config, nodegroup.subnets);
    checkPassedRole(context, nodegroup.nodeRole, "ec2.amazonaws.com");
    state.nodegroups.put(nodegroup);
    grantAutomatically(
      context,
      cluster,
      entriesOfNodeRole(cluster, nodegroup.nodeRole, nodeEntryType(nodegroup.amiType)),
    );
    scheduleWork(context, "nodegroup", nodegroupWorkKey(nodegroup));
    return { nodegroup: nodegroupView(nodegroup) };
  },

  DescribeNodegroup(input, context) {
    return { nodegroup: nodegroupView(findNodegroup(context, input.clusterName, input.nodegroupName).nodegroup) };
  },

  ListNodegroups(input, context) {
    const cluster = findCluster(context, input.clusterName);
    const { keys, nextToken } = pageOf(context, ["ListNodegroups", cluster.id], input, (page) =>
      context.state.nodegroups.names(cluster, page),
    );
    return { nodegroups: keys, nextToken };
  },

  UpdateNodegroupConfig(input, context) {
    const { cluster, nodegroup } = findNodegroup(context, input.clusterName, input.nodegroupName);
    checkNodegroupUpdatable(nodegroup, context.state.updates.inProgress(cluster.id, nodegroup.name));
    const { changes, params } = planNodegroupConfig(nodegroup, input);
    return {
      update: startNodegroupUpdate(context, cluster, nodegroup, { type: "ConfigUpdate", params, plan: changes }),
    };
  },

  UpdateNodegroupVersion(input, context) {
    const { cluster, nodegroup } = findNodegroup(context, input.clusterName, input.nodegroupName);
    checkNodegroupUpdatable(nodegroup, context.state.updates.inProgress(cluster.id, nodegroup.name));
    const rollbackTo = mayRollBack(cluster, clusterUpdates(context, cluster), context.clock.now())
      ? `1.${minorOf(cluster.version) - 1}`
      : undefined;
    const { plan, params } = planNodegroupVersion({ cluster, nodegroup, request: input, rollbackTo });
    return { update: startNodegroupUpdate(context, cluster, nodegroup, { type: "VersionUpdate", params, plan }) };
  },

  DeleteNodegroup(input, context) {
    const { state, clock } = context;
    const { cluster, nodegroup } = findNodegroup(context, input.clusterName, input.nodegroupName);
    // Asked again, it answers what it answered the first time.
    if (nodegroup.status === "DELETING") return { nodegroup: nodegroupView(nodegroup) };
    const update = state.updates.inProgress(cluster.id, nodegroup.name);
    // What is deleted is not updated any further, and a later group of the name must not inherit the update.
    if (update) state.updates.put({ ...update, status: "Cancelled", finishedAtMs: clock.now() });
    const deleting = { ...nodegroup, status: "DELETING" as const, modifiedAtMs: clock.now() };
    state.nodegroups.put(deleting);
    scheduleWork(context, "nodegroup", nodegroupWorkKey(nodegroup));
    return { nodegroup: nodegroupView(deleting) };
  },
} satisfies Partial<EksOperations>;
