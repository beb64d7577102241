import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasProgram, type KubectlCluster, newestKubectl, STARTUP_MS, startKubectlCluster } from "./kubectl.js";

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

interface Sdk {
  name: string;
  command: string;
  args: string[];
  isThere: boolean;
}

/** SDKs find credentials in their own ways, in processes of their own. */
const BOTO3: Sdk = {
  name: "boto3",
  command: "python3",
  args: ["-c", "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"],
  isThere: hasProgram("python3", "-cimport boto3"),
};
const JAVASCRIPT: Sdk = {
  name: "the SDK for JavaScript",
  command: process.execPath,
  args: [
    "--no-warnings",
    "--input-type=module",
    "-e",
    'import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts"; console.log((await new STSClient({}).send(new GetCallerIdentityCommand({}))).Arn)',
  ],
  isThere: true,
};
const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));

describe.runIf(program)("an AWS SDK that acts as a pod", () => {
  const runSdk = async (
    { command, args }: Pick<Sdk, "command" | "args">,
    env: Record<string, string>,
  ): Promise<string> => {
    const { stdout } = await promisify(execFile)(command, args, {
      cwd: REPOSITORY,
      env: {
        PATH: process.env.PATH ?? "",
        HOME: cluster.home,
        AWS_ENDPOINT_URL: cluster.eksim.endpoint,
        AWS_REGION: "us-east-1",
        AWS_DEFAULT_REGION: "us-east-1",
        ...env,
      },
    });
    return stdout.trim();
  };
  const tokenFile = async (pod: string, variable: string): Promise<string> => {
    const file = join(cluster.home, `${pod}-token`);
    writeFileSync(file, await sh(pod, `cat $${variable}`));
    return file;
  };
  const agentUri = (): string => `${cluster.eksim.endpoint}/_eksim/pod-identity/v1/credentials`;

  for (const sdk of [BOTO3, JAVASCRIPT]) {
    it.runIf(sdk.isThere)(`has its role from the agent: ${sdk.name}`, async () => {
      const variable = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
      const env = {
        AWS_CONTAINER_CREDENTIALS_FULL_URI: agentUri(),
        [variable]: await tokenFile("associated", variable),
      };
      expect(await runSdk(sdk, env)).toMatch(/:assumed-role\/app\/eks-demo-associated-/);
    });

    it.runIf(sdk.isThere)(`has its role by web identity: ${sdk.name}`, async () => {
      const variable = "AWS_WEB_IDENTITY_TOKEN_FILE";
      const env = { AWS_ROLE_ARN: roleArn, [variable]: await tokenFile("annotated", variable) };
      expect(await runSdk(sdk, env)).toMatch(SESSION);
    });
  }

  it("has its role by a token that kubectl makes", async () => {
    const bound = "--bound-object-kind Pod --bound-object-name associated";
    const token = await cluster.run(`create token associated ${bound} --audience pods.eks.amazonaws.com`);
    const env = { AWS_CONTAINER_CREDENTIALS_FULL_URI: agentUri(), AWS_CONTAINER_AUTHORIZATION_TOKEN: token.trim() };
    expect(await runSdk(JAVASCRIPT, env)).toMatch(SESSION);
  });

  it.runIf(BOTO3.isThere)("can be the agent itself", async () => {
    const file = await tokenFile("associated", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const script = `import boto3, json
auth = boto3.client('eks-auth')
given = auth.assume_role_for_pod_identity(clusterName='demo', token=open('${file}').read())
refused = []
for cluster in ('nobody', 'demo'):
    try:
        auth.assume_role_for_pod_identity(clusterName=cluster, token='a.b.c')
    except auth.exceptions.ClientError as error:
        refused.append(type(error).__name__)
print(json.dumps([given['subject'], given['assumedRoleUser']['arn'], refused]))`;
    const said = await runSdk(
      { ...BOTO3, args: ["-c", script] },
      { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test" },
    );
    expect(JSON.parse(said)).toEqual([
      { namespace: "default", serviceAccount: "associated" },
      expect.stringMatching(SESSION),
      ["ResourceNotFoundException", "InvalidTokenException"],
    ]);
  });
});
