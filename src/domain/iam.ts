/** What IAM and STS keep: users, roles and what hangs on them, and the credentials that were given out. IAM has no regions. */
import type { Scope } from "./model.js";

/** Stands where other records have their region. */
const IAM_REGION = "aws-global";

export const iamScope = (accountId: string): Scope => ({ accountId, region: IAM_REGION });

/** What is common to everything that has a name and a path in IAM. */
export interface IamResource extends Scope {
  name: string;
  /** `/` or `/a/b/`. */
  path: string;
  /** Unique id: `AIDA`, `AROA`, ... and 17 characters. Another one each time the name is taken anew. */
  id: string;
  arn: string;
  createdAtMs: number;
  tags: Record<string, string>;
}

/** Something that policies are attached to. */
export interface IamIdentity extends IamResource {
  /** JSON texts by name. */
  inlinePolicies: Record<string, string>;
  /** ARNs of managed policies, in the order of attachment. */
  attachedPolicies: string[];
  /** ARN of a managed policy. */
  permissionsBoundary?: string;
}

export interface UserRecord extends IamIdentity {
  groups: string[];
}

export type GroupRecord = IamIdentity;

export interface RoleRecord extends IamIdentity {
  /** JSON text. */
  trustPolicy: string;
  description?: string;
  /** Seconds; 3600 to 43200. */
  maxSessionDuration: number;
  /** Made for a service: only it may assume it, and nobody may change it. */
  serviceLinked?: true;
  /** Made because somebody named it, by a lenient emulator: its trust policy says nothing, and whoever asks may assume it. */
  automatic?: true;
  lastUsed?: { atMs: number; region: string };
}

export interface InstanceProfileRecord extends IamResource {
  /** Name of its only role. */
  roleName?: string;
}

export interface ManagedPolicyRecord extends IamResource {
  description?: string;
  /** `v1`, ... */
  defaultVersion: string;
  /** The number of the next version. */
  nextVersion: number;
  versions: { id: string; document: string; createdAtMs: number }[];
  updatedAtMs: number;
}

export interface OidcProviderRecord extends Scope {
  arn: string;
  /** Without `https://`: host and path. */
  url: string;
  clientIds: string[];
  thumbprints: string[];
  createdAtMs: number;
  tags: Record<string, string>;
}

/** A long-term key of a user. */
export interface AccessKeyRecord extends Scope {
  accessKeyId: string;
  secretAccessKey: string;
  userName: string;
  status: "Active" | "Inactive";
  createdAtMs: number;
  lastUsed?: { atMs: number; region: string; service: string };
}

/** Temporary credentials. */
export interface SessionRecord extends Scope {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  /** Of an assumed role, of a user or root themselves (GetSessionToken), or of a federated user. */
  kind: "role" | "user" | "federated";
  /** Who signs with it: `arn:aws:sts::<account>:assumed-role/<role>/<session>`, a user's or root's ARN, or `...:federated-user/<name>`. */
  arn: string;
  /** `AROA...:<session>`, `AIDA...`, or `<account>:<name>`. */
  userId: string;
  /** Of roles and federated users. */
  sessionName?: string;
  /** ARN, with its path, and unique id of the role or user behind it. */
  source: { arn: string; id: string };
  createdAtMs: number;
  expiresAtMs: number;
  /** Session tags. */
  tags: Record<string, string>;
  /** Keys of those tags that are handed on when another role is assumed with this session. */
  transitiveTagKeys: string[];
  sourceIdentity?: string;
  /** Session policies, JSON texts: they only take away. */
  policies: string[];
  /** ARNs of managed session policies. */
  policyArns: string[];
}

/** A name that was used before and given up: who takes it again is somebody else. */
export interface FormerIdentityRecord extends Scope {
  /** `user/<name>`, `role/<name>`, ... in lower case. */
  name: string;
  /** How often. */
  times: number;
}

/** Names of IAM differ in more than case. */
export const iamKey = (name: string): string => name.toLowerCase();
