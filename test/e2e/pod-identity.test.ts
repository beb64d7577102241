import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type KubectlCluster, newestKubectl, STARTUP_MS, startKubectlCluster } from "./kubectl.js";

const program = newestKubectl();
const roleArn = "arn:aws:iam::000000000000:role/app";
const SESSION = /arn:aws:sts::000000000000:assumed-role\/app\//;

const manifest = (name: string, annotations: Record<string, string>) => [
  { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, annotations } },
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      serviceAccountName: name,
      containers: [{ name: "app", image: "curlimages/curl", command: ["sleep", "infinity"] }],
    },
  },
];

let cluster: KubectlCluster;

beforeAll(async () => {
  if (!program) return;
  cluster = await startKubectlCluster(program);
  const { eksim, run } = cluster;
  await eksim.eks("POST", "/clusters/demo/addons", { addonName: "eks-pod-identity-agent" });
  await eksim.eks("POST", "/clusters/demo/pod-identity-associations", {
    namespace: "default",
    serviceAccount: "associated",
    roleArn,
  });
  const items = [...manifest("associated", {}), ...manifest("annotated", { "eks.amazonaws.com/role-arn": roleArn })];
  await run("apply -f -", { input: { apiVersion: "v1", kind: "List", items } });
  await run("wait --for=condition=Ready pod --all --timeout=60s");
  await run("rollout status -n kube-system daemonset/eks-pod-identity-agent --timeout=60s");
}, STARTUP_MS);
afterAll(() => cluster?.stop());

/** What a shell in the pod prints. */
const sh = (pod: string, script: string): Promise<string> => cluster.run(`exec ${pod} -- sh -c '${script}'`);

describe.runIf(program)("a program in a pod", () => {
  it("gets the role of its association from the agent of its node", async () => {
    const asked = await sh(
      "associated",
      'curl -s -H "Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)" $AWS_CONTAINER_CREDENTIALS_FULL_URI',
    );
    expect(JSON.parse(asked)).toMatchObject({ AccessKeyId: expect.stringMatching(/^ASIA/), AccountId: "000000000000" });
    expect(await sh("associated", "curl -s $AWS_CONTAINER_CREDENTIALS_FULL_URI")).toBe(
      "Service account token cannot be empty\n",
    );
  });

  it("gets the role of its service account from STS", async () => {
    const asked = await sh(
      "annotated",
      'curl -s -X POST -d "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=me&RoleArn=$AWS_ROLE_ARN&WebIdentityToken=$(cat $AWS_WEB_IDENTITY_TOKEN_FILE)" https://sts.$AWS_REGION.amazonaws.com/',
    );
    expect(asked).toMatch(/<Arn>arn:aws:sts::000000000000:assumed-role\/app\/me<\/Arn>/);
  });

  it("finds the keys of its cluster's issuer", async () => {
    const issuer = JSON.parse(await cluster.run("get --raw /.well-known/openid-configuration")).issuer as string;
    const keys = JSON.parse(await sh("annotated", `curl -s ${issuer}/keys`)) as { keys: object[] };
    expect(keys).toEqual(JSON.parse(await cluster.run("get --raw /openid/v1/jwks")));
  });
});

describe.runIf(program)("an AWS SDK that acts as a pod", () => {
  const tokenFile = async (pod: string, variable: string): Promise<string> => {
    const file = join(cluster.home, `${pod}-token`);
    writeFileSync(file, await sh(pod, `cat $${variable}`));
    return file;
  };

  it.each([
    ["the agent's credentials", "associated", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", /\/eks-demo-associated-/],
    ["web identity", "annotated", "AWS_WEB_IDENTITY_TOKEN_FILE", /\/botocore-session-/],
  ])("has its role by %s", async (_way, pod, variable, session) => {
    const { endpoint } = cluster.eksim;
    const file = await tokenFile(pod, variable);
    const { stdout } = await promisify(execFile)(
      "python3",
      ["-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"],
      {
        env: {
          PATH: process.env.PATH ?? "",
          HOME: cluster.home,
          AWS_ENDPOINT_URL: endpoint,
          AWS_REGION: "us-east-1",
          AWS_DEFAULT_REGION: "us-east-1",
          [variable]: file,
          ...(pod === "associated"
            ? { AWS_CONTAINER_CREDENTIALS_FULL_URI: `${endpoint}/_eksim/pod-identity/v1/credentials` }
            : { AWS_ROLE_ARN: roleArn }),
        },
      },
    );
    expect(stdout).toMatch(SESSION);
    expect(stdout).toMatch(session);
  });

  it("can be the agent itself", async () => {
    const { endpoint } = cluster.eksim;
    const file = await tokenFile("associated", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const script = `import boto3, json
auth = boto3.client('eks-auth')
given = auth.assume_role_for_pod_identity(clusterName='demo', token=open('${file}').read())
refused = []
for cluster, token in (('nobody', 'a.b.c'), ('demo', 'a.b.c')):
    try:
        auth.assume_role_for_pod_identity(clusterName=cluster, token=token)
    except auth.exceptions.ClientError as error:
        refused.append(type(error).__name__)
print(json.dumps([given['subject'], given['assumedRoleUser']['arn'], refused]))`;
    const env = { AWS_ENDPOINT_URL: endpoint, AWS_DEFAULT_REGION: "us-east-1", AWS_ACCESS_KEY_ID: "test" };
    const { stdout } = await promisify(execFile)("python3", ["-c", script], {
      env: { PATH: process.env.PATH ?? "", HOME: cluster.home, AWS_SECRET_ACCESS_KEY: "test", ...env },
    });
    expect(JSON.parse(stdout)).toEqual([
      { namespace: "default", serviceAccount: "associated" },
      expect.stringMatching(SESSION),
      ["ResourceNotFoundException", "InvalidTokenException"],
    ]);
  });

  it("has it in JavaScript", async () => {
    const { fromTokenFile } = await import("@aws-sdk/credential-provider-web-identity");
    const { endpoint } = cluster.eksim;
    const sts = new STSClient({
      endpoint,
      region: "us-east-1",
      credentials: fromTokenFile({
        roleArn,
        webIdentityTokenFile: await tokenFile("annotated", "AWS_WEB_IDENTITY_TOKEN_FILE"),
        clientConfig: { endpoint, region: "us-east-1" },
      }),
    });
    expect((await sts.send(new GetCallerIdentityCommand({}))).Arn).toMatch(SESSION);
    sts.destroy();
  });
});
