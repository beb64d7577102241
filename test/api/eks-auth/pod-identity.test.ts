import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { CreateRoleCommand, IAMClient, PutRolePolicyCommand, UpdateAssumeRolePolicyCommand } from "@aws-sdk/client-iam";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signedHeaders } from "../../../src/identity/sigv4-signer.js";
import { type Eksim, startEksim } from "../../../src/testkit/index.js";

const ACCOUNT = "000000000000";
const roleArn = (name: string): string => `arn:aws:iam::${ACCOUNT}:role/${name}`;
const SUBNETS = { subnetIds: ["subnet-a", "subnet-b"] };
const AGENT = "/_eksim/pod-identity/v1/credentials";

let eksim: Eksim;
let iam: IAMClient;
let issuer: string;

interface Answer {
  status: number;
  type: string | null;
  body: Record<string, unknown> & { message?: string };
}

interface Credentials {
  AccessKeyId: string;
  SecretAccessKey: string;
  Token: string;
  AccountId: string;
  Expiration: string;
}

/** A token of the service account, bound to the pod of the same name. */
async function tokenFor(account: string, options: { audience?: string; pod?: string | null } = {}): Promise<string> {
  const { audience = "pods.eks.amazonaws.com", pod = account } = options;
  const { status } = await eksim.kubernetes<{ status: { token: string } }>(
    "demo",
    "POST",
    `/api/v1/namespaces/default/serviceaccounts/${account}/token`,
    {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: {
        audiences: [audience],
        expirationSeconds: 7200,
        ...(pod === null ? {} : { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: pod } }),
      },
    },
  );
  return status.token;
}

/** A call of EKS Auth as a node's agent makes it. */
async function assumeRole(
  token: unknown,
  cluster = "demo",
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } = {
    accessKeyId: "test",
    secretAccessKey: "test",
  },
): Promise<Answer> {
  const url = new URL(`${eksim.endpoint}/clusters/${cluster}/assume-role-for-pod-identity`);
  const body = JSON.stringify({ token });
  const { host: _, ...headers } = signedHeaders({
    method: "POST",
    url,
    body,
    service: "eks-auth",
    region: "us-east-1",
    credentials,
    nowMs: Date.now(),
  });
  const response = await fetch(url, { method: "POST", headers, body });
  return {
    status: response.status,
    type: response.headers.get("x-amzn-errortype"),
    body: (await response.json()) as Answer["body"],
  };
}

async function agent(token: string | undefined, path = AGENT): Promise<{ status: number; text: string }> {
  const response = await fetch(eksim.endpoint + path, { headers: token === undefined ? {} : { authorization: token } });
  return { status: response.status, text: await response.text() };
}

async function credentialsOf(account: string): Promise<Credentials> {
  const { status, text } = await agent(await tokenFor(account));
  expect(status, text).toBe(200);
  return JSON.parse(text) as Credentials;
}

async function callerIdentity({ AccessKeyId, SecretAccessKey, Token }: Credentials): Promise<string> {
  const sts = new STSClient({
    endpoint: eksim.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: Token },
    maxAttempts: 1,
  });
  const { Arn } = await sts.send(new GetCallerIdentityCommand({}));
  sts.destroy();
  return Arn ?? "";
}

interface Statement {
  Effect?: string;
  Principal?: unknown;
  Action: string | string[];
  Resource?: string;
  Condition?: unknown;
}

const policy = (...statements: Statement[]): string =>
  JSON.stringify({ Version: "2012-10-17", Statement: statements.map((one) => ({ Effect: "Allow", ...one })) });

const PODS = { Principal: { Service: "pods.eks.amazonaws.com" } };
const TRUST = policy({ ...PODS, Action: ["sts:AssumeRole", "sts:TagSession"] });

const createRole = (RoleName: string, AssumeRolePolicyDocument = TRUST) =>
  iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument }));

/** A service account with a pod and an association. */
async function account(name: string, association: { roleArn: string; [member: string]: unknown }): Promise<void> {
  await accountWithPod(name);
  await eksim.eks("POST", "/clusters/demo/pod-identity-associations", {
    namespace: "default",
    serviceAccount: name,
    ...association,
  });
}

async function accountWithPod(name: string): Promise<void> {
  await eksim.kubernetes("demo", "POST", "/api/v1/namespaces/default/serviceaccounts", { metadata: { name } });
  await eksim.kubernetes("demo", "POST", "/api/v1/namespaces/default/pods", {
    metadata: { name },
    spec: { serviceAccountName: name, containers: [{ name: "app", image: "busybox" }] },
  });
}

beforeAll(async () => {
  eksim = await startEksim({ seed: 1 });
  iam = new IAMClient({ ...eksim.clientConfig(), maxAttempts: 1 });
  for (const name of ["demo", "other"])
    await eksim.eks("POST", "/clusters", { name, roleArn: roleArn("eks"), resourcesVpcConfig: SUBNETS });
  await eksim.advance("1s");
  const { cluster } = await eksim.eks<{ cluster: { identity: { oidc: { issuer: string } } } }>("GET", "/clusters/demo");
  issuer = cluster.identity.oidc.issuer;
  await createRole("app");
  await account("app", { roleArn: roleArn("app") });
  await accountWithPod("bare");
});
afterAll(async () => {
  iam.destroy();
  await eksim.stop();
});

describe("EKS Auth", () => {
  it("gives a pod's agent credentials of the associated role for six hours", async () => {
    const { status, body } = await assumeRole(await tokenFor("app"));
    expect(status).toBe(200);
    expect(body).toEqual({
      subject: { namespace: "default", serviceAccount: "app" },
      audience: "pods.eks.amazonaws.com",
      podIdentityAssociation: {
        associationArn: expect.stringMatching(/^arn:aws:eks:us-east-1:000000000000:podidentityassociation\/demo\/a-/),
        associationId: expect.stringMatching(/^a-[0-9a-z]{17}$/),
      },
      assumedRoleUser: {
        arn: expect.stringMatching(/^arn:aws:sts::000000000000:assumed-role\/app\/eks-demo-app-[0-9a-f-]{36}$/),
        assumeRoleId: expect.stringMatching(/^AROA[A-Z0-9]{17}:eks-demo-app-[0-9a-f-]{36}$/),
      },
      credentials: {
        sessionToken: expect.any(String),
        secretAccessKey: expect.any(String),
        accessKeyId: expect.stringMatching(/^ASIA[A-Z0-9]{16}$/),
        expiration: eksim.now() / 1000 + 6 * 3600,
      },
    });
    const [event] = eksim.events({ cluster: "demo" }).filter(({ type }) => type === "AssumeRoleForPodIdentity");
    expect(event).toMatchObject({ subject: "default/app", detail: { requestParameters: { clusterName: "demo" } } });
    expect(JSON.stringify(event)).not.toContain((body.credentials as { secretAccessKey: string }).secretAccessKey);
  });

  it.each<[string, () => Promise<[unknown, string?]>, number, string, RegExp]>([
    [
      "of an unknown cluster",
      async () => [await tokenFor("app"), "nobody"],
      404,
      "ResourceNotFoundException",
      /^No cluster found for name: nobody\.$/,
    ],
    [
      "of another cluster",
      async () => [await tokenFor("app"), "other"],
      400,
      "InvalidTokenException",
      /not issued by this cluster/,
    ],
    [
      "for another audience",
      async () => [await tokenFor("app", { audience: "sts.amazonaws.com" })],
      400,
      "InvalidTokenException",
      /audience/,
    ],
    [
      "without a pod",
      async () => [await tokenFor("app", { pod: null })],
      400,
      "InvalidTokenException",
      /not bound to a pod/,
    ],
    [
      "without an association",
      async () => [await tokenFor("bare")],
      404,
      "ResourceNotFoundException",
      /^No association found for service account bare/,
    ],
    ["that is altered", async () => [altered(await tokenFor("app"))], 400, "InvalidTokenException", /signature/],
    ["of somebody else's key", async () => [await forged()], 400, "InvalidTokenException", /signature/],
    ["without a signature", async () => [unsigned(await tokenFor("app"))], 400, "InvalidTokenException", /signature/],
    ["that is none", async () => ["a.b.c"], 400, "InvalidTokenException", /not a valid JWT/],
    ["that has no form", async () => ["nonsense"], 400, "InvalidParameterException", /token/],
    ["that is missing", async () => [undefined], 400, "InvalidParameterException", /token is required/],
    [
      "with an impossible cluster",
      async () => [await tokenFor("app"), "-x"],
      400,
      "InvalidParameterException",
      /clusterName/,
    ],
  ])("refuses a token %s", async (_what, given, status, type, message) => {
    const [token, cluster] = await given();
    expect(await assumeRole(token, cluster)).toEqual({
      status,
      type,
      body: { message: expect.stringMatching(message) },
    });
  });

  it.each(["", "null", "[]", "5", "{", '{"token":5}', `{"token":"${"a".repeat(100_000)}.b.c"}`])(
    "has a refusal for the body %.20s",
    async (body) => {
      const response = await fetch(`${eksim.endpoint}/clusters/demo/assume-role-for-pod-identity`, {
        method: "POST",
        headers: {
          authorization:
            "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/eks-auth/aws4_request, SignedHeaders=host, Signature=0",
        },
        body,
      });
      expect(response.status).toBe(400);
      expect(response.headers.get("x-amzn-errortype")).toMatch(/^Invalid(Parameter|Request|Token)Exception$/);
    },
  );

  it("refuses a token that has expired", async () => {
    const token = await tokenFor("app");
    await eksim.advance("2h");
    expect(await assumeRole(token)).toMatchObject({ status: 400, type: "ExpiredTokenException" });
  });

  it("tags sessions with where the pod is, for trust policies and for the role's own", async () => {
    const only = (namespace: string): string =>
      policy({
        ...PODS,
        Action: ["sts:AssumeRole", "sts:TagSession"],
        Condition: {
          StringEquals: {
            "aws:RequestTag/kubernetes-namespace": namespace,
            "aws:RequestTag/eks-cluster-name": "demo",
            "aws:RequestTag/kubernetes-pod-name": "tagged",
            "aws:SourceAccount": ACCOUNT,
          },
          ArnEquals: { "aws:SourceArn": `arn:aws:eks:us-east-1:${ACCOUNT}:cluster/demo` },
        },
      });
    await createRole("tagged", only("default"));
    await account("tagged", { roleArn: roleArn("tagged") });
    expect(await assumeRole(await tokenFor("tagged"))).toMatchObject({ status: 200 });
    await iam.send(new UpdateAssumeRolePolicyCommand({ RoleName: "tagged", PolicyDocument: only("prod") }));
    expect(await assumeRole(await tokenFor("tagged"))).toEqual({
      status: 400,
      type: "AccessDeniedException",
      body: { message: "Unauthorized Exception! EKS does not have permissions to assume the associated role." },
    });
  });

  it("needs leave to tag, unless the association goes without tags", async () => {
    await createRole("untagged", policy({ ...PODS, Action: "sts:AssumeRole" }));
    await account("untagged", { roleArn: roleArn("untagged") });
    expect(await assumeRole(await tokenFor("untagged"))).toMatchObject({ type: "AccessDeniedException" });
    await accountWithPod("plain");
    await eksim.eks("POST", "/clusters/demo/pod-identity-associations", {
      namespace: "default",
      serviceAccount: "plain",
      roleArn: roleArn("untagged"),
      disableSessionTags: true,
    });
    expect(await assumeRole(await tokenFor("plain"))).toMatchObject({ status: 200 });
  });

  it("refuses roles that trust somebody else", async () => {
    await createRole(
      "ec2",
      policy({ Principal: { Service: "ec2.amazonaws.com" }, Action: ["sts:AssumeRole", "sts:TagSession"] }),
    );
    await account("ec2", { roleArn: roleArn("ec2") });
    expect(await assumeRole(await tokenFor("ec2"))).toMatchObject({ status: 400, type: "AccessDeniedException" });
  });

  it("obeys what the caller's own policies forbid", async () => {
    await createRole("node", policy({ Principal: { AWS: ACCOUNT }, Action: "sts:AssumeRole" }));
    const denied = { Effect: "Deny", Action: "eks-auth:*", Resource: "*" };
    await iam.send(new PutRolePolicyCommand({ RoleName: "node", PolicyName: "no", PolicyDocument: policy(denied) }));
    const sts = new STSClient({ ...eksim.clientConfig(), maxAttempts: 1 });
    const { Credentials: node } = await sts.send(
      new AssumeRoleCommand({ RoleArn: roleArn("node"), RoleSessionName: "i-1" }),
    );
    sts.destroy();
    const credentials = {
      accessKeyId: node?.AccessKeyId ?? "",
      secretAccessKey: node?.SecretAccessKey ?? "",
      sessionToken: node?.SessionToken ?? "",
    };
    expect(await assumeRole(await tokenFor("app"), "demo", credentials)).toEqual({
      status: 400,
      type: "AccessDeniedException",
      body: {
        message: `User: arn:aws:sts::${ACCOUNT}:assumed-role/node/i-1 is not authorized to perform: eks-auth:AssumeRoleForPodIdentity on resource: arn:aws:eks:us-east-1:${ACCOUNT}:cluster/demo`,
      },
    });
  });

  it("goes on to a target role of another account for an hour, by the external id of the association", async () => {
    const target = "arn:aws:iam::111122223333:role/target";
    const elsewhere = new IAMClient({ ...eksim.as("111122223333").clientConfig(), maxAttempts: 1 });
    const trust = (externalId: string): string =>
      policy({
        Principal: { AWS: roleArn("first") },
        Action: ["sts:AssumeRole", "sts:TagSession"],
        Condition: { StringEquals: { "sts:ExternalId": externalId } },
      });
    const externalId = `us-east-1/${ACCOUNT}/demo/default/chained`;
    await elsewhere.send(new CreateRoleCommand({ RoleName: "target", AssumeRolePolicyDocument: trust(externalId) }));
    await createRole("first");
    await iam.send(
      new PutRolePolicyCommand({
        RoleName: "first",
        PolicyName: "chain",
        PolicyDocument: policy({ Action: ["sts:AssumeRole", "sts:TagSession"], Resource: target }),
      }),
    );
    await account("chained", { roleArn: roleArn("first"), targetRoleArn: target });
    const { status, body } = await assumeRole(await tokenFor("chained"));
    expect(status, JSON.stringify(body)).toBe(200);
    expect(body).toMatchObject({
      assumedRoleUser: {
        arn: expect.stringMatching(/^arn:aws:sts::111122223333:assumed-role\/target\/eks-demo-chained-/),
      },
      credentials: { expiration: eksim.now() / 1000 + 3600 },
    });
    await elsewhere.send(new UpdateAssumeRolePolicyCommand({ RoleName: "target", PolicyDocument: trust("another") }));
    expect(await assumeRole(await tokenFor("chained"))).toMatchObject({
      type: "AccessDeniedException",
      body: { message: "Unauthorized Exception! EKS does not have permissions to assume the target role." },
    });
    elsewhere.destroy();
  });
});

describe("the pod identity agent", () => {
  it("answers SDKs with credentials that STS knows", async () => {
    const credentials = await credentialsOf("app");
    expect(credentials).toEqual({
      AccessKeyId: expect.stringMatching(/^ASIA/),
      SecretAccessKey: expect.any(String),
      Token: expect.any(String),
      AccountId: ACCOUNT,
      Expiration: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    expect(await callerIdentity(credentials)).toMatch(/^arn:aws:sts::000000000000:assumed-role\/app\/eks-demo-app-/);
  });

  it.each<[string, () => Promise<string | undefined>, number, RegExp]>([
    ["none", async () => undefined, 400, /^Service account token cannot be empty\n$/],
    [
      "what is no JWT",
      async () => "nonsense",
      400,
      /^Service account token cannot be parsed: token is malformed: token contains an invalid number of segments\n$/,
    ],
    ["what only looks like one", async () => "a.b.c", 400, /^Service account token cannot be parsed: /],
    [
      "an expired one",
      async () => jwt({ exp: 1 }),
      400,
      /^Service account token failed basic claim validations: token is expired\n$/,
    ],
    [
      "one of a later time",
      async () => jwt({ nbf: 9e9 }),
      400,
      /^Service account token failed basic claim validations: token is not valid yet\n$/,
    ],
    [
      "one of another issuer",
      async () => jwt({}),
      400,
      /^\[[0-9a-f-]{36}\]: \(InvalidTokenException\): .*, fault: client\n$/,
    ],
    [
      "one without an association",
      () => tokenFor("bare"),
      404,
      /^\[[0-9a-f-]{36}\]: \(ResourceNotFoundException\): No association found .*, fault: client\n$/,
    ],
    [
      "one for another audience",
      () => tokenFor("app", { audience: "sts.amazonaws.com" }),
      400,
      /\(InvalidTokenException\)/,
    ],
  ])("refuses as a token %s", async (_what, token, status, text) => {
    expect(await agent(await token())).toEqual({ status, text: expect.stringMatching(text) });
  });

  it("is reached by its link-local addresses only", async () => {
    expect(await agent(await tokenFor("app"), "/v1/credentials")).toEqual({
      status: 403,
      text: "Access Denied. Called agent through invalid address, please use either [169.254.170.23 fd00:ec2::23] address not 127.0.0.1\n",
    });
  });
});

describe("an issuer", () => {
  it("publishes the keys of its tokens, for any name of this machine and at an address that can be followed", async () => {
    const id = issuer.split("/").at(-1);
    const get = async (path: string): Promise<unknown> => (await fetch(path)).json();
    expect(await get(`${eksim.endpoint}/id/${id}/.well-known/openid-configuration`)).toEqual({
      issuer,
      jwks_uri: `${issuer}/keys`,
      authorization_endpoint: "urn:kubernetes:programmatic_authorization",
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      claims_supported: ["sub", "iss"],
      id_token_signing_alg_values_supported: ["RS256"],
    });
    const local = (await get(`${eksim.endpoint}/_eksim/oidc/${id}/.well-known/openid-configuration`)) as {
      issuer: string;
      jwks_uri: string;
    };
    expect(local.issuer).toBe(issuer);
    const keys = (await get(local.jwks_uri)) as { keys: { kid: string }[] };
    expect(await get(`${eksim.endpoint}/id/${id}/keys`)).toEqual(keys);
    expect(await eksim.kubernetes("demo", "GET", "/openid/v1/jwks")).toEqual(keys);
    const { kid } = JSON.parse(Buffer.from((await tokenFor("app")).split(".")[0] ?? "", "base64url").toString()) as {
      kid: string;
    };
    expect(keys.keys.map((key) => key.kid)).toEqual([kid]);
    expect(kid).toMatch(/^[0-9a-f]{40}$/);
  });

  it("is unknown under other ids", async () => {
    for (const path of [`/id/${"A".repeat(32)}/keys`, "/_eksim/oidc/nobody/.well-known/openid-configuration"])
      expect((await fetch(eksim.endpoint + path)).status).toBe(404);
  });
});

const FOREIGN = createPrivateKey(
  generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }),
);

const jwt = (claims: Record<string, unknown>): Promise<string> =>
  new SignJWT({ iss: "https://nobody.example", ...claims }).setProtectedHeader({ alg: "RS256" }).sign(FOREIGN);

const partsOf = (token: string): [string, Record<string, unknown>, string] => {
  const [head = "", body = "", signature = ""] = token.split(".");
  return [head, JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>, signature];
};

/** The claims of a good token, signed by somebody else. */
async function forged(): Promise<string> {
  const [, claims] = partsOf(await tokenFor("app"));
  return new SignJWT(claims).setProtectedHeader({ alg: "RS256" }).sign(FOREIGN);
}

function altered(token: string): string {
  const [head, claims, signature] = partsOf(token);
  const body = Buffer.from(JSON.stringify({ ...claims, exp: 9e9 })).toString("base64url");
  return `${head}.${body}.${signature}`;
}

function unsigned(token: string): string {
  const [, claims] = partsOf(token);
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${encode({ alg: "none" })}.${encode(claims)}.AA`;
}
