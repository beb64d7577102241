import { describe, expect, it } from "vitest";
import type { AccessEntryRecord } from "../../src/domain/access-entry.js";
import { checkNewAccessEntry, newAccessEntry } from "../../src/domain/eks/access-entry-rules.js";
import { principalKey } from "../../src/domain/eks/principals.js";
import type { AuthenticationMode } from "../../src/domain/model.js";
import { withNodeRole, withoutNodeRole } from "../../src/identity/aws-auth.js";
import { createClusterAccess, mapPrincipal } from "../../src/identity/cluster-access.js";
import type { Principal } from "../../src/identity/principal.js";
import { createEksToken } from "../../src/identity/sigv4-signer.js";
import { aCluster, SCOPE } from "../state/records.js";

const USER: Principal = {
  accountId: "000000000000",
  arn: "arn:aws:iam::000000000000:user/ann",
  userId: "AIDAANN",
  accessKeyId: "ann",
};
const session = (role: string, sessionName: string): Principal => ({
  accountId: "111122223333",
  arn: `arn:aws:sts::111122223333:assumed-role/${role}/${sessionName}`,
  userId: "AROAROLE",
  accessKeyId: "ASIA1",
  sessionName,
});

function userOf(
  principal: Principal,
  known: { mode?: AuthenticationMode; entries?: object[]; awsAuth?: Record<string, string>; creatorArn?: string },
) {
  const cluster = aCluster("demo", {
    creatorArn: known.creatorArn ?? "arn:aws:iam::000000000000:user/creator",
    accessConfig: { authenticationMode: known.mode ?? "API", bootstrapClusterCreatorAdminPermissions: true },
  });
  const entries = new Map<string, AccessEntryRecord>();
  for (const entry of (known.entries ?? []) as { principalArn: string }[]) {
    const record = newAccessEntry(
      cluster,
      entry.principalArn,
      checkNewAccessEntry(entry, { ...SCOPE, accountId: entry.principalArn.split(":")[4] ?? "" }),
      { uuid: "u", nowMs: 0 },
    );
    const { principalId } = entry as { principalId?: string };
    entries.set(principalKey(entry.principalArn), { ...record, ...(principalId ? { principalId } : {}) });
  }
  const result = mapPrincipal(
    {
      cluster,
      entryOf: (key) => entries.get(key),
      awsAuth: () => known.awsAuth,
      privateDnsNameOf: (id) => (id === "i-0123456789abcdef0" ? "ip-10-0-0-1.ec2.internal" : undefined),
    },
    principal,
  );
  return "user" in result ? { username: result.user.username, groups: result.user.groups } : result;
}

describe("The Kubernetes user of an IAM principal", () => {
  it("is, for a user with an entry, its ARN with the entry's groups", () => {
    const entries = [{ principalArn: USER.arn, kubernetesGroups: ["viewers"] }];
    expect(userOf(USER, { entries })).toEqual({ username: USER.arn, groups: ["viewers"] });
  });

  it("is, for a session, found by its role whatever the role's path", () => {
    const entries = [{ principalArn: "arn:aws:iam::111122223333:role/team/a/Deployer" }];
    expect(userOf(session("Deployer", "ann@example.com"), { entries })).toEqual({
      username: "arn:aws:sts::111122223333:assumed-role/Deployer/ann-example.com",
      groups: [],
    });
  });

  it("can be named by templates", () => {
    const principalArn = "arn:aws:iam::111122223333:role/Deployer";
    const entries = [{ principalArn, username: "{{AccountID}}:{{SessionNameRaw}}:{{AccessKeyID}}" }];
    expect(userOf(session("Deployer", "a@b"), { entries })).toEqual({ username: "111122223333:a@b:ASIA1", groups: [] });
  });

  it("is a node for the session of an instance, and nobody for another session of its role", () => {
    const entries = [{ principalArn: "arn:aws:iam::111122223333:role/node", type: "EC2_LINUX" }];
    expect(userOf(session("node", "i-0123456789abcdef0"), { entries })).toEqual({
      username: "system:node:ip-10-0-0-1.ec2.internal",
      groups: ["system:nodes", "system:bootstrappers"],
    });
    expect(userOf(session("node", "ann"), { entries })).toHaveProperty("error");
    expect(userOf(session("node", "i-0123456789abcdef1"), { entries })).toHaveProperty("error");
  });

  it("is nobody where nothing speaks of it", () => {
    expect(userOf(USER, {})).toEqual({ error: `ARN is not mapped: ${USER.arn}` });
  });

  it("is not that of an entry made for somebody who had the name before", () => {
    const entries = [{ principalArn: USER.arn, principalId: "AIDAFORMER" }];
    expect(userOf(USER, { entries })).toHaveProperty("error", expect.stringContaining("AIDAFORMER"));
    expect(userOf({ ...USER, userId: "AIDAFORMER" }, { entries })).toMatchObject({ username: USER.arn });
    const awsAuth = { mapUsers: `[{ userarn: ${USER.arn}, username: mapped }]` };
    expect(userOf(USER, { entries, awsAuth, mode: "API_AND_CONFIG_MAP" })).toMatchObject({ username: "mapped" });
  });

  it("is kubernetes-admin for the creator while there are no entries, and only then", () => {
    const admin = { username: "kubernetes-admin", groups: ["system:masters"] };
    expect(userOf(USER, { mode: "CONFIG_MAP", creatorArn: USER.arn })).toEqual(admin);
    expect(userOf(USER, { mode: "API_AND_CONFIG_MAP", creatorArn: USER.arn })).toHaveProperty("error");
    expect(userOf(USER, { mode: "CONFIG_MAP" })).toHaveProperty("error");
  });

  describe("by aws-auth", () => {
    const awsAuth = {
      mapUsers: `- userarn: ${USER.arn}\n  username: ann\n  groups: [devs, "{{AccountID}}:all"]\n- nonsense\n`,
      mapRoles:
        "- rolearn: arn:aws:iam::111122223333:role/a/Path\n  username: x\n- rolearn: arn:aws:iam::111122223333:role/Plain\n  username: plain:{{SessionName}}\n",
      mapAccounts: "- 000000000001\n- '444455556666'\n",
    };

    it("is what the map says, in the modes that read it", () => {
      const ann = { username: "ann", groups: ["devs", "000000000000:all"] };
      expect(userOf(USER, { awsAuth, mode: "CONFIG_MAP" })).toEqual(ann);
      expect(userOf(USER, { awsAuth, mode: "API_AND_CONFIG_MAP" })).toEqual(ann);
      expect(userOf(USER, { awsAuth, mode: "API" })).toHaveProperty("error");
    });

    it("is not asked for a principal that has an entry", () => {
      const entries = [{ principalArn: USER.arn }];
      expect(userOf(USER, { awsAuth, entries, mode: "API_AND_CONFIG_MAP" })).toEqual({
        username: USER.arn,
        groups: [],
      });
    });

    it("never matches an ARN with a path, and matches without regard to case", () => {
      const mode = "CONFIG_MAP";
      expect(userOf(session("Path", "s"), { awsAuth, mode })).toHaveProperty("error");
      expect(userOf(session("PLAIN", "s"), { awsAuth, mode })).toMatchObject({ username: "plain:s" });
    });

    it("knows the roles of permission sets of IAM Identity Center", () => {
      const sso = (name: string) => ({
        mapRoles: `- sso: { permissionSetName: ${name}, accountID: "111122223333" }\n  username: "sso:{{SessionName}}"\n  groups: [a]\n`,
      });
      const ann = session("AWSReservedSSO_Ops.Team_0123456789abcdef", "ann");
      const mode = "CONFIG_MAP";
      expect(userOf(ann, { awsAuth: sso("Ops.Team"), mode })).toEqual({ username: "sso:ann", groups: ["a"] });
      expect(userOf(ann, { awsAuth: sso("Ops"), mode })).toHaveProperty("error");
      expect(userOf(ann, { awsAuth: sso("OpsxTeam"), mode })).toHaveProperty("error");
    });

    it("knows all principals of an account by their ARN", () => {
      const arn = "arn:aws:iam::000000000001:root";
      const root: Principal = { accountId: "000000000001", arn, userId: "000000000001", accessKeyId: "000000000001" };
      expect(userOf(root, { awsAuth, mode: "CONFIG_MAP" })).toEqual({ username: arn, groups: [] });
    });

    it("is left out where it is not YAML, and the rest kept", () => {
      const broken = { ...awsAuth, mapRoles: "- {" };
      expect(userOf(USER, { awsAuth: broken, mode: "CONFIG_MAP" })).toMatchObject({ username: "ann" });
      expect(userOf(session("Plain", "s"), { awsAuth: broken, mode: "CONFIG_MAP" })).toHaveProperty("error");
    });
  });
});

describe("A token that was accepted", () => {
  it("is refused once it is too old, and as soon as its cluster is gone", () => {
    let nowMs = Date.parse("2026-03-01T12:00:00Z");
    const demo = aCluster("demo", {
      creatorArn: USER.arn,
      accessConfig: { authenticationMode: "CONFIG_MAP", bootstrapClusterCreatorAdminPermissions: true },
    });
    let cluster: ReturnType<typeof aCluster> | undefined = demo;
    const access = createClusterAccess({
      cluster: () => cluster,
      entryOf: () => undefined,
      privateDnsNameOf: () => undefined,
      clock: { kind: "real", now: () => nowMs, wallNow: () => nowMs },
    });
    const credentials = { accessKeyId: "ann", secretAccessKey: "secret" };
    const token = createEksToken({ clusterName: "demo", region: "us-east-1", credentials, nowMs });
    const ask = () => access.authenticate(token, () => undefined);
    expect(ask()).toMatchObject({ user: { uid: expect.stringContaining("aws-iam-authenticator") } });
    nowMs += 14 * 60_000;
    expect(ask()).toMatchObject({ user: {} });
    cluster = undefined;
    expect(ask()).toEqual({ error: "the cluster is gone" });
    cluster = demo;
    nowMs += 2 * 60_000;
    expect(ask()).toHaveProperty("error", expect.stringContaining("X-Amz-Date parameter is expired (15 minute"));
    expect(access.refusals()).toMatchObject([{ atMs: nowMs, accessKeyId: "ann" }]);
    expect(JSON.stringify(access.refusals())).not.toContain(token.slice(20, 60));
  });
});

describe("Node roles in aws-auth", () => {
  const role = {
    roleArn: "arn:aws:iam::000000000000:role/path/node",
    username: "system:node:{{EC2PrivateDNSName}}",
    groups: ["system:bootstrappers", "system:nodes"],
  };

  it("are added once, beside what is there, and taken away again", () => {
    const users = { mapUsers: "- userarn: x\n", mapRoles: "- rolearn: arn:aws:iam::000000000000:role/mine\n" };
    const data = withNodeRole(users, role);
    expect(data?.mapUsers).toBe(users.mapUsers);
    expect(data?.mapRoles).toContain("rolearn: arn:aws:iam::000000000000:role/node\n");
    expect(data?.mapRoles).toContain("role/mine");
    expect(withNodeRole(data, role)).toBeUndefined();
    expect(withoutNodeRole(data, role.roleArn)).toEqual(users);
    expect(withoutNodeRole(users, role.roleArn)).toBeUndefined();
  });

  it("leave alone a text that cannot be read", () => {
    expect(withNodeRole({ mapRoles: "{" }, role)).toBeUndefined();
    expect(withoutNodeRole({ mapRoles: "{" }, role.roleArn)).toBeUndefined();
  });
});
