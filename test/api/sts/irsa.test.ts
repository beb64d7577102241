import { CreateOpenIDConnectProviderCommand, CreateRoleCommand, IAMClient } from "@aws-sdk/client-iam";
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";

const ACCOUNT = "000000000000";
const roleArn = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`;

let eksim: Eksim;
let iam: IAMClient;
let sts: STSClient;
/** By the cluster's name; without `https://`. */
const issuers: Record<string, string> = {};

async function tokenFor(account: string, options: { audience?: string; cluster?: string; seconds?: number } = {}) {
  const { audience = "sts.amazonaws.com", cluster = "demo", seconds = 86_400 } = options;
  const { status } = await eksim.kubernetes<{ status: { token: string } }>(
    cluster,
    "POST",
    `/api/v1/namespaces/default/serviceaccounts/${account}/token`,
    { spec: { audiences: [audience], expirationSeconds: seconds } },
  );
  return status.token;
}

const assume = (token: string, role = "reader") =>
  sts.send(
    new AssumeRoleWithWebIdentityCommand({ RoleArn: roleArn(role), RoleSessionName: "pod", WebIdentityToken: token }),
  );

/** Trust as eksctl and the guides write it. */
const trust = (issuer: string, account: string): string =>
  JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Federated: `arn:aws:iam::${ACCOUNT}:oidc-provider/${issuer}` },
        Action: "sts:AssumeRoleWithWebIdentity",
        Condition: {
          StringEquals: {
            [`${issuer}:sub`]: `system:serviceaccount:default:${account}`,
            [`${issuer}:aud`]: "sts.amazonaws.com",
          },
        },
      },
    ],
  });

beforeAll(async () => {
  eksim = await startEksim({ seed: 1 });
  iam = new IAMClient({ ...eksim.clientConfig(), maxAttempts: 1 });
  sts = new STSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
  for (const name of ["demo", "other"]) {
    const resourcesVpcConfig = { subnetIds: ["subnet-a", "subnet-b"] };
    await eksim.eks("POST", "/clusters", { name, roleArn: roleArn("eks"), resourcesVpcConfig });
  }
  await eksim.advance("1s");
  for (const name of ["demo", "other"]) {
    const { cluster } = await eksim.eks<{ cluster: { identity: { oidc: { issuer: string } } } }>(
      "GET",
      `/clusters/${name}`,
    );
    issuers[name] = cluster.identity.oidc.issuer.replace("https://", "");
    for (const account of ["reader", "writer"])
      await eksim.kubernetes(name, "POST", "/api/v1/namespaces/default/serviceaccounts", {
        metadata: { name: account },
      });
  }
  await iam.send(
    new CreateOpenIDConnectProviderCommand({
      Url: `https://${issuers.demo}`,
      ClientIDList: ["sts.amazonaws.com"],
      ThumbprintList: ["0".repeat(40)],
    }),
  );
  await iam.send(
    new CreateRoleCommand({ RoleName: "reader", AssumeRolePolicyDocument: trust(issuers.demo ?? "", "reader") }),
  );
});
afterAll(async () => {
  iam.destroy();
  sts.destroy();
  await eksim.stop();
});

describe("a role for a service account", () => {
  it("is assumed with the account's token, and is who calls from then on", async () => {
    const { Credentials, AssumedRoleUser, SubjectFromWebIdentityToken, Audience, Provider } = await assume(
      await tokenFor("reader"),
    );
    expect({ SubjectFromWebIdentityToken, Audience, Provider, arn: AssumedRoleUser?.Arn }).toEqual({
      SubjectFromWebIdentityToken: "system:serviceaccount:default:reader",
      Audience: "sts.amazonaws.com",
      Provider: `arn:aws:iam::${ACCOUNT}:oidc-provider/${issuers.demo}`,
      arn: `arn:aws:sts::${ACCOUNT}:assumed-role/reader/pod`,
    });
    const { AccessKeyId = "", SecretAccessKey = "", SessionToken } = Credentials ?? {};
    const pod = new STSClient({
      ...eksim.clientConfig(),
      credentials: {
        accessKeyId: AccessKeyId,
        secretAccessKey: SecretAccessKey,
        ...(SessionToken ? { sessionToken: SessionToken } : {}),
      },
    });
    expect((await pod.send(new GetCallerIdentityCommand({}))).Arn).toBe(AssumedRoleUser?.Arn);
    pod.destroy();
  });

  it.each<[string, () => Promise<string>, string, RegExp | string]>([
    [
      "another account of the cluster",
      () => tokenFor("writer"),
      "AccessDenied",
      "Not authorized to perform sts:AssumeRoleWithWebIdentity",
    ],
    [
      "the same account of another cluster",
      () => tokenFor("reader", { cluster: "other" }),
      "AccessDenied",
      /Not authorized/,
    ],
    [
      "a token for another audience",
      () => tokenFor("reader", { audience: "vault" }),
      "InvalidIdentityToken",
      "Incorrect token audience",
    ],
    ["an altered token", async () => renamed(await tokenFor("writer")), "InvalidIdentityToken", /signature/],
    [
      "the other cluster's token under this one's name",
      async () => reissued(await tokenFor("reader", { cluster: "other" })),
      "InvalidIdentityToken",
      /signature/,
    ],
  ])("is not given to %s", async (_what, token, name, message) => {
    await expect(assume(await token())).rejects.toMatchObject({
      name: expect.stringMatching(new RegExp(`^${name}`)),
      message: expect.stringMatching(message),
    });
  });

  it("is not given to a token that has expired", async () => {
    const token = await tokenFor("reader", { seconds: 600 });
    await assume(token);
    await eksim.advance("11m");
    await expect(assume(token)).rejects.toMatchObject({
      name: "ExpiredTokenException",
      message: expect.stringMatching(
        /^Token expired: current date\/time \d+ must be before the expiration date\/time \d+$/,
      ),
    });
  });

  it("is given as long as the token is good, whatever becomes of account and pod", async () => {
    const token = await tokenFor("reader");
    await eksim.kubernetes("demo", "DELETE", "/api/v1/namespaces/default/serviceaccounts/reader");
    await expect(assume(token)).resolves.toBeDefined();
  });
});

type Claims = Record<string, unknown>;

function changed(token: string, change: (claims: Claims) => Claims): string {
  const [head = "", body = "", signature = ""] = token.split(".");
  const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Claims;
  return [head, Buffer.from(JSON.stringify(change(claims))).toString("base64url"), signature].join(".");
}

const renamed = (token: string): string =>
  changed(token, (claims) => ({ ...claims, sub: "system:serviceaccount:default:reader" }));

const reissued = (token: string): string => changed(token, (claims) => ({ ...claims, iss: `https://${issuers.demo}` }));
