/**
 * The one place that knows who an access key is, and which users and roles there are: static credentials, keys of IAM users, sessions of STS. A lenient
 * emulator takes whoever is named for somebody who exists; with `strict` only those do that somebody made, or whose key it was started with.
 */
import { partitionOf } from "../domain/eks/arns.js";
import { parsePrincipal } from "../domain/eks/principals.js";
import {
  type AccessKeyRecord,
  type FormerIdentityRecord,
  iamKey,
  iamScope,
  type RoleRecord,
  type SessionRecord,
  type UserRecord,
} from "../domain/iam.js";
import type { Scope } from "../domain/model.js";
import { accountOfAccessKey, newAccessKeyId } from "./access-keys.js";
import { type Principal, principalOfAccessKey, uniqueId } from "./principal.js";

interface Kept<T> {
  get(scope: Scope, name: string): T | undefined;
  put(record: T): void;
  remove(scope: Scope, name: string): void;
  list(scope: Scope): T[];
  all(): T[];
}

/** What the directory reads and writes: `State.iam` is one. */
export interface DirectoryState {
  users: Kept<UserRecord>;
  roles: Kept<RoleRecord>;
  accessKeys: Kept<AccessKeyRecord>;
  sessions: Kept<SessionRecord>;
  former: Kept<FormerIdentityRecord>;
}

/** Why a key is not accepted. AWS says less: see api/protocol/refused-credentials. */
export type CredentialRefusal = "unknown-key" | "inactive-key" | "wrong-session-token" | "expired-session";

export type Identified =
  | {
      principal: Principal;
      /** What signatures are checked with; absent where nobody told it. */
      secretAccessKey?: string;
      /** Of temporary credentials. */
      session?: SessionRecord;
    }
  | { refusal: CredentialRefusal };

/** Who gets temporary credentials, and what they carry. */
export type NewSession = Pick<SessionRecord, "kind" | "arn" | "userId" | "source"> &
  Partial<
    Pick<SessionRecord, "sessionName" | "tags" | "transitiveTagKeys" | "sourceIdentity" | "policies" | "policyArns">
  > & {
    accountId: string;
    durationSeconds: number;
  };

export interface Directory {
  readonly strict: boolean;
  /** Who signs with a key. `sessionToken` = what came along with it; `undefined` when nothing did. */
  identify(accessKeyId: string, sessionToken?: string): Identified;
  /** Undefined where nobody knows it. */
  secretOf(accessKeyId: string): string | undefined;
  /** The role of an ARN, as somebody made it. A path in the ARN must be the role's; the ARN of one of its sessions does as well. */
  role(arn: string): RoleRecord | undefined;
  user(arn: string): UserRecord | undefined;
  /** As `role`; a lenient emulator makes one that was never there, and never one that was deleted. Writes. */
  roleToAssume(arn: string): RoleRecord | undefined;
  /**
   * Unique id (`AIDA...`, `AROA...`, the account's number for root) that an ARN stands for now. Undefined when it was deleted, or is unknown and the
   * emulator strict. Who deletes a role and makes it again finds another id here.
   */
  uniqueIdOf(arn: string): string | undefined;
  /** The unique id for a name that is taken now. */
  newUniqueId(prefix: UniqueIdPrefix, accountId: string, kind: string, name: string, arn: string): string;
  /** Notes that a name was given up, so that who takes it again gets another unique id. */
  forget(accountId: string, kind: string, name: string): void;
  /** Gives out temporary credentials, valid at once. */
  openSession(session: NewSession): SessionRecord;
  /** A new long-term key; not yet kept. */
  newAccessKey(accountId: string): { accessKeyId: string; secretAccessKey: string };
}

export type UniqueIdPrefix = "AIDA" | "AROA" | "AGPA" | "AIPA" | "ANPA";

/** Trust of roles that a lenient emulator makes: whoever names them may assume them. */
const OPEN_TRUST = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    {
      Effect: "Allow",
      Principal: "*",
      Action: ["sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:TagSession", "sts:SetSourceIdentity"],
    },
  ],
});

/** Sessions that ended are looked for each time so many were opened. */
const SWEEP_EVERY = 100;

const principalOf = (arn: string): ReturnType<typeof parsePrincipal> => {
  const session = /^arn:([^:]+):sts::(\d{12}):assumed-role\/([^/]+)\/[^/]+$/.exec(arn);
  return parsePrincipal(session ? `arn:${session[1]}:iam::${session[2]}:role/${session[3]}` : arn);
};

/**
 * `credentials` are those that the emulator was started with; `randomBytes` what new secrets are made of.
 */
export function createDirectory(options: {
  iam: DirectoryState;
  strict: boolean;
  credentials: { get(accessKeyId: string): string | undefined };
  clock: { now(): number };
  randomBytes: (count: number) => Buffer;
}): Directory {
  const { iam, strict, credentials, clock, randomBytes } = options;
  let opened = 0;
  /** Working out an implied principal takes a hash; clients sign thousands of requests with one key. */
  const implied = new Map<string, Principal>();

  const impliedPrincipal = (accessKeyId: string): Principal => {
    const known = implied.get(accessKeyId);
    if (known) return known;
    if (implied.size >= 1000) implied.clear();
    const principal = principalOfAccessKey(accessKeyId);
    implied.set(accessKeyId, principal);
    return principal;
  };

  const formerTimes = (accountId: string, kind: string, name: string): number =>
    iam.former.get(iamScope(accountId), `${kind}/${iamKey(name)}`)?.times ?? 0;

  const newUniqueId: Directory["newUniqueId"] = (prefix, accountId, kind, name, arn) => {
    const times = formerTimes(accountId, kind, name);
    // The same for implied and made ones: a role that is made after it was named stays who it is. Paths do not count, as sessions do not show them.
    const canonical = `${arn.split(":").slice(0, 5).join(":")}:${kind}/${name}`;
    return uniqueId(prefix, times === 0 ? canonical : `${canonical}#${times}`);
  };

  const found = <T extends { arn: string; path: string }>(
    kept: Kept<T>,
    kind: "role" | "user",
    arn: string,
  ): T | undefined => {
    const named = principalOf(arn);
    if (named?.kind !== kind) return undefined;
    const record = kept.get(iamScope(named.accountId), iamKey(named.name));
    return record && (named.path === "/" || record.path === named.path) ? record : undefined;
  };

  const role = (arn: string): RoleRecord | undefined => found(iam.roles, "role", arn);
  const user = (arn: string): UserRecord | undefined => found(iam.users, "user", arn);

  const uniqueIdOf = (arn: string): string | undefined => {
    const named = principalOf(arn);
    if (!named) return undefined;
    const { kind, accountId, name } = named;
    if (kind === "root") return accountId;
    const known = kind === "role" ? role(arn) : user(arn);
    if (known) return known.id;
    // Those whose key the emulator was started with are there without having been made.
    const isStatic = kind === "user" && credentials.get(name) !== undefined;
    if ((strict && !isStatic) || formerTimes(accountId, kind, name) > 0) return undefined;
    const kept: Kept<{ arn: string }> = kind === "role" ? iam.roles : iam.users;
    if (kept.get(iamScope(accountId), iamKey(name))) return undefined;
    return newUniqueId(kind === "role" ? "AROA" : "AIDA", accountId, kind, name, arn);
  };

  const ofUser = (key: AccessKeyRecord): Identified => {
    const owner = iam.users.get(key, iamKey(key.userName));
    if (!owner) return { refusal: "unknown-key" };
    if (key.status === "Inactive") return { refusal: "inactive-key" };
    const { accountId, accessKeyId, secretAccessKey } = key;
    return { principal: { accountId, arn: owner.arn, userId: owner.id, accessKeyId }, secretAccessKey };
  };

  const ofSession = (session: SessionRecord, sessionToken: string | undefined): Identified => {
    if (session.sessionToken !== sessionToken) return { refusal: "wrong-session-token" };
    if (session.expiresAtMs <= clock.now()) return { refusal: "expired-session" };
    // Sessions end with the role or user that they are of.
    if (uniqueIdOf(session.source.arn) !== session.source.id) return { refusal: "unknown-key" };
    return {
      principal: sessionPrincipal(session),
      secretAccessKey: session.secretAccessKey,
      session,
    };
  };

  const sweep = (): void => {
    // A day longer, so that who comes late hears that they expired.
    const before = clock.now() - 86_400_000;
    for (const session of iam.sessions.all())
      if (session.expiresAtMs < before) iam.sessions.remove(session, session.accessKeyId);
  };

  const newSecret = (): string => randomBytes(30).toString("base64");

  /** A seeded run draws the same keys again after a restart. */
  const unusedKeyId = (prefix: "AKIA" | "ASIA", accountId: string): string => {
    const scope = iamScope(accountId);
    for (;;) {
      const id = newAccessKeyId(prefix, accountId, randomBytes(5));
      if (!iam.accessKeys.get(scope, id) && !iam.sessions.get(scope, id)) return id;
    }
  };

  return {
    strict,
    identify(accessKeyId, sessionToken) {
      const accountId = accountOfAccessKey(accessKeyId);
      if (accountId !== undefined) {
        const key = iam.accessKeys.get(iamScope(accountId), accessKeyId);
        if (key) return ofUser(key);
        const session = iam.sessions.get(iamScope(accountId), accessKeyId);
        if (session) return ofSession(session, sessionToken);
      }
      const secretAccessKey = credentials.get(accessKeyId);
      if (strict && secretAccessKey === undefined) return { refusal: "unknown-key" };
      return {
        principal: impliedPrincipal(accessKeyId),
        ...(secretAccessKey === undefined ? {} : { secretAccessKey }),
      };
    },
    secretOf(accessKeyId) {
      const accountId = accountOfAccessKey(accessKeyId);
      if (accountId === undefined) return credentials.get(accessKeyId);
      const scope = iamScope(accountId);
      const kept = iam.accessKeys.get(scope, accessKeyId) ?? iam.sessions.get(scope, accessKeyId);
      return kept?.secretAccessKey ?? credentials.get(accessKeyId);
    },
    role,
    user,
    roleToAssume(arn) {
      const known = role(arn);
      const named = parsePrincipal(arn);
      if (known || strict || named?.kind !== "role") return known;
      const { accountId, name, path } = named;
      const scope = iamScope(accountId);
      // There is one of that name with another path, or there was one.
      if (iam.roles.get(scope, iamKey(name)) || formerTimes(accountId, "role", name) > 0) return undefined;
      const made: RoleRecord = {
        ...scope,
        name,
        path,
        arn,
        id: newUniqueId("AROA", accountId, "role", name, arn),
        createdAtMs: clock.now(),
        tags: {},
        inlinePolicies: {},
        attachedPolicies: [],
        trustPolicy: OPEN_TRUST,
        // Nobody said how long its sessions may be.
        maxSessionDuration: 43_200,
        automatic: true,
      };
      iam.roles.put(made);
      return made;
    },
    uniqueIdOf,
    newUniqueId,
    forget(accountId, kind, name) {
      iam.former.put({
        ...iamScope(accountId),
        name: `${kind}/${iamKey(name)}`,
        times: formerTimes(accountId, kind, name) + 1,
      });
    },
    openSession({ accountId, durationSeconds, ...session }) {
      opened += 1;
      if (opened % SWEEP_EVERY === 0) sweep();
      const nowMs = clock.now();
      const record: SessionRecord = {
        tags: {},
        transitiveTagKeys: [],
        policies: [],
        policyArns: [],
        ...session,
        ...iamScope(accountId),
        accessKeyId: unusedKeyId("ASIA", accountId),
        secretAccessKey: newSecret(),
        sessionToken: `IQoJb3JpZ2luX2Vj${randomBytes(210).toString("base64")}`,
        createdAtMs: nowMs,
        expiresAtMs: nowMs + durationSeconds * 1000,
      };
      iam.sessions.put(record);
      return record;
    },
    newAccessKey: (accountId) => ({
      accessKeyId: unusedKeyId("AKIA", accountId),
      secretAccessKey: newSecret(),
    }),
  };
}

/** Who signs with temporary credentials. The id of a session is its name behind the id of what it is of. */
function sessionPrincipal(session: SessionRecord): Principal {
  const { accountId, accessKeyId, arn, userId, sessionName } = session;
  const [id = userId] = userId.split(":");
  return { accountId, arn, userId: id, accessKeyId, ...(sessionName === undefined ? {} : { sessionName }) };
}

/** `AROA...:<session>` as GetCallerIdentity shows it; the id alone for users. */
export const userIdOf = ({ userId, sessionName }: Principal): string =>
  sessionName === undefined ? userId : `${userId}:${sessionName}`;

/** ARN of something in IAM. `region` is the caller's: it tells the partition. */
export const iamArn = (accountId: string, region: string, resource: string): string =>
  `arn:${partitionOf({ region })}:iam::${accountId}:${resource}`;
