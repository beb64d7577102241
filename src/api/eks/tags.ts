/** Tags, by ARN. They change at once, also while an update is running, and have errors of their own. */

import { parseArn } from "../../domain/eks/arns.js";
import { principalKey } from "../../domain/eks/principals.js";
import { addTags, removeTags, type Tags } from "../../domain/eks/tags.js";
import { DomainError } from "../../domain/errors.js";
import type { ClusterResourceRepository, State } from "../../state/state.js";
import type { EksOperations, OperationContext } from "./context.js";

interface Tagged {
  tags: Tags;
  put(tags: Tags): void;
}

type Finder = (context: OperationContext, arn: string, path: string[]) => Tagged | undefined;

/** Finder for a family of clusters' resources; `nameOf` makes the name of one from what stands behind the cluster's in its ARN. */
const inCluster =
  <T extends { arn: string; tags: Tags }>(
    familyOf: (state: State) => ClusterResourceRepository<T>,
    nameOf: (path: string[], arn: string) => string | undefined,
  ): Finder =>
  ({ state, scope }, arn, [clusterName = "", ...path]) => {
    const cluster = state.clusters.get({ ...scope, name: clusterName });
    const family = familyOf(state);
    const record = cluster && family.get(cluster.id, nameOf(path, arn) ?? "");
    return record?.arn === arn ? { tags: record.tags, put: (tags) => family.put({ ...record, tags }) } : undefined;
  };

/** `role/<account>/<name>` and `user/...`; root has the account's number for a name. */
function principalOfPath([kind, accountId, name]: string[], arn: string): string {
  const resource = kind === "root" ? "root" : `${kind}/${name}`;
  return principalKey(`arn:${parseArn(arn)?.partition}:iam::${accountId}:${resource}`);
}

/** Finds the row of an ARN by the kind of resource in it. A kind that nothing is stored of yet has no entry. */
const KINDS: Record<string, Finder> = {
  "access-entry": inCluster((state) => state.accessEntries, principalOfPath),
  podidentityassociation: inCluster(
    (state) => state.podIdentityAssociations,
    ([id]) => id,
  ),
  identityproviderconfig: inCluster(
    (state) => state.identityProviderConfigs,
    ([, name]) => name,
  ),
  fargateprofile: inCluster(
    (state) => state.fargateProfiles,
    ([name]) => name,
  ),
  capability: inCluster(
    (state) => state.capabilities,
    ([, name]) => name,
  ),
  cluster: ({ state, scope }, arn, [name = ""]) => {
    const cluster = state.clusters.get({ ...scope, name });
    const registration = cluster ? undefined : state.registrations.get(scope, name);
    if (registration?.arn === arn) {
      return { tags: registration.tags, put: (tags) => state.registrations.put({ ...registration, tags }) };
    }
    return cluster?.arn === arn
      ? { tags: cluster.tags, put: (tags) => state.clusters.put({ ...cluster, tags }) }
      : undefined;
  },
  "eks-anywhere-subscription": ({ state, scope }, arn, [id = ""]) => {
    const subscription = state.subscriptions.get(scope, id);
    return subscription?.arn === arn
      ? { tags: subscription.tags, put: (tags) => state.subscriptions.put({ ...subscription, tags }) }
      : undefined;
  },
  addon: ({ state, scope }, arn, [clusterName = "", addonName = ""]) => {
    const cluster = state.clusters.get({ ...scope, name: clusterName });
    const addon = cluster && state.addons.get(cluster.id, addonName);
    return addon?.arn === arn ? { tags: addon.tags, put: (tags) => state.addons.put({ ...addon, tags }) } : undefined;
  },
  nodegroup: ({ state, scope }, arn, [clusterName = "", nodegroupName = ""]) => {
    const nodegroup = state.nodegroups.get({ ...scope, name: clusterName }, nodegroupName);
    return nodegroup?.arn === arn
      ? { tags: nodegroup.tags, put: (tags) => state.nodegroups.put({ ...nodegroup, tags }) }
      : undefined;
  },
};

/** Whether there is a resource with this ARN. */
export const hasResource = (context: OperationContext, arn: string): boolean => lookUp(context, arn) !== undefined;

function lookUp(context: OperationContext, resourceArn: string): Tagged | undefined {
  const arn = parseArn(resourceArn);
  const [kind = "", ...path] = arn?.resource.split("/") ?? [];
  const ofCaller = arn?.accountId === context.scope.accountId && arn.region === context.scope.region;
  return ofCaller && Object.hasOwn(KINDS, kind) ? KINDS[kind]?.(context, resourceArn, path) : undefined;
}

function findTagged(context: OperationContext, resourceArn: string): Tagged {
  const arn = parseArn(resourceArn);
  if (arn?.service !== "eks" || !arn.resource.includes("/")) {
    throw new DomainError("BadRequestException", `The resource ARN is not valid: ${resourceArn}`);
  }
  const tagged = lookUp(context, resourceArn);
  if (!tagged) throw new DomainError("NotFoundException", "Resource was not found");
  return tagged;
}

export const tags = {
  TagResource(input, context) {
    const tagged = findTagged(context, input.resourceArn);
    tagged.put(addTags(tagged.tags, input.tags, "BadRequestException"));
    return {};
  },

  UntagResource(input, context) {
    const tagged = findTagged(context, input.resourceArn);
    tagged.put(removeTags(tagged.tags, input.tagKeys));
    return {};
  },

  ListTagsForResource(input, context) {
    return { tags: findTagged(context, input.resourceArn).tags };
  },
} satisfies Partial<EksOperations>;
