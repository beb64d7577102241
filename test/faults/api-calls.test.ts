import { EKSClient, ListClustersCommand } from "@aws-sdk/client-eks";
import { GetUserCommand, IAMClient, ListUsersCommand } from "@aws-sdk/client-iam";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createCallTroubles } from "../../src/faults/api-calls.js";
import { openState } from "../../src/state/sqlite.js";
import { type Eksim, startEksim } from "../../src/testkit/index.js";
import { aFault, SCOPE } from "../state/records.js";

let eksim: Eksim;
beforeAll(async () => {
  eksim = await startEksim();
});
afterEach(() => eksim.stopAllFaults());
afterAll(() => eksim.stop());

const once = () => ({ ...eksim.clientConfig(), maxAttempts: 1 });
/** Name and status of what an SDK makes of the answer; `ok` when there is nothing wrong. */
const outcome = async (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "ok",
    (error: { name: string; $metadata?: { httpStatusCode?: number } }) =>
      `${error.name} ${error.$metadata?.httpStatusCode}`,
  );
const eks = () => outcome(new EKSClient(once()).send(new ListClustersCommand({})));
const iam = () => outcome(new IAMClient(once()).send(new ListUsersCommand({})));
const sts = () => outcome(new STSClient(once()).send(new GetCallerIdentityCommand({})));
const eksAuth = async (): Promise<string> => {
  const answer = await fetch(`${eksim.endpoint}/clusters/demo/assume-role-for-pod-identity`, {
    method: "POST",
    headers: {
      authorization:
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/eks-auth/aws4_request, SignedHeaders=host, Signature=0",
    },
    body: JSON.stringify({ token: "a.b.c" }),
  });
  return `${answer.headers.get("x-amzn-errortype")} ${answer.status}`;
};

describe("calls of AWS's APIs", () => {
  it("that are throttled are refused as each protocol does it, with what SDKs try again", async () => {
    await eksim.startFault({ fault: "aws-api-throttling" });
    expect(await eks()).toBe("ThrottlingException 429");
    expect(await iam()).toBe("Throttling 400");
    expect(await sts()).toBe("Throttling 400");
    expect(await eksAuth()).toBe("ThrottlingException 429");
  });

  it("that fail have the names of their service's failures", async () => {
    const { id } = await eksim.startFault({ fault: "aws-api-errors" });
    expect([await eks(), await iam(), await eksAuth()]).toEqual([
      "ServerException 500",
      "InternalFailure 500",
      "InternalServerException 500",
    ]);
    await eksim.stopFault(id);
    await eksim.startFault({ fault: "aws-api-errors", parameters: { status: "503" } });
    expect([await eks(), await sts(), await eksAuth()]).toEqual([
      "ServiceUnavailableException 503",
      "ServiceUnavailable 503",
      "ServiceUnavailableException 503",
    ]);
  });

  it("are troubled by service and operation alone, and eksim's own routes never are", async () => {
    await eksim.startFault({ fault: "aws-api-throttling", parameters: { services: ["iam"], operations: ["list*"] } });
    expect([await eks(), await iam(), await sts()]).toEqual(["ok", "Throttling 400", "ok"]);
    const user = new IAMClient(once()).send(new GetUserCommand({ UserName: "nobody" }));
    expect(await outcome(user)).toMatch(/^NoSuchEntity/);
    expect((await fetch(`${eksim.endpoint}/_eksim/health`)).status).toBe(200);
  });

  it("of other accounts and regions go on", async () => {
    await eksim.startFault({ fault: "aws-api-throttling" });
    const config = { ...once(), credentials: { accessKeyId: "111122223333", secretAccessKey: "test" } };
    expect(await outcome(new EKSClient(config).send(new ListClustersCommand({})))).toBe("ok");
    expect(await outcome(new EKSClient({ ...once(), region: "eu-west-1" }).send(new ListClustersCommand({})))).toBe(
      "ok",
    );
  });

  it("get through again once SDKs have tried often enough", async () => {
    await eksim.startFault({ fault: "aws-api-throttling", parameters: { share: 50 }, seed: 1 });
    const client = new EKSClient({ ...eksim.clientConfig(), maxAttempts: 12, retryMode: "standard" });
    expect(await outcome(client.send(new ListClustersCommand({})))).toBe("ok");
  });
});

describe("which calls it is", () => {
  const troubled = (share: number, seed: number, changes = {}): boolean[] => {
    const state = openState({ file: ":memory:" });
    const parameters = { services: ["eks"], operations: ["*"], share, ...changes };
    state.faults.put(aFault("fault-1", { kind: "aws-api-throttling", parameters, seed }));
    const troubles = createCallTroubles(state);
    return Array.from({ length: 1000 }, () => troubles(SCOPE, "eks", () => "DescribeCluster") !== undefined);
  };

  it("is a matter of the seed, and as many as the share says", () => {
    expect(troubled(30, 1)).toEqual(troubled(30, 1));
    expect(troubled(30, 1)).not.toEqual(troubled(30, 2));
    const count = troubled(30, 1).filter(Boolean).length;
    expect(count).toBeGreaterThan(250);
    expect(count).toBeLessThan(350);
    expect(troubled(100, 1).every(Boolean)).toBe(true);
  });

  it.each([
    ["Describe*", true],
    ["*Cluster", true],
    ["D*ribe*ter", true],
    ["describecluster", true],
    ["Describe", false],
    ["*Clusters", false],
    ["Des*cribeC*Cluster", false],
  ])("%s means DescribeCluster: %s", (pattern, means) => {
    expect(troubled(100, 1, { operations: [pattern] })[0] ?? false).toBe(means);
  });
});
