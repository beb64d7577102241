import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { installed, type RunningEksim, runCommand, runEksim } from "./process.js";

let eksim: RunningEksim;
let environment: Record<string, string>;
beforeAll(async () => {
  eksim = await runEksim(["--data-dir", ":memory:", "--log-level", "silent", "--verify-signatures"]);
  environment = {
    AWS_ENDPOINT_URL: eksim.endpoint,
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
    AWS_REGION: "us-east-1",
  };
  const { signedHeaders } = await import("../../src/identity/sigv4-signer.js");
  const url = new URL(`${eksim.endpoint}/clusters`);
  const body = JSON.stringify({
    name: "demo",
    roleArn: "arn:aws:iam::000000000000:role/eks",
    resourcesVpcConfig: {
      subnetIds: ["subnet-a", "subnet-b"],
      endpointPublicAccess: false,
      endpointPrivateAccess: true,
    },
  });
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const signed = { method: "POST", url, body, service: "eks", region: "us-east-1", credentials, nowMs: Date.now() };
  const { host: _host, ...headers } = signedHeaders(signed);
  expect((await fetch(url, { method: "POST", headers, body })).status).toBe(200);
  const isActive = async (): Promise<boolean> => {
    const answer = await fetch(`${eksim.endpoint}/_eksim/status?cluster=demo`);
    const { clusters } = (await answer.json()) as { clusters: { status: string }[] };
    return clusters[0]?.status === "ACTIVE";
  };
  while (!(await isActive())) await new Promise((resolve) => setTimeout(resolve, 50));
});
afterAll(async () => {
  await eksim.end("SIGKILL");
});

const vpcExec = (...command: string[]) => runCommand(["vpc-exec", "--cluster", "demo", ...command], environment);

/** A client without any support for proxies: reads its kubeconfig, runs the credential plugin and lists namespaces. */
const CLIENT = `
  const { execFileSync } = require("node:child_process");
  const { get } = require("node:https");
  const config = JSON.parse(require("node:fs").readFileSync(process.env.KUBECONFIG));
  const { server, ...cluster } = config.clusters[0].cluster;
  const { command, args } = config.users[0].user.exec;
  const { token } = JSON.parse(execFileSync(command, args)).status;
  const ca = Buffer.from(cluster["certificate-authority-data"], "base64");
  get(server + "/api/v1/namespaces", { ca, headers: { authorization: "Bearer " + token } }, async (answer) => {
    let text = "";
    for await (const chunk of answer) text += chunk;
    console.log(answer.statusCode, JSON.parse(text).items.map((item) => item.metadata.name).join(" "));
  });`;

describe("eksim vpc-exec", () => {
  it("gives any client a way to a cluster that is closed to the world", async () => {
    const { code, stdout, stderr } = await vpcExec("--", process.execPath, "-e", CLIENT);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^200 .*kube-system/);
    expect(code).toBe(0);
  });

  it.skipIf(!installed("kubectl", ["version", "--client"]))("runs kubectl, options and all", async () => {
    const { stdout, stderr } = await vpcExec("kubectl", "get", "namespaces", "-o", "name");
    expect(`${stderr}${stdout}`).toContain("namespace/kube-system");
  });

  it("ends as the command ends, and leaves no file behind", async () => {
    const script = "console.log(process.env.KUBECONFIG); process.exit(7)";
    const { code, stdout } = await vpcExec("--", process.execPath, "-e", script);
    expect(code).toBe(7);
    expect(() => readFileSync(stdout.trim())).toThrow("ENOENT");
    expect((await vpcExec("--", process.execPath, "-e", 'process.kill(process.pid, "SIGTERM")')).code).toBe(143);
  });

  it("says what is wrong in one line", async () => {
    const refused: [args: string[], code: number, words: RegExp][] = [
      [["vpc-exec", "--cluster", "demo", "no-such-command"], 127, /there is no command no-such-command/],
      [["vpc-exec", "--cluster", "other", "true"], 2, /No cluster found for name: other/],
      [["vpc-exec", "true"], 2, /--cluster/],
      [["vpc-exec", "--cluster", "demo"], 2, /missing required argument/],
    ];
    for (const [args, code, words] of refused) {
      const answer = await runCommand(args, environment);
      expect(answer.code, args.join(" ")).toBe(code);
      expect(answer.stderr.trim()).toMatch(words);
      expect(answer.stderr.trim().split("\n")).toHaveLength(1);
    }
    const stranger = await runCommand(["vpc-exec", "--cluster", "demo", "true"], {
      ...environment,
      AWS_SECRET_ACCESS_KEY: "wrong",
    });
    expect(stranger.code).toBe(2);
    expect(stranger.stderr).toContain("signature");
  });
});

describe("eksim token", () => {
  it("prints what a credential plugin prints, session token included", async () => {
    const { stdout } = await runCommand(["token", "--cluster", "demo"], {
      ...environment,
      AWS_SESSION_TOKEN: "a session",
    });
    const { kind, apiVersion, status } = JSON.parse(stdout);
    expect([kind, apiVersion]).toEqual(["ExecCredential", "client.authentication.k8s.io/v1beta1"]);
    const lasts = Date.parse(status.expirationTimestamp) - Date.now();
    expect(lasts).toBeGreaterThan(12 * 60_000);
    expect(lasts).toBeLessThanOrEqual(14 * 60_000);
    const url = new URL(Buffer.from(status.token.slice("k8s-aws-v1.".length), "base64url").toString());
    expect(url.searchParams.get("X-Amz-Security-Token")).toBe("a session");
  });
});
