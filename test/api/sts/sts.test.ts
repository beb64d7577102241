import { EKSClient, ListClustersCommand } from "@aws-sdk/client-eks";
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteRoleCommand,
  IAMClient,
  PutUserPolicyCommand,
  UpdateAccessKeyCommand,
} from "@aws-sdk/client-iam";
import {
  AssumeRoleCommand,
  AssumeRoleWithWebIdentityCommand,
  type Credentials,
  GetAccessKeyInfoCommand,
  GetCallerIdentityCommand,
  GetFederationTokenCommand,
  GetSessionTokenCommand,
  STSClient,
} from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { presignedSignature } from "../../../src/identity/sigv4-signer.js";
import type { WebIdentityVerifier } from "../../../src/identity/web-identity.js";
import { type Rig, refusal, startRig } from "../gateway-rig.js";

const ACCOUNT = "000000000000";
const role = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const trust = (Principal: object | string, more: object = {}, Action: string | string[] = "sts:AssumeRole"): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal, Action, ...more }] });

type Keys = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
const TEST: Keys = { accessKeyId: "test", secretAccessKey: "test" };
const keysOf = ({ AccessKeyId = "", SecretAccessKey = "", SessionToken = "" }: Partial<Credentials> = {}): Keys => ({
  accessKeyId: AccessKeyId,
  secretAccessKey: SecretAccessKey,
  sessionToken: SessionToken,
});

/** Clients of all three services with the same keys, ended with the test file. */
const clients: { destroy(): void }[] = [];
const common = (rig: Rig, credentials: Keys, more: object = {}) => ({
  endpoint: rig.url,
  region: "eu-west-1",
  credentials,
  maxAttempts: 1,
  ...more,
});
const kept = <T extends { destroy(): void }>(client: T): T => {
  clients.push(client);
  return client;
};
const sts = (rig: Rig, keys = TEST, more = {}): STSClient => kept(new STSClient(common(rig, keys, more)));
const iam = (rig: Rig, keys = TEST): IAMClient => kept(new IAMClient(common(rig, keys)));
const eks = (rig: Rig, keys = TEST): EKSClient => kept(new EKSClient(common(rig, keys)));

let lenient: Rig;
let strict: Rig;
const verifier: WebIdentityVerifier = (token, issuer) => {
  const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
  if (claims.bad) return { error: "InvalidIdentityToken", message: "bad signature" };
  return { issuer, subject: String(claims.sub), audience: [String(claims.aud)], claims };
};
beforeAll(async () => {
  const secrets = new Map([["test", "test"]]);
  lenient = await startRig({ secretFor: (key) => secrets.get(key) }, { webIdentityVerifiers: [verifier] });
  strict = await startRig({ strict: true, verifySignatures: true, secretFor: (key) => secrets.get(key) });
});
afterAll(async () => {
  for (const client of clients) client.destroy();
  await lenient.close();
  await strict.close();
});

const whoIs = async (client: STSClient): Promise<object> => {
  const { UserId, Account, Arn } = await client.send(new GetCallerIdentityCommand({}));
  return { UserId, Account, Arn };
};

describe("GetCallerIdentity", () => {
  it("names users, accounts and sessions", async () => {
    expect(await whoIs(sts(lenient))).toEqual({
      UserId: expect.stringMatching(/^AIDA[A-Z2-7]{17}$/),
      Account: ACCOUNT,
      Arn: `arn:aws:iam::${ACCOUNT}:user/test`,
    });
    expect(await whoIs(sts(lenient, { accessKeyId: "111122223333", secretAccessKey: "x" }))).toEqual({
      UserId: "111122223333",
      Account: "111122223333",
      Arn: "arn:aws:iam::111122223333:root",
    });
    const { FederatedUser, Credentials: federated } = await sts(lenient).send(
      new GetFederationTokenCommand({ Name: "guest" }),
    );
    expect(await whoIs(sts(lenient, keysOf(federated)))).toEqual({
      UserId: `${ACCOUNT}:guest`,
      Account: ACCOUNT,
      Arn: FederatedUser?.Arn,
    });
  });

  it("works as a presigned GET, as tokens of EKS use it", async () => {
    const { Credentials: session } = await sts(strict).send(new GetSessionTokenCommand({}));
    const { accessKeyId, secretAccessKey, sessionToken = "" } = keysOf(session);
    const ask = async (changes: Record<string, string> = {}, cluster = "demo"): Promise<[number, string]> => {
      const stamp = `${new Date(strict.clock.wallNow()).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")}Z`;
      const url = new URL(`${strict.url}/?Action=GetCallerIdentity&Version=2011-06-15`);
      const parameters = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": `${accessKeyId}/${stamp.slice(0, 8)}/eu-west-1/sts/aws4_request`,
        "X-Amz-Date": stamp,
        "X-Amz-Expires": "60",
        "X-Amz-SignedHeaders": "host;x-k8s-aws-id",
        "X-Amz-Security-Token": sessionToken,
        ...changes,
      };
      for (const [name, value] of Object.entries(parameters)) if (value !== "") url.searchParams.set(name, value);
      const signature = presignedSignature(url, { host: url.host, "x-k8s-aws-id": "demo" }, secretAccessKey);
      url.searchParams.set("X-Amz-Signature", signature ?? "");
      const response = await fetch(url, { headers: { "x-k8s-aws-id": cluster } });
      const text = await response.text();
      return [response.status, /<(?:Code|Arn)>(.*?)</.exec(text)?.[1] ?? text];
    };
    expect(await ask()).toEqual([200, `arn:aws:iam::${ACCOUNT}:user/test`]);
    // The header is signed: a token for one cluster is none for another.
    expect(await ask({}, "other")).toEqual([403, "SignatureDoesNotMatch"]);
    expect(await ask({ "X-Amz-Security-Token": "" })).toEqual([403, "InvalidClientTokenId"]);
    expect(await ask({ "X-Amz-Expires": "no" })).toEqual([400, "IncompleteSignature"]);
    expect(
      await ask({
        "X-Amz-Date": "20200101T000000Z",
        "X-Amz-Credential": `${accessKeyId}/20200101/eu-west-1/sts/aws4_request`,
      }),
    ).toEqual([403, "SignatureDoesNotMatch"]);
  });
});

describe("AssumeRole", () => {
  it("gives credentials that every service takes, until they expire or the role goes", async () => {
    await iam(lenient).send(
      new CreateRoleCommand({ RoleName: "builder", Path: "/ci/", AssumeRolePolicyDocument: trust({ AWS: ACCOUNT }) }),
    );
    const { Credentials: given, AssumedRoleUser } = await sts(lenient).send(
      new AssumeRoleCommand({ RoleArn: role("ci/builder"), RoleSessionName: "run-7", DurationSeconds: 900 }),
    );
    // Sessions do not show the path.
    expect(AssumedRoleUser).toEqual({
      Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/builder/run-7`,
      AssumedRoleId: expect.stringMatching(/^AROA[A-Z2-7]{17}:run-7$/),
    });
    expect(given?.Expiration?.getTime()).toBe(Math.floor(lenient.clock.now() / 1000) * 1000 + 900_000);
    const session = sts(lenient, keysOf(given));
    expect(await whoIs(session)).toEqual({
      UserId: AssumedRoleUser?.AssumedRoleId,
      Account: ACCOUNT,
      Arn: AssumedRoleUser?.Arn,
    });
    expect((await eks(lenient, keysOf(given)).send(new ListClustersCommand({}))).clusters).toEqual([]);
    const without = sts(lenient, { ...keysOf(given), sessionToken: "other" });
    expect(await refusal(without.send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: "InvalidClientTokenId",
      status: 403,
    });

    await iam(lenient).send(new DeleteRoleCommand({ RoleName: "builder" }));
    expect(await refusal(session.send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: "InvalidClientTokenId",
    });
    await iam(lenient).send(
      new CreateRoleCommand({ RoleName: "builder", AssumeRolePolicyDocument: trust({ AWS: ACCOUNT }) }),
    );
    expect(await refusal(session.send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: "InvalidClientTokenId",
    });
  });

  it("expires by the emulator's time, with each protocol's own code", async () => {
    const { Credentials: given } = await sts(lenient).send(
      new AssumeRoleCommand({ RoleArn: role("short"), RoleSessionName: "run", DurationSeconds: 900 }),
    );
    await lenient.clock.advance(900_000);
    expect(await refusal(sts(lenient, keysOf(given)).send(new GetCallerIdentityCommand({})))).toEqual({
      name: "ExpiredToken",
      message: "The security token included in the request is expired",
      status: 403,
    });
    expect(await refusal(eks(lenient, keysOf(given)).send(new ListClustersCommand({})))).toMatchObject({
      name: "ExpiredTokenException",
      status: 403,
    });
  });

  it("asks the trust policy: its principals and its conditions", async () => {
    const make = (RoleName: string, document: string) =>
      iam(lenient).send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: document }));
    await make("for-pods", trust({ Service: "pods.eks.amazonaws.com" }));
    await make("for-id", trust({ AWS: ACCOUNT }, { Condition: { StringEquals: { "sts:ExternalId": "secret-7" } } }));
    await make("for-other", trust({ AWS: "arn:aws:iam::111122223333:user/alice" }));
    const assume = (name: string, more: object = {}) =>
      sts(lenient).send(new AssumeRoleCommand({ RoleArn: role(name), RoleSessionName: "run", ...more }));
    const denied = {
      name: "AccessDenied",
      status: 403,
      message: `User: arn:aws:iam::${ACCOUNT}:user/test is not authorized to perform: sts:AssumeRole on resource: ${role("for-pods")}`,
    };
    expect(await refusal(assume("for-pods"))).toEqual(denied);
    expect(await refusal(assume("for-other"))).toMatchObject({ name: "AccessDenied" });
    expect(await refusal(assume("for-id"))).toMatchObject({ name: "AccessDenied" });
    expect((await assume("for-id", { ExternalId: "secret-7" })).Credentials).toBeDefined();
    // Tags are asked for by themselves.
    expect(
      await refusal(assume("for-id", { ExternalId: "secret-7", Tags: [{ Key: "team", Value: "a" }] })),
    ).toMatchObject({
      message: expect.stringContaining("perform: sts:TagSession on"),
    });
  });

  it("bounds durations, also of chained sessions, and hands transitive tags on", async () => {
    const actions = ["sts:AssumeRole", "sts:TagSession"];
    await iam(lenient).send(
      new CreateRoleCommand({
        RoleName: "chain",
        AssumeRolePolicyDocument: trust({ AWS: ACCOUNT }, {}, actions),
        MaxSessionDuration: 7200,
      }),
    );
    await iam(lenient).send(
      new CreateRoleCommand({
        RoleName: "only-a",
        AssumeRolePolicyDocument: trust(
          { AWS: role("chain") },
          { Condition: { StringEquals: { "aws:PrincipalTag/team": "a" } } },
          // Tags that are handed on need to be allowed as well.
          actions,
        ),
      }),
    );
    const chain = { RoleArn: role("chain"), RoleSessionName: "run" };
    expect(await refusal(sts(lenient).send(new AssumeRoleCommand({ ...chain, DurationSeconds: 7201 })))).toMatchObject({
      name: "ValidationError",
      message: "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    });
    expect(await refusal(sts(lenient).send(new AssumeRoleCommand({ ...chain, DurationSeconds: 1 })))).toMatchObject({
      message:
        "1 validation error detected: Value '1' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
    });
    const { Credentials: first } = await sts(lenient).send(
      new AssumeRoleCommand({ ...chain, Tags: [{ Key: "team", Value: "a" }], TransitiveTagKeys: ["team"] }),
    );
    const second = sts(lenient, keysOf(first));
    expect(await refusal(second.send(new AssumeRoleCommand({ ...chain, DurationSeconds: 3601 })))).toMatchObject({
      message: "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    });
    const { Credentials: third } = await second.send(new AssumeRoleCommand(chain));
    const last = await sts(lenient, keysOf(third)).send(
      new AssumeRoleCommand({ RoleArn: role("only-a"), RoleSessionName: "run" }),
    );
    expect(last.AssumedRoleUser?.Arn).toBe(`arn:aws:sts::${ACCOUNT}:assumed-role/only-a/run`);
    expect(
      await refusal(sts(lenient).send(new AssumeRoleCommand({ RoleArn: role("only-a"), RoleSessionName: "run" }))),
    ).toMatchObject({
      name: "AccessDenied",
    });
  });

  it("refuses what is no role, and what no rule of its members allows", async () => {
    const assume = (RoleArn: string, RoleSessionName = "run") =>
      refusal(sts(lenient).send(new AssumeRoleCommand({ RoleArn, RoleSessionName })));
    expect(await assume("arn:aws:iam::000000000000:user/bob")).toMatchObject({
      name: "ValidationError",
      message: "arn:aws:iam::000000000000:user/bob is invalid",
    });
    expect(await assume(role("x"), "no spaces")).toMatchObject({
      name: "ValidationError",
      message: expect.stringContaining(
        "Value 'no spaces' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern",
      ),
    });
  });
});

describe("AssumeRoleWithWebIdentity", () => {
  const ISSUER = "oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF";
  const jwt = (claims: object): string =>
    [
      "{}",
      JSON.stringify({
        iss: `https://${ISSUER}`,
        sub: "system:serviceaccount:default:app",
        aud: "sts.amazonaws.com",
        ...claims,
      }),
      "x",
    ]
      .map((part) => Buffer.from(part).toString("base64url"))
      .join(".");
  const assume = (claims: object = {}, name = "app") =>
    // Nobody signs this call.
    kept(new STSClient({ endpoint: lenient.url, region: "eu-west-1", maxAttempts: 1, credentials: TEST })).send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: role(name),
        RoleSessionName: "pod",
        WebIdentityToken: jwt(claims),
      }),
    );
  beforeAll(async () => {
    const condition = {
      StringEquals: { [`${ISSUER}:sub`]: "system:serviceaccount:default:app", [`${ISSUER}:aud`]: "sts.amazonaws.com" },
    };
    await iam(lenient).send(
      new CreateRoleCommand({
        RoleName: "app",
        AssumeRolePolicyDocument: trust(
          { Federated: `arn:aws:iam::${ACCOUNT}:oidc-provider/${ISSUER}` },
          { Condition: condition },
          "sts:AssumeRoleWithWebIdentity",
        ),
      }),
    );
  });

  it("gives the role to the subject that its trust names", async () => {
    const answer = await assume();
    expect(answer).toMatchObject({
      SubjectFromWebIdentityToken: "system:serviceaccount:default:app",
      Audience: "sts.amazonaws.com",
      Provider: `arn:aws:iam::${ACCOUNT}:oidc-provider/${ISSUER}`,
      AssumedRoleUser: { Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/app/pod` },
    });
    expect(await whoIs(sts(lenient, keysOf(answer.Credentials)))).toMatchObject({ Arn: answer.AssumedRoleUser?.Arn });
  });

  it.each([
    [
      "another service account",
      { sub: "system:serviceaccount:default:other" },
      "AccessDenied",
      "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ],
    ["another audience", { aud: "other" }, "InvalidIdentityTokenException", "Incorrect token audience"],
    [
      "an issuer that IAM does not know",
      { iss: "https://issuer.example" },
      "InvalidIdentityTokenException",
      "No OpenIDConnect provider found in your account for https://issuer.example",
    ],
    ["a token with a bad signature", { bad: true }, "InvalidIdentityTokenException", "bad signature"],
  ])("refuses %s", async (_, claims, name, message) => {
    expect(await refusal(assume(claims))).toMatchObject({ name, message });
  });
});

describe("signatures, when they are verified", () => {
  it("are those of users' keys and of sessions, with the body they were made for", async () => {
    await iam(strict).send(new CreateUserCommand({ UserName: "alice" }));
    const { AccessKey } = await iam(strict).send(new CreateAccessKeyCommand({ UserName: "alice" }));
    const alice = keysOf(AccessKey as Partial<Credentials>);
    const { sessionToken: _, ...keys } = alice;
    expect(await whoIs(sts(strict, keys))).toMatchObject({ Arn: `arn:aws:iam::${ACCOUNT}:user/alice` });
    expect((await sts(strict).send(new GetAccessKeyInfoCommand({ AccessKeyId: keys.accessKeyId }))).Account).toBe(
      ACCOUNT,
    );

    const wrong = { ...keys, secretAccessKey: "wrong" };
    expect(await refusal(sts(strict, wrong).send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: "SignatureDoesNotMatch",
      status: 403,
    });
    expect(await refusal(eks(strict, wrong).send(new ListClustersCommand({})))).toMatchObject({
      name: "InvalidSignatureException",
      status: 403,
    });
    const stranger = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "x" };
    expect(await refusal(sts(strict, stranger).send(new GetCallerIdentityCommand({})))).toEqual({
      name: "InvalidClientTokenId",
      message: "The security token included in the request is invalid.",
      status: 403,
    });
    const late = sts(strict, keys, { systemClockOffset: -16 * 60_000 });
    expect(await refusal(late.send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: "SignatureDoesNotMatch",
      message: expect.stringMatching(
        /^Signature expired: \d{8}T\d{6}Z is now earlier than \d{8}T\d{6}Z \(\d{8}T\d{6}Z - 15 min\.\)$/,
      ),
    });
    const early = sts(strict, keys, { systemClockOffset: 16 * 60_000 });
    expect(await refusal(early.send(new GetCallerIdentityCommand({})))).toMatchObject({
      message: expect.stringMatching(/^Signature not yet current: /),
    });

    await iam(strict).send(
      new UpdateAccessKeyCommand({ UserName: "alice", AccessKeyId: keys.accessKeyId, Status: "Inactive" }),
    );
    expect(await refusal(sts(strict, keys).send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: "InvalidClientTokenId",
    });
  });

  it("let strangers assume nothing in a strict emulator, and users what their policies allow", async () => {
    await iam(strict).send(new CreateUserCommand({ UserName: "bob" }));
    const { AccessKey } = await iam(strict).send(new CreateAccessKeyCommand({ UserName: "bob" }));
    const { sessionToken: _, ...keys } = keysOf(AccessKey as Partial<Credentials>);
    await iam(strict).send(
      new CreateRoleCommand({ RoleName: "target", AssumeRolePolicyDocument: trust({ AWS: ACCOUNT }) }),
    );
    const assume = (name: string) =>
      sts(strict, keys).send(new AssumeRoleCommand({ RoleArn: role(name), RoleSessionName: "run" }));
    expect(await refusal(assume("nobody"))).toMatchObject({ name: "AccessDenied" });
    expect(await refusal(assume("target"))).toMatchObject({ name: "AccessDenied" });
    await iam(strict).send(
      new PutUserPolicyCommand({
        UserName: "bob",
        PolicyName: "assume",
        PolicyDocument: JSON.stringify({
          Statement: [{ Effect: "Allow", Action: "sts:AssumeRole", Resource: role("tar*") }],
        }),
      }),
    );
    const { Credentials: given } = await assume("target");
    expect(await whoIs(sts(strict, keysOf(given)))).toMatchObject({
      Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/target/run`,
    });
  });

  it.each([
    ["no signature", {}, "MissingAuthenticationToken", 403],
    ["another scheme", { authorization: "Basic abc" }, "IncompleteSignature", 400],
  ])("are missed in the form of the protocol: %s", async (_, headers, code, status) => {
    const response = await fetch(strict.url, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      body: "Action=GetCallerIdentity&Version=2011-06-15",
    });
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("text/xml");
    expect(await response.text()).toMatch(
      new RegExp(`^<ErrorResponse xmlns="[^"]+"><Error><Type>Sender</Type><Code>${code}</Code>`),
    );
  });

  it("are not looked at where the request is too large, or for another host", async () => {
    const post = (headers: Record<string, string>, body: string) =>
      fetch(strict.url, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
        body,
      });
    const codeOf = async (response: Response) => [response.status, /<Code>(.*?)</.exec(await response.text())?.[1]];
    expect(await codeOf(await post({}, "x".repeat(1024 * 1024 + 1)))).toEqual([413, "RequestEntityTooLarge"]);
    expect(await codeOf(await post({ origin: "https://evil.example" }, "Action=GetCallerIdentity"))).toEqual([
      403,
      "AccessDenied",
    ]);
  });
});
