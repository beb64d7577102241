/** What the type of an access entry decides: the user name, the groups, and who and what it is for. */
import type { AccessEntryType } from "../access-entry.js";
import type { IamPrincipal } from "./principals.js";

interface TypeRules {
  username(principal: IamPrincipal): string;
  /** As the API shows them; a STANDARD entry has those that it was given. */
  groups: readonly string[];
  /** Given at authentication beside `groups`. */
  hiddenGroups?: readonly string[];
}

const onEc2 = (...more: string[]): TypeRules => ({
  username: () => "system:node:{{EC2PrivateDNSName}}",
  groups: ["system:nodes", ...more],
  hiddenGroups: ["system:bootstrappers"],
});

const bySession = (...more: string[]): TypeRules => ({
  username: () => "system:node:{{SessionName}}",
  groups: ["system:nodes", ...more],
});

const STANDARD: TypeRules = {
  username: ({ partition, accountId, kind, path, name }) =>
    kind === "role"
      ? `arn:${partition}:sts::${accountId}:assumed-role/${name}/{{SessionName}}`
      : `arn:${partition}:iam::${accountId}:${kind === "root" ? "root" : `user${path}${name}`}`,
  groups: [],
};

const TYPES: Readonly<Record<AccessEntryType, TypeRules>> = {
  STANDARD,
  EC2_LINUX: onEc2(),
  EC2_WINDOWS: onEc2("eks:kube-proxy-windows"),
  FARGATE_LINUX: { ...bySession("system:node-proxier"), hiddenGroups: ["system:bootstrappers"] },
  EC2: onEc2(),
  HYBRID_LINUX: bySession(),
  HYPERPOD_LINUX: bySession(),
};

export const isAccessEntryType = (text: string): text is AccessEntryType => Object.hasOwn(TYPES, text);

export const ACCESS_ENTRY_TYPES = Object.keys(TYPES) as readonly AccessEntryType[];

export const defaultUsername = (type: AccessEntryType, principal: IamPrincipal): string =>
  TYPES[type].username(principal);

/** Types of entries that EKS itself makes for machines that it launches under a role. */
export type NodeEntryType = "EC2_LINUX" | "EC2_WINDOWS" | "FARGATE_LINUX";

export const nodeEntryType = (amiType: string): NodeEntryType =>
  amiType.startsWith("WINDOWS_") ? "EC2_WINDOWS" : "EC2_LINUX";

/** What the ConfigMap aws-auth says of such a role. */
export const nodeRoleMapping = (type: NodeEntryType): { username: string; groups: string[] } => ({
  username: `system:node:${type === "FARGATE_LINUX" ? "{{SessionName}}" : "{{EC2PrivateDNSName}}"}`,
  groups: ["system:bootstrappers", ...TYPES[type].groups],
});

/** Groups that the API shows for an entry of a type that takes none. */
export const groupsOfType = (type: AccessEntryType): string[] => [...TYPES[type].groups];

/** All groups that authentication gives to a principal with this entry. */
export function authenticatedGroups(entry: { type: AccessEntryType; kubernetesGroups: readonly string[] }): string[] {
  return [...entry.kubernetesGroups, ...(TYPES[entry.type].hiddenGroups ?? [])];
}
