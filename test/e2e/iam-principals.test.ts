import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  CreateAccessKeyCommand,
  CreateRoleCommand,
  CreateUserCommand,
  DeleteRoleCommand,
  IAMClient,
  UpdateAccessKeyCommand,
} from "@aws-sdk/client-iam";
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEksToken } from "../../src/identity/sigv4-signer.js";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { hasProgram, newestKubectl } from "./kubectl.js";

const KUBECTL = newestKubectl();
const ACCOUNT = "000000000000";
const ANN = `arn:aws:iam::${ACCOUNT}:user/ann`;
const DEPLOYER = `arn:aws:iam::${ACCOUNT}:role/team/Deployer`;
const POLICIES = "arn:aws:eks::aws:cluster-access-policy";
const TRUST = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: "sts:AssumeRole" }],
});

interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

/** With the stock AWS CLI, which makes tokens, and the stock kubectl, which asks. */
describe.skipIf(!hasProgram("aws") || !KUBECTL)("IAM principals in a cluster", () => {
  const home = mkdtempSync(join(tmpdir(), "eksim-principals-"));
  const TEST: Credentials = { accessKeyId: "test", secretAccessKey: "test" };
  let eksim: Eksim;
  let server: string;
  let ann: Credentials;
  let iam: IAMClient;

  const clientOf = (credentials: Credentials) => ({ endpoint: eksim.endpoint, region: "us-east-1", credentials });
  const run = async (program: string, args: readonly string[], environment: Record<string, string> = {}) => {
    try {
      const { stdout } = await promisify(execFile)(program, args, {
        env: { PATH: process.env.PATH ?? "", HOME: home, ...environment },
      });
      return { code: 0, text: stdout.trim() };
    } catch (error) {
      const { code = -1, stdout = "", stderr = "" } = error as { code?: number; stdout?: string; stderr?: string };
      return { code, text: `${stdout}${stderr}`.trim() };
    }
  };
  /** What `aws eks get-token` prints. */
  const tokenOf = async ({ accessKeyId, secretAccessKey, sessionToken }: Credentials, ...args: string[]) => {
    const cluster = args.includes("--cluster-name") ? [] : ["--cluster-name", "demo"];
    const { text } = await run("aws", ["eks", "get-token", ...cluster, ...args], {
      AWS_ENDPOINT_URL: eksim.endpoint,
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      ...(sessionToken ? { AWS_SESSION_TOKEN: sessionToken } : {}),
    });
    return (JSON.parse(text) as { status: { token: string } }).status.token;
  };
  const kubectl = (token: string, ...args: string[]) =>
    run(KUBECTL ?? "", [
      `--server=${server}`,
      `--certificate-authority=${join(home, "ca.pem")}`,
      `--token=${token}`,
      ...args,
    ]);
  /** As tokenOf, without the CLI, which takes its time to start. */
  const made = (credentials: Credentials, clusterName = "demo") =>
    createEksToken({ clusterName, region: "us-east-1", credentials, nowMs: Date.now() });
  /** 200, or 401 where the API server does not know who asks. */
  const status = (token: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const options = { ca: readFileSync(join(home, "ca.pem")), headers: { authorization: `Bearer ${token}` } };
      get(`${server}/apis`, options, (response) => resolve(response.resume().statusCode)).on("error", reject);
    });
  /** `kubectl auth can-i`: yes, no, or that the API server does not know who asks. */
  const canI = async (token: string, question: string): Promise<string> => {
    const { text } = await kubectl(token, "auth", "can-i", ...question.split(" "));
    if (/logged in to the server|Unauthorized/.test(text)) return "who?";
    return /^(yes|no)\b/m.exec(text)?.[0] ?? text;
  };
  const answers = async (token: string, ...questions: string[]) =>
    Promise.all(questions.map((question) => canI(token, question)));
  const session = async (): Promise<Credentials> => {
    const command = new AssumeRoleCommand({ RoleArn: DEPLOYER, RoleSessionName: "session", DurationSeconds: 900 });
    const { Credentials: given } = await new STSClient(clientOf(TEST)).send(command);
    const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = given ?? {};
    return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  };
  const createEntry = (principalArn: string, more: object = {}) =>
    eksim.eks("POST", "/clusters/demo/access-entries", { principalArn, ...more });
  const associate = (principalArn: string, policy: string, ...namespaces: string[]) =>
    eksim.eks("POST", `/clusters/demo/access-entries/${encodeURIComponent(principalArn)}/access-policies`, {
      policyArn: `${POLICIES}/${policy}`,
      accessScope: namespaces.length > 0 ? { type: "namespace", namespaces } : { type: "cluster" },
    });
  const deleteEntry = (principalArn: string) =>
    eksim.eks("DELETE", `/clusters/demo/access-entries/${encodeURIComponent(principalArn)}`);

  beforeAll(async () => {
    eksim = await startEksim({ seed: 1 });
    for (const name of ["demo", "other"]) {
      await eksim.eks("POST", "/clusters", {
        name,
        roleArn: `arn:aws:iam::${ACCOUNT}:role/eks`,
        resourcesVpcConfig: { subnetIds: ["subnet-a", "subnet-b"] },
        accessConfig: { authenticationMode: "API_AND_CONFIG_MAP" },
      });
    }
    await eksim.advance("1s");
    const { cluster } = await eksim.eks<{ cluster: { endpoint: string; certificateAuthority: { data: string } } }>(
      "GET",
      "/clusters/demo",
    );
    server = cluster.endpoint;
    writeFileSync(join(home, "ca.pem"), Buffer.from(cluster.certificateAuthority.data, "base64"));
    iam = new IAMClient(clientOf(TEST));
    await iam.send(new CreateUserCommand({ UserName: "ann" }));
    const { AccessKey: key } = await iam.send(new CreateAccessKeyCommand({ UserName: "ann" }));
    ann = { accessKeyId: key?.AccessKeyId ?? "", secretAccessKey: key?.SecretAccessKey ?? "" };
    await iam.send(new CreateRoleCommand({ RoleName: "Deployer", Path: "/team/", AssumeRolePolicyDocument: TRUST }));
  });
  afterAll(async () => {
    await eksim.stop();
    rmSync(home, { recursive: true });
  });

  it("are known by their users' keys, and may do what their policies say", async () => {
    const token = await tokenOf(ann);
    expect(await canI(token, "list pods -A")).toBe("who?");
    await createEntry(ANN);
    expect(await status(token)).toBe(200);
    await associate(ANN, "AmazonEKSViewPolicy");
    await associate(ANN, "AmazonEKSEditPolicy", "web", "team-*");
    const questions = [
      "list pods -A",
      "get deployments.apps -n default",
      "get secrets -n default",
      "create deployments.apps -n default",
      "create deployments.apps -n web",
      "get secrets -n team-a",
      "create pods/exec -n web",
      "create roles.rbac.authorization.k8s.io -n web",
      "list nodes",
      "get /metrics",
    ];
    expect(await answers(token, ...questions)).toEqual("yes yes no no yes yes yes no no no".split(" "));
    const { text } = await kubectl(token, "auth", "whoami", "-o", "json");
    const { userId } = await new STSClient(clientOf(ann))
      .send(new GetCallerIdentityCommand({}))
      .then(({ UserId }) => ({ userId: UserId ?? "" }));
    expect(JSON.parse(text).status.userInfo).toEqual({
      username: ANN,
      uid: `aws-iam-authenticator:${ACCOUNT}:${userId}`,
      groups: ["system:authenticated"],
      extra: {
        accessKeyId: [ann.accessKeyId],
        arn: [ANN],
        canonicalArn: [ANN],
        principalId: [userId],
        sessionName: [""],
        "sigs.k8s.io/aws-iam-authenticator/principalId": [userId],
      },
    });
  });

  it("are known by the roles that they assume, whatever the path", async () => {
    await createEntry(DEPLOYER, { username: "corp:{{SessionName}}", kubernetesGroups: ["deployers"] });
    await associate(DEPLOYER, "AmazonEKSAdminPolicy", "web");
    const token = await tokenOf(TEST, "--role-arn", DEPLOYER);
    expect(
      await answers(
        token,
        "create rolebindings.rbac.authorization.k8s.io -n web",
        "create rolebindings.rbac.authorization.k8s.io",
        "delete namespaces",
      ),
    ).toEqual(["yes", "no", "no"]);
    const { text } = await kubectl(token, "auth", "whoami", "-o", "json");
    expect(JSON.parse(text).status.userInfo).toMatchObject({
      username: "corp:EKSGetTokenAuth",
      groups: ["deployers", "system:authenticated"],
      extra: {
        arn: [`arn:aws:sts::${ACCOUNT}:assumed-role/Deployer/EKSGetTokenAuth`],
        canonicalArn: [`arn:aws:iam::${ACCOUNT}:role/Deployer`],
        sessionName: ["EKSGetTokenAuth"],
      },
    });
  });

  it.each<[string, () => string | Promise<string>]>([
    ["signed with another secret", () => made({ ...ann, secretAccessKey: "wrong" })],
    ["made for another cluster", () => made(ann, "other")],
    ["of a user's key with a session's token", () => made({ ...ann, sessionToken: "x", secretAccessKey: "wrong" })],
    [
      "of a session without its token",
      async () => {
        const { sessionToken: _, ...rest } = await session();
        return made(rest);
      },
    ],
    ["of a session with another's token", async () => made({ ...(await session()), sessionToken: "other" })],
    [
      "whose signature was altered",
      () => {
        const url = Buffer.from(made(ann).slice("k8s-aws-v1.".length), "base64url").toString();
        const altered = url.replace(/(Signature=)(.)/, (_, name, first) => name + (first === "0" ? "1" : "0"));
        return `k8s-aws-v1.${Buffer.from(altered).toString("base64url")}`;
      },
    ],
  ])("are not known by a token %s", async (_, token) => {
    expect(await status(made(ann))).toBe(200);
    expect(await status(await token())).toBe(401);
  });

  it("are not known by a session that is over", async () => {
    const token = made(await session());
    expect(await status(token)).toBe(200);
    await eksim.advance("16m");
    expect(await status(token)).toBe(401);
  });

  it("are not known by a key that is switched off, until it is on again", async () => {
    const token = made(ann);
    const update = (Status: "Active" | "Inactive") =>
      iam.send(new UpdateAccessKeyCommand({ UserName: "ann", AccessKeyId: ann.accessKeyId, Status }));
    await update("Inactive");
    expect(await status(token)).toBe(401);
    await update("Active");
    expect(await status(token)).toBe(200);
  });

  it("are others when their role is deleted and made again, until its entry is made again", async () => {
    await iam.send(new DeleteRoleCommand({ RoleName: "Deployer" }));
    await iam.send(new CreateRoleCommand({ RoleName: "Deployer", Path: "/team/", AssumeRolePolicyDocument: TRUST }));
    const token = made(await session());
    expect(await status(token)).toBe(401);
    const explained = await fetch(
      `${eksim.endpoint}/_eksim/explain-access?cluster=demo&principal=${encodeURIComponent(DEPLOYER)}`,
    ).then((response) => response.json() as Promise<{ entry: { dead: boolean }; refusedTokens: { why: string }[] }>);
    expect(explained.entry.dead).toBe(true);
    expect(explained.refusedTokens[0]?.why).toMatch(/^ARN is not mapped: .*who had this name before$/);
    await deleteEntry(DEPLOYER);
    await createEntry(DEPLOYER);
    await associate(DEPLOYER, "AmazonEKSViewPolicy", "web");
    expect(await canI(token, "list pods -n web")).toBe("yes");
  });

  it("are known by aws-auth from the moment that it names them, and no longer", async () => {
    const beaArn = `arn:aws:iam::${ACCOUNT}:user/bea`;
    const token = made({ accessKeyId: "bea", secretAccessKey: "test" });
    const path = "/api/v1/namespaces/kube-system/configmaps";
    const map = (data: object) =>
      eksim.kubernetes("demo", "PUT", `${path}/aws-auth`, { metadata: { name: "aws-auth" }, data });
    const mapUsers = `- userarn: ${beaArn}\n  username: bea\n  groups: [system:masters]\n`;
    expect(await status(token)).toBe(401);
    await eksim.kubernetes("demo", "POST", path, { metadata: { name: "aws-auth" }, data: { mapUsers } });
    expect(await canI(token, "list nodes")).toBe("yes");
    await map({ mapAccounts: `- "${ACCOUNT}"\n` });
    expect(await canI(token, "list nodes")).toBe("no");
    // Who has an entry is not looked for there.
    await createEntry(beaArn);
    await map({ mapUsers });
    expect(await canI(token, "list nodes")).toBe("no");
    await deleteEntry(beaArn);
    expect(await canI(token, "list nodes")).toBe("yes");
    await eksim.kubernetes("demo", "DELETE", `${path}/aws-auth`);
    expect(await status(token)).toBe(401);
  });
});
