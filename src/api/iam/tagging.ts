/** Tags of what there is in IAM: the same three operations for every kind, under names of its own. */
import type { Operations, Tag } from "../model/generated/iam.js";
import type { QueryContext, QueryOperations } from "../query/call.js";
import { findRole, findUser, taggedWith, tagsView, untagged } from "./entities.js";
import { findInstanceProfile } from "./instance-profiles.js";
import { findOwnPolicy, findPolicy } from "./managed-policies.js";
import { findOidcProvider } from "./oidc-providers.js";

interface Tagged {
  readonly tags: Readonly<Record<string, string>>;
}

type Nothing = Record<string, never>;

function tag<T extends Tagged>(kept: { put(record: T): void }, record: T, tags: readonly Tag[]): Nothing {
  kept.put({ ...record, tags: taggedWith(record.tags, tags) });
  return {};
}

function untag<T extends Tagged>(kept: { put(record: T): void }, record: T, keys: readonly string[]): Nothing {
  kept.put({ ...record, tags: untagged(record.tags, keys) });
  return {};
}

const listed = ({ tags }: Tagged): { Tags: Tag[]; IsTruncated: boolean } => ({
  Tags: tagsView(tags),
  IsTruncated: false,
});

export const tagging = {
  TagUser: ({ UserName, Tags }, context) => tag(context.state.iam.users, findUser(context, UserName), Tags),
  UntagUser: ({ UserName, TagKeys }, context) => untag(context.state.iam.users, findUser(context, UserName), TagKeys),
  ListUserTags: ({ UserName }, context) => listed(findUser(context, UserName)),

  TagRole: ({ RoleName, Tags }, context) => tag(context.state.iam.roles, findRole(context, RoleName), Tags),
  UntagRole: ({ RoleName, TagKeys }, context) => untag(context.state.iam.roles, findRole(context, RoleName), TagKeys),
  ListRoleTags: ({ RoleName }, context) => listed(findRole(context, RoleName)),

  TagInstanceProfile: ({ InstanceProfileName, Tags }, context) =>
    tag(context.state.iam.instanceProfiles, findInstanceProfile(context, InstanceProfileName), Tags),
  UntagInstanceProfile: ({ InstanceProfileName, TagKeys }, context) =>
    untag(context.state.iam.instanceProfiles, findInstanceProfile(context, InstanceProfileName), TagKeys),
  ListInstanceProfileTags: ({ InstanceProfileName }, context) =>
    listed(findInstanceProfile(context, InstanceProfileName)),

  TagPolicy: ({ PolicyArn, Tags }, context) => tag(context.state.iam.policies, findOwnPolicy(context, PolicyArn), Tags),
  UntagPolicy: ({ PolicyArn, TagKeys }, context) =>
    untag(context.state.iam.policies, findOwnPolicy(context, PolicyArn), TagKeys),
  ListPolicyTags: ({ PolicyArn }, context) => listed(findPolicy(context, PolicyArn)),

  TagOpenIDConnectProvider: ({ OpenIDConnectProviderArn, Tags }, context) =>
    tag(context.state.iam.oidcProviders, findOidcProvider(context, OpenIDConnectProviderArn), Tags),
  UntagOpenIDConnectProvider: ({ OpenIDConnectProviderArn, TagKeys }, context) =>
    untag(context.state.iam.oidcProviders, findOidcProvider(context, OpenIDConnectProviderArn), TagKeys),
  ListOpenIDConnectProviderTags: ({ OpenIDConnectProviderArn }, context) =>
    listed(findOidcProvider(context, OpenIDConnectProviderArn)),
} satisfies QueryOperations<Operations<QueryContext>>;
