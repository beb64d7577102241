import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Eksim, startEksim } from "../../../../src/testkit/index.js";

const roleArn = "arn:aws:iam::000000000000:role/app";
const SUBNETS = ["subnet-a", "subnet-b"];
const AGENT =
  'curl -s -H "Authorization: $(cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE)" $AWS_CONTAINER_CREDENTIALS_FULL_URI';
const STS =
  "curl -s -d Action=AssumeRoleWithWebIdentity -d Version=2011-06-15 -d RoleSessionName=me -d RoleArn=$AWS_ROLE_ARN --data-urlencode WebIdentityToken=$(cat $AWS_WEB_IDENTITY_TOKEN_FILE) https://sts.us-east-1.amazonaws.com/";

let eksim: Eksim;

interface Pod {
  status: { phase: string; containerStatuses?: { state: { terminated?: { exitCode: number; message?: string } } }[] };
}

/** How a pod of the account ends that runs the line, and what it leaves as its last words. */
async function run(
  name: string,
  serviceAccountName: string,
  line: string,
): Promise<{ exitCode: number; said: string }> {
  const path = "/api/v1/namespaces/default/pods";
  const command = ["sh", "-c", `${line} > /dev/termination-log`];
  await eksim.kubernetes("demo", "POST", path, {
    metadata: { name },
    spec: {
      serviceAccountName,
      restartPolicy: "Never",
      containers: [{ name: "c", image: "curlimages/curl", command }],
    },
  });
  await eksim.advance("30s");
  const pod = await eksim.kubernetes<Pod>("demo", "GET", `${path}/${name}`);
  const ended = pod.status.containerStatuses?.[0]?.state.terminated;
  return { exitCode: ended?.exitCode ?? -1, said: ended?.message ?? "" };
}

beforeAll(async () => {
  eksim = await startEksim({ seed: 1 });
  await eksim.eks("POST", "/clusters", { name: "demo", roleArn, resourcesVpcConfig: { subnetIds: SUBNETS } });
  await eksim.advance("1s");
  await eksim.eks("POST", "/clusters/demo/node-groups", {
    nodegroupName: "workers",
    nodeRole: roleArn,
    subnets: SUBNETS,
    scalingConfig: { minSize: 1, maxSize: 1, desiredSize: 1 },
  });
  await eksim.eks("POST", "/clusters/demo/pod-identity-associations", {
    namespace: "default",
    serviceAccount: "associated",
    roleArn,
  });
  for (const [name, annotations] of [
    ["associated", {}],
    ["annotated", { "eks.amazonaws.com/role-arn": roleArn }],
  ] as const) {
    await eksim.kubernetes("demo", "POST", "/api/v1/namespaces/default/serviceaccounts", {
      metadata: { name, annotations },
    });
  }
  await eksim.advance("1m");
});
afterAll(() => eksim.stop());

describe("programs of containers on a clock that waits for them", () => {
  it("find no agent on a node without one", async () => {
    expect(await run("early", "associated", AGENT)).toMatchObject({ exitCode: 7 });
  });

  it("have credentials from the agent once the add-on runs", async () => {
    await eksim.eks("POST", "/clusters/demo/addons", { addonName: "eks-pod-identity-agent" });
    await eksim.advance("2m");
    const { exitCode, said } = await run("late", "associated", AGENT);
    expect(exitCode).toBe(0);
    expect(JSON.parse(said)).toMatchObject({ AccountId: "000000000000" });
    const asked = eksim.events({ cluster: "demo" }).find(({ type }) => type === "AssumeRoleForPodIdentity");
    expect(asked?.detail).toMatchObject({
      principalArn: expect.stringMatching(/^arn:aws:sts::000000000000:assumed-role\/app\/i-[0-9a-f]{17}$/),
    });
  });

  it("post to STS", async () => {
    const { exitCode, said } = await run("poster", "annotated", STS);
    expect(exitCode).toBe(0);
    expect(said).toContain("<Arn>arn:aws:sts::000000000000:assumed-role/app/me</Arn>");
  });

  it("are told so by what the emulator does not have, and nothing by the rest of the world", async () => {
    const { said } = await run("s3", "annotated", "curl -s https://s3.us-east-1.amazonaws.com/bucket");
    expect(said).toMatch(/Missing Authentication Token|does not emulate/);
    expect(await run("web", "annotated", "curl -s https://example.com/")).toEqual({ exitCode: 0, said: "" });
  });
});
